// What the made-up machine needs of the engine and no other guest here has: delay slots, instructions at any address, flags in the
// state, pages larger than the host's.

import EngineModes
import ExecutionEngine
import GuestKit
import GuestMemory
import LinuxMemory
import Testing
import ToyGuest

extension ToyRuns {
    struct ToyExecutionTests {
        @Test(arguments: EngineMode.all) func loopsAddInTheDelaySlot(_ mode: EngineMode) throws {
            let m = try ToyMachine(mode)
            // r1 = 1000 + 999 + ... + 1, the addition in the slot of the branch back: one more turn than the condition says.
            try m.load([
                Toy.ldi(0, 1000), Toy.ldi(1, 0), Toy.ldi(2, 0),  // 18 bytes
                Toy.addi(0, -1), Toy.pair(.cmp, 0, 2), Toy.branch(.bne, -5), Toy.pair(.add, 1, 0), Toy.sys,
            ])
            for _ in 0..<20 {
                m["r1"] = 7
                m.call()
                #expect(m["r1"] == 1000 * 999 / 2)
                #expect(m["r0"] == 0)
            }
        }

        /// The condition is that before the slot, and so is the target of an indirect jump.
        @Test(arguments: EngineMode.all) func slotsDoNotChangeTheirJump(_ mode: EngineMode) throws {
            let m = try ToyMachine(mode)
            let target = ToyMachine.code + 0x101
            try m.load([Toy.pair(.cmp, 0, 1), Toy.branch(.beq, 0x0e), Toy.pair(.cmp, 0, 2), Toy.rdf(3), Toy.sys])
            try m.load([Toy.rdf(4), Toy.jr(5), Toy.ldi(5, 0), Toy.sys], at: ToyMachine.code + 0x10)
            try m.load([Toy.pair(.mov, 6, 5), Toy.sys], at: target)
            for (r1, taken) in [(1, true), (2, false), (1, true)] as [(UInt32, Bool)] {
                (m["r0"], m["r1"], m["r2"], m["r3"], m["r4"], m["r5"], m["r6"]) = (1, r1, 0x8000_0000, 9, 9, target, 9)
                m.call()
                // The slot has compared 1 with the least number: not equal, not less, but less without sign.
                #expect(m[taken ? "r4" : "r3"] == 4)
                #expect(m[taken ? "r3" : "r4"] == 9)
                #expect(m["r6"] == (taken ? 0 : 9))
            }
        }

        @Test(arguments: EngineMode.all) func callsComeBackBehindTheirSlot(_ mode: EngineMode) throws {
            let m = try ToyMachine(mode)
            // Slots of 1, 3 and 6 bytes; the function adds its argument to r1 in the slot of its return.
            try m.load([
                Toy.ldi(3, 0), Toy.ldi(4, 300),  // 12 bytes
                Toy.branch(.call, 0x200 - 12), Toy.nop,  // 12 to 16
                Toy.branch(.call, 0x200 - 16), Toy.addi(0, 1),  // to 22
                Toy.branch(.call, 0x200 - 22), Toy.ldi(0, 100),  // to 31
                Toy.addi(4, -1), Toy.pair(.cmp, 4, 3), Toy.branch(.bne, 12 - 36), Toy.ldi(0, 1), Toy.sys,
            ])
            try m.load([Toy.ret, Toy.pair(.add, 1, 0)], at: ToyMachine.code + 0x200)
            m["r0"] = 1
            m["r1"] = 0
            m.call()
            #expect(m["r1"] == 300 * (1 + 2 + 100))
            #expect(m["r6"] == ToyMachine.code + 31)
        }

        @Test(arguments: EngineMode.all) func faultsInSlotsTellTheJump(_ mode: EngineMode) throws {
            let m = try ToyMachine(mode)
            let nowhere = ToyMachine.data + 4 * UInt32(ToyGuest.pageSize)
            // A loop whose slot loads; r3 has the address. In front of the jump, r1 and r2 have changed.
            try m.load([
                Toy.ldi(5, 0), Toy.addi(1, 1), Toy.pair(.mov, 2, 1), Toy.addi(0, -1), Toy.pair(.cmp, 0, 5),
                Toy.branch(.bne, -10), Toy.memory(.ld32, 4, 3, 4), Toy.memory(.ld8, 4, 3, 0), Toy.sys,
            ])
            let jump = ToyMachine.code + 16
            for round in 0..<40 {
                (m["r0"], m["r1"], m["r3"]) = (50, 0, ToyMachine.data)
                m.call()
                #expect(m["r1"] == 50 && !m.isInSlot)
                (m["r0"], m["r1"], m["r3"]) = (UInt32(round + 2), 0, nowhere)
                guard case .memoryFault(let address, _, let kind) = m.run(from: ToyMachine.code) else {
                    Issue.record("no fault")
                    return
                }
                #expect(address == UInt64(nowhere) + 4 && kind == .unmapped)
                #expect(m.pc == jump && m.isInSlot)
                #expect(m["r1"] == 1 && m["r2"] == 1 && m["r0"] == UInt32(round + 1))
                // The jump runs again, with its slot.
                m["r3"] = ToyMachine.data
                m.call(m.pc)
                #expect(m["r1"] == UInt32(round + 2))
                // The same load outside of a slot.
                (m["r0"], m["r3"]) = (1, nowhere)
                _ = m.run(from: ToyMachine.code + 23)
                #expect(m.pc == ToyMachine.code + 23 && !m.isInSlot)
            }
        }

