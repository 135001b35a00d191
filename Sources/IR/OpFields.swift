// The fields that qualify an op: conditions, memory-op descriptors, rounding, kinds. Each packs into `Op.aux`.

/// Integer comparison. `tsteq`/`tstne` compare `a & b` with zero.
public enum Condition: UInt8, CaseIterable, Sendable {
    case eq, ne, lt, ge, le, gt, ltu, geu, leu, gtu, tsteq, tstne

    /// The condition that holds exactly when this one does not.
    @inlinable public var inverted: Condition { Condition(rawValue: rawValue ^ 1)! }

    /// The condition that holds for (b, a) exactly when this one holds for (a, b).
    public var swapped: Condition {
        switch self {
        case .eq, .ne, .tsteq, .tstne: self
        case .lt: .gt
        case .gt: .lt
        case .ge: .le
        case .le: .ge
        case .ltu: .gtu
        case .gtu: .ltu
        case .geu: .leu
        case .leu: .geu
        }
    }

    /// The condition's value on two 64-bit operands; 32-bit operands are passed sign-extended.
    public func holds(_ a: UInt64, _ b: UInt64) -> Bool {
        switch self {
        case .eq: a == b
        case .ne: a != b
        case .lt: Int64(bitPattern: a) < Int64(bitPattern: b)
        case .ge: Int64(bitPattern: a) >= Int64(bitPattern: b)
        case .le: Int64(bitPattern: a) <= Int64(bitPattern: b)
        case .gt: Int64(bitPattern: a) > Int64(bitPattern: b)
        case .ltu: a < b
        case .geu: a >= b
        case .leu: a <= b
        case .gtu: a > b
        case .tsteq: a & b == 0
        case .tstne: a & b != 0
        }
    }
}

/// Floating-point comparison. Unordered operands give false. Signaling forms raise invalid on any NaN, quiet ones only
/// on a signaling NaN, silent ones never.
public enum FloatCondition: UInt8, CaseIterable, Sendable {
    case eq, lt, le
    case eqSignaling, ltSignaling, leSignaling
    case eqSilent, ltSilent, leSilent

    @inlinable public var isSilent: Bool { rawValue >= FloatCondition.eqSilent.rawValue }
    /// The same comparison without any flag.
    @inlinable public var silent: FloatCondition {
        switch self {
        case .eq, .eqSignaling, .eqSilent: .eqSilent
        case .lt, .ltSignaling, .ltSilent: .ltSilent
        case .le, .leSignaling, .leSilent: .leSilent
        }
    }
}

/// Rounding of a floating-point op. `dynamic` is the guest's current mode (set by `fp_set_rounding`).
/// Values 0...4 are IEEE 754-2019's attributes in the numbering of RISC-V's `frm`.
public enum Rounding: UInt8, CaseIterable, Sendable {
    case nearestEven, towardZero, down, up, nearestMaxMagnitude
    case dynamic = 7
}

/// What a guest read-modify-write stores; the op's result is always the old value.
public enum AtomicOp: UInt8, CaseIterable, Sendable {
    case swap, add, and, or, xor, smin, smax, umin, umax
}

/// How `fcopysign` makes the sign of the result from the signs of `a` and `b`.
public enum SignOp: UInt8, CaseIterable, Sendable { case copy, copyNegated, xor }

/// Where control goes at a `lookup_and_goto`, for prediction.
public enum JumpHint: UInt8, CaseIterable, Sendable { case indirect, call, `return` }

/// Memory order of a `fence`.
public struct FenceOrder: OptionSet, Sendable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    @inlinable public static var loadLoad: FenceOrder { FenceOrder(rawValue: 1) }
    @inlinable public static var loadStore: FenceOrder { FenceOrder(rawValue: 2) }
    @inlinable public static var storeLoad: FenceOrder { FenceOrder(rawValue: 4) }
    @inlinable public static var storeStore: FenceOrder { FenceOrder(rawValue: 8) }
}

/// Describes one guest or host memory access. Packs into 16 bits.
///
///     bits 0-2   log2 of the size in bytes (0...5)
///     bit  3     the loaded value is sign-extended to the result's type (otherwise zero-extended)
///     bit  4     big-endian
///     bit  5     the address must be naturally aligned (otherwise any alignment is allowed)
///     bits 8-11  MMU index (0 in user mode)
public struct MemOp: RawRepresentable, Equatable, Sendable {
    public var rawValue: UInt16
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

    @inlinable public init(
        log2Size: UInt8, signed: Bool = false, bigEndian: Bool = false, aligned: Bool = false, mmuIndex: UInt8 = 0
    ) {
        var v = UInt16(log2Size & 7)
        if signed { v |= 8 }
        if bigEndian { v |= 16 }
        if aligned { v |= 32 }
        v |= UInt16(mmuIndex & 15) &<< 8
        rawValue = v
    }

    @inlinable public var log2Size: UInt8 { UInt8(truncatingIfNeeded: rawValue & 7) }
    /// Size in bytes.
    @inlinable public var size: Int { 1 &<< Int(rawValue & 7) }
    @inlinable public var isSigned: Bool { rawValue & 8 != 0 }
    @inlinable public var isBigEndian: Bool { rawValue & 16 != 0 }
    @inlinable public var isAligned: Bool { rawValue & 32 != 0 }
    @inlinable public var mmuIndex: Int { Int(rawValue &>> 8) & 15 }

    @inlinable public static var u8: MemOp { MemOp(log2Size: 0) }
    @inlinable public static var s8: MemOp { MemOp(log2Size: 0, signed: true) }
    @inlinable public static var u16: MemOp { MemOp(log2Size: 1) }
    @inlinable public static var s16: MemOp { MemOp(log2Size: 1, signed: true) }
    @inlinable public static var u32: MemOp { MemOp(log2Size: 2) }
    @inlinable public static var s32: MemOp { MemOp(log2Size: 2, signed: true) }
    @inlinable public static var u64: MemOp { MemOp(log2Size: 3) }
    @inlinable public static var u128: MemOp { MemOp(log2Size: 4) }
}
