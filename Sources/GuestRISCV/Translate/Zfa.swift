// Additional floating-point instructions (Unprivileged ISA, chapter "Zfa"), for single and double precision.

import GuestKit
import IR

/// The constants of fli by number, except 1 (the format's smallest normal number), 30 (infinity) and 31 (NaN).
private let constants: InlineArray<30, Float> = [
    -1, 0, 0x1p-16, 0x1p-15, 0x1p-8, 0x1p-7, 0x1p-4, 0x1p-3,
    0.25, 0.3125, 0.375, 0.4375, 0.5, 0.625, 0.75, 0.875,
    1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4,
    8, 16, 128, 256, 0x1p15, 0x1p16,
]

private func constant(_ index: Int32, _ format: FloatFormat) -> Int64 {
    let isDouble = format == .binary64
    switch index {
    case 1: return isDouble ? 0x0010_0000_0000_0000 : 0x0080_0000
    case 30: return isDouble ? 0x7ff0_0000_0000_0000 : 0x7f80_0000
    case 31: return isDouble ? 0x7ff8_0000_0000_0000 : 0x7fc0_0000
    default:
        let value = constants[Int(index % 30)]
        return isDouble ? Int64(bitPattern: Double(value).bitPattern) : Int64(value.bitPattern)
    }
}

extension RISCVTranslator {
    mutating func fli_s(_ a: Args.FLI) -> Bool {
        setFloat(a.rd, .binary32) { ir, _ in ir.bitcast(ir.const(constant(a.index, .binary32), .i32), to: .f32) }
    }
    mutating func fli_d(_ a: Args.FLI) -> Bool {
        setFloatBits(a.rd, ir.const(constant(a.index, .binary64)))
        return true
    }

    mutating func fminm_s(_ a: Args.R) -> Bool { extremum(a, .fminimum, .binary32) }
    mutating func fmaxm_s(_ a: Args.R) -> Bool { extremum(a, .fmaximum, .binary32) }
    mutating func fminm_d(_ a: Args.R) -> Bool { extremum(a, .fminimum, .binary64) }
    mutating func fmaxm_d(_ a: Args.R) -> Bool { extremum(a, .fmaximum, .binary64) }

    mutating func fround_s(_ a: Args.R2M) -> Bool { roundToIntegral(a, .binary32, raisesInexact: false) }
    mutating func froundnx_s(_ a: Args.R2M) -> Bool { roundToIntegral(a, .binary32, raisesInexact: true) }
    mutating func fround_d(_ a: Args.R2M) -> Bool { roundToIntegral(a, .binary64, raisesInexact: false) }
    mutating func froundnx_d(_ a: Args.R2M) -> Bool { roundToIntegral(a, .binary64, raisesInexact: true) }

    mutating func fleq_s(_ a: Args.R) -> Bool { compare(a, .le, .binary32) }
    mutating func fltq_s(_ a: Args.R) -> Bool { compare(a, .lt, .binary32) }
    mutating func fleq_d(_ a: Args.R) -> Bool { compare(a, .le, .binary64) }
    mutating func fltq_d(_ a: Args.R) -> Bool { compare(a, .lt, .binary64) }

    /// Raises flags also when the result goes to x0.
    mutating func fcvtmod_w_d(_ a: Args.R2) -> Bool {
        let result = call(.convertModular, bits(of: float(a.rs1, .binary64), .binary64))
        ir.fpSetFlags(ir.or(ir.fpGetFlags(), ir.ld(StateOffset.softFlags, .u32)))
        move(a.rd, narrow(result))
        return true
    }

    // RV32 only: halves of a double.
    mutating func fmvh_x_d(_ a: Args.R2) -> Bool {
        set(a.rd) { narrow($0.shr($0.bitcast(Global.f(a.rs1), to: .i64), $0.const(32)), into: $1) }
    }
    mutating func fmvp_d_x(_ a: Args.R) -> Bool {
        setFloatBits(a.rd, ir.deposit(wide(x(a.rs1)), wide(x(a.rs2)), 32, 32))
        return true
    }
}
