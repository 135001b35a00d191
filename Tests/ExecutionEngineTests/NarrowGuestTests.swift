// A guest with words of 32 bits: its registers are half as wide as their homes may be, its addresses wrap at 4 GiB.

import GuestKit
import GuestMemory
import GuestRISCV
import TestSupport
import Testing

@testable import ExecutionEngine

extension RISCVCPU {
    fileprivate static let narrow = RISCVCPU(named: "test", extensions: .everything32)
}

extension Configuration {
    /// In memory that 32 bits reach.
    fileprivate static let narrow = all.map { Configuration(isX64: $0.isX64, tier: $0.tier, isLow: true) }
}

/// A loop of random instructions over x1...x29 and f0...f31; x30 points to data, x31 counts.
private struct RandomLoop {
    var bytes: [UInt8] = []
    private static let rows = InstructionTable.encodings

    init(_ random: inout SeededRandom, count: Int) {
        let extensions = RISCVCPU.narrow.extensions
        let leftOut: InstructionClasses = [
            .control, .trap, .privileged, .wait, .system, .fence, .cache, .exclusive, .atomic,
        ].reduce([]) { $0.union($1) }
        let rows = (0..<Self.rows.count).filter {
            InstructionTable.isAllowed($0, by: extensions) && Self.rows.classes($0).isDisjoint(with: leftOut)
                && Self.rows.name($0) != "auipc"
        }
        while bytes.count < count * 3 {
            var made = Self.rows.random(rows.randomElement(using: &random)!, using: &random)
            let operands = Self.rows.operands(made.row)
            for operand in operands where operand.kind == "rounding" {
                _ = Self.rows.set(operand, to: [0, 1, 2, 3, 4, 7].randomElement(using: &random)!, in: &made)
            }
            if let base = operands.first(where: { $0.access.contains(.address) }) {
                guard Self.rows.set(base, to: 30, in: &made) else { continue }
            }
            // Data is elsewhere in each machine: nothing computes with its address.
            let usesFixed = operands.contains {
                $0.kind == "x" && !$0.access.contains(.address) && (Self.rows.value($0, of: made) ?? 31) >= 30
            }
            if usesFixed || !Self.rows.isItself(made, where: { InstructionTable.isAllowed($0, by: extensions) }) {
                continue
            }
            bytes += Self.rows.bytes(made)
        }
        let back = -bytes.count - 4
        for word in [RV.addi(31, 31, -1), RV.bne(31, 0, back), RV.ecall] {
            for shift in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(8 * shift))) }
        }
    }

    /// What it leaves: registers, and the memory that it reaches.
    func run(_ machine: Machine, turns: UInt64, seed: UInt64) -> [UInt64] {
        machine.memory.write(bytes: bytes, at: 0)
        var random = SeededRandom(seed: seed)
        for i in 1..<30 {
            machine[x: i] =
                UInt64(UInt32.random(in: 0 ... .max, using: &random))
                >> UInt64([0, 0, 24, 31].randomElement(using: &random)!)
        }
        for i in 0..<32 {
            let value = UInt64.random(in: 0 ... .max, using: &random)
            machine[f: i] = Bool.random(using: &random) ? value : value | 0xffff_ffff_0000_0000
        }
        let data = 0x2000
        for offset in stride(from: 0, to: 0x4000, by: 8) {
            machine.memory[data: offset] = UInt64.random(in: 0 ... .max, using: &random)
        }
        machine[x: 30] = machine.memory.data + UInt64(data)
        machine[x: 31] = turns
        machine.call(0)
        return (0..<32).map { machine[x: $0] } + (0..<32).map { machine[f: $0] }
            + stride(from: 0, to: 0x4000, by: 8).map { machine.memory[data: $0] }
    }
}

extension EngineTests {
    @Suite struct NarrowGuestTests {
        private func machine(_ c: Configuration) throws -> Machine {
            try Machine(c, guest: RISCVGuest(cpu: .narrow))
        }

        @Test(arguments: Configuration.narrow) func addressesWrapAt4GiB(_ c: Configuration) throws {
            let m = try machine(c)
            func run(_ word: UInt32, _ x6: UInt64) -> String {
                m.memory.write([word], at: 0)
                m.engine.flush()
                m[x: 6] = x6
                m.pc = 0
                return m.run().text
            }
            #expect(run(RV.lw(5, 6, 16), 0xffff_fff8) == fault(.read, .unmapped, 8))
            #expect(run(RV.fld(5, 6, -8), 0) == fault(.read, .unmapped, 0xffff_fff8))
            #expect(run(RV.sw(5, 6, -16), 4) == fault(.write, .unmapped, 0xffff_fff4))
            // amoadd.w x5, x5, (x6)
            #expect(run(0x0053_22af, 0xffff_fffe) == fault(.write, .misaligned, 0xffff_fffe))
            #expect(run(RV.jalr(1, 6, 8), 0xffff_fffc) == fault(.execute, .unmapped, 4))
            #expect(m.vcpu.programCounter == 4)
            #expect(m[x: 1] == m.memory.base + 4)
        }

        /// Homes are wider than registers: nothing but zeros gets into their upper halves, and the state is shown without them.
        @Test(arguments: Configuration.narrow) func registersHave32Bits(_ c: Configuration) throws {
            let m = try machine(c)
            let add = RV.add(5, 5, 5), back = RV.bne(31, 0, -12)
            m.memory.write([RV.addi(6, 6, -1), add, RV.addi(31, 31, -1), back, RV.ecall], at: 0)
            m[x: 5] = 0x8000_0001
            m[x: 31] = 50
            m.call(0)
            #expect(m[x: 5] == 0 && m[x: 6] == 0xffff_ffff - 49)
            m[x: 5] = 0x8000_0001
            let shown = m.vcpu.dump()
            #expect(shown.contains("   x5 80000001    x6 ffffffce    x7 00000000\n"))
        }

        /// Calls, returns and computed jumps find their targets without the cpu loop.
        @Test func jumpsFindTheirTargetsByAddressesOf32Bits() throws {
            let m = try machine(Configuration(isX64: true, tier: .baseline, isLow: true))
            // Calls by an address in x20; the function returns.
            m.memory.write([RV.jalr(1, 20), RV.addi(31, 31, -1), RV.bne(31, 0, -8), RV.ecall], at: 0)
            m.memory.write([RV.addi(5, 5, 1), RV.ret], at: 0x100)
            m[x: 20] = m.memory.base + 0x100
            m[x: 31] = 1000
            m.call(0)
            #expect(m[x: 5] == 1000)
            #expect(m.vcpu.returnMisses < 10 && m.vcpu.jumpCounters.lookupMisses < 10)
        }

        @Test(.seeded(32)) func randomLoopsLeaveTheSameStateInAllConfigurations() throws {
            var random = SeededRandom(seed: Seed.current)
            let machines = try Configuration.narrow.map { (try machine($0), $0.testDescription) }
            for round in 0..<Rounds.count(8) {
                let loop = RandomLoop(&random, count: 40)
                let seed = random.next()
                // Addresses of data differ between machines: x30 is left out.
                let reference = machines[3].0
                reference.engine.flush()
                let expected = loop.run(reference, turns: 150, seed: seed)
                for (machine, name) in machines {
                    machine.engine.flush()
                    let got = loop.run(machine, turns: 150, seed: seed)
                    let different = got.indices.filter { $0 != 30 && got[$0] != expected[$0] }
                    #expect(
                        different.isEmpty, "\(name), round \(round): words \(different.prefix(8)) of registers and data"
                    )
                }
            }
        }
    }
}
