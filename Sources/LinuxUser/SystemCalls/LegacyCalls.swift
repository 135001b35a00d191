// Calls that only older or 32-bit ABIs have and that another call cannot stand for as its row is: their arguments are
// structures of another form. (poll(2), select(2), dup2(2), alarm(2), time(2), utime(2), futimesat(2), llseek(2), statfs64(2).)

import CLinux
import HostOS
import LinuxABI

enum LegacyCalls {
    /// dup2(2) leaves a descriptor that is its own copy alone, which dup3(2) refuses.
    static func dup2(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if call.int32(0) != call.int32(1) {
            return try FileCalls.dup3(thread, SystemCallArguments(number: call.number, call.a0, call.a1, 0))
        }
        let result = kernel(SYS_fcntl, call.word(0), 1)  // F_GETFD
        return result < 0 ? result : Int(call.int32(0))
    }

    // MARK: Waiting

    /// poll(2): a number of milliseconds; negative: for ever.
    static func poll(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let descriptors = thread.output(call.a0, .pollDescriptors, count: Int(call.uint32(1)), reads: true)
        let limit = Int(call.int32(2))
        func wait(_ time: Int) -> Int {
            thread.blocking(Int32(SYS_ppoll), descriptors, Int(call.uint32(1)), time, 0, 8)
        }
        if limit < 0 { return wait(0) }
        var time = SIMD2(limit / 1000, limit % 1000 * 1_000_000)
        return withUnsafeMutablePointer(to: &time) { wait(Int(bitPattern: $0)) }
    }

    /// select(2): as pselect6(2) without a mask, with microseconds.
    static func select(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let count = call.int32(0)
        let read = thread.descriptorSet(call.a1, count), write = thread.descriptorSet(call.a2, count)
        let except = thread.descriptorSet(call.a3, count)
        func wait(_ time: Int) -> Int {
            thread.blocking(Int32(SYS_pselect6), Int(count), read, write, except, time, 0)
        }
        if call.a4 == 0 { return wait(0) }
        let given: InlineArray<2, UInt64> = try thread.loadWords(call.a4)
        let (seconds, microseconds) = (thread.words.signed(given[0]), thread.words.signed(given[1]))
        if seconds < 0 || microseconds < 0 { throw .inval }
        let (sum, overflows) = seconds.addingReportingOverflow(microseconds / 1_000_000)
        var time = SIMD2(overflows ? Int64.max : sum, microseconds % 1_000_000 * 1000)
        let result = withUnsafeMutablePointer(to: &time) { wait(Int(bitPattern: $0)) }
        // What is left of the time; as in the kernel, where it cannot be written nothing is said.
        try? thread.storeWords(call.a4, [UInt64(bitPattern: time.x), UInt64(bitPattern: time.y / 1000)])
        return result
    }

    // MARK: Time

    static func time(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let now = try HostClock.read(HostClock.realtimeClock).seconds
        if call.a0 != 0 { try thread.storeWord(call.a0, UInt64(bitPattern: now)) }
        return Int(now)
    }

    /// alarm(2): seconds; the rest of the former alarm comes back, at least 1 when there was one.
    static func alarm(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        var new = SIMD4(0, 0, Int(min(call.uint32(0), UInt32(Int32.max))), 0), old = SIMD4(0, 0, 0, 0)
        let result = withUnsafeMutablePointer(to: &new) { new in
            withUnsafeMutablePointer(to: &old) { old in
                kernel(SYS_setitimer, 0, Int(bitPattern: new), Int(bitPattern: old))
            }
        }
        if result < 0 { return result }
        return old.z + (old.w >= 500_000 || old.z == 0 && old.w > 0 ? 1 : 0)
    }

    /// utime(2): two times in seconds, or null for now.
    static func utime(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        var times: SIMD4<Int64>?
        if call.a1 != 0 {
            let seconds: InlineArray<2, UInt64> = try thread.loadWords(call.a1)
            times = SIMD4(thread.words.signed(seconds[0]), 0, thread.words.signed(seconds[1]), 0)
        }
        return try setTimes(thread, Int32(AT.currentDirectory), call.a0, times)
    }

    static func utimes(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try setTimes(thread, Int32(AT.currentDirectory), call.a0, try microseconds(thread, call.a1))
    }

    static func futimesat(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try setTimes(thread, call.int32(0), call.a1, try microseconds(thread, call.a2))
    }

