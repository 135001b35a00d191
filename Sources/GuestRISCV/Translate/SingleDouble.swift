// Single and double precision (Unprivileged ISA, chapters "F" and "D").

import GuestKit
import IR

// MARK: Loads, stores, moves

extension RISCVTranslator {
    mutating func flw(_ a: Args.I) -> Bool {
        let (base, displacement) = address(a.rs1, a.imm)
        let access = guest(.u32)
        return setFloat(a.rd, .binary32) { ir, _ in ir.gld(base, displacement, access, .f32) }
    }
    mutating func fld(_ a: Args.I) -> Bool {
        let (base, displacement) = address(a.rs1, a.imm)
        let access = guest(.u64)
        return setFloat(a.rd, .binary64) { $0.gld(base, displacement, access, .f64, into: $1) }
    }
    mutating func fsw(_ a: Args.S) -> Bool {
        let (base, displacement) = address(a.rs1, a.imm)
        storeSingle(a.rs2, base, displacement)
        return true
    }
    mutating func fsd(_ a: Args.S) -> Bool {
        let (base, displacement) = address(a.rs1, a.imm)
        ir.gst(Global.f(a.rs2), base, displacement, guest(.u64))
        return true
    }

    mutating func fmv_x_w(_ a: Args.R2) -> Bool {
        set(a.rd) {
            let pattern = $0.bitcast(Global.f(a.rs1), to: .i64)
            return xlen == .i64 ? $0.sextract(pattern, 0, 32, into: $1) : $0.trunc(pattern, into: $1)
        }
    }
    mutating func fmv_w_x(_ a: Args.R2) -> Bool {
        let pattern = low32(x(a.rs1))
        return setFloat(a.rd, .binary32) { ir, _ in ir.bitcast(pattern, to: .f32) }
    }
    mutating func fmv_x_d(_ a: Args.R2) -> Bool {
        set(a.rd) { $0.bitcast(Global.f(a.rs1), to: .i64, into: $1) }
    }
    mutating func fmv_d_x(_ a: Args.R2) -> Bool {
        setFloatBits(a.rd, x(a.rs1))
        return true
    }
}

// MARK: Arithmetic

extension RISCVTranslator {
    mutating func fadd_s(_ a: Args.RM) -> Bool { arithmetic(a, .fadd, .binary32) }
    mutating func fsub_s(_ a: Args.RM) -> Bool { arithmetic(a, .fsub, .binary32) }
    mutating func fmul_s(_ a: Args.RM) -> Bool { arithmetic(a, .fmul, .binary32) }
    mutating func fdiv_s(_ a: Args.RM) -> Bool { arithmetic(a, .fdiv, .binary32) }
    mutating func fsqrt_s(_ a: Args.R2M) -> Bool { squareRoot(a, .binary32) }
    mutating func fadd_d(_ a: Args.RM) -> Bool { arithmetic(a, .fadd, .binary64) }
    mutating func fsub_d(_ a: Args.RM) -> Bool { arithmetic(a, .fsub, .binary64) }
    mutating func fmul_d(_ a: Args.RM) -> Bool { arithmetic(a, .fmul, .binary64) }
    mutating func fdiv_d(_ a: Args.RM) -> Bool { arithmetic(a, .fdiv, .binary64) }
    mutating func fsqrt_d(_ a: Args.R2M) -> Bool { squareRoot(a, .binary64) }

    mutating func fmadd_s(_ a: Args.R3) -> Bool { fused(a, .binary32, negateProduct: false, negateAddend: false) }
    mutating func fmsub_s(_ a: Args.R3) -> Bool { fused(a, .binary32, negateProduct: false, negateAddend: true) }
    mutating func fnmsub_s(_ a: Args.R3) -> Bool { fused(a, .binary32, negateProduct: true, negateAddend: false) }
    mutating func fnmadd_s(_ a: Args.R3) -> Bool { fused(a, .binary32, negateProduct: true, negateAddend: true) }
    mutating func fmadd_d(_ a: Args.R3) -> Bool { fused(a, .binary64, negateProduct: false, negateAddend: false) }
    mutating func fmsub_d(_ a: Args.R3) -> Bool { fused(a, .binary64, negateProduct: false, negateAddend: true) }
    mutating func fnmsub_d(_ a: Args.R3) -> Bool { fused(a, .binary64, negateProduct: true, negateAddend: false) }
    mutating func fnmadd_d(_ a: Args.R3) -> Bool { fused(a, .binary64, negateProduct: true, negateAddend: true) }

