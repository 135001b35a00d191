// binary16 against a model that knows no floating-point algorithm: the exact result is compared with the values of
// encodings in 128-bit integers, and the encoding is found by bisection. All modes, all flags.

import SoftFloat
import TestSupport
import Testing

/// The model. An exact magnitude is a function that compares it with n * 2^-26, where half a unit in the last place of
/// every binary16 is an integer.
private enum Model {
    typealias Exact = (_ n: Int128) -> Int128  // has the sign of |exact| - n * 2^-26

    /// The magnitude of an encoding in units of 2^-26; infinity counts as 2^16, the next value without a limit.
    static func value(_ code: UInt16) -> Int128 {
        let field = Int(code >> 10)
        let fraction = Int128(code & 0x3ff)
        return field == 0 ? fraction << 2 : (fraction + 0x400) << Int128(field - 1 + 2)
    }

    static func round(
        _ isNegative: Bool, _ mode: RoundingMode, tininess: Tininess, _ exact: Exact
    ) -> Outcome<UInt16> {
        // The largest encoding at or below the exact value: lower <= exact < upper.
        var lower: UInt16 = 0
        var upper: UInt16 = 0x7c01
        while upper - lower > 1 {
            let middle = (lower + upper) / 2
            if exact(value(middle)) >= 0 { lower = middle } else { upper = middle }
        }
        let sign: UInt16 = isNegative ? 0x8000 : 0
        let towardLarger = mode == (isNegative ? .down : .up)
        let isNearest = mode == .nearestEven || mode == .nearestMaxMagnitude
        if lower == 0x7c00 {
            return Outcome(value: sign | (isNearest || towardLarger ? 0x7c00 : 0x7bff), flags: [.overflow, .inexact])
        }
        if exact(value(lower)) == 0 { return Outcome(value: sign | lower, flags: []) }
        let half = exact((value(lower) + value(lower + 1)) / 2)
        let goesUp: Bool
        switch mode {
        case .nearestEven: goesUp = half > 0 || (half == 0 && lower & 1 == 1)
        case .nearestMaxMagnitude: goesUp = half >= 0
        default: goesUp = towardLarger
        }
        let code = goesUp ? lower + 1 : lower
        var flags: Flags = .inexact
        if code == 0x7c00 { flags.insert(.overflow) }
        // 2^-14 is 4096 units. With eleven bits and no lower limit, the neighbour below it is 4094.
        if exact(4096) < 0 {
            let reachesNormal = isNearest ? exact(4095) >= 0 : towardLarger && exact(4094) > 0
            if tininess == .beforeRounding || !reachesNormal { flags.insert(.underflow) }
        }
        return Outcome(value: sign | code, flags: flags)
    }

    /// A finite operand as an integer in units of 2^-24.
    static func integer(_ bits: UInt16) -> Int128 {
        let magnitude = value(bits & 0x7fff) >> 2
        return bits & 0x8000 != 0 ? -magnitude : magnitude
    }

    static func zero(_ isNegative: Bool) -> Outcome<UInt16> { Outcome(value: isNegative ? 0x8000 : 0, flags: []) }

    /// The sum of two terms in units of 2^-48, whose signs matter when both are zero.
    static func sum(
        _ x: Int128, _ xIsNegative: Bool, _ y: Int128, _ yIsNegative: Bool, _ mode: RoundingMode, _ tininess: Tininess
    ) -> Outcome<UInt16> {
        let total = x + y
        if total == 0 { return zero(xIsNegative == yIsNegative ? xIsNegative : mode == .down) }
        let magnitude = Int128(total.magnitude)
        return round(total < 0, mode, tininess: tininess) { magnitude - $0 << 22 }
    }
}

@Suite struct ExactModelTests {
    private func isFinite(_ bits: UInt16) -> Bool { bits & 0x7c00 != 0x7c00 }

