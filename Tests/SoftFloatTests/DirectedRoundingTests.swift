// binary32 and binary64 in all rounding modes by independent means: the sign of the host's exact residual tells on which
// side of the nearest result the true one lies, and with it every other mode's result and the inexact flag.

import SoftFloat
import TestSupport
import Testing

@Suite struct DirectedRoundingTests {
    @Test(.seeded(8)) func binary32FollowsTheResidual() { compare(Binary32.self) }
    @Test(.seeded(8)) func binary64FollowsTheResidual() { compare(Binary64.self) }

    private func compare<F: HostFormat>(_ format: F.Type) {
        var wrong = Disagreements()
        var random = SeededRandom(seed: Seed.current)
        // Exponents near zero: residuals neither overflow nor underflow.
        func moderate() -> F.Bits {
            let bits = operand(format, &random)
            let field = F.Bits((1 << (F.exponentBits - 1)) - 9 + random.below(17))
            return (bits & ~F.infinity) | field << F.Bits(F.fractionBits)
        }
        for _ in 0..<Rounds.count(25_000) {
            let (a, b) = (moderate(), moderate())
            let (x, y) = (F.host(a), F.host(b))

            let sum = x + y
            let t = sum - x
            let sumResidual = (x - (sum - t)) + (y - t)  // Knuth's TwoSum
            if sum != 0 {
                check(sum, sumResidual, exact: true, "\(x) + \(y)") { F.add(a, b, &$0) }
                check(sum, sumResidual, exact: true, "\(x) - -\(y)") { F.subtract(a, b ^ F.signMask, &$0) }
            }
            let product = x * y
            check(product, (-product).addingProduct(x, y), exact: true, "\(x) * \(y)") { F.multiply(a, b, &$0) }
            let quotient = x / y
            let rest = x.addingProduct(-quotient, y)
            check(quotient, y < 0 ? -rest : rest, exact: false, "\(x) / \(y)") { F.divide(a, b, &$0) }
            let magnitude = a & ~F.signMask
            let root = F.host(magnitude).squareRoot()
            let rootRest = F.host(magnitude).addingProduct(-root, root)
            check(root, rootRest, exact: false, "root \(magnitude)") { F.squareRoot(magnitude, &$0) }
        }
        #expect(wrong.count == 0, "\(wrong.first)")

        /// `residual` has the sign of (true - nearest), and is that difference if `exact`.
        func check(
            _ nearest: F.Host, _ residual: F.Host, exact: Bool, _ text: String, _ operation: (inout Status) -> F.Bits
        ) {
            let below = residual < 0 ? nearest.nextDown : nearest
            let above = residual > 0 ? nearest.nextUp : nearest
            let isTie = exact && residual != 0 && abs(residual) == abs(above - below) / 2
            for mode in RoundingMode.allCases {
                let value: F.Host
                switch mode {
                case .nearestEven: value = nearest
                case .towardZero: value = nearest < 0 ? above : below
                case .down: value = below
                case .up: value = above
                case .nearestMaxMagnitude: value = !isTie ? nearest : nearest < 0 ? below : above
                }
                let expected = Outcome(value: F.bits(value), flags: residual == 0 ? [] : .inexact)
                let soft = run(mode, operation)
                wrong.expect(soft == expected, "\(F.name) \(text) \(mode): \(soft), expected \(expected)")
            }
        }
    }

