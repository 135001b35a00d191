// Host signals: dispositions, masks, alternate stacks, and the two handlers of the process.
//
// Memory faults go, in order, to the machine-code stubs, to the registered code-fault handler (the engine's), and else
// end the process as an internal error. (What a process sent of these signals: `PendingSignals`.) Every other caught signal is only
// *recorded* in the thread's mailbox: the
// handler blocks all further signals of that thread on return, sets the thread's request flag, and cancels a system
// call that has not started. The thread's own loop empties the mailbox and sets the mask again, so at most one signal
// is recorded at a time and the kernel queues the rest.
//
// This is the one place with process-wide mutable state: signal dispatch belongs to the process.

import CLinux
import Glibc

/// One caught signal of a thread, written by the signal handler and emptied by the thread, and the signals of our own that wait. Lives
/// in raw memory.
public struct SignalMailbox {
    /// The recorded signal; 0 when empty.
    public var signal: Int32 = 0
    /// Set to 1 when a signal is recorded: makes translated code and `safeSystemCall` return.
    public var requestFlag: UnsafeMutablePointer<UInt32>?
    /// The signal's siginfo_t, as the kernel gave it.
    public var info: SignalWords = .init(repeating: 0)
    /// Which signals of our own the guest blocks; the host does not. Other threads read it.
    public internal(set) var blocked: UInt64 = 0
    /// Which of them the guest waits for (sigtimedwait(2)). Other threads read it.
    public var awaited: UInt64 = 0
    /// Those that have come nevertheless: the thread's, and the process's.
    public var pending = PendingSignals()
    public var shared: UnsafeMutablePointer<PendingSignals>?
    /// One has come for the process that another thread may take.
    public var mustPassOn = false

    public init(
        requestFlag: UnsafeMutablePointer<UInt32>?, shared: UnsafeMutablePointer<PendingSignals>? = nil
    ) {
        self.requestFlag = requestFlag
        self.shared = shared
    }

    /// The signals of our own that have come and wait.
    public var waiting: UInt64 { pending.signals | (shared?.pointee.signals ?? 0) }

    /// Takes one of those in `set` that wait.
    mutating func take(_ set: UInt64) -> SignalWords? { pending.take(set) ?? shared?.pointee.take(set) }

    /// Records a signal. Those of our own wait until the mask is set again, as others do.
    mutating func fill(_ words: SignalWords) {
        info = words
        signal = Int32(truncatingIfNeeded: words[0])
        requestFlag?.pointee = 1
        blocked = HostSignals.ownSignals
    }

    /// In a new process: what its parent had recorded, and what waited, is the parent's.
    public mutating func empty() {
        signal = 0
        pending = PendingSignals()
        shared?.pointee = PendingSignals()
        mustPassOn = false
        awaited = 0
    }
}

/// Decides a memory fault raised by generated code. Returns true after changing the context so that execution can go
/// on. Arguments: siginfo_t and ucontext_t, to be wrapped in a `FaultContext`.
public typealias CodeFaultHandler = @convention(c) (UnsafeMutableRawPointer, UnsafeMutableRawPointer) -> Bool

nonisolated(unsafe) private var codeFaultHandler: CodeFaultHandler? = nil
/// The set of the one signal kept by `reserve`. Written before there are other threads.
nonisolated(unsafe) private var reservedSignal: UInt64 = 0
/// A fault of the host program itself may leave the kernel's core file. Written before there are other threads.
nonisolated(unsafe) private var dumpsHost = false
/// What the process had blocked and, of the fault signals, ignored when it started.
nonisolated(unsafe) private var startMask: UInt64 = 0
nonisolated(unsafe) private var startIgnored: UInt64 = 0

public enum HostSignals {
    public enum Disposition: Sendable { case byDefault, ignore, record }

    /// Signals that are never blocked and always have our handler: guest memory faults arrive as these.
    public static let faultSignals: UInt64 = bit(SIGSEGV) | bit(SIGBUS)

