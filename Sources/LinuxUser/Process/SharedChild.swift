// Processes that share their parent's memory, so that nothing is copied. What a kernel keeps per process and Martlet keeps in memory is
// the child's own, or is put back afterwards. Threads of the parent run meanwhile.
//
// vfork(2), and what the C library makes of posix_spawn(3): the parent waits, and the child uses the parent's vCPU and thread objects.
// Its host signals are blocked except between its system calls, in those that wait, and when it executes a program: killed while it
// holds a lock it would leave its parent a locked one.
//
// clone(2) with CLONE_VM alone: parent and child run side by side. The child has a vCPU and a thread object of its own. Its host
// thread-local variables are those of a host thread of the parent's that is made for it and waits in the kernel as long as the child
// lives. All its signals are recorded, those too that end it: it ends where it holds nothing. (SIGKILL may still catch it inside the
// translator, and so may an end of the parent: then the other one waits for a lock for ever.)

import CLinux
import ExecutionEngine
import HostOS
import LinuxMemory

enum SharedChild {
    /// vfork(2): runs the child until it has executed a program or ended. The caller has blocked all signals. Returns the child's id.
    static func run(_ thread: GuestThread, _ request: CloneRequest) throws(Errno) -> Int {
        let clone = request.forHost(thread)
        let kept = KeptState(thread), actions = thread.withActions { $0 }
        thread.setArgumentsAside()
        let pending = UnsafeMutablePointer<PendingSignals>.allocate(capacity: 1)
        pending.initialize(to: PendingSignals())
        defer { pending.deallocate() }
        let result: Result<Int32, Errno>
        var isNew = true
        do throws(Errno) {
            result = .success(
                try thread.still { () throws(Errno) in
                    try HostProcess.forkSharing(clone) { refusal in
                        if isNew {
                            isNew = false
                            thread.mailbox.pointee.shared = pending
                            thread.ownActions = actions
                            ProcessCalls.becomeChild(thread, request)
                            thread.isSharedChild = true
                        }
                        return thread.runInSharedMemory(after: refusal)
                    }
                })
        } catch { result = .failure(error) }
        kept.putBack(thread)
        let pid = try result.get()
        if pid > 0, request.has(CloneRequest.parentSetTID), !request.isToldByHost(thread) {
            try? thread.store(request.parentTID, pid)
        }
        return Int(pid)
    }

    /// CLONE_VM: starts the child. The caller has blocked all signals. Returns the child's id.
    static func start(_ thread: GuestThread, _ request: CloneRequest) throws(Errno) -> Int {
        let process = thread.process
        let vcpu: VCPU
        do throws(Errno) { vcpu = try process.engine.makeVCPU(in: process.memory) } catch { throw .again }
        vcpu.copyState(from: thread.vcpu)
        vcpu.lend()
        let child = GuestThread(process: process, vcpu: vcpu)
        child.signalMask = thread.signalMask
        child.filters.store(thread.filters.load(ordering: .relaxed), ordering: .relaxed)
        if request.has(CloneRequest.sighand) {
            thread.recordAllSignals()
            process.lock.withLock { process.recordsAll = true }
        } else {
            child.ownActions = thread.withActions { $0 }
        }
        let id = SharedWord()
        var clone = request.forHost(thread)
        clone.flags |= HostClone.setsParentID
        clone.parentID = UInt64(UInt(bitPattern: id.address))
        let wanted = clone
        do throws(Errno) {
            try HostThread.start(blocksSignals: true) {
                let stack = HostSignals.installAlternateStack()
                // Until the child has gone, which is when forkSharing returns here.
                let pending = UnsafeMutablePointer<PendingSignals>.allocate(capacity: 1)
                pending.initialize(to: PendingSignals())
                defer { pending.deallocate() }
                do throws(Errno) {
                    let pid = try HostProcess.forkSharing(wanted) { refusal in
                        if !child.runsBeside {
                            Futex.wake(wanted.parentID, isPrivate: true)
                            child.beginBeside(request, pending)
                        }
                        return child.runInSharedMemory(after: refusal)
                    }
                    id.publish(UInt32(bitPattern: pid))
                } catch {
                    id.publish(UInt32(bitPattern: Int32(truncatingIfNeeded: error.negated)))
                }
                child.vcpu.abandon()
                HostSignals.releaseAlternateStack(stack)
            }
        } catch { throw .again }
        let result = Int(Int32(bitPattern: id.wait()))
        if result > 0, request.has(CloneRequest.parentSetTID) {
            try? thread.store(request.parentTID, Int32(truncatingIfNeeded: result))
        }
        return result
    }
}

