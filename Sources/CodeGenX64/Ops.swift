// Each op on x86-64: where it wants its operands, and what emits it. The emitters rely on the places; they are in the files by
// subject (`Lower+Integer.swift` and others).

import CodeGen
import IR

/// Emits one op. The last step of the region is before the last argument.
typealias Emitter = (inout Lowering, Lowering.StepPointer, Lowering.OpPointer, Lowering.StepPointer) -> Void

struct X64Op {
    let constraints: ConstraintRow
    let emit: Emitter

    init(
        a: OperandRule = .register, b: OperandRule = .register, c: OperandRule = .register, d: OperandRule = .register,
        fixedResult: GPR? = nil, earlyResult: Bool = false, clobbers: RegisterSet = [], _ emit: @escaping Emitter
    ) {
        constraints = ConstraintRow(
            a: a, b: b, c: c, d: d, fixedResult: fixedResult?.rawValue ?? 255, earlyResult: earlyResult,
            clobbers: clobbers)
        self.emit = emit
    }
}

extension Opcode {
    var x64: X64Op {
        switch self {
        // Moves. `mov` and `br` are the allocator's: they come as other steps.
        case .mov: X64Op { _, _, _, _ in }
        case .bitcast: X64Op(a: .registerMemoryOrConstant) { x, s, op, _ in x.bitcast(s, op) }
        // Logic
        case .and: X64Op(b: .registerMemoryOrConstant32) { x, s, op, _ in x.alu(.and, s, op) }
        case .or: X64Op(b: .registerMemoryOrConstant32) { x, s, op, _ in x.alu(.or, s, op) }
        case .xor: X64Op(b: .registerMemoryOrConstant32) { x, s, op, _ in x.alu(.xor, s, op) }
        case .andc: X64Op(b: .registerOrConstant32) { x, s, op, _ in x.andc(s, op) }
        case .orc: X64Op(b: .registerOrConstant32) { x, s, op, _ in x.orc(s, op) }
        case .eqv: X64Op(b: .registerMemoryOrConstant32) { x, s, op, _ in x.eqv(s, op) }
        case .not: X64Op { x, s, op, _ in x.unary(.not, s, op) }
        case .shl: X64Op(b: .registerOrConstant32) { x, s, op, end in x.shiftLeft(s, op, end) }
        case .shr: X64Op(b: .registerOrConstant32) { x, s, op, _ in x.shift(.shr, .shrx, s, op) }
        case .sar: X64Op(b: .registerOrConstant32) { x, s, op, _ in x.shift(.sar, .sarx, s, op) }
        case .rotl: X64Op(b: .constant32OrFixed(GPR.rcx.rawValue)) { x, s, op, _ in x.rotate(.rol, s, op) }
        case .rotr: X64Op(b: .constant32OrFixed(GPR.rcx.rawValue)) { x, s, op, _ in x.rotate(.ror, s, op) }
        case .clz: X64Op(a: .registerOrMemory) { x, s, op, _ in x.count(.lzcnt, s, op) }
        case .ctz: X64Op(a: .registerOrMemory) { x, s, op, _ in x.count(.tzcnt, s, op) }
        case .popcnt: X64Op(a: .registerOrMemory) { x, s, op, _ in x.count(.popcnt, s, op) }
        case .bswap: X64Op(a: .registerOrMemory) { x, s, op, _ in x.bswap(s, op) }
        case .extract: X64Op(a: .registerOrMemory) { x, s, op, _ in x.extract(s, op) }
        case .sextract: X64Op(a: .registerOrMemory) { x, s, op, _ in x.signedExtract(s, op) }
        case .deposit: X64Op { x, s, op, _ in x.deposit(s, op) }
        // Arithmetic
        case .add: X64Op(b: .registerMemoryOrConstant32) { x, s, op, _ in x.add(s, op) }
        case .sub: X64Op(b: .registerMemoryOrConstant32) { x, s, op, _ in x.sub(s, op) }
        case .neg: X64Op { x, s, op, _ in x.unary(.neg, s, op) }
        case .mul: X64Op(b: .registerMemoryOrConstant32) { x, s, op, _ in x.mul(s, op) }
        case .mulhu: X64Op(a: .fixed(GPR.rdx.rawValue), b: .registerOrMemory) { x, s, op, _ in x.mulhu(s, op) }
        case .mulhs:
            X64Op(a: .fixed(GPR.rax.rawValue), b: .registerOrMemory, fixedResult: .rdx, clobbers: RegisterSet(.rax)) {
                x, s, op, _ in x.mulhs(s, op)
            }
        case .divu:
            X64Op(a: .fixed(GPR.rax.rawValue), fixedResult: .rax, clobbers: RegisterSet(.rdx)) { x, s, op, _ in
                x.divide(signed: false, s, op)
            }
        case .remu:
            X64Op(a: .fixed(GPR.rax.rawValue), fixedResult: .rdx, clobbers: RegisterSet(.rax)) { x, s, op, _ in
                x.divide(signed: false, s, op)
            }
        case .divs:
            X64Op(a: .fixed(GPR.rax.rawValue), fixedResult: .rax, clobbers: RegisterSet(.rdx)) { x, s, op, _ in
                x.divide(signed: true, s, op)
            }
        case .rems:
            X64Op(a: .fixed(GPR.rax.rawValue), fixedResult: .rdx, clobbers: RegisterSet(.rax)) { x, s, op, _ in
                x.divide(signed: true, s, op)
            }
        case .clmul: X64Op { x, s, op, _ in x.clmul(s, op) }
        // Compare and select
        case .setcond: X64Op(a: .registerOrMemory, b: .registerMemoryOrConstant32) { x, s, op, _ in x.setcond(s, op) }
        case .select:
            X64Op(a: .registerOrMemory, b: .registerMemoryOrConstant32, c: .registerOrMemory, d: .registerOrMemory) {
                x, s, op, _ in x.select(s, op)
            }
        // Width changes
        case .trunc: X64Op(a: .registerOrMemory) { x, s, op, _ in x.trunc(s, op) }
        case .zext: X64Op(a: .registerOrMemory) { x, s, op, _ in x.zext(s, op) }
        case .sext: X64Op(a: .registerOrMemory) { x, s, op, _ in x.sext(s, op) }
        // Control
        case .br: X64Op { _, _, _, _ in }
        case .brcond:
            X64Op(a: .registerOrMemory, b: .registerMemoryOrConstant32) { x, s, op, end in x.brcond(s, op, end) }
        case .call: X64Op { x, _, op, _ in x.call(op) }
        // Memory
        case .ld: X64Op { x, s, op, _ in x.loadState(s, op) }
        case .st: X64Op(a: .registerOrConstant32) { x, s, op, _ in x.storeState(s, op) }
        case .gld: X64Op(a: .registerOrConstant) { x, s, op, _ in x.loadGuest(s, op) }
        case .gst: X64Op(a: .registerOrConstant, b: .registerOrConstant32) { x, s, op, _ in x.storeGuest(s, op) }
        case .grmw: X64Op(fixedResult: .rax, earlyResult: true) { x, s, op, _ in x.readModifyWrite(s, op) }
        case .gcas:
            X64Op(b: .fixed(GPR.rax.rawValue), fixedResult: .rax, earlyResult: true) { x, s, op, _ in
                x.compareAndSwap(s, op)
            }
        case .gcas128:
            X64Op(clobbers: RegisterSet(.rax, .rdx, .rbx, .rcx)) { x, s, op, _ in x.compareAndSwapPair(s, op) }
        case .fence: X64Op { x, _, op, _ in x.fence(op) }
        // Floating point
        case .fadd: X64Op(b: .registerOrMemory) { x, s, op, _ in x.arithmetic(.vadd(op.pointee.type.fp), s, op) }
        case .fsub: X64Op(b: .registerOrMemory) { x, s, op, _ in x.arithmetic(.vsub(op.pointee.type.fp), s, op) }
        case .fmul: X64Op(b: .registerOrMemory) { x, s, op, _ in x.arithmetic(.vmul(op.pointee.type.fp), s, op) }
        case .fdiv: X64Op(b: .registerOrMemory) { x, s, op, _ in x.arithmetic(.vdiv(op.pointee.type.fp), s, op) }
        case .fsqrt: X64Op(a: .registerOrMemory) { x, s, op, _ in x.squareRoot(s, op) }
        case .fma: X64Op(earlyResult: true) { x, s, op, _ in x.multiplyAdd(s, op) }
        case .fmin, .fmax, .fminimum, .fmaximum: X64Op { x, s, op, _ in x.minMax(s, op) }
        case .fneg:
            X64Op(a: .registerOrMemory) { x, s, op, _ in
                x.sign(.vxor(op.pointee.type.packed), x.stubs.pool.sign(op.pointee.type), s, op)
            }
        case .fabs:
            X64Op(a: .registerOrMemory) { x, s, op, _ in
                x.sign(.vand(op.pointee.type.packed), x.stubs.pool.magnitude(op.pointee.type), s, op)
            }
        case .fcopysign: X64Op { x, s, op, _ in x.copySign(s, op) }
        case .fsetcond: X64Op { x, s, op, _ in x.compareFloat(s, op) }
        case .fround: X64Op { x, s, op, _ in x.roundToIntegral(s, op) }
        case .fcvt: X64Op { x, s, op, _ in x.convertFormat(s, op) }
        case .ftoi: X64Op { x, s, op, _ in x.toInteger(s, op) }
        case .itof: X64Op { x, s, op, _ in x.fromInteger(s, op) }
        case .boxf: X64Op { x, s, op, _ in x.box(s, op) }
        case .unboxf: X64Op { x, s, op, _ in x.unbox(s, op) }
        case .fpGetFlags: X64Op { x, s, _, _ in x.getFlags(s) }
        case .fpSetFlags: X64Op(clobbers: RegisterSet(.rax)) { x, s, _, _ in x.setFlags(s) }
        case .fpSetRounding: X64Op(clobbers: RegisterSet(.rax)) { x, s, _, _ in x.setRounding(s) }
        // Engine
        case .delta: X64Op { x, s, _, _ in x.delta(s) }
        case .insnStart: X64Op { x, _, op, _ in x.insnStart(op) }
        case .checkExit: X64Op { x, _, op, _ in x.checkExit(op) }
        case .countExecution: X64Op { x, _, op, _ in x.countExecution(op) }
        case .countInstructions: X64Op { x, _, op, _ in x.countInstructions(op) }
        case .pushReturn: X64Op(clobbers: RegisterSet(.rax)) { x, _, op, _ in x.pushReturn(op) }
        case .popReturn: X64Op(clobbers: RegisterSet(.rax)) { x, s, _, _ in x.popReturn(s) }
        case .gotoTB: X64Op { x, _, op, _ in x.gotoTB(op) }
        case .exitTB: X64Op { x, _, op, _ in x.exitTB(op) }
        case .lookupAndGoto: X64Op(clobbers: RegisterSet(.rax)) { x, s, op, _ in x.lookupAndGoto(s, op) }
        case .gotoCached: X64Op(clobbers: RegisterSet(.rax)) { x, s, op, _ in x.gotoCached(s, op) }
        }
    }
}
