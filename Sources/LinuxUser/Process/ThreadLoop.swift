// The life of a guest thread: run translated code, serve what it asks for, deliver signals, end.

import CLinux
import ExecutionEngine
import GuestMemory
import HostOS

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
            case .interrupted: break
            case .breakpoint: raise(SignalNumber.trap, code: 1, address: pc)  // TRAP_BRKPT
            case .illegalInstruction: raise(SignalNumber.ill, code: 1, address: pc)  // ILL_ILLOPC
            case .memoryFault(let address, _, let kind): raiseFault(address, kind)
            case .outOfCodeMemory:
                writeStandardError(
                    "martlet: the code cache is too small to hold one instruction; -tb-size makes it larger\n")
                process.end(status: 1)
            }
        }
    }

    private func systemCall() {
        let registers = process.registers, state = self.state
        var call = SystemCallArguments(
            number: loadRegister(state, registers.systemCallNumber), loadRegister(state, registers.arguments[0]),
            loadRegister(state, registers.arguments[1]), loadRegister(state, registers.arguments[2]),
            loadRegister(state, registers.arguments[3]), loadRegister(state, registers.arguments[4]),
            loadRegister(state, registers.arguments[5]))
        if registers.hasStackArguments { call = withStackArguments(call) }
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
            if process.registers.errorFlag != nil { return storeFlagged(result) }
            storeRegister(state, process.registers.result, UInt64(bitPattern: Int64(result)))
        }
    }

    /// Arguments that have no register (MIPS o32). Where they cannot be read they are zero: the kernel fails then.
    @inline(never)
    private func withStackArguments(_ call: SystemCallArguments) -> SystemCallArguments {
        let registers = process.registers
        var words = [call.a0, call.a1, call.a2, call.a3, call.a4, call.a5, call.a6]
        var next = registers.arguments.firstIndex(of: -1) ?? 6
        let stack = loadRegister(state, registers.stackPointer), order = process.guest.table.order
        for offset in registers.stackArguments where next < words.count {
            let word = (try? memory.read(stack &+ UInt64(offset), as: UInt32.self)) ?? 0
            words[next] = UInt64(order == .big ? word.byteSwapped : word)
            next += 1
        }
        return SystemCallArguments(
            number: call.number, words[0], words[1], words[2], words[3], words[4], words[5], words[6])
    }

    /// The result where a flag of its own tells an error, and its number in the ABI is the result.
    @inline(never)
    private func storeFlagged(_ result: Int) {
        guard let flag = process.registers.errorFlag else { return }
        let failed = result < 0 && result >= -4095
        let old = loadRegister(state, flag.register) & ~flag.clear
        storeRegister(state, flag.register, failed ? old | flag.set : old)
        let value = failed ? 0 &- result : result
        storeRegister(state, process.registers.result, UInt64(bitPattern: Int64(value)))
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
            RobustList(memory: memory, tid: UInt32(bitPattern: tid)).walk(head: robustList)
            _ = kernel(SYS_set_robust_list, 0, 24)
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
    let memory: UserAddressSpace
    let tid: UInt32

    private static let waiters: UInt32 = 0x8000_0000, ownerDied: UInt32 = 0x4000_0000, tidMask: UInt32 = 0x3fff_ffff

    func walk(head: UInt64) {
        guard var entry = try? memory.read(head, as: UInt64.self),
            let offset = try? memory.read(head &+ 8, as: Int64.self),
            let pending = try? memory.read(head &+ 16, as: UInt64.self)
        else { return }
        for _ in 0..<2048 {
            if entry & ~1 == head { break }
            let next = try? memory.read(entry & ~1, as: UInt64.self)
            if entry & ~1 != pending & ~1 { release(entry, offset) }
            guard let next else { break }
            entry = next
        }
        if pending != 0 { release(pending, offset) }
    }

    private func release(_ entry: UInt64, _ offset: Int64) {
        let address = (entry & ~1) &+ UInt64(bitPattern: offset)
        guard address & 3 == 0, var seen = try? memory.loadWord(address) else { return }
        while seen & Self.tidMask == tid {
            let new = (seen & Self.waiters) | Self.ownerDied
            guard let now = try? memory.compareExchangeWord(address, expected: seen, desired: new) else { return }
            if now == seen {
                if seen & Self.waiters != 0 { Futex.wake(UInt64(UInt(bitPattern: memory.hostAddress(address)))) }
                return
            }
            seen = now
        }
    }
}
