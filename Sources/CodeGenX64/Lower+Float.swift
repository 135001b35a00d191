// Floating point on the host's FPU: results exact, flags accrued in MXCSR, NaN results made the guest's canonical one out of
// line. What the FPU cannot do exactly goes to SoftFloat through `softFloat`, which keeps all registers.
//
// A NaN result raises the right flags in hardware (SDM volume 1, 11.5.2: invalid for signalling operands and for invalid
// operations), except for the multiply-add of infinity, zero and a quiet NaN.

import CodeGen
import IR

extension Lowering {
    // MARK: Arithmetic

    /// Rounding that MXCSR does not hold: the whole op in software.
    private func needsSoftware(_ op: OpPointer) -> Bool { op.pointee.rounding != .dynamic }

    mutating func arithmetic(_ row: RVM, _ s: StepPointer, _ op: OpPointer) {
        if needsSoftware(op) { return softFloat(s, op) }
        let d = xmm(s.pointee.dst), a = xmm(s.pointee.a)
        if s.pointee.b == Place.memory {
            asm.rvm(row, d, a, home(op.pointee.b))
        } else {
            asm.rvm(row, d, a, xmm(s.pointee.b))
        }
        checkNaN(s, op.pointee.type)
    }

    mutating func squareRoot(_ s: StepPointer, _ op: OpPointer) {
        if needsSoftware(op) { return softFloat(s, op) }
        let d = xmm(s.pointee.dst), row = RVM.vsqrt(op.pointee.type.fp)
        if s.pointee.a == Place.memory {
            asm.rvm(row, d, d, home(op.pointee.a))
        } else {
            asm.rvm(row, d, xmm(s.pointee.a), xmm(s.pointee.a))
        }
        checkNaN(s, op.pointee.type)
    }

    /// The row gives the result a register of its own.
    mutating func multiplyAdd(_ s: StepPointer, _ op: OpPointer) {
        if needsSoftware(op) { return softFloat(s, op) }
        let d = xmm(s.pointee.dst), type = op.pointee.type.fp
        asm.vmov(.vmovaps, d, xmm(s.pointee.a))
        let row: RVM =
            switch (op.pointee.negatesProduct, op.pointee.negatesAddend) {
            case (false, false): .vfmadd(.o213, type)
            case (false, true): .vfmsub(.o213, type)
            case (true, false): .vfnmadd(.o213, type)
            case (true, true): .vfnmsub(.o213, type)
            }
        asm.rvm(row, d, xmm(s.pointee.b), xmm(s.pointee.c))
        checkNaN(s, op.pointee.type)
    }

    /// A NaN in the result's register goes to the op's cold stub.
    private mutating func checkNaN(_ s: StepPointer, _ type: ValueType) {
        let d = xmm(s.pointee.dst)
        asm.rm(.vucomi(type.fp), d, d)
        leaveIf(.p, s)
    }

    /// Jumps to the op's cold stub, and goes on after it.
    private mutating func leaveIf(_ condition: ConditionCode, _ s: StepPointer) {
        let stub = addCold(.float, value: s - steps)
        asm.jcc(condition, stub.label)
        asm.bind(stub.back)
    }

    /// minimumNumber and its kin. Without NaNs: the hardware's minimum of (a, b) and of (b, a) differ only for zeros of both
    /// signs; or-ing them gives -0, and-ing +0. The row gives the result a register of its own.
    mutating func minMax(_ s: StepPointer, _ op: OpPointer) {
        let d = xmm(s.pointee.dst), a = xmm(s.pointee.a), b = xmm(s.pointee.b), type = op.pointee.type
        let isMin = op.pointee.opcode == .fmin || op.pointee.opcode == .fminimum
        let row: RVM = isMin ? .vmin(type.fp) : .vmax(type.fp)
        let stub = addCold(.float, value: s - steps)
        asm.rm(.vucomi(type.fp), a, b)
        asm.jcc(.p, stub.label)
        asm.rvm(row, .xmm15, b, a)
        asm.rvm(row, d, a, b)
        asm.rvm(isMin ? .vor(type.packed) : .vand(type.packed), d, d, .xmm15)
        asm.bind(stub.back)
    }

