// From a recorded host signal or a guest fault to the guest's handler, and back.
//
// The host keeps pending and blocked signals: the host thread's mask is the guest's, so only signals that the guest
// may take now are ever recorded, one at a time (HostSignals). Fault signals that a process sends are the exception
// (PendingSignals). Signals that the guest does not catch keep the host's
// own disposition and act on the process exactly as they would natively.

import CLinux
import HostOS
import LinuxABI
import LinuxMemory

extension GuestThread {
    /// Delivers the recorded signal, and those that the kernel lets through once it is gone.
    func deliverPendingSignals() {
        vcpu.setActivity(.signal)
        defer { vcpu.setActivity(.engine) }
        while mailbox.pointee.signal != 0 {
            let information = SignalInfo(words: mailbox.pointee.info)
            mailbox.pointee.signal = 0
            deliver(information)
            // Opens the door again: a further pending signal is recorded here.
            HostSignals.setMask(signalMask)
        }
        handlerBaseMask = nil
        interruptedCall = nil
    }

    private func deliver(_ information: SignalInfo) {
        let signal = information.signal
        guard signal >= 1, signal <= SignalNumber.count else { return }
        let action = withActions { $0[Int(signal)] }
        logInterrupt { "signal \(signal) at pc 0x\(String(self.pc, radix: 16))" }
        switch action.handler {
        case SignalAction.ignore: return
        case SignalAction.byDefault:
            // The guest changed its mind after the host had recorded the signal, or it is a fault signal sent by a
            // process.
            if HostSignals.bit(signal) & SignalNumber.ignoredByDefault != 0 { return }
            if HostSignals.bit(signal) & SignalNumber.stopsByDefault != 0, recordsAlways(signal) {
                _ = kernel(SYS_kill, Int(HostProcess.processID), Int(SignalNumber.stop))
                return
            }
            if HostSignals.bit(signal) & HostSignals.faultSignals != 0, !action.isSet, HostSignals.isIgnored(signal) {
                return
            }
            if HostSignals.bit(signal) & HostSignals.ownSignals != 0 || catchesDefault(of: signal) {
                die(by: information)
            }
            HostSignals.setMask(signalMask)
            _ = kernel(SYS_tgkill, Int(HostProcess.processID), Int(tid), Int(signal))
        default: enter(action, information)
        }
    }

    /// A fault of the guest's current instruction: cannot be blocked or ignored.
    func raise(_ signal: Int32, code: Int32, address: UInt64) {
        logInterrupt {
            "fault: signal \(signal) code \(code) address 0x\(String(address, radix: 16)) "
                + "pc 0x\(String(self.pc, radix: 16))"
        }
        raise(SignalInfo(signal: signal, code: code, address: address))
    }

    func raise(_ information: SignalInfo) {
        let signal = information.signal, action = withActions { $0[Int(signal)] }
        if action.handler <= SignalAction.ignore || signalMask & HostSignals.bit(signal) != 0 {
            die(by: information)
        }
        enter(action, information)
        openForSignals()
    }

    /// Makes the guest run `action`'s handler next.
    private func enter(_ action: SignalAction, _ information: SignalInfo) {
        let signal = information.signal
        process.profile?.countSignal()
        if let call = interruptedCall {
            // The call has done nothing: it is issued again after the handler, or fails.
            if action.flags & SignalAction.restart == 0 {
                pc = call &+ process.guest.convention.instructionLength
                storeResult(Errno.intr.negated)
            }
            interruptedCall = nil
        }
        let layout = frameLayout
        let old = stackPointer
        var top = old
        let onStack = action.flags & SignalAction.onStack != 0 && alternateStack.size > 0
        if onStack && !alternateStack.contains(old) { top = alternateStack.base &+ alternateStack.size }
        let frame = (top &- UInt64(layout.size)) & ~15
        // A frame that would leave the alternate stack, or cannot be written, is a fatal fault.
        var fits = !(onStack && alternateStack.contains(old) && !alternateStack.contains(frame))
        if fits {
            fits = withUnsafeTemporaryAllocation(byteCount: layout.size, alignment: 16) { buffer in
                buffer.initializeMemory(as: UInt8.self, repeating: 0)
                guard let base = buffer.baseAddress else { return false }
                process.signalInfo.toGuest(information, base + layout.info)
                storeStack(base + layout.stack, at: old)
                storeMask(signalMask, base + layout.mask)
                saveRegisters(base)
                do throws(Errno) { try memory.writeBytes(frame, UnsafeRawBufferPointer(buffer)) } catch { return false }
                return true
            }
        }
        guard fits else {
            die(by: SignalInfo(signal: SignalNumber.segv, code: SignalInfo.byKernel, address: 0))
        }
        if alternateStack.flags & AlternateStack.autoDisarm != 0 && onStack { alternateStack = AlternateStack() }
        let registers = process.registers
        let arguments = [
            UInt64(UInt32(bitPattern: process.guest.table.signal(signal))), frame &+ UInt64(layout.info),
            frame &+ UInt64(layout.context),
        ]
        for (index, value) in arguments.enumerated() {
            registers.store(state, registers.call.arguments[index], value)
        }
        registers.store(state, registers.returnAddress, process.signalTrampoline)
        stackPointer = frame
        pc = action.handler
        var mask = (handlerBaseMask ?? signalMask) | action.mask
        handlerBaseMask = nil
        if action.flags & SignalAction.noDefer == 0 { mask |= HostSignals.bit(signal) }
        signalMask = mask & ~SignalNumber.untouchable
        if action.flags & SignalAction.resetHandler != 0 { resetAction(signal) }
    }