        @Test(arguments: EngineMode.all) func jumpsInSlotsAreIllegal(_ mode: EngineMode) throws {
            let m = try ToyMachine(mode)
            for slot in [Toy.branch(.bra, 3), Toy.sys, Toy.ret, Toy.jr(1), [0x3f]] {
                try m.load([Toy.nop, Toy.branch(.bra, 3), slot])
                guard case .exception(ToyException.illegalInstruction) = m.run(from: ToyMachine.code) else {
                    Issue.record("\(slot) is not illegal")
                    continue
                }
                #expect(m.pc == ToyMachine.code + 1)
            }
        }

        @Test(arguments: EngineMode.all) func memoryIsBigEndian(_ mode: EngineMode) throws {
            let m = try ToyMachine(mode)
            try m.load([
                Toy.ldi(0, 0x8123_4567), Toy.ldi(1, ToyMachine.data + 1),
                Toy.memory(.st32, 0, 1, 0), Toy.memory(.st16, 0, 1, 4), Toy.memory(.st8, 0, 1, 6),
                Toy.memory(.ld32, 2, 1, 2), Toy.memory(.ld16, 3, 1, 0), Toy.memory(.ld8, 4, 1, 3), Toy.sys,
            ])
            m.call()
            let bytes = try (0..<7).map { try m.memory.read(UInt64(ToyMachine.data) + 1 + $0, as: UInt8.self) }
            #expect(bytes == [0x81, 0x23, 0x45, 0x67, 0x45, 0x67, 0x67])
            #expect(m["r2"] == 0x4567_4567 && m["r3"] == 0x8123 && m["r4"] == 0x67)
            try m.load([Toy.ldi(0, 0x0102_0304), Toy.ldi(1, ToyMachine.data + 4), Toy.pair(.xchg, 0, 1), Toy.sys])
            m.call()
            #expect(try m.memory.read(UInt64(ToyMachine.data) + 4, as: UInt32.self).bigEndian == 0x0102_0304)
        }

        /// A page of the guest is two of the host: a store to either half of a page with code is seen.
        @Test(arguments: EngineMode.all) func storesToBothHalvesOfAPageWithCodeAreSeen(_ mode: EngineMode) throws {
            let m = try ToyMachine(mode)
            let far = ToyMachine.code + 4096 + 5
            // A loop here calls a function in the page's other half, which stores to itself: the number that it adds.
            try m.load([
                Toy.ldi(0, 60), Toy.ldi(5, 0), Toy.ldi(3, far + 2),
                Toy.branch(.call, Int(far) - Int(ToyMachine.code) - 18), Toy.addi(0, -1), Toy.pair(.cmp, 0, 5),
                Toy.branch(.bne, -8), Toy.nop, Toy.sys,
            ])
            try m.load([Toy.addi(1, 1), Toy.addi(2, 1), Toy.ret, Toy.memory(.st8, 2, 3, 0)], at: far)
            (m["r1"], m["r2"]) = (0, 1)
            m.call()
            // It adds 1, then what the call before has stored: 2, 3, ...
            #expect(m["r1"] == (1...60).reduce(0, +))
            // Data in the first half, code that ran there unchanged.
            try m.load([
                Toy.ldi(2, ToyMachine.code + 0x800), Toy.memory(.st32, 2, 2, 0), Toy.memory(.ld32, 4, 2, 0), Toy.sys,
            ])
            m.call()
            #expect(m["r4"] == ToyMachine.code + 0x800)
        }

        @Test func disassembly() {
            let guest = ToyGuest()
            func text(_ bytes: [UInt8]) -> String {
                bytes.withUnsafeBytes { guest.disassemble($0, at: 0x1000) }.text
            }
            #expect(text(Toy.branch(.bltu, -3)) == "bltu 0xffd")
            #expect(text(Toy.memory(.ld16, 3, 4, -2)) == "ld16 r3,-2(r4)")
            #expect(text(Toy.ldi(7, 0xffff_fffe)) == "ldi r7,-2")
            #expect(text([0x3f]) == "bad")
        }
    }
}