    // MARK: Signs

    mutating func sign(_ row: RVM, _ mask: UInt, _ s: StepPointer, _ op: OpPointer) {
        let d = xmm(s.pointee.dst)
        var a = XMM.xmm15
        if s.pointee.a == Place.memory {
            asm.vmov(op.pointee.type.vectorMove, a, home(op.pointee.a))
        } else {
            a = xmm(s.pointee.a)
        }
        asm.rvm(row, d, a, .rip(mask))
    }

    mutating func copySign(_ s: StepPointer, _ op: OpPointer) {
        let d = xmm(s.pointee.dst), a = xmm(s.pointee.a), b = xmm(s.pointee.b)
        let type = op.pointee.type, packed = type.packed, pool = stubs.pool
        // xmm15: the sign to merge in.
        if op.pointee.signOp == .copyNegated {
            asm.rvm(.vxor(packed), .xmm15, b, .rip(pool.sign(type)))
            asm.rvm(.vand(packed), .xmm15, .xmm15, .rip(pool.sign(type)))
        } else {
            asm.rvm(.vand(packed), .xmm15, b, .rip(pool.sign(type)))
        }
        if op.pointee.signOp == .xor {
            asm.rvm(.vxor(packed), d, a, .xmm15)
        } else {
            asm.rvm(.vand(packed), d, a, .rip(pool.magnitude(type)))
            asm.rvm(.vor(packed), d, d, .xmm15)
        }
    }

    // MARK: Comparison

    mutating func compareFloat(_ s: StepPointer, _ op: OpPointer) {
        let d = gpr(s.pointee.dst), a = xmm(s.pointee.a), b = xmm(s.pointee.b), type = op.pointee.type.fp
        let condition = op.pointee.floatCondition
        let isSignaling = condition.rawValue >= FloatCondition.eqSignaling.rawValue
        let row: RM = isSignaling ? .vcomi(type) : .vucomi(type)
        asm.zero(d)
        switch condition {
        case .eq, .eqSignaling:
            asm.rm(row, a, b)
            asm.mov(.r11, imm: 0)
            asm.set(.np, d)
            asm.binary(.cmov(.ne), .dword, d, .r11)
        case .lt, .ltSignaling:
            asm.rm(row, b, a)
            asm.set(.a, d)
        case .le, .leSignaling:
            asm.rm(row, b, a)
            asm.set(.ae, d)
        }
    }

    // MARK: Conversion

    /// VROUND's immediate: bits 0-1 the mode, bit 2 MXCSR's mode instead, bit 3 no inexact flag (SDM: ROUNDSD).
    mutating func roundToIntegral(_ s: StepPointer, _ op: OpPointer) {
        var imm: UInt8
        switch op.pointee.rounding {
        case .nearestEven: imm = 0
        case .down: imm = 1
        case .up: imm = 2
        case .towardZero: imm = 3
        case .dynamic: imm = 4
        case .nearestMaxMagnitude: return softFloat(s, op)
        }
        if !op.pointee.raisesInexact { imm |= 8 }
        let d = xmm(s.pointee.dst), a = xmm(s.pointee.a)
        asm.rvmi(.vround(op.pointee.type.fp), d, a, a, imm: imm)
        checkNaN(s, op.pointee.type)
    }

    mutating func convertFormat(_ s: StepPointer, _ op: OpPointer) {
        let d = xmm(s.pointee.dst), a = xmm(s.pointee.a)
        switch (op.pointee.sourceFormat, op.pointee.targetFormat) {
        case (.binary32, .binary64):
            asm.rvm(.vcvtss2sd, d, a, a)
            checkNaN(s, .f64)
        case (.binary64, .binary32) where op.pointee.rounding == .dynamic:
            asm.rvm(.vcvtsd2ss, d, a, a)
            checkNaN(s, .f32)
        default: softFloat(s, op)
        }
    }

