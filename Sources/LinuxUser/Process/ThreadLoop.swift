// The life of a guest thread: run translated code, serve what it asks for, deliver signals, end.

import CLinux
import ExecutionEngine
import GuestMemory
import HostOS
import LinuxABI
import LinuxMemory

extension GuestThread {
    /// Body of the host thread: from here until the guest thread has ended. The process's first thread never returns
    /// from it. `prepare` is the first thing it does; signals are blocked then.
    func main(_ prepare: () -> Void = {}) {
        let stack = HostSignals.installAlternateStack()
        HostSignals.attach(mailbox)
        prepare()
        HostSignals.setMask(signalMask)
        startProfiling()
        run()
        HostSignals.setMask(.max)
        profiled?.stop()
        finish()
        let isLast = process.lock.withLock { () -> Bool in
            process.threads.removeAll { $0 === self }
            if isLeader { process.leaderStatus = exitStatus }
            return process.threads.isEmpty
        }
        if isLast { process.end(status: process.leaderStatus) }
        // From here on nothing of the guest's is touched, and the kernel chooses other threads for the process's signals.
        HostSignals.blockAll()
        passOnSignals()
        ThreadSlot.mailbox = nil
        HostSignals.releaseAlternateStack(stack)
        // The leader's host thread must not end the process by returning from main.
        if isLeader { while true { _ = kernel(SYS_exit, Int(exitStatus)) } }
    }

    /// Body of a child in its parent's memory: from here until it wants to execute a program, or ends. `refusal`: why the last one was
    /// not executed.
    func runInSharedMemory(after refusal: Int) -> SharedChildStep {
        if let execution {
            execution.undo()
            self.execution = nil
            finishSystemCall(refusal)
        }
        run()
        if let execution { return .execute(execution.call) }
        if runsBeside { finish() }
        return .end(status: exitStatus)
    }

    func run() {
        while !isFinished, execution == nil {
            if isSharedChild { openForSignals() }
            if mailbox.pointee.mustPassOn { passOnSignals() }
            if mailbox.pointee.signal != 0 { deliverPendingSignals() }
            if isSharedChild { HostSignals.setMask(.max) }
            interruptedCall = nil
            if isToStop { stop() }
            switch vcpu.run() {
            case .systemCall: systemCall()
            case .interrupted, .wait: break
            case .exception(let number): raiseException(number)
            case .memoryFault(let address, _, let kind): raiseFault(address, kind)
            case .outOfCodeMemory:
                writeStandardError(
                    "martlet: the code cache is too small to hold one instruction; -tb-size makes it larger\n")
                process.end(status: 1)
            case .debug: fatalError("a process's vCPU has stopped for a debugger, and there is none")
            }
        }
    }

    func systemCall() {
        let registers = process.registers.call, state = self.state
        func register(_ offset: Int) -> UInt64 { state.load(fromByteOffset: offset, as: UInt64.self) }
        let call =
            registers.arePlain
            ? SystemCallArguments(
                number: register(registers.number), register(registers.arguments[0]),
                register(registers.arguments[1]), register(registers.arguments[2]), register(registers.arguments[3]),
                register(registers.arguments[4]), register(registers.arguments[5]))
            : gatheredArguments()
        finishSystemCall(process.profile.map { performProfiled(call, $0) } ?? performSystemCall(self, call))
    }

    func finishSystemCall(_ result: Int) {
        switch result {
        case SystemCallResult.unchanged: break
        case SystemCallResult.restart: pc = pc &- process.guest.convention.instructionLength
        case SystemCallResult.interrupted:
            // Issue it again; a handler without SA_RESTART that runs first makes it fail with EINTR instead.
            pc = pc &- process.guest.convention.instructionLength
            if mailbox.pointee.signal != 0 {
                interruptedCall = pc
                deliverPendingSignals()
            }
        default:
            let registers = process.registers.call
            if !registers.arePlain { return storeResult(result) }
            state.storeBytes(of: result, toByteOffset: registers.result, as: Int.self)
        }
    }

    /// Arguments of registers of 32 bits, and those that have no register (MIPS o32). Where these cannot be read they are
    /// zero: the kernel fails then.
    @inline(never)
    private func gatheredArguments() -> SystemCallArguments {
        let registers = process.registers, mask = words.mask
        var values: [UInt64] = []
        for index in 0..<6 where registers.call.arguments[index] >= 0 {
            values.append(registers.load(state, registers.call.arguments[index]) & mask)
        }
        for offset in registers.stackArguments where values.count < 7 {
            values.append((try? loadWord(stackPointer &+ UInt64(offset))) ?? 0)
        }
        while values.count < 7 { values.append(0) }
        return SystemCallArguments(
            number: registers.load(state, registers.call.number) & mask, values[0], values[1], values[2], values[3],
            values[4], values[5], values[6])
    }

