// What a host tells the register allocator: its registers, and per op which operands may be where. Data only: the allocator
// makes no call into a host per op.

/// A set of host registers, by allocator number: general registers 0...31, floating-point/vector registers 32...63.
/// (x86-64 uses 0...15 and 32...47.)
public struct RegisterSet: OptionSet, Sendable {
    public var rawValue: UInt64
    @inlinable @inline(__always) public init(rawValue: UInt64) { self.rawValue = rawValue }
    @inlinable @inline(__always) public init(_ register: UInt8) { rawValue = 1 &<< UInt64(register & 63) }
    @inlinable @inline(__always) public func has(_ register: UInt8) -> Bool {
        rawValue &>> UInt64(register & 63) & 1 != 0
    }
    @inlinable public static var general: RegisterSet { RegisterSet(rawValue: 0xffff_ffff) }
    @inlinable public static var float: RegisterSet { RegisterSet(rawValue: 0xffff_ffff_0000_0000) }
    @inlinable public var first: UInt8 { UInt8(truncatingIfNeeded: rawValue.trailingZeroBitCount) }
}

/// First allocator number of the floating-point class.
public let floatRegisterBase: UInt8 = 32

/// Where one source operand may be.
public struct OperandRule: Sendable {
    public var rawValue: UInt16
    /// A register of the operand's class is always allowed; these add to it.
    @usableFromInline static var constant32: UInt16 { 1 << 8 }
    @usableFromInline static var constantAny: UInt16 { 1 << 9 }
    @usableFromInline static var memory: UInt16 { 1 << 10 }
    @usableFromInline static var fixedBit: UInt16 { 1 << 11 }

    public static var register: OperandRule { OperandRule(rawValue: 0) }
    /// Or a constant that fits a sign-extended 32-bit immediate.
    public static var registerOrConstant32: OperandRule { OperandRule(rawValue: constant32) }
    /// Or any constant.
    public static var registerOrConstant: OperandRule { OperandRule(rawValue: constantAny) }
    /// Or the operand's home in memory.
    public static var registerOrMemory: OperandRule { OperandRule(rawValue: memory) }
    public static var registerMemoryOrConstant32: OperandRule { OperandRule(rawValue: memory | constant32) }
    public static var registerMemoryOrConstant: OperandRule { OperandRule(rawValue: memory | constantAny) }
    /// This register and no other.
    public static func fixed(_ register: UInt8) -> OperandRule { OperandRule(rawValue: fixedBit | UInt16(register)) }
    /// A constant that fits 32 bits, or else this register.
    public static func constant32OrFixed(_ register: UInt8) -> OperandRule {
        OperandRule(rawValue: fixedBit | constant32 | UInt16(register))
    }

    @inlinable public var allowsConstant32: Bool { rawValue & (1 << 8) != 0 }
    @inlinable public var allowsAnyConstant: Bool { rawValue & (1 << 9) != 0 }
    @inlinable public var allowsMemory: Bool { rawValue & (1 << 10) != 0 }
    @inlinable public var isFixed: Bool { rawValue & (1 << 11) != 0 }
    @inlinable public var fixedRegister: UInt8 { UInt8(truncatingIfNeeded: rawValue & 63) }
}

/// The constraints of one opcode on one host.
public struct ConstraintRow: Sendable {
    public let a: OperandRule
    public let b: OperandRule
    public let c: OperandRule
    public let d: OperandRule
    /// The result must be in this register (255: any).
    public let fixedResult: UInt8
    /// The lowering writes the result before it has read all sources: the result shares no register with a source.
    public let earlyResult: Bool
    /// Prefer to give the result the register of `a` when `a` dies here (two-address instructions).
    public let resultPrefersA: Bool
    /// Registers the lowering overwrites (besides the result).
    public let clobbers: RegisterSet
    /// The row names no register: what most rows are.
    let isPlain: Bool

    public init(
        a: OperandRule = .register, b: OperandRule = .register, c: OperandRule = .register, d: OperandRule = .register,
        fixedResult: UInt8 = 255, earlyResult: Bool = false, resultPrefersA: Bool = true, clobbers: RegisterSet = []
    ) {
        self.a = a
        self.b = b
        self.c = c
        self.d = d
        self.fixedResult = fixedResult
        self.earlyResult = earlyResult
        self.resultPrefersA = resultPrefersA
        self.clobbers = clobbers
        isPlain =
            !a.isFixed && !b.isFixed && !c.isFixed && !d.isFixed && fixedResult == 255 && !earlyResult
            && clobbers.isEmpty
    }
}

/// A host's registers and rows.
public struct HostDescription: Sendable {
    /// Registers the allocator may use.
    public var allocatable: RegisterSet
    /// Of these, the ones a helper call preserves.
    public var calleeSaved: RegisterSet
    /// Helper argument registers after the CPU-state pointer, and the result's.
    public var argumentRegisters: [UInt8]
    public var resultRegister: UInt8
    /// A general and a floating-point register outside `allocatable`, free between ops, for moves that form cycles.
    public var scratchGeneral: UInt8
    public var scratchFloat: UInt8
    /// Preference order for allocation (first is best). Must list every allocatable register.
    public var order: [UInt8]
    /// One row per opcode, indexed by `Opcode.rawValue`.
    public var rows: [ConstraintRow]
    /// 8-byte spill slots available in the frame.
    public var spillSlots: Int
    /// Register names for dumps, by allocator number.
    public var registerName: @Sendable (UInt8) -> String

    public init(
        allocatable: RegisterSet, calleeSaved: RegisterSet, argumentRegisters: [UInt8], resultRegister: UInt8,
        scratchGeneral: UInt8, scratchFloat: UInt8, order: [UInt8], rows: [ConstraintRow], spillSlots: Int,
        registerName: @escaping @Sendable (UInt8) -> String
    ) {
        self.allocatable = allocatable
        self.calleeSaved = calleeSaved
        self.argumentRegisters = argumentRegisters
        self.resultRegister = resultRegister
        self.scratchGeneral = scratchGeneral
        self.scratchFloat = scratchFloat
        self.order = order
        self.rows = rows
        self.spillSlots = spillSlots
        self.registerName = registerName
    }
}
