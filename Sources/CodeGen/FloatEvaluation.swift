// Floating-point ops evaluated by SoftFloat: what the interpreter does, and a host for the cases its own FPU cannot do exactly.

import IR
import SoftFloat

/// One op's meaning without its operands, in 64 bits, so that generated code can name it as a constant.
///
///     bits 0-7 opcode, 8-15 type, 16-31 aux, 32-39 type of the result, 40-47 type of operand a, 48-55 rules
public struct FloatOperation: Sendable {
    public let word: UInt64
    @inlinable public init(word: UInt64) { self.word = word }

    public init(_ op: Op, result: ValueType, operand: ValueType, rules: FloatRules) {
        word =
            UInt64(op.opcode.rawValue) | UInt64(op.type.rawValue) &<< 8 | UInt64(op.aux) &<< 16
            | UInt64(result.rawValue) &<< 32 | UInt64(operand.rawValue) &<< 40 | UInt64(rules.byte) &<< 48
    }

    private var op: Op {
        Op(
            Opcode(rawValue: UInt8(truncatingIfNeeded: word)) ?? .fadd,
            ValueType(rawValue: UInt8(truncatingIfNeeded: word &>> 8)) ?? .f64,
            aux: UInt16(truncatingIfNeeded: word &>> 16))
    }
    private var result: ValueType { ValueType(rawValue: UInt8(truncatingIfNeeded: word &>> 32)) ?? .f64 }
    private var operand: ValueType { ValueType(rawValue: UInt8(truncatingIfNeeded: word &>> 40)) ?? .f64 }

    /// The result's bits. `dynamic`: the current rounding mode, 0...4. Raised flags are added to `flags` in the numbering of the IR.
    public func evaluate(_ a: UInt64, _ b: UInt64, _ c: UInt64, dynamic: UInt32, flags: inout UInt32) -> UInt64 {
        FloatEvaluation(
            op: op, isWideResult: result == .i64, isWideOperand: operand == .i64,
            rules: FloatRules(byte: UInt8(truncatingIfNeeded: word &>> 48))
        )
        .evaluate(a, b, c, dynamic: dynamic, flags: &flags)
    }
}

/// One op with what its result depends on besides its operands.
public struct FloatEvaluation {
    let op: Op
    /// Of the integers that it converts to or from: 64 bits.
    let isWideResult: Bool
    let isWideOperand: Bool
    let rules: FloatRules

    public init(op: Op, isWideResult: Bool, isWideOperand: Bool, rules: FloatRules) {
        self.op = op
        self.isWideResult = isWideResult
        self.isWideOperand = isWideOperand
        self.rules = rules
    }

    /// As `FloatOperation.evaluate`.
    public func evaluate(_ a: UInt64, _ b: UInt64, _ c: UInt64, dynamic: UInt32, flags: inout UInt32) -> UInt64 {
        let mode = op.rounding == .dynamic ? UInt8(truncatingIfNeeded: dynamic) : op.rounding.rawValue
        var status = Status(rounding: RoundingMode(rawValue: mode) ?? .nearestEven, rules)
        let result =
            op.opcode == .fcvt
            ? convert(a, &status)
            : op.type == .f64
                ? evaluate(Binary64.self, a, b, c, &status)
                : evaluate(Binary32.self, a, UInt32(truncatingIfNeeded: b), UInt32(truncatingIfNeeded: c), &status)
        flags |= UInt32(status.flags.rawValue)
        return result
    }

    /// `wide` is operand a, an integer for `itof`.
    private func evaluate<F: BinaryFormat>(
        _: F.Type, _ wide: UInt64, _ b: F.Bits, _ c: F.Bits, _ s: inout Status
    ) -> UInt64 {
        let a = F.Bits(truncatingIfNeeded: wide)
        switch op.opcode {
        case .fadd: return UInt64(F.add(a, b, &s))
        case .fsub: return UInt64(F.subtract(a, b, &s))
        case .fmul: return UInt64(F.multiply(a, b, &s))
        case .fdiv: return UInt64(F.divide(a, b, &s))
        case .fsqrt: return UInt64(F.squareRoot(a, &s))
        case .fma:
            return UInt64(
                F.fusedMultiplyAdd(a, b, c, negateProduct: op.negatesProduct, negateAddend: op.negatesAddend, &s))
        case .fmin: return UInt64(F.minimumNumber(a, b, &s))
        case .fmax: return UInt64(F.maximumNumber(a, b, &s))
        case .fminimum: return UInt64(F.minimum(a, b, &s))
        case .fmaximum: return UInt64(F.maximum(a, b, &s))
        case .fround: return UInt64(F.roundToIntegral(a, raisesInexact: op.raisesInexact, &s))
        case .ftoi:
            switch (isWideResult, op.isUnsigned) {
            case (false, false): return UInt64(bitPattern: Int64(F.toInt32(a, &s)))
            case (false, true): return UInt64(F.toUInt32(a, &s))
            case (true, false): return UInt64(bitPattern: F.toInt64(a, &s))
            case (true, true): return F.toUInt64(a, &s)
            }
        case .itof:
            switch (isWideOperand, op.isUnsigned) {
            case (false, false): return UInt64(F.from(Int32(truncatingIfNeeded: wide), &s))
            case (false, true): return UInt64(F.from(UInt32(truncatingIfNeeded: wide), &s))
            case (true, false): return UInt64(F.from(Int64(bitPattern: wide), &s))
            case (true, true): return UInt64(F.from(wide, &s))
            }
        default: return 0  // hosts ask for no other op
        }
    }

    private func convert(_ a: UInt64, _ s: inout Status) -> UInt64 {
        switch op.sourceFormat {
        case .binary16: convert(Binary16.self, UInt16(truncatingIfNeeded: a), &s)
        case .binary32: convert(Binary32.self, UInt32(truncatingIfNeeded: a), &s)
        case .binary64: convert(Binary64.self, a, &s)
        }
    }

    private func convert<F: BinaryFormat>(_: F.Type, _ a: F.Bits, _ s: inout Status) -> UInt64 {
        switch op.targetFormat {
        case .binary16: UInt64(F.toBinary16(a, &s))
        case .binary32: UInt64(F.toBinary32(a, &s))
        case .binary64: F.toBinary64(a, &s)
        }
    }
}
