// Floating-point arithmetic on the host's FPU with the guest's results and flags.
//
// - Flags accrue in MXCSR while generated code runs; the dynamic rounding mode is MXCSR's.
// - The FPU does what guests need that have `FloatRules.canonical`: a NaN result becomes the positive default NaN. The check is in
//   line, the rest a cold stub. Arithmetic by other rules goes to SoftFloat: no guest has them yet.
// - An op with a rounding of its own changes MXCSR around its instruction, or has the mode in an immediate. Ties to away, which
//   the host lacks, go to SoftFloat (`softFloat`).
// Scalar instructions leave garbage above the value in a register; nothing here lets it raise a flag.

import CodeGen
import IR
import SoftFloat

extension Lowering {
    // MARK: Rounding

    /// Makes a static rounding mode the current one; true if `restoreRounding` must follow.
    private mutating func applyRounding(_ op: OpPointer) -> Bool {
        let rounding = op.pointee.rounding
        if rounding == .dynamic { return false }
        asm.vstmxcsr(header.guestMXCSR)
        asm.mov(.dword, .r11, header.guestMXCSR)
        loadControl(clear: RoundingControl.mask, set: RoundingControl.bits(UInt32(rounding.rawValue)))
        return true
    }

    /// MXCSR = r11 with bits cleared and set.
    private mutating func loadControl(clear: UInt32, set: UInt32) {
        asm.alu(.and, .dword, .r11, imm: Int32(bitPattern: ~clear))
        if set != 0 { asm.alu(.or, .dword, .r11, imm: Int32(bitPattern: set)) }
        asm.mov(.dword, frameScratch, .r11)
        asm.vldmxcsr(frameScratch)
    }

    /// Back to the mode of before, keeping the flags raised since.
    private mutating func restoreRounding() {
        asm.vstmxcsr(frameScratch)
        asm.mov(.dword, .r11, frameScratch)
        asm.alu(.and, .dword, .r11, imm: 63)
        asm.alu(.or, .dword, header.guestMXCSR, .r11)
        asm.vldmxcsr(header.guestMXCSR)
    }

    private var frameScratch: Address { Address(.rsp, FrameLayout.scratch) }

    /// The rounding immediate of `vround` and `vcvtps2ph`: a mode, or 4 for MXCSR's.
    private func roundingImmediate(_ op: OpPointer) -> UInt8 {
        let rounding = op.pointee.rounding
        if rounding == .dynamic { return 4 }
        return UInt8(truncatingIfNeeded: RoundingControl.bits(UInt32(rounding.rawValue)) &>> 13)
    }

    /// It goes to SoftFloat.
    private func isSoft(_ op: OpPointer) -> Bool {
        !usesFPU || op.pointee.rounding == .nearestMaxMagnitude
    }

    // MARK: Arithmetic

    mutating func arithmetic(_ row: RVM, _ s: StepPointer, _ op: OpPointer) {
        if isSoft(op) { return softFloat(s, op) }
        let d = xmm(s.pointee.dst)
        let restores = applyRounding(op)
        if s.pointee.b == Place.memory {
            asm.rvm(row, d, xmm(s.pointee.a), home(op.pointee.b))
        } else {
            asm.rvm(row, d, xmm(s.pointee.a), xmm(s.pointee.b))
        }
        if restores { restoreRounding() }
        if !op.pointee.allowsAnyNaN { checkNaN(d, op.pointee.type, s) }
    }

    /// A NaN in `x` is replaced out of line (`coldFloat`). Results are never signalling, so this raises nothing.
    private mutating func checkNaN(_ x: XMM, _ type: ValueType, _ s: StepPointer) {
        asm.rm(.vucomi(type.fp), x, x)
        let stub = addCold(.float, value: s - steps)
        asm.jcc(.p, stub.label)
        asm.bind(stub.back)
    }

    mutating func squareRoot(_ s: StepPointer, _ op: OpPointer) {
        if isSoft(op) { return softFloat(s, op) }
        let d = xmm(s.pointee.dst)
        let a = floatInRegister(s, op)
        let restores = applyRounding(op)
        asm.rvm(.vsqrt(op.pointee.type.fp), d, a, a)
        if restores { restoreRounding() }
        if !op.pointee.allowsAnyNaN { checkNaN(d, op.pointee.type, s) }
    }

