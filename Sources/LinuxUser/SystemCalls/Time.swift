// Reading clocks without entering the kernel: programs do it so often that the host's vDSO is worth a handler. All
// other calls about time have the same structures on guest and host and are rows. (clock_gettime(2), gettimeofday(2).)

import CLinux
import HostOS

enum TimeCalls {
    static func clockGetTime(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        // struct __kernel_timespec: seconds, then nanoseconds, 64 bits each in every ABI.
        let time = try HostClock.read(call.int32(0))
        try thread.storePair(call.a1, time.seconds, time.nanoseconds)
        return 0
    }

    static func getTimeOfDay(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if call.a0 != 0 {
            // struct timeval: seconds, then microseconds, words.
            let time = try HostClock.read(HostClock.realtimeClock)
            if thread.words.size == 8 {
                try thread.storePair(call.a0, time.seconds, time.nanoseconds / 1000)
            } else {
                try thread.storeWord(call.a0, UInt64(bitPattern: time.seconds))
                try thread.storeWord(call.a0 &+ 4, UInt64(bitPattern: time.nanoseconds / 1000))
            }
        }
        if call.a1 != 0 {
            let zone = thread.output(call.a1, 8)
            return kernel(SYS_gettimeofday, 0, zone)
        }
        return 0
    }
}
