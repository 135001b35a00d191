// A guest thread: one host thread, one vCPU, its signal state. Its object is used by its own thread only, except
// `requestExit`.

import ExecutionEngine
import HostOS
import LinuxABI
import LinuxMemory
import Profiling
import Synchronization

/// A guest thread.
public final class GuestThread {
    public let process: GuestProcess
    public let vcpu: VCPU
    /// Thread id: the host's.
    public internal(set) var tid: Int32 = 0
    /// Blocked signals, as the guest set them. The host thread's mask follows it, except while a recorded signal waits.
    public internal(set) var signalMask: UInt64 = 0
    /// While a call with its own mask (rt_sigsuspend) is interrupted: the mask that handlers add to.
    var handlerBaseMask: UInt64?
    /// While a call with its own mask waits: that mask.
    var waitMask: UInt64?
    /// sigaltstack: size 0 when disabled.
    var alternateStack = AlternateStack()
    /// CLONE_CHILD_CLEARTID / set_tid_address.
    var clearChildTID: UInt64 = 0
    /// set_robust_list.
    var robustList: UInt64 = 0
    /// Written by the host signal handler, emptied here. Freed when the thread ends.
    let mailbox: UnsafeMutablePointer<SignalMailbox>
    /// Set by `exit`: the thread's loop ends.
    var isFinished = false
    var exitStatus: Int32 = 0
    /// The guest's state is at an instruction boundary, and other threads may read it.
    let isStill = Atomic<Bool>(false)
    /// The process's first thread.
    var isLeader = false
    /// Runs in the memory of a parent that waits: see `SharedChild`.
    var isSharedChild = false
    /// Runs in the memory of a parent that runs too: see `SharedChild`.
    var runsBeside = false
    /// What a child in its parent's memory is about to execute: its loop ends with it.
    var execution: PreparedExecution?
    /// The dispositions of signals of a shared child: the process's are its parent's, whose other threads go on.
    var ownActions: [SignalAction]?
    /// The pc of a system call whose waiting a signal ended, until the signal's handler is entered.
    var interruptedCall: UInt64?

    /// The `SeccompFilter` of the thread's newest filter; 0: none. Other threads may install one.
    let filters = Atomic<UInt>(0)

    /// Copies of guest memory that the kernel writes in this system call, and structures in the host's form.
    var copiedOutputs: [CopiedOutput] = []
    var convertedArguments: [ConvertedArgument] = []
    /// One of them is not empty.
    var hasArgumentsToFinish = false

    /// The thread's part in a profile that is being taken.
    var profiled: ProfiledThread?

    init(process: GuestProcess, vcpu: VCPU) {
        self.process = process
        self.vcpu = vcpu
        mailbox = .allocate(capacity: 1)
        mailbox.initialize(to: SignalMailbox(requestFlag: vcpu.requestFlag, shared: process.pendingSignals))
    }

    deinit { mailbox.deallocate() }

    public var memory: UserAddressSpace { process.memory }
    /// The memory is the parent's too.
    var sharesMemory: Bool { isSharedChild || runsBeside }
    var state: UnsafeMutableRawPointer { vcpu.state }
    var words: Words { process.guest.words }

    var pc: UInt64 {
        get { loadRegister(state, process.registers.pc) }
        set { storeRegister(state, process.registers.pc, newValue) }
    }

    var stackPointer: UInt64 {
        get { process.registers.load(state, process.registers.stackPointer) }
        set { process.registers.store(state, process.registers.stackPointer, newValue) }
    }

    /// A host system call that may wait. Signals for the guest end it: `SystemCallResult.restart` or `.interrupted`.
    public func blocking(
        _ number: Int32, _ a0: Int = 0, _ a1: Int = 0, _ a2: Int = 0, _ a3: Int = 0, _ a4: Int = 0, _ a5: Int = 0
    ) -> Int {
        func call() -> Int {
            if mailbox.pointee.blocked != 0, mailbox.pointee.waiting != 0 {
                return HostSignals.lend { safeSystemCall(vcpu.requestFlag, number, a0, a1, a2, a3, a4, a5) }
            }
            return safeSystemCall(vcpu.requestFlag, number, a0, a1, a2, a3, a4, a5)
        }
        // (What stands still in a shared child is the parent.)
        if !isSharedChild { return still(call) }
        openForSignals()
        defer { HostSignals.setMask(.max) }
        return call()
    }
}

/// sigaltstack(2) state.
struct AlternateStack {
    var base: UInt64 = 0
    var size: UInt64 = 0
    var flags: Int32 = 0  // SS_AUTODISARM (1 << 31) only

    /// SS_AUTODISARM, SS_DISABLE, SS_ONSTACK.
    static let autoDisarm: Int32 = .min, disabled: Int32 = 2, inUse: Int32 = 1

    func contains(_ address: UInt64) -> Bool { size > 0 && address &- base <= size }
}
