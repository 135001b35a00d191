// Atomics (Unprivileged ISA, chapters "A", "Zawrs", "Zacas").
//
// Guest read-modify-writes are host atomics and sequentially consistent, which covers every aq and rl. Store-conditional
// succeeds more often than the manual allows (`Reservation`).

import GuestKit
import IR

extension RISCVTranslator {
    private var word32: MemOp { MemOp(log2Size: 2, signed: true, aligned: true, mmuIndex: mmuIndex) }
    private var word64: MemOp { MemOp(log2Size: 3, aligned: true, mmuIndex: mmuIndex) }

    // MARK: Load-reserved, store-conditional

    private static let reservation = Reservation(
        address: StateOffset.reservationAddress, value: StateOffset.reservationValue)

    mutating func lr_w(_ a: Args.AMO) -> Bool { loadReserved(a, word32) }
    mutating func lr_d(_ a: Args.AMO) -> Bool { loadReserved(a, word64) }
    mutating func sc_w(_ a: Args.AMO) -> Bool { storeConditional(a, word32) }
    mutating func sc_d(_ a: Args.AMO) -> Bool { storeConditional(a, word64) }

    private mutating func loadReserved(_ a: Args.AMO, _ access: MemOp) -> Bool {
        let (base, _) = address(a.rs1)
        if a.rl { ir.fence([.loadLoad, .loadStore, .storeLoad, .storeStore]) }
        let value = ir.gld(base, 0, access, xlen)
        if a.aq { ir.fence([.loadLoad, .loadStore]) }
        ir.reserve(Self.reservation, base, value)
        move(a.rd, value)
        return true
    }

    private mutating func storeConditional(_ a: Args.AMO, _ access: MemOp) -> Bool {
        let (base, _) = address(a.rs1)
        ir.storeConditional(Self.reservation, base, x(a.rs2), access, failed: destination(a.rd))
        return true
    }

    // MARK: Atomic memory operations

    mutating func amoswap_w(_ a: Args.AMO) -> Bool { modify(a, .swap, word32) }
    mutating func amoadd_w(_ a: Args.AMO) -> Bool { modify(a, .add, word32) }
    mutating func amoxor_w(_ a: Args.AMO) -> Bool { modify(a, .xor, word32) }
    mutating func amoand_w(_ a: Args.AMO) -> Bool { modify(a, .and, word32) }
    mutating func amoor_w(_ a: Args.AMO) -> Bool { modify(a, .or, word32) }
    mutating func amomin_w(_ a: Args.AMO) -> Bool { modify(a, .smin, word32) }
    mutating func amomax_w(_ a: Args.AMO) -> Bool { modify(a, .smax, word32) }
    mutating func amominu_w(_ a: Args.AMO) -> Bool { modify(a, .umin, word32) }
    mutating func amomaxu_w(_ a: Args.AMO) -> Bool { modify(a, .umax, word32) }
    mutating func amoswap_d(_ a: Args.AMO) -> Bool { modify(a, .swap, word64) }
    mutating func amoadd_d(_ a: Args.AMO) -> Bool { modify(a, .add, word64) }
    mutating func amoxor_d(_ a: Args.AMO) -> Bool { modify(a, .xor, word64) }
    mutating func amoand_d(_ a: Args.AMO) -> Bool { modify(a, .and, word64) }
    mutating func amoor_d(_ a: Args.AMO) -> Bool { modify(a, .or, word64) }
    mutating func amomin_d(_ a: Args.AMO) -> Bool { modify(a, .smin, word64) }
    mutating func amomax_d(_ a: Args.AMO) -> Bool { modify(a, .smax, word64) }
    mutating func amominu_d(_ a: Args.AMO) -> Bool { modify(a, .umin, word64) }
    mutating func amomaxu_d(_ a: Args.AMO) -> Bool { modify(a, .umax, word64) }

    private func modify(_ a: Args.AMO, _ kind: AtomicOp, _ access: MemOp) -> Bool {
        ir.grmw(kind, address(a.rs1).base, x(a.rs2), access, into: destination(a.rd))
        return true
    }

    // MARK: Zacas

    mutating func amocas_w(_ a: Args.AMO) -> Bool { compareAndSwap(a, word32) }
    mutating func amocas_d(_ a: Args.AMO) -> Bool {
        xlen == .i64 ? compareAndSwap(a, word64) : compareAndSwapPairs(a)
    }
    mutating func amocas_q(_ a: Args.AMO) -> Bool {
        let operands = StateOffset.pairOperands
        store(pairOf: a.rd, operands)
        store(pairOf: a.rs2, operands + 16)
        ir.gcas128(address(a.rs1).base, operands: operands, mmuIndex: mmuIndex)
        if a.rd != 0 {
            ir.ld(operands, .u64, into: Global.x(a.rd))
            ir.ld(operands + 8, .u64, into: Global.x(a.rd &+ 1))
        }
        return true
    }
    /// The pair of x0 is 0, whatever x1 is.
    private func store(pairOf i: Int32, _ offset: Int) {
        ir.st(x(i), offset, .u64)
        ir.st(i == 0 ? x(0) : x(i &+ 1), offset + 8, .u64)
    }

    private func compareAndSwap(_ a: Args.AMO, _ access: MemOp) -> Bool {
        ir.gcas(address(a.rs1).base, expected: x(a.rd), new: x(a.rs2), access, into: destination(a.rd))
        return true
    }

    /// On RV32: operands of 64 bits in pairs of registers, the low half in the even one (an
    /// odd one does not decode). The pair of x0 is 0.
    private func compareAndSwapPairs(_ a: Args.AMO) -> Bool {
        let old = ir.gcas(address(a.rs1).base, expected: pair(a.rd), new: pair(a.rs2), word64)
        if a.rd != 0 {
            ir.trunc(old, into: Global.x(a.rd))
            ir.trunc(ir.shr(old, ir.const(32)), into: Global.x(a.rd &+ 1))
        }
        return true
    }
    private func pair(_ i: Int32) -> Temp {
        i == 0 ? ir.const(0) : ir.deposit(wide(x(i)), wide(x(i &+ 1)), 32, 32)
    }

    // MARK: Zawrs

    mutating func wrs_nto() -> Bool { waitOnReservation() }
    mutating func wrs_sto() -> Bool { waitOnReservation() }

    /// May end at any time: lets others run, then goes on.
    private mutating func waitOnReservation() -> Bool {
        exit(.yield, at: next)
        return true
    }
}
