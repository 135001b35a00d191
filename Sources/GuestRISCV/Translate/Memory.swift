// Loads and stores of integer registers (Unprivileged ISA, chapter 2, "Load and Store Instructions"). Any alignment is
// allowed, as Linux promises to user programs.

import GuestKit
import IR

extension RISCVTranslator {
    /// A load to x0 still accesses memory.
    @inline(__always) private func load(_ a: Args.I, _ access: MemOp) -> Bool {
        let (base, displacement) = address(a.rs1, a.imm)
        ir.gld(base, displacement, guest(access), xlen, into: destination(a.rd))
        return true
    }
    @inline(__always) private func store(_ a: Args.S, _ access: MemOp) -> Bool {
        let (base, displacement) = address(a.rs1, a.imm)
        ir.gst(x(a.rs2), base, displacement, guest(access))
        return true
    }

    mutating func lb(_ a: Args.I) -> Bool { load(a, .s8) }
    mutating func lh(_ a: Args.I) -> Bool { load(a, .s16) }
    mutating func lw(_ a: Args.I) -> Bool { load(a, .s32) }
    mutating func lbu(_ a: Args.I) -> Bool { load(a, .u8) }
    mutating func lhu(_ a: Args.I) -> Bool { load(a, .u16) }
    mutating func lwu(_ a: Args.I) -> Bool { load(a, .u32) }
    mutating func ld(_ a: Args.I) -> Bool { load(a, .u64) }
    mutating func sb(_ a: Args.S) -> Bool { store(a, .u8) }
    mutating func sh(_ a: Args.S) -> Bool { store(a, .u16) }
    mutating func sw(_ a: Args.S) -> Bool { store(a, .u32) }
    mutating func sd(_ a: Args.S) -> Bool { store(a, .u64) }
}
