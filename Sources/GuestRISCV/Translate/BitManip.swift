// Bit manipulation (Unprivileged ISA, chapter "B"): Zba, Zbb, Zbc, Zbs.

import GuestKit
import IR

// MARK: Zba, address generation

extension RISCVTranslator {
    mutating func sh1add(_ a: Args.R) -> Bool { shiftAdd(a, 1) }
    mutating func sh2add(_ a: Args.R) -> Bool { shiftAdd(a, 2) }
    mutating func sh3add(_ a: Args.R) -> Bool { shiftAdd(a, 3) }
    mutating func add_uw(_ a: Args.R) -> Bool {
        set(a.rd) {
            a.rs2 == 0
                ? $0.extract(x(a.rs1), 0, 32, into: $1) : $0.add($0.extract(x(a.rs1), 0, 32), x(a.rs2), into: $1)
        }
    }
    mutating func sh1add_uw(_ a: Args.R) -> Bool { shiftAddUnsigned(a, 1) }
    mutating func sh2add_uw(_ a: Args.R) -> Bool { shiftAddUnsigned(a, 2) }
    mutating func sh3add_uw(_ a: Args.R) -> Bool { shiftAddUnsigned(a, 3) }
    mutating func slli_uw(_ a: Args.I) -> Bool {
        set(a.rd) { $0.shl($0.extract(x(a.rs1), 0, 32), word(a.imm), into: $1) }
    }

    private func shiftAdd(_ a: Args.R, _ amount: Int64) -> Bool {
        set(a.rd) { $0.add($0.shl(x(a.rs1), word(amount)), x(a.rs2), into: $1) }
    }
    private func shiftAddUnsigned(_ a: Args.R, _ amount: Int64) -> Bool {
        set(a.rd) { $0.add($0.shl($0.extract(x(a.rs1), 0, 32), word(amount)), x(a.rs2), into: $1) }
    }
}

// MARK: Zbb, basic bit manipulation

extension RISCVTranslator {
    mutating func andn(_ a: Args.R) -> Bool { binary(a, .andc) }
    mutating func orn(_ a: Args.R) -> Bool { binary(a, .orc) }
    mutating func xnor(_ a: Args.R) -> Bool { binary(a, .eqv) }

    // Counts of a zero word are its width.
    mutating func clz(_ a: Args.R2) -> Bool { unary(a, .clz) }
    mutating func ctz(_ a: Args.R2) -> Bool { unary(a, .ctz) }
    mutating func cpop(_ a: Args.R2) -> Bool { unary(a, .popcnt) }
    mutating func clzw(_ a: Args.R2) -> Bool { unaryWord(a, .clz) }
    mutating func ctzw(_ a: Args.R2) -> Bool { unaryWord(a, .ctz) }
    mutating func cpopw(_ a: Args.R2) -> Bool { unaryWord(a, .popcnt) }

    mutating func max(_ a: Args.R) -> Bool { pick(a, .gt) }
    mutating func maxu(_ a: Args.R) -> Bool { pick(a, .gtu) }
    mutating func min(_ a: Args.R) -> Bool { pick(a, .lt) }
    mutating func minu(_ a: Args.R) -> Bool { pick(a, .ltu) }

    mutating func sext_b(_ a: Args.R2) -> Bool { set(a.rd) { $0.sextract(x(a.rs1), 0, 8, into: $1) } }
    mutating func sext_h(_ a: Args.R2) -> Bool { set(a.rd) { $0.sextract(x(a.rs1), 0, 16, into: $1) } }
    mutating func zext_h(_ a: Args.R2) -> Bool { set(a.rd) { $0.extract(x(a.rs1), 0, 16, into: $1) } }

    mutating func rol(_ a: Args.R) -> Bool { binary(a, .rotl) }
    mutating func ror(_ a: Args.R) -> Bool { binary(a, .rotr) }
    mutating func rori(_ a: Args.I) -> Bool { binary(a, .rotr) }
    mutating func rolw(_ a: Args.R) -> Bool { rotateWord(a, .rotl) }
    mutating func rorw(_ a: Args.R) -> Bool { rotateWord(a, .rotr) }
    mutating func roriw(_ a: Args.I) -> Bool {
        set(a.rd) { signExtended($0.binary(.rotr, low32(x(a.rs1)), $0.const(a.imm, .i32)), into: $1) }
    }

