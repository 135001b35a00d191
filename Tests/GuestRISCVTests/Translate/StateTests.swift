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
        let sorted = guest.registers.sorted { $0.offset < $1.offset }
        for (one, next) in zip(sorted, sorted.dropFirst()) { #expect(one.offset + one.size <= next.offset) }
        for register in sorted { #expect(register.offset >= 0 && register.offset + register.size <= guest.stateSize) }
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

    @Test func dumpShowsEveryRegister() {
        let state = UnsafeMutableRawPointer.allocate(byteCount: guest.stateSize, alignment: 64)
        defer { state.deallocate() }
        guest.reset(state)
        state.assumingMemoryBound(to: RISCVState.self).pointee.x[10] = 0xdead_beef
        state.assumingMemoryBound(to: RISCVState.self).pointee.frm = 1
        let text = guest.dump(state, flags: 3, floats: true)
        #expect(text.contains("x10/a0 00000000deadbeef"))
        #expect(text.contains("fcsr 00000023"))
        #expect(text.contains("f31/ft11"))
        #expect(text.split(separator: "\n").count == 18)
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