    @Test(.seeded(9)) func fusedMultiplyAddRoundsTheExactInteger() {
        var wrong = Disagreements()
        var random = SeededRandom(seed: Seed.current)
        check(Binary32.self)
        check(Binary64.self)
        #expect(wrong.count == 0, "\(wrong.first)")

        func check<F: HostFormat>(_ format: F.Type) {
            let precision = F.fractionBits + 1
            for _ in 0..<Rounds.count(25_000) {
                func integer() -> Int128 {
                    let n = Int128(random.next() >> UInt64(64 - precision + random.below(precision)))
                    return random.below(2) == 0 ? -n : n
                }
                let (a, b) = (integer(), integer())
                var c = integer() << Int128(random.below(2 * precision - 34))
                if random.below(3) == 0 {
                    // Cancels all but the low part of the product.
                    let high = -(a * b)
                    let cut = Int128(max(0, Int128.bitWidth - high.magnitude.leadingZeroBitCount - precision))
                    c = (high >> cut) << cut
                }
                let total = a * b + c
                if total == 0 { continue }
                for mode in RoundingMode.allCases {
                    let (value, isExact) = round(total, to: precision, mode)
                    let expected = Outcome(value: F.bits(F.Host(value)), flags: isExact ? [] : .inexact)
                    let bits = (F.bits(F.Host(a)), F.bits(F.Host(b)), F.bits(F.Host(c)))
                    let soft = run(mode) {
                        F.fusedMultiplyAdd(bits.0, bits.1, bits.2, negateProduct: false, negateAddend: false, &$0)
                    }
                    wrong.expect(
                        soft == expected, "\(F.name) \(a) * \(b) + \(c) \(mode): \(soft), expected \(expected)")
                }
            }
        }
    }

    /// An integer rounded to so many significant bits.
    private func round(_ n: Int128, to precision: Int, _ mode: RoundingMode) -> (Int128, isExact: Bool) {
        let excess = UInt128.bitWidth - n.magnitude.leadingZeroBitCount - precision
        if excess <= 0 { return (n, true) }
        let unit: Int128 = 1 << Int128(excess)
        let below = (n >> Int128(excess)) << Int128(excess)  // toward minus infinity
        if below == n { return (n, true) }
        let above = below + unit
        switch mode {
        case .down: return (below, false)
        case .up: return (above, false)
        case .towardZero: return (n < 0 ? above : below, false)
        case .nearestEven, .nearestMaxMagnitude:
            let rest = n - below
            if rest != unit / 2 { return (rest < unit / 2 ? below : above, false) }
            if mode == .nearestMaxMagnitude { return (n < 0 ? below : above, false) }
            return ((below >> Int128(excess)) & 1 == 0 ? below : above, false)
        }
    }

    @Test(.seeded(10)) func narrowingBracketsTheValue() {
        var wrong = Disagreements()
        var random = SeededRandom(seed: Seed.current)
        for a in edges(Binary64.self) + (0..<40_000).map({ _ in operand(Binary64.self, &random) }) {
            let x = Double(bitPattern: a)
            if !x.isFinite { continue }
            func narrow(_ mode: RoundingMode) -> (Float, Flags) {
                let outcome = run(mode) { Binary64.toBinary32(a, &$0) }
                return (Float(bitPattern: outcome.value), outcome.flags)
            }
            let (down, downFlags) = narrow(.down)
            let (up, upFlags) = narrow(.up)
            let isExact = Double(Float(x)) == x
            wrong.expect(Double(down) <= x && Double(up) >= x, "\(x) is not in \(down)...\(up)")
            wrong.expect(isExact ? down == up : down.nextUp == up, "\(x): \(down)...\(up) is not one step")
            wrong.expect(downFlags.contains(.inexact) == !isExact, "\(x) down: inexact")
            wrong.expect(upFlags.contains(.inexact) == !isExact, "\(x) up: inexact")
            let (zero, _) = narrow(.towardZero)
            wrong.expect(zero == (x < 0 ? up : down), "\(x) toward zero")
            let (nearest, nearestFlags) = narrow(.nearestEven)
            wrong.expect(nearest == Float(x), "\(x) nearest")
            wrong.expect(nearestFlags.contains(.overflow) == nearest.isInfinite, "\(x) overflow")
            let (away, _) = narrow(.nearestMaxMagnitude)
            let isTie = !isExact && x - Double(down) == Double(up) - x
            let larger = x < 0 ? down : up
            wrong.expect(away == (isTie ? larger : nearest), "\(x) nearest, ties to larger magnitude")
        }
        #expect(wrong.count == 0, "\(wrong.first)")
    }
}
