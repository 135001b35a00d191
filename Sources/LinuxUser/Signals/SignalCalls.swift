// System calls on signals. Masks and pending sets live in the host kernel; dispositions are kept here and mirrored
// there.

import CLinux
import GuestMemory
import HostOS
import LinuxABI

enum SignalCalls {
    // Process and thread ids are the host's, and so is the act of sending.

    static func kill(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        kernel(SYS_kill, Int(call.int32(0)), Int(call.int32(1)))
    }

    static func tkill(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        kernel(SYS_tkill, Int(call.int32(0)), Int(call.int32(1)))
    }

    static func tgkill(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        kernel(SYS_tgkill, Int(call.int32(0)), Int(call.int32(1)), Int(call.int32(2)))
    }

    static func sigqueueinfo(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try withInformation(thread, call.a2, for: call.int32(0)) {
            kernel(SYS_rt_sigqueueinfo, Int(call.int32(0)), Int(call.int32(1)), $0)
        }
    }

    static func tgsigqueueinfo(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try withInformation(thread, call.a3, for: call.int32(1)) {
            kernel(SYS_rt_tgsigqueueinfo, Int(call.int32(0)), Int(call.int32(1)), Int(call.int32(2)), $0)
        }
    }

    /// A siginfo_t for `target`. A thread may send itself any.
    private static func withInformation(
        _ thread: GuestThread, _ address: UInt64, for target: Int32, _ send: (Int) -> Int
    ) throws(Errno) -> Int {
        let pointer = thread.input(address, 128)
        guard target == thread.tid else { return send(pointer) }
        let words = HostSignals.sentWords(try thread.memory.read(address, as: SignalWords.self))
        return withUnsafePointer(to: words) { send(Int(bitPattern: $0)) }
    }

    /// rt_sigaction(2).
    static func sigaction(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let signal = call.int32(0), layout = thread.process.guest.signalAction
        guard call.a3 == 8 else { throw .inval }
        var new: SignalAction?
        if call.a1 != 0 {
            var action = SignalAction(isSet: true)
            action.handler = try thread.memory.read(call.a1 &+ UInt64(layout.handler), as: UInt64.self)
            action.flags = try thread.memory.read(call.a1 &+ UInt64(layout.flags), as: UInt64.self)
            action.mask = try thread.memory.read(call.a1 &+ UInt64(layout.mask), as: UInt64.self)
            if let restorer = layout.restorer {
                action.restorer = try thread.memory.read(call.a1 &+ UInt64(restorer), as: UInt64.self)
            }
            action.mask &= ~SignalNumber.untouchable
            new = action
        }
        guard signal >= 1, signal <= SignalNumber.count else { throw .inval }
        guard new == nil || HostSignals.bit(signal) & SignalNumber.untouchable == 0 else { throw .inval }
        let old = thread.exchangeAction(signal, new)
        if call.a2 != 0 {
            try thread.memory.write(call.a2 &+ UInt64(layout.handler), old.handler)
            try thread.memory.write(call.a2 &+ UInt64(layout.flags), old.flags)
            try thread.memory.write(call.a2 &+ UInt64(layout.mask), old.mask)
            if let restorer = layout.restorer { try thread.memory.write(call.a2 &+ UInt64(restorer), old.restorer) }
        }
        return 0
    }

    /// rt_sigprocmask(2).
    static func sigprocmask(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a3 == 8 else { throw .inval }
        let old = thread.signalMask
        if call.a1 != 0 {
            let set = try thread.memory.read(call.a1, as: UInt64.self)
            let new: UInt64
            switch call.int32(0) {
            case 0: new = old | set  // SIG_BLOCK
            case 1: new = old & ~set  // SIG_UNBLOCK
            case 2: new = set  // SIG_SETMASK
            default: throw .inval
            }
            thread.signalMask = new & ~SignalNumber.untouchable
            // While a recorded signal waits, everything stays blocked; delivery sets the mask.
            if thread.mailbox.pointee.signal == 0 && thread.signalMask != old { HostSignals.setMask(thread.signalMask) }
        }
        if call.a2 != 0 { try thread.memory.write(call.a2, old) }
        return 0
    }

    /// rt_sigpending(2): the recorded signal has not been delivered yet, but the guest could not see it as pending
    /// natively either, since it is not blocked.
    static func sigpending(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a1 <= 8 else { throw .inval }
        let result = kernel(SYS_rt_sigpending, thread.output(call.a0, call.a1), Int(call.a1))
        let ours = thread.mailbox.pointee.waiting & thread.signalMask
        if result != 0 || ours == 0 || call.a1 == 0 { return result }
        // These are in the first two bytes, and in the last.
        var set = ours
        try withUnsafeMutableBytes(of: &set) { (bytes) throws(Errno) in
            for index in 0..<Int(call.a1) where bytes[index] != 0 {
                let at = call.a0 &+ UInt64(index)
                try thread.store(at, try thread.load(at, as: UInt8.self) | bytes[index])
            }
        }
        return 0
    }

