// System calls that make, name and end threads and processes. A guest thread is a host thread, a guest process a host
// process.

import CLinux
import ExecutionEngine
import HostOS
import LinuxMemory

enum ProcessCalls {
    static func clone(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try perform(thread, CloneRequest(call, thread))
    }

    static func clone3(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try perform(thread, CloneRequest(structure: call.a0, size: call.a1, thread))
    }

    private static func perform(_ thread: GuestThread, _ request: CloneRequest) throws(Errno) -> Int {
        try request.check()
        if request.has(CloneRequest.newMounts) { thread.process.keepStoreFolder() }
        if request.has(CloneRequest.thread) { return try createThread(thread, request) }
        if request.has(CloneRequest.vm) { return try share(thread, request) }
        return try fork(thread, request)
    }

    // MARK: Threads

    private static func createThread(_ thread: GuestThread, _ request: CloneRequest) throws(Errno) -> Int {
        let process = thread.process
        if thread.isSharedChild || thread.runsBeside {
            reportUnimplemented(thread, "a thread of a process that shares its parent's memory")
            throw .again
        }
        if request.has(CloneRequest.vfork | CloneRequest.intoCgroup) || request.setTIDCount != 0 {
            reportUnimplemented(thread, "clone of a thread with flags 0x\(String(request.flags, radix: 16))")
            throw .inval
        }
        guard thread.memory.limits.hostHasRoom(threadBytes) else { throw .again }
        let vcpu: VCPU
        do throws(Errno) { vcpu = try process.engine.makeVCPU(in: process.memory) } catch { throw .again }
        vcpu.copyState(from: thread.vcpu)
        let child = GuestThread(process: process, vcpu: vcpu)
        child.signalMask = thread.signalMask
        prepareChild(child, request)
        if request.has(CloneRequest.childClearTID) { child.clearChildTID = request.childTID }
        process.lock.withLock {
            child.filters.store(thread.filters.load(ordering: .relaxed), ordering: .relaxed)
            process.threads.append(child)
        }
        // The child says its thread id here, or why it cannot be.
        let id = SharedWord()
        let apart = request.apartFromThreads
        do throws(Errno) {
            try HostThread.start(blocksSignals: true) {
                let error = apart == 0 ? 0 : kernel(SYS_unshare, Int(truncatingIfNeeded: apart))
                if error != 0 {
                    process.lock.withLock { process.threads.removeAll { $0 === child } }
                    return id.publish(UInt32(bitPattern: Int32(truncatingIfNeeded: error)))
                }
                child.main {
                    child.tid = HostProcess.threadID
                    let tid = UInt32(bitPattern: child.tid)
                    if request.has(CloneRequest.parentSetTID) { try? child.store(request.parentTID, tid) }
                    if request.has(CloneRequest.childSetTID) { try? child.store(request.childTID, tid) }
                    id.publish(tid)
                }
            }
        } catch {
            process.lock.withLock { process.threads.removeAll { $0 === child } }
            throw .again
        }
        let result = Int(Int32(bitPattern: id.wait()))
        if result > 0, request.has(CloneRequest.pidfdFlag) {
            let fd = kernel(SYS_pidfd_open, result, 0o200)  // PIDFD_THREAD
            try? thread.store(request.pidfd, Int32(truncatingIfNeeded: fd))
        }
        return result
    }

    /// What Martlet maps for a thread, generously.
    private static let threadBytes: UInt64 = 8 << 20

    /// Registers that differ in the child.
    private static func prepareChild(_ child: GuestThread, _ request: CloneRequest) {
        let registers = child.process.registers
        child.storeResult(0)
        if request.stack != 0 { child.stackPointer = request.stack }
        if request.has(CloneRequest.setTLS) { registers.store(child.state, registers.threadPointer, request.tls) }
    }

    // MARK: Processes

    /// A process that shares memory. The host kernel reports to the parent.
    private static func share(_ thread: GuestThread, _ request: CloneRequest) throws(Errno) -> Int {
        defer { thread.openForSignals() }
        if request.has(CloneRequest.vfork) {
            HostSignals.blockAll()
            return try SharedChild.run(thread, request)
        }
        if thread.isSharedChild || thread.runsBeside {
            reportUnimplemented(thread, "a process that shares the memory of one that shares its parent's")
            throw .again
        }
        HostSignals.setMask(.max)
        return try SharedChild.start(thread, request)
    }

