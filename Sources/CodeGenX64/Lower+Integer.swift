// Integer arithmetic, logic, shifts and bit fields. 32-bit ops use the 32-bit instructions: the upper half of an i32's register
// is unspecified.
//
// A result that is not early may be in the register of any source: every function here reads a source before it writes the
// result, or goes through r11.

import CodeGen
import IR

extension Lowering {
    typealias StepPointer = UnsafeMutablePointer<Step>
    typealias OpPointer = UnsafeMutablePointer<Op>

    @inline(__always) mutating func copy(_ size: OperandSize, _ d: GPR, _ a: GPR) {
        if d != a { asm.mov(size, d, a) }
    }

    @inline(__always) func value(_ t: Temp) -> Int64 { temps[t.i].value }
    @inline(__always) func imm32(_ t: Temp) -> Int32 { Int32(truncatingIfNeeded: temps[t.i].value) }

    /// Operand `a` in a register: its own, or `d` after a load from its home.
    @inline(__always) mutating func inRegister(_ place: UInt8, _ t: Temp, _ size: OperandSize, or d: GPR) -> GPR {
        if place != Place.memory { return gpr(place) }
        asm.mov(size, d, home(t))
        return d
    }

    // MARK: Two operands

    /// d = a op b for the commutative ones.
    mutating func alu(_ k: ALU, _ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        let d = gpr(s.pointee.dst), a = gpr(s.pointee.a)
        flags = FlagsContent(register: s.pointee.dst, size: size)
        if k == .and, op.pointee.dst != op.pointee.a, op.pointee.dst != op.pointee.b {
            (flags.x, flags.y) = (op.pointee.a, op.pointee.b)
        }
        switch s.pointee.b {
        case Place.constant:
            copy(size, d, a)
            asm.alu(k, size, d, imm: imm32(op.pointee.b))
        case Place.memory:
            copy(size, d, a)
            asm.alu(k, size, d, home(op.pointee.b))
        default:
            let b = gpr(s.pointee.b)
            if d == b {
                asm.alu(k, size, d, a)
            } else {
                copy(size, d, a)
                asm.alu(k, size, d, b)
            }
        }
    }

    /// Leaves a shift by 1 to 3 to the addition that follows and overwrites its result: one address calculation does both.
    mutating func scalesSum(_ s: StepPointer, _ op: OpPointer, _ end: StepPointer) -> Bool {
        guard s.pointee.b == Place.constant, 1...3 ~= value(op.pointee.b) else { return false }
        var next = s + 1
        // Between them stand at most loads of other registers.
        while next < end, next.pointee.kind == .dirty || isMark(next) || isLoad(next, besides: s) { next += 1 }
        guard next < end, next.pointee.kind == .op, next.pointee.dst == s.pointee.dst else { return false }
        let sum = ops + Int(next.pointee.index)
        guard sum.pointee.opcode == .add, sum.pointee.type == op.pointee.type else { return false }
        let isFirst = next.pointee.a == s.pointee.dst
        let base = isFirst ? next.pointee.b : next.pointee.a
        guard isFirst || next.pointee.b == s.pointee.dst, base < 16, base != s.pointee.dst else { return false }
        let scales: InlineArray<3, Scale> = [.x2, .x4, .x8]
        scaled = ScaledSum(
            step: next, base: gpr(base), index: gpr(s.pointee.a), scale: scales[Int(value(op.pointee.b)) - 1])
        return true
    }

    private func isLoad(_ next: StepPointer, besides s: StepPointer) -> Bool {
        next.pointee.kind == .load && next.pointee.dst != s.pointee.dst && next.pointee.dst != s.pointee.a
    }

    private func isMark(_ s: StepPointer) -> Bool {
        s.pointee.kind == .op && ops[Int(s.pointee.index)].opcode == .insnStart
    }

