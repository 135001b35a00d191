// Where each op wants its operands on x86-64: one row per opcode. The lowering functions rely on these rows; they are read
// together.

import CodeGen
import IR

extension ConstraintRow {
    /// The rows by `Opcode.rawValue`.
    static var x64Rows: [ConstraintRow] { Opcode.allCases.map(\.x64Row) }
}

extension Opcode {
    fileprivate var x64Row: ConstraintRow {
        let rax = GPR.rax.rawValue, rcx = GPR.rcx.rawValue, rdx = GPR.rdx.rawValue
        return switch self {
        // Moves
        case .mov: ConstraintRow()
        case .bitcast: ConstraintRow(a: .registerMemoryOrConstant)
        // Logic
        case .and, .or, .xor, .eqv: ConstraintRow(b: .registerMemoryOrConstant32)
        case .andc, .orc: ConstraintRow(b: .registerOrConstant32)
        case .not, .neg: ConstraintRow()
        case .shl, .shr, .sar: ConstraintRow(b: .registerOrConstant32)
        case .rotl, .rotr: ConstraintRow(b: .constant32OrFixed(rcx))
        case .clz, .ctz, .popcnt, .bswap: ConstraintRow(a: .registerOrMemory)
        case .extract, .sextract: ConstraintRow(a: .registerOrMemory)
        case .deposit: ConstraintRow()
        // Arithmetic
        case .add, .sub, .mul: ConstraintRow(b: .registerMemoryOrConstant32)
        case .mulhu: ConstraintRow(a: .fixed(rdx), b: .registerOrMemory)
        case .mulhs: ConstraintRow(a: .fixed(rax), b: .registerOrMemory, fixedResult: rdx, clobbers: RegisterSet(.rax))
        case .divu, .divs: ConstraintRow(a: .fixed(rax), fixedResult: rax, clobbers: RegisterSet(.rdx))
        case .remu, .rems: ConstraintRow(a: .fixed(rax), fixedResult: rdx, clobbers: RegisterSet(.rax))
        case .clmul: ConstraintRow()
        // Compare and select
        case .setcond, .brcond: ConstraintRow(a: .registerOrMemory, b: .registerMemoryOrConstant32)
        case .select:
            ConstraintRow(
                a: .registerOrMemory, b: .registerMemoryOrConstant32, c: .registerOrMemory, d: .registerOrMemory)
        // Width changes
        case .trunc, .zext, .sext: ConstraintRow(a: .registerOrMemory)
        // Control and calls
        case .br, .call: ConstraintRow()
        // Memory
        case .ld: ConstraintRow()
        case .st: ConstraintRow(a: .registerOrConstant32)
        case .gld: ConstraintRow(a: .registerOrConstant)
        case .gst: ConstraintRow(a: .registerOrConstant, b: .registerOrConstant32)
        case .grmw: ConstraintRow(fixedResult: rax, earlyResult: true)
        case .gcas: ConstraintRow(b: .fixed(rax), fixedResult: rax, earlyResult: true)
        case .gcas128: ConstraintRow(clobbers: RegisterSet(.rax, .rdx, .rbx, .rcx))
        case .fence: ConstraintRow()
        // Floating point
        case .fadd, .fsub, .fmul, .fdiv: ConstraintRow(b: .registerOrMemory)
        case .fsqrt: ConstraintRow(a: .registerOrMemory)
        case .fma: ConstraintRow(earlyResult: true)
        case .fmin, .fmax, .fminimum, .fmaximum: ConstraintRow()
        case .fneg, .fabs: ConstraintRow(a: .registerOrMemory)
        case .fcopysign: ConstraintRow()
        case .fsetcond: ConstraintRow()
        case .fround, .fcvt, .ftoi, .itof: ConstraintRow()
        case .boxf, .unboxf: ConstraintRow()
        case .fpGetFlags: ConstraintRow()
        case .fpSetFlags, .fpSetRounding: ConstraintRow(clobbers: RegisterSet(.rax))
        // Engine
        case .insnStart, .checkExit, .countExecution, .gotoTB, .exitTB: ConstraintRow()
        case .pushReturn, .lookupAndGoto, .gotoCached: ConstraintRow(clobbers: RegisterSet(.rax))
        }
    }
}
