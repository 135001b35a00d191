// The CPU state's layout and its tables.

import GuestKit
import GuestRISCV
import Testing

@Suite struct StateTests {
    let guest = RISCVGuest(cpu: .standard)

    @Test func integerRegistersComeFirst() {
        for i in 0..<32 {
            let register = guest.registers.first { $0.name == "x\(i)" }
            #expect(register?.offset == 8 * i)
            #expect(register?.size == 8)
        }
    }

    @Test func globalsHaveTheirRegistersAsHomes() {
        #expect(guest.globals.count == 63)
        for global in guest.globals {
            let register = guest.registers.first { $0.name == global.name }
            #expect(register?.offset == global.offset)
        }
        #expect(!guest.globals.contains { $0.name == "x0" })
    }

    @Test func registersDoNotOverlapAndFitTheState() {
        let places = guest.registers.compactMap { register in
            register.offset.map { $0..<$0 + register.size }
        }.sorted { $0.lowerBound < $1.lowerBound }
        #expect(places.count == 66)
        for (one, next) in zip(places, places.dropFirst()) { #expect(one.upperBound <= next.lowerBound) }
        for place in places { #expect(place.lowerBound >= 0 && place.upperBound <= guest.stateSize) }
    }

    @Test func resetGivesTheStateOfAProcessStart() {
        let state = UnsafeMutableRawPointer.allocate(byteCount: guest.stateSize, alignment: 64)
        defer { state.deallocate() }
        state.initializeMemory(as: UInt8.self, repeating: 0xa5, count: guest.stateSize)
        guest.reset(state)
        let hart = state.assumingMemoryBound(to: RISCVState.self).pointee
        #expect(hart.pc == 0 && hart.frm == 0 && hart.reservationAddress == Reservation.none)
        for i in 0..<32 { #expect(hart.x[i] == 0 && hart.f[i] == 0) }
    }

    /// Flags and rounding mode that the host would have.
    private final class Environment: FloatEnvironment {
        var floatFlags: UInt32 = 3
        var floatRounding: UInt32 = 1
    }

    @Test func controlRegisterJoinsFlagsAndRounding() throws {
        let state = UnsafeMutableRawPointer.allocate(byteCount: guest.stateSize, alignment: 64)
        defer { state.deallocate() }
        guest.reset(state)
        let environment = Environment()
        let fcsr = try #require(guest.registers.first { $0.name == "fcsr" })
        state.assumingMemoryBound(to: RISCVState.self).pointee.frm = 1
        #expect(fcsr.read(state, environment) == 0x23)
        fcsr.write(state, environment, 0xffff_ff91)
        #expect(state.assumingMemoryBound(to: RISCVState.self).pointee.frm == 4)
        #expect(environment.floatFlags == 0x11 && environment.floatRounding == 4)
        // A reserved mode stays visible.
        fcsr.write(state, environment, 0xe0)
        #expect(fcsr.read(state, environment) == 0xe0)
        #expect(environment.floatRounding == 0)
    }

    @Test func disassemblyNeverReadsPastTheBytes() {
        func text(_ bytes: [UInt8]) -> (String, Int) {
            let result = bytes.withUnsafeBytes { guest.disassemble($0, at: 0) }
            return (result.text, result.length)
        }
        #expect(text([]) == (".byte", 0))
        #expect(text([0x13]).1 == 1)
        #expect(text([0x13, 0x05]).1 == 2)
        #expect(text([0x01, 0x00]) == ("nop", 2))
        #expect(text([0x33, 0x85, 0xc5, 0x00]) == ("add a0,a1,a2", 4))
        #expect(text([0xff, 0xff, 0xff, 0xff]).0.hasPrefix(".word"))
    }
}
