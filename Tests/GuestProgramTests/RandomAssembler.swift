// The few instructions that generated programs need around their random bodies (Unprivileged ISA, chapter 2), and code
// made of them.

import GuestKit

/// Encodings with registers and immediates as numbers. Immediates are cut to their fields.
enum Encode {
    static func i(_ opcode: UInt32, _ funct3: UInt32, _ rd: Int, _ rs1: Int, _ imm: Int) -> UInt32 {
        opcode | UInt32(rd) << 7 | funct3 << 12 | UInt32(rs1) << 15 | UInt32(truncatingIfNeeded: imm) << 20
    }
    static func r(_ opcode: UInt32, _ funct3: UInt32, _ funct7: UInt32, _ rd: Int, _ rs1: Int, _ rs2: Int) -> UInt32 {
        opcode | UInt32(rd) << 7 | funct3 << 12 | UInt32(rs1) << 15 | UInt32(rs2) << 20 | funct7 << 25
    }
    static func s(_ opcode: UInt32, _ funct3: UInt32, _ rs2: Int, _ rs1: Int, _ imm: Int) -> UInt32 {
        opcode | funct3 << 12 | UInt32(rs1) << 15 | UInt32(rs2) << 20 | immediateS(imm)
    }
    static func immediateS(_ imm: Int) -> UInt32 {
        let bits = UInt32(truncatingIfNeeded: imm)
        return (bits & 31) << 7 | (bits >> 5 & 127) << 25
    }
    static func immediateB(_ imm: Int) -> UInt32 {
        let bits = UInt32(truncatingIfNeeded: imm)
        return (bits >> 12 & 1) << 31 | (bits >> 5 & 63) << 25 | (bits >> 1 & 15) << 8 | (bits >> 11 & 1) << 7
    }
    static func immediateJ(_ imm: Int) -> UInt32 {
        let bits = UInt32(truncatingIfNeeded: imm)
        return (bits >> 20 & 1) << 31 | (bits >> 1 & 0x3ff) << 21 | (bits >> 11 & 1) << 20 | (bits >> 12 & 0xff) << 12
    }
    static func immediateCB(_ imm: Int) -> UInt16 {
        let bits = UInt16(truncatingIfNeeded: imm)
        return (bits >> 8 & 1) << 12 | (bits >> 3 & 3) << 10 | (bits >> 6 & 3) << 5 | (bits >> 1 & 3) << 3
            | (bits >> 5 & 1) << 2
    }
    static func immediateCJ(_ imm: Int) -> UInt16 {
        let bits = UInt16(truncatingIfNeeded: imm)
        return (bits >> 11 & 1) << 12 | (bits >> 4 & 1) << 11 | (bits >> 8 & 3) << 9 | (bits >> 10 & 1) << 8
            | (bits >> 6 & 1) << 7 | (bits >> 7 & 1) << 6 | (bits >> 1 & 7) << 3 | (bits >> 5 & 1) << 2
    }

    static let nop = addi(0, 0, 0)
    static let shortNop: UInt16 = 1
    static let ecall: UInt32 = 0x73
    /// fence rw, rw
    static let fence: UInt32 = 0x0330_000f

