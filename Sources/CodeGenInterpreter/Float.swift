// Floating point by SoftFloat. The flags accrue in the header and the dynamic rounding mode is there; every NaN result
// is the positive quiet NaN without payload.

import CodeGen
import IR
import SoftFloat

extension Machine {
    /// The environment of an op.
    @inline(__always)
    func status(_ op: Op) -> Status {
        let mode = op.rounding == .dynamic ? UInt8(truncatingIfNeeded: header.pointee.fpRounding) : op.rounding.rawValue
        return Status(rounding: RoundingMode(rawValue: mode) ?? .nearestEven)
    }

    @inline(__always)
    func accrue(_ status: Status) { header.pointee.fpFlags |= UInt32(status.flags.rawValue) }

    @inline(__always)
    func narrow(_ operand: Temp) -> UInt32 { UInt32(truncatingIfNeeded: get(operand)) }

    func signMask(_ type: ValueType) -> UInt64 { type == .f64 ? 1 << 63 : 1 << 31 }

    // MARK: Arithmetic

    @inline(__always)
    mutating func float(
        _ i: Instruction, _ single: (UInt32, UInt32, inout Status) -> UInt32,
        _ double: (UInt64, UInt64, inout Status) -> UInt64
    ) {
        var s = status(i.op)
        if i.op.type == .f64 {
            put(i, double(get(i.op.a), get(i.op.b), &s))
        } else {
            put(i, UInt64(single(narrow(i.op.a), narrow(i.op.b), &s)))
        }
        accrue(s)
    }

    @inline(__always)
    mutating func float(
        _ i: Instruction, _ single: (UInt32, inout Status) -> UInt32, _ double: (UInt64, inout Status) -> UInt64
    ) {
        var s = status(i.op)
        put(i, i.op.type == .f64 ? double(get(i.op.a), &s) : UInt64(single(narrow(i.op.a), &s)))
        accrue(s)
    }

    mutating func multiplyAdd(_ i: Instruction) {
        var s = status(i.op)
        let product = i.op.negatesProduct
        let addend = i.op.negatesAddend
        if i.op.type == .f64 {
            put(
                i,
                Binary64.fusedMultiplyAdd(
                    get(i.op.a), get(i.op.b), get(i.op.c), negateProduct: product, negateAddend: addend, &s))
        } else {
            put(
                i,
                UInt64(
                    Binary32.fusedMultiplyAdd(
                        narrow(i.op.a), narrow(i.op.b), narrow(i.op.c), negateProduct: product, negateAddend: addend, &s
                    )))
        }
        accrue(s)
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

    mutating func roundToIntegral(_ i: Instruction) {
        let raisesInexact = i.op.raisesInexact
        float(
            i, { Binary32.roundToIntegral($0, raisesInexact: raisesInexact, &$1) },
            { Binary64.roundToIntegral($0, raisesInexact: raisesInexact, &$1) })
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
        if !condition.isSilent { accrue(s) }
    }

    // MARK: Conversion

    mutating func convertFormat(_ i: Instruction) {
        var s = status(i.op)
        let a = get(i.op.a)
        let to = i.op.targetFormat
        let result =
            switch i.op.sourceFormat {
            case .binary16: to.convert(Binary16.self, UInt16(truncatingIfNeeded: a), &s)
            case .binary32: to.convert(Binary32.self, UInt32(truncatingIfNeeded: a), &s)
            case .binary64: to.convert(Binary64.self, a, &s)
            }
        put(i, result)
        accrue(s)
    }

    mutating func convertToInteger(_ i: Instruction) {
        var s = status(i.op)
        let isWide = i.resultType == .i64
        let result =
            i.op.type == .f64
            ? integer(Binary64.self, get(i.op.a), isWide: isWide, isUnsigned: i.op.isUnsigned, &s)
            : integer(Binary32.self, narrow(i.op.a), isWide: isWide, isUnsigned: i.op.isUnsigned, &s)
        put(i, result)
        accrue(s)
    }

    mutating func convertFromInteger(_ i: Instruction) {
        var s = status(i.op)
        let isWide = i.sourceType == .i64
        let result =
            i.op.type == .f64
            ? float(Binary64.self, get(i.op.a), isWide: isWide, isUnsigned: i.op.isUnsigned, &s)
            : UInt64(float(Binary32.self, get(i.op.a), isWide: isWide, isUnsigned: i.op.isUnsigned, &s))
        put(i, result)
        accrue(s)
    }

    private func integer<F: BinaryFormat>(
        _: F.Type, _ a: F.Bits, isWide: Bool, isUnsigned: Bool, _ s: inout Status
    ) -> UInt64 {
        switch (isWide, isUnsigned) {
        case (false, false): UInt64(bitPattern: Int64(F.toInt32(a, &s)))
        case (false, true): UInt64(F.toUInt32(a, &s))
        case (true, false): UInt64(bitPattern: F.toInt64(a, &s))
        case (true, true): F.toUInt64(a, &s)
        }
    }

    private func float<F: BinaryFormat>(
        _: F.Type, _ a: UInt64, isWide: Bool, isUnsigned: Bool, _ s: inout Status
    ) -> F.Bits {
        switch (isWide, isUnsigned) {
        case (false, false): F.from(Int32(truncatingIfNeeded: a), &s)
        case (false, true): F.from(UInt32(truncatingIfNeeded: a), &s)
        case (true, false): F.from(Int64(bitPattern: a), &s)
        case (true, true): F.from(a, &s)
        }
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
        put(i, isBoxed ? a & mask : format == .binary16 ? UInt64(Binary16.canonicalNaN) : UInt64(Binary32.canonicalNaN))
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

    /// `a` in this format.
    fileprivate func convert<F: BinaryFormat>(_: F.Type, _ a: F.Bits, _ s: inout Status) -> UInt64 {
        switch self {
        case .binary16: UInt64(F.toBinary16(a, &s))
        case .binary32: UInt64(F.toBinary32(a, &s))
        case .binary64: F.toBinary64(a, &s)
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
