// The value of an integer op on constants. Words in, word out; an i32 is its sign extension, before and after.

import IR

/// The op's result on these words; nil when the op is not one of integers alone, or when it has no value for them.
func fold(_ op: Op, result: ValueType, _ a: UInt64, _ b: UInt64) -> UInt64? {
    let value: UInt64?
    switch op.opcode {
    case .setcond: value = op.condition.holds(a, b) ? 1 : 0
    case .trunc, .sext: value = a
    case .zext: value = a & 0xffff_ffff
    case .extract: value = a &>> UInt64(op.fieldPosition) & lowMask(UInt64(op.fieldLength))
    case .sextract:
        let up = Int64(64 &- op.fieldLength)
        value = UInt64(bitPattern: (Int64(bitPattern: a &>> UInt64(op.fieldPosition)) &<< up) &>> up)
    case .deposit:
        let position = UInt64(op.fieldPosition)
        let field = lowMask(UInt64(op.fieldLength)) &<< position
        value = a & ~field | b &<< position & field
    default:
        if op.type == .i64 {
            value = compute(op.opcode, a, b)
        } else if op.type == .i32 {
            value = compute(op.opcode, UInt32(truncatingIfNeeded: a), UInt32(truncatingIfNeeded: b)).map { UInt64($0) }
        } else {
            value = nil
        }
    }
    guard let value else { return nil }
    return result == .i32 ? UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: value))) : value
}

/// Ops that are the same for both widths.
private func compute<T: FixedWidthInteger & UnsignedInteger>(_ opcode: Opcode, _ a: T, _ b: T) -> T? {
    switch opcode {
    case .and: return a & b
    case .or: return a | b
    case .xor: return a ^ b
    case .andc: return a & ~b
    case .orc: return a | ~b
    case .eqv: return ~(a ^ b)
    case .not: return ~a
    case .shl: return a &<< b
    case .shr: return a &>> b
    case .sar: return T(truncatingIfNeeded: signed(a) &>> (signed(b) & Int64(T.bitWidth - 1)))
    case .rotl: return a &<< b | a &>> (0 &- b)
    case .rotr: return a &>> b | a &<< (0 &- b)
    case .clz: return T(truncatingIfNeeded: a.leadingZeroBitCount)
    case .ctz: return T(truncatingIfNeeded: a.trailingZeroBitCount)
    case .popcnt: return T(truncatingIfNeeded: a.nonzeroBitCount)
    case .bswap: return a.byteSwapped
    case .add: return a &+ b
    case .sub: return a &- b
    case .neg: return 0 &- a
    case .mul: return a &* b
    case .mulhu: return a.multipliedFullWidth(by: b).high
    case .mulhs:
        // signed(a) * b == unsigned(a) * b - (a < 0 ? b << width : 0), and so for b
        let high = a.multipliedFullWidth(by: b).high
        return high &- (signed(a) < 0 ? b : 0) &- (signed(b) < 0 ? a : 0)
    // Division has no value by zero, signed division none when it overflows.
    case .divu: return b == 0 ? nil : a / b
    case .remu: return b == 0 ? nil : a % b
    case .divs: return b == 0 || b == .max ? nil : T(truncatingIfNeeded: signed(a) / signed(b))
    case .rems: return b == 0 || b == .max ? nil : T(truncatingIfNeeded: signed(a) % signed(b))
    case .clmul:
        var product: T = 0
        for bit in 0..<T.bitWidth where b &>> T(bit) & 1 != 0 { product ^= a &<< T(bit) }
        return product
    default: return nil
    }
}

/// The signed value of either width.
private func signed<T: FixedWidthInteger & UnsignedInteger>(_ a: T) -> Int64 {
    let unused = Int64(64 - T.bitWidth)
    return (Int64(truncatingIfNeeded: a) &<< unused) &>> unused
}
