// Comparison, minimum and maximum, classification (IEEE 754-2019, 5.11, 9.6, 5.7.2).

extension Core {
    /// Whether the comparison of `a` and `b` is unordered; raises what a NaN operand calls for.
    @inline(__always)
    private static func isUnordered(_ a: Bits, _ b: Bits, _ signaling: Bool, _ status: inout Status) -> Bool {
        if !isNaN(a) && !isNaN(b) { return false }
        if signaling || isSignalingNaN(a) || isSignalingNaN(b) { status.raise(.invalid) }
        return true
    }

    /// Encodings as integers in the order of their values, with -0 just below +0. Not for NaNs.
    @inline(__always)
    private static func order(_ a: Bits) -> Bits { isNegative(a) ? ~a : a | F.signMask }

    @inline(__always)
    private static func areZeros(_ a: Bits, _ b: Bits) -> Bool { isZero(a | b) }

    @inline(__always)
    static func isEqual(_ a: Bits, _ b: Bits, _ signaling: Bool, _ status: inout Status) -> Bool {
        if isUnordered(a, b, signaling, &status) { return false }
        return a == b || areZeros(a, b)
    }

    @inline(__always)
    static func isLess(_ a: Bits, _ b: Bits, _ signaling: Bool, _ status: inout Status) -> Bool {
        if isUnordered(a, b, signaling, &status) { return false }
        return order(a) < order(b) && !areZeros(a, b)
    }

    @inline(__always)
    static func isLessOrEqual(_ a: Bits, _ b: Bits, _ signaling: Bool, _ status: inout Status) -> Bool {
        if isUnordered(a, b, signaling, &status) { return false }
        return order(a) <= order(b) || areZeros(a, b)
    }

    @inline(__always)
    static func extremeNumber(_ a: Bits, _ b: Bits, wantsLess: Bool, _ status: inout Status) -> Bits {
        if isUnordered(a, b, false, &status) {
            if isNaN(a) && isNaN(b) { return propagate(a, b, 0, &status) }
            return isNaN(a) ? b : a
        }
        return (order(a) < order(b)) == wantsLess ? a : b
    }

    @inline(__always)
    static func extreme(_ a: Bits, _ b: Bits, wantsLess: Bool, _ status: inout Status) -> Bits {
        if isNaN(a) || isNaN(b) { return propagate(a, b, 0, &status) }
        return (order(a) < order(b)) == wantsLess ? a : b
    }

    @inline(__always)
    static func classify(_ a: Bits) -> FloatClass {
        if isNaN(a) { return isSignalingNaN(a) ? .signalingNaN : .quietNaN }
        let negative = isNegative(a)
        if isInfinite(a) { return negative ? .negativeInfinity : .positiveInfinity }
        if isZero(a) { return negative ? .negativeZero : .positiveZero }
        if a & F.infinity == 0 { return negative ? .negativeSubnormal : .positiveSubnormal }
        return negative ? .negativeNormal : .positiveNormal
    }
}
