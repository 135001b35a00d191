// Guest memory faults in generated code: the state that the embedder sees is exactly that before the faulting instruction,
// wherever generated code kept it.

import CodeGen
import GuestMemory
import Testing

@testable import ExecutionEngine

/// The instruction that faults: with x31 as its address.
struct FaultingAccess: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var word: UInt32
    var access: MemoryAccess
    static let all = [
        FaultingAccess(testDescription: "ld", word: RV.ld(30, 31), access: .read),
        FaultingAccess(testDescription: "fld", word: RV.fld(3, 31), access: .read),
        FaultingAccess(testDescription: "sd", word: RV.sd(29, 31), access: .write),
        FaultingAccess(testDescription: "fsd", word: RV.fsd(9, 31), access: .write),
        FaultingAccess(testDescription: "amoadd.d", word: RV.amoaddD(30, 29, 31), access: .write),
        FaultingAccess(testDescription: "amocas.q", word: RV.amocasQ(28, 10, 31), access: .write),
    ]
}

extension EngineTests {
    @Suite struct FaultTests {
        private func double(_ value: Int) -> UInt64 { Double(value).bitPattern }

        /// Changes every register but x31, accesses [x31], changes them again.
        private func allDirty(_ access: UInt32) -> [UInt32] {
            let change = (1...30).map { RV.addi($0, $0, $0) } + (0...31).map { RV.faddD($0, $0, $0) }
            return change + [access] + change
        }
        private static let accessOffset = 62 * 4