    /// Each byte becomes 0xff unless it is 0.
    mutating func orc_b(_ a: Args.R2) -> Bool {
        set(a.rd) {
            let low7 = word(0x7f7f_7f7f_7f7f_7f7f)
            // The top bit of each byte: set when the byte is not 0. No sum carries into the next byte.
            let marks = $0.binary(.andc, $0.or($0.add($0.and(x(a.rs1), low7), low7), x(a.rs1)), low7)
            // 0x80 -> 0x100 - 1 in each byte.
            return $0.sub($0.shl(marks, word(1)), $0.shr(marks, word(7)), into: $1)
        }
    }
    mutating func rev8(_ a: Args.R2) -> Bool { unary(a, .bswap) }

    private func unary(_ a: Args.R2, _ opcode: Opcode) -> Bool {
        set(a.rd) { $0.unary(opcode, x(a.rs1), into: $1) }
    }
    private func unaryWord(_ a: Args.R2, _ opcode: Opcode) -> Bool {
        set(a.rd) { signExtended($0.unary(opcode, low32(x(a.rs1))), into: $1) }
    }
    private func pick(_ a: Args.R, _ condition: Condition) -> Bool {
        set(a.rd) { $0.select(condition, x(a.rs1), x(a.rs2), x(a.rs1), x(a.rs2), into: $1) }
    }
    private func rotateWord(_ a: Args.R, _ opcode: Opcode) -> Bool {
        set(a.rd) { signExtended($0.binary(opcode, low32(x(a.rs1)), low32(x(a.rs2))), into: $1) }
    }
}

// MARK: Zbc, carry-less multiplication

extension RISCVTranslator {
    mutating func clmul(_ a: Args.R) -> Bool { binary(a, .clmul) }
    mutating func clmulh(_ a: Args.R) -> Bool { set(a.rd) { _, into in clmulHigh(a, into: into) } }
    // Bits XLEN-1 ... 2 XLEN-2 of the product.
    mutating func clmulr(_ a: Args.R) -> Bool {
        set(a.rd) {
            let low = $0.binary(.clmul, x(a.rs1), x(a.rs2))
            return $0.or($0.shl(clmulHigh(a), word(1)), $0.shr(low, word(Int64(bits &- 1))), into: $1)
        }
    }

    /// The upper half of the product. With halves a = a1:a0 and b = b1:b0, the product is
    /// a1 b1 << 64 ^ (a1 b0 ^ a0 b1) << 32 ^ a0 b0, each partial product 63 bits long.
    private func clmulHigh(_ a: Args.R, into: Temp? = nil) -> Temp {
        if xlen == .i32 {
            return narrow(ir.shr(ir.binary(.clmul, wide(x(a.rs1)), wide(x(a.rs2))), ir.const(32)), into: into)
        }
        let (a0, a1) = (ir.extract(x(a.rs1), 0, 32), ir.extract(x(a.rs1), 32, 32))
        let (b0, b1) = (ir.extract(x(a.rs2), 0, 32), ir.extract(x(a.rs2), 32, 32))
        let middle = ir.xor(ir.binary(.clmul, a1, b0), ir.binary(.clmul, a0, b1))
        return ir.xor(ir.binary(.clmul, a1, b1), ir.shr(middle, ir.const(32)), into: into)
    }
}

// MARK: Zbs, single-bit instructions

extension RISCVTranslator {
    mutating func bclr(_ a: Args.R) -> Bool { singleBit(a, .andc) }
    mutating func binv(_ a: Args.R) -> Bool { singleBit(a, .xor) }
    mutating func bset(_ a: Args.R) -> Bool { singleBit(a, .or) }
    mutating func bext(_ a: Args.R) -> Bool {
        set(a.rd) { $0.and($0.shr(x(a.rs1), x(a.rs2)), word(1), into: $1) }
    }
    mutating func bclri(_ a: Args.I) -> Bool { set(a.rd) { $0.and(x(a.rs1), word(~(1 &<< a.imm)), into: $1) } }
    mutating func binvi(_ a: Args.I) -> Bool { set(a.rd) { $0.xor(x(a.rs1), word(1 &<< a.imm), into: $1) } }
    mutating func bseti(_ a: Args.I) -> Bool { set(a.rd) { $0.or(x(a.rs1), word(1 &<< a.imm), into: $1) } }
    mutating func bexti(_ a: Args.I) -> Bool { set(a.rd) { $0.extract(x(a.rs1), Int(a.imm), 1, into: $1) } }

    private func singleBit(_ a: Args.R, _ opcode: Opcode) -> Bool {
        set(a.rd) { $0.binary(opcode, x(a.rs1), $0.shl(word(1), x(a.rs2)), into: $1) }
    }
}