    /// Signals that no guest blocks and whose handlers no guest changes: those, and one for samples while a profile is taken.
    public static var ownSignals: UInt64 { faultSignals | reservedSignal }

    /// The kernel's signal set bit for a signal number 1...64.
    @inlinable public static func bit(_ signal: Int32) -> UInt64 { 1 &<< UInt64(truncatingIfNeeded: signal &- 1) }

    /// Prepares the process: code stubs and the fault handler. Before guest code runs; what comes after the first call does nothing.
    public static func start() { started }

    private static let started: Void = {
        HostStubs.install()
        dumpsHost = HostProcess.variable("MARTLET_HOST_CORE") != nil
        startMask = mask
        for signal in [SIGSEGV, SIGBUS] where inheritedHandler(signal) == 1 { startIgnored |= bit(signal) }
        // Until the first thread has one of its own.
        let mailbox = UnsafeMutablePointer<SignalMailbox>.allocate(capacity: 1)
        mailbox.initialize(to: SignalMailbox(requestFlag: nil))
        mailbox.pointee.blocked = faultSignals
        ThreadSlot.mailbox = mailbox
        install(SIGSEGV, handler: unsafeBitCast(faultHandler as RawHandler, to: UInt.self))
        install(SIGBUS, handler: unsafeBitCast(faultHandler as RawHandler, to: UInt.self))
        // The language runtime may have put crash reporters here; a guest that dies must die silently, as it would
        // natively.
        for signal in [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE] where inheritedHandler(signal) > 1 {
            install(signal, handler: 0)
        }
        setHostMask(startMask & ~ownSignals)
    }()

    /// The signals that the process inherited as blocked.
    public static var inheritedMask: UInt64 { startMask }

    /// SIGRTMIN + 1, by which C libraries make all threads of a process change their ids.
    static let setID: Int32 = 33

    public static func setCodeFaultHandler(_ handler: CodeFaultHandler?) { codeFaultHandler = handler }

    /// Sets what the host does with a signal. Fault signals keep the fault handler, which records user-sent ones.
    /// `flags`: SA_NOCLDSTOP and SA_NOCLDWAIT only.
    public static func set(_ signal: Int32, _ disposition: Disposition, flags: UInt64 = 0) {
        if bit(signal) & ownSignals != 0 { return }
        switch disposition {
        case .byDefault: install(signal, handler: 0, flags: flags)
        case .ignore: install(signal, handler: 1, flags: flags)
        case .record: install(signal, handler: unsafeBitCast(recordHandler as RawHandler, to: UInt.self), flags: flags)
        }
    }

    /// Keeps a signal for Martlet itself from now on. `handler` passes on to `recordSent` what a process sent, and may read memory that faults.
    static func reserve(_ signal: Int32, handler: @escaping RawHandler) {
        install(signal, handler: unsafeBitCast(handler, to: UInt.self), blocked: ~faultSignals)
        reservedSignal = bit(signal)
    }

    /// For a signal that is ours alone while the handler is there: no guest sees it.
    static func catchRaw(_ signal: Int32, _ handler: @escaping RawHandler) {
        install(signal, handler: unsafeBitCast(handler, to: UInt.self))
    }

    /// The disposition the process inherited: true when `signal` is ignored.
    public static func isIgnored(_ signal: Int32) -> Bool {
        bit(signal) & faultSignals != 0 ? startIgnored & bit(signal) != 0 : inheritedHandler(signal) == 1
    }

    private static func inheritedHandler(_ signal: Int32) -> UInt {
        var old = clx_kernel_sigaction()
        _ = withUnsafeMutablePointer(to: &old) { kernel(SYS_rt_sigaction, Int(signal), 0, Int(bitPattern: $0), 8) }
        return UInt(old.handler)
    }