        private func prepare(_ m: Machine) {
            for i in 1...30 { m[x: i] = UInt64(i) << 33 }
            for i in 0...31 { m[f: i] = double(i + 1) }
        }
        private func expectChangedOnce(_ m: Machine) {
            for i in 1...30 { #expect(m[x: i] == UInt64(i) << 33 + UInt64(i), "x\(i)") }
            for i in 0...31 { #expect(m[f: i] == double(2 * (i + 1)), "f\(i)") }
        }

        @Test(arguments: Configuration.all, FaultingAccess.all)
        func everyRegisterIsExactAtAFault(_ c: Configuration, _ access: FaultingAccess) throws {
            let m = try Machine(c)
            m.memory.write(allDirty(access.word) + [RV.ecall], at: 0)
            for (address, kind) in [
                (m.memory.guardPage + 16, MemoryFaultKind.permission), (m.memory.busPage, .bus),
                (m.memory.guardPage, .permission),
            ] {
                prepare(m)
                m[x: 31] = address
                m.pc = 0
                #expect(m.run().text == fault(access.access, kind, address))
                #expect(m.pc == Self.accessOffset && m[x: 31] == address)
                expectChangedOnce(m)
            }
            // The embedder goes on from there.
            m[x: 31] = m.memory.data
            #expect(m.run().text == "systemCall")
            #expect(m[x: 5] == 5 << 33 + 10 && m[f: 31] == double(128))
        }

        @Test(arguments: Configuration.all, FaultingAccess.all)
        func everyRegisterIsExactInALoop(_ c: Configuration, _ access: FaultingAccess) throws {
            let m = try Machine(c)
            // 40 rounds through the data area's end into the guard page: hot code by then.
            m.memory.write(
                (1...27).map { RV.addi($0, $0, $0) } + (10...25).map { RV.faddD($0, $0, 26) }
                    + [access.word, RV.addi(31, 31, 16), RV.bne(31, 0, -45 * 4)], at: 0)
            for i in 1...30 { m[x: i] = UInt64(i) }
            for i in 0...31 { m[f: i] = double(i) }
            m[x: 31] = m.memory.guardPage - 16 * 40
            m.pc = 0
            #expect(m.run().text == fault(access.access, .permission, m.memory.guardPage))
            #expect(m.pc == 43 * 4 && m[x: 31] == m.memory.guardPage)
            for i in 1...27 { #expect(m[x: i] == UInt64(i * 42), "x\(i)") }
            for i in 10...25 { #expect(m[f: i] == double(i + 26 * 41), "f\(i)") }
            for i in [0, 1, 2, 26, 31] { #expect(m[f: i] == double(i), "f\(i)") }
            if c.tier == .automatic { #expect(m.engine.counters.optimized > 0) }
        }

        @Test(arguments: Configuration.all) func misalignedAtomicsLeaveWithExactState(_ c: Configuration) throws {
            for word in [RV.lrD(30, 31), RV.amoaddD(30, 29, 31), RV.amocasQ(28, 10, 31)] {
                let m = try Machine(c)
                m.memory.write(allDirty(word) + [RV.ecall], at: 0)
                prepare(m)
                m[x: 31] = m.memory.data + 4
                m.pc = 0
                // A load-reserved is a load.
                let access: MemoryAccess = word == RV.lrD(30, 31) ? .read : .write
                #expect(m.run().text == fault(access, .misaligned, m.memory.data + 4))
                #expect(m.pc == Self.accessOffset)
                expectChangedOnce(m)
            }
        }

        @Test(arguments: Configuration.all) func pairCompareAndSwapComparesAndSwaps(_ c: Configuration) throws {
            let m = try Machine(c)
            m.memory.write([RV.amocasQ(10, 12, 31), RV.ecall], at: 0)
            m.memory.write([RV.amocasQ(0, 12, 31), RV.ecall], at: 0x100)
            m.memory.write([RV.amocasQ(10, 0, 31), RV.ecall], at: 0x200)
            m[x: 31] = m.memory.data + 32
            func run(_ offset: Int, expected: (UInt64, UInt64), _ memory: (UInt64, UInt64)) -> [UInt64] {
                (m[x: 10], m[x: 11]) = expected
                (m[x: 12], m[x: 13]) = (70, 71)
                (m.memory[data: 32], m.memory[data: 40]) = memory
                m[x: 1] = 99
                m.call(offset)
                #expect(m[x: 12] == 70 && m[x: 13] == 71 && m[x: 1] == 99)
                return [m.memory[data: 32], m.memory[data: 40], m[x: 10], m[x: 11]]
            }
            #expect(run(0, expected: (5, 6), (5, 6)) == [70, 71, 5, 6])
            #expect(run(0, expected: (5, 6), (5, 7)) == [5, 7, 5, 7])
            #expect(run(0, expected: (5, 6), (4, 6)) == [4, 6, 4, 6])
            // The pair of x0 is zero as an operand and discarded as a result.
            #expect(run(0x100, expected: (1, 2), (0, 0)) == [70, 71, 1, 2])
            #expect(run(0x100, expected: (1, 2), (0, 99)) == [0, 99, 1, 2])
            #expect(run(0x200, expected: (5, 6), (5, 6)) == [0, 0, 5, 6])
        }

        @Test(arguments: Configuration.all) func accessThatMemoryMadePossibleIsRetried(_ c: Configuration) throws {
            let m = try Machine(c)
            m.memory.write([RV.ld(5, 31), RV.addi(5, 5, 1), RV.sd(5, 31), RV.ecall], at: 0)
            m[x: 31] = m.memory.data + 8
            for round in 1...20 {
                try m.memory.makeLazy(m.memory.data)
                m.call(0)
                #expect(m.memory.retries == round && m.memory[data: 8] == UInt64(round))
            }
        }

        /// The fault handler tells engines apart by address, also after many came and went.
        @Test func faultsReachTheirEngineAmongMany() throws {
            var kept: [Machine] = []
            for round in 0..<100 {
                let m = try Machine(Configuration.all[round % 6])
                m.memory.write([RV.addi(5, 5, 1), RV.ld(6, 31), RV.ecall], at: 0)
                if round % 10 < 2 { kept.append(m) }
                for machine in kept + [m] {
                    machine[x: 31] = machine.memory.guardPage
                    machine[x: 5] = 0
                    machine.pc = 0
                    #expect(machine.run().text == fault(.read, .permission, machine.memory.guardPage))
                    #expect(machine[x: 5] == 1 && machine.pc == 4)
                }
            }
        }
    }
}
