// vfork(2) and what the C library makes of posix_spawn(3): the child runs in its parent's memory while the parent waits, so nothing is
// copied. Memory is shared on purpose; what a kernel keeps per process and Martlet keeps in memory is the child's own or is put back
// afterwards. The parent's other threads run meanwhile.
//
// The child uses the parent's vCPU and thread objects from a host stack of its own. Its host signals are blocked except between its
// system calls, in those that wait, and when it executes a program: killed while it holds a lock it would leave its parent a locked
// one.

import CLinux
import ExecutionEngine
import GuestMemory
import HostOS

enum SharedChild {
    /// Runs the child until it has executed a program or ended. The caller has blocked all signals. Returns the child's id.
    static func run(_ thread: GuestThread, _ request: CloneRequest) throws(Errno) -> Int {
        let kept = KeptState(thread), actions = thread.withActions { $0 }
        let result: Result<Int32, Errno>
        do throws(Errno) {
            result = .success(
                try thread.still { () throws(Errno) in
                    try HostProcess.forkSharing {
                        ProcessCalls.becomeChild(thread, request)
                        thread.isSharedChild = true
                        thread.ownActions = actions
                        thread.runSharedChild()
                    }
                })
        } catch { result = .failure(error) }
        kept.putBack(thread)
        let pid = try result.get()
        ProcessCalls.tellParent(thread, request, child: pid)
        return Int(pid)
    }
}

extension GuestThread {
    /// Lets the signals come that the guest has not blocked: here nothing is held. One is recorded at most.
    func openForSignals() { if mailbox.pointee.signal == 0 { HostSignals.setMask(signalMask) } }
}

/// What the child changes of its own that is the parent's here.
private struct KeptState {
    private let vcpu: VCPUCheckpoint
    private let mailbox: SignalMailbox
    private let ownActions: [SignalAction]?
    private let tid: Int32
    private let signalMask: UInt64
    private let handlerBaseMask: UInt64?
    private let alternateStack: AlternateStack
    private let clearChildTID: UInt64
    private let robustList: UInt64
    private let isLeader: Bool
    private let isSharedChild: Bool
    private let memoryLimits: MemoryLimitValues

    init(_ thread: GuestThread) {
        vcpu = thread.vcpu.checkpoint()
        mailbox = thread.mailbox.pointee
        ownActions = thread.ownActions
        tid = thread.tid
        signalMask = thread.signalMask
        handlerBaseMask = thread.handlerBaseMask
        alternateStack = thread.alternateStack
        clearChildTID = thread.clearChildTID
        robustList = thread.robustList
        isLeader = thread.isLeader
        isSharedChild = thread.isSharedChild
        memoryLimits = thread.memory.limits.values
    }

    func putBack(_ thread: GuestThread) {
        thread.vcpu.restore(vcpu)
        thread.mailbox.pointee = mailbox
        thread.ownActions = ownActions
        thread.tid = tid
        thread.signalMask = signalMask
        thread.handlerBaseMask = handlerBaseMask
        thread.alternateStack = alternateStack
        thread.clearChildTID = clearChildTID
        thread.robustList = robustList
        thread.isLeader = isLeader
        thread.isSharedChild = isSharedChild
        thread.memory.limits.values = memoryLimits
        thread.isFinished = false
        thread.interruptedCall = nil
    }
}