    typealias RawHandler = @convention(c) (Int32, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Void

    /// Raw rt_sigaction: the C library refuses its internal signals 32 and 33, which guests' C libraries need.
    /// SA_RESTART keeps a call that had not started apart from one that returns EINTR.
    private static func install(_ signal: Int32, handler: UInt, flags: UInt64 = 0, blocked: UInt64 = .max) {
        var action = clx_kernel_sigaction()
        action.handler = handler
        action.flags =
            flags | UInt64(UInt32(bitPattern: SA_SIGINFO | SA_ONSTACK | SA_RESTART)) | UInt64(CLX_SA_RESTORER)
        action.restorer = HostStubs.restorerAddress
        action.mask = blocked
        _ = withUnsafePointer(to: action) { kernel(SYS_rt_sigaction, Int(signal), Int(bitPattern: $0), 0, 8) }
    }

    /// Sets the calling thread's blocked set: the host's, but for our own signals, which wait in the mailbox when they are blocked.
    /// `own`: another set for those. Returns the host's old one.
    @discardableResult
    public static func setMask(_ mask: UInt64, own: UInt64? = nil) -> UInt64 {
        let old = setHostMask(mask & ~ownSignals)
        setOwnMask(own ?? mask)
        return old
    }

    /// Sets the blocked set of the calling thread as it is.
    @discardableResult
    static func setHostMask(_ mask: UInt64) -> UInt64 {
        var old: UInt64 = 0
        _ = withUnsafeMutablePointer(to: &old) { old in
            withUnsafePointer(to: mask) {
                kernel(SYS_rt_sigprocmask, Int(SIG_SETMASK), Int(bitPattern: $0), Int(bitPattern: old), 8)
            }
        }
        return old
    }

    /// Blocks every signal for the calling thread, our own too: it may not touch guest memory. Returns the old set.
    @discardableResult
    public static func blockAll() -> UInt64 { setHostMask(.max) }

    public static var mask: UInt64 {
        var old: UInt64 = 0
        _ = withUnsafeMutablePointer(to: &old) { kernel(SYS_rt_sigprocmask, 0, 0, Int(bitPattern: $0), 8) }
        return old
    }

    /// Gives the calling thread a stack for signal handlers, so that faults are handled whatever the stack pointer is.
    /// Returns it for `releaseAlternateStack`.
    public static func installAlternateStack(size: Int = 1 << 16) -> UnsafeMutableRawPointer? {
        guard let base = try? HostMemory.reserve(size) else { return nil }
        var stack = stack_t(ss_sp: base, ss_flags: 0, ss_size: size)
        sigaltstack(&stack, nil)
        return base
    }

    public static func releaseAlternateStack(_ base: UnsafeMutableRawPointer?, size: Int = 1 << 16) {
        guard let base else { return }
        var stack = stack_t(ss_sp: nil, ss_flags: Int32(SS_DISABLE), ss_size: 0)
        sigaltstack(&stack, nil)
        try? HostMemory.unmap(UInt(bitPattern: base), size)
    }

    /// Ends the process by `signal` with its default action, but without a core file of the host's. `sharesMemory`: other processes go on
    /// in this memory.
    public static func dieBy(_ signal: Int32, sharesMemory: Bool = false) -> Never {
        HostProcess.refuseCore(sharesMemory: sharesMemory)
        var action = clx_kernel_sigaction()
        action.flags = UInt64(CLX_SA_RESTORER)
        action.restorer = HostStubs.restorerAddress
        _ = withUnsafePointer(to: action) { kernel(SYS_rt_sigaction, Int(signal), Int(bitPattern: $0), 0, 8) }
        let only = ~bit(signal)
        _ = withUnsafePointer(to: only) { kernel(SYS_rt_sigprocmask, Int(SIG_SETMASK), Int(bitPattern: $0), 0, 8) }
        _ = kernel(SYS_tgkill, Int(HostProcess.processID), Int(HostProcess.threadID), Int(signal))
        HostProcess.exitGroup(128 + signal)
    }

    /// Records a signal for the calling thread, whose mailbox is empty. Runs in a signal handler with all signals blocked.
    static func record(_ fault: FaultContext) {
        var words = SignalWords(repeating: 0)
        for index in 0..<16 { words[index] = fault.info.load(fromByteOffset: 8 &* index, as: UInt64.self) }
        record(fault, words)
    }

    static func record(_ fault: FaultContext, _ words: SignalWords) {
        HostStubs.cancelSystemCall(fault)
        guard let mailbox = ThreadSlot.mailbox else { return }
        mailbox.pointee.fill(words)
        fault.returnMask = ~ownSignals
    }

    /// A fault of the host program itself. Never returns control to the faulting instruction as if nothing had
    /// happened.
    fileprivate static func hostFault(_ fault: FaultContext) {
        HostTerminal.restore()
        if bit(fault.signal) & faultSignals != 0 {
            report("martlet: internal error: host memory fault at pc 0x", fault.programCounter)
            report(", address 0x", UInt(fault.faultAddress))
        } else {
            report("martlet: internal error: trap at host pc 0x", fault.programCounter)
        }
        writeBytes("\n")
        if !dumpsHost { HostProcess.refuseCore(sharesMemory: false) }
        var action = clx_kernel_sigaction()
        action.flags = UInt64(CLX_SA_RESTORER)
        action.restorer = HostStubs.restorerAddress
        let signal = fault.signal
        _ = withUnsafePointer(to: action) { kernel(SYS_rt_sigaction, Int(signal), Int(bitPattern: $0), 0, 8) }
    }

    private static func writeBytes(_ text: StaticString) {
        _ = kernel(SYS_write, 2, Int(bitPattern: text.utf8Start), text.utf8CodeUnitCount)
    }

    private static func report(_ text: StaticString, _ value: UInt) {
        writeBytes(text)
        var digits: (UInt64, UInt64) = (0, 0)
        withUnsafeMutableBytes(of: &digits) { buffer in
            for index in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: (value &>> UInt(60 &- 4 &* index)) & 15)
                buffer[index] = digit < 10 ? 48 &+ digit : 87 &+ digit
            }
            _ = kernel(SYS_write, 2, Int(bitPattern: buffer.baseAddress), 16)
        }
    }
}

