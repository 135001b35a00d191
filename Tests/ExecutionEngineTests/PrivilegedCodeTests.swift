// RISC-V's privileged instructions as an engine runs them: modes, traps, registers, page tables. Handlers are a WFI, at which the vCPU stops.

import CodeGen
import GuestKit
import GuestMemory
import GuestRISCV
import HostOS
import IR
import Testing

@testable import ExecutionEngine

/// 64 KiB of RAM with a hart; M mode's handler and S mode's are at 0xf000 and 0xf800.
final class PrivilegedBoard: VCPUSurroundings {
    static let base: UInt64 = 0x8000_0000
    let guest = RISCVSystemGuest(cpu: .machine, inputs: EngineInputs.system)
    let memory: UnsafeMutableRawPointer
    let engine: Engine
    let vcpu: VCPU
    private let registers: [String: RegisterDescriptor]
    var time: UInt64 = 1234
    func deadlineChanged(of vcpu: VCPU) {}

    init(_ c: Configuration) throws {
        startSignals
        let size = 0x10000
        memory = .allocate(byteCount: size, alignment: 4096)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        let chunks = UnsafeMutablePointer<UInt64>.allocate(capacity: size / 4096)
        chunks.initialize(repeating: 0, count: size / 4096)
        let ram = RAMBlock("ram", base: memory, size: UInt64(size), isReadOnly: false, codeChunks: chunks)
        let map = PhysicalMap()
        #expect(map.add(PhysicalRange("ram", start: Self.base, size: ram.size, .memory(ram))))
        var options = EngineOptions(diagnostics: .silent)
        options.tier = c.tier
        options.codeCacheSize = 4 << 20
        options.hotThreshold = 20
        options.verification = .all
        engine = try Engine(guest: guest, host: c.makeHost(), memory: MachineMemory(map), options: options)
        vcpu = try engine.makeVCPU()
        registers = Dictionary(uniqueKeysWithValues: guest.registers.map { ($0.name, $0) })
        vcpu.surroundings = self
        write([System.wfi], at: 0xf000)
        write([System.wfi], at: 0xf800)
        self["mtvec"] = Self.base + 0xf000
        self["stvec"] = Self.base + 0xf800
        // All of memory to all modes.
        self["pmpaddr0"] = .max
        self["pmpcfg0"] = 0x1f
    }

    /// Physical memory.
    subscript(offset: Int) -> UInt64 {
        get { memory.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        set { memory.storeBytes(of: newValue, toByteOffset: offset, as: UInt64.self) }
    }
    func write(_ words: [UInt32], at offset: Int) {
        for (i, word) in words.enumerated() {
            memory.storeBytes(of: word, toByteOffset: offset + 4 * i, as: UInt32.self)
        }
        engine.invalidate(start: GuestLocation(Self.base + UInt64(offset)), length: UInt64(4 * words.count))
    }

    /// A register as the hart has it.
    subscript(name: String) -> UInt64 {
        get {
            guard let register = registers[name] else { fatalError("no \(name)") }
            return register.read(vcpu.state, vcpu)
        }
        set {
            guard let register = registers[name] else { fatalError("no \(name)") }
            register.write(vcpu.state, vcpu, newValue)
        }
    }

    /// Runs words, placed at an offset, to the next WFI; in a mode: 0 U, 1 S, 3 M.
    func run(_ words: [UInt32], in mode: UInt64 = 3, at offset: Int = 0) {
        write(words + [System.wfi], at: offset)
        self["priv"] = mode
        go(to: Self.base + UInt64(offset))
    }
    func go(to pc: UInt64) {
        vcpu.programCounter = pc
        vcpu.takeInterrupt()
        while true {
            switch vcpu.run() {
            case .interrupted: continue
            case .wait: return
            case let exit: return #expect(exit.text == "wait")
            }
        }
    }
}

enum System {
    static let wfi: UInt32 = 0x1050_0073
    static let mret: UInt32 = 0x3020_0073
    static let sret: UInt32 = 0x1020_0073
    static func csrrw(_ rd: Int, _ csr: Int, _ rs1: Int) -> UInt32 { csrOp(rd, csr, rs1, 1) }
    static func csrrs(_ rd: Int, _ csr: Int, _ rs1: Int) -> UInt32 { csrOp(rd, csr, rs1, 2) }
    static func csrrc(_ rd: Int, _ csr: Int, _ rs1: Int) -> UInt32 { csrOp(rd, csr, rs1, 3) }
    static func csrrwi(_ rd: Int, _ csr: Int, _ value: Int) -> UInt32 { csrOp(rd, csr, value, 5) }
    static func csrrsi(_ rd: Int, _ csr: Int, _ value: Int) -> UInt32 { csrOp(rd, csr, value, 6) }
    static func csrrci(_ rd: Int, _ csr: Int, _ value: Int) -> UInt32 { csrOp(rd, csr, value, 7) }
    static func fence(_ rs1: Int = 0, _ rs2: Int = 0) -> UInt32 { RV.r(0x09, rs2, rs1, 0, 0, 0x73) }
    static func cboZero(_ rs1: Int) -> UInt32 { 0x0040_200f | UInt32(rs1) << 15 }
    static func cboClean(_ rs1: Int) -> UInt32 { 0x0010_200f | UInt32(rs1) << 15 }
    private static func csrOp(_ rd: Int, _ csr: Int, _ rs1: Int, _ f3: UInt32) -> UInt32 {
        UInt32(csr) << 20 | UInt32(rs1) << 15 | f3 << 12 | UInt32(rd) << 7 | 0x73
    }
}

extension EngineTests {
    struct PrivilegedCodeTests {
        private static let base = PrivilegedBoard.base

