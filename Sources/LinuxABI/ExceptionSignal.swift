// What Linux makes of a guest's exceptions.

/// The signal for one exception, in Linux's generic numbers, which are the host's. si_addr is the instruction's address.
public struct ExceptionSignal: Sendable {
    /// By the architecture's manual.
    public var exception: UInt32
    public var signal: Int32
    /// si_code.
    public var code: Int32
    public init(_ exception: UInt32, signal: Int32, code: Int32) {
        self.exception = exception
        self.signal = signal
        self.code = code
    }

    public static func illegalInstruction(_ exception: UInt32) -> ExceptionSignal {
        ExceptionSignal(exception, signal: 4, code: 1)  // SIGILL, ILL_ILLOPC
    }
    public static func breakpoint(_ exception: UInt32) -> ExceptionSignal {
        ExceptionSignal(exception, signal: 5, code: 1)  // SIGTRAP, TRAP_BRKPT
    }
    public static func misalignedFetch(_ exception: UInt32) -> ExceptionSignal {
        ExceptionSignal(exception, signal: 7, code: 1)  // SIGBUS, BUS_ADRALN
    }
    public static func divisionByZero(_ exception: UInt32) -> ExceptionSignal {
        ExceptionSignal(exception, signal: 8, code: 1)  // SIGFPE, FPE_INTDIV
    }
}
