// Cache-block operations (Unprivileged ISA, chapter "CMO"). The host's caches are coherent: only what a program can see is
// done, which is zeroing and the access check.

import GuestKit
import IR

/// Bytes of a cache block, for all operations.
public let riscvCacheBlockSize = 64

extension RISCVTranslator {
    mutating func cbo_zero(_ a: Args.R1) -> Bool {
        guard isEnabled(Environment.cbze) else { return false }
        let block = blockBase(a.rs1)
        let zero = ir.const(0)
        for offset in stride(from: 0, to: riscvCacheBlockSize, by: 8) {
            ir.gst(zero, block, Int64(offset), guest(.u64))
        }
        return true
    }
    mutating func cbo_clean(_ a: Args.R1) -> Bool { check(a, Environment.cbcfe) }
    mutating func cbo_flush(_ a: Args.R1) -> Bool { check(a, Environment.cbcfe) }
    /// May be performed as a flush.
    mutating func cbo_inval(_ a: Args.R1) -> Bool { check(a, Environment.cbie) }

    // Hints: never fault.
    mutating func prefetch_i(_ a: Args.PRE) -> Bool { true }
    mutating func prefetch_r(_ a: Args.PRE) -> Bool { true }
    mutating func prefetch_w(_ a: Args.PRE) -> Bool { true }

    /// Allowed where loads are, but its faults are those of stores.
    private mutating func check(_ a: Args.R1, _ enable: UInt64) -> Bool {
        guard isEnabled(enable) else { return false }
        if system != nil { ir.st(ir.const(1), PrivilegedOffset.loadsAsStore, .u64) }
        ir.gld(blockBase(a.rs1), 0, guest(.u8))
        if system != nil { ir.st(ir.const(0), PrivilegedOffset.loadsAsStore, .u64) }
        return true
    }
    private func blockBase(_ rs1: Int32) -> Temp { ir.and(x(rs1), word(Int64(-riscvCacheBlockSize))) }
}
