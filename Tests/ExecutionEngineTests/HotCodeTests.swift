// Code that runs often becomes an optimized region, with the same results.

import GuestMemory
import HostOS
import Testing

@testable import ExecutionEngine

extension EngineTests {
    @Suite struct HotCodeTests {
        /// Nested loops with calls, integer and memory work, and a sum: what a small benchmark is made of.
        private func load(_ m: Machine) {
            m.memory.write(
                [
                    RV.addi(8, 0, 25),  // inner: 25 rounds
                    RV.jal(1, 0x40 - 4),
                    RV.addi(8, 8, -1), RV.bne(8, 0, -8),
                    RV.addi(5, 5, 1), RV.bne(5, 7, -20), RV.ecall,
                ], at: 0)
            m.memory.write(
                [
                    RV.mul(9, 8, 5), RV.add(6, 6, 9), RV.sd(6, 20), RV.ld(10, 20, 8), RV.xor(10, 10, 6),
                    RV.sd(10, 20, 8),
                    RV.faddD(1, 1, 2), RV.beq(9, 0, 8), RV.addi(11, 11, 1), RV.ret,
                ], at: 0x40)
            m[x: 7] = 400
            m[x: 20] = m.memory.data
            m[f: 2] = Double(0.5).bitPattern
        }

        @Test(arguments: Configuration.all) func resultsDoNotDependOnTheTier(_ c: Configuration) throws {
            let m = try Machine(c)
            load(m)
            m.call(0)
            var (x6, x10, x11, words): (UInt64, UInt64, UInt64, [UInt64]) = (0, 0, 0, [0, 0])
            for outer in 0..<UInt64(400) {
                for inner in stride(from: UInt64(25), to: 0, by: -1) {
                    x6 &+= inner &* outer
                    words[0] = x6
                    x10 = words[1] ^ x6
                    words[1] = x10
                    if inner * outer != 0 { x11 += 1 }
                }
            }
            #expect(m[x: 6] == x6 && m[x: 10] == x10 && m[x: 11] == x11)
            #expect(m.memory[data: 0] == words[0] && m.memory[data: 8] == words[1])
            #expect(m[f: 1] == Double(5_000).bitPattern)
            #expect((m.engine.counters.optimized > 0) == (c.tier == .automatic || c.tier == .optimizing))
        }

        @Test(arguments: Configuration.all.filter { $0.tier == .automatic })
        func codeIsOptimizedAtItsThresholdAndOnce(_ c: Configuration) throws {
            let m = try Machine(c) { $0.hotThreshold = 100 }
            m.memory.write([RV.addi(5, 5, 1), RV.ecall], at: 0)
            for _ in 0..<90 { m.call(0) }
            #expect(m.engine.counters.optimized == 0)
            for _ in 0..<20 { m.call(0) }
            #expect(m.engine.counters.optimized == 1)
            for _ in 0..<1_000 { m.call(0) }
            #expect(m.engine.counters.optimized == 1 && m[x: 5] == 1_110)
        }

        @Test(arguments: Configuration.all.filter { $0.tier == .automatic })
        func regionThatIsEnteredOftenIsMadeAgainWithItsCalls(_ c: Configuration) throws {
            // One call of the program is 10000 calls of the leaf: some entries of hot regions, but too few.
            let m = try Machine(c) { $0.hotThreshold = 2000 }
            load(m)
            m.call(0)
            let small = m.engine.counters.optimized
            for _ in 0..<10 {
                m[x: 5] = 0
                m.call(0)
            }
            #expect(small > 0 && m.engine.counters.optimized > small)
            // The leaf runs inside its caller now: no return looks for its target.
            let pc = m.memory.base + 8
            let mode = m.engine.guest.mode(m.vcpu.state)
            let index = try #require(
                [pc, m.memory.base + 4].compactMap { m.engine.cache.find(CodeKey(pc: $0, mode: mode)) }.first)
            #expect(m.engine.cache[index].isOptimized)
            #expect(m.engine.cache[index].highest > GuestLocation(m.memory.base + 0x40))
        }

        /// An indirect call whose target changes after the region was made.
        @Test(arguments: Configuration.x64.filter { $0.tier == .automatic })
        func regionWithAWrongExpectationIsDropped(_ c: Configuration) throws {
            let m = try Machine(c) { $0.hotThreshold = 50 }
            m.memory.write([RV.jalr(1, 7), RV.addi(8, 8, -1), RV.bne(8, 0, -8), RV.ecall], at: 0)
            m.memory.write([RV.addi(9, 9, 1), RV.ret], at: 0x40)
            m.memory.write([RV.addi(9, 9, 3), RV.ret], at: 0x60)
            for (target, rounds) in [(0x40, 2000), (0x60, 4000), (0x40, 4000)] {
                m[x: 7] = m.memory.base + UInt64(target)
                m[x: 8] = UInt64(rounds)
                m.call(0)
            }
            #expect(m[x: 9] == 2000 + 3 * 4000 + 4000)
            #expect(m.engine.counters.dropped > 0)
        }