/// What the kernel does with a signal, to be put back after others have changed it.
struct KeptDisposition {
    private let signal: Int32
    private var action = clx_kernel_sigaction()

    init(of signal: Int32) {
        self.signal = signal
        _ = withUnsafeMutablePointer(to: &action) { kernel(SYS_rt_sigaction, Int(signal), 0, Int(bitPattern: $0), 8) }
    }

    func ignore() {
        var action = action
        action.handler = 1
        _ = withUnsafePointer(to: action) { kernel(SYS_rt_sigaction, Int(signal), Int(bitPattern: $0), 0, 8) }
    }

    func putBack() {
        _ = withUnsafePointer(to: action) { kernel(SYS_rt_sigaction, Int(signal), Int(bitPattern: $0), 0, 8) }
    }
}

@c private func faultHandler(_ signal: Int32, _ info: UnsafeMutableRawPointer?, _ context: UnsafeMutableRawPointer?) {
    guard let info, let context else { return }
    let fault = FaultContext(info: info, context: context)
    if fault.code <= 0 { return HostSignals.recordSent(fault) }  // sent by a process
    if HostStubs.resume(fault) { return }
    if fault.signal == SIGBUS, FileView.fill(UInt(fault.faultAddress)) { return }
    if let handler = codeFaultHandler, handler(info, context) { return }
    HostSignals.hostFault(fault)
}

@c private func recordHandler(_ signal: Int32, _ info: UnsafeMutableRawPointer?, _ context: UnsafeMutableRawPointer?) {
    guard let info, let context else { return }
    let fault = FaultContext(info: info, context: context)
    // A failed check of the host program itself.
    if fault.signal == SIGILL, fault.code > 0, fault.faultAddress == UInt64(fault.programCounter) {
        return HostSignals.hostFault(fault)
    }
    HostSignals.record(fault)
}
