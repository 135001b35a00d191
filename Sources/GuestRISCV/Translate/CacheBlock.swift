// Cache-block operations (Unprivileged ISA, chapter "CMO"). The host's caches are coherent: only what a program can see is
// done, which is zeroing and the access check.

import GuestKit
import IR

/// Bytes of a cache block, for all operations.
public let riscvCacheBlockSize = 64

extension RISCVTranslator {
    mutating func cbo_zero(_ a: Args.R1) -> Bool {
        let block = blockBase(a.rs1)
        let zero = ir.const(0)
        for offset in stride(from: 0, to: riscvCacheBlockSize, by: 8) { ir.gst(zero, block, Int64(offset), .u64) }
        return true
    }
    mutating func cbo_clean(_ a: Args.R1) -> Bool { check(a) }
    mutating func cbo_flush(_ a: Args.R1) -> Bool { check(a) }
    /// May be performed as a flush.
    mutating func cbo_inval(_ a: Args.R1) -> Bool { check(a) }

    // Hints: never fault.
    mutating func prefetch_i(_ a: Args.PRE) -> Bool { true }
    mutating func prefetch_r(_ a: Args.PRE) -> Bool { true }
    mutating func prefetch_w(_ a: Args.PRE) -> Bool { true }

    private func check(_ a: Args.R1) -> Bool {
        ir.gld(blockBase(a.rs1), 0, .u8)
        return true
    }
    private func blockBase(_ rs1: Int32) -> Temp { ir.and(x(rs1), word(Int64(-riscvCacheBlockSize))) }
}
