// The helpers, called as generated code calls them.

import GuestKit
import IR
import TestSupport
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

    /// All counters are the embedder's clock.
    @Test func countersAreTheClockThatTheGuestIsGiven() {
        let inputs = GuestInputs(clock: { state, _, _, _, _ in state.load(as: UInt64.self) &* 3 })
        let guest = RISCVGuest(cpu: .standard, inputs: inputs)
        let state = UnsafeMutableRawPointer.allocate(byteCount: guest.stateSize, alignment: 64)
        defer { state.deallocate() }
        guest.reset(state)
        state.storeBytes(of: 14, as: UInt64.self)
        #expect(guest.helpers[Helper.clock.rawValue].function(state, 0, 0, 0, 0) == 42)
        for word in [0xc000_2573, 0xc010_2573, 0xc020_2573] as [UInt32] {  // rdcycle, rdtime, rdinstret a0
            let calls = Translated(bytes([word]), guest: guest).ops.filter { $0.opcode == .call }
            #expect(calls.map(\.imm) == [Int64(Helper.clock.rawValue)])
        }
    }

    @Test func descriptorsMatchTheirPlaces() {
        for helper in Helper.allCases { #expect(helper.id.index == UInt16(helper.rawValue)) }
        #expect(guest.helpers.count == Helper.allCases.count)
    }
}