/// A word that one thread waits for and another writes, once.
final class SharedWord: @unchecked Sendable {
    let address: UnsafeMutablePointer<UInt32>

    init() {
        address = .allocate(capacity: 1)
        address.initialize(to: 0)
    }

    deinit { address.deallocate() }

    func publish(_ value: UInt32) {
        publishWord(address, value)
        Futex.wake(UInt64(UInt(bitPattern: address)), isPrivate: true)
    }

    func wait() -> UInt32 {
        while true {
            let value = publishedWord(address)
            if value != 0 { return value }
            Futex.wait(address, while: 0)
        }
    }
}

extension GuestThread {
    /// What this call has yet to store is its parent's, and not for the calls of a child to finish.
    fileprivate func setArgumentsAside() {
        copiedOutputs = []
        convertedArguments = []
        hasArgumentsToFinish = false
    }

    /// Lets the signals come that the guest has not blocked: here nothing is held. One is recorded at most.
    func openForSignals() {
        if mailbox.pointee.signal == 0 { HostSignals.setMask(signalMask, own: waitMask ?? signalMask) }
    }

    /// The first thing that a process does that shares its parent's memory and runs beside it.
    fileprivate func beginBeside(_ request: CloneRequest, _ pending: UnsafeMutablePointer<PendingSignals>) {
        runsBeside = true
        mailbox.pointee.shared = pending
        ProcessCalls.becomeChild(self, request)
        // The host kernel does it, however the child ends.
        clearChildTID = 0
        HostSignals.attach(mailbox)
        recordAllSignals()
        HostSignals.setMask(signalMask)
    }

    /// CLONE_CLEAR_SIGHAND: what has a handler has its default action.
    func clearActions() {
        for signal in 1...SignalNumber.count {
            let hasHandler = withActions { $0[Int(signal)].handler > SignalAction.ignore }
            if hasHandler { _ = exchangeAction(signal, SignalAction(isSet: true)) }
        }
    }

    /// Makes the host record every signal that may be caught, whatever the guest's action: that is looked up when it is delivered.
    /// SIGCHLD that is ignored keeps its meaning for ended children.
    fileprivate func recordAllSignals() {
        for signal in 1...SignalNumber.count where HostSignals.bit(signal) & SignalNumber.untouchable == 0 {
            withActions { actions in
                if !actions[Int(signal)].isSet, HostSignals.isIgnored(signal) {
                    actions[Int(signal)].handler = SignalAction.ignore
                    actions[Int(signal)].isSet = true
                }
            }
            if signal != SignalNumber.chld { HostSignals.set(signal, .record) }
        }
    }
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
    private let arguments: ([CopiedOutput], [ConvertedArgument])
    private let memoryLimits: MemoryLimitValues
    private let storeFolder: KeptFolder?
    private let filters: UInt

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
        arguments = (thread.copiedOutputs, thread.convertedArguments)
        memoryLimits = thread.memory.limits.values
        storeFolder = thread.process.engine.storeFolder
        filters = thread.filters.load(ordering: .relaxed)
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
        thread.filters.store(filters, ordering: .relaxed)
        thread.isLeader = isLeader
        thread.isSharedChild = isSharedChild
        (thread.copiedOutputs, thread.convertedArguments) = arguments
        thread.hasArgumentsToFinish = !arguments.0.isEmpty || !arguments.1.isEmpty
        thread.memory.limits.values = memoryLimits
        thread.process.restoreStoreFolder(storeFolder)
        thread.isFinished = false
        thread.execution = nil
        thread.interruptedCall = nil
        thread.waitMask = nil
    }
}
