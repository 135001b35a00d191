// Memory that is seen elsewhere than where it lies: banks, and the pages of several address spaces.

import GuestMemory
import Testing

@testable import ExecutionEngine

/// Takes a page away: what runs from an offset on faults on it, in the instruction at another one.
func expectMissing(_ m: Machine, _ view: View, page: UInt64, from start: Int, at last: Int) {
    view.shown[page] = .some(nil)
    m.vcpu.placesHaveChanged()
    m.pc = start
    #expect(m.run().text == fault(.execute, .unmapped, m.memory.base + page * 4096))
    #expect(m.pc == last)
}

extension EngineTests {
    struct PlaceTests {
        private func machine(_ c: Configuration) throws -> (Machine, View) {
            let memory = try TestMemory()
            let view = View(memory)
            return (try Machine(c, memory: memory, space: view) { $0.hotThreshold = 20 }, view)
        }

        /// x5 += step, in a loop of x8 turns; then back to the caller.
        private func loop(_ step: UInt64) -> [UInt32] {
            [RV.addi(5, 5, Int(step)), RV.addi(8, 8, -1), RV.bne(8, 0, -8), RV.ret]
        }

        private func count(_ m: Machine, _ vcpu: VCPU, from offset: UInt64, turns: UInt64) -> UInt64 {
            vcpu[x: 5] = 0
            vcpu[x: 8] = turns
            vcpu.programCounter = m.memory.base + offset
            while true {
                let exit = vcpu.run()
                if case .interrupted = exit { continue }
                return exit.text == "systemCall" ? vcpu[x: 5] : .max
            }
        }

        /// Two banks show different code at the first page; a page that does not change jumps there.
        @Test(arguments: Configuration.all)
        func banksAreKeptApart(_ c: Configuration) throws {
            let (m, view) = try machine(c)
            for (bank, step) in [(4, 1), (5, 3)] { m.memory.write(loop(UInt64(step)), at: bank * 4096) }
            // The caller: into the banked page and out again.
            m.memory.write([RV.jal(1, -0x2000), RV.ecall], at: 0x2000)
            var made = 0
            for round in 0..<30 {
                let isSecond = round % 2 == 1
                view.shown[0] = isSecond ? 5 : 4
                m.vcpu.placesHaveChanged()
                #expect(count(m, m.vcpu, from: 0x2000, turns: 40) == (isSecond ? 120 : 40), "\(c) round \(round)")
                if round == 19 { made = m.engine.counters.translations }
            }
            // Coming back to a bank makes nothing anew.
            #expect(m.engine.counters.translations == made)
        }

        /// Calls, jumps and returns between pages find their targets without the cpu loop, once they have been there.
        @Test(arguments: Configuration.all)
        func jumpsBetweenPagesAreLinked(_ c: Configuration) throws {
            let (m, view) = try machine(c)
            view.shown[0] = 4
            m.memory.write([RV.addi(5, 5, 1), RV.ret], at: 4 * 4096)
            // A loop over two pages that calls a third, once by its address and once by a register.
            m.memory.write([RV.jal(1, -0x2000), RV.jal(0, 0x1000 - 4)], at: 0x2000)
            m.memory.write(
                [RV.jalr(1, 9), RV.addi(8, 8, -1), RV.beq(8, 0, 8), RV.jal(0, -0x1000 - 12), RV.ecall], at: 0x3000)
            func run() {
                m.vcpu[x: 9] = m.memory.base
                #expect(count(m, m.vcpu, from: 0x2000, turns: 1000) == 2000, "\(c)")
            }
            for _ in 0..<3 { run() }
            let before = m.engine.jumpCounters
            run()
            let now = m.engine.jumpCounters
            #expect(now.unlinked - before.unlinked + now.lookupMisses - before.lookupMisses < 10, "\(c)")
            // What the vCPU sees elsewhere is found anew, in a few steps.
            m.vcpu.placesHaveChanged()
            run()
            let then = m.engine.jumpCounters
            #expect(then.unlinked - now.unlinked + then.lookupMisses - now.lookupMisses < 20, "\(c)")
        }

