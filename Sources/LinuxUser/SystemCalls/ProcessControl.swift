// prctl(2), by option (include/uapi/linux/prctl.h). What concerns the process is the host kernel's, since guest processes and
// threads are the host's; what concerns memory that executes is answered here.

import CLinux
import HostOS
import LinuxABI

enum ProcessControl {
    static func prctl(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        func pass(_ second: Int, third: Int? = nil, fifth: Int? = nil) -> Int {
            kernel(
                SYS_prctl, Int(call.int32(0)), second, third ?? call.word(2), call.word(3), fifth ?? call.word(4))
        }
        let table = thread.process.guest.table
        switch call.int32(0) {
        case 1: return pass(Int(table.hostSignal(call.int32(1)) ?? -1))  // PR_SET_PDEATHSIG
        case 2:  // PR_GET_PDEATHSIG
            let result = pass(thread.output(call.a1, .int32))
            if result == 0, !table.hasHostSignals {
                thread.finishArguments()
                try thread.store(call.a1, table.signal(try thread.load(call.a1, as: Int32.self)))
            }
            return result
        // Values: DUMPABLE, KEEPCAPS, TIMING, GET_SECCOMP, CAPBSET, SECUREBITS, TIMERSLACK,
        // TASK_PERF_EVENTS, MCE_KILL, SET_CHILD_SUBREAPER, NO_NEW_PRIVS, THP_DISABLE, CAP_AMBIENT, IO_FLUSHER,
        // MEMORY_MERGE, TIMER_CREATE_RESTORE_IDS, FUTEX_HASH, SET_PTRACER
        case 3, 4, 7, 8, 13, 14, 21, 23, 24, 27...34, 36, 38, 39, 41, 42, 47, 57, 58, 67, 68, 77, 78, 0x5961_6d61:
            return pass(call.word(1))
        case 37: return pass(thread.output(call.a1, .int32))  // PR_GET_CHILD_SUBREAPER
        case 15: return pass(thread.input(call.a1, 16))  // PR_SET_NAME
        case 16: return pass(thread.output(call.a1, 16))  // PR_GET_NAME
        case 40:  // PR_GET_TID_ADDRESS: the host's is the C library's
            try thread.storeWord(call.a1, thread.clearChildTID)
            return 0
        case 62: return pass(call.word(1), fifth: thread.output(call.a4, .uint64))  // PR_SCHED_CORE
        case 65: return try thread.process.denyWriteExecute.choose(call)  // PR_SET_MDWE
        case 66:  // PR_GET_MDWE
            guard call.a1 | call.a2 | call.a3 | call.a4 == 0 else { throw .inval }
            return Int(thread.process.denyWriteExecute.bits)
        case 71:  // PR_RISCV_SET_ICACHE_FLUSH_CTX: every fence.i is seen by all threads as it is
            guard call.a1 <= 1, call.a2 <= 1 else { throw .inval }
            return 0
        case 0x4155_5856: return try auxiliaryVector(thread, call)  // PR_GET_AUXV
        case 0x5356_4d41: return pass(call.word(1), fifth: thread.optionalInput(call.a4, 1))  // PR_SET_VMA
        case 35 where call.a1 == 15:  // PR_SET_MM_MAP_SIZE
            return pass(call.word(1), third: thread.output(call.a2, .int32))
        // PR_SET_MM_ARG_START, ARG_END, ENV_START, ENV_END: what the kernel shows in /proc.
        case 35 where 8...11 ~= call.a1 && call.a2 < thread.memory.limit && thread.process.isShownByKernel:
            return pass(call.word(1))
        case 22: return try SeccompCalls.setMode(thread, call.a1, call.a2)  // PR_SET_SECCOMP
        case 35, 59:  // PR_SET_MM, PR_SET_SYSCALL_USER_DISPATCH
            reportUnimplemented(thread, "prctl option \(call.int32(0))")
            throw .inval
        default: throw .inval  // of other architectures, of extensions that the guest lacks, or unknown
        }
    }

    /// As much of the auxiliary vector as there is room for; the size of all of it.
    private static func auxiliaryVector(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a3 | call.a4 == 0 else { throw .inval }
        let bytes = thread.process.auxiliaryVectorBytes
        try thread.memory.writeBytes(call.a1, Array(bytes.prefix(Int(min(call.a2, UInt64(bytes.count))))))
        return bytes.count
    }
}

/// PR_SET_MDWE(2const): no mapping is made that can be written and executed, and none gains execution. The host knows
/// nothing of what the guest may execute.
struct DenyWriteExecute {
    private var chosen: UInt64 = 0
    private var owner: Int32 = 0
    private static let refuse: UInt64 = 1, notInherited: UInt64 = 2

    var bits: UInt64 { chosen & Self.notInherited != 0 && owner != HostProcess.processID ? 0 : chosen }
    private var isOn: Bool { chosen != 0 && bits != 0 }

    mutating func choose(_ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a2 | call.a3 | call.a4 == 0, call.a1 & ~3 == 0, call.a1 != Self.notInherited else { throw .inval }
        let now = bits
        if now != 0 && now != call.a1 { throw .perm }
        chosen = call.a1
        owner = HostProcess.processID
        return 0
    }

    /// Throws EACCES for what is refused. `wasExecutable`: the memory that is there now.
    func check(_ rights: UInt64, wasExecutable: @autoclosure () -> Bool) throws(Errno) {
        let write: UInt64 = 2, execute: UInt64 = 4
        guard isOn, rights & execute != 0 else { return }
        if rights & write != 0 || !wasExecutable() { throw .acces }
    }
}
