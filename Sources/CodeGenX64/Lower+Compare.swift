// Compare, select and conditional branch. A compare and its consumer are one op, so flags never cross ops.

import CodeGen
import IR

extension Condition {
    /// The condition code after `cmp a, b` (or `test`).
    @inline(__always) var code: ConditionCode {
        switch self {
        case .eq, .tsteq: .e
        case .ne, .tstne: .ne
        case .lt: .l
        case .ge: .ge
        case .le: .le
        case .gt: .g
        case .ltu: .b
        case .geu: .ae
        case .leu: .be
        case .gtu: .a
        }
    }
    @inline(__always) var isTest: Bool { rawValue >= Condition.tsteq.rawValue }
}

extension Lowering {
    /// Sets the flags for a and b. (With zero as b, `test a, a` leaves the carry clear as `cmp` would.)
    mutating func compare(_ s: StepPointer, _ op: OpPointer, _ condition: Condition) {
        let size = op.pointee.type.operandSize
        let a = s.pointee.a, b = s.pointee.b
        let isTest = condition.isTest
        if isInFlags(s, op, condition, size) { return }
        flags = .none
        if b == Place.constant {
            let imm = imm32(op.pointee.b)
            if a == Place.memory {
                if isTest {
                    asm.test(size, home(op.pointee.a), imm: imm)
                } else {
                    asm.alu(.cmp, size, home(op.pointee.a), imm: imm)
                }
            } else if isTest {
                if imm >= 0, imm < 0x80 { asm.test(.byte, gpr(a), imm: imm) } else { asm.test(size, gpr(a), imm: imm) }
            } else if imm == 0 {
                asm.test(size, gpr(a), gpr(a))
            } else {
                asm.alu(.cmp, size, gpr(a), imm: imm)
            }
        } else if a == Place.memory {
            if isTest {
                asm.test(size, home(op.pointee.a), gpr(b))
            } else {
                asm.alu(.cmp, size, home(op.pointee.a), gpr(b))
            }
        } else if b == Place.memory {
            if isTest {
                asm.test(size, home(op.pointee.b), gpr(a))
            } else {
                asm.alu(.cmp, size, gpr(a), home(op.pointee.b))
            }
        } else {
            if isTest { asm.test(size, gpr(a), gpr(b)) } else { asm.alu(.cmp, size, gpr(a), gpr(b)) }
        }
    }

    /// Have the steps before left the flags of this comparison?
    private func isInFlags(_ s: StepPointer, _ op: OpPointer, _ condition: Condition, _ size: OperandSize) -> Bool {
        guard flags.register != 255, flags.size == size else { return false }
        switch condition {
        case .eq, .ne:
            return s.pointee.b == Place.constant && value(op.pointee.b) == 0 && s.pointee.a == flags.register
        case .tsteq, .tstne: return op.pointee.a == flags.x && op.pointee.b == flags.y
        default: return false
        }
    }

    mutating func setcond(_ s: StepPointer, _ op: OpPointer) {
        let condition = op.pointee.condition
        let d = gpr(s.pointee.dst)
        if s.pointee.dst != s.pointee.a, s.pointee.dst != s.pointee.b {
            asm.zero(d)
            compare(s, op, condition)
            asm.set(condition.code, d)
        } else {
            compare(s, op, condition)
            asm.set(condition.code, d)
            asm.movzx(d, .byte, d)
        }
    }

    mutating func select(_ s: StepPointer, _ op: OpPointer) {
        let condition = op.pointee.condition
        compare(s, op, condition)
        let type = temps[op.pointee.dst.i].type
        if type.isFloat { return selectFloat(s, op, condition.code, type) }
        let size = type.operandSize
        let d = gpr(s.pointee.dst)
        // From here on a and b are done; moves leave the flags alone.
        if s.pointee.c == s.pointee.dst {
            conditionalMove(condition.code.inverted, size, d, s.pointee.d, op.pointee.d)
        } else {
            if s.pointee.d == Place.memory {
                asm.mov(size, d, home(op.pointee.d))
            } else {
                copy(size, d, gpr(s.pointee.d))
            }
            conditionalMove(condition.code, size, d, s.pointee.c, op.pointee.c)
        }
    }

    private mutating func conditionalMove(
        _ code: ConditionCode, _ size: OperandSize, _ d: GPR, _ place: UInt8, _ t: Temp
    ) {
        if place == Place.memory {
            asm.binary(.cmov(code), size, d, home(t))
        } else {
            asm.binary(.cmov(code), size, d, gpr(place))
        }
    }

    private mutating func selectFloat(_ s: StepPointer, _ op: OpPointer, _ code: ConditionCode, _ type: ValueType) {
        let d = s.pointee.dst
        if s.pointee.c == d {
            let over = asm.jccShort(code)
            moveFloat(d, s.pointee.d, op.pointee.d, type)
            asm.land(over)
        } else {
            moveFloat(d, s.pointee.d, op.pointee.d, type)
            let over = asm.jccShort(code.inverted)
            moveFloat(d, s.pointee.c, op.pointee.c, type)
            asm.land(over)
        }
    }

    private mutating func moveFloat(_ d: UInt8, _ place: UInt8, _ t: Temp, _ type: ValueType) {
        if place == Place.memory { load(d, t) } else { move(d, place, type) }
    }

    mutating func brcond(_ s: StepPointer, _ op: OpPointer, _ end: StepPointer) {
        let condition = op.pointee.condition
        let endsRegion = isFlat && isFollowedByJumps(s, end)
        if endsRegion { countJump(header.directJumps) }
        compare(s, op, condition)
        if endsRegion {
            // Each way has a jump that is patched; no way jumps over the other's.
            openSlot(ops + Int(s[2].index), asm.patchableJump(condition.code))
            openSlot(ops + Int(s[4].index), asm.patchableJump())
            stepsTaken = 4
            return
        }
        let taken = s.pointee.label, other = s.pointee.label2
        if follows(taken, s, end) {
            asm.jcc(condition.code.inverted, Label(index: Int32(truncatingIfNeeded: other)))
        } else {
            asm.jcc(condition.code, Label(index: Int32(truncatingIfNeeded: taken)))
            if !follows(other, s, end) { asm.jmp(Label(index: Int32(truncatingIfNeeded: other))) }
        }
    }

    /// The branch's two ways follow it, the taken one first, and both are chained jumps.
    private func isFollowedByJumps(_ s: StepPointer, _ end: StepPointer) -> Bool {
        func isJump(_ step: StepPointer, _ label: UInt32) -> Bool {
            step[0].kind == .label && step[0].label == label && step[1].kind == .op
                && ops[Int(step[1].index)].opcode == .gotoTB
        }
        return end - s == 5 && isJump(s + 1, s.pointee.label) && isJump(s + 3, s.pointee.label2)
    }
}
