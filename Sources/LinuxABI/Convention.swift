// How system calls of one ABI are made (syscall(2), and each architecture's entry code): where number, arguments and
// result are, and what differs in the order of arguments. One row for each ABI.

/// The calling convention of one ABI's system calls. Registers are named as in the guest's register list.
public struct Convention: Sendable {
    /// Where an argument is.
    public enum Source: Sendable, Equatable {
        case register(String)
        /// A word of the stack, this many bytes above the stack pointer (MIPS o32: from 16 up).
        case stack(Int)
    }

    /// How a failed call is told from one that succeeded.
    public enum ErrorStyle: Sendable, Equatable {
        /// The result is -errno.
        case negative
        /// The result is errno, and bits of a register say so: `clear` goes always, `set` comes with an error. MIPS and
        /// alpha: a register of its own; SPARC: carry; PowerPC: summary overflow.
        case flag(register: String, clear: UInt64, set: UInt64)
    }

    /// How a 64-bit argument of a 32-bit ABI takes two of them.
    public enum PairRule: Sendable, Equatable {
        /// It does not: registers have 64 bits.
        case single
        /// The next two.
        case unaligned
        /// The next two from an even one on: one may be left out.
        case aligned
    }

    /// The order of clone(2)'s arguments (kernel/fork.c, CONFIG_CLONE_BACKWARDS and its kin).
    public enum CloneOrder: Sendable, Equatable {
        /// flags, stack, parent's word, child's word, TLS
        case childBeforeTLS
        /// flags, stack, parent's word, TLS, child's word
        case childAfterTLS
        /// stack, flags, parent's word, child's word, TLS
        case stackFirst
        /// flags, stack, size of the stack, parent's word, child's word, TLS
        case withSize
    }

    public var number: String
    /// Six; seven where aligned pairs make a call need them, the seventh on the stack.
    public var arguments: [Source]
    public var result: String
    /// Where pipe(2) and the like have their second result; nil: in memory.
    public var secondResult: String?
    public var errors: ErrorStyle
    public var pairs: PairRule
    public var clone: CloneOrder
    /// Bytes of the instruction that makes a call: a call that is made again starts this much earlier.
    public var instructionLength: UInt64
    public var stackPointer: String
    /// The register that CLONE_SETTLS sets; nil where a call of the architecture's own does it.
    public var threadPointer: String?
    /// Bytes of a page as programs of this ABI know it.
    public var pageSize: UInt64

    public init(
        number: String, arguments: [Source], result: String, secondResult: String? = nil,
        errors: ErrorStyle = .negative,
        pairs: PairRule = .single, clone: CloneOrder = .childBeforeTLS, instructionLength: UInt64 = 4,
        stackPointer: String, threadPointer: String?, pageSize: UInt64 = 4096
    ) {
        self.number = number
        self.arguments = arguments
        self.result = result
        self.secondResult = secondResult
        self.errors = errors
        self.pairs = pairs
        self.clone = clone
        self.instructionLength = instructionLength
        self.stackPointer = stackPointer
        self.threadPointer = threadPointer
        self.pageSize = pageSize
    }

    /// Both RISC-V ABIs: ecall, a7, a0 to a5.
    static func riscv(_ pairs: PairRule) -> Convention {
        Convention(
            number: "x17", arguments: (10..<16).map { .register("x\($0)") }, result: "x10", pairs: pairs,
            clone: .childAfterTLS, stackPointer: "x2", threadPointer: "x4")
    }

    public static let riscv64 = riscv(.single)
    public static let riscv32 = riscv(.unaligned)
}

extension Convention.PairRule {
    /// The arguments of a call from the words that carry them: bit n of `wide` says that argument n has 64 bits, of which a
    /// big-endian ABI has the high half first. Words beyond those given are zero.
    public func join(_ words: [UInt32], wide: UInt8, order: ByteOrder) -> InlineArray<6, UInt64> {
        var result = InlineArray<6, UInt64>(repeating: 0)
        var next = 0
        func word(_ index: Int) -> UInt64 { index < words.count ? UInt64(words[index]) : 0 }
        for argument in 0..<6 {
            if wide & 1 << UInt8(argument) == 0 {
                result[argument] = word(next)
                next += 1
                continue
            }
            if self == .aligned { next += next & 1 }
            let first = word(next), second = word(next + 1)
            result[argument] = order == .big ? first << 32 | second : second << 32 | first
            next += 2
        }
        return result
    }
}

/// clone(2)'s arguments, in no ABI's order.
public struct CloneArguments: Equatable, Sendable {
    public var flags: UInt64
    public var stack: UInt64
    public var parentTID: UInt64
    public var childTID: UInt64
    public var tls: UInt64

    public init(flags: UInt64, stack: UInt64, parentTID: UInt64, childTID: UInt64, tls: UInt64) {
        self.flags = flags
        self.stack = stack
        self.parentTID = parentTID
        self.childTID = childTID
        self.tls = tls
    }
}

extension Convention.CloneOrder {
    /// The arguments as the call has them.
    public func arguments(
        _ a0: UInt64, _ a1: UInt64, _ a2: UInt64, _ a3: UInt64, _ a4: UInt64, _ a5: UInt64
    ) -> CloneArguments {
        switch self {
        case .childBeforeTLS: CloneArguments(flags: a0, stack: a1, parentTID: a2, childTID: a3, tls: a4)
        case .childAfterTLS: CloneArguments(flags: a0, stack: a1, parentTID: a2, childTID: a4, tls: a3)
        case .stackFirst: CloneArguments(flags: a1, stack: a0, parentTID: a2, childTID: a3, tls: a4)
        case .withSize: CloneArguments(flags: a0, stack: a1, parentTID: a3, childTID: a4, tls: a5)
        }
    }
}