    static func lui(_ rd: Int, _ upper: Int) -> UInt32 {
        0x37 | UInt32(rd) << 7 | UInt32(truncatingIfNeeded: upper) << 12
    }
    static func auipc(_ rd: Int) -> UInt32 { 0x17 | UInt32(rd) << 7 }
    static func addi(_ rd: Int, _ rs1: Int, _ imm: Int) -> UInt32 { i(0x13, 0, rd, rs1, imm) }
    static func andi(_ rd: Int, _ rs1: Int, _ imm: Int) -> UInt32 { i(0x13, 7, rd, rs1, imm) }
    static func xori(_ rd: Int, _ rs1: Int, _ imm: Int) -> UInt32 { i(0x13, 4, rd, rs1, imm) }
    static func sltiu(_ rd: Int, _ rs1: Int, _ imm: Int) -> UInt32 { i(0x13, 3, rd, rs1, imm) }
    static func slli(_ rd: Int, _ rs1: Int, _ amount: Int) -> UInt32 { i(0x13, 1, rd, rs1, amount) }
    static func rori(_ rd: Int, _ rs1: Int, _ amount: Int) -> UInt32 { i(0x13, 5, rd, rs1, 0x600 | amount) }
    static func add(_ rd: Int, _ rs1: Int, _ rs2: Int) -> UInt32 { r(0x33, 0, 0, rd, rs1, rs2) }
    static func slt(_ rd: Int, _ rs1: Int, _ rs2: Int) -> UInt32 { r(0x33, 2, 0, rd, rs1, rs2) }
    static func ld(_ rd: Int, _ base: Int, _ offset: Int) -> UInt32 { i(0x03, 3, rd, base, offset) }
    static func lw(_ rd: Int, _ base: Int, _ offset: Int) -> UInt32 { i(0x03, 2, rd, base, offset) }
    static func lhu(_ rd: Int, _ base: Int, _ offset: Int) -> UInt32 { i(0x03, 5, rd, base, offset) }
    static func sd(_ rs2: Int, _ base: Int, _ offset: Int) -> UInt32 { s(0x23, 3, rs2, base, offset) }
    static func sw(_ rs2: Int, _ base: Int, _ offset: Int) -> UInt32 { s(0x23, 2, rs2, base, offset) }
    static func sb(_ rs2: Int, _ base: Int, _ offset: Int) -> UInt32 { s(0x23, 0, rs2, base, offset) }
    static func fld(_ rd: Int, _ base: Int, _ offset: Int) -> UInt32 { i(0x07, 3, rd, base, offset) }
    static func fsd(_ rs2: Int, _ base: Int, _ offset: Int) -> UInt32 { s(0x27, 3, rs2, base, offset) }
    static func moveDouble(toInteger rd: Int, _ rs1: Int) -> UInt32 { i(0x53, 0, rd, rs1, 0xe20) }
    static func moveSingle(toInteger rd: Int, _ rs1: Int) -> UInt32 { i(0x53, 0, rd, rs1, 0xe00) }
    static func csrrw(_ rd: Int, _ csr: Int, _ rs1: Int) -> UInt32 { i(0x73, 1, rd, rs1, csr) }
    static func csrrs(_ rd: Int, _ csr: Int, _ rs1: Int) -> UInt32 { i(0x73, 2, rd, rs1, csr) }
    static func csrrwi(_ rd: Int, _ csr: Int, _ value: Int) -> UInt32 { i(0x73, 5, rd, value, csr) }
    static func jalr(_ rd: Int, _ rs1: Int, _ offset: Int) -> UInt32 { i(0x67, 0, rd, rs1, offset) }
    static func jal(_ rd: Int, _ offset: Int = 0) -> UInt32 { 0x6f | UInt32(rd) << 7 | immediateJ(offset) }
    static func beqz(_ rs1: Int, _ offset: Int) -> UInt32 { 0x63 | UInt32(rs1) << 15 | immediateB(offset) }
    static func bnez(_ rs1: Int, _ offset: Int) -> UInt32 { 0x1063 | UInt32(rs1) << 15 | immediateB(offset) }

    /// Loads and stores of a whole register.
    static func load(_ wordSize: WordSize, _ rd: Int, _ base: Int, _ offset: Int) -> UInt32 {
        wordSize == .bits32 ? lw(rd, base, offset) : ld(rd, base, offset)
    }
    static func store(_ wordSize: WordSize, _ rs2: Int, _ base: Int, _ offset: Int) -> UInt32 {
        wordSize == .bits32 ? sw(rs2, base, offset) : sd(rs2, base, offset)
    }

    /// A positive number of at most 31 bits into `rd`.
    static func li(_ rd: Int, _ value: Int) -> [UInt32] {
        [lui(rd, (value + 0x800) >> 12), addi(rd, rd, value & 0xfff)]
    }

    /// A system call with constant arguments.
    static func call(_ number: Int, _ arguments: [Int]) -> [UInt32] {
        arguments.enumerated().flatMap { li(10 + $0.offset, $0.element) } + li(17, number) + [ecall]
    }
}
