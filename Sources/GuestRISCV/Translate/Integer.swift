// RV32I and RV64I computational instructions (Unprivileged ISA, chapters 2 and "RV64I").

import GuestKit
import IR

extension RISCVTranslator {
    // MARK: Forms

    @inline(__always) func binary(_ a: Args.R, _ opcode: Opcode) -> Bool {
        set(a.rd) { $0.binary(opcode, x(a.rs1), x(a.rs2), into: $1) }
    }
    @inline(__always) func binary(_ a: Args.I, _ opcode: Opcode) -> Bool {
        set(a.rd) { $0.binary(opcode, x(a.rs1), word(a.imm), into: $1) }
    }
    /// Computes in full width; the result is the low 32 bits, sign-extended.
    @inline(__always) func binaryWord(_ a: Args.R, _ opcode: Opcode) -> Bool {
        set(a.rd) { $0.sextract($0.binary(opcode, x(a.rs1), x(a.rs2)), 0, 32, into: $1) }
    }
    /// The low five bits of x`i`: the amount of a 32-bit shift.
    private func shiftAmount(_ i: Int32) -> Temp { ir.and(x(i), word(31)) }

    // MARK: Constants and moves

    mutating func lui(_ a: Args.U) -> Bool {
        move(a.rd, word(a.imm))
        return true
    }
    mutating func auipc(_ a: Args.U) -> Bool {
        move(a.rd, codeAddress(unit.pc &+ UInt64(bitPattern: a.imm)))
        return true
    }
    mutating func addi(_ a: Args.I) -> Bool {
        if a.rs1 == 0 {
            move(a.rd, word(a.imm))
        } else if a.imm == 0 {
            if a.rd != a.rs1 { move(a.rd, x(a.rs1)) }
        } else {
            return binary(a, .add)
        }
        return true
    }
    mutating func add(_ a: Args.R) -> Bool {
        if a.rs1 != 0 && a.rs2 != 0 { return binary(a, .add) }
        move(a.rd, x(a.rs1 | a.rs2))
        return true
    }

    // MARK: Register and immediate

    mutating func slti(_ a: Args.I) -> Bool {
        set(a.rd) { $0.setcond(.lt, x(a.rs1), word(a.imm), result: xlen, into: $1) }
    }
    mutating func sltiu(_ a: Args.I) -> Bool {
        set(a.rd) { $0.setcond(.ltu, x(a.rs1), word(a.imm), result: xlen, into: $1) }
    }
    mutating func xori(_ a: Args.I) -> Bool { binary(a, .xor) }
    mutating func ori(_ a: Args.I) -> Bool { binary(a, .or) }
    mutating func andi(_ a: Args.I) -> Bool { binary(a, .and) }
    mutating func slli(_ a: Args.I) -> Bool { binary(a, .shl) }
    mutating func srli(_ a: Args.I) -> Bool { binary(a, .shr) }
    mutating func srai(_ a: Args.I) -> Bool { binary(a, .sar) }

    // MARK: Two registers

    mutating func sub(_ a: Args.R) -> Bool { binary(a, .sub) }
    mutating func sll(_ a: Args.R) -> Bool { binary(a, .shl) }
    mutating func slt(_ a: Args.R) -> Bool {
        set(a.rd) { $0.setcond(.lt, x(a.rs1), x(a.rs2), result: xlen, into: $1) }
    }
    mutating func sltu(_ a: Args.R) -> Bool {
        set(a.rd) { $0.setcond(.ltu, x(a.rs1), x(a.rs2), result: xlen, into: $1) }
    }
    mutating func xor(_ a: Args.R) -> Bool { binary(a, .xor) }
    mutating func srl(_ a: Args.R) -> Bool { binary(a, .shr) }
    mutating func sra(_ a: Args.R) -> Bool { binary(a, .sar) }
    mutating func or(_ a: Args.R) -> Bool { binary(a, .or) }
    mutating func and(_ a: Args.R) -> Bool { binary(a, .and) }

    // MARK: 32-bit operations of RV64

    mutating func addiw(_ a: Args.I) -> Bool {
        set(a.rd) { $0.sextract(a.imm == 0 ? x(a.rs1) : $0.add(x(a.rs1), word(a.imm)), 0, 32, into: $1) }
    }
    mutating func addw(_ a: Args.R) -> Bool { binaryWord(a, .add) }
    mutating func subw(_ a: Args.R) -> Bool { binaryWord(a, .sub) }
    mutating func slliw(_ a: Args.I) -> Bool {
        set(a.rd) { $0.sextract($0.shl(x(a.rs1), word(a.imm)), 0, 32, into: $1) }
    }
    mutating func srliw(_ a: Args.I) -> Bool {
        let amount = Int(a.imm)
        // A shifted value is not negative: its zero extension is its sign extension.
        return set(a.rd) {
            amount == 0 ? $0.sextract(x(a.rs1), 0, 32, into: $1) : $0.extract(x(a.rs1), amount, 32 &- amount, into: $1)
        }
    }
    mutating func sraiw(_ a: Args.I) -> Bool {
        set(a.rd) { $0.sextract(x(a.rs1), Int(a.imm), 32 &- Int(a.imm), into: $1) }
    }
    mutating func sllw(_ a: Args.R) -> Bool {
        set(a.rd) { $0.sextract($0.shl(x(a.rs1), shiftAmount(a.rs2)), 0, 32, into: $1) }
    }
    mutating func srlw(_ a: Args.R) -> Bool {
        set(a.rd) { $0.sextract($0.shr($0.extract(x(a.rs1), 0, 32), shiftAmount(a.rs2)), 0, 32, into: $1) }
    }
    mutating func sraw(_ a: Args.R) -> Bool {
        set(a.rd) { $0.sar($0.sextract(x(a.rs1), 0, 32), shiftAmount(a.rs2), into: $1) }
    }
}
