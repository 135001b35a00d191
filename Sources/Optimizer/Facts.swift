// What is known about a value's bits, whatever the path that made it: the algebra behind the removal of extensions,
// masks and comparisons.
//
// An i32 is described as the 64-bit word that is its sign extension; an f64 by its bit pattern; of an f32 nothing is
// known.

import IR

struct Facts: Equatable {
    /// Bits known to be 0, and bits known to be 1.
    var zeros: UInt64
    var ones: UInt64
    /// The value is the sign extension of its low `width` bits (1...64).
    var width: UInt64

    static let unknown = Facts(zeros: 0, ones: 0, width: 64)
    static let bool = Facts(zeros: ~1, ones: 0, width: 2)

    @inline(__always) init(zeros: UInt64, ones: UInt64, width: UInt64) {
        self.zeros = zeros
        self.ones = ones
        self.width = width
    }

    @inline(__always) init(constant: UInt64) {
        zeros = ~constant
        ones = constant
        let sign = UInt64(bitPattern: Int64(bitPattern: constant) &>> 63)
        width = 65 &- UInt64(truncatingIfNeeded: (constant ^ sign).leadingZeroBitCount)
    }

    /// Nothing but what a type says.
    @inline(__always) init(type: ValueType) { self = Facts(zeros: 0, ones: 0, width: type == .i32 ? 32 : 64) }

    /// Zero-extended from `bits` bits, 1...64.
    @inline(__always) init(unsigned bits: UInt64) {
        zeros = bits >= 64 ? 0 : UInt64.max &<< bits
        ones = 0
        width = min(bits &+ 1, 64)
    }
    /// Sign-extended from `bits` bits, 1...64.
    @inline(__always) init(signed bits: UInt64) { self = Facts(zeros: 0, ones: 0, width: bits) }

    @inline(__always) var isConstant: Bool { zeros | ones == .max }

    /// How many of the top bits are known to be 0.
    @inline(__always) var leadingZeros: UInt64 { UInt64(truncatingIfNeeded: (~zeros).leadingZeroBitCount) }
    /// How many of the low bits are known to be 0.
    @inline(__always) var trailingZeros: UInt64 { UInt64(truncatingIfNeeded: (~zeros).trailingZeroBitCount) }
    @inline(__always) var isNotNegative: Bool { zeros &>> 63 != 0 }

    // The unsigned and signed ranges.
    var unsignedMin: UInt64 { ones }
    var unsignedMax: UInt64 { ~zeros }
    var signedMin: Int64 {
        let byBits = Int64(bitPattern: ones | (isNotNegative ? 0 : 1 &<< 63))
        return max(byBits, Int64.min &>> Int64(bitPattern: 64 &- width))
    }
    var signedMax: Int64 {
        let byBits = Int64(bitPattern: ~zeros & (ones &>> 63 != 0 ? .max : .max &>> 1))
        return min(byBits, Int64.max &>> Int64(bitPattern: 64 &- width))
    }

    /// Lets width and bits tell each other what they know.
    @inline(__always) func refined() -> Facts {
        var f = self
        f.width = min(width, 65 &- max(leadingZeros, UInt64(truncatingIfNeeded: (~ones).leadingZeroBitCount), 1))
        let upper = UInt64.max &<< (f.width &- 1)
        let sign = 1 as UInt64 &<< (f.width &- 1)
        if zeros & sign != 0 { f.zeros |= upper } else if ones & sign != 0 { f.ones |= upper }
        return f
    }

    /// The facts of the low 32 bits, sign-extended.
    @inline(__always) var low32: Facts {
        Facts(
            zeros: UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: zeros))),
            ones: UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: ones))), width: min(width, 32))
    }

    /// True for one of two values.
    @inline(__always) func met(_ other: Facts) -> Facts {
        Facts(zeros: zeros & other.zeros, ones: ones & other.ones, width: max(width, other.width))
    }
}

/// The low `length` bits, 1...64.
@inline(__always) func lowMask(_ length: UInt64) -> UInt64 { UInt64.max &>> (64 &- length) }