    /// Operand `a` in its register, or in the result's after a load from its home.
    private mutating func floatInRegister(_ s: StepPointer, _ op: OpPointer) -> XMM {
        if s.pointee.a != Place.memory { return xmm(s.pointee.a) }
        load(s.pointee.dst, op.pointee.a)
        return xmm(s.pointee.dst)
    }

    /// The result is in no source's register: the cold stub looks at a and b again.
    mutating func multiplyAdd(_ s: StepPointer, _ op: OpPointer) {
        if isSoft(op) { return softFloat(s, op) }
        let d = xmm(s.pointee.dst), a = xmm(s.pointee.a), b = xmm(s.pointee.b), c = xmm(s.pointee.c)
        let t = op.pointee.type.fp
        let restores = applyRounding(op)
        asm.vmov(.vmovaps, d, c)
        switch (op.pointee.negatesProduct, op.pointee.negatesAddend) {
        case (false, false): asm.rvm(.vfmadd(.o231, t), d, a, b)
        case (false, true): asm.rvm(.vfmsub(.o231, t), d, a, b)
        case (true, false): asm.rvm(.vfnmadd(.o231, t), d, a, b)
        case (true, true): asm.rvm(.vfnmsub(.o231, t), d, a, b)
        }
        if restores { restoreRounding() }
        checkNaN(d, op.pointee.type, s)
    }

    // MARK: Minimum and maximum

    /// The host's instructions take the second operand for NaNs and zeros, and raise invalid for quiet NaNs: so NaNs go out of
    /// line before them, and both orders are taken together, which for zeros of different signs leaves the right one.
    mutating func minMax(_ s: StepPointer, _ op: OpPointer) {
        if isSoft(op) { return softFloat(s, op) }
        let d = xmm(s.pointee.dst), a = xmm(s.pointee.a), b = xmm(s.pointee.b)
        let t = op.pointee.type.fp
        let isMin = op.pointee.opcode == .fmin || op.pointee.opcode == .fminimum
        asm.rm(.vucomi(t), a, b)
        let stub = addCold(.float, value: s - steps)
        asm.jcc(.p, stub.label)
        let row: RVM = isMin ? .vmin(t) : .vmax(t)
        asm.rvm(row, .xmm15, a, b)
        asm.rvm(row, d, b, a)
        asm.rvm(isMin ? .vor(op.pointee.type.packed) : .vand(op.pointee.type.packed), d, d, .xmm15)
        asm.bind(stub.back)
    }

    private mutating func coldMinMax(_ s: StepPointer, _ op: OpPointer) {
        guard op.pointee.opcode == .fmin || op.pointee.opcode == .fmax else {
            return loadNaN(s.pointee.dst, op.pointee.type)
        }
        // The operand that is a number, if one is.
        let type = op.pointee.type
        let a = xmm(s.pointee.a), b = xmm(s.pointee.b)
        asm.rm(.vucomi(type.fp), a, a)
        let aIsNaN = asm.jccShort(.p)
        move(s.pointee.dst, s.pointee.a, type)
        let done = asm.jmpShort()
        asm.land(aIsNaN)
        asm.rm(.vucomi(type.fp), b, b)
        move(s.pointee.dst, s.pointee.b, type)
        let bIsNumber = asm.jccShort(.np)
        loadNaN(s.pointee.dst, type)
        asm.land(bIsNumber)
        asm.land(done)
    }

    // MARK: Signs

    /// fneg and fabs: one bitwise instruction with a constant.
    mutating func sign(_ row: RVM, _ mask: UInt, _ s: StepPointer, _ op: OpPointer) {
        let a = floatInRegister(s, op)
        asm.rvm(row, xmm(s.pointee.dst), a, .rip(mask))
    }

