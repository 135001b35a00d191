// Half precision as a storage format (Unprivileged ISA, chapter "Zfh and Zfhmin": Zfhmin).

import GuestKit
import IR

extension RISCVTranslator {
    mutating func flh(_ a: Args.I) -> Bool {
        let (base, displacement) = address(a.rs1, a.imm)
        setHalfBits(a.rd, ir.gld(base, displacement, guest(.u16)))
        return true
    }
    mutating func fsh(_ a: Args.S) -> Bool {
        let (base, displacement) = address(a.rs1, a.imm)
        ir.gst(ir.bitcast(Global.f(a.rs2), to: .i64), base, displacement, guest(.u16))
        return true
    }
    mutating func fmv_x_h(_ a: Args.R2) -> Bool {
        set(a.rd) {
            let value = $0.sextract($0.bitcast(Global.f(a.rs1), to: .i64), 0, 16)
            return narrow(value, into: $1)
        }
    }
    mutating func fmv_h_x(_ a: Args.R2) -> Bool {
        setHalfBits(a.rd, wide(x(a.rs1)))
        return true
    }

    mutating func fcvt_s_h(_ a: Args.R2M) -> Bool { convert(a, from: .binary16, to: .binary32) }
    mutating func fcvt_d_h(_ a: Args.R2M) -> Bool { convert(a, from: .binary16, to: .binary64) }
    mutating func fcvt_h_s(_ a: Args.R2M) -> Bool { convert(a, from: .binary32, to: .binary16) }
    mutating func fcvt_h_d(_ a: Args.R2M) -> Bool { convert(a, from: .binary64, to: .binary16) }

    /// Boxes the low 16 bits of `value`.
    private mutating func setHalfBits(_ rd: Int32, _ value: Temp) {
        setFloatBits(rd, ir.or(value, ir.const(~0xffff)))
    }
}
