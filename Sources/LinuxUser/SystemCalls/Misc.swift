// Who and where the program is, and what the processor offers. (uname(2), prctl(2), riscv_hwprobe(2).)

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

    // MARK: Process control

    static func prctl(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        func pass(_ second: Int) -> Int {
            kernel(SYS_prctl, Int(call.int32(0)), second, call.word(2), call.word(3), call.word(4))
        }
        switch call.int32(0) {
        case 2, 37, 9, 19, 5: return pass(thread.output(call.a1, 4))  // GET_PDEATHSIG, GET_CHILD_SUBREAPER, ...
        case 40:  // GET_TID_ADDRESS: the host's is the C library's
            try thread.store(call.a1, thread.clearChildTID)
            return 0
        case 15: return pass(thread.input(call.a1, 1))  // SET_NAME
        case 16: return pass(thread.output(call.a1, 16))  // GET_NAME
        case 1, 3, 4, 7, 8, 23, 24, 27, 28, 29, 30, 36, 38, 39, 41, 42, 47: return pass(call.word(1))
        case 0x53564d41: return 0  // SET_VMA: names of anonymous mappings are only a convenience
        default:
            reportUnimplemented(thread, "prctl option \(call.int32(0))")
            throw .inval
        }
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

    /// sched_setattr(2): the structure says its own size in its first word.
    static func setSchedulerAttributes(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let size = try thread.load(call.a1, as: UInt32.self)
        let attributes = thread.input(call.a1, UInt64(max(size, 48)))
        return kernel(Int32(SYS_sched_setattr), call.word(0), attributes, call.word(2))
    }
}