    mutating func copySign(_ s: StepPointer, _ op: OpPointer) {
        let d = xmm(s.pointee.dst), a = xmm(s.pointee.a), b = xmm(s.pointee.b)
        let type = op.pointee.type, t = op.pointee.type.packed
        let negated = op.pointee.signOp == .copyNegated
        asm.rvm(negated ? .vandn(t) : .vand(t), .xmm15, b, .rip(stubs.pool.sign(type)))
        if op.pointee.signOp == .xor {
            asm.rvm(.vxor(t), d, a, .xmm15)
        } else {
            asm.rvm(.vand(t), d, a, .rip(stubs.pool.magnitude(type)))
            asm.rvm(.vor(t), d, d, .xmm15)
        }
    }

    // MARK: Comparison

    /// Compared so that one condition says "true and ordered"; equality needs the parity too.
    mutating func compareFloat(_ s: StepPointer, _ op: OpPointer) {
        let d = gpr(s.pointee.dst), a = xmm(s.pointee.a), b = xmm(s.pointee.b)
        let condition = op.pointee.floatCondition
        if !condition.isSilent { return compareFloat(condition, op.pointee.type.fp, d, a, b) }
        let stub = addCold(.float, value: s - steps)
        findSpecial(op.pointee.type, d, a, b)
        asm.jcc(.ae, stub.label)
        compareFloat(condition, op.pointee.type.fp, d, a, b)
        asm.bind(stub.back)
    }

    private mutating func compareFloat(_ condition: FloatCondition, _ t: FPType, _ d: GPR, _ a: XMM, _ b: XMM) {
        asm.zero(d)
        switch condition {
        case .eq, .eqSignaling, .eqSilent:
            asm.zero(.r11)
            asm.rm(condition == .eqSignaling ? .vcomi(t) : .vucomi(t), a, b)
            asm.set(.np, d)
            asm.binary(.cmov(.ne), .dword, d, .r11)
        case .lt, .ltSilent: less(.a, .vucomi(t), d, a, b)
        case .ltSignaling: less(.a, .vcomi(t), d, a, b)
        case .le, .leSilent: less(.ae, .vucomi(t), d, a, b)
        case .leSignaling: less(.ae, .vcomi(t), d, a, b)
        }
    }

    private mutating func less(_ code: ConditionCode, _ row: RM, _ d: GPR, _ a: XMM, _ b: XMM) {
        asm.rm(row, b, a)
        asm.set(code, d)
    }

    /// Leaves the carry clear when a or b is an infinity or a NaN: the larger exponent, above nothing but zeros, is all ones.
    private mutating func findSpecial(_ type: ValueType, _ d: GPR, _ a: XMM, _ b: XMM) {
        let size: OperandSize = type == .f64 ? .qword : .dword
        asm.vmov(size, d, a)
        asm.vmov(size, .r11, b)
        asm.alu(.add, size, d, d)
        asm.alu(.add, size, .r11, .r11)
        asm.alu(.cmp, size, d, .r11)
        asm.binary(.cmov(.b), size, d, .r11)
        asm.shift(.shr, size, d, imm: type == .f64 ? 53 : 24)
        asm.alu(.cmp, .dword, d, imm: type == .f64 ? 0x7ff : 0xff)
    }

    /// The comparison where an operand may be a signalling NaN, without its flag.
    private mutating func coldCompare(_ s: StepPointer, _ op: OpPointer) {
        asm.vstmxcsr(frameScratch)
        compareFloat(
            op.pointee.floatCondition, op.pointee.type.fp, gpr(s.pointee.dst), xmm(s.pointee.a), xmm(s.pointee.b))
        asm.vldmxcsr(frameScratch)
    }

    // MARK: NaN boxes

    mutating func box(_ s: StepPointer, _ op: OpPointer) {
        let d = xmm(s.pointee.dst), a = xmm(s.pointee.a)
        if op.pointee.targetFormat == .binary16 {
            asm.rvm(.vor(.ps), d, a, .rip(stubs.pool.onesAbove16))
        } else {
            asm.rvm(.vunpckl(.ps), d, a, .rip(stubs.pool.ones))
        }
    }

