// Code in several places at one address: banks that are switched while translations of all of them are there.

import GuestMemory
import Testing

@testable import ExecutionEngine

extension EngineTests {
    struct PlaceTests {
        /// Two banks show different code at the first page; a page that does not change jumps there.
        @Test(arguments: Configuration.all)
        func banksAreKeptApart(_ c: Configuration) throws {
            let memory = try TestMemory()
            memory.hasPlaces = true
            let m = try Machine(c, memory: memory) { $0.hotThreshold = 20 }
            // x5 += 1, or 3, in a loop of x8 turns; then back to the caller.
            for (bank, step) in [(4, 1), (5, 3)] {
                memory.write(
                    [RV.addi(5, 5, Int(step)), RV.addi(8, 8, -1), RV.bne(8, 0, -8), RV.ret], at: bank * 4096)
            }
            // The caller: into the banked page and out again.
            memory.write([RV.jal(1, -0x2000), RV.ecall], at: 0x2000)
            var wanted: UInt64 = 0
            var made = 0
            for round in 0..<30 {
                let isSecond = round % 2 == 1
                memory.bank = isSecond ? 5 : 4
                m.engine.placesHaveChanged()
                m[x: 5] = 0
                m[x: 8] = 40
                m.call(0x2000)
                wanted = isSecond ? 120 : 40
                #expect(m[x: 5] == wanted, "\(c) round \(round)")
                if round == 19 { made = m.engine.counters.translations }
            }
            // Coming back to a bank makes nothing anew.
            #expect(m.engine.counters.translations == made)
        }
    }
}
