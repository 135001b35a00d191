// Conversion between formats, to and from integers, and rounding to integral values (IEEE 754-2019, 5.4.2, 5.8, 5.9).

extension Core {
    // MARK: Between formats

    @inline(__always)
    static func convert<To: WorkingFormat>(_ a: Bits, to: To.Type, _ status: inout Status) -> To.Bits {
        if !isFinite(a) { return convertSpecial(a, to: to, &status) }
        if isZero(a) { return Core<To>.signed(0, isNegative(a)) }
        let x = unpack(a)
        return Core<To>.round(x.isNegative, x.exponent, x.significand.justified(as: To.Work.self), &status)
    }

    @inline(never)
    private static func convertSpecial<To: WorkingFormat>(
        _ a: Bits, to: To.Type, _ status: inout Status
    ) -> To.Bits {
        if isInfinite(a) { return Core<To>.signed(To.infinity, isNegative(a)) }
        if isSignalingNaN(a) { status.raise(.invalid) }
        if status.nan.propagation == .none { return Core<To>.defaultNaN(status.nan) }
        // The payload keeps its leading bits.
        let down = Bits(truncatingIfNeeded: Swift.max(0, F.fractionBits &- To.fractionBits))
        let up = To.Bits(truncatingIfNeeded: Swift.max(0, To.fractionBits &- F.fractionBits))
        let payload = To.Bits(truncatingIfNeeded: (a & fractionMask) &>> down) &<< up
        return Core<To>.signed(To.canonicalNaN | payload, isNegative(a))
    }

    // MARK: From integers

    @inline(__always)
    static func from(magnitude: UInt64, _ isNegative: Bool, _ status: inout Status) -> Bits {
        if magnitude == 0 { return 0 }
        let zeros = magnitude.leadingZeroBitCount
        let significand = magnitude &<< UInt64(truncatingIfNeeded: zeros)
        return round(isNegative, 63 &- zeros, significand.justified(as: Work.self), &status)
    }

    // MARK: To integers

    /// |x| < 2^64 as an integer and a fraction of 64 bits, the last of them sticky.
    @inline(__always)
    private static func split(_ x: Number) -> (whole: UInt64, fraction: UInt64) {
        let aligned = x.significand.justified(as: UInt64.self)
        if x.exponent < 0 { return (0, aligned.shiftedRightJamming(-1 &- x.exponent)) }
        let whole = aligned &>> UInt64(truncatingIfNeeded: 63 &- x.exponent)
        return (whole, x.exponent == 63 ? 0 : aligned &<< UInt64(truncatingIfNeeded: x.exponent &+ 1))
    }

    /// Whether rounding takes the magnitude up to the next integer.
    @inline(__always)
    private static func roundsUp(_ mode: RoundingMode, _ isNegative: Bool, isOdd: Bool, fraction: UInt64) -> Bool {
        let half: UInt64 = 1 &<< 63
        switch mode {
        case .nearestEven: return fraction > half || (fraction == half && isOdd)
        case .nearestMaxMagnitude: return fraction >= half
        case .towardZero: return false
        case .down: return isNegative && fraction != 0
        case .up: return !isNegative && fraction != 0
        }
    }

    /// The rounded value, or nil (and invalid) if it is not in `lowest ... highest`, given as magnitudes.
    @inline(__always)
    private static func toMagnitude(
        _ a: Bits, lowest: UInt64, highest: UInt64, _ status: inout Status
    ) -> UInt64? {
        let x = unpack(a)
        if isFinite(a) && x.exponent < 64 {
            let (whole, fraction) = split(x)
            let up = roundsUp(status.rounding, x.isNegative, isOdd: whole & 1 != 0, fraction: fraction)
            let (magnitude, carry) = whole.addingReportingOverflow(up ? 1 : 0)
            if !carry && magnitude <= (x.isNegative ? lowest : highest) {
                if fraction != 0 { status.raise(.inexact) }
                return magnitude
            }
        }
        status.raise(.invalid)
        return nil
    }

    /// Two's complement, in the low bits of the result.
    @inline(__always)
    static func toInteger<I: FixedWidthInteger>(_ a: Bits, as: I.Type, _ status: inout Status) -> I {
        let highest = UInt64(truncatingIfNeeded: I.max)
        let lowest = I.isSigned ? highest &+ 1 : 0
        if let magnitude = toMagnitude(a, lowest: lowest, highest: highest, &status) {
            return I(truncatingIfNeeded: isNegative(a) ? 0 &- magnitude : magnitude)
        }
        return isNegative(a) && !isNaN(a) ? I.min : I.max
    }

    @inline(__always)
    static func toInt32Modular(_ a: Bits, _ status: inout Status) -> Int32 {
        if !isFinite(a) {
            status.raise(.invalid)
            return 0
        }
        var truncating = status
        truncating.rounding = .towardZero
        _ = toInteger(a, as: Int32.self, &truncating)
        status.flags = truncating.flags
        let x = unpack(a)
        let magnitude: UInt64
        if x.exponent < 64 {
            magnitude = split(x).whole
        } else if x.exponent < 127 {
            magnitude = x.significand.justified(as: UInt64.self) &<< UInt64(truncatingIfNeeded: x.exponent &- 63)
        } else {
            magnitude = 0
        }
        return Int32(truncatingIfNeeded: x.isNegative ? 0 &- magnitude : magnitude)
    }

    // MARK: To integral values

    @inline(__always)
    static func roundToIntegral(_ a: Bits, _ raisesInexact: Bool, _ status: inout Status) -> Bits {
        let field = Int(truncatingIfNeeded: (a & F.infinity) &>> Bits(truncatingIfNeeded: F.fractionBits))
        let exponent = field &- bias
        if exponent >= F.fractionBits {
            return isNaN(a) ? propagate(a, 0, 0, &status) : a
        }
        if isZero(a) { return a }
        if raisesInexact && exponent < 0 { status.raise(.inexact) }
        if exponent < 0 {
            let (_, fraction) = split(unpack(a))
            let up = roundsUp(status.rounding, isNegative(a), isOdd: false, fraction: fraction)
            let one = Bits(truncatingIfNeeded: bias) &<< Bits(truncatingIfNeeded: F.fractionBits)
            return signed(up ? one : 0, isNegative(a))
        }
        // Round the encoding itself: a carry out of the fraction is the next exponent.
        let unit: Bits = 1 &<< Bits(truncatingIfNeeded: F.fractionBits &- exponent)
        let half = unit &>> 1
        let mask = unit &- 1
        let remainder = a & mask
        if remainder == 0 { return a }
        if raisesInexact { status.raise(.inexact) }
        switch status.rounding {
        case .nearestEven:
            let rounded = (a &+ half) & ~mask
            return remainder == half ? rounded & ~unit : rounded
        case .nearestMaxMagnitude: return (a &+ half) & ~mask
        case .towardZero: return a & ~mask
        case .down: return (isNegative(a) ? a &+ mask : a) & ~mask
        case .up: return (isNegative(a) ? a : a &+ mask) & ~mask
        }
    }
}
