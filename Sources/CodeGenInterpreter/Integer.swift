// Integer ops, once for both widths. Nothing here traps: counts are taken modulo the width, and divisions have a value
// for every operand (front ends keep the two bad cases away; what they give here is nobody's contract).

import IR

@inline(__always)
func sext32(_ value: UInt64) -> UInt64 { UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: value))) }

extension Machine {
    /// A two-operand op on the width of its type.
    @inline(__always)
    mutating func binary(
        _ i: Instruction, _ narrow: (UInt32, UInt32) -> UInt32, _ wide: (UInt64, UInt64) -> UInt64
    ) {
        let a = get(i.op.a)
        let b = get(i.op.b)
        let isWide = i.op.type == .i64
        put(i, isWide ? wide(a, b) : UInt64(narrow(UInt32(truncatingIfNeeded: a), UInt32(truncatingIfNeeded: b))))
    }

    @inline(__always)
    mutating func unary(_ i: Instruction, _ narrow: (UInt32) -> UInt32, _ wide: (UInt64) -> UInt64) {
        let a = get(i.op.a)
        put(i, i.op.type == .i64 ? wide(a) : UInt64(narrow(UInt32(truncatingIfNeeded: a))))
    }
}

/// The ops that Swift has no operator for.
enum Integer {
    static func andc<T: FixedWidthInteger>(_ a: T, _ b: T) -> T { a & ~b }
    static func orc<T: FixedWidthInteger>(_ a: T, _ b: T) -> T { a | ~b }
    static func eqv<T: FixedWidthInteger>(_ a: T, _ b: T) -> T { ~(a ^ b) }
    static func neg<T: FixedWidthInteger>(_ a: T) -> T { 0 &- a }

    static func sar(_ a: UInt32, _ b: UInt32) -> UInt32 {
        UInt32(bitPattern: Int32(bitPattern: a) &>> Int32(bitPattern: b))
    }
    static func sar(_ a: UInt64, _ b: UInt64) -> UInt64 {
        UInt64(bitPattern: Int64(bitPattern: a) &>> Int64(bitPattern: b))
    }
    static func rotl<T: FixedWidthInteger>(_ a: T, _ b: T) -> T { a &<< b | a &>> (0 &- b) }
    static func rotr<T: FixedWidthInteger>(_ a: T, _ b: T) -> T { a &>> b | a &<< (0 &- b) }

    static func clz<T: FixedWidthInteger>(_ a: T) -> T { T(truncatingIfNeeded: a.leadingZeroBitCount) }
    static func ctz<T: FixedWidthInteger>(_ a: T) -> T { T(truncatingIfNeeded: a.trailingZeroBitCount) }
    static func popcnt<T: FixedWidthInteger>(_ a: T) -> T { T(truncatingIfNeeded: a.nonzeroBitCount) }
    static func bswap<T: FixedWidthInteger>(_ a: T) -> T { a.byteSwapped }

    /// The low `length` bits, 1...64.
    private static func mask(_ length: Int) -> UInt64 { UInt64.max &>> UInt64(truncatingIfNeeded: 64 &- length) }

    static func extract(_ a: UInt64, _ position: Int, _ length: Int) -> UInt64 {
        (a &>> UInt64(truncatingIfNeeded: position)) & mask(length)
    }
    static func sextract(_ a: UInt64, _ position: Int, _ length: Int) -> UInt64 {
        let up = Int64(truncatingIfNeeded: 64 &- length)
        return UInt64(bitPattern: (Int64(bitPattern: extract(a, position, length)) &<< up) &>> up)
    }
    static func deposit(_ a: UInt64, _ b: UInt64, _ position: Int, _ length: Int) -> UInt64 {
        let field = mask(length) &<< UInt64(truncatingIfNeeded: position)
        return a & ~field | (b &<< UInt64(truncatingIfNeeded: position)) & field
    }

    static func mulhu<T: FixedWidthInteger & UnsignedInteger>(_ a: T, _ b: T) -> T { a.multipliedFullWidth(by: b).high }
    static func mulhs(_ a: UInt32, _ b: UInt32) -> UInt32 {
        UInt32(bitPattern: Int32(bitPattern: a).multipliedFullWidth(by: Int32(bitPattern: b)).high)
    }
    static func mulhs(_ a: UInt64, _ b: UInt64) -> UInt64 {
        UInt64(bitPattern: Int64(bitPattern: a).multipliedFullWidth(by: Int64(bitPattern: b)).high)
    }

    static func divu<T: FixedWidthInteger & UnsignedInteger>(_ a: T, _ b: T) -> T {
        a.dividedReportingOverflow(by: b).partialValue
    }
    static func remu<T: FixedWidthInteger & UnsignedInteger>(_ a: T, _ b: T) -> T {
        a.remainderReportingOverflow(dividingBy: b).partialValue
    }
    static func divs(_ a: UInt32, _ b: UInt32) -> UInt32 {
        UInt32(bitPattern: Int32(bitPattern: a).dividedReportingOverflow(by: Int32(bitPattern: b)).partialValue)
    }
    static func divs(_ a: UInt64, _ b: UInt64) -> UInt64 {
        UInt64(bitPattern: Int64(bitPattern: a).dividedReportingOverflow(by: Int64(bitPattern: b)).partialValue)
    }
    static func rems(_ a: UInt32, _ b: UInt32) -> UInt32 {
        UInt32(
            bitPattern: Int32(bitPattern: a).remainderReportingOverflow(dividingBy: Int32(bitPattern: b)).partialValue)
    }
    static func rems(_ a: UInt64, _ b: UInt64) -> UInt64 {
        UInt64(
            bitPattern: Int64(bitPattern: a).remainderReportingOverflow(dividingBy: Int64(bitPattern: b)).partialValue)
    }

    /// The low half of the carry-less product.
    static func clmul<T: FixedWidthInteger & UnsignedInteger>(_ a: T, _ b: T) -> T {
        var result: T = 0
        var rest = b
        while rest != 0 {
            result ^= a &<< T(truncatingIfNeeded: rest.trailingZeroBitCount)
            rest &= rest &- 1
        }
        return result
    }
}
