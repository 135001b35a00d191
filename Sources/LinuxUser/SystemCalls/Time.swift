// Reading clocks without entering the kernel: programs do it so often that the host's vDSO is worth a handler. All
// other calls about time have the same structures on guest and host and are rows. (clock_gettime(2), gettimeofday(2).)

import CLinux
import Glibc
import HostOS

enum TimeCalls {
    static func clockGetTime(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        var time = timespec()
        if clock_gettime(call.int32(0), &time) != 0 { throw Errno(errno) }
        try thread.store(call.a1, time)
        return 0
    }

    static func getTimeOfDay(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if call.a0 != 0 {
            var time = timeval()
            if gettimeofday(&time, nil) != 0 { throw Errno(errno) }
            try thread.store(call.a0, time)
        }
        if call.a1 != 0 {
            let zone = try thread.output(call.a1, 8)
            return kernel(SYS_gettimeofday, 0, zone)
        }
        return 0
    }
}