    /// The hardware's result for what does not fit, and for the most negative number, is that number: then software decides.
    mutating func toInteger(_ s: StepPointer, _ op: OpPointer) {
        let d = gpr(s.pointee.dst), a = xmm(s.pointee.a), type = op.pointee.type
        let isWide = temps[op.pointee.dst.i].type == .i64
        let truncates = op.pointee.rounding == .towardZero
        guard truncates || (op.pointee.rounding == .dynamic && !op.pointee.isUnsigned) else { return softFloat(s, op) }
        let row: FPToInt = truncates ? .vcvtt2si(type.fp) : .vcvt2si(type.fp)
        if !op.pointee.isUnsigned {
            let size: OperandSize = isWide ? .qword : .dword
            asm.toInt(row, size, d, a)
            asm.alu(.cmp, size, d, imm: 1)  // overflows for the most negative number only
            return leaveIf(.o, s)
        }
        // Unsigned: only 0 ... the limit of the signed conversion is done here, so that no flag is raised wrongly.
        let stub = addCold(.float, value: s - steps)
        let pool = stubs.pool
        let limit = isWide
            ? (type == .f32 ? pool.two63Single : pool.two63Double) : (type == .f32 ? pool.two32Single : pool.two32Double)
        asm.rm(.vucomi(type.fp), a, .rip(limit))
        asm.jcc(.ae, stub.label)
        asm.rvm(.vxor(.ps), .xmm15, .xmm15, .xmm15)
        asm.rm(.vucomi(type.fp), a, .xmm15)
        asm.jcc(.b, stub.label)
        asm.toInt(row, .qword, d, a)
        asm.bind(stub.back)
    }

    mutating func fromInteger(_ s: StepPointer, _ op: OpPointer) {
        let d = xmm(s.pointee.dst), a = gpr(s.pointee.a), type = op.pointee.type
        let isWide = temps[op.pointee.a.i].type == .i64
        let isExact = !isWide && type == .f64
        guard op.pointee.rounding == .dynamic || isExact else { return softFloat(s, op) }
        if !op.pointee.isUnsigned {
            asm.rvm(.vxor(.ps), d, d, d)
            asm.vcvtsi2(type.fp, isWide ? .qword : .dword, d, d, a)
        } else if !isWide {
            asm.mov(.dword, .r11, a)
            asm.rvm(.vxor(.ps), d, d, d)
            asm.vcvtsi2(type.fp, .qword, d, d, .r11)
        } else {
            let stub = addCold(.float, value: s - steps)
            asm.test(.qword, a, a)
            asm.jcc(.s, stub.label)
            asm.rvm(.vxor(.ps), d, d, d)
            asm.vcvtsi2(type.fp, .qword, d, d, a)
            asm.bind(stub.back)
        }
    }

    // MARK: NaN boxing

    mutating func box(_ s: StepPointer, _ op: OpPointer) {
        let d = xmm(s.pointee.dst), a = xmm(s.pointee.a)
        if op.pointee.targetFormat == .binary16 {
            asm.rvm(.vor(.ps), d, a, .rip(stubs.pool.onesAbove16))
        } else {
            asm.rvm(.vunpckl(.ps), d, a, .rip(stubs.pool.ones))
        }
    }

    /// The row gives the result a register of its own.
    mutating func unbox(_ s: StepPointer, _ op: OpPointer) {
        let d = xmm(s.pointee.dst), a = xmm(s.pointee.a)
        if op.pointee.targetFormat == .binary16 {
            asm.vmov(.qword, .r11, a)
            asm.shift(.sar, .qword, .r11, imm: 16)
            asm.alu(.cmp, .qword, .r11, imm: -1)
        } else {
            asm.vpextr(.dword, .r11, a, lane: 1)
            asm.alu(.cmp, .dword, .r11, imm: -1)
        }
        asm.vmov(.vmovaps, d, a)
        leaveIf(.ne, s)
    }

    // MARK: Environment

    mutating func getFlags(_ s: StepPointer) {
        let d = gpr(s.pointee.dst)
        asm.vstmxcsr(header.guestMXCSR)
        asm.mov(.dword, .r11, header.guestMXCSR)
        asm.alu(.and, .dword, .r11, imm: 63)
        asm.lea(.qword, d, .rip(stubs.pool.flagTable))
        asm.movzx(d, .byte, Address(d, index: .r11, .x1))
        asm.alu(.or, .dword, d, header.fpFlags)
    }

