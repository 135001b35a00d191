// System calls on signals. Masks and pending sets live in the host kernel; dispositions are kept here and mirrored
// there.

import CLinux
import HostOS
import LinuxABI
import LinuxMemory

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
        let conversion = thread.process.signalInfo
        if target != thread.tid, conversion.isIdentical {
            return send(thread.input(address, UInt64(SignalInfoConversion.size)))
        }
        let bytes = try thread.memory.readBytes(address, count: SignalInfoConversion.size)
        let given = conversion.toHost(bytes).words
        let words = target == thread.tid ? HostSignals.sentWords(given) : given
        return withUnsafePointer(to: words) { send(Int(bitPattern: $0)) }
    }

    /// rt_sigaction(2).
    static func sigaction(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let signal = call.int32(0), layout = thread.process.guest.signalAction
        guard call.a3 == UInt64(layout.maskSize) else { throw .inval }
        var new: SignalAction?
        if call.a1 != 0 {
            var action = SignalAction(isSet: true)
            action.handler = try thread.loadWord(call.a1 &+ UInt64(layout.handler))
            action.flags = thread.hostFlags(try thread.loadFlags(call.a1 &+ UInt64(layout.flags), layout.flagsSize))
            action.mask = try thread.loadSignals(call.a1 &+ UInt64(layout.mask)) & ~SignalNumber.untouchable
            if let restorer = layout.restorer {
                action.restorer = try thread.loadWord(call.a1 &+ UInt64(restorer))
            }
            new = action
        }
        guard signal >= 1, signal <= SignalNumber.count else { throw .inval }
        guard new == nil || HostSignals.bit(signal) & SignalNumber.untouchable == 0 else { throw .inval }
        let old = thread.exchangeAction(signal, new)
        if call.a2 != 0 {
            try thread.storeWord(call.a2 &+ UInt64(layout.handler), old.handler)
            try thread.storeFlags(call.a2 &+ UInt64(layout.flags), thread.guestFlags(old.flags), layout.flagsSize)
            try thread.storeSignals(call.a2 &+ UInt64(layout.mask), old.mask)
            if let restorer = layout.restorer { try thread.storeWord(call.a2 &+ UInt64(restorer), old.restorer) }
        }
        return 0
    }

    /// rt_sigprocmask(2).
    static func sigprocmask(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a3 == thread.signalSetSize else { throw .inval }
        let old = thread.signalMask
        if call.a1 != 0 {
            let set = try thread.loadSignals(call.a1)
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
        if call.a2 != 0 { try thread.storeSignals(call.a2, old) }
        return 0
    }

    /// rt_sigpending(2): the recorded signal has not been delivered yet, but the guest could not see it as pending
    /// natively either, since it is not blocked.
    static func sigpending(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a1 <= thread.signalSetSize else { throw .inval }
        var set: UInt64 = 0
        let result = withUnsafeMutablePointer(to: &set) { kernel(SYS_rt_sigpending, Int(bitPattern: $0), 8) }
        if result != 0 { return result }
        set |= thread.mailbox.pointee.waiting & thread.signalMask
        try thread.storeSignals(call.a0, set, count: Int(call.a1))
        return 0
    }

    /// rt_sigsuspend(2).
    static func sigsuspend(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a1 == thread.signalSetSize else { throw .inval }
        let mask = try thread.loadSignals(call.a0) & ~SignalNumber.untouchable
        let result = thread.waiting(with: mask) { thread.blocking(SYS_rt_sigsuspend, $0, 8) }
        // A signal that came just before ends the call as well; it is never restarted after a handler.
        guard result == SystemCallResult.restart, thread.mailbox.pointee.signal != 0 else { return result }
        thread.handlerBaseMask = mask
        throw .intr
    }

    /// rt_sigtimedwait(2).
    static func sigtimedwait(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a3 == thread.signalSetSize else { throw .inval }
        let wanted = try thread.loadSignals(call.a0), own = wanted & HostSignals.ownSignals
        let timeout = thread.optionalInput(call.a2, .timespec)
        let result = try withSignalInfo(thread, call.a1) { information in
            withUnsafePointer(to: wanted) {
                let set = Int(bitPattern: $0)
                if own == 0 { return thread.blocking(SYS_rt_sigtimedwait, set, information, timeout, 8) }
                thread.mailbox.pointee.awaited = own
                defer { thread.mailbox.pointee.awaited = 0 }
                return HostSignals.lend(alsoBlocked: own) {
                    thread.blocking(SYS_rt_sigtimedwait, set, information, timeout, 8)
                }
            }
        }
        return result > 0 ? Int(thread.process.guest.table.signal(Int32(truncatingIfNeeded: result))) : result
    }

    /// A call that tells about a signal in a siginfo_t at `address`, which may be null; `body` gets the host's form.
    static func withSignalInfo(
        _ thread: GuestThread, _ address: UInt64, _ body: (_ information: Int) -> Int
    ) throws(Errno) -> Int {
        let conversion = thread.process.signalInfo
        if address == 0 || conversion.isIdentical {
            return body(thread.optionalOutput(address, UInt64(SignalInfoConversion.size)))
        }
        guard thread.memory.allows(.write, at: address, length: UInt64(SignalInfoConversion.size)) else {
            return body(GuestThread.unusablePointer)
        }
        var words = InlineArray<16, UInt64>(repeating: 0)
        let result = withUnsafeMutablePointer(to: &words) { body(Int(bitPattern: $0)) }
        if result < 0 { return result }
        var bytes = [UInt8](repeating: 0, count: SignalInfoConversion.size)
        conversion.toGuest(SignalInfo(words: words), &bytes)
        try thread.memory.writeBytes(address, bytes)
        return result
    }

    /// rt_sigreturn(2).
    static func sigreturn(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        thread.returnFromSignal()
        return SystemCallResult.unchanged
    }

    /// sigaltstack(2).
    static func sigaltstack(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let old = thread.alternateStack, stackPointer = thread.stackPointer
        let size = thread.process.guest.alternateStack.size
        var new: AlternateStack?
        if call.a0 != 0 {
            let bytes = try thread.memory.readBytes(call.a0, count: size)
            let (stack, flags) = thread.loadStack(bytes)
            if old.flags & AlternateStack.autoDisarm == 0 && old.contains(stackPointer) { throw .perm }
            switch flags {
            case AlternateStack.disabled: new = AlternateStack()
            case 0, AlternateStack.inUse:
                guard stack.size >= 2048 else { throw .nomem }  // MINSIGSTKSZ
                new = stack
            default: throw .inval
            }
        }
        if call.a1 != 0 {
            var bytes = [UInt8](repeating: 0, count: size)
            thread.storeStack(&bytes, at: stackPointer)
            try thread.memory.writeBytes(call.a1, bytes)
        }
        if let new { thread.alternateStack = new }
        return 0
    }
}