        /// A page that shows itself at first is linked to no more firmly than others.
        @Test(arguments: Configuration.all)
        func linksBetweenPagesLeadToWhatIsSeen(_ c: Configuration) throws {
            let (m, view) = try machine(c)
            m.memory.write(loop(1), at: 0)
            m.memory.write(loop(3), at: 4 * 4096)
            m.memory.write([RV.jal(1, -0x2000), RV.ecall], at: 0x2000)
            for _ in 0..<4 { #expect(count(m, m.vcpu, from: 0x2000, turns: 40) == 40) }
            view.shown[0] = 4
            m.vcpu.placesHaveChanged()
            #expect(count(m, m.vcpu, from: 0x2000, turns: 40) == 120)
        }

        /// Each vCPU has an address space of its own; code at the same address and location is made once.
        @Test(arguments: Configuration.all)
        func vcpusSeeTheirOwnPages(_ c: Configuration) throws {
            let (m, first) = try machine(c)
            let second = View(m.memory)
            let other = try m.engine.makeVCPU(in: second)
            for (bank, step) in [(4, 1), (5, 3)] { m.memory.write(loop(UInt64(step)), at: bank * 4096) }
            m.memory.write([RV.jal(1, -0x2000), RV.ecall], at: 0x2000)
            first.shown[0] = 4
            second.shown[0] = 5
            for _ in 0..<10 {
                #expect(count(m, m.vcpu, from: 0x2000, turns: 40) == 40)
                #expect(count(m, other, from: 0x2000, turns: 40) == 120)
            }
            let made = m.engine.counters.translations
            second.shown[0] = 4
            other.placesHaveChanged()
            #expect(count(m, other, from: 0x2000, turns: 3) == 3)
            #expect(m.engine.counters.translations == made)
        }

        /// A change of memory drops code by where it lies, wherever it is seen.
        @Test(arguments: Configuration.all)
        func codeIsDroppedByItsLocation(_ c: Configuration) throws {
            let (m, view) = try machine(c)
            m.memory.write(loop(1), at: 4 * 4096)
            m.memory.write([RV.jal(1, -0x2000), RV.ecall], at: 0x2000)
            view.shown[0] = 4
            #expect(count(m, m.vcpu, from: 0x2000, turns: 40) == 40)
            m.memory.write(loop(3), at: 4 * 4096)
            m.engine.invalidate(start: GuestLocation(m.memory.base + 4 * 4096), length: 4096)
            #expect(count(m, m.vcpu, from: 0x2000, turns: 40) == 120)
        }

        /// The second half of an instruction is that of the page which is seen behind the first one.
        @Test(arguments: Configuration.all)
        func anInstructionGoesOnInAnotherPage(_ c: Configuration) throws {
            let (m, view) = try machine(c)
            func halves(_ word: UInt32) -> ([UInt8], [UInt8]) {
                let bytes = RV.bytes([word])
                return (Array(bytes[..<2]), Array(bytes[2...]))
            }
            let start = 0x1ff6
            for word in [RV.addi(5, 5, 16), RV.addi(5, 5, 32)].enumerated() {
                m.memory.write(bytes: halves(word.element).0 + halves(word.element).1, at: start + 4 * word.offset)
            }
            m.memory.write(bytes: halves(RV.addi(5, 5, 1)).0, at: 0x1ffe)
            for (bank, step) in [(4, 1), (5, 3)] {
                let ecall = halves(RV.ecall)
                m.memory.write(bytes: halves(RV.addi(5, 5, step)).1 + ecall.0 + ecall.1, at: bank * 4096)
            }
            for (bank, sum) in [(4, 49), (5, 51), (4, 49)] as [(UInt64, UInt64)] {
                view.shown[2] = bank
                m.vcpu.placesHaveChanged()
                for _ in 0..<3 { #expect(count(m, m.vcpu, from: UInt64(start), turns: 0) == sum, "\(c)") }
            }
            expectMissing(m, view, page: 2, from: start, at: 0x1ffe)
        }

        @Test(arguments: Configuration.all)
        func nothingIsFetchedWhereNothingIsSeen(_ c: Configuration) throws {
            let (m, view) = try machine(c)
            view.shown[0] = .some(nil)
            m.memory.write([RV.jal(1, -0x2000), RV.ecall], at: 0x2000)
            m.pc = 0x2000
            #expect(m.run().text == fault(.execute, .unmapped, m.memory.base))
            #expect(m.pc == 0)
        }
    }
}
