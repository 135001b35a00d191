// System calls that make, name and end threads and processes. A guest thread is a host thread, a guest process a host
// process.

import CLinux
import ExecutionEngine
import GuestMemory
import HostOS

/// What clone(2) and clone3(2) ask for.
struct CloneRequest {
    var flags: UInt64
    /// Initial stack pointer of the child; 0: the parent's.
    var stack: UInt64
    var parentTID: UInt64
    var childTID: UInt64
    var tls: UInt64
    var pidfd: UInt64
    var exitSignal: UInt64

    static let vm: UInt64 = 0x100, files: UInt64 = 0x400, sighand: UInt64 = 0x800, pidfdFlag: UInt64 = 0x1000
    static let vfork: UInt64 = 0x4000, thread: UInt64 = 0x1_0000, setTLS: UInt64 = 0x8_0000
    static let parentSetTID: UInt64 = 0x10_0000, childClearTID: UInt64 = 0x20_0000, childSetTID: UInt64 = 0x100_0000
    /// CLONE_NEW*: namespaces and cgroups.
    static let namespaces: UInt64 = 0x7e02_0080
    static let intoCgroup: UInt64 = 0x2_0000_0000

    func has(_ flag: UInt64) -> Bool { flags & flag != 0 }
}

enum ProcessCalls {
    /// clone(2), asm-generic argument order: flags, stack, parent tid, tls, child tid.
    static func clone(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try perform(
            thread,
            CloneRequest(
                flags: call.a0 & 0xffff_ff00, stack: call.a1, parentTID: call.a2, childTID: call.a4, tls: call.a3,
                pidfd: call.a2, exitSignal: call.a0 & 0xff))
    }

