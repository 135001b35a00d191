// Chaining, the jump cache and the return stack: what keeps control in generated code.

import CodeGen
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

        /// A function that changes the rounding mode returns to code for the new one, and the look-ups of both modes stay known.
        @Test(arguments: Configuration.all) func modesHaveLookUpsOfTheirOwn(_ c: Configuration) throws {
            let m = try Machine(c)
            let count: UInt64 = 10_000, frm = 2
            func setRounding(_ mode: Int) -> UInt32 { RV.i(frm, mode, 5, 0, 0x73) }
            // fcvt.l.d x6, f8 by the rounding mode of the moment, added to x9
            let add = [RV.r(0x61, 2, 8, 7, 6, 0x53), RV.add(9, 9, 6)]
            var code = [setRounding(0), RV.sub(12, 13, 12)]
            code.append(RV.jal(1, 0x2_0000 - 4 * code.count))
            code += add + [RV.jalr(1, 20)] + add + [setRounding(0), RV.jalr(1, 20)] + add + [RV.addi(5, 5, 1)]
            code += [RV.bne(5, 7, -4 * code.count), RV.ecall]
            m.memory.write([RV.fld(8, 21)] + code, at: 0)
            // csrw frm, x12
            m.memory.write([RV.i(frm, 12, 1, 0, 0x73), RV.ret], at: 0x2_0004)
            m.memory.write([RV.addi(10, 10, 1), RV.ret], at: 0x3_0000)
            let data = m.memory.data
            UnsafeMutablePointer<Double>(bitPattern: UInt(data))!.pointee = 2.5
            m[x: 7] = count
            m[x: 13] = 4
            m[x: 20] = m.memory.base + 0x3_0000
            m[x: 21] = data
            m.call(0)
            // Ties away from zero in every other turn, until the mode is set back.
            #expect(m[x: 9] == count / 2 * (3 + 3 + 2 + 2 + 2 + 2))
            #expect(m[x: 10] == count * 2)
            #expect(m.vcpu.jumpCounters.lookupMisses < 64)
        }

        /// A cache that was never filled is zeroed memory, and so are its unused entries.
        @Test(arguments: Configuration.all) func addressZeroIsNotFoundInAnEmptyCache(_ c: Configuration) throws {
            let m = try Machine(c)
            for word in [RV.jalr(1, 0), RV.jalr(0, 20)] {
                m.memory.write([word, RV.ecall], at: 0)
                m[x: 20] = 0
                m.pc = 0
                guard case .memoryFault(0, .execute, _) = m.run() else {
                    Issue.record("there is no code at 0")
                    return
                }
                #expect(m.vcpu.programCounter == 0)
            }
        }

        /// Three functions whose returns and entries have one place in the first level of the jump cache.
        @Test(arguments: Configuration.all) func targetsThatShareAPlaceStayKnown(_ c: Configuration) throws {
            let m = try Machine(c)
            let count: UInt64 = 6000
            // x20: a function, x21: the distance of two; x5 counts.
            m.memory.write(
                [
                    RV.jalr(1, 20), RV.add(20, 20, 21), RV.jalr(1, 20), RV.add(20, 20, 21), RV.jalr(1, 20),
                    RV.sub(20, 20, 21), RV.sub(20, 20, 21), RV.bne(5, 7, -28), RV.ecall,
                ], at: 0)
            for i in 0..<3 {
                m.memory.write([RV.addi(5, 5, 1), RV.jalr(0, 1)], at: 0x1_0000 + i * 2 * JumpCache.count)
            }
            m[x: 7] = count
            m[x: 20] = m.memory.base + 0x1_0000
            m[x: 21] = UInt64(2 * JumpCache.count)
            m.call(0)
            #expect(m[x: 5] == count)
            #expect(m.vcpu.jumpCounters.lookupMisses < 64)
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
