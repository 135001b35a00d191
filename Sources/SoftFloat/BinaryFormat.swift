// What a binary interchange format offers: the list of operations on its bit patterns, documented once, here.
// `Binary16`, `Binary32` and `Binary64` have this shape. The work is done by `Core`, once for all formats.

/// A binary floating-point format and the IEEE 754-2019 operations on bit patterns of it.
public protocol BinaryFormat {
    /// An encoded value: sign, biased exponent, trailing significand.
    associatedtype Bits: FixedWidthInteger & UnsignedInteger & Sendable

    static var exponentBits: Int { get }
    /// The stored bits of the significand, without the implied leading one.
    static var fractionBits: Int { get }

    // Arithmetic (5.4.1). Each result is the exact one rounded once.

    static func add(_ a: Bits, _ b: Bits, _ status: inout Status) -> Bits
    static func subtract(_ a: Bits, _ b: Bits, _ status: inout Status) -> Bits
    static func multiply(_ a: Bits, _ b: Bits, _ status: inout Status) -> Bits
    static func divide(_ a: Bits, _ b: Bits, _ status: inout Status) -> Bits
    static func squareRoot(_ a: Bits, _ status: inout Status) -> Bits
    /// `±(a * b) ± c`, rounded once. The negations are exact and do not touch a NaN operand.
    static func fusedMultiplyAdd(
        _ a: Bits, _ b: Bits, _ c: Bits, negateProduct: Bool, negateAddend: Bool, _ status: inout Status
    ) -> Bits

    // Comparison (5.11): false on a NaN. Signaling: any NaN is invalid; quiet: only a signaling NaN is.

    static func isEqual(_ a: Bits, _ b: Bits, signaling: Bool, _ status: inout Status) -> Bool
    static func isLess(_ a: Bits, _ b: Bits, signaling: Bool, _ status: inout Status) -> Bool
    static func isLessOrEqual(_ a: Bits, _ b: Bits, signaling: Bool, _ status: inout Status) -> Bool

    // Minimum and maximum (9.6), with -0 < +0; a signaling NaN is invalid.

    /// A NaN beside a number is missing data: the number. Two NaNs: the rule's NaN (RISC-V `FMIN`).
    static func minimumNumber(_ a: Bits, _ b: Bits, _ status: inout Status) -> Bits
    static func maximumNumber(_ a: Bits, _ b: Bits, _ status: inout Status) -> Bits
    /// A NaN operand makes the result NaN (RISC-V Zfa `FMINM`).
    static func minimum(_ a: Bits, _ b: Bits, _ status: inout Status) -> Bits
    static func maximum(_ a: Bits, _ b: Bits, _ status: inout Status) -> Bits

    // Round to an integral value of the format (5.9), by the status's rounding mode.

    static func roundToIntegral(_ a: Bits, raisesInexact: Bool, _ status: inout Status) -> Bits

    // Conversion to integers (5.8), by the status's rounding mode. A result out of range saturates and raises invalid
    // alone, and a NaN gives the type's maximum (RISC-V; a guest with another rule looks at the invalid flag).

    static func toInt32(_ a: Bits, _ status: inout Status) -> Int32
    static func toUInt32(_ a: Bits, _ status: inout Status) -> UInt32
    static func toInt64(_ a: Bits, _ status: inout Status) -> Int64
    static func toUInt64(_ a: Bits, _ status: inout Status) -> UInt64
    /// The value truncated, modulo 2^32; 0 for infinities and NaNs. Raises what `toInt32` with `.towardZero` would
    /// (RISC-V Zfa `FCVTMOD.W.D`; ECMAScript `ToInt32`).
    static func toInt32Modular(_ a: Bits, _ status: inout Status) -> Int32

    // Conversion from integers.

    static func from(_ value: Int32, _ status: inout Status) -> Bits
    static func from(_ value: UInt32, _ status: inout Status) -> Bits
    static func from(_ value: Int64, _ status: inout Status) -> Bits
    static func from(_ value: UInt64, _ status: inout Status) -> Bits

    // Conversion between formats (5.4.2). To the format itself: only NaNs change.

    static func toBinary16(_ a: Bits, _ status: inout Status) -> UInt16
    static func toBinary32(_ a: Bits, _ status: inout Status) -> UInt32
    static func toBinary64(_ a: Bits, _ status: inout Status) -> UInt64

    // Looking without touching flags (5.7.2).

    static func classify(_ a: Bits) -> FloatClass
    static func isNaN(_ a: Bits) -> Bool
    static func isSignalingNaN(_ a: Bits) -> Bool
}

/// The classes of values (IEEE 754-2019, 5.7.2), numbered like the bits of RISC-V's `FCLASS` result.
public enum FloatClass: UInt8, Sendable, CaseIterable {
    case negativeInfinity
    case negativeNormal
    case negativeSubnormal
    case negativeZero
    case positiveZero
    case positiveSubnormal
    case positiveNormal
    case positiveInfinity
    case signalingNaN
    case quietNaN

    /// One bit of ten, as RISC-V's `FCLASS` delivers it (Unprivileged ISA, "Floating-Point Classify Instruction").
    public var mask: UInt64 { 1 &<< UInt64(rawValue) }
}

extension BinaryFormat {
    @inlinable public static var signMask: Bits { 1 &<< Bits(truncatingIfNeeded: exponentBits &+ fractionBits) }
    /// Positive infinity; also the mask of the exponent field.
    @inlinable public static var infinity: Bits { signMask &- (1 &<< Bits(truncatingIfNeeded: fractionBits)) }
    /// The bit that distinguishes a quiet NaN from a signaling one (6.2.1).
    @inlinable public static var quietBit: Bits { 1 &<< Bits(truncatingIfNeeded: fractionBits &- 1) }
    /// The positive quiet NaN without payload: RISC-V's canonical NaN.
    @inlinable public static var canonicalNaN: Bits { infinity | quietBit }
    /// The quiet NaN without payload that an invalid operation delivers.
    @inlinable public static func defaultNaN(_ rule: NaNRule) -> Bits {
        rule.defaultIsNegative ? canonicalNaN | signMask : canonicalNaN
    }
    @inlinable public static var largestFinite: Bits { infinity &- 1 }
    @inlinable public static var smallestNormal: Bits { 1 &<< Bits(truncatingIfNeeded: fractionBits) }
}