    private static func microseconds(_ thread: GuestThread, _ address: UInt64) throws(Errno) -> SIMD4<Int64>? {
        if address == 0 { return nil }
        let given: InlineArray<4, UInt64> = try thread.loadWords(address)
        func part(_ index: Int) -> Int64 { thread.words.signed(given[index]) }
        for index in [1, 3] where part(index) < 0 || part(index) >= 1_000_000 { throw .inval }
        return SIMD4(part(0), part(1) * 1000, part(2), part(3) * 1000)
    }

    private static func setTimes(
        _ thread: GuestThread, _ directory: Int32, _ path: UInt64, _ times: SIMD4<Int64>?
    ) throws(Errno) -> Int {
        func set(_ path: Int) -> Int {
            guard var times else { return kernel(SYS_utimensat, Int(directory), path, 0, 0) }
            return withUnsafeMutablePointer(to: &times) {
                kernel(SYS_utimensat, Int(directory), path, Int(bitPattern: $0), 0)
            }
        }
        // futimesat(2) with a null path is about the descriptor.
        if path == 0 { return set(0) }
        let host = try GuestPaths.hostPath(thread, path, from: directory, followLink: true)
        defer { host.release() }
        return set(host.address)
    }

    // MARK: 32-bit ABIs

    /// llseek(2): the high half, the low half, and where the new position goes.
    static func llseek(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let offset = UInt64(call.uint32(1)) << 32 | UInt64(call.uint32(2))
        let result = kernel(SYS_lseek, call.word(0), Int(truncatingIfNeeded: offset), Int(call.int32(4)))
        if result < 0 { return result }
        try thread.store(call.a3, Int64(result))
        return 0
    }

    static func statfs64(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try fileSystem(thread, size: call.a1, call.a2) { (buffer) throws(Errno) in
            let path = try GuestPaths.hostPath(
                thread, call.a0, from: Int32(AT.currentDirectory), followLink: true)
            defer { path.release() }
            return kernel(SYS_statfs, path.address, buffer)
        }
    }

    static func fstatfs64(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try fileSystem(thread, size: call.a1, call.a2) { kernel(SYS_fstatfs, call.word(0), $0) }
    }

    private static func fileSystem(
        _ thread: GuestThread, size: UInt64, _ address: UInt64, _ body: (_ buffer: Int) throws(Errno) -> Int
    ) throws(Errno) -> Int {
        guard let layout = StructConversion(thread.process.guest.table, .statfs64, host: .statfs) else { throw .nosys }
        if size != UInt64(layout.guest.size) { throw .inval }
        return try withScratch(layout.host.size &+ layout.guest.size) { (buffer) throws(Errno) in
            let result = try body(buffer.word)
            if result < 0 { return result }
            let guest = UnsafeMutableRawBufferPointer(rebasing: buffer[layout.host.size...])
            if let source = buffer.baseAddress, let target = guest.baseAddress { try layout.toGuest(source, target) }
            try thread.memory.writeBytes(address, UnsafeRawBufferPointer(guest))
            return result
        }
    }

    /// fcntl64(2): locks are struct flock (commands 5 to 7) or struct flock64 (12 to 14, and 36 to 38 of open files).
    static func fcntl64(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let command = call.int32(1)
        let structure: StructID
        switch command {
        case 5...7: structure = .flock
        case 12...14, 36...38: structure = .flock64
        default: return try FileCalls.fcntl(thread, call)
        }
        if FileCalls.isReserved(thread, call.int32(0)) { throw .badf }
        guard let layout = StructConversion(thread.process.guest.table, structure, host: .flock) else { throw .inval }
        let number = Int(command >= 12 && command <= 14 ? command - 7 : command)
        return try withScratch(layout.host.size &+ layout.guest.size) { (buffer) throws(Errno) in
            let guest = UnsafeMutableRawBufferPointer(rebasing: buffer[layout.host.size...])
            guard let ours = buffer.baseAddress, let theirs = guest.baseAddress else { return 0 }
            try thread.memory.readBytes(call.a2, into: guest)
            try layout.toHost(theirs, ours)
            let result = thread.blocking(Int32(SYS_fcntl), call.word(0), number, buffer.word)
            if result < 0 || number != 5 && number != 36 { return result }  // F_GETLK, F_OFD_GETLK
            try layout.toGuest(ours, theirs)
            try thread.memory.writeBytes(call.a2, UnsafeRawBufferPointer(guest))
            return result
        }
    }
}
