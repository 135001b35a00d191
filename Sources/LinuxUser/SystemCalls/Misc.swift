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
            SYS_perf_event_open, thread.optionalOutput(call.a0, 4096), call.word(1), call.word(2), call.word(3),
            call.word(4))
    }

    // MARK: Processor

    /// riscv_hwprobe(2): pairs of key and value; an unknown key becomes -1. Every processor is the same.
    static func hardwareProbe(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if call.a4 != 0 { throw .inval }
        let count = min(call.a1, 4096)
        for index in 0..<count {
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

    /// sched_setattr(2): the structure says its own size in its first word, where the kernel writes the size that it
    /// knows when it is another.
    static func setSchedulerAttributes(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let size = (try? thread.load(call.a1, as: UInt32.self)) ?? 0
        let attributes = thread.optionalOutput(call.a1, UInt64(max(size, 48)))
        return kernel(Int32(SYS_sched_setattr), call.word(0), attributes, call.word(2))
    }
}