extension GuestThread {
    /// Bytes of a set of signals, which calls are told.
    var signalSetSize: UInt64 { UInt64(process.guest.signalAction.maskSize) }

    /// A set of signals in the guest's memory, in the host's numbers.
    func loadSignals(_ address: UInt64) throws(Errno) -> UInt64 {
        if words.areHosts { return process.guest.table.hostSignals(try memory.read(address, as: UInt64.self)) }
        return try withScratch(8) { (buffer) throws(Errno) in
            try memory.readBytes(address, into: buffer)
            guard let base = buffer.baseAddress else { return 0 }
            return process.guest.table.hostSignals(words.loadSignals(base))
        }
    }

    /// Stores the first `count` bytes of a set of the ABI's size.
    func storeSignals(_ address: UInt64, _ set: UInt64, count: Int? = nil) throws(Errno) {
        let size = process.guest.signalAction.maskSize
        try withScratch(max(size, 8)) { (buffer) throws(Errno) in
            if let base = buffer.baseAddress { words.storeSignals(process.guest.table.signals(set), base) }
            try memory.writeBytes(address, UnsafeRawBufferPointer(rebasing: buffer[..<min(count ?? size, size)]))
        }
    }

    /// sa_flags, which some ABIs have in an int.
    fileprivate func loadFlags(_ address: UInt64, _ size: Int) throws(Errno) -> UInt64 {
        size == 8 ? try load(address, as: UInt64.self) : UInt64(try load(address, as: UInt32.self))
    }

    fileprivate func storeFlags(_ address: UInt64, _ flags: UInt64, _ size: Int) throws(Errno) {
        if size == 8 { try store(address, flags) } else { try store(address, UInt32(truncatingIfNeeded: flags)) }
    }

    fileprivate func hostFlags(_ flags: UInt64) -> UInt64 {
        let table = process.guest.table
        return table.isHosts(.sigaction) ? flags : UInt64(table.toHost(UInt32(truncatingIfNeeded: flags), .sigaction))
    }

    fileprivate func guestFlags(_ flags: UInt64) -> UInt64 {
        let table = process.guest.table
        return table.isHosts(.sigaction) ? flags : UInt64(table.fromHost(UInt32(truncatingIfNeeded: flags), .sigaction))
    }

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