/// What is known of the result of an op (one without effects, or a load), from what is known of its sources.
func transfer(_ op: Op, result: ValueType, _ a: Facts, _ b: Facts, _ c: Facts, _ d: Facts) -> Facts {
    let facts = wide(op, a, b, c, d)
    if result == .i64 || result == .f64 { return facts.refined() }
    return result == .i32 ? facts.low32.refined() : .unknown
}

/// As if the result had 64 bits; that of an i32 op is right in its low 32.
@inline(__always)
private func wide(_ op: Op, _ a: Facts, _ b: Facts, _ c: Facts, _ d: Facts) -> Facts {
    let widest = max(a.width, b.width)
    switch op.opcode {
    case .mov, .sext, .trunc: return a
    // An f32's word is not known; 64 bits are the same in both classes.
    case .bitcast: return op.type == .i64 || op.type == .f64 ? a : .unknown
    case .zext: return Facts(zeros: a.zeros & 0xffff_ffff | ~0xffff_ffff, ones: a.ones & 0xffff_ffff, width: 64)
    case .and: return Facts(zeros: a.zeros | b.zeros, ones: a.ones & b.ones, width: widest)
    case .or: return Facts(zeros: a.zeros & b.zeros, ones: a.ones | b.ones, width: widest)
    case .xor, .eqv:
        let same = a.zeros & b.zeros | a.ones & b.ones
        let differ = a.zeros & b.ones | a.ones & b.zeros
        return Facts(
            zeros: op.opcode == .xor ? same : differ, ones: op.opcode == .xor ? differ : same, width: widest)
    case .andc: return Facts(zeros: a.zeros | b.ones, ones: a.ones & b.zeros, width: widest)
    case .orc: return Facts(zeros: a.zeros & b.ones, ones: a.ones | b.zeros, width: widest)
    case .not: return Facts(zeros: a.ones, ones: a.zeros, width: a.width)
    case .shl, .shr, .sar: return shift(op, a, b)
    case .rotl, .rotr, .clmul, .mulhu, .mulhs, .bswap: return .unknown
    case .clz, .ctz, .popcnt: return Facts(unsigned: 7)
    case .extract:
        let mask = lowMask(UInt64(truncatingIfNeeded: op.fieldLength))
        let position = UInt64(truncatingIfNeeded: op.fieldPosition)
        return Facts(zeros: a.zeros &>> position & mask | ~mask, ones: a.ones &>> position & mask, width: 64)
    case .sextract:
        let length = UInt64(truncatingIfNeeded: op.fieldLength)
        let position = UInt64(truncatingIfNeeded: op.fieldPosition)
        let up = Int64(bitPattern: 64 &- length)
        let zeros = (Int64(bitPattern: a.zeros &>> position) &<< up) &>> up
        let ones = (Int64(bitPattern: a.ones &>> position) &<< up) &>> up
        let left = a.width > position ? a.width &- position : 1
        return Facts(zeros: UInt64(bitPattern: zeros), ones: UInt64(bitPattern: ones), width: min(length, left))
    case .deposit:
        let mask = lowMask(UInt64(truncatingIfNeeded: op.fieldLength))
        let position = UInt64(truncatingIfNeeded: op.fieldPosition)
        let field = mask &<< position
        return Facts(
            zeros: a.zeros & ~field | (b.zeros & mask) &<< position,
            ones: a.ones & ~field | (b.ones & mask) &<< position, width: 64)
    case .add:
        // Without a carry into the top bits, one of their zeros stays less; low zeros stay.
        let top = min(a.leadingZeros, b.leadingZeros)
        let low = min(a.trailingZeros, b.trailingZeros, 63)
        let high = op.type == .i64 && top > 1 ? ~(UInt64.max &>> (top &- 1)) : 0
        return Facts(zeros: high | ~(UInt64.max &<< low), ones: 0, width: min(widest &+ 1, 64))
    case .sub, .neg:
        let low = op.opcode == .neg ? a.trailingZeros : min(a.trailingZeros, b.trailingZeros)
        let width = op.opcode == .neg ? a.width : widest
        return Facts(zeros: ~(UInt64.max &<< min(low, 63)), ones: 0, width: min(width &+ 1, 64))
    case .mul:
        let low = min(a.trailingZeros &+ b.trailingZeros, 63)
        let top = a.leadingZeros &+ b.leadingZeros
        let high = op.type == .i64 && top > 64 ? ~(UInt64.max &>> (top &- 64)) : 0
        return Facts(zeros: high | ~(UInt64.max &<< low), ones: 0, width: min(a.width &+ b.width, 64))
    case .divu, .remu:
        let top = a.leadingZeros
        return op.type == .i64 && top > 0 ? Facts(unsigned: max(64 &- top, 1)) : .unknown
    case .divs: return Facts(signed: min(a.width &+ 1, 64))
    case .rems: return Facts(signed: a.width)
    case .setcond, .fsetcond: return .bool
    case .select: return c.met(d)
    case .ld, .gld, .grmw, .gcas: return memory(op)
    case .delta: return Facts(zeros: 4095, ones: 0, width: 64)
    case .fpGetFlags: return Facts(unsigned: 5)
    case .boxf: return Facts(zeros: 0, ones: .max &<< (op.targetFormat == .binary16 ? 16 : 32), width: 64)
    default: return .unknown
    }
}

