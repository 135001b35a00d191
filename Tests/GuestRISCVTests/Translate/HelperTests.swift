// The helpers, called as generated code calls them.

import IR
import SoftFloat
import Testing

@testable import GuestRISCV

@Suite struct HelperTests {
    let guest = RISCVGuest(cpu: .standard)

    /// Result and flags of the SoftFloat helper.
    private func soft(
        _ operation: SoftOperation, _ format: FloatFormat, _ a: UInt64, _ b: UInt64 = 0, _ c: UInt64 = 0,
        rounding: Rounding = .nearestMaxMagnitude
    ) -> (UInt64, UInt32) {
        let state = UnsafeMutableRawPointer.allocate(byteCount: guest.stateSize, alignment: 64)
        defer { state.deallocate() }
        guest.reset(state)
        let selector = SoftSelector(operation: operation, format: format, rounding: rounding)
        let helper = guest.helpers[Helper.softFloat.rawValue]
        let result = helper.function(state, UInt64(selector.rawValue), a, b, c)
        return (result, state.load(fromByteOffset: StateOffset.softFlags, as: UInt32.self))
    }

    private func bits(_ value: Double) -> UInt64 { value.bitPattern }
    private func bits(_ value: Float) -> UInt64 { UInt64(value.bitPattern) }

    @Test func tiesGoAwayFromZero() {
        #expect(soft(.toInt64, .binary64, bits(2.5)) == (3, 1))
        #expect(soft(.toInt64, .binary64, bits(-2.5)) == (UInt64(bitPattern: -3), 1))
        #expect(soft(.toInt64, .binary64, bits(2.5), rounding: .nearestEven) == (2, 1))
        #expect(soft(.round, .binary32, bits(Float(0.5))) == (bits(Float(1)), 0))
        #expect(soft(.roundExact, .binary32, bits(Float(0.5))) == (bits(Float(1)), 1))
        // 1 + 2^-53 lies halfway between two doubles.
        #expect(soft(.add, .binary64, bits(1.0), bits(0x1p-53)) == (bits(1.0 + 0x1p-52), 1))
    }

    @Test func unsignedWordsComeBackSignExtended() {
        #expect(soft(.toUInt32, .binary64, bits(4_294_967_295.0)) == (.max, 0))
        #expect(soft(.toUInt32, .binary64, bits(-1.0)) == (0, 16))
        #expect(soft(.toInt32, .binary64, bits(Double.nan)) == (0x7fff_ffff, 16))
    }

    @Test func modularConversionWraps() {
        #expect(soft(.toInt32Modular, .binary64, bits(4_294_967_299.75)) == (3, 16))
        #expect(soft(.toInt32Modular, .binary64, bits(-2.75)) == (UInt64(bitPattern: -2), 1))
        #expect(soft(.toInt32Modular, .binary64, bits(Double.infinity)) == (0, 16))
    }

    @Test func fusedOperationsHaveTheSignsOfTheirInstructions() {
        let (two, three, five) = (bits(2.0), bits(3.0), bits(5.0))
        #expect(soft(.fused(negateProduct: false, negateAddend: false), .binary64, two, three, five).0 == bits(11.0))
        #expect(soft(.fused(negateProduct: false, negateAddend: true), .binary64, two, three, five).0 == bits(1.0))
        #expect(soft(.fused(negateProduct: true, negateAddend: false), .binary64, two, three, five).0 == bits(-1.0))
        #expect(soft(.fused(negateProduct: true, negateAddend: true), .binary64, two, three, five).0 == bits(-11.0))
    }

    @Test func everyOperationGivesWhatSoftFloatGives() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let (a, b) = (UInt64.random(in: 0 ... .max, using: &random), UInt64.random(in: 0 ... .max, using: &random))
            for mode in RoundingMode.allCases {
                let rounding = Rounding(rawValue: mode.rawValue) ?? .dynamic
                var status = Status(rounding: mode)
                #expect(soft(.multiply, .binary64, a, b, rounding: rounding).0 == Binary64.multiply(a, b, &status))
                #expect(
                    soft(.divide, .binary64, a, b, rounding: rounding).1
                        == {
                            var status = Status(rounding: mode)
                            _ = Binary64.divide(a, b, &status)
                            return UInt32(status.flags.rawValue)
                        }())
                status = Status(rounding: mode)
                #expect(
                    soft(.toBinary16, .binary32, a & 0xffff_ffff, rounding: rounding).0
                        == UInt64(Binary32.toBinary16(UInt32(truncatingIfNeeded: a), &status)))
            }
        }
    }

    @Test func clockNeverGoesBack() {
        let helper = guest.helpers[Helper.clock.rawValue]
        let state = UnsafeMutableRawPointer.allocate(byteCount: guest.stateSize, alignment: 64)
        defer { state.deallocate() }
        var last: UInt64 = 0
        for _ in 0..<1000 {
            let now = helper.function(state, 0, 0, 0, 0)
            #expect(now >= last && now > 0)
            last = now
        }
    }

    @Test func descriptorsMatchTheirPlaces() {
        for helper in Helper.allCases { #expect(helper.id.index == UInt16(helper.rawValue)) }
        #expect(guest.helpers.count == Helper.allCases.count)
    }
}