    mutating func fmin_s(_ a: Args.R) -> Bool { extremum(a, .fmin, .binary32) }
    mutating func fmax_s(_ a: Args.R) -> Bool { extremum(a, .fmax, .binary32) }
    mutating func fmin_d(_ a: Args.R) -> Bool { extremum(a, .fmin, .binary64) }
    mutating func fmax_d(_ a: Args.R) -> Bool { extremum(a, .fmax, .binary64) }

    mutating func fsgnj_s(_ a: Args.R) -> Bool { injectSign(a, .copy, .binary32) }
    mutating func fsgnjn_s(_ a: Args.R) -> Bool { injectSign(a, .copyNegated, .binary32) }
    mutating func fsgnjx_s(_ a: Args.R) -> Bool { injectSign(a, .xor, .binary32) }
    mutating func fsgnj_d(_ a: Args.R) -> Bool { injectSign(a, .copy, .binary64) }
    mutating func fsgnjn_d(_ a: Args.R) -> Bool { injectSign(a, .copyNegated, .binary64) }
    mutating func fsgnjx_d(_ a: Args.R) -> Bool { injectSign(a, .xor, .binary64) }
}

// MARK: Comparisons and classes

extension RISCVTranslator {
    mutating func feq_s(_ a: Args.R) -> Bool { compare(a, .eq, .binary32) }
    mutating func flt_s(_ a: Args.R) -> Bool { compare(a, .ltSignaling, .binary32) }
    mutating func fle_s(_ a: Args.R) -> Bool { compare(a, .leSignaling, .binary32) }
    mutating func feq_d(_ a: Args.R) -> Bool { compare(a, .eq, .binary64) }
    mutating func flt_d(_ a: Args.R) -> Bool { compare(a, .ltSignaling, .binary64) }
    mutating func fle_d(_ a: Args.R) -> Bool { compare(a, .leSignaling, .binary64) }
    mutating func fclass_s(_ a: Args.R2) -> Bool { classify(a, .binary32) }
    mutating func fclass_d(_ a: Args.R2) -> Bool { classify(a, .binary64) }
}

// MARK: Conversions

extension RISCVTranslator {
    mutating func fcvt_w_s(_ a: Args.R2M) -> Bool { toInteger(a, .binary32, .i32, unsigned: false) }
    mutating func fcvt_wu_s(_ a: Args.R2M) -> Bool { toInteger(a, .binary32, .i32, unsigned: true) }
    mutating func fcvt_l_s(_ a: Args.R2M) -> Bool { toInteger(a, .binary32, .i64, unsigned: false) }
    mutating func fcvt_lu_s(_ a: Args.R2M) -> Bool { toInteger(a, .binary32, .i64, unsigned: true) }
    mutating func fcvt_w_d(_ a: Args.R2M) -> Bool { toInteger(a, .binary64, .i32, unsigned: false) }
    mutating func fcvt_wu_d(_ a: Args.R2M) -> Bool { toInteger(a, .binary64, .i32, unsigned: true) }
    mutating func fcvt_l_d(_ a: Args.R2M) -> Bool { toInteger(a, .binary64, .i64, unsigned: false) }
    mutating func fcvt_lu_d(_ a: Args.R2M) -> Bool { toInteger(a, .binary64, .i64, unsigned: true) }

    mutating func fcvt_s_w(_ a: Args.R2M) -> Bool { fromInteger(a, .binary32, .i32, unsigned: false) }
    mutating func fcvt_s_wu(_ a: Args.R2M) -> Bool { fromInteger(a, .binary32, .i32, unsigned: true) }
    mutating func fcvt_s_l(_ a: Args.R2M) -> Bool { fromInteger(a, .binary32, .i64, unsigned: false) }
    mutating func fcvt_s_lu(_ a: Args.R2M) -> Bool { fromInteger(a, .binary32, .i64, unsigned: true) }
    mutating func fcvt_d_w(_ a: Args.R2M) -> Bool { fromInteger(a, .binary64, .i32, unsigned: false) }
    mutating func fcvt_d_wu(_ a: Args.R2M) -> Bool { fromInteger(a, .binary64, .i32, unsigned: true) }
    mutating func fcvt_d_l(_ a: Args.R2M) -> Bool { fromInteger(a, .binary64, .i64, unsigned: false) }
    mutating func fcvt_d_lu(_ a: Args.R2M) -> Bool { fromInteger(a, .binary64, .i64, unsigned: true) }

    mutating func fcvt_s_d(_ a: Args.R2M) -> Bool { convert(a, from: .binary64, to: .binary32) }
    mutating func fcvt_d_s(_ a: Args.R2M) -> Bool { convert(a, from: .binary32, to: .binary64) }
}
