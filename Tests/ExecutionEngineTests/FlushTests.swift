// A code cache that is too small, flushes, and what translation is said to have cost.

import HostOS
import Testing

@testable import ExecutionEngine

extension EngineTests {
    @Suite struct FlushTests {
        private func check(_ m: Machine, _ code: StraightLine, rounds: Int) {
            var expected = m.vcpu.registers
            for _ in 0..<rounds {
                code.run(&expected)
                m.call(0)
            }
            #expect(m.vcpu.registers == expected)
        }

        /// Each round translates more than the cache holds.
        @Test(arguments: Configuration.all) func tinyCacheSurvivesManyFlushes(_ c: Configuration) throws {
            let m = try Machine(c) { $0.codeCacheSize = 64 << 10 }
            let code = StraightLine(count: 20_000, seed: 1)
            m.memory.write(code.words, at: 0)
            for i in 5...15 { m[x: i] = UInt64(i) }
            check(m, code, rounds: 8)
            #expect(m.engine.counters.flushes >= 8)
        }

        @Test(arguments: Configuration.baseline) func thousandsOfFlushesLeaveAllInOrder(_ c: Configuration) throws {
            let m = try Machine(c) { $0.codeCacheSize = (c.isX64 ? 8 : 16) << 10 }
            let code = StraightLine(count: 2_000, seed: 2)
            m.memory.write(code.words, at: 0)
            let goal = c.isX64 ? 2_000 : 300
            var rounds = 0
            while m.engine.counters.flushes < goal, rounds < 2_000 {
                check(m, code, rounds: 10)
                rounds += 10
            }
            #expect(m.engine.counters.flushes >= goal)
        }

        @Test(arguments: Configuration.all) func flushOnDemandForgetsEveryTranslation(_ c: Configuration) throws {
            let m = try Machine(c) { $0.hotThreshold = .max }
            let code = StraightLine(count: 50, seed: 3)
            m.memory.write(code.words, at: 0)
            let expectedEach = { () -> Int in
                let before = m.engine.counters.translations
                check(m, code, rounds: 1)
                return m.engine.counters.translations - before
            }
            let first = expectedEach()
            #expect(first > 0 && expectedEach() == 0)
            for _ in 0..<1_000 {
                m.engine.flush()
                #expect(expectedEach() == first)
            }
            #expect(m.engine.counters.flushes == 1_000)
        }

        @Test(arguments: Configuration.baseline) func costsAreCountedOncePerTranslation(_ c: Configuration) throws {
            let m = try Machine(c) { $0.measuresTime = true }
            let count = 5_000
            let code = StraightLine(count: count, seed: 4)
            m.memory.write(code.words, at: 0)
            let start = HostClock.monotonic()
            check(m, code, rounds: 1)
            let elapsed = HostClock.monotonic() - start
            let first = m.engine.counters
            #expect(first.guestInstructions == count + 1 && first.guestBytes == 4 * (count + 1))
            #expect(first.translations == (count + 128) / 128)
            #expect(c.isX64 ? first.hostBytes > count : first.hostBytes == 0)
            #expect(first.translationTime > 0 && first.translationTime < elapsed)
            check(m, code, rounds: 20)
            let last = m.engine.counters
            #expect(last.translations == first.translations && last.translationTime == first.translationTime)
            #expect(last.guestInstructions == first.guestInstructions && last.optimized == 0)
        }

        @Test func timeIsNotMeasuredUnasked() throws {
            let m = try Machine(Configuration.x64[0])
            let code = StraightLine(count: 500, seed: 4)
            m.memory.write(code.words, at: 0)
            check(m, code, rounds: 1)
            #expect(m.engine.counters.translations > 0 && m.engine.counters.translationTime == 0)
        }

        @Test(arguments: Configuration.all) func oneInstructionPerTranslationGivesTheSameResults(_ c: Configuration)
            throws
        {
            let m = try Machine(c) { $0.maxInstructions = 1 }
            let code = StraightLine(count: 300, seed: 5)
            m.memory.write(code.words, at: 0)
            check(m, code, rounds: 30)
            #expect(m.engine.counters.translations == 301)
        }
    }
}