    mutating func setFlags(_ s: StepPointer) {
        asm.mov(.dword, .r11, gpr(s.pointee.a))
        asm.alu(.and, .dword, .r11, imm: 31)
        asm.mov(.dword, header.fpFlags, .r11)
        asm.vstmxcsr(header.guestMXCSR)
        asm.alu(.and, .dword, header.guestMXCSR, imm: ~63)
        asm.vldmxcsr(header.guestMXCSR)
    }

    /// The row keeps a out of rax and gives rax away.
    mutating func setRounding(_ s: StepPointer) {
        let a = gpr(s.pointee.a)
        asm.mov(.dword, header.fpRounding, a)
        asm.lea(.dword, .r11, Address(a, index: a, .x1))
        asm.mov(.rax, imm: Int64(RoundingControl.table))
        asm.bmi(.shrx, .dword, .rax, .rax, .r11)
        asm.alu(.and, .dword, .rax, imm: 3)
        asm.shift(.shl, .dword, .rax, imm: 13)
        asm.vstmxcsr(header.guestMXCSR)
        asm.mov(.dword, .r11, header.guestMXCSR)
        asm.alu(.and, .dword, .r11, imm: Int32(bitPattern: ~RoundingControl.mask))
        asm.alu(.or, .dword, .r11, .rax)
        asm.mov(.dword, header.guestMXCSR, .r11)
        asm.vldmxcsr(header.guestMXCSR)
    }

    // MARK: Out of line

    /// What an op's hot code could not do: a canonical NaN, or the whole op in software.
    mutating func coldFloat(_ stub: ColdStub, _ s: StepPointer, _ op: OpPointer) {
        switch op.pointee.opcode {
        case .fma, .fmin, .fmax, .fminimum, .fmaximum, .ftoi, .itof: softFloat(s, op)
        case .unboxf where op.pointee.targetFormat == .binary16:
            asm.vmov(.vmovss, xmm(s.pointee.dst), .rip(stubs.pool.nan16))
        default:
            let type = temps[op.pointee.dst.i].type
            asm.vmov(type.vectorMove, xmm(s.pointee.dst), .rip(stubs.pool.nan(type)))
        }
        asm.jmp(stub.back)
    }

    /// The op by SoftFloat. Only the result's register and r11 change.
    private mutating func softFloat(_ s: StepPointer, _ op: OpPointer) {
        let sources = OpcodeTable.shared.sources(op.pointee.opcode)
        if sources > 0 { passOperand(0, s.pointee.a, op.pointee.a) }
        if sources > 1 { passOperand(1, s.pointee.b, op.pointee.b) }
        if sources > 2 { passOperand(2, s.pointee.c, op.pointee.c) }
        let result = temps[op.pointee.dst.i].type
        let operation = FloatOperation(op.pointee, result: result, operand: temps[op.pointee.a.i].type)
        asm.mov(.r11, imm: Int64(bitPattern: operation.word))
        asm.call(to: stubs.softFloat, scratch: .r11)
        let from = softOperand(3)
        if result.isFloat {
            asm.vmov(result.vectorMove, xmm(s.pointee.dst), from)
        } else {
            asm.mov(.qword, gpr(s.pointee.dst), from)
        }
    }

    private func softOperand(_ index: Int32) -> Address {
        Address(.rbp, Int32(truncatingIfNeeded: header.softOperands.value) &+ 8 &* index)
    }

    private mutating func passOperand(_ index: Int32, _ place: UInt8, _ t: Temp) {
        let to = softOperand(index)
        let type = temps[t.i].type
        if place == Place.memory {
            asm.mov(type.size == 8 ? .qword : .dword, .r11, home(t))
            asm.mov(.qword, to, .r11)
        } else if type.isFloat {
            asm.vmov(.qword, to, xmm(place))
        } else {
            asm.mov(.qword, to, gpr(place))
        }
    }
}
