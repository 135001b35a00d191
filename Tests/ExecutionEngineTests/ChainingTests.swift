// Chaining, the jump cache and the return stack: what keeps control in generated code.

import GuestMemory
import Testing

@testable import ExecutionEngine

extension EngineTests {
    @Suite struct ChainingTests {
        /// Two blocks too far apart for one region: x5 counts to x7, x6 = 2 * x5.
        private func farLoop(_ m: Machine, count: UInt64) {
            m.memory.write([RV.addi(5, 5, 1), RV.j(0x2_0000 - 4)], at: 0)
            m.memory.write([RV.addi(6, 6, 2), RV.beq(5, 7, 8), RV.j(-0x2_0008), RV.ecall], at: 0x2_0000)
            m[x: 7] = count
            m.call(0)
            #expect(m[x: 5] == count && m[x: 6] == 2 * count)
        }

        @Test(arguments: Configuration.all) func directJumpsAreLinkedOnce(_ c: Configuration) throws {
            let m = try Machine(c)
            farLoop(m, count: 100_000)
            #expect((2...8).contains(m.engine.counters.links))
            let links = m.engine.counters.links
            m[x: 5] = 0
            m[x: 6] = 0
            farLoop(m, count: 10)
            #expect(m.engine.counters.links == links)
        }

        @Test(arguments: Configuration.all) func withoutChainingNothingIsLinked(_ c: Configuration) throws {
            let m = try Machine(c) { $0.chaining = false }
            farLoop(m, count: 2_000)
            #expect(m.engine.counters.links == 0)
        }

        @Test(arguments: Configuration.all) func indirectCallsAreFoundInTheJumpCache(_ c: Configuration) throws {
            let m = try Machine(c)
            let count: UInt64 = 30_000
            m.memory.write(
                [
                    RV.add(13, 20, 14), RV.jalr(1, 13), RV.add(14, 14, 21), RV.bltu(14, 22, 8), RV.addi(14, 0, 0),
                    RV.addi(5, 5, 1), RV.bne(5, 7, -24), RV.ecall,
                ], at: 0)
            for k in 0..<3 { m.memory.write([RV.addi(6, 6, k + 1), RV.ret], at: 0x8040 * (k + 1)) }
            m[x: 20] = m.memory.base + 0x8040
            m[x: 21] = 0x8040
            m[x: 22] = 0x180c0
            m[x: 7] = count
            m.call(0)
            #expect(m[x: 5] == count && m[x: 6] == count * 2)
            #expect(m.vcpu.jumpCounters.lookupMisses < 64)
        }

        /// A leaf called from two places; the callers are too far from it for one region.
        @Test(arguments: Configuration.all) func returnsFindTheirCallers(_ c: Configuration) throws {
            let m = try Machine(c)
            let count: UInt64 = 30_000
            m.memory.write(
                [
                    RV.jal(1, 0x2_0000), RV.addi(6, 6, 1), RV.jal(1, 0x2_0000 - 8), RV.addi(6, 6, 2), RV.bne(5, 7, -16),
                    RV.ecall,
                ],
                at: 0)
            m.memory.write([RV.addi(5, 5, 1), RV.ret], at: 0x2_0000)
            m[x: 7] = count
            m.call(0)
            #expect(m[x: 6] == count / 2 * 3)
            #expect(m.vcpu.jumpCounters.lookupMisses + m.vcpu.returnMisses < 64)
        }

        /// Deeper than the return stack: the outer returns miss it and are still right.
        @Test(arguments: Configuration.all) func recursionDeeperThanTheReturnStackReturns(_ c: Configuration) throws {
            let m = try Machine(c)
            // f(x5): if x5 == 0 return; push x1; x5 -= 1; f; pop x1; x6 += 1; return
            m.memory.write([RV.jal(1, 8), RV.ecall], at: 0)
            m.memory.write(
                [
                    RV.beq(5, 0, 36), RV.addi(2, 2, -8), RV.sd(1, 2), RV.addi(5, 5, -1), RV.jal(1, -16), RV.ld(1, 2),
                    RV.addi(2, 2, 8), RV.addi(6, 6, 1), RV.ret, RV.ret,
                ], at: 8)
            for _ in 0..<5 {
                m[x: 2] = m.memory.guardPage
                m[x: 5] = 500
                m[x: 6] = 0
                m.call(0)
                #expect(m[x: 6] == 500 && m[x: 2] == m.memory.guardPage)
            }
        }

        /// A return address that was changed on the way: the return stack's guess must not be believed.
        @Test(arguments: Configuration.all) func changedReturnAddressIsObeyed(_ c: Configuration) throws {
            let m = try Machine(c)
            m.memory.write([RV.jal(1, 0x100), RV.addi(6, 6, 1), RV.addi(5, 5, 1), RV.bne(5, 7, -12), RV.ecall], at: 0)
            m.memory.write([RV.addi(1, 1, 4), RV.ret], at: 0x100)
            m[x: 7] = 300
            m.call(0)
            #expect(m[x: 5] == 300 && m[x: 6] == 0)
        }
    }
}