    mutating func add(_ s: StepPointer, _ op: OpPointer) {
        let d = gpr(s.pointee.dst), a = gpr(s.pointee.a)
        if s == scaled.step {
            let m = Address(scaled.base, index: scaled.index, scaled.scale)
            scaled.step = nil
            return asm.lea(op.pointee.type.operandSize, d, m)
        }
        if d != a {
            let size = op.pointee.type.operandSize
            if s.pointee.b == Place.constant {
                return asm.lea(size, d, Address(a, imm32(op.pointee.b)))
            }
            if s.pointee.b != Place.memory, gpr(s.pointee.b) != d {
                return asm.lea(size, d, Address(a, index: gpr(s.pointee.b)))
            }
        }
        alu(.add, s, op)
    }

    mutating func sub(_ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        let d = gpr(s.pointee.dst), a = gpr(s.pointee.a)
        switch s.pointee.b {
        case Place.constant:
            let value = imm32(op.pointee.b)
            if d != a, value != .min {
                asm.lea(size, d, Address(a, 0 &- value))
            } else {
                copy(size, d, a)
                asm.alu(.sub, size, d, imm: value)
            }
        case Place.memory:
            copy(size, d, a)
            asm.alu(.sub, size, d, home(op.pointee.b))
        default:
            let b = gpr(s.pointee.b)
            if d == b, d != a {
                asm.unary(.neg, size, d)
                asm.alu(.add, size, d, a)
            } else {
                copy(size, d, a)
                asm.alu(.sub, size, d, b)
            }
        }
    }

    mutating func andc(_ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        let d = gpr(s.pointee.dst), a = gpr(s.pointee.a)
        if s.pointee.b == Place.constant {
            copy(size, d, a)
            asm.alu(.and, size, d, imm: ~imm32(op.pointee.b))
        } else {
            asm.bmi(.andn, size, d, gpr(s.pointee.b), a)
        }
    }

    mutating func orc(_ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        let d = gpr(s.pointee.dst), a = gpr(s.pointee.a)
        if s.pointee.b == Place.constant {
            copy(size, d, a)
            asm.alu(.or, size, d, imm: ~imm32(op.pointee.b))
            return
        }
        let b = gpr(s.pointee.b)
        if d == b, d != a {
            asm.unary(.not, size, d)
            asm.alu(.or, size, d, a)
        } else {
            asm.mov(size, .r11, b)
            asm.unary(.not, size, .r11)
            copy(size, d, a)
            asm.alu(.or, size, d, .r11)
        }
    }

    mutating func eqv(_ s: StepPointer, _ op: OpPointer) {
        alu(.xor, s, op)
        asm.unary(.not, op.pointee.type.operandSize, gpr(s.pointee.dst))
        flags = .none
    }

    mutating func unary(_ k: Unary, _ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        let d = gpr(s.pointee.dst)
        copy(size, d, gpr(s.pointee.a))
        asm.unary(k, size, d)
    }

    mutating func mul(_ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        let d = gpr(s.pointee.dst), a = gpr(s.pointee.a)
        switch s.pointee.b {
        case Place.constant: asm.imul(size, d, a, imm: imm32(op.pointee.b))
        case Place.memory:
            copy(size, d, a)
            asm.binary(.imul, size, d, home(op.pointee.b))
        default:
            let b = gpr(s.pointee.b)
            if d == b {
                asm.binary(.imul, size, d, a)
            } else {
                copy(size, d, a)
                asm.binary(.imul, size, d, b)
            }
        }
    }

    /// a is in rdx.
    mutating func mulhu(_ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        let d = gpr(s.pointee.dst)
        if s.pointee.b == Place.memory {
            asm.bmi(.mulx, size, d, .r11, home(op.pointee.b))
        } else {
            asm.bmi(.mulx, size, d, .r11, gpr(s.pointee.b))
        }
    }

    /// a is in rax, the result in rdx.
    mutating func mulhs(_ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        if s.pointee.b == Place.memory {
            asm.unary(.imul, size, home(op.pointee.b))
        } else {
            asm.unary(.imul, size, gpr(s.pointee.b))
        }
    }

    /// a is in rax; quotient in rax, remainder in rdx. Front ends keep zero divisors and overflow away.
    mutating func divide(signed: Bool, _ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        if signed {
            asm.signIntoRDX(size)
            asm.unary(.idiv, size, gpr(s.pointee.b))
        } else {
            asm.zero(.rdx)
            asm.unary(.div, size, gpr(s.pointee.b))
        }
    }

