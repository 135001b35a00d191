// Reading clocks without entering the kernel: programs do it so often that the host's vDSO is worth a handler. All
// other calls about time have the same structures on guest and host and are rows. (clock_gettime(2), gettimeofday(2).)

import CLinux
import HostOS

enum TimeCalls {
    static func clockGetTime(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        // struct timespec: seconds, then nanoseconds, 64 bits each.
        let time = try HostClock.read(call.int32(0))
        try thread.store(call.a1, SIMD2(time.seconds, time.nanoseconds))
        return 0
    }

    static func getTimeOfDay(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if call.a0 != 0 {
            // struct timeval: seconds, then microseconds, 64 bits each.
            let time = try HostClock.read(HostClock.realtimeClock)
            try thread.store(call.a0, SIMD2(time.seconds, time.nanoseconds / 1000))
        }
        if call.a1 != 0 {
            let zone = thread.output(call.a1, 8)
            return kernel(SYS_gettimeofday, 0, zone)
        }
        return 0
    }
}