    @Test(.seeded(6)) func sumsProductsAndQuotientsAreExactlyRounded() {
        var wrong = Disagreements()
        var random = SeededRandom(seed: Seed.current)
        var operands = pairs(Binary16.self, random: Rounds.count(25_000), seed: Seed.current &+ 1)
        // Uniform pairs as well: the format is small.
        for _ in 0..<Rounds.count(15_000) {
            operands.append((UInt16(truncatingIfNeeded: random.next()), UInt16(truncatingIfNeeded: random.next())))
        }
        for (a, b) in operands where isFinite(a) && isFinite(b) {
            let x = Model.integer(a)
            let y = Model.integer(b)
            let c = operand(Binary16.self, &random)
            let mode = RoundingMode(rawValue: UInt8(random.below(5))) ?? .nearestEven
            let tininess: Tininess = random.below(2) == 0 ? .afterRounding : .beforeRounding
            let aNegative = a & 0x8000 != 0
            let bNegative = b & 0x8000 != 0
            let sign = aNegative != bNegative
            func check(_ name: String, _ expected: Outcome<UInt16>, _ operation: (inout Status) -> UInt16) {
                let soft = run(mode, tininess: tininess, operation)
                wrong.expect(soft == expected, "\(name) \(a) \(b) \(c) \(mode) \(tininess): \(soft), exact \(expected)")
            }
            check("add", Model.sum(x << 24, aNegative, y << 24, bNegative, mode, tininess)) { Binary16.add(a, b, &$0) }
            check("subtract", Model.sum(x << 24, aNegative, -y << 24, !bNegative, mode, tininess)) {
                Binary16.subtract(a, b, &$0)
            }
            let product = Int128((x * y).magnitude)
            check(
                "multiply",
                product == 0
                    ? Model.zero(sign)
                    : Model.round(sign, mode, tininess: tininess) { product - $0 << 22 }
            ) { Binary16.multiply(a, b, &$0) }
            if y != 0 {
                let (m, n) = (Int128(x.magnitude), Int128(y.magnitude))
                check(
                    "divide",
                    x == 0
                        ? Model.zero(sign)
                        : Model.round(sign, mode, tininess: tininess) { m << 26 - $0 * n }
                ) { Binary16.divide(a, b, &$0) }
            }
            if isFinite(c) {
                let negateProduct = random.below(2) == 0
                let negateAddend = random.below(2) == 0
                let p = negateProduct ? -(x * y) : x * y
                let z = Model.integer(c) << 24
                let expected = Model.sum(
                    p, sign != negateProduct, negateAddend ? -z : z, (c & 0x8000 != 0) != negateAddend, mode, tininess)
                check("fusedMultiplyAdd", expected) {
                    Binary16.fusedMultiplyAdd(a, b, c, negateProduct: negateProduct, negateAddend: negateAddend, &$0)
                }
            }
        }
        #expect(wrong.count == 0, "\(wrong.first)")
    }

    @Test func everySquareRootIsExactlyRounded() {
        var wrong = Disagreements()
        for a in UInt16(1)..<0x7c00 {
            let x = Model.integer(a)
            for mode in RoundingMode.allCases {
                let expected = Model.round(false, mode, tininess: .afterRounding) { x << 28 - $0 * $0 }
                let soft = run(mode) { Binary16.squareRoot(a, &$0) }
                wrong.expect(soft == expected, "\(a) \(mode): \(soft), exact \(expected)")
            }
        }
        #expect(wrong.count == 0, "\(wrong.first)")
    }

    @Test func everyValueRoundsToTheRightInteger() {
        var wrong = Disagreements()
        for a in UInt16(0)...0xffff where isFinite(a) {
            let x = Model.integer(a)
            let isNegative = a & 0x8000 != 0
            // Int128's shift rounds down; the rest is the distance above.
            let floor = x >> 24
            let rest = x - floor << 24
            let half: Int128 = 1 << 23
            for mode in RoundingMode.allCases {
                let goesUp: Bool
                switch mode {
                case .nearestEven: goesUp = rest > half || (rest == half && floor & 1 == 1)
                case .nearestMaxMagnitude: goesUp = isNegative ? rest > half : rest >= half
                case .towardZero: goesUp = isNegative && rest != 0
                case .down: goesUp = false
                case .up: goesUp = rest != 0
                }
                let integer = goesUp ? floor + 1 : floor
                let inexact: Flags = rest == 0 ? [] : .inexact
                let isRepresentable = integer >= 0
                let unsigned = Outcome(
                    value: isRepresentable ? UInt32(integer) : 0, flags: isRepresentable ? inexact : .invalid)
                wrong.expect(run(mode) { Binary16.toUInt32(a, &$0) } == unsigned, "\(a) \(mode) to UInt32")
                wrong.expect(
                    run(mode) { Binary16.toInt64(a, &$0) } == Outcome(value: Int64(integer), flags: inexact),
                    "\(a) \(mode) to Int64")
                wrong.expect(
                    run(mode) { Binary16.toInt32(a, &$0) } == Outcome(value: Int32(integer), flags: inexact),
                    "\(a) \(mode) to Int32")
                // The integral value has the operand's sign, zero too.
                let magnitude = Float16(Int(integer.magnitude)).bitPattern
                let integral = isNegative ? magnitude | 0x8000 : magnitude
                wrong.expect(
                    run(mode) { Binary16.roundToIntegral(a, raisesInexact: true, &$0) }
                        == Outcome(value: integral, flags: inexact), "\(a) \(mode) to integral")
                wrong.expect(
                    run(mode) { Binary16.roundToIntegral(a, raisesInexact: false, &$0) }
                        == Outcome(value: integral, flags: []), "\(a) \(mode) to integral, silent")
            }
        }
        #expect(wrong.count == 0, "\(wrong.first)")
    }
}
