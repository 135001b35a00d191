// What an operation reads besides its operands and writes besides its result: rounding, NaN rule, tininess and flags.
// There is no hidden environment: every operation takes one `Status` inout. Flags only accumulate; nothing clears them.

/// Rounding-direction attributes (IEEE 754-2019, 4.3), numbered like the `frm` field of RISC-V's `fcsr`.
public enum RoundingMode: UInt8, Sendable, CaseIterable {
    case nearestEven = 0
    case towardZero = 1
    case down = 2
    case up = 3
    case nearestMaxMagnitude = 4
}

/// Exception flags (IEEE 754-2019, 7), numbered like the `fflags` field of RISC-V's `fcsr`.
public struct Flags: OptionSet, Sendable, Hashable {
    public var rawValue: UInt8

    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static var inexact: Flags { Flags(rawValue: 1) }
    public static var underflow: Flags { Flags(rawValue: 2) }
    public static var overflow: Flags { Flags(rawValue: 4) }
    public static var divideByZero: Flags { Flags(rawValue: 8) }
    public static var invalid: Flags { Flags(rawValue: 16) }
}

/// Which NaN an operation delivers; IEEE 754-2019, 6.2.3 leaves it to the architecture.
public struct NaNRule: Sendable, Hashable {
    public enum Propagation: UInt8, Sendable {
        /// Operands' payloads never show: the result is the default NaN.
        case none
        /// The first operand that is a NaN, quieted.
        case firstOperand
        /// The first signaling operand, quieted; without one, the first NaN.
        case signalingFirst
    }

    public var propagation: Propagation
    /// The sign of the NaN that an invalid operation makes (its payload is the quiet bit alone).
    public var defaultIsNegative: Bool
    /// Whether 0 x inf + quiet NaN raises invalid in a fused multiply-add (7.2 c permits both).
    public var quietAddendHidesInvalidProduct: Bool

    public init(propagation: Propagation, defaultIsNegative: Bool, quietAddendHidesInvalidProduct: Bool) {
        self.propagation = propagation
        self.defaultIsNegative = defaultIsNegative
        self.quietAddendHidesInvalidProduct = quietAddendHidesInvalidProduct
    }

    /// RISC-V (Unprivileged ISA, "NaN Generation and Propagation"): every NaN result is the positive default NaN.
    public static var canonicalPositive: NaNRule {
        NaNRule(propagation: .none, defaultIsNegative: false, quietAddendHidesInvalidProduct: false)
    }

    /// x86 SSE (Intel SDM volume 1, 4.8.3.5 and table 4-7): the first NaN operand, else the negative default NaN.
    public static var propagateFirst: NaNRule {
        NaNRule(propagation: .firstOperand, defaultIsNegative: true, quietAddendHidesInvalidProduct: true)
    }

    /// Arm with FPCR.DN = 0 (Arm ARM, `FPProcessNaNs`): signaling operands first, else the positive default NaN.
    public static var propagateSignalingFirst: NaNRule {
        NaNRule(propagation: .signalingFirst, defaultIsNegative: false, quietAddendHidesInvalidProduct: false)
    }
}

/// When a result counts as tiny (IEEE 754-2019, 7.5): judged on the value rounded to the format's precision with an
/// unbounded exponent, or on the exact value.
public enum Tininess: UInt8, Sendable {
    case afterRounding
    case beforeRounding
}

/// What an architecture adds to IEEE 754, where that leaves a choice.
public struct FloatRules: Sendable, Hashable {
    public var nan: NaNRule
    public var tininess: Tininess

    public init(nan: NaNRule, tininess: Tininess) {
        self.nan = nan
        self.tininess = tininess
    }

    /// Every NaN result is the positive default NaN; tiny is what is tiny after rounding.
    public static var canonical: FloatRules { FloatRules(nan: .canonicalPositive, tininess: .afterRounding) }

    /// The rules in one byte: bits 0-1 propagation, 2 sign of the default NaN, 3 the addend's precedence, 4 tininess.
    public init(byte: UInt8) {
        nan = NaNRule(
            propagation: NaNRule.Propagation(rawValue: byte & 3) ?? .none, defaultIsNegative: byte & 4 != 0,
            quietAddendHidesInvalidProduct: byte & 8 != 0)
        tininess = byte & 16 != 0 ? .beforeRounding : .afterRounding
    }
    public var byte: UInt8 {
        nan.propagation.rawValue | (nan.defaultIsNegative ? 4 : 0) | (nan.quietAddendHidesInvalidProduct ? 8 : 0)
            | (tininess == .beforeRounding ? 16 : 0)
    }
}

/// The environment of an operation: attributes that it obeys and the flags that it adds to.
public struct Status: Sendable, Hashable {
    public var rounding: RoundingMode
    public var flags: Flags
    public var nan: NaNRule
    public var tininess: Tininess

    public init(
        rounding: RoundingMode = .nearestEven, flags: Flags = [], nan: NaNRule = .canonicalPositive,
        tininess: Tininess = .afterRounding
    ) {
        self.rounding = rounding
        self.flags = flags
        self.nan = nan
        self.tininess = tininess
    }

    public init(rounding: RoundingMode, _ rules: FloatRules) {
        self.init(rounding: rounding, nan: rules.nan, tininess: rules.tininess)
    }

    @inline(__always)
    mutating func raise(_ raised: Flags) {
        flags = Flags(rawValue: flags.rawValue | raised.rawValue)
    }
}