    /// clone3(2): struct clone_args.
    static func clone3(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a1 >= 64 else { throw .inval }
        guard call.a1 <= 4096 else { throw .tooBig }
        let bytes = try thread.memory.readBytes(call.a0, count: Int(call.a1))
        func word(_ index: Int) -> UInt64 {
            8 * index + 8 <= bytes.count
                ? bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self) } : 0
        }
        if bytes.dropFirst(88).contains(where: { $0 != 0 }) { throw .tooBig }
        guard word(0) & 0xff == 0, word(4) <= 64, word(8) == 0 else { throw .inval }  // no set_tid
        guard (word(5) == 0) == (word(6) == 0) else { throw .inval }
        return try perform(
            thread,
            CloneRequest(
                flags: word(0), stack: word(5) == 0 ? 0 : word(5) &+ word(6), parentTID: word(3), childTID: word(2),
                tls: word(7), pidfd: word(1), exitSignal: word(4)))
    }

    private static func perform(_ thread: GuestThread, _ request: CloneRequest) throws(Errno) -> Int {
        if request.has(CloneRequest.namespaces) || request.has(CloneRequest.intoCgroup) {
            reportUnimplemented(thread, "clone into namespaces or cgroups, flags 0x\(String(request.flags, radix: 16))")
            throw .inval
        }
        if request.has(CloneRequest.thread) {
            guard request.has(CloneRequest.sighand), request.has(CloneRequest.vm) else { throw .inval }
            return try createThread(thread, request)
        }
        if request.has(CloneRequest.vm) && !request.has(CloneRequest.vfork) {
            reportUnimplemented(thread, "clone of a process that shares memory")
            throw .inval
        }
        return try fork(thread, request)
    }

    // MARK: Threads

    private static func createThread(_ thread: GuestThread, _ request: CloneRequest) throws(Errno) -> Int {
        let process = thread.process
        if thread.isSharedChild {
            reportUnimplemented(thread, "a thread of a child of vfork")
            throw .again
        }
        guard thread.memory.limits.hostHasRoom(threadBytes) else { throw .again }
        let vcpu: VCPU
        do throws(Errno) { vcpu = try process.engine.makeVCPU() } catch { throw .again }
        vcpu.copyState(from: thread.vcpu)
        let child = GuestThread(process: process, vcpu: vcpu)
        child.signalMask = thread.signalMask
        prepareChild(child, request)
        if request.has(CloneRequest.childClearTID) { child.clearChildTID = request.childTID }
        process.lock.withLock { process.threads.append(child) }
        // The child starts with all signals blocked and says its thread id here.
        let published = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        published.initialize(to: 0)
        defer { published.deallocate() }
        let old = HostSignals.setMask(.max)
        defer { HostSignals.setMask(thread.mailbox.pointee.signal == 0 ? thread.signalMask : old) }
        do throws(Errno) {
            try HostThread.start {
                child.tid = HostProcess.threadID
                let memory = child.memory
                let id = UInt32(bitPattern: child.tid)
                if request.has(CloneRequest.parentSetTID) { try? memory.write(request.parentTID, id) }
                if request.has(CloneRequest.childSetTID) { try? memory.write(request.childTID, id) }
                publish(published, id)
                child.main()
            }
        } catch {
            process.lock.withLock { process.threads.removeAll { $0 === child } }
            throw .again
        }
        while true {
            let id = publishedWord(published)
            if id != 0 { return Int(id) }
            Futex.wait(published, while: 0)
        }
    }

    /// What Martlet maps for a thread, generously.
    private static let threadBytes: UInt64 = 8 << 20

    private static func publish(_ word: UnsafeMutablePointer<UInt32>, _ value: UInt32) {
        // The waiter frees the word as soon as it sees the value: wake by address only, which needs no valid memory.
        publishWord(word, value)
        Futex.wake(UInt64(UInt(bitPattern: word)), isPrivate: true)
    }

    /// Registers that differ in the child.
    private static func prepareChild(_ child: GuestThread, _ request: CloneRequest) {
        let registers = child.process.registers
        storeRegister(child.state, registers.result, 0)
        if request.stack != 0 { child.stackPointer = request.stack }
        if request.has(CloneRequest.setTLS) { storeRegister(child.state, registers.threadPointer, request.tls) }
    }

    // MARK: Processes

    private static func fork(_ thread: GuestThread, _ request: CloneRequest) throws(Errno) -> Int {
        let process = thread.process
        if request.exitSignal != UInt64(SignalNumber.chld) && request.exitSignal != 0 {
            reportUnimplemented(thread, "clone with exit signal \(request.exitSignal); SIGCHLD is sent")
        }
        let old = HostSignals.setMask(.max)
        defer { HostSignals.setMask(thread.mailbox.pointee.signal == 0 ? thread.signalMask : old) }
        if request.has(CloneRequest.vfork), request.has(CloneRequest.vm) { return try SharedChild.run(thread, request) }
        // vfork: the parent waits until the child has executed a program or ended, which closes the pipe.
        let wait = request.has(CloneRequest.vfork) ? ParentPipe() : nil
        process.lock.lock()
        do throws(Errno) { try process.engine.prepareFork() } catch {
            process.lock.unlock()
            wait?.abandon()
            throw error
        }
        thread.memory.prepareFork()
        let result: Result<Int32, Errno>
        do throws(Errno) { result = .success(try HostProcess.fork()) } catch { result = .failure(error) }
        let isChild = result == .success(0)
        thread.memory.finishFork()
        process.engine.finishFork(isChild: isChild, surviving: thread.vcpu)
        process.lock.unlock()
        switch result {
        case .failure(let error):
            wait?.abandon()
            throw error
        case .success(0):
            wait?.becomeChild()
            process.threads = [thread]
            process.stopper.store(0, ordering: .relaxed)
            if let actions = thread.ownActions { process.actions = actions }
            thread.ownActions = nil
            thread.isSharedChild = false
            becomeChild(thread, request)
            // (A child that shares its parent's memory is counted with its parent: SharedChild.)
            process.profile?.becomeChild(&thread.profiled)
            return 0
        case .success(let pid):
            tellParent(thread, request, child: pid)
            if let wait { thread.still { wait.waitForChild() } }
            return Int(pid)
        }
    }

    /// What the caller wants to know of its child besides the result.
    static func tellParent(_ thread: GuestThread, _ request: CloneRequest, child pid: Int32) {
        if request.has(CloneRequest.parentSetTID) && !request.has(CloneRequest.pidfdFlag) {
            try? thread.memory.write(request.parentTID, UInt32(bitPattern: pid))
        }
        if request.has(CloneRequest.pidfdFlag) {
            let fd = kernel(SYS_pidfd_open, Int(pid), 0)
            try? thread.memory.write(request.pidfd, Int32(truncatingIfNeeded: fd))
        }
    }

    static func becomeChild(_ thread: GuestThread, _ request: CloneRequest) {
        thread.tid = HostProcess.threadID
        thread.isLeader = true
        thread.robustList = 0
        thread.clearChildTID = request.has(CloneRequest.childClearTID) ? request.childTID : 0
        // What the parent had recorded is the parent's.
        thread.mailbox.pointee.signal = 0
        prepareChild(thread, request)
        if request.has(CloneRequest.childSetTID) {
            try? thread.memory.write(request.childTID, UInt32(bitPattern: thread.tid))
        }
    }

    // MARK: Ends

    static func exitGroup(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        thread.process.end(status: call.int32(0) & 0xff)
    }

    /// wait4(2).
    static func wait4(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let status = thread.optionalOutput(call.a1, 4)
        let usage = thread.optionalOutput(call.a3, 144)
        return thread.blocking(SYS_wait4, Int(call.int32(0)), status, call.word(2), usage)
    }

    /// waitid(2), with the kernel's fifth argument.
    static func waitid(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let information = thread.optionalOutput(call.a2, 128)
        let usage = thread.optionalOutput(call.a4, 144)
        return thread.blocking(SYS_waitid, call.word(0), Int(call.int32(1)), information, call.word(3), usage)
    }
}

/// Keeps a vfork parent waiting: the child's end closes when it executes a program or ends.
private struct ParentPipe {
    private var read: Int32 = -1, write: Int32 = -1

    init?() {
        var ends: InlineArray<2, Int32> = [-1, -1]
        let closeOnExec = 0o2000000
        let status = withUnsafeMutablePointer(to: &ends) { ends in
            HostLimits.opening { kernel(SYS_pipe2, Int(bitPattern: ends), closeOnExec) }
        }
        if status != 0 { return nil }
        read = HostFile.moveHigh(ends[0])
        write = HostFile.moveHigh(ends[1])
    }

    func abandon() {
        HostFile.close(read)
        HostFile.close(write)
    }

    /// The write end stays open until exec or exit.
    func becomeChild() { HostFile.close(read) }

    func waitForChild() {
        HostFile.close(write)
        var byte: UInt8 = 0
        while withUnsafeMutablePointer(to: &byte, { kernel(SYS_read, Int(read), Int(bitPattern: $0), 1) })
            == Errno.intr.negated
        {}
        HostFile.close(read)
    }
}