    private static func fork(_ thread: GuestThread, _ request: CloneRequest) throws(Errno) -> Int {
        let process = thread.process
        let clone = request.isPlainFork(thread) ? nil : request.forHost(thread)
        // Our own signals too: what comes to the child from now on is the child's.
        HostSignals.blockAll()
        process.lock.lock()
        do throws(Errno) { try process.engine.prepareFork() } catch {
            process.lock.unlock()
            thread.openForSignals()
            throw error
        }
        thread.memory.prepareFork()
        let result: Result<Int32, Errno>
        do throws(Errno) {
            if let clone {
                result = .success(try HostProcess.fork(clone))
            } else {
                result = .success(try HostProcess.fork())
            }
        } catch { result = .failure(error) }
        let isChild = if case .success(0) = result { true } else { false }
        thread.memory.finishFork()
        process.engine.finishFork(isChild: isChild, surviving: thread.vcpu)
        process.lock.unlock()
        if isChild {
            process.threads = [thread]
            process.stopper.store(0, ordering: .relaxed)
            process.recordsAll = process.recordsAll || thread.runsBeside
            if let actions = thread.ownActions { process.actions = actions }
            thread.ownActions = nil
            thread.isSharedChild = false
            thread.runsBeside = false
            thread.mailbox.pointee.shared = process.pendingSignals
            becomeChild(thread, request)
            // (A child that shares its parent's memory is counted with its parent: SharedChild.)
            process.profile?.becomeChild(&thread.profiled)
        } else {
            thread.openForSignals()
        }
        let pid = try result.get()
        if pid != 0, request.has(CloneRequest.parentSetTID) {
            try? thread.store(request.parentTID, UInt32(bitPattern: pid))
        }
        return Int(pid)
    }

    /// What is different in a new process. All signals are blocked before, and open afterwards where memory was copied.
    static func becomeChild(_ thread: GuestThread, _ request: CloneRequest) {
        thread.tid = HostProcess.threadID
        thread.isLeader = true
        thread.robustList = 0
        thread.clearChildTID = request.has(CloneRequest.childClearTID) ? request.childTID : 0
        // What the parent had recorded is the parent's.
        thread.mailbox.pointee.empty()
        if request.has(CloneRequest.clearSighand) { thread.clearActions() }
        prepareChild(thread, request)
        if !request.has(CloneRequest.vm) { thread.openForSignals() }
        if request.has(CloneRequest.childSetTID), !request.isToldByHost(thread) {
            try? thread.store(request.childTID, UInt32(bitPattern: thread.tid))
        }
    }

    // MARK: Ends

    static func exitGroup(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        // What is the process's is its parent's.
        if thread.sharesMemory { return try ThreadCalls.exit(thread, call) }
        thread.process.end(status: call.int32(0) & 0xff)
    }

    /// wait4(2).
    static func wait4(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let status = thread.optionalOutput(call.a1, .int32)
        let usage = thread.optionalOutput(call.a3, .usage)
        let result = thread.blocking(SYS_wait4, Int(call.int32(0)), status, call.word(2), usage)
        if result > 0, call.a1 != 0 { try translateStatus(thread, call.a1) }
        return result
    }

    /// waitid(2), with the kernel's fifth argument.
    static func waitid(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let usage = thread.optionalOutput(call.a4, .usage)
        return try SignalCalls.withSignalInfo(thread, call.a2) { information in
            thread.blocking(SYS_waitid, call.word(0), Int(call.int32(1)), information, call.word(3), usage)
        }
    }

    /// The signal within a status, where the ABI's numbers are other than the host's: the lowest seven bits, or those from 8
    /// to 15 when these say that the process has stopped (include/uapi/linux/wait.h).
    private static func translateStatus(_ thread: GuestThread, _ address: UInt64) throws(Errno) {
        let table = thread.process.guest.table
        if table.hasHostSignals { return }
        thread.finishArguments()
        let status = try thread.load(address, as: UInt32.self), low = status & 0x7f
        func number(_ signal: UInt32) -> UInt32 { UInt32(bitPattern: table.signal(Int32(signal))) }
        switch low {
        case 0: break
        case 0x7f: if status != 0xffff { try thread.store(address, status & ~0xff00 | number(status >> 8 & 0xff) << 8) }
        default: try thread.store(address, status & ~0x7f | number(low))
        }
    }
}