    mutating func unbox(_ s: StepPointer, _ op: OpPointer) {
        let a = xmm(s.pointee.a)
        if op.pointee.targetFormat == .binary16 {
            asm.vmov(.qword, .r11, a)
            asm.shift(.sar, .qword, .r11, imm: 16)
            asm.alu(.cmp, .qword, .r11, imm: -1)
        } else {
            asm.vpextr(.dword, .r11, a, lane: 1)
            asm.alu(.cmp, .dword, .r11, imm: -1)
        }
        move(s.pointee.dst, s.pointee.a, .f32)
        let stub = addCold(.float, value: s - steps)
        asm.jcc(.ne, stub.label)
        asm.bind(stub.back)
    }

    // MARK: Environment

    mutating func getFlags(_ s: StepPointer) {
        let d = gpr(s.pointee.dst)
        asm.vstmxcsr(header.guestMXCSR)
        asm.mov(.dword, d, header.guestMXCSR)
        asm.alu(.and, .dword, d, imm: 63)
        asm.lea(.qword, .r11, .rip(stubs.pool.flagTable))
        asm.movzx(d, .byte, Address(.r11, index: d))
        asm.alu(.or, .dword, d, header.fpFlags)
    }

    /// Flags in MXCSR that stay raised anyway need not be cleared there: loading it is the expensive part, and library functions
    /// mostly restore flags that the program has raised long before. rax is free here.
    mutating func setFlags(_ s: StepPointer) {
        asm.mov(.dword, .rax, gpr(s.pointee.a))
        asm.alu(.and, .dword, .rax, imm: 31)
        asm.mov(.dword, header.fpFlags, .rax)
        asm.vstmxcsr(header.guestMXCSR)
        asm.lea(.qword, .r11, .rip(stubs.pool.clearedFlagTable))
        asm.movzx(.rax, .byte, Address(.r11, index: .rax))
        asm.mov(.dword, .r11, header.guestMXCSR)
        asm.test(.dword, .r11, .rax)
        let stub = addCold(.float, value: s - steps)
        asm.jcc(.ne, stub.label)
        asm.bind(stub.back)
    }

    private mutating func coldSetFlags() {
        asm.alu(.and, .dword, header.guestMXCSR, imm: ~63)
        asm.vldmxcsr(header.guestMXCSR)
    }