    /// stack_t as sigaltstack(2) shows it: a pointer, an int, a long.
    func storeStack(_ target: UnsafeMutableRawPointer, at stackPointer: UInt64) {
        var flags = alternateStack.flags
        if alternateStack.size == 0 {
            flags |= AlternateStack.disabled
        } else if alternateStack.contains(stackPointer) {
            flags |= AlternateStack.inUse
        }
        let layout = process.guest.alternateStack
        layout.store(alternateStack.base, FieldIndex.sigaltstack.ss_sp, target)
        layout.store(UInt64(UInt32(bitPattern: flags)), FieldIndex.sigaltstack.ss_flags, target)
        layout.store(alternateStack.size, FieldIndex.sigaltstack.ss_size, target)
    }

    /// The alternate stack that a stack_t says, and its other flags.
    func loadStack(_ source: UnsafeRawPointer) -> (stack: AlternateStack, flags: Int32) {
        let layout = process.guest.alternateStack
        let flags = Int32(truncatingIfNeeded: layout.load(FieldIndex.sigaltstack.ss_flags, source))
        let stack = AlternateStack(
            base: layout.load(FieldIndex.sigaltstack.ss_sp, source),
            size: layout.load(FieldIndex.sigaltstack.ss_size, source), flags: flags & AlternateStack.autoDisarm)
        return (stack, flags & ~AlternateStack.autoDisarm)
    }

    /// A set of signals in the ABI's numbers.
    func storeMask(_ mask: UInt64, _ target: UnsafeMutableRawPointer) {
        words.storeSignals(process.guest.table.signals(mask), target)
    }

    func loadMask(_ source: UnsafeRawPointer) -> UInt64 {
        process.guest.table.hostSignals(words.loadSignals(source)) & ~SignalNumber.untouchable
    }

    /// rt_sigreturn(2).
    func returnFromSignal() {
        let frame = stackPointer, layout = frameLayout
        let ok = withUnsafeTemporaryAllocation(byteCount: layout.size, alignment: 16) { buffer in
            do throws(Errno) { try memory.readBytes(frame, into: buffer) } catch { return false }
            guard let base = buffer.baseAddress else { return false }
            signalMask = loadMask(base + layout.mask)
            restoreRegisters(base)
            let (stack, flags) = loadStack(base + layout.stack)
            alternateStack = flags & AlternateStack.disabled != 0 ? AlternateStack() : stack
            return true
        }
        guard ok else { return raise(SignalNumber.segv, code: 1, address: frame) }
        openForSignals()
    }

    private func logInterrupt(_ text: () -> String) {
        if process.diagnostics.isEnabled(.interrupts) { process.diagnostics.write("[\(tid)] \(text())\n") }
    }
}

extension GuestThread {
    /// SA_RESETHAND: the action's mask and flags stay.
    private func resetAction(_ signal: Int32) {
        let flags = withActions { actions in
            actions[Int(signal)].handler = SignalAction.byDefault
            return actions[Int(signal)].flags
        }
        setDisposition(of: signal, SignalAction.byDefault, flags: flags)
    }
}

extension GuestThread {
    /// Gives the process's signals that this thread does not take to a thread that does.
    func passOnSignals() {
        mailbox.pointee.mustPassOn = false
        if isSharedChild || runsBeside { return }  // the only thread
        let waiting = process.pendingSignals.pointee.signals
        guard waiting != 0 else { return }
        process.lock.withLock {
            for thread in process.threads where thread !== self && thread.tid != 0 {
                let other = thread.mailbox
                let taken = waiting & (~other.pointee.blocked | other.pointee.awaited)
                if taken != 0 { HostSignals.passOn(taken, from: process.pendingSignals, to: thread.tid) }
            }
        }
    }

    /// A call that waits with a signal mask of its own. `body` gets the mask's address. A signal that only this mask lets through ends
    /// the call, also one that comes just before it; a handler that interrupts it starts from this mask.
    func waiting(with mask: UInt64, _ body: (_ mask: Int) -> Int) -> Int {
        waitMask = mask
        HostSignals.setOwnMask(mask)
        let result = withUnsafePointer(to: mask) { body(Int(bitPattern: $0)) }
        waitMask = nil
        let came = mailbox.pointee.signal
        if came == 0 { HostSignals.setOwnMask(isSharedChild ? .max : signalMask) }
        let isOnlyHere = came != 0 && signalMask & HostSignals.bit(came) != 0
        guard result == Errno.intr.negated || result == SystemCallResult.restart && isOnlyHere else { return result }
        handlerBaseMask = mask
        return Errno.intr.negated
    }
}

extension GuestProcess {
    /// Last words before a fatal signal.
    func willDie(by signal: Int32, thread: GuestThread) {
        engine.saveTranslations()
        finishProfile()
        if diagnostics.isEnabled(.interrupts) { diagnostics.write("[\(thread.tid)] dies by signal \(signal)\n") }
    }
}
