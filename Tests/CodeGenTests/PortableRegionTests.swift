// Compiled regions that move (the random tests run moved code): links do not move along, indices change, and bytes that are no
// region are refused.

import CodeGen
import IR
import TestSupport
import Testing

@Suite(.serialized) struct PortableRegionTests {
    /// A region that calls, counts, jumps to a known pc and through an in-line cache.
    private func build(_ machine: TestMachine) {
        machine.build { ir in
            let first = ir.newBlock(), second = ir.newBlock(), third = ir.newBlock()
            ir.begin(first)
            ir.checkExit(0x1000)
            let x = TestMachine.x
            _ = ir.call(HelperID(0), TestMachine.helpers[0], x(1), x(2), x(3), x(4), into: x(5))
            ir.brcond(.eq, TestMachine.x(6), ir.const(0), second, third)
            ir.begin(second)
            ir.gotoTB(0x9000)
            ir.begin(third)
            ir.gotoTB(0x9800)
        }
    }

    private func exitRegion(_ machine: TestMachine, _ value: Int) -> CompiledRegion {
        machine.build(pc: 0x9000) { ir in
            let block = ir.newBlock()
            ir.begin(block)
            ir.exitTB(value)
        }
        return machine.compile(after: true)!
    }

    @Test func linksStayBehindAndTheIndexChanges() {
        let machine = TestMachine()
        let target = exitRegion(machine, 33)
        build(machine)
        let region = machine.compile(after: true)!
        #expect(machine.x64.link(region, slot: 0, to: target.entry, pc: 0x9000))
        machine.initialState[6] = 0
        #expect(machine.runX64(region).exit == 33)

        let bytes = machine.export(region)
        let moved = bytes.withUnsafeBytes { machine.x64.install($0, translation: 0xabcde)! }
        #expect(moved.entry > region.entry)
        #expect(machine.x64.target(moved, slot: 0) == 0x9000)
        #expect(machine.x64.target(moved, slot: 1) == 0x9800)
        let outcome = machine.runX64(moved)
        #expect(outcome.exit == ExitValue.chain(translation: 0xabcde, slot: 0).raw)
        #expect(outcome.state[TestMachine.pcOffset / 8] == 0x9000)
        // The original is as it was; the copy can be linked too, and be exported again.
        #expect(machine.runX64(region).exit == 33)
        #expect(machine.x64.link(moved, slot: 0, to: target.entry, pc: 0x9000))
        #expect(machine.runX64(moved).exit == 33)
        machine.x64.unlink(moved, slot: 0)
        let again = machine.export(moved)
        let third = again.withUnsafeBytes { machine.x64.install($0, translation: 1)! }
        #expect(machine.runX64(third).exit == ExitValue.chain(translation: 1, slot: 0).raw)
    }

    /// What a call pushes is patched too: it must not count as a distance to the stubs.
    @Test func pushedReturnsMove() {
        let machine = TestMachine()
        let target = exitRegion(machine, 33)
        machine.build { ir in
            let block = ir.newBlock()
            ir.begin(block)
            ir.pushReturn(0x9000)
            ir.lookupAndGoto(TestMachine.x(2), .return)
        }
        let bytes = machine.export(machine.compile(after: true)!)
        let moved = bytes.withUnsafeBytes { machine.x64.install($0, translation: 3)! }
        machine.initialState[2] = 0x9000
        #expect(machine.runX64(moved).exit == ExitValue.chain(translation: 3, slot: 0).raw)
        #expect(machine.x64.link(moved, slot: 0, to: target.entry, pc: 0x9000))
        #expect(machine.runX64(moved).exit == 33)
    }

    @Test(.seeded(3)) func anotherBufferTakesTheRegion() {
        let machine = TestMachine(), other = TestMachine()
        build(machine)
        let bytes = machine.export(machine.compile()!)
        _ = exitRegion(other, 40)
        let moved = bytes.withUnsafeBytes { other.x64.install($0, translation: 9)! }
        var random = TestRandom(Seed.current)
        machine.randomize(&random)
        other.initialState = machine.initialState
        other.initialMemory = machine.initialMemory
        let reference = machine.compile()!
        var expected = machine.runX64(reference)
        let got = other.runX64(moved)
        expected.exit = expected.exit & 0xff_ffff_ffff | 9 << 40
        #expect(got == expected)
    }

    @Test func truncatedRegionsAreRefused() {
        let machine = TestMachine()
        build(machine)
        let bytes = machine.export(machine.compile()!)
        let used = machine.code.used
        for length in 0..<bytes.count {
            let region = bytes[..<length].withUnsafeBytes { machine.x64.install($0, translation: 1) }
            #expect(region == nil)
        }
        #expect(machine.code.used == used)
    }

    /// Whatever the tables say, nothing outside of the region's own bytes is written.
    @Test func damagedTablesStayInside() {
        let machine = TestMachine()
        build(machine)
        let compiled = machine.compile()!
        let bytes = machine.export(compiled)
        for at in 0..<(bytes.count - compiled.codeSize) {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[at] ^= 1 << bit
                let before = machine.code.used
                guard let region = damaged.withUnsafeBytes({ machine.x64.install($0, translation: 1) }) else {
                    #expect(machine.code.used == before)
                    continue
                }
                for slot in 0..<region.slotCount {
                    _ = machine.x64.link(region, slot: slot, to: compiled.entry, pc: 0x9000)
                    machine.x64.unlink(region, slot: slot)
                }
                machine.code.used = before
            }
        }
    }
}
