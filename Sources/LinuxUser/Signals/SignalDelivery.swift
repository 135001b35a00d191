// From a recorded host signal or a guest fault to the guest's handler, and back.
//
// The host keeps pending and blocked signals: the host thread's mask is the guest's, so only signals that the guest
// may take now are ever recorded, one at a time (HostSignals). Fault signals that a process sends are the exception
// (PendingSignals). Signals that the guest does not catch keep the host's
// own disposition and act on the process exactly as they would natively.

import CLinux
import GuestMemory
import HostOS

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
                storeRegister(state, process.registers.result, UInt64(bitPattern: Int64(Errno.intr.negated)))
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
                for index in 0..<16 {
                    buffer.storeBytes(of: information.words[index], toByteOffset: 8 * index, as: UInt64.self)
                }
                storeStack(buffer, layout.stack, at: old)
                buffer.storeBytes(of: signalMask, toByteOffset: layout.mask, as: UInt64.self)
                saveRegisters(buffer)
                do throws(Errno) { try memory.writeBytes(frame, UnsafeRawBufferPointer(buffer)) } catch { return false }
                return true
            }
        }
        guard fits else {
            let byKernel: Int32 = 0x80  // SI_KERNEL
            die(by: SignalInfo(signal: SignalNumber.segv, code: byKernel, address: 0))
        }
        if alternateStack.flags & AlternateStack.autoDisarm != 0 && onStack { alternateStack = AlternateStack() }
        let registers = process.registers
        storeRegister(state, registers.arguments[0], UInt64(UInt32(bitPattern: signal)))
        storeRegister(state, registers.arguments[1], frame &+ UInt64(layout.info))
        storeRegister(state, registers.arguments[2], frame &+ UInt64(layout.context))
        storeRegister(state, registers.returnAddress, process.signalTrampoline)
        stackPointer = frame
        pc = action.handler
        var mask = (handlerBaseMask ?? signalMask) | action.mask
        handlerBaseMask = nil
        if action.flags & SignalAction.noDefer == 0 { mask |= HostSignals.bit(signal) }
        signalMask = mask & ~SignalNumber.untouchable
        if action.flags & SignalAction.resetHandler != 0 { resetAction(signal) }
    }

    /// stack_t as sigaltstack(2) shows it.
    func storeStack(_ buffer: UnsafeMutableRawBufferPointer, _ offset: Int, at stackPointer: UInt64) {
        let disabled: Int32 = 2, inUse: Int32 = 1
        var flags = alternateStack.flags
        if alternateStack.size == 0 {
            flags |= disabled
        } else if alternateStack.contains(stackPointer) {
            flags |= inUse
        }
        buffer.storeBytes(of: alternateStack.base, toByteOffset: offset, as: UInt64.self)
        buffer.storeBytes(of: flags, toByteOffset: offset + 8, as: Int32.self)
        buffer.storeBytes(of: alternateStack.size, toByteOffset: offset + 16, as: UInt64.self)
    }

    /// rt_sigreturn(2).
    func returnFromSignal() {
        let frame = stackPointer, layout = frameLayout
        let ok = withUnsafeTemporaryAllocation(byteCount: layout.size, alignment: 16) { buffer in
            do throws(Errno) { try memory.readBytes(frame, into: buffer) } catch { return false }
            signalMask =
                buffer.loadUnaligned(fromByteOffset: layout.mask, as: UInt64.self) & ~SignalNumber.untouchable
            restoreRegisters(UnsafeRawBufferPointer(buffer))
            let base = buffer.loadUnaligned(fromByteOffset: layout.stack, as: UInt64.self)
            let flags = buffer.loadUnaligned(fromByteOffset: layout.stack + 8, as: Int32.self)
            let size = buffer.loadUnaligned(fromByteOffset: layout.stack + 16, as: UInt64.self)
            if flags & 2 != 0 {
                alternateStack = AlternateStack()
            } else {
                alternateStack = AlternateStack(base: base, size: size, flags: flags & AlternateStack.autoDisarm)
            }
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
