// Cases that the standard or an architecture's manual fixes one by one: flags of tiny and huge results, invalid
// operations, NaN rules, minimum and maximum, saturation.

import SoftFloat
import TestSupport
import Testing

private let one64: UInt64 = 0x3ff0_0000_0000_0000
private let infinity64: UInt64 = 0x7ff0_0000_0000_0000
private let quiet64: UInt64 = 0x7ff8_0000_0000_0000
private let signaling64: UInt64 = 0x7ff0_0000_0000_0001
private let sign64: UInt64 = 0x8000_0000_0000_0000

private func outcome<Value: Equatable>(_ value: Value, _ flags: Flags = []) -> Outcome<Value> {
    Outcome(value: value, flags: flags)
}

@Suite struct SpecialCaseTests {
    // MARK: Overflow and underflow

    @Test func overflowDependsOnTheRoundingDirection() {
        let largest = Binary64.largestFinite
        let expected: [(RoundingMode, UInt64, UInt64)] = [
            (.nearestEven, infinity64, infinity64),
            (.nearestMaxMagnitude, infinity64, infinity64),
            (.towardZero, largest, largest),
            (.down, largest, infinity64),
            (.up, infinity64, largest),
        ]
        for (mode, positive, negative) in expected {
            #expect(run(mode) { Binary64.add(largest, largest, &$0) } == outcome(positive, [.overflow, .inexact]))
            #expect(
                run(mode) { Binary64.add(largest | sign64, largest | sign64, &$0) }
                    == outcome(negative | sign64, [.overflow, .inexact]))
        }
        // Below half a unit above the largest number: rounds back, no overflow.
        #expect(run { Binary64.add(largest, one64, &$0) } == outcome(largest, .inexact))
        #expect(run(.up) { Binary64.add(largest, one64, &$0) } == outcome(infinity64, [.overflow, .inexact]))
    }

    @Test func tininessIsJudgedAfterRoundingUnlessToldOtherwise() {
        // Rounds to the smallest normal number in the format, and in its precision with an unbounded exponent alike.
        let nearlyNormal: UInt64 = 0x380f_ffff_f000_0000  // 2^-126 * (1 - 2^-25)
        #expect(run { Binary64.toBinary32(nearlyNormal, &$0) } == outcome(0x0080_0000, .inexact))
        #expect(
            run(tininess: .beforeRounding) { Binary64.toBinary32(nearlyNormal, &$0) }
                == outcome(0x0080_0000, [.underflow, .inexact]))
        // 2^-126 * (1 - 2^-24) is a number of that precision: tiny either way, though the result is normal.
        let tiny: UInt64 = 0x380f_ffff_e000_0000
        for tininess in [Tininess.afterRounding, .beforeRounding] {
            #expect(
                run(tininess: tininess) { Binary64.toBinary32(tiny, &$0) }
                    == outcome(0x0080_0000, [.underflow, .inexact]))
        }
    }

    @Test func exactSubnormalsRaiseNothing() {
        #expect(run { Binary64.multiply(Binary64.smallestNormal, 0x3fe0_0000_0000_0000, &$0) } == outcome(1 << 51))
        #expect(run { Binary64.add(1, 1, &$0) } == outcome(2))
        #expect(run { Binary32.subtract(0x0080_0000, 1, &$0) } == outcome(0x007f_ffff))
        #expect(run { Binary64.toBinary32(0x36a0_0000_0000_0000, &$0) } == outcome(1))
    }

    @Test func resultsBelowTheSmallestSubnormalRoundByDirection() {
        let expected: [(RoundingMode, UInt64)] = [
            (.nearestEven, 0), (.nearestMaxMagnitude, 1), (.towardZero, 0), (.down, 0), (.up, 1),
        ]
        for (mode, value) in expected {
            // Half of the smallest subnormal.
            #expect(
                run(mode) { Binary64.multiply(1, 0x3fe0_0000_0000_0000, &$0) }
                    == outcome(value, [.underflow, .inexact]))
        }
        // A product far below the format keeps its sign beside a zero addend.
        let fused = run(.nearestEven) { Binary64.fusedMultiplyAdd(1 | sign64, 1, 0, &$0) }
        #expect(fused == outcome(sign64, [.underflow, .inexact]))
        let up = run(.up) { Binary64.fusedMultiplyAdd(1, 1, sign64, &$0) }
        #expect(up == outcome(1, [.underflow, .inexact]))
    }

    // MARK: Zeros and infinities

    @Test func cancellationGivesPlusZeroExceptRoundingDown() {
        for mode in RoundingMode.allCases {
            let zero = mode == .down ? sign64 : 0
            #expect(run(mode) { Binary64.subtract(one64, one64, &$0) } == outcome(zero))
            #expect(run(mode) { Binary64.add(0, sign64, &$0) } == outcome(zero))
            #expect(run(mode) { Binary64.add(sign64, sign64, &$0) } == outcome(sign64))
            #expect(run(mode) { Binary64.fusedMultiplyAdd(one64, one64, one64 | sign64, &$0) } == outcome(zero))
            #expect(run(mode) { Binary64.fusedMultiplyAdd(0, one64, sign64, &$0) } == outcome(zero))
            #expect(run(mode) { Binary64.squareRoot(sign64, &$0) } == outcome(sign64))
        }
    }

    @Test func invalidOperationsGiveTheDefaultNaN() {
        let nan = outcome(quiet64, .invalid)
        #expect(run { Binary64.subtract(infinity64, infinity64, &$0) } == nan)
        #expect(run { Binary64.add(infinity64, infinity64 | sign64, &$0) } == nan)
        #expect(run { Binary64.multiply(0, infinity64, &$0) } == nan)
        #expect(run { Binary64.divide(0, sign64, &$0) } == nan)
        #expect(run { Binary64.divide(infinity64, infinity64, &$0) } == nan)
        #expect(run { Binary64.squareRoot(one64 | sign64, &$0) } == nan)
        #expect(run { Binary64.squareRoot(infinity64 | sign64, &$0) } == nan)
        #expect(run { Binary64.fusedMultiplyAdd(one64, infinity64, infinity64 | sign64, &$0) } == nan)
        #expect(run { Binary64.fusedMultiplyAdd(one64, infinity64, infinity64, negateProduct: true, &$0) } == nan)
        #expect(run { Binary64.fusedMultiplyAdd(one64, infinity64, infinity64, negateAddend: true, &$0) } == nan)
        #expect(run { Binary64.fusedMultiplyAdd(0, infinity64, one64, &$0) } == nan)
        #expect(run { Binary64.fusedMultiplyAdd(0, infinity64, quiet64, &$0) } == nan)
        #expect(run { Binary64.divide(one64, 0, &$0) } == outcome(infinity64, .divideByZero))
        #expect(run { Binary64.divide(one64, sign64, &$0) } == outcome(infinity64 | sign64, .divideByZero))
        #expect(run { Binary64.divide(infinity64, 0, &$0) } == outcome(infinity64))
        #expect(run { Binary64.divide(one64, infinity64 | sign64, &$0) } == outcome(sign64))
    }

    // MARK: NaNs

    @Test func canonicalRuleHidesOperands() {
        let payload: UInt64 = quiet64 | sign64 | 0x1234
        #expect(run { Binary64.add(payload, one64, &$0) } == outcome(quiet64))
        #expect(run { Binary64.add(one64, signaling64, &$0) } == outcome(quiet64, .invalid))
        #expect(run { Binary32.multiply(0xffc1_2345, 0, &$0) } == outcome(0x7fc0_0000))
        #expect(run { Binary16.squareRoot(0xfe01, &$0) } == outcome(0x7e00))
        #expect(run { Binary16.squareRoot(0xbc00, &$0) } == outcome(0x7e00, .invalid))
        #expect(run { Binary64.toBinary32(payload, &$0) } == outcome(0x7fc0_0000))
        #expect(run { Binary32.toBinary64(0x7f80_0001, &$0) } == outcome(quiet64, .invalid))
        #expect(run { Binary64.roundToIntegral(signaling64, raisesInexact: false, &$0) } == outcome(quiet64, .invalid))
    }

    @Test func propagatingRulesChooseTheirOperand() {
        let first: UInt64 = quiet64 | 0x11
        let second: UInt64 = 0x7ff0_0000_0000_0022  // signaling
        let x86 = NaNRule.propagateFirst
        let arm = NaNRule.propagateSignalingFirst
        #expect(run(nan: x86) { Binary64.add(first, second, &$0) } == outcome(first, .invalid))
        #expect(run(nan: arm) { Binary64.add(first, second, &$0) } == outcome(second | 1 << 51, .invalid))
        #expect(run(nan: arm) { Binary64.add(one64, first, &$0) } == outcome(first))
        #expect(run(nan: x86) { Binary64.add(one64, second, &$0) } == outcome(second | 1 << 51, .invalid))
        #expect(run(nan: x86) { Binary64.subtract(infinity64, infinity64, &$0) } == outcome(quiet64 | sign64, .invalid))
        #expect(run(nan: arm) { Binary64.subtract(infinity64, infinity64, &$0) } == outcome(quiet64, .invalid))
        #expect(run(nan: x86) { Binary64.fusedMultiplyAdd(0, infinity64, first, &$0) } == outcome(first))
        #expect(run(nan: arm) { Binary64.fusedMultiplyAdd(0, infinity64, first, &$0) } == outcome(first, .invalid))
        // Payloads keep their leading bits across formats.
        #expect(run(nan: x86) { Binary32.toBinary64(0xff81_0000, &$0) } == outcome(0xfff8_2000_0000_0000, .invalid))
        #expect(run(nan: x86) { Binary64.toBinary32(0xfff8_2000_0000_0001, &$0) } == outcome(0xffc1_0000))
    }

    @Test func comparisonsRaiseInvalidByTheirKind() {
        for signaling in [false, true] {
            let onQuiet: Flags = signaling ? .invalid : []
            for (a, b) in [(quiet64, one64), (one64, quiet64), (quiet64, quiet64)] {
                #expect(run { Binary64.isEqual(a, b, signaling: signaling, &$0) } == outcome(false, onQuiet))
                #expect(run { Binary64.isLess(a, b, signaling: signaling, &$0) } == outcome(false, onQuiet))
                #expect(run { Binary64.isLessOrEqual(a, b, signaling: signaling, &$0) } == outcome(false, onQuiet))
            }
            #expect(run { Binary64.isEqual(signaling64, one64, signaling: signaling, &$0) } == outcome(false, .invalid))
            #expect(run { Binary64.isLess(one64, signaling64, signaling: signaling, &$0) } == outcome(false, .invalid))
        }
        #expect(run { Binary64.isEqual(0, sign64, signaling: false, &$0) } == outcome(true))
        #expect(run { Binary64.isLess(sign64, 0, signaling: true, &$0) } == outcome(false))
        #expect(run { Binary64.isLessOrEqual(0, sign64, signaling: true, &$0) } == outcome(true))
    }

    // MARK: Minimum and maximum

    @Test func minimumNumberIgnoresOneNaN() {
        #expect(run { Binary64.minimumNumber(quiet64, one64, &$0) } == outcome(one64))
        #expect(run { Binary64.maximumNumber(one64, quiet64, &$0) } == outcome(one64))
        #expect(run { Binary64.minimumNumber(signaling64, one64, &$0) } == outcome(one64, .invalid))
        #expect(run { Binary64.maximumNumber(one64, signaling64, &$0) } == outcome(one64, .invalid))
        #expect(run { Binary64.minimumNumber(quiet64 | sign64, quiet64 | 1, &$0) } == outcome(quiet64))
        #expect(run { Binary64.maximumNumber(quiet64, signaling64, &$0) } == outcome(quiet64, .invalid))
    }

    @Test func minimumPropagatesNaN() {
        #expect(run { Binary64.minimum(quiet64 | 5, one64, &$0) } == outcome(quiet64))
        #expect(run { Binary64.maximum(one64, quiet64 | 5, &$0) } == outcome(quiet64))
        #expect(run { Binary64.minimum(one64, signaling64, &$0) } == outcome(quiet64, .invalid))
    }

    @Test func negativeZeroIsBelowPositiveZero() {
        for (a, b) in [(sign64, UInt64(0)), (0, sign64)] {
            #expect(run { Binary64.minimumNumber(a, b, &$0) } == outcome(sign64))
            #expect(run { Binary64.maximumNumber(a, b, &$0) } == outcome(0))
            #expect(run { Binary64.minimum(a, b, &$0) } == outcome(sign64))
            #expect(run { Binary64.maximum(a, b, &$0) } == outcome(0))
        }
    }

    @Test(.seeded(11)) func minimumAndMaximumFollowTheOrderOfValues() {
        var wrong = Disagreements()
        var random = SeededRandom(seed: Seed.current)
        for _ in 0..<20_000 {
            let (a, b) = (operand(Binary32.self, &random), operand(Binary32.self, &random))
            let (x, y) = (Float(bitPattern: a), Float(bitPattern: b))
            if x.isNaN || y.isNaN || x == y { continue }
            let (low, high) = x < y ? (a, b) : (b, a)
            wrong.expect(run { Binary32.minimumNumber(a, b, &$0) } == outcome(low), "min \(x) \(y)")
            wrong.expect(run { Binary32.minimum(a, b, &$0) } == outcome(low), "minm \(x) \(y)")
            wrong.expect(run { Binary32.maximumNumber(a, b, &$0) } == outcome(high), "max \(x) \(y)")
            wrong.expect(run { Binary32.maximum(a, b, &$0) } == outcome(high), "maxm \(x) \(y)")
        }
        #expect(wrong.count == 0, "\(wrong.first)")
    }

    // MARK: Integers

    @Test func integersSaturateWithInvalidAlone() {
        func bits(_ x: Double) -> UInt64 { x.bitPattern }
        let huge = bits(0x1p+64)
        for a in [huge, infinity64, quiet64, quiet64 | sign64, signaling64] {
            #expect(run { Binary64.toInt32(a, &$0) } == outcome(.max, .invalid))
            #expect(run { Binary64.toUInt32(a, &$0) } == outcome(.max, .invalid))
            #expect(run { Binary64.toInt64(a, &$0) } == outcome(.max, .invalid))
            #expect(run { Binary64.toUInt64(a, &$0) } == outcome(.max, .invalid))
        }
        for a in [huge | sign64, infinity64 | sign64] {
            #expect(run { Binary64.toInt32(a, &$0) } == outcome(.min, .invalid))
            #expect(run { Binary64.toUInt32(a, &$0) } == outcome(0, .invalid))
            #expect(run { Binary64.toInt64(a, &$0) } == outcome(.min, .invalid))
            #expect(run { Binary64.toUInt64(a, &$0) } == outcome(0, .invalid))
        }
        // The limits themselves, and the rounding that decides on which side a value falls.
        #expect(run { Binary64.toInt32(bits(-0x1p+31), &$0) } == outcome(.min))
        #expect(run { Binary64.toInt32(bits(-2147483648.5), &$0) } == outcome(.min, .inexact))
        #expect(run(.down) { Binary64.toInt32(bits(-2147483648.5), &$0) } == outcome(.min, .invalid))
        #expect(run { Binary64.toInt32(bits(2147483647.5), &$0) } == outcome(.max, .invalid))
        #expect(run(.towardZero) { Binary64.toInt32(bits(2147483647.5), &$0) } == outcome(.max, .inexact))
        #expect(run { Binary64.toUInt32(bits(-0.5), &$0) } == outcome(0, .inexact))
        #expect(run(.down) { Binary64.toUInt32(bits(-0.5), &$0) } == outcome(0, .invalid))
        #expect(run { Binary64.toUInt32(sign64, &$0) } == outcome(0))
        #expect(run { Binary64.toUInt64(bits(0x1p+63), &$0) } == outcome(1 << 63))
        #expect(run { Binary64.toInt64(bits(0x1p+63), &$0) } == outcome(.max, .invalid))
        #expect(run { Binary64.toInt64(bits(-0x1p+63), &$0) } == outcome(.min))
        #expect(run { Binary32.toUInt64(Float(0x1.fffffep+63).bitPattern, &$0) } == outcome(0xffff_ff00_0000_0000))
    }

    @Test(.seeded(12)) func modularConversionKeepsTheLowBits() {
        var wrong = Disagreements()
        var random = SeededRandom(seed: Seed.current)
        for index in 0..<20_000 {
            // An integer of up to 53 bits, shifted up or down: the model is a 128-bit shift.
            let n = Int128(random.next() >> UInt64(11 + random.below(53)))
            let shift = random.below(120) - 50
            let isNegative = index & 1 == 1
            let magnitude = shift >= 0 ? n << Int128(shift) : n >> Int128(-shift)
            let value = isNegative ? -magnitude : magnitude
            let lost = shift < 0 && magnitude << Int128(-shift) != n
            let a = (isNegative ? -1.0 : 1.0) * Double(sign: .plus, exponent: shift, significand: Double(n))
            let fits = Int32(exactly: value) != nil
            let expected = outcome(Int32(truncatingIfNeeded: value), fits ? (lost ? .inexact : []) : .invalid)
            let mode = RoundingMode(rawValue: UInt8(random.below(5))) ?? .up
            let soft = run(mode) { Binary64.toInt32Modular(a.bitPattern, &$0) }
            wrong.expect(soft == expected, "\(a): \(soft), expected \(expected)")
        }
        #expect(wrong.count == 0, "\(wrong.first)")
        for a in [infinity64, infinity64 | sign64, quiet64, signaling64] {
            #expect(run { Binary64.toInt32Modular(a, &$0) } == outcome(0, .invalid))
        }
        for exponent in [83, 84, 95, 96, 126, 127, 128, 1023] {
            let a = Double(sign: .plus, exponent: exponent, significand: 1.0.nextUp).bitPattern
            let low: Int32 = exponent == 83 ? Int32.min : 0
            #expect(run { Binary64.toInt32Modular(a, &$0) } == outcome(low, .invalid), "2^\(exponent)")
        }
    }

    // MARK: Classes and flags

    @Test func classesHaveTheMasksOfTheManual() {
        let expected: [(UInt32, FloatClass, UInt64)] = [
            (0xff80_0000, .negativeInfinity, 0x001), (0xbf80_0000, .negativeNormal, 0x002),
            (0x8000_0001, .negativeSubnormal, 0x004), (0x8000_0000, .negativeZero, 0x008),
            (0x0000_0000, .positiveZero, 0x010), (0x007f_ffff, .positiveSubnormal, 0x020),
            (0x0080_0000, .positiveNormal, 0x040), (0x7f80_0000, .positiveInfinity, 0x080),
            (0x7f80_0001, .signalingNaN, 0x100), (0xffc0_0000, .quietNaN, 0x200),
        ]
        for (bits, kind, mask) in expected {
            #expect(Binary32.classify(bits) == kind)
            #expect(kind.mask == mask)
        }
    }

    @Test func flagsAccumulate() {
        var status = Status()
        _ = Binary64.divide(one64, 0, &status)
        _ = Binary64.divide(one64, 0x4008_0000_0000_0000, &status)
        _ = Binary64.add(one64, one64, &status)
        #expect(status.flags == [.divideByZero, .inexact])
    }
}
