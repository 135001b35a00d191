// The helpers, called as generated code calls them.

import IR
import Testing

@testable import GuestRISCV

@Suite struct HelperTests {
    let guest = RISCVGuest(cpu: .standard)

    /// Result and flags of FCVTMOD.W.D.
    private func convertModular(_ value: Double) -> (UInt64, UInt32) {
        let state = UnsafeMutableRawPointer.allocate(byteCount: guest.stateSize, alignment: 64)
        defer { state.deallocate() }
        guest.reset(state)
        let result = guest.helpers[Helper.convertModular.rawValue].function(state, value.bitPattern, 0, 0, 0)
        return (result, state.load(fromByteOffset: StateOffset.softFlags, as: UInt32.self))
    }

    @Test func modularConversionWraps() {
        #expect(convertModular(4_294_967_299.75) == (3, 16))
        #expect(convertModular(-2.75) == (UInt64(bitPattern: -2), 1))
        #expect(convertModular(.infinity) == (0, 16))
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
