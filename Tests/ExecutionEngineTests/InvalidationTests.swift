// Translated code that changes: what is dropped, what is kept, and that nobody goes on with the old code.

import GuestMemory
import HostOS
import Testing

@testable import ExecutionEngine

extension EngineTests {
    @Suite struct InvalidationTests {
        /// Main code that calls the three functions at 0x2_0000, `distance` apart: x10, x11 and x12 are their results.
        private func load(_ m: Machine, distance: Int) {
            var main: [UInt32] = []
            for k in 0..<3 {
                main.append(RV.jal(1, 0x2_0000 + k * distance - main.count * 4))
                m.memory.write([RV.addi(10 + k, 0, k + 1), RV.ret], at: 0x2_0000 + k * distance)
            }
            m.memory.write(main + [RV.ecall], at: 0)
        }
        private func results(_ m: Machine) -> [UInt64] { [m[x: 10], m[x: 11], m[x: 12]] }

        @Test(arguments: Configuration.all) func storeToTranslatedCodeIsSeenByTheNextExecution(_ c: Configuration)
            throws
        {
            let m = try Machine(c)
            load(m, distance: 0x8000)
            m.call(0)
            m.call(0)
            #expect(results(m) == [1, 2, 3])
            let translations = m.engine.counters.translations
            // The guest stores a new first instruction into the second function.
            m.memory.write([RV.sw(6, 7), RV.ecall], at: 0x1000)
            m[x: 6] = UInt64(RV.addi(11, 0, 77))
            m[x: 7] = m.memory.base + 0x2_8000
            m.call(0x1000)
            #expect(m.memory.codeWrites == 1 && m.engine.counters.invalidated == 1)
            m.call(0)
            #expect(results(m) == [1, 77, 3])
            // The storing block, the store alone, what follows it, and the new function.
            #expect(m.engine.counters.translations == translations + 4)
            m.call(0)
            #expect(m.engine.counters.translations == translations + 4)
        }

        @Test(arguments: Configuration.all) func storeToTheRunningBlockTakesEffectAtTheNextInstruction(
            _ c: Configuration
        ) throws {
            let m = try Machine(c)
            // x8 += 1 becomes x8 += 100 in the second round, and back in the third.
            m.memory.write(
                [
                    RV.addi(9, 9, 1), RV.sw(6, 7), RV.addi(8, 8, 1), RV.addi(10, 10, 1), RV.sw(11, 7),
                    RV.bne(9, 12, -20),
                    RV.ecall,
                ], at: 0)
            m[x: 6] = UInt64(RV.addi(8, 8, 100))
            m[x: 7] = m.memory.base + 8
            m[x: 11] = UInt64(RV.addi(8, 8, 7))
            m[x: 12] = 40
            m.call(0)
            // Each round stores before it executes.
            #expect(m[x: 8] == 4_000 && m[x: 9] == 40 && m[x: 10] == 40)
        }

        @Test(arguments: Configuration.all) func storeToAnotherPlaceOfTheRunningPageIsExecutedOnce(_ c: Configuration)
            throws
        {
            let m = try Machine(c)
            m.memory.write(
                [RV.ld(5, 7), RV.addi(5, 5, 1), RV.sd(5, 7), RV.addi(6, 6, 1), RV.bne(6, 8, -16), RV.ecall], at: 0)
            m[x: 7] = m.memory.base + 0x800
            m[x: 8] = 100
            m.call(0)
            #expect(m[x: 5] == 100 && m[x: 6] == 100)
        }

        @Test(arguments: Configuration.baseline) func invalidationDropsExactlyWhatOverlaps(_ c: Configuration) throws {
            let m = try Machine(c)
            // Three functions of 8 bytes, one after another on one page.
            load(m, distance: 8)
            m.call(0)
            m.call(0)
            let translations = m.engine.counters.translations
            let second = m.memory.base + 0x2_0008
            for (start, length, dropped) in [
                (second, UInt64(8), 1), (second + 7, 1, 1), (second - 1, 1, 1), (second - 1, 2, 2), (second, 9, 2),
                (second + 16, 4096, 0), (second, 0, 0), (m.memory.data, 4096, 0), (UInt64.max - 4095, 4096, 0),
                (0, .max, 7),
            ] {
                let (revived, invalidated) = (m.engine.counters.revived, m.engine.counters.invalidated)
                m.engine.invalidate(start: GuestLocation(start), length: length)
                #expect(m.engine.counters.invalidated == invalidated + dropped, "\(start - m.memory.base) \(length)")
                m.call(0)
                // Their bytes are what they were.
                #expect(m.engine.counters.revived == revived + dropped)
                #expect(results(m) == [1, 2, 3])
            }
            // Main is four blocks.
            #expect(translations == 7 && m.engine.counters.translations == 7)
        }

        @Test(arguments: Configuration.baseline) func codeBesideWhatChangedIsUsedAgain(_ c: Configuration) throws {
            let m = try Machine(c)
            load(m, distance: 0x100)
            m.call(0)
            m.call(0)
            let translations = m.engine.counters.translations
            for round in 1..<40 {
                m.memory.write([RV.addi(11, 0, 100 + round)], at: 0x2_0100)
                m.engine.invalidate(start: GuestLocation(m.memory.base + 0x2_0000), length: 4096)
                m.call(0)
                m.call(0)
                #expect(results(m) == [1, UInt64(100 + round), 3])
                #expect(m.engine.counters.translations == translations + round)
                #expect(m.engine.counters.revived == 2 * round)
            }
            // Back to bytes that were there before.
            m.memory.write([RV.addi(11, 0, 138)], at: 0x2_0100)
            m.engine.invalidate(start: GuestLocation(m.memory.base + 0x2_0000), length: 4096)
            m.call(0)
            #expect(results(m) == [1, 138, 3])
            // A flush forgets them.
            m.engine.invalidate(start: GuestLocation(m.memory.base + 0x2_0000), length: 4096)
            m.engine.flush()
            let revived = m.engine.counters.revived
            m.call(0)
            #expect(results(m) == [1, 138, 3] && m.engine.counters.revived == revived)
        }