    /// The low half of the carry-less product; the low 32 bits of it depend on nothing above.
    mutating func clmul(_ s: StepPointer, _ op: OpPointer) {
        asm.vmov(.qword, .xmm15, gpr(s.pointee.a))
        asm.vpinsr(.qword, .xmm15, .xmm15, gpr(s.pointee.b), lane: 1)
        asm.rvmi(.vpclmulqdq, .xmm15, .xmm15, .xmm15, imm: 0x10)
        asm.vmov(op.pointee.type.operandSize, gpr(s.pointee.dst), .xmm15)
    }

    // MARK: Shifts

    mutating func shiftLeft(_ s: StepPointer, _ op: OpPointer, _ end: StepPointer) {
        if !scalesSum(s, op, end) { shift(.shl, .shlx, s, op) }
    }

    /// Counts are modulo the width, in the IR as in the instructions.
    mutating func shift(_ k: Shift, _ x: BMIShift, _ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        let d = gpr(s.pointee.dst), a = gpr(s.pointee.a)
        guard s.pointee.b == Place.constant else { return asm.bmi(x, size, d, a, gpr(s.pointee.b)) }
        let amount = countBits(op)
        copy(size, d, a)
        if amount != 0 { asm.shift(k, size, d, imm: amount) }
    }

    /// b is in rcx or a constant.
    mutating func rotate(_ k: Shift, _ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        let d = gpr(s.pointee.dst), a = gpr(s.pointee.a)
        if s.pointee.b == Place.constant {
            let width: UInt8 = size == .qword ? 64 : 32
            let amount = countBits(op)
            return asm.rorx(size, d, a, imm: k == .ror ? amount : (width &- amount) & (width &- 1))
        }
        if d == .rcx {
            asm.mov(size, .r11, a)
            asm.shiftByCL(k, size, .r11)
            asm.mov(size, d, .r11)
        } else {
            copy(size, d, a)
            asm.shiftByCL(k, size, d)
        }
    }

    @inline(__always) private func countBits(_ op: OpPointer) -> UInt8 {
        UInt8(truncatingIfNeeded: value(op.pointee.b)) & (op.pointee.type == .i64 ? 63 : 31)
    }

    mutating func count(_ k: Binary, _ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        if s.pointee.a == Place.memory {
            asm.binary(k, size, gpr(s.pointee.dst), home(op.pointee.a))
        } else {
            asm.binary(k, size, gpr(s.pointee.dst), gpr(s.pointee.a))
        }
    }

    mutating func bswap(_ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        let d = gpr(s.pointee.dst)
        if s.pointee.a == Place.memory { return asm.movbe(size, d, home(op.pointee.a)) }
        copy(size, d, gpr(s.pointee.a))
        asm.bswap(size, d)
    }

    // MARK: Bit fields

    mutating func extract(_ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        let width = size == .qword ? 64 : 32
        let position = op.pointee.fieldPosition, length = op.pointee.fieldLength
        let d = gpr(s.pointee.dst)
        let a = inRegister(s.pointee.a, op.pointee.a, size, or: d)
        if position &+ length == width {
            copy(size, d, a)
            if position != 0 { asm.shift(.shr, size, d, imm: UInt8(truncatingIfNeeded: position)) }
        } else if position == 0, let whole = OperandSize(bits: length) {
            asm.movzx(d, whole, a)
        } else if position &+ length <= 32, position == 0 {
            copy(.dword, d, a)
            asm.alu(.and, .dword, d, imm: Int32(truncatingIfNeeded: (1 as Int64) &<< Int64(length) &- 1))
        } else {
            asm.mov(.r11, imm: Int64(position | length &<< 8))
            asm.bmi(.bextr, size, d, a, .r11)
        }
    }