    /// rt_sigsuspend(2).
    static func sigsuspend(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a1 == 8 else { throw .inval }
        let mask = try thread.memory.read(call.a0, as: UInt64.self) & ~SignalNumber.untouchable
        let result = thread.waiting(with: mask) { thread.blocking(SYS_rt_sigsuspend, $0, 8) }
        // A signal that came just before ends the call as well; it is never restarted after a handler.
        guard result == SystemCallResult.restart, thread.mailbox.pointee.signal != 0 else { return result }
        thread.handlerBaseMask = mask
        throw .intr
    }

    /// rt_sigtimedwait(2).
    static func sigtimedwait(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a3 == 8 else { throw .inval }
        let own = try thread.load(call.a0, as: UInt64.self) & HostSignals.ownSignals
        let set = thread.input(call.a0, 8)
        let information = thread.optionalOutput(call.a1, 128)
        let timeout = thread.optionalInput(call.a2, 16)
        if own == 0 { return thread.blocking(SYS_rt_sigtimedwait, set, information, timeout, 8) }
        thread.mailbox.pointee.awaited = own
        defer { thread.mailbox.pointee.awaited = 0 }
        return HostSignals.lend(alsoBlocked: own) {
            thread.blocking(SYS_rt_sigtimedwait, set, information, timeout, 8)
        }
    }

    /// rt_sigreturn(2).
    static func sigreturn(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        thread.returnFromSignal()
        return SystemCallResult.unchanged
    }

    /// sigaltstack(2).
    static func sigaltstack(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let old = thread.alternateStack, stackPointer = thread.stackPointer
        var new: AlternateStack?
        if call.a0 != 0 {
            let base = try thread.memory.read(call.a0, as: UInt64.self)
            let flags = try thread.memory.read(call.a0 &+ 8, as: Int32.self)
            let size = try thread.memory.read(call.a0 &+ 16, as: UInt64.self)
            if old.flags & AlternateStack.autoDisarm == 0 && old.contains(stackPointer) { throw .perm }
            switch flags & ~AlternateStack.autoDisarm {
            case 2: new = AlternateStack()  // SS_DISABLE
            case 0, 1:
                guard size >= 2048 else { throw .nomem }  // MINSIGSTKSZ
                new = AlternateStack(base: base, size: size, flags: flags & AlternateStack.autoDisarm)
            default: throw .inval
            }
        }
        if call.a1 != 0 {
            let bytes = withUnsafeTemporaryAllocation(byteCount: 24, alignment: 8) { buffer -> [UInt8] in
                buffer.initializeMemory(as: UInt8.self, repeating: 0)
                thread.storeStack(buffer, 0, at: stackPointer)
                return Array(buffer)
            }
            try thread.memory.writeBytes(call.a1, bytes)
        }
        if let new { thread.alternateStack = new }
        return 0
    }
}

extension GuestThread {
    /// The dispositions of signals that count for this thread, under the lock that they need.
    func withActions<R>(_ body: (inout [SignalAction]) -> R) -> R {
        if ownActions != nil { return body(&ownActions!) }
        return process.lock.withLock { body(&process.actions) }
    }

    /// Reads and, when `new` is given, replaces the disposition of a signal, here and on the host.
    func exchangeAction(_ signal: Int32, _ new: SignalAction?) -> SignalAction {
        withActions { actions in
            var old = actions[Int(signal)]
            if !old.isSet && HostSignals.isIgnored(signal) { old.handler = SignalAction.ignore }
            guard let new else { return old }
            actions[Int(signal)] = new
            setDisposition(of: signal, new.handler, flags: new.flags)
            return old
        }
    }

    /// Those of the signals that bring memory faults that the guest ignores.
    var ignoredFaultSignals: UInt64 {
        withActions { actions in
            [SignalNumber.segv, SignalNumber.bus].reduce(0) { set, signal in
                let action = actions[Int(signal)]
                let isIgnored = action.isSet ? action.handler == SignalAction.ignore : HostSignals.isIgnored(signal)
                return isIgnored ? set | HostSignals.bit(signal) : set
            }
        }
    }

    /// Makes the host do what a new action of the guest asks for.
    func setDisposition(of signal: Int32, _ handler: UInt64, flags: UInt64) {
        let flags = flags & (SignalAction.noChildStop | SignalAction.noChildWait)
        switch handler {
        case SignalAction.byDefault:
            HostSignals.set(signal, catchesDefault(of: signal) ? .record : .byDefault, flags: flags)
        case SignalAction.ignore:
            HostSignals.set(signal, recordsAlways(signal) ? .record : .ignore, flags: flags)
            // Those that wait are forgotten: the kernel does that with its own.
            mailbox.pointee.pending.discard(HostSignals.bit(signal))
            mailbox.pointee.shared?.pointee.discard(HostSignals.bit(signal))
        default: HostSignals.set(signal, .record, flags: flags)
        }
    }
}