        @Test(arguments: Configuration.all) func linkedJumpsFindTheNewTranslation(_ c: Configuration) throws {
            let m = try Machine(c)
            load(m, distance: 0x8000)
            for round in 0..<200 {
                let k = round % 3
                m.memory.write([RV.addi(10 + k, 0, round)], at: 0x2_0000 + k * 0x8000)
                m.engine.invalidate(start: GuestLocation(m.memory.base + UInt64(0x2_0000 + k * 0x8000)), length: 4)
                m.call(0)
                m.call(0)
                #expect(m[x: 10 + k] == UInt64(round))
            }
            #expect(m.engine.counters.flushes == 0)
        }

        @Test(arguments: Configuration.all) func instructionFenceSeesStoresThroughAnotherMapping(_ c: Configuration)
            throws
        {
            let m = try Machine(c)
            load(m, distance: 0x8000)
            m.memory.write([RV.fenceI, RV.j(-0x1004)], at: 0x1000)
            m.call(0)
            for value in 1..<50 {
                m.memory.write([RV.addi(11, 0, value)], at: 0x2_8000)
                m.call(0x1000)
                #expect(m[x: 11] == UInt64(value))
            }
        }

        /// What the translator remembers of code bytes is forgotten at a fence also when no translation is left.
        @Test(arguments: Configuration.all) func instructionFenceAfterAFlushSeesStoresThroughAnotherMapping(
            _ c: Configuration
        ) throws {
            let m = try Machine(c)
            load(m, distance: 0x8000)
            m.memory.write([RV.fenceI, RV.j(-0x1004)], at: 0x1000)
            m.call(0)
            for value in 1..<20 {
                m.engine.flush()
                m.memory.write([RV.addi(11, 0, value)], at: 0x2_8000)
                m.call(0x1000)
                #expect(m[x: 11] == UInt64(value))
            }
        }

        /// The vCPU loops through a function that another thread rewrites; each version must come into effect soon.
        @Test(arguments: Configuration.all) func invalidationByAnotherThreadReachesRunningCode(_ c: Configuration)
            throws
        {
            let m = try Machine(c)
            m.memory.write([RV.jal(1, 0x2_0000), RV.sd(10, 20), RV.j(-8)], at: 0)
            m.memory.write([RV.addi(10, 0, 0), RV.ret], at: 0x2_0000)
            m[x: 20] = m.memory.data
            m.pc = 0
            let machine = Shared(m)
            let stop = Flag()
            let isLate = Flag()
            let writer = try onThread {
                let m = machine.value
                for version in 1..<150 {
                    m.memory.write([RV.addi(10, 0, version)], at: 0x2_0000)
                    m.engine.invalidate(start: GuestLocation(m.memory.base + 0x2_0000), length: 4)
                    let end = HostClock.monotonic() + 5_000_000_000
                    var spin = SpinWait()
                    while m.memory[data: 0] != UInt64(version), HostClock.monotonic() < end { spin.wait() }
                    if m.memory[data: 0] != UInt64(version) {
                        isLate.set()
                        break
                    }
                }
                stop.set()
                m.vcpu.requestExit()
            }
            while !stop.isSet { #expect(m.vcpu.run().text == "interrupted") }
            #expect(writer.wait())
            #expect(!isLate.isSet)
        }

        /// The same by a second vCPU, whose own stores are the writes.
        @Test(arguments: Configuration.all) func storeOfAnotherVCPUReachesRunningCode(_ c: Configuration) throws {
            let m = try Machine(c)
            m.memory.write([RV.jal(1, 0x2_0000), RV.sd(10, 20), RV.j(-8)], at: 0)
            m.memory.write([RV.addi(10, 0, 0), RV.ret], at: 0x2_0000)
            m.memory.write([RV.sw(6, 7), RV.ecall], at: 0x4_0000)
            m[x: 20] = m.memory.data
            m.pc = 0
            let machine = Shared(m)
            let other = Shared(try m.engine.makeVCPU(in: m.memory))
            let stop = Flag()
            let isLate = Flag()
            let writer = try onThread {
                let (m, vcpu) = (machine.value, other.value)
                for version in 1..<150 {
                    vcpu[x: 6] = UInt64(RV.addi(10, 0, version))
                    vcpu[x: 7] = m.memory.base + 0x2_0000
                    vcpu.programCounter = m.memory.base + 0x4_0000
                    while case .interrupted = vcpu.run() {}
                    let end = HostClock.monotonic() + 5_000_000_000
                    var spin = SpinWait()
                    while m.memory[data: 0] != UInt64(version), HostClock.monotonic() < end { spin.wait() }
                    if m.memory[data: 0] != UInt64(version) {
                        isLate.set()
                        break
                    }
                }
                stop.set()
                m.vcpu.requestExit()
            }
            while !stop.isSet { #expect(m.vcpu.run().text == "interrupted") }
            #expect(writer.wait())
            #expect(!isLate.isSet && m.memory.codeWrites > 0)
        }
    }
}
