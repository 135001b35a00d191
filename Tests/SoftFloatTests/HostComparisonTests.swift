// Round-to-nearest results against the host's own arithmetic. NaN results must be canonical.

import SoftFloat
import TestSupport
import Testing

@Suite struct HostComparisonTests {
    @Test(.seeded(1)) func binary16EqualsHost() { compare(Binary16.self, count: 20_000) }
    @Test(.seeded(1)) func binary32EqualsHost() { compare(Binary32.self, count: 60_000) }
    @Test(.seeded(1)) func binary64EqualsHost() { compare(Binary64.self, count: 60_000) }

    /// Two-operand operations, roots and comparisons. For binary16 the host computes in binary32 and rounds again, which
    /// is innocuous for these (24 >= 2 * 11 + 2).
    private func compare<F: HostFormat>(_ format: F.Type, count: Int) {
        var wrong = Disagreements()
        var status = Status()
        func check(_ name: String, _ a: F.Bits, _ b: F.Bits, _ soft: F.Bits, _ host: F.Host) {
            let expected = host.isNaN ? F.canonicalNaN : F.bits(host)
            wrong.expect(soft == expected, "\(name) \(F.host(a)) \(F.host(b)): \(F.host(soft)), host \(host)")
        }
        for (a, b) in pairs(format, random: Rounds.count(count), seed: Seed.current) {
            let x = F.host(a)
            let y = F.host(b)
            check("add", a, b, F.add(a, b, &status), x + y)
            check("subtract", a, b, F.subtract(a, b, &status), x - y)
            check("multiply", a, b, F.multiply(a, b, &status), x * y)
            check("divide", a, b, F.divide(a, b, &status), x / y)
            check("squareRoot", a, b, F.squareRoot(a, &status), x.squareRoot())
            check("round", a, b, F.roundToIntegral(a, raisesInexact: true, &status), x.rounded(.toNearestOrEven))
            wrong.expect(F.isEqual(a, b, signaling: false, &status) == (x == y), "\(x) == \(y)")
            wrong.expect(F.isLess(a, b, signaling: true, &status) == (x < y), "\(x) < \(y)")
            wrong.expect(F.isLessOrEqual(a, b, signaling: true, &status) == (x <= y), "\(x) <= \(y)")
            wrong.expect(F.isNaN(a) == x.isNaN && F.isSignalingNaN(a) == x.isSignalingNaN, "NaN \(a)")
        }
        #expect(wrong.count == 0, "\(wrong.first)")
    }

    @Test(.seeded(2)) func fusedMultiplyAddEqualsHost() {
        compareFused(Binary32.self, count: 100_000)
        compareFused(Binary64.self, count: 100_000)
    }

    private func compareFused<F: HostFormat>(_ format: F.Type, count: Int) {
        var wrong = Disagreements()
        var random = SeededRandom(seed: Seed.current)
        var status = Status()
        for (a, b) in pairs(format, random: Rounds.count(count), seed: Seed.current &+ 1) {
            // Every fourth addend nearly cancels the product.
            let product = F.host(a) * F.host(b)
            let c =
                random.below(4) == 0 && !product.isNaN
                ? (F.bits(product) ^ F.signMask) ^ F.Bits(random.below(2)) : operand(format, &random)
            let negateProduct = random.below(2) == 0
            let negateAddend = random.below(2) == 0
            let soft = F.fusedMultiplyAdd(
                a, b, c, negateProduct: negateProduct, negateAddend: negateAddend, &status)
            let x = negateProduct ? -F.host(a) : F.host(a)
            let host = (negateAddend ? -F.host(c) : F.host(c)).addingProduct(x, F.host(b))
            wrong.expect(
                soft == (host.isNaN ? F.canonicalNaN : F.bits(host)),
                "\(x) * \(F.host(b)) + \(F.host(c)): \(F.host(soft)), host \(host)")
        }
        #expect(wrong.count == 0, "\(wrong.first)")
    }

    @Test(.seeded(4)) func conversionsBetweenFormatsEqualHost() {
        var wrong = Disagreements()
        var random = SeededRandom(seed: Seed.current)
        var status = Status()
        func check<F: HostFormat>(_ format: F.Type) {
            for a in edges(format) + (0..<Rounds.count(60_000)).map({ _ in operand(format, &random) }) {
                let x = F.host(a)
                let h = x.isNaN ? Binary16.canonicalNaN : Float16(x).bitPattern
                let s = x.isNaN ? Binary32.canonicalNaN : Float(x).bitPattern
                let d = x.isNaN ? Binary64.canonicalNaN : Double(x).bitPattern
                wrong.expect(F.toBinary16(a, &status) == h, "\(x) to binary16")
                wrong.expect(F.toBinary32(a, &status) == s, "\(x) to binary32")
                wrong.expect(F.toBinary64(a, &status) == d, "\(x) to binary64")
            }
        }
        check(Binary16.self)
        check(Binary32.self)
        check(Binary64.self)
        #expect(wrong.count == 0, "\(wrong.first)")
    }

    @Test(.seeded(5)) func conversionsFromIntegersEqualHost() {
        var wrong = Disagreements()
        var random = SeededRandom(seed: Seed.current)
        func check<F: HostFormat>(_ format: F.Type, _ n: UInt64) {
            func one<I: FixedWidthInteger>(_ value: I, _ soft: F.Bits, _ flags: Flags) {
                let host = F.Host(value)
                wrong.expect(soft == F.bits(host), "\(value): \(F.host(soft)), host \(host)")
                let isExact = host.isFinite && Int128(exactly: host) == Int128(value)
                wrong.expect(flags.contains(.inexact) == !isExact, "\(value) to \(F.name): inexact")
                wrong.expect(flags.contains(.overflow) == host.isInfinite, "\(value) to \(F.name): overflow")
            }
            var status = Status()
            one(Int64(bitPattern: n), F.from(Int64(bitPattern: n), &status), status.flags)
            status = Status()
            one(n, F.from(n, &status), status.flags)
            status = Status()
            one(UInt32(truncatingIfNeeded: n), F.from(UInt32(truncatingIfNeeded: n), &status), status.flags)
            status = Status()
            one(Int32(truncatingIfNeeded: n), F.from(Int32(truncatingIfNeeded: n), &status), status.flags)
        }
        var values: [UInt64] = [0]
        for bit in 0..<64 { for delta in [0, 1, ~0] as [UInt64] { values.append((1 &<< UInt64(bit)) &+ delta) } }
        for _ in 0..<Rounds.count(20_000) { values.append(random.next() &>> UInt64(random.below(64))) }
        for n in values + values.map({ 0 &- $0 }) {
            check(Binary32.self, n)
            check(Binary64.self, n)
            // The host's binary16 conversion rounds twice (by way of binary32), unless the integer is exact there.
            if n < 1 << 24 { check(Binary16.self, n) }
        }
        #expect(wrong.count == 0, "\(wrong.first)")
    }
}
