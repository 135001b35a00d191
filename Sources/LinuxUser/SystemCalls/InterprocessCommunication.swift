// System V message queues and semaphores, as far as they are more than rows. (msgop(2), semctl(2).)

import CLinux
import HostOS
import LinuxABI

enum IPCCalls {
    /// struct msgbuf: an eight-byte type, then the text whose size is given.
    static func messageSend(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let message = thread.input(call.a1, call.a2 &+ 8)
        return thread.blocking(Int32(SYS_msgsnd), call.word(0), message, call.word(2), call.word(3))
    }

    static func messageReceive(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if call.a2 > UInt64(Int64.max) &- 8 { throw .inval }
        let message = thread.output(call.a1, call.a2 &+ 8)
        return thread.blocking(Int32(SYS_msgrcv), call.word(0), message, call.word(2), call.word(3), call.word(4))
    }

    static func semaphoreControl(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        func pass(_ argument: Int) -> Int {
            kernel(SYS_semctl, call.word(0), call.word(1), Int(call.int32(2)), argument)
        }
        if call.int32(0) < 0 { throw .inval }
        switch call.int32(2) {
        case 0, 11, 12, 14, 15, 16: return pass(call.word(3))  // IPC_RMID, GETPID, GETVAL, GETNCNT, GETZCNT, SETVAL
        case 3, 19: return pass(thread.output(call.a3, 40))  // IPC_INFO, SEM_INFO: struct seminfo
        case 13: return pass(thread.output(call.a3, try semaphoreCount(call) &* 2))  // GETALL
        case 17: return pass(thread.input(call.a3, try semaphoreCount(call) &* 2))  // SETALL
        case 2, 18, 20:  // IPC_STAT, SEM_STAT, SEM_STAT_ANY
            let layout = thread.process.guest.semaphoreSet
            return try withScratch(layout.host.size &+ layout.guest.size) { (buffer) throws(Errno) in
                let result = pass(buffer.word)
                if result < 0 { return result }
                let guest = UnsafeMutableRawBufferPointer(rebasing: buffer[layout.host.size...])
                if let source = buffer.baseAddress, let target = guest.baseAddress {
                    try layout.toGuest(source, target)
                }
                try thread.memory.writeBytes(call.a3, UnsafeRawBufferPointer(guest))
                return result
            }
        case 1:  // IPC_SET
            let layout = thread.process.guest.semaphoreSet
            return try withScratch(layout.host.size &+ layout.guest.size) { (buffer) throws(Errno) in
                let guest = UnsafeMutableRawBufferPointer(rebasing: buffer[layout.host.size...])
                try thread.memory.readBytes(call.a3, into: guest)
                if let target = buffer.baseAddress, let source = guest.baseAddress {
                    try layout.toHost(source, target)
                }
                return pass(buffer.word)
            }
        default: throw .inval
        }
    }

    private static func semaphoreCount(_ call: SystemCallArguments) throws(Errno) -> UInt64 {
        let layout = StructLayout.host(.semid)
        return try withScratch(layout.size) { (buffer) throws(Errno) in
            _ = try Errno.check(kernel(SYS_semctl, call.word(0), 0, 2, buffer.word))
            guard let base = buffer.baseAddress else { return 0 }
            return layout.load(FieldIndex.semid.sem_nsems, base)
        }
    }
}