    mutating func signedExtract(_ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        let width = size == .qword ? 64 : 32
        let position = op.pointee.fieldPosition, length = op.pointee.fieldLength
        let d = gpr(s.pointee.dst)
        let a = inRegister(s.pointee.a, op.pointee.a, size, or: d)
        if position &+ length == width {
            copy(size, d, a)
            if position != 0 { asm.shift(.sar, size, d, imm: UInt8(truncatingIfNeeded: position)) }
        } else if let whole = OperandSize(bits: position &+ length) {
            // The field ends where a byte, word or dword does.
            asm.movsx(size, d, whole, a)
            if position != 0 { asm.shift(.sar, size, d, imm: UInt8(truncatingIfNeeded: position)) }
        } else {
            copy(size, d, a)
            asm.shift(.shl, size, d, imm: UInt8(truncatingIfNeeded: width &- position &- length))
            asm.shift(.sar, size, d, imm: UInt8(truncatingIfNeeded: width &- length))
        }
    }

    mutating func deposit(_ s: StepPointer, _ op: OpPointer) {
        let size = op.pointee.type.operandSize
        let width = size == .qword ? 64 : 32
        let position = UInt8(truncatingIfNeeded: op.pointee.fieldPosition)
        let length = op.pointee.fieldLength
        let d = gpr(s.pointee.dst), a = gpr(s.pointee.a), b = gpr(s.pointee.b)
        if length == width { return copy(size, d, b) }
        // The field at the top of r11 is shifted in below what is left of a.
        asm.mov(size, .r11, b)
        asm.shift(.shl, size, .r11, imm: UInt8(truncatingIfNeeded: width &- length))
        if position != 0 { asm.rorx(size, d, a, imm: position) } else { copy(size, d, a) }
        asm.shift(.shr, size, d, imm: UInt8(truncatingIfNeeded: length))
        asm.shld(size, d, .r11, imm: UInt8(truncatingIfNeeded: length))
        if position != 0 { asm.shift(.rol, size, d, imm: position) }
    }

    // MARK: Width changes and register classes

    mutating func trunc(_ s: StepPointer, _ op: OpPointer) {
        let d = gpr(s.pointee.dst)
        if s.pointee.a == Place.memory {
            asm.mov(.dword, d, home(op.pointee.a))
        } else {
            copy(.dword, d, gpr(s.pointee.a))
        }
    }

    mutating func zext(_ s: StepPointer, _ op: OpPointer) {
        let d = gpr(s.pointee.dst)
        if s.pointee.a == Place.memory {
            asm.mov(.dword, d, home(op.pointee.a))
        } else {
            asm.mov(.dword, d, gpr(s.pointee.a))
        }
    }

    mutating func sext(_ s: StepPointer, _ op: OpPointer) {
        let d = gpr(s.pointee.dst)
        if s.pointee.a == Place.memory {
            asm.movsx(.qword, d, .dword, home(op.pointee.a))
        } else {
            asm.movsx(.qword, d, .dword, gpr(s.pointee.a))
        }
    }

    mutating func bitcast(_ s: StepPointer, _ op: OpPointer) {
        let size: OperandSize = op.pointee.type.size == 8 ? .qword : .dword
        if op.pointee.type.isInteger {
            let d = gpr(s.pointee.dst)
            if s.pointee.a == Place.memory {
                asm.mov(size, d, home(op.pointee.a))
            } else {
                asm.vmov(size, d, xmm(s.pointee.a))
            }
            return
        }
        let d = xmm(s.pointee.dst)
        switch s.pointee.a {
        case Place.memory: asm.vmov(op.pointee.type.vectorMove, d, home(op.pointee.a))
        case Place.constant:
            let value = value(op.pointee.a)
            if value == 0 {
                asm.rvm(.vxor(.ps), d, d, d)
            } else {
                asm.mov(.r11, imm: size == .qword ? value : Int64(UInt32(truncatingIfNeeded: value)))
                asm.vmov(size, d, .r11)
            }
        default: asm.vmov(size, d, gpr(s.pointee.a))
        }
    }
}

extension OperandSize {
    /// The size of so many bits, below 64.
    @inline(__always) init?(bits: Int) {
        switch bits {
        case 8: self = .byte
        case 16: self = .word
        case 32: self = .dword
        default: return nil
        }
    }
}