private func memory(_ op: Op) -> Facts {
    let m = op.memOp
    let bits = UInt64(truncatingIfNeeded: 8 &* m.size)
    if op.type.isFloat || bits >= 64 { return .unknown }
    return m.isSigned ? Facts(signed: bits) : Facts(unsigned: bits)
}

private func shift(_ op: Op, _ a: Facts, _ b: Facts) -> Facts {
    let isWide = op.type == .i64
    guard b.isConstant else {
        switch op.opcode {
        case .sar: return Facts(zeros: a.isNotNegative ? 1 &<< 63 : 0, ones: 0, width: a.width)
        case .shr where isWide:
            let top = min(a.leadingZeros, 63)
            return Facts(zeros: ~(UInt64.max &>> top), ones: 0, width: 64)
        default: return Facts(type: op.type)
        }
    }
    let n = b.ones & (isWide ? 63 : 31)
    switch op.opcode {
    case .shl:
        return Facts(zeros: a.zeros &<< n | ~(UInt64.max &<< n), ones: a.ones &<< n, width: min(a.width &+ n, 64))
    case .shr where isWide:
        return Facts(zeros: a.zeros &>> n | ~(UInt64.max &>> n), ones: a.ones &>> n, width: n == 0 ? a.width : 64)
    case .shr:
        let zeros = (a.zeros & 0xffff_ffff) &>> n | ~((0xffff_ffff as UInt64) &>> n)
        return Facts(zeros: zeros, ones: (a.ones & 0xffff_ffff) &>> n, width: n == 0 ? a.width : 64)
    default:
        return Facts(
            zeros: UInt64(bitPattern: Int64(bitPattern: a.zeros) &>> Int64(bitPattern: n)),
            ones: UInt64(bitPattern: Int64(bitPattern: a.ones) &>> Int64(bitPattern: n)),
            width: a.width > n ? a.width &- n : 1)
    }
}

extension Condition {
    /// What the comparison of two such values gives, when that is certain.
    func decided(_ a: Facts, _ b: Facts) -> Bool? {
        switch self {
        case .eq, .ne:
            if a.isConstant && b.isConstant { return (a.ones == b.ones) == (self == .eq) }
            return a.ones & b.zeros | a.zeros & b.ones != 0 ? self == .ne : nil
        case .tsteq, .tstne:
            if a.zeros | b.zeros == .max { return self == .tsteq }
            return a.ones & b.ones != 0 ? self == .tstne : nil
        case .ltu: return a.unsignedMax < b.unsignedMin ? true : a.unsignedMin >= b.unsignedMax ? false : nil
        case .geu: return Condition.ltu.decided(a, b).map { !$0 }
        case .gtu: return Condition.ltu.decided(b, a)
        case .leu: return Condition.ltu.decided(b, a).map { !$0 }
        case .lt: return a.signedMax < b.signedMin ? true : a.signedMin >= b.signedMax ? false : nil
        case .ge: return Condition.lt.decided(a, b).map { !$0 }
        case .gt: return Condition.lt.decided(b, a)
        case .le: return Condition.lt.decided(b, a).map { !$0 }
        }
    }
}
