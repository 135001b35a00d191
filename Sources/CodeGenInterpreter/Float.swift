// Floating point by SoftFloat, by the guest's rules. The flags accrue in the header and the dynamic rounding mode is there.

import CodeGen
import IR
import SoftFloat

extension Machine {
    @inline(__always)
    private func narrow(_ operand: Temp) -> UInt32 { UInt32(truncatingIfNeeded: get(operand)) }

    func signMask(_ type: ValueType) -> UInt64 { type == .f64 ? 1 << 63 : 1 << 31 }

    /// Arithmetic and conversions.
    mutating func evaluateFloat(_ i: Instruction) {
        let op = i.op
        let evaluation = FloatEvaluation(
            op: op, isWideResult: i.resultType == .i64, isWideOperand: i.sourceType == .i64, rules: floatRules)
        let result = evaluation.evaluate(
            get(op.a), op.b.isNone ? 0 : get(op.b), op.c.isNone ? 0 : get(op.c), dynamic: header.pointee.fpRounding,
            flags: &header.pointee.fpFlags)
        put(i, result)
    }

    mutating func copySign(_ i: Instruction) {
        let mask = signMask(i.op.type)
        let a = get(i.op.a)
        let b = get(i.op.b)
        let sign =
            switch i.op.signOp {
            case .copy: b
            case .copyNegated: ~b
            case .xor: a ^ b
            }
        put(i, a & ~mask | sign & mask)
    }

    // MARK: Comparison

    mutating func compare(_ i: Instruction) {
        var s = Status()
        let condition = i.op.floatCondition
        let holds =
            i.op.type == .f64
            ? condition.holds(Binary64.self, get(i.op.a), get(i.op.b), &s)
            : condition.holds(Binary32.self, narrow(i.op.a), narrow(i.op.b), &s)
        put(i, holds ? 1 : 0)
        if !condition.isSilent { header.pointee.fpFlags |= UInt32(s.flags.rawValue) }
    }

    // MARK: NaN boxes

    mutating func box(_ i: Instruction) {
        let mask = i.op.targetFormat.valueMask
        put(i, get(i.op.a) & mask | ~mask)
    }

    mutating func unbox(_ i: Instruction) {
        let format = i.op.targetFormat
        let mask = format.valueMask
        let a = get(i.op.a)
        let isBoxed = a & ~mask == ~mask
        let rule = floatRules.nan
        let other = format == .binary16 ? UInt64(Binary16.defaultNaN(rule)) : UInt64(Binary32.defaultNaN(rule))
        put(i, isBoxed ? a & mask : other)
    }
}

extension FloatFormat {
    /// The bits of a value of this format.
    fileprivate var valueMask: UInt64 {
        switch self {
        case .binary16: 0xffff
        case .binary32: 0xffff_ffff
        case .binary64: .max
        }
    }
}

extension FloatCondition {
    fileprivate func holds<F: BinaryFormat>(_: F.Type, _ a: F.Bits, _ b: F.Bits, _ s: inout Status) -> Bool {
        switch self {
        case .eq, .eqSilent: F.isEqual(a, b, signaling: false, &s)
        case .lt, .ltSilent: F.isLess(a, b, signaling: false, &s)
        case .le, .leSilent: F.isLessOrEqual(a, b, signaling: false, &s)
        case .eqSignaling: F.isEqual(a, b, signaling: true, &s)
        case .ltSignaling: F.isLess(a, b, signaling: true, &s)
        case .leSignaling: F.isLessOrEqual(a, b, signaling: true, &s)
        }
    }
}