    /// rax is free here.
    mutating func setRounding(_ s: StepPointer) {
        let a = gpr(s.pointee.a)
        asm.zero(.rax)
        asm.mov(.qword, .r11, a)
        asm.alu(.cmp, .qword, .r11, imm: 4)
        asm.binary(.cmov(.a), .dword, .r11, .rax)
        asm.mov(.dword, header.fpRounding, .r11)
        asm.alu(.add, .dword, .r11, .r11)
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

    mutating func coldFloat(_ stub: ColdStub, _ s: StepPointer, _ op: OpPointer) {
        let type = op.pointee.type
        switch op.pointee.opcode {
        case .fma: coldMultiplyAdd(s, op)
        case .fsetcond: coldCompare(s, op)
        case .fmin, .fmax, .fminimum, .fmaximum: coldMinMax(s, op)
        case .fcvt, .unboxf: loadNaN(s.pointee.dst, op.pointee.targetFormat)
        case .ftoi: coldToInteger(s, op)
        case .itof: coldFromInteger(s, op)
        case .fpSetFlags: coldSetFlags()
        default: loadNaN(s.pointee.dst, type)
        }
        asm.jmp(stub.back)
    }

    private mutating func loadNaN(_ dst: UInt8, _ type: ValueType) {
        asm.vmov(type.vectorMove, xmm(dst), .rip(stubs.pool.nan(type)))
    }

    private mutating func loadNaN(_ dst: UInt8, _ format: FloatFormat) {
        switch format {
        case .binary16: asm.vmov(.vmovss, xmm(dst), .rip(stubs.pool.nan16))
        case .binary32: loadNaN(dst, .f32)
        case .binary64: loadNaN(dst, .f64)
        }
    }

    /// Infinity times zero is invalid even when a quiet NaN is added (IEEE 754-2019, 7.2 leaves it open; the guest's rule), which
    /// the host does not say. A product that is a NaN raises exactly what is missing; any other raises nothing that stays.
    private mutating func coldMultiplyAdd(_ s: StepPointer, _ op: OpPointer) {
        let t = op.pointee.type.fp
        asm.vstmxcsr(frameScratch)
        asm.rvm(.vmul(t), .xmm15, xmm(s.pointee.a), xmm(s.pointee.b))
        asm.rm(.vucomi(t), .xmm15, .xmm15)
        let isNaN = asm.jccShort(.p)
        asm.vldmxcsr(frameScratch)
        asm.land(isNaN)
        loadNaN(s.pointee.dst, op.pointee.type)
    }

    // MARK: SoftFloat

    /// The op by SoftFloat. Only the result's register and r11 change.
    private mutating func softFloat(_ s: StepPointer, _ op: OpPointer) {
        let sources = OpcodeTable.shared.sources(op.pointee)
        if sources > 0 { passOperand(0, s.pointee.a, op.pointee.a) }
        if sources > 1 { passOperand(1, s.pointee.b, op.pointee.b) }
        if sources > 2 { passOperand(2, s.pointee.c, op.pointee.c) }
        let result = temps[op.pointee.dst.i].type
        let operation = FloatOperation(
            op.pointee, result: result, operand: temps[op.pointee.a.i].type, rules: floatRules)
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

    // MARK: Rounding and conversions

    mutating func roundToIntegral(_ s: StepPointer, _ op: OpPointer) {
        if isSoft(op) { return softFloat(s, op) }
        let d = xmm(s.pointee.dst), a = xmm(s.pointee.a)
        let quiet: UInt8 = op.pointee.raisesInexact ? 0 : 8
        asm.rvmi(.vround(op.pointee.type.fp), d, a, a, imm: roundingImmediate(op) | quiet)
        checkNaN(d, op.pointee.type, s)
    }

    mutating func convertFormat(_ s: StepPointer, _ op: OpPointer) {
        if isSoft(op) { return softFloat(s, op) }
        let d = xmm(s.pointee.dst), a = xmm(s.pointee.a)
        switch (op.pointee.sourceFormat, op.pointee.targetFormat) {
        case (.binary64, .binary32):
            let restores = applyRounding(op)
            asm.rvm(.vcvtsd2ss, d, a, a)
            if restores { restoreRounding() }
            checkNaN(d, .f32, s)
        case (.binary32, .binary64):
            asm.rvm(.vcvtss2sd, d, a, a)
            checkNaN(d, .f64, s)
        case (.binary16, .binary32):
            halfToSingle(d, a)
            checkNaN(d, .f32, s)
        case (.binary16, .binary64):
            halfToSingle(.xmm15, a)
            asm.rvm(.vcvtss2sd, d, .xmm15, .xmm15)
            checkNaN(d, .f64, s)
        case (.binary32, .binary16):
            asm.rvmi(.vinsertps, .xmm15, a, a, imm: 0x0e)  // the other elements are zeros
            asm.mri(.vcvtps2ph, .xmm15, .xmm15, imm: roundingImmediate(op))
            asm.rm(.vucomi(.ss), a, a)
            asm.vmov(.vmovaps, d, .xmm15)
            let stub = addCold(.float, value: s - steps)
            asm.jcc(.p, stub.label)
            asm.bind(stub.back)
        case (.binary64, .binary16): doubleToHalf(s, op, d, a)
        case (.binary16, .binary16), (.binary32, .binary32), (.binary64, .binary64):
            // The same format: only NaNs change, and signalling ones raise invalid.
            move(s.pointee.dst, s.pointee.a, op.pointee.type)
            if op.pointee.sourceFormat != .binary16 {
                checkNaN(d, op.pointee.type, s)
            } else {
                halfToSingle(.xmm15, a)
                checkNaN(.xmm15, .f32, s)
            }
        }
    }

    /// Only the low element may raise flags.
    private mutating func halfToSingle(_ d: XMM, _ a: XMM) {
        asm.rvm(.vand(.ps), d, a, .rip(stubs.pool.low16))
        asm.rm(.vcvtph2ps, d, d)
    }

    /// By way of a single rounded to odd (truncated, the last bit set when inexact), which does not round twice: 24 bits are two
    /// more than twice 11. The flags of that step are dropped.
    private mutating func doubleToHalf(_ s: StepPointer, _ op: OpPointer, _ d: XMM, _ a: XMM) {
        asm.rm(.vucomi(.sd), a, a)  // raises invalid for a signalling NaN
        let stub = addCold(.float, value: s - steps)
        asm.jcc(.p, stub.label)
        asm.vstmxcsr(header.guestMXCSR)
        asm.mov(.dword, .r11, header.guestMXCSR)
        loadControl(clear: 63, set: RoundingControl.mask)
        asm.rvm(.vcvtsd2ss, .xmm15, a, a)
        asm.vstmxcsr(frameScratch)
        asm.mov(.dword, .r11, frameScratch)
        asm.shift(.shr, .dword, .r11, imm: 5)
        asm.alu(.and, .dword, .r11, imm: 1)
        asm.vmov(.dword, d, .r11)
        asm.rvm(.vor(.ps), .xmm15, .xmm15, d)
        asm.rvmi(.vinsertps, .xmm15, .xmm15, .xmm15, imm: 0x0e)
        asm.vldmxcsr(header.guestMXCSR)
        asm.mri(.vcvtps2ph, d, .xmm15, imm: roundingImmediate(op))
        asm.bind(stub.back)
    }

    // MARK: To integers

    /// Signed results out of range, and NaNs, come from the host as the smallest number with invalid raised; the cold stub makes
    /// the largest of them where that is due. Unsigned ones: see `toUnsigned`.
    mutating func toInteger(_ s: StepPointer, _ op: OpPointer) {
        let size = temps[op.pointee.dst.i].type.operandSize
        let d = gpr(s.pointee.dst), a = xmm(s.pointee.a)
        let t = op.pointee.type.fp
        if op.pointee.rounding == .nearestMaxMagnitude {
            return op.pointee.isUnsigned ? softFloat(s, op) : toNearestMaxMagnitude(s, op, size)
        }
        if op.pointee.isUnsigned { return toUnsigned(s, op, size) }
        let stub: ColdStub
        switch op.pointee.rounding {
        case .towardZero: asm.toInt(.vcvtt2si(t), size, d, a)
        case .dynamic: asm.toInt(.vcvt2si(t), size, d, a)
        default:
            // Rounded quietly, converted; then rounded again for the inexact flag if the number was in range.
            let imm = roundingImmediate(op)
            asm.rvmi(.vround(t), .xmm15, a, a, imm: imm | 8)
            asm.toInt(.vcvtt2si(t), size, d, .xmm15)
            asm.alu(.cmp, size, d, imm: 1)
            stub = addCold(.float, value: s - steps)
            asm.jcc(.o, stub.label)
            asm.rvmi(.vround(t), .xmm15, a, a, imm: imm)
            asm.bind(stub.back)
            return
        }
        asm.alu(.cmp, size, d, imm: 1)  // overflows for the smallest number only
        stub = addCold(.float, value: s - steps)
        asm.jcc(.o, stub.label)
        asm.bind(stub.back)
    }

    /// Truncated, and one further from zero when twice the rest, which is exact, reaches one. Quiet until the result is known to be
    /// in range; then truncated once more for the inexact flag. (An infinity's rest raises invalid, as is due.)
    private mutating func toNearestMaxMagnitude(_ s: StepPointer, _ op: OpPointer, _ size: OperandSize) {
        let d = gpr(s.pointee.dst), a = xmm(s.pointee.a)
        let t = op.pointee.type.fp
        let truncated: UInt8 = 3
        let stub = addCold(.float, value: s - steps)
        asm.rvmi(.vround(t), .xmm15, a, a, imm: truncated | 8)
        asm.toInt(.vcvtt2si(t), .qword, d, .xmm15)
        asm.alu(.cmp, .qword, d, imm: 1)
        asm.jcc(.o, stub.label)
        asm.rvm(.vsub(t), .xmm15, a, .xmm15)
        asm.rvm(.vadd(t), .xmm15, .xmm15, .xmm15)
        asm.rvmi(.vround(t), .xmm15, .xmm15, .xmm15, imm: truncated | 8)
        asm.toInt(.vcvtt2si(t), .qword, .r11, .xmm15)
        asm.alu(.add, .qword, d, .r11)
        if size == .dword {
            asm.movsx(.qword, .r11, .dword, d)
            asm.alu(.cmp, .qword, .r11, d)
            asm.jcc(.ne, stub.label)
        }
        asm.rvmi(.vround(t), .xmm15, a, a, imm: truncated)
        asm.bind(stub.back)
    }

    /// The quietly rounded number is converted as a signed 64-bit one when it is below 2^63 (2^32: all results are below); the
    /// rest is cold. Rounding once more raises inexact, only when the result is good.
    private mutating func toUnsigned(_ s: StepPointer, _ op: OpPointer, _ size: OperandSize) {
        let d = gpr(s.pointee.dst), a = xmm(s.pointee.a)
        let type = op.pointee.type, t = op.pointee.type.fp
        let imm = roundingImmediate(op)
        let stub = addCold(.float, value: s - steps)
        asm.rvmi(.vround(t), .xmm15, a, a, imm: imm | 8)
        if size == .qword {
            asm.rm(.vucomi(t), .xmm15, .rip(stubs.pool.two63(type)))
            asm.jcc(.ae, stub.label)
            asm.toInt(.vcvtt2si(t), .qword, d, .xmm15)
            asm.test(.qword, d, d)
            asm.jcc(.s, stub.label)
        } else {
            asm.toInt(.vcvtt2si(t), .qword, d, .xmm15)
            asm.mov(.dword, .r11, d)
            asm.alu(.cmp, .qword, .r11, d)
            asm.jcc(.ne, stub.label)
        }
        asm.rvmi(.vround(t), .xmm15, a, a, imm: imm)
        asm.bind(stub.back)
    }

    private mutating func coldToInteger(_ s: StepPointer, _ op: OpPointer) {
        let type = op.pointee.type, t = op.pointee.type.fp
        let size = temps[op.pointee.dst.i].type.operandSize
        let d = gpr(s.pointee.dst), a = xmm(s.pointee.a)
        if !op.pointee.isUnsigned {
            if op.pointee.rounding == .nearestMaxMagnitude && size == .dword {
                // Out of the range of 32 bits, perhaps not of 64.
                asm.toInt(.vcvtt2si(.sd), .dword, d, .rip(stubs.pool.nan64))
            }
            // The smallest number is there: right for numbers not above zero. (Carry: zero is less, or a is a NaN.)
            asm.rvm(.vxor(.ps), .xmm15, .xmm15, .xmm15)
            asm.rm(.vucomi(t), .xmm15, a)
            let isNegative = asm.jccShort(.ae)
            asm.unary(.not, size, d)
            asm.land(isNegative)
            if size == .dword && type == .f64 && op.pointee.rounding != .towardZero && op.pointee.rounding != .dynamic
                && op.pointee.rounding != .nearestMaxMagnitude
            {
                // Rounded to the smallest number exactly, it is in range: only now inexact, as on the hot path.
                let imm = roundingImmediate(op)
                asm.rvmi(.vround(t), .xmm15, a, a, imm: imm | 8)
                asm.toInt(.vcvtt2si(t), .qword, .r11, .xmm15)
                asm.alu(.cmp, .qword, .r11, imm: .min)
                let isOutside = asm.jccShort(.ne)
                asm.rvmi(.vround(t), .xmm15, a, a, imm: imm)
                asm.land(isOutside)
            }
            return
        }
        var isDone: ShortJump?
        if size == .qword {
            // xmm15 is the rounded number: between 2^63 and 2^64 it is converted less 2^63, which is exact.
            asm.rm(.vucomi(t), .xmm15, .rip(stubs.pool.two63(type)))
            let isLess = asm.jccShort(.b)
            asm.rm(.vucomi(t), .xmm15, .rip(stubs.pool.two64(type)))
            let isMore = asm.jccShort(.ae)
            asm.rvm(.vsub(t), .xmm15, .xmm15, .rip(stubs.pool.two63(type)))
            asm.toInt(.vcvtt2si(t), .qword, d, .xmm15)
            asm.bitTest(.bts, .qword, d, imm: 63)
            isDone = asm.jmpShort()
            asm.land(isLess)
            asm.land(isMore)
        }
        // Out of range or NaN: invalid, and zero for what is negative, else the largest number.
        asm.toInt(.vcvtt2si(.sd), .qword, .r11, .rip(stubs.pool.nan64))
        asm.rvm(.vxor(.ps), .xmm15, .xmm15, .xmm15)
        asm.rm(.vucomi(t), .xmm15, a)
        asm.alu(.sbb, .qword, d, d)
        if let isDone { asm.land(isDone) }
    }

    // MARK: From integers

    /// Where the integer has no more digits than the format, the result is exact and its rounding does not matter.
    mutating func fromInteger(_ s: StepPointer, _ op: OpPointer) {
        let d = xmm(s.pointee.dst), a = gpr(s.pointee.a)
        let isWide = temps[op.pointee.a.i].type == .i64
        // A 32-bit integer in a double is exact.
        if op.pointee.rounding != .dynamic && (isWide || op.pointee.type == .f32) {
            let stub = addCold(.float, value: s - steps)
            findInexact(op, a, isWide)
            asm.jcc(.ne, stub.label)
            convertInteger(op, d, a, isWide, isUnsigned: op.pointee.isUnsigned && !isWide)
            asm.bind(stub.back)
        } else if op.pointee.isUnsigned && isWide {
            let stub = addCold(.float, value: s - steps)
            asm.test(.qword, a, a)
            asm.jcc(.s, stub.label)
            convertInteger(op, d, a, isWide, isUnsigned: false)
            asm.bind(stub.back)
        } else {
            convertInteger(op, d, a, isWide, isUnsigned: op.pointee.isUnsigned)
        }
    }

    /// Leaves the zero flag clear when an integer may not fit in the significand: outside of -2^p ..< 2^p, or of 0 ..< 2^p.
    private mutating func findInexact(_ op: OpPointer, _ a: GPR, _ isWide: Bool) {
        let digits: UInt8 = op.pointee.type == .f64 ? 53 : 24
        let size: OperandSize = isWide ? .qword : .dword
        if op.pointee.isUnsigned {
            asm.mov(size, .r11, a)
        } else {
            asm.mov(.r11, imm: 1 << Int64(digits))
            asm.alu(.add, size, .r11, a)
        }
        asm.shift(.shr, size, .r11, imm: op.pointee.isUnsigned ? digits : digits &+ 1)
    }

    /// An unsigned integer has at most 32 bits here.
    private mutating func convertInteger(_ op: OpPointer, _ d: XMM, _ a: GPR, _ isWide: Bool, isUnsigned: Bool) {
        let t = op.pointee.type.fp
        asm.rvm(.vxor(.ps), d, d, d)  // no dependency on what was there
        if isUnsigned {
            asm.mov(.dword, .r11, a)
            asm.vcvtsi2(t, .qword, d, d, .r11)
        } else {
            asm.vcvtsi2(t, isWide ? .qword : .dword, d, d, a)
        }
    }

    private mutating func coldFromInteger(_ s: StepPointer, _ op: OpPointer) {
        if op.pointee.rounding == .nearestMaxMagnitude { return softFloat(s, op) }
        let d = xmm(s.pointee.dst), a = gpr(s.pointee.a)
        let isWide = temps[op.pointee.a.i].type == .i64
        let restores = applyRounding(op)
        if op.pointee.isUnsigned && isWide {
            // 2^63 and more: half of it, the last bit sticky, converted and doubled.
            let t = op.pointee.type.fp
            asm.test(.qword, a, a)
            let isLarge = asm.jccShort(.s)
            convertInteger(op, d, a, isWide, isUnsigned: false)
            let done = asm.jmpShort()
            asm.land(isLarge)
            asm.rvm(.vxor(.ps), d, d, d)
            asm.mov(.qword, .r11, a)
            asm.shift(.shr, .qword, .r11, imm: 1)
            let isEven = asm.jccShort(.ae)
            asm.alu(.or, .qword, .r11, imm: 1)
            asm.land(isEven)
            asm.vcvtsi2(t, .qword, d, d, .r11)
            asm.rvm(.vadd(t), d, d, d)
            asm.land(done)
        } else {
            convertInteger(op, d, a, isWide, isUnsigned: op.pointee.isUnsigned)
        }
        if restores { restoreRounding() }
    }
}