        // MARK: Registers

        @Test(arguments: Configuration.all)
        func registersAreReadAndChanged(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            b.vcpu[x: 5] = 0xf0f0
            b.vcpu[x: 6] = 0x00ff
            b.run([
                System.csrrw(7, 0x340, 5), System.csrrs(8, 0x340, 6), System.csrrc(9, 0x340, 5),
                System.csrrwi(10, 0x340, 21), System.csrrsi(11, 0x340, 10), System.csrrci(12, 0x340, 1),
                System.csrrs(13, 0x340, 0), System.csrrw(6, 0x340, 6),
            ])
            #expect((7...13).map { b.vcpu[x: $0] } == [0, 0xf0f0, 0xf0ff, 0xf, 21, 31, 30])
            #expect(b["mscratch"] == 0xff && b.vcpu[x: 6] == 30)
            // By the helper, with bits that cannot be written.
            b.vcpu[x: 5] = .max
            b.run([System.csrrw(7, 0x302, 5), System.csrrs(8, 0x302, 0), System.csrrc(9, 0x302, 5)])
            #expect([7, 8, 9].map { b.vcpu[x: $0] } == [0, 0xf4_b7ff, 0xf4_b7ff] && b["medeleg"] == 0)
            #expect(b["mcause"] == 0)
        }

