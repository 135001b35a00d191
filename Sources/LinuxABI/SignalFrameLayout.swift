// What a signal handler finds on its stack, as a table: user mode fills a frame from it, and reads it back at
// rt_sigreturn(2), without knowing the architecture. A guest adds one value of this type.

/// The frame of one guest's signal handlers. Offsets are in bytes from the frame's start.
public struct SignalFrameLayout: Sendable {
    /// One register: its name in the guest's register list, its place and the bytes there. A register that is wider is
    /// cut, a narrower one extended with zeros.
    public struct Slot: Sendable {
        public var register: String
        public var offset: Int
        public var size: Int
        public init(_ register: String, at offset: Int, size: Int) {
            self.register = register
            self.offset = offset
            self.size = size
        }
    }

    public var size: Int
    /// siginfo_t, ucontext_t, and in the latter stack_t and the signal mask.
    public var info, context, stack, mask: Int
    /// A word.
    public var programCounter: Int
    public var registers: [Slot]
    /// The register in which a handler expects its return address.
    public var returnAddress: String
    /// Code that a handler returns to: makes the rt_sigreturn call.
    public var trampoline: [UInt8]

    public init(
        size: Int, info: Int, context: Int, stack: Int, mask: Int, programCounter: Int, registers: [Slot],
        returnAddress: String, trampoline: [UInt8]
    ) {
        self.size = size
        self.info = info
        self.context = context
        self.stack = stack
        self.mask = mask
        self.programCounter = programCounter
        self.registers = registers
        self.returnAddress = returnAddress
        self.trampoline = trampoline
    }
}
