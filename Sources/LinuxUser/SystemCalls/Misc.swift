// Who and where the program is, and what the processor offers. (uname(2), riscv_hwprobe(2).)

import CLinux
import ExecutionEngine
import HostOS
import LinuxABI

enum MiscCalls {
    /// The host's answer with the guest's machine (the fifth 65-byte string).
    static func uname(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try withScratch(StructSize.utsname) { (buffer) throws(Errno) in
            let result = kernel(SYS_uname, buffer.word)
            if result != 0 { return result }
            let machine = UnsafeMutableRawBufferPointer(rebasing: buffer[260..<325])
            machine.initializeMemory(as: UInt8.self, repeating: 0)
            machine.copyBytes(from: thread.process.guest.machine.utf8.prefix(64))
            try thread.memory.writeBytes(call.a0, UnsafeRawBufferPointer(buffer))
            return 0
        }
    }

    /// perf_event_open(2): what is counted is the host's work for the guest. Breakpoints are refused as by a processor that has none.
    static func perfEvent(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let breakpoint: UInt32 = 5  // PERF_TYPE_BREAKPOINT
        if let type = try? thread.load(call.a0, as: UInt32.self), type == breakpoint { throw .noent }
        return kernel(
            SYS_perf_event_open, thread.optionalOutput(call.a0, HostProcess.pageSize), call.word(1), call.word(2),
            call.word(3),
            call.word(4))
    }

    // MARK: Processor

    /// riscv_hwprobe(2): pairs of key and value; an unknown key becomes -1. Every processor is the same.
    static func hardwareProbe(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if call.a4 != 0 { throw .inval }
        let most: UInt64 = 4096  // so many pairs are as good as all
        let count = min(call.a1, most)
        for index in 0..<count {
            // struct riscv_hwprobe: both have 64 bits.
            let pair = call.a0 &+ index &* 16
            let key = try thread.load(pair, as: Int64.self)
            let value = thread.process.guest.hardwareProbe(key)
            if value == nil { try thread.store(pair, Int64(-1)) }
            try thread.store(pair &+ 8, value ?? 0)
        }
        return 0
    }

    /// riscv_flush_icache(2): later fetches of all threads, or with SYS_RISCV_FLUSH_ICACHE_LOCAL of this one, see what stores have
    /// written. The kernel fences all code, whatever the range.
    static func flushInstructionCache(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if call.a2 & ~1 != 0 { throw .inval }
        thread.process.engine.synchronizeCode(everywhere: call.a2 & 1 == 0)
        return 0
    }

    // MARK: Scheduling

    /// sched_setattr(2): the structure says its own size in its first word, where the kernel writes the size that it
    /// knows when it is another.
    static func setSchedulerAttributes(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let size = (try? thread.load(call.a1, as: UInt32.self)) ?? 0
        let attributes =
            thread.process.contents[.scheduling] == nil
            ? thread.optionalOutput(call.a1, UInt64(max(size, 48)))
            : thread.optionalOutput(call.a1, .scheduling, reads: true)
        return kernel(Int32(SYS_sched_setattr), call.word(0), attributes, call.word(2))
    }

    /// sched_getattr(2): as much of the structure as the caller has room for, from its first version on.
    static func schedulerAttributes(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        func get(_ attributes: Int, _ size: Int) -> Int {
            kernel(Int32(SYS_sched_getattr), call.word(0), attributes, size, call.word(3))
        }
        let size = call.uint32(2)
        guard case .structure(let pair) = thread.process.contents[.scheduling] else {
            return get(thread.optionalOutput(call.a1, UInt64(size)), Int(size))
        }
        guard call.a1 != 0, size >= 48, size <= HostProcess.pageSize else { return get(0, Int(size)) }
        return try withScratch(pair.host.size &+ pair.guest.size) { (buffer) throws(Errno) in
            let result = get(buffer.word, pair.host.size)
            guard result == 0, let host = buffer.baseAddress else { return result }
            try pair.toGuest(host, host + pair.host.size)
            let count = min(Int(size), pair.guest.size)
            thread.words.store(UInt32(count), host + pair.host.size)
            try thread.memory.writeBytes(call.a1, UnsafeRawBufferPointer(start: host + pair.host.size, count: count))
            return 0
        }
    }

    /// sched_setaffinity(2): a set of processors is an array of longs.
    static func setAffinity(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let size = call.uint32(1)
        func set(_ mask: Int, _ size: Int) -> Int {
            kernel(SYS_sched_setaffinity, Int(call.int32(0)), size, mask)
        }
        if thread.words.areHosts { return set(thread.optionalInput(call.a2, UInt64(size)), Int(size)) }
        let bytes = try thread.memory.readBytes(call.a2, count: Int(min(size, 1 << 13)))
        var mask = BitArray(bytes, thread.words).hostBytes
        return mask.withUnsafeMutableBytes { set($0.word, $0.count) }
    }

    static func affinity(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let size = call.uint32(1)
        func get(_ mask: Int, _ size: Int) -> Int {
            kernel(SYS_sched_getaffinity, Int(call.int32(0)), size, mask)
        }
        if thread.words.areHosts { return get(thread.optionalOutput(call.a2, UInt64(size)), Int(size)) }
        guard size & UInt32(thread.words.size - 1) == 0 else { throw .inval }
        var mask = [UInt8](repeating: 0, count: Int(min(size, 1 << 13) + 7) & ~7)
        let result = mask.withUnsafeMutableBytes { get($0.word, $0.count) }
        if result < 0 { return result }
        let bytes = BitArray(host: mask, thread.words).bytes.prefix(min(result, Int(size)))
        try thread.memory.writeBytes(call.a2, Array(bytes))
        return bytes.count
    }
}
