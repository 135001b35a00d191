// System V message queues and semaphores, as far as they are more than rows. (msgop(2), semctl(2).)

import CLinux
import HostOS
import LinuxABI

enum IPCCalls {
    /// struct msgbuf: a type, which is a long, then the text whose size is given.
    static func messageSend(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        func send(_ message: Int) -> Int {
            thread.blocking(Int32(SYS_msgsnd), call.word(0), message, call.word(2), call.word(3))
        }
        let words = thread.words
        if words.areHosts { return send(thread.input(call.a1, call.a2 &+ 8)) }
        // The kernel finds a size that is larger than any message before it looks at the message.
        guard call.a2 <= largestMessage else { return send(GuestThread.unusablePointer) }
        let type = words.signed(try thread.loadWord(call.a1))
        return try withScratch(8 &+ Int(call.a2)) { (buffer) throws(Errno) in
            buffer.storeBytes(of: type, as: Int64.self)
            try thread.memory.readBytes(
                call.a1 &+ UInt64(words.size), into: UnsafeMutableRawBufferPointer(rebasing: buffer[8...]))
            return send(buffer.word)
        }
    }

    static func messageReceive(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let words = thread.words
        func receive(_ message: Int) -> Int {
            let type = Int(words.signed(call.a3))
            return thread.blocking(Int32(SYS_msgrcv), call.word(0), message, call.word(2), type, call.word(4))
        }
        if call.a2 > words.mask >> 1 &- 8 { throw .inval }
        if words.areHosts { return receive(thread.output(call.a1, call.a2 &+ 8)) }
        let room = min(call.a2, largestMessage)
        guard thread.memory.allows(.write, at: call.a1, length: UInt64(words.size)) else {
            return receive(GuestThread.unusablePointer)
        }
        return try withScratch(8 &+ Int(room)) { (buffer) throws(Errno) in
            let result = receive(buffer.word)
            if result < 0 { return result }
            try thread.storeWord(call.a1, buffer.load(as: UInt64.self))
            try thread.memory.writeBytes(
                call.a1 &+ UInt64(words.size), UnsafeRawBufferPointer(rebasing: buffer[8..<8 + min(result, Int(room))]))
            return result
        }
    }

    /// More than the kernel lets a message have (msgmax is an int), and than a program has room for.
    private static let largestMessage: UInt64 = 1 << 24

    /// msgctl(2).
    static func messageControl(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        // IPC_INFO and MSG_INFO: struct msginfo, seven ints and a short.
        try control(thread, call, Int32(SYS_msgctl), thread.process.guest.messageQueue, statistics: [3, 12], ints: 8)
    }

    /// shmctl(2).
    static func memoryControl(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let words = thread.words
        guard [3, 14].contains(call.int32(1) & 0xff), !words.areHosts else {
            return try control(
                thread, call, Int32(SYS_shmctl), thread.process.guest.sharedMemory, statistics: [3, 14], ints: 28)
        }
        // IPC_INFO: struct shminfo, nine longs. SHM_INFO: struct shm_info, an int and five longs.
        return try withScratch(72) { (buffer) throws(Errno) in
            let result = kernel(Int32(SYS_shmctl), call.word(0), Int(call.int32(1)), buffer.word)
            if result < 0 { return result }
            var values = (0..<(call.int32(1) & 0xff == 3 ? 9 : 6)).map {
                buffer.load(fromByteOffset: 8 * $0, as: UInt64.self)
            }
            if values.count == 6 { values[0] = UInt64(UInt32(truncatingIfNeeded: values[0])) }
            var bytes = words.bytes(values.map { min($0, words.mask) })
            if values.count == 6 { words.store(UInt32(truncatingIfNeeded: values[0]), &bytes) }
            try thread.memory.writeBytes(call.a2, bytes)
            return result
        }
    }

    /// The commands that queues and shared memory have in common: IPC_STAT, IPC_SET, IPC_RMID, and the kinds of
    /// statistics, which have as many bytes or, where orders differ, ints as given.
    private static func control(
        _ thread: GuestThread, _ call: SystemCallArguments, _ number: Int32, _ layout: StructConversion,
        statistics: [Int32], ints: Int
    ) throws(Errno) -> Int {
        let command = call.int32(1) & ~ipc64
        func pass(_ argument: Int) -> Int { kernel(number, call.word(0), Int(command), argument) }
        switch command {
        case 1: return try withStructure(thread, call.a2, layout, reads: true, pass)
        case 2, 11, 13, 15: return try withStructure(thread, call.a2, layout, reads: false, pass)
        case _ where statistics.contains(command):
            if thread.words.areHosts { return pass(thread.output(call.a2, 4 * UInt64(ints))) }
            return pass(thread.output(call.a2, .int32, count: ints))
        default: return pass(call.word(2))
        }
    }

    /// IPC_64, which older ABIs add to a command for the structures that all others have.
    private static let ipc64: Int32 = 0x100

    /// A structure that the kernel reads or writes, in the host's form.
    private static func withStructure(
        _ thread: GuestThread, _ address: UInt64, _ layout: StructConversion, reads: Bool, _ body: (Int) -> Int
    ) throws(Errno) -> Int {
        if layout.isIdentical {
            let size = UInt64(layout.host.size)
            return body(reads ? thread.input(address, size) : thread.output(address, size))
        }
        return try withScratch(layout.host.size &+ layout.guest.size) { (buffer) throws(Errno) in
            guard let host = buffer.baseAddress else { return 0 }
            let guest = UnsafeMutableRawBufferPointer(rebasing: buffer[layout.host.size...])
            if reads {
                try thread.memory.readBytes(address, into: guest)
                try layout.toHost(host + layout.host.size, host)
                return body(buffer.word)
            }
            let result = body(buffer.word)
            if result < 0 { return result }
            try layout.toGuest(host, host + layout.host.size)
            try thread.memory.writeBytes(address, UnsafeRawBufferPointer(guest))
            return result
        }
    }

    static func semaphoreControl(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        func pass(_ argument: Int) -> Int {
            kernel(SYS_semctl, call.word(0), call.word(1), Int(call.int32(2) & ~ipc64), argument)
        }
        if call.int32(0) < 0 { throw .inval }
        switch call.int32(2) & ~ipc64 {
        case 0, 11, 12, 14, 15, 16: return pass(call.word(3))  // IPC_RMID, GETPID, GETVAL, GETNCNT, GETZCNT, SETVAL
        // IPC_INFO, SEM_INFO: struct seminfo, ten ints
        case 3, 19: return pass(thread.output(call.a3, .int32, count: 10))
        case 13: return pass(thread.output(call.a3, .int16, count: try semaphoreCount(call)))  // GETALL
        case 17: return pass(thread.input(call.a3, .int16, count: try semaphoreCount(call)))  // SETALL
        case 2, 18, 20:  // IPC_STAT, SEM_STAT, SEM_STAT_ANY
            return try withStructure(thread, call.a3, thread.process.guest.semaphoreSet, reads: false, pass)
        case 1:  // IPC_SET
            return try withStructure(thread, call.a3, thread.process.guest.semaphoreSet, reads: true, pass)
        default: throw .inval
        }
    }

    private static func semaphoreCount(_ call: SystemCallArguments) throws(Errno) -> Int {
        let layout = StructLayout.host(.semid)
        return try withScratch(layout.size) { (buffer) throws(Errno) in
            _ = try Errno.check(kernel(SYS_semctl, call.word(0), 0, 2, buffer.word))
            guard let base = buffer.baseAddress else { return 0 }
            return Int(layout.load(FieldIndex.semid.sem_nsems, base))
        }
    }
}