    /// The result in the ABI's numbers, and where a flag of its own tells an error.
    @inline(never)
    func storeResult(_ result: Int) {
        let registers = process.registers
        var value = result
        let failed = Errno.isFailure(result)
        if failed {
            value = 0 &- Int(process.guest.table.error(Errno(Int32(truncatingIfNeeded: 0 &- result))))
        }
        if let flag = registers.errorFlag {
            let old = registers.load(state, flag.register) & ~flag.clear
            registers.store(state, flag.register, failed ? old | flag.set : old)
            if failed { value = 0 &- value }
        }
        registers.store(state, registers.call.result, UInt64(bitPattern: Int64(value)))
    }

    private func raiseException(_ number: UInt32) {
        let row = process.guest.exceptions.first { $0.exception == number } ?? .illegalInstruction(number)
        raise(row.signal, code: row.code, address: pc)
    }

    private func raiseFault(_ address: UInt64, _ kind: MemoryFaultKind) {
        switch kind {
        case .unmapped: raise(SignalNumber.segv, code: 1, address: address)  // SEGV_MAPERR
        case .permission: raise(SignalNumber.segv, code: 2, address: address)  // SEGV_ACCERR
        case .misaligned: raise(SignalNumber.bus, code: 1, address: address)  // BUS_ADRALN
        case .bus: raise(SignalNumber.bus, code: 2, address: address)  // BUS_ADRERR
        }
    }

    /// What others may wait for when this thread ends: robust futexes, then the thread id word (set_tid_address(2)).
    func finish() {
        if robustList != 0 {
            RobustList(thread: self).walk(head: robustList)
            if words.areHosts { _ = kernel(SYS_set_robust_list, 0, 24) }
        }
        if clearChildTID != 0 {
            try? memory.storeWord(clearChildTID, 0)
            if (try? memory.checkRange(clearChildTID, 4)) != nil {
                Futex.wake(UInt64(UInt(bitPattern: memory.hostAddress(clearChildTID))), count: 1)
            }
        }
    }
}

extension GuestProcess {
    /// Ends the whole process.
    func end(status: Int32) -> Never {
        engine.saveTranslations()
        finishProfile()
        willExit()
        HostProcess.exitGroup(status)
    }
}

/// Marks the futexes that an ending thread holds (get_robust_list(2); Linux Documentation/locking/robust-futexes.rst).
/// The list is the guest's: every step is checked and their number is bounded.
struct RobustList {
    let thread: GuestThread
    private var memory: UserAddressSpace { thread.memory }
    private var tid: UInt32 { UInt32(bitPattern: thread.tid) }
    private var order: ByteOrder { thread.words.order }

    private static let waiters: UInt32 = 0x8000_0000, ownerDied: UInt32 = 0x4000_0000, tidMask: UInt32 = 0x3fff_ffff

    func walk(head: UInt64) {
        // struct robust_list_head: the first entry, the distance of a futex from its entry, an entry that is being changed.
        guard let words: InlineArray<3, UInt64> = try? thread.loadWords(head) else { return }
        var entry = words[0]
        let offset = thread.words.signed(words[1]), pending = words[2]
        for _ in 0..<2048 {
            if entry & ~1 == head { break }
            let next = try? thread.loadWord(entry & ~1)
            if entry & ~1 != pending & ~1 { release(entry, offset) }
            guard let next else { break }
            entry = next
        }
        if pending != 0 { release(pending, offset) }
    }

    private func release(_ entry: UInt64, _ offset: Int64) {
        let address = ((entry & ~1) &+ UInt64(bitPattern: offset)) & thread.words.mask
        guard address & 3 == 0, var seen = try? memory.loadWord(address) else { return }
        while order.swapping(seen) & Self.tidMask == tid {
            let waiters = order.swapping(seen) & Self.waiters
            let new = order.swapping(waiters | Self.ownerDied)
            guard let now = try? memory.compareExchangeWord(address, expected: seen, desired: new) else { return }
            if now == seen {
                if waiters != 0 { Futex.wake(UInt64(UInt(bitPattern: memory.hostAddress(address)))) }
                return
            }
            seen = now
        }
    }
}
