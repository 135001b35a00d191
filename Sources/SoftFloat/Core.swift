// What every operation shares: taking a bit pattern apart, choosing the NaN, and rounding an exact result once.
// `Core` is written once for all formats and specialised in this module by the entry points (`Binary64` and siblings).

/// A format with the word that its significands are computed in.
protocol WorkingFormat: BinaryFormat {
    /// At least three bits wider than the precision.
    associatedtype Work: WorkWord
}

/// A finite value taken apart: significand / 2^(bitWidth-1) * 2^exponent. The significand is left-justified; it is zero
/// for a zero, whose exponent then lies below that of every other value.
struct Unpacked<Word: WorkWord> {
    var isNegative: Bool
    var exponent: Int
    var significand: Word
}

enum Core<F: WorkingFormat> {
    typealias Bits = F.Bits
    typealias Work = F.Work
    typealias Number = Unpacked<F.Work>

    @inline(__always) static var precision: Int { F.fractionBits &+ 1 }
    @inline(__always) static var bias: Int { (1 &<< (F.exponentBits &- 1)) &- 1 }
    @inline(__always) static var exponentFieldLimit: Int { (1 &<< F.exponentBits) &- 1 }
    @inline(__always) static var fractionMask: Bits { F.smallestNormal &- 1 }
    @inline(__always) static var magnitudeMask: Bits { F.signMask &- 1 }
    /// The bits of a working significand that do not fit the format.
    @inline(__always) static var excess: Int { Work.bitWidth &- precision }

    // MARK: Taking apart

    @inline(__always) static func isNegative(_ a: Bits) -> Bool { a & F.signMask != 0 }
    @inline(__always) static func isZero(_ a: Bits) -> Bool { a & magnitudeMask == 0 }
    @inline(__always) static func isInfinite(_ a: Bits) -> Bool { a & magnitudeMask == F.infinity }
    @inline(__always) static func isNaN(_ a: Bits) -> Bool { a & magnitudeMask > F.infinity }
    @inline(__always) static func isFinite(_ a: Bits) -> Bool { a & F.infinity != F.infinity }
    @inline(__always) static func isSignalingNaN(_ a: Bits) -> Bool { isNaN(a) && a & F.quietBit == 0 }

    /// `a` is finite.
    @inline(__always)
    static func unpack(_ a: Bits) -> Number {
        let field = Int(truncatingIfNeeded: (a & F.infinity) &>> Bits(truncatingIfNeeded: F.fractionBits))
        let fraction = Work(truncatingIfNeeded: a & fractionMask) &<< Work(truncatingIfNeeded: excess)
        if field != 0 {
            let leading: Work = 1 &<< Work(truncatingIfNeeded: Work.bitWidth &- 1)
            return Number(isNegative: isNegative(a), exponent: field &- bias, significand: leading | fraction)
        }
        // Zero too: the count is then the width, which makes its exponent the lowest.
        let zeros = fraction.leadingZeroBitCount
        return Number(
            isNegative: isNegative(a), exponent: 1 &- bias &- zeros,
            significand: fraction &<< Work(truncatingIfNeeded: zeros))
    }

    // MARK: Special results

    @inline(__always)
    static func signed(_ magnitude: Bits, _ isNegative: Bool) -> Bits {
        isNegative ? magnitude | F.signMask : magnitude
    }

    /// The zero that is the sum of two opposite numbers (6.3).
    @inline(__always)
    static func cancelledZero(_ status: Status) -> Bits { signed(0, status.rounding == .down) }

    static func defaultNaN(_ rule: NaNRule) -> Bits { F.defaultNaN(rule) }

    /// The result of an invalid operation on numbers.
    @inline(never)
    static func invalid(_ status: inout Status) -> Bits {
        status.raise(.invalid)
        return defaultNaN(status.nan)
    }

    /// The result of an operation of which at least one operand is a NaN. An operand that is absent is zero.
    @inline(never)
    static func propagate(_ a: Bits, _ b: Bits, _ c: Bits, _ status: inout Status) -> Bits {
        let isSignaling = (isSignalingNaN(a), isSignalingNaN(b), isSignalingNaN(c))
        let anySignals = isSignaling.0 || isSignaling.1 || isSignaling.2
        if anySignals { status.raise(.invalid) }
        let chosen: Bits
        switch status.nan.propagation {
        case .none: return defaultNaN(status.nan)
        case .signalingFirst where anySignals: chosen = isSignaling.0 ? a : isSignaling.1 ? b : c
        case .signalingFirst, .firstOperand: chosen = isNaN(a) ? a : isNaN(b) ? b : c
        }
        return chosen | F.quietBit
    }

    // MARK: Rounding

    /// Encodes significand / 2^(bitWidth-1) * 2^exponent, rounded once (4.3, 7.4, 7.5). The significand is
    /// left-justified and not zero; its lowest bit may be sticky.
    @inline(__always)
    static func round(
        _ isNegative: Bool, _ exponent: Int, _ significand: Work, _ status: inout Status
    ) -> Bits {
        let shift = Work(truncatingIfNeeded: excess)
        let unit: Work = 1 &<< shift
        let half: Work = unit &>> 1
        let mask: Work = unit &- 1
        // What is added before the excess is cut: a cut after adding `mask` rounds away from zero.
        let increment: Work
        switch status.rounding {
        case .nearestEven, .nearestMaxMagnitude: increment = half
        case .towardZero: increment = 0
        case .down: increment = isNegative ? mask : 0
        case .up: increment = isNegative ? 0 : mask
        }

        var field = exponent &+ bias
        var value = significand
        if field <= 0 {
            return roundSubnormal(isNegative, 1 &- field, significand, increment, &status)
        }
        let remainder = value & mask
        var carry: Bool
        (value, carry) = value.addingReportingOverflow(increment)
        if remainder == half && status.rounding == .nearestEven { value &= ~unit }
        if carry {
            // All of the precision's bits were ones; they are zeros now.
            value = 1 &<< Work(truncatingIfNeeded: Work.bitWidth &- 1)
            field &+= 1
        }
        if field >= exponentFieldLimit {
            status.raise([.overflow, .inexact])
            return signed(increment == 0 ? F.largestFinite : F.infinity, isNegative)
        }
        if remainder != 0 { status.raise(.inexact) }
        // The leading one adds itself to the exponent field.
        let exponentPart = Bits(truncatingIfNeeded: field &- 1) &<< Bits(truncatingIfNeeded: F.fractionBits)
        return signed(exponentPart &+ Bits(truncatingIfNeeded: value &>> shift), isNegative)
    }

    /// `round` for an exact value below the smallest normal number, by `distance` >= 1 powers of two.
    @inline(never)
    private static func roundSubnormal(
        _ isNegative: Bool, _ distance: Int, _ significand: Work, _ increment: Work, _ status: inout Status
    ) -> Bits {
        let shift = Work(truncatingIfNeeded: excess)
        let unit: Work = 1 &<< shift
        // With an unbounded exponent, only a carry out of the highest binade below can reach the smallest normal.
        let reachesNormal = distance == 1 && significand.addingReportingOverflow(increment).overflow
        let isTiny = !reachesNormal || status.tininess == .beforeRounding

        var value = significand.shiftedRightJamming(distance)
        let remainder = value & (unit &- 1)
        value &+= increment
        if remainder == unit &>> 1 && status.rounding == .nearestEven { value &= ~unit }
        if remainder != 0 { status.raise(isTiny ? [.underflow, .inexact] : .inexact) }
        // A carry into the leading one makes the exponent field 1 by itself.
        return signed(Bits(truncatingIfNeeded: value &>> shift), isNegative)
    }
}