        @Test(arguments: Configuration.all)
        func recursionComputesTheSameInEveryTier(_ c: Configuration) throws {
            let m = try Machine(c)
            // fib: t = n < 2 ? n : fib(n - 1) + fib(n - 2), with x10 as argument and result and x2 as stack.
            m.memory.write([RV.jal(1, 0x40), RV.ecall], at: 0)
            m.memory.write(
                [
                    RV.addi(5, 0, 2), RV.bltu(10, 5, 48), RV.addi(2, 2, -24), RV.sd(1, 2), RV.sd(10, 2, 8),
                    RV.addi(10, 10, -1), RV.jal(1, -24), RV.sd(10, 2, 16), RV.ld(10, 2, 8), RV.addi(10, 10, -2),
                    RV.jal(1, -40), RV.ld(5, 2, 16), RV.add(10, 10, 5),
                ], at: 0x40)
            // The last jump of `bltu` lands behind the sum: a return without a frame.
            m.memory.write([RV.ld(1, 2), RV.addi(2, 2, 24), RV.ret], at: 0x40 + 13 * 4)
            m.memory.write([RV.bltu(10, 5, 0x100)], at: 0x44)
            m.memory.write([RV.ret], at: 0x144)
            m[x: 2] = m.memory.data + 2048
            m[x: 10] = 18
            m.call(0)
            #expect(m[x: 10] == 2584 && m[x: 2] == m.memory.data + 2048)
        }

        @Test(arguments: Configuration.all.filter { $0.tier == .automatic })
        func optimizedRegionDiesWithAnyOfItsBlocks(_ c: Configuration) throws {
            let m = try Machine(c)
            load(m)
            m.call(0)
            #expect(m.engine.counters.optimized > 0)
            // The leaf is part of the loop's region: change what it adds to x11.
            m.memory.write([RV.addi(11, 11, 3)], at: 0x40 + 8 * 4)
            m.engine.invalidate(start: GuestLocation(m.memory.base + 0x40 + 8 * 4), length: 4)
            m[x: 5] = 0
            m[x: 11] = 0
            m.call(0)
            #expect(m[x: 11] == 3 * 399 * 25)
        }

        // MARK: In the background

        private func backgroundMachine() throws -> Machine {
            try Machine(Configuration(isX64: true, tier: .automatic)) {
                $0.compilesInBackground = true
                $0.processors = 2
            }
        }

        /// Calls the code at 0 until `count` regions have been installed; false after ten seconds.
        private func callUntilOptimized(_ m: Machine, _ count: Int, before: () -> Void = {}) -> Bool {
            let start = HostClock.monotonic()
            while m.engine.lock.withLock({ m.engine.counters.optimized }) < count {
                before()
                m.call(0)
                if HostClock.monotonic() - start > 10_000_000_000 { return false }
            }
            return true
        }

        @Test func aHotRegionIsInstalledWhileTheCodeRuns() throws {
            let m = try backgroundMachine()
            m.memory.write([RV.addi(5, 5, 1), RV.addi(5, 5, 2), RV.ecall], at: 0)
            var calls: UInt64 = 0
            #expect(callUntilOptimized(m, 1) { calls += 1 })
            #expect(m[x: 5] == 3 * calls)
            m.call(0)
            #expect(m[x: 5] == 3 * calls + 3)
        }

        /// Code changes again and again while its region is being compiled: no stale region may be installed.
        @Test func codeThatChangesMeanwhileIsNotInstalled() throws {
            let m = try backgroundMachine()
            for round in 1...300 {
                m.memory.write([RV.addi(5, 0, round), RV.ecall], at: 0)
                m.engine.invalidate(start: GuestLocation(m.memory.base), length: 8)
                for _ in 0..<(20 + round % 7) { m.call(0) }
                #expect(m[x: 5] == UInt64(round))
            }
        }

        @Test func aFlushDropsWhatIsBeingCompiled() throws {
            let m = try backgroundMachine()
            load(m)
            for _ in 0..<50 {
                m[x: 5] = 0
                m[x: 11] = 0
                m.call(0)
                #expect(m[x: 11] == 399 * 25)
                m.engine.flush()
            }
        }

        @Test func engineEndsItsThread() throws {
            for _ in 0..<20 {
                let m = try backgroundMachine()
                load(m)
                m.call(0)
            }
        }
    }
}