        @Test(arguments: Configuration.all)
        func timeNeedsItsEnables(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            let read = [System.csrrs(5, 0xc01, 0)]
            b.run(read)
            #expect(b.vcpu[x: 5] == 1234)
            b.vcpu[x: 5] = 0
            for (machine, supervisor, mode, isAllowed) in [
                (0, 2, 1, false), (2, 0, 1, true), (2, 0, 0, false), (2, 2, 0, true),
            ] as [(UInt64, UInt64, UInt64, Bool)] {
                b["mcause"] = 0
                b["mcounteren"] = machine
                b["scounteren"] = supervisor
                b.vcpu[x: 5] = 0
                // U mode's WFI is illegal, too, but elsewhere.
                b.run(read, in: mode)
                #expect((b.vcpu[x: 5] == 1234) == isAllowed)
                if !isAllowed { #expect(b["mtval"] == UInt64(read[0]) && b["mepc"] == Self.base) }
            }
        }

        // MARK: Traps

        @Test(arguments: Configuration.all)
        func environmentCallsLeadToHandlers(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            for (mode, isDelegated) in [(0, false), (0, true), (1, false), (1, true), (3, true)] as [(UInt64, Bool)] {
                b["medeleg"] = isDelegated ? .max : 0
                b["mcause"] = 0
                b["scause"] = 0
                b.run([RV.addi(5, 5, 1), RV.ecall], in: mode)
                let toSupervisor = isDelegated && mode != 3
                #expect(b[toSupervisor ? "scause" : "mcause"] == 8 + mode)
                #expect(b[toSupervisor ? "sepc" : "mepc"] == Self.base + 4)
                #expect(b["priv"] == (toSupervisor ? 1 : 3))
            }
            #expect(b.vcpu[x: 5] == 5)
        }

        @Test(arguments: Configuration.all)
        func illegalInstructionsReportTheirBits(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            for (word, mode) in [
                (System.csrrs(5, 0x300, 0), 1), (System.csrrw(0, 0xc00, 5), 3), (System.mret, 1), (System.sret, 0),
                (System.wfi, 0), (System.fence(), 0), (0xffff_ffff, 3), (System.csrrs(5, 0x100, 0), 0),
            ] as [(UInt32, UInt64)] {
                b["mcause"] = 0
                b.run([RV.addi(0, 0, 0), word], in: mode)
                #expect(b["mcause"] == 2 && b["mtval"] == UInt64(word) && b["mepc"] == Self.base + 4)
                #expect(b["mstatus"] >> 11 & 3 == mode)
            }
            b.run([0x0001_0000], in: 1)  // a compressed illegal instruction
            #expect(b["mcause"] == 2 && b["mtval"] == 0)
            b.run([RV.ebreak], in: 1)
            #expect(b["mcause"] == 3 && b["mtval"] == Self.base)
        }

        @Test(arguments: Configuration.all)
        func statusTrapsInstructionsOfSupervisors(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            for (bit, word) in [
                (20, System.csrrs(5, 0x180, 0)), (20, System.fence()), (21, System.wfi), (22, System.sret),
            ] as [(UInt64, UInt32)] {
                b["mcause"] = 0
                b["mstatus"] = 1 << bit
                b.run([word], in: 1)
                #expect(b["mcause"] == 2 && b["mtval"] == UInt64(word))
                b["mcause"] = 0
                b["mstatus"] = 0x100
                b["sepc"] = Self.base + 0x100
                b.write([System.wfi], at: 0x100)
                b.run([word], in: 1)
                #expect(b["mcause"] == 0)
            }
        }

        @Test(arguments: Configuration.all)
        func returnsEnterOtherModes(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            b["mepc"] = Self.base + 0x200
            b["sepc"] = Self.base + 0x300
            b["mstatus"] = 1 << 11
            b.write([RV.addi(6, 6, 1), System.sret], at: 0x200)
            b.write([RV.addi(7, 7, 1), RV.ecall], at: 0x300)
            for turn in UInt64(1)...40 {
                b["mstatus"] = 1 << 11
                b["mepc"] = Self.base + 0x200
                b.run([RV.addi(5, 5, 1), System.mret])
                #expect(b["mcause"] == 8 && b["mepc"] == Self.base + 0x304)
                #expect([5, 6, 7].map { b.vcpu[x: $0] } == [turn, turn, turn])
            }
        }

        // MARK: Interrupts

        @Test(arguments: Configuration.all)
        func interruptIsTakenBehindTheInstructionThatEnablesIt(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            b.vcpu.interruptLines.pointee = 1 << 7
            b.vcpu[x: 5] = 1 << 7
            b.run([System.csrrs(0, 0x304, 5), RV.addi(6, 6, 1), System.csrrsi(7, 0x300, 8), RV.addi(6, 6, 1)])
            #expect(b["mcause"] == 1 << 63 | 7 && b["mepc"] == Self.base + 12)
            #expect(b.vcpu[x: 6] == 1 && b["mstatus"] & 0x88 == 0x80)
            // No line, no interrupt.
            b.vcpu.interruptLines.pointee = 0
            b["mcause"] = 0
            b.run([System.csrrsi(7, 0x300, 8), RV.addi(6, 6, 1)])
            #expect(b["mcause"] == 0 && b.vcpu[x: 6] == 2)
            // From a lower mode without asking.
            b.vcpu.interruptLines.pointee = 1 << 7
            b["mstatus"] = 0
            b.run([RV.addi(6, 6, 1)], in: 1)
            #expect(b["mcause"] == 1 << 63 | 7 && b["mepc"] == Self.base && b.vcpu[x: 6] == 2)
        }

        /// Immediates switch interrupts in line; registers do the same by the helper.
        @Test(arguments: Configuration.all)
        func enablesAreSwitchedBothWays(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            for start in [0, 2, 0x6002, 0x200a, 0x4_6022] as [UInt64] {
                for (csr, bits) in [(0x100, 2), (0x300, 2), (0x300, 8), (0x300, 10)] {
                    b["mstatus"] = start
                    b.run([
                        System.csrrsi(5, csr, bits), System.csrrs(6, 0x300, 0), System.csrrci(7, csr, bits),
                        System.csrrci(0, csr, bits), System.csrrs(8, 0x300, 0),
                    ])
                    let inLine = (5...8).map { b.vcpu[x: $0] }
                    b["mstatus"] = start
                    b.vcpu[x: 9] = UInt64(bits)
                    b.run([
                        System.csrrs(5, csr, 9), System.csrrs(6, 0x300, 0), System.csrrc(7, csr, 9),
                        System.csrrc(0, csr, 9), System.csrrs(8, 0x300, 0),
                    ])
                    #expect(inLine == (5...8).map { b.vcpu[x: $0] })
                }
            }
            #expect(b["mcause"] == 0)
        }

        /// The time of the hart's own timer comes while interrupts are off: whoever watches the deadline has the vCPU look once.
        @Test(arguments: Configuration.all)
        func timerThatCameWhileInterruptsWereOffIsTakenWhenTheyAreOn(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            b["menvcfg"] = 1 << 63
            b["mie"] = 0x20
            b["mideleg"] = 0x20
            b["stimecmp"] = 2000
            let enable = [System.csrrsi(0, 0x100, 2), RV.addi(5, 5, 1), System.csrrci(0, 0x100, 2)]
            b.run(enable, in: 1)
            #expect(b["scause"] == 0 && b.vcpu[x: 5] == 1)
            b.time = 2000
            b.vcpu.takeInterrupt()
            #expect(b["scause"] == 0)
            b.run(enable, in: 1)
            #expect(b["scause"] == 1 << 63 | 5 && b["sepc"] == Self.base + 4 && b.vcpu[x: 5] == 1)
            // Set further on by the handler.
            b.vcpu[x: 6] = 3000
            b["mcounteren"] = 2
            b.run([System.csrrw(0, 0x14d, 6)] + enable, in: 1)
            #expect(b["mcause"] == 0 && b.vcpu[x: 5] == 2)
        }

        // MARK: Floating point

        @Test(arguments: Configuration.all)
        func floatingPointMustBeOn(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            let add = RV.faddD(1, 2, 3)
            for mode in [0, 1, 3] as [UInt64] {
                for word in [add, RV.fsd(1, 5), System.csrrs(6, 0x003, 0), 0xa082] {  // the last: c.fsdsp
                    b.vcpu[x: 2] = Self.base + 0x1000
                    b.vcpu[x: 5] = Self.base + 0x1000
                    b["mcause"] = 0
                    b["mstatus"] = 0
                    b.run([word], in: mode)
                    #expect(b["mcause"] == 2 && b["mtval"] == UInt64(word), "\(String(word, radix: 16)) in \(mode)")
                    b["mcause"] = 0
                    b["mstatus"] = 1 << 13
                    b.run([word & 3 == 3 ? word : word | 0x0001_0000, RV.addi(0, 0, 0), RV.ebreak], in: mode)
                    #expect(b["mcause"] == 3)
                    #expect(b["mstatus"] >> 13 & 3 == (word == add ? 3 : 1))
                }
            }
            // Switched on and off where it runs.
            b["mstatus"] = 0
            b["mcause"] = 0
            b.vcpu[x: 5] = 1 << 13
            b.vcpu[x: 6] = 3 << 13
            b.run(
                [System.csrrs(0, 0x100, 5), add, System.csrrs(7, 0x100, 0), System.csrrc(0, 0x100, 6), add], in: 1)
            #expect(b["mcause"] == 2 && b["mepc"] == Self.base + 16)
            #expect(b.vcpu[x: 7] == 0x8000_0002_0000_6000)
        }

        // MARK: Memory

        /// Sv39: the first 2 MiB of the upper half, and RAM where it is, for S mode; the page at 0x4000 is at 0x7000 for U mode.
        private func mapped(_ c: Configuration) throws -> PrivilegedBoard {
            let b = try PrivilegedBoard(c)
            let base = Self.base
            b[0xa000 + 8 * 2] = base >> 2 | 0xcf
            b[0xa000 + 8 * 256] = base >> 2 | 0xcf
            b[0xa000] = (base + 0xb000) >> 2 | 1
            b[0xb000] = (base + 0xc000) >> 2 | 1
            b[0xc000 + 8 * 7] = (base + 0x4000) >> 2 | 0xdf
            b["satp"] = 8 << 60 | (base + 0xa000) >> 12
            b[0x4010] = 0x1234
            return b
        }

        @Test(arguments: Configuration.all)
        func modesSeeTheirPages(_ c: Configuration) throws {
            let b = try mapped(c)
            b.vcpu[x: 5] = 0x7010
            b.vcpu[x: 8] = 1 << 18
            let load = [RV.ld(6, 5)]
            b.run(load, in: 1)
            #expect(b["mcause"] == 13 && b["mtval"] == 0x7010)
            // SUM, set and cleared in the code that loads.
            b["mcause"] = 0
            b.run([System.csrrs(0, 0x100, 8), RV.ld(6, 5), System.csrrc(0, 0x100, 8), RV.ld(7, 5)], in: 1)
            #expect(b["mcause"] == 13 && b["mepc"] == Self.base + 12 && b.vcpu[x: 6] == 0x1234)
            // M mode, physically and as others.
            b.run(load)
            #expect(b["mcause"] == 5 && b["mtval"] == 0x7010)
            for mode in [0, 1] as [UInt64] {
                b["mcause"] = 0
                b.vcpu[x: 6] = 0
                b["mstatus"] = 1 << 17 | mode << 11
                b.run(load)
                #expect((b.vcpu[x: 6] == 0x1234) == (mode == 0))
                #expect(b["mcause"] == (mode == 0 ? 0 : 13))
            }
            // U mode runs there.
            b["mstatus"] = 0
            b.write([RV.addi(6, 0, 7), RV.ecall], at: 0x4000)
            b["priv"] = 0
            b.go(to: 0x7000)
            #expect(b["mcause"] == 8 && b["mepc"] == 0x7004 && b.vcpu[x: 6] == 7)
        }

        @Test(arguments: Configuration.all)
        func writingSatpMovesTheNextInstruction(_ c: Configuration) throws {
            let b = try mapped(c)
            b.vcpu[x: 5] = b["satp"]
            b["satp"] = 0
            // At the same address, other code: RAM's first gigabyte is entered at 0x8000 in new tables.
            b[0xd000 + 8 * 2] = (Self.base + 0xe000) >> 2 | 1
            b[0xe000] = (Self.base + 0x9000) >> 2 | 1
            b[0x9000] = (Self.base + 0x8000) >> 2 | 0xcf
            b.vcpu[x: 5] = 8 << 60 | (Self.base + 0xd000) >> 12
            b.write([0, RV.addi(6, 0, 2), System.wfi], at: 0x8000)
            b.run([System.csrrw(0, 0x180, 5), RV.addi(6, 0, 1)], in: 1)
            #expect(b.vcpu[x: 6] == 2)
        }

        @Test(arguments: Configuration.all)
        func cacheBlocksNeedTheirEnables(_ c: Configuration) throws {
            let b = try mapped(c)
            for (word, bit, cause) in [(System.cboZero(5), 7, 15), (System.cboClean(5), 6, 15)]
                as [(UInt32, UInt64, UInt64)]
            {
                b.vcpu[x: 5] = Self.base + 0x5000
                b["menvcfg"] = 0
                b["mcause"] = 0
                b.run([word], in: 1)
                #expect(b["mcause"] == 2 && b["mtval"] == UInt64(word))
                b["menvcfg"] = 1 << bit
                b["mcause"] = 0
                b.run([word], in: 1)
                #expect(b["mcause"] == 0)
                b.vcpu[x: 5] = 0x1_0000_0000
                b.run([word], in: 1)
                #expect(b["mcause"] == cause)
            }
        }

        /// Code that has just set SUM calls a function, which maps another page where the caller lies: the return goes there.
        @Test(arguments: Configuration.all)
        func aReturnGoesWhereItsPageLiesNow(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            let start: UInt64 = 0x4000_0000, sum: UInt64 = 1 << 18
            func entry(_ offset: UInt64, _ flags: UInt64) -> UInt64 { (Self.base + offset) >> 2 | flags }
            b[0x8000 + 8] = entry(0x9000, 1)
            b[0x9000] = entry(0xa000, 1)
            for (page, offset) in [(0, 0x1000), (2, 0x3000), (4, 0xa000)] as [(Int, UInt64)] {
                b[0xa000 + 8 * page] = entry(offset, 0xcf)
            }
            for (offset, value) in [(0x1000, 1), (0x2000, 2)] {
                b.write(
                    [
                        System.csrrc(0, 0x100, 5), System.fence(), System.csrrs(0, 0x100, 5), RV.jal(1, 0x2000 - 12),
                        RV.addi(10, 0, value), System.wfi,
                    ], at: offset)
            }
            b.write([RV.sd(6, 7), System.fence(11), RV.ret], at: 0x3000)
            b["satp"] = 8 << 60 | (Self.base + 0x8000) >> 12
            b.vcpu[x: 5] = sum
            b.vcpu[x: 6] = entry(0x2000, 0xcf)
            b.vcpu[x: 7] = start + 0x4000
            b.vcpu[x: 11] = start
            for round in 0..<40 {
                b[0xa000] = entry(0x1000, 0xcf)
                b["priv"] = 1
                b["sstatus"] = b["sstatus"] & ~sum
                b.vcpu.mmu?.flush(0, 0)
                b.vcpu[x: 10] = 0
                b.go(to: start)
                #expect(b.vcpu[x: 10] == 2, "\(c) round \(round)")
            }
        }
    }
}
