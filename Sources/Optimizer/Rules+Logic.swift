// Rules of logic, shifts and bit fields. `w` is the width of the op's type.

import IR

extension Propagation {
    // MARK: Logic

    mutating func and(_ op: inout Op) -> Bool {
        // x & x == x
        if a == b { return become(&op, op.a) }
        let x = values[Int(a)]
        if isConstant(b) {
            let mask = word(b)
            // x & m == x when m has every bit that x can have
            if ~mask & ~x.facts.zeros == 0 { return become(&op, op.a) }
            if x.key != Value.opaque, x.is(.and, op.type) || x.is(.or, op.type) || x.is(.xor, op.type), isConstant(x.b)
            {
                let inner = word(x.b)
                // (x & c) & m == x & (c & m)
                if x.is(.and, op.type) { return become(&op, .and, x.a, constant: inner & mask) }
                // (x | c) & m == (x ^ c) & m == x & m when c and m have no bit in common
                if inner & mask == 0 { return become(&op, .and, x.a, constant: mask) }
            }
            if op.type == .i64 { return maskedField(&op, x, mask) }
            return false
        }
        // x & ~y == andc(x, y)
        if isOp(b, .not, op.type) { return become(&op, .andc, a, values[Int(b)].a) }
        return x.is(.not, op.type) && become(&op, .andc, b, x.a)
    }

    /// A 64-bit value under a constant mask.
    private func maskedField(_ op: inout Op, _ x: Value, _ mask: UInt64) -> Bool {
        if x.is(.extract, .i64) || x.is(.sextract, .i64) {
            let length = x.imm &>> 8
            // field(x, 0, n) & m == x & m when m has no bit above n
            if x.imm & 0xff == 0, length < 64, mask &>> UInt64(length) == 0 {
                let n = name(x.a)
                if n.isNone { return false }
                op.a = n
                return true
            }
        }
        // A mask of low ones
        guard mask & (mask &+ 1) == 0, mask != 0 else { return false }
        let length = 64 &- mask.leadingZeroBitCount
        // (x >> k) & (2^n - 1) == extract(x, k, n)
        if x.is(.shr, .i64), isConstant(x.b) {
            let k = Int(word(x.b) & 63)
            return become(&op, .extract, x.a, field: k, min(length, 64 &- k))
        }
        // x & (2^n - 1) == extract(x, 0, n), where an instruction has no such constant
        if length < 32 || length == 64 { return false }
        op = Op(.extract, .i64, dst: op.dst, a: op.a, imm: Int64(length &<< 8))
        return true
    }

    mutating func or(_ op: inout Op) -> Bool {
        // x | x == x
        if a == b { return become(&op, op.a) }
        let x = values[Int(a)]
        if isConstant(b) {
            let bits = word(b)
            // x | c == x when x has every bit of c
            if bits & ~x.facts.ones == 0 { return become(&op, op.a) }
            // (x | c) | d == x | (c | d)
            return x.is(.or, op.type) && isConstant(x.b) && become(&op, .or, x.a, constant: word(x.b) | bits)
        }
        if op.type == .i64, joined(&op) { return true }
        // x | ~y == orc(x, y)
        if isOp(b, .not, op.type) { return become(&op, .orc, a, values[Int(b)].a) }
        return x.is(.not, op.type) && become(&op, .orc, b, x.a)
    }

    /// (x & c) | (x & d) == x & (c | d), where that is x or its low bits
    private mutating func joined(_ op: inout Op) -> Bool {
        let (x, c) = bits(a)
        if c == 0 { return false }
        let (y, d) = bits(b)
        if x != y || d == 0 { return false }
        let mask = c | d
        if ~mask & ~facts(x).zeros == 0 { return become(&op, number: x) }
        return mask & (mask &+ 1) == 0 && become(&op, .extract, x, field: 0, 64 &- mask.leadingZeroBitCount)
    }

    /// `v` as bits of another value that stay where they are: that value and the bits; no bits when `v` is nothing like it.
    private func bits(_ v: UInt32) -> (UInt32, UInt64) {
        let x = values[Int(v)]
        if x.is(.extract, .i64) { return x.imm & 0xff == 0 ? (x.a, lowMask(UInt64(x.imm &>> 8))) : (0, 0) }
        if x.is(.and, .i64) { return isConstant(x.b) ? (x.a, word(x.b)) : (0, 0) }
        guard x.is(.shl, .i64), isConstant(x.b) else { return (0, 0) }
        let y = values[Int(x.a)]
        let n = word(x.b)
        return y.is(.extract, .i64) && UInt64(y.imm & 0xff) == n
            ? (y.a, lowMask(UInt64(y.imm &>> 8)) &<< n) : (0, 0)
    }

    mutating func xor(_ op: inout Op) -> Bool {
        // x ^ x == 0
        if a == b { return become(&op, constant: 0) }
        guard isConstant(b) else { return false }
        let bits = word(b)
        let x = values[Int(a)]
        // x ^ 0 == x
        if bits == 0 { return become(&op, op.a) }
        // x ^ -1 == ~x
        if bits == .max {
            op = Op(.not, op.type, dst: op.dst, a: op.a)
            return true
        }
        // (x ^ c) ^ d == x ^ (c ^ d)
        if x.is(.xor, op.type), isConstant(x.b) { return become(&op, .xor, x.a, constant: word(x.b) ^ bits) }
        // cond(x, y) ^ 1 == !cond(x, y)
        return bits == 1 && x.is(.setcond) && becomeComparison(&op, x, isInverted: true)
    }

    /// andc, orc, eqv
    mutating func negatedLogic(_ op: inout Op) -> Bool {
        if isConstant(b) {
            // andc(x, c) == x & ~c, orc(x, c) == x | ~c, eqv(x, c) == x ^ ~c
            let opcode: Opcode = op.opcode == .andc ? .and : op.opcode == .orc ? .or : .xor
            op = Op(opcode, op.type, dst: op.dst, a: op.a, b: constant(~word(b), op.type))
            return true
        }
        // x & ~x == 0, x | ~x == ~(x ^ x) == -1
        return a == b && become(&op, constant: op.opcode == .andc ? 0 : .max)
    }

    // ~~x == x
    func not(_ op: inout Op) -> Bool { isOp(a, .not, op.type) && become(&op, number: values[Int(a)].a) }

    // MARK: Shifts

    /// The rules of all shifts: amounts count modulo the width.
    mutating func shiftAmount(_ op: inout Op) -> Bool {
        let mask: UInt64 = op.type == .i64 ? 63 : 31
        if isConstant(b) {
            let n = word(b)
            // x shifted by 0 == x
            if n & mask == 0 { return become(&op, op.a) }
            if n == n & mask { return false }
            op.b = constant(n & mask, op.type)
            return true
        }
        // x shifted by (y & m) == x shifted by y when m has all the bits that count
        let y = values[Int(b)]
        guard y.is(.and, op.type), isConstant(y.b), word(y.b) & mask == mask else { return false }
        let n = name(y.a)
        if n.isNone { return false }
        op.b = n
        return true
    }

    mutating func shl(_ op: inout Op) -> Bool {
        guard isConstant(b) else { return false }
        let n = word(b)
        let w = UInt64(op.type == .i64 ? 64 : 32)
        let x = values[Int(a)]
        if x.is(.shl, op.type), isConstant(x.b) {
            // (x << k) << n == x << (k + n)
            let sum = word(x.b) &+ n
            return sum >= w ? become(&op, constant: 0) : become(&op, .shl, x.a, constant: sum)
        }
        // (x >> n) << n == x without its low n bits
        if x.is(.shr, op.type) || x.is(.sar, op.type), isConstant(x.b), word(x.b) == n {
            return become(&op, .and, x.a, constant: .max &<< n)
        }
        // field(x, 0, k) << n == x << n when what the field leaves out is shifted out
        if x.is(.extract, op.type) || x.is(.sextract, op.type), x.imm & 0xff == 0, UInt64(x.imm &>> 8) &+ n >= w {
            let t = name(x.a)
            if t.isNone { return false }
            op.a = t
            return true
        }
        return false
    }

    mutating func shr(_ op: inout Op) -> Bool {
        guard isConstant(b) else { return false }
        let n = word(b)
        let w = UInt64(op.type == .i64 ? 64 : 32)
        let x = values[Int(a)]
        if x.is(.shr, op.type), isConstant(x.b) {
            // (x >> k) >> n == x >> (k + n)
            let sum = word(x.b) &+ n
            return sum >= w ? become(&op, constant: 0) : become(&op, .shr, x.a, constant: sum)
        }
        if x.is(.shl, op.type), isConstant(x.b) {
            // (x << k) >> n == extract(x, n - k, w - n)
            let k = word(x.b)
            return n >= k && become(&op, .extract, x.a, field: Int(n &- k), Int(w &- n))
        }
        if x.is(.extract, op.type) {
            // extract(x, p, l) >> n == extract(x, p + n, l - n)
            let (p, l) = (Int(x.imm & 0xff), Int(x.imm &>> 8))
            return Int(n) < l && become(&op, .extract, x.a, field: p &+ Int(n), l &- Int(n))
        }
        return false
    }

    mutating func sar(_ op: inout Op) -> Bool {
        guard isConstant(b) else { return false }
        let n = word(b)
        let w = UInt64(op.type == .i64 ? 64 : 32)
        let x = values[Int(a)]
        if x.is(.sar, op.type), isConstant(x.b) {
            // (x >> k) >> n == x >> (k + n), but at most by w - 1
            return become(&op, .sar, x.a, constant: min(word(x.b) &+ n, w &- 1))
        }
        if x.is(.shl, op.type), isConstant(x.b) {
            // (x << k) >> n == sextract(x, n - k, w - n)
            let k = word(x.b)
            return n >= k && become(&op, .sextract, x.a, field: Int(n &- k), Int(w &- n))
        }
        if x.is(.sextract, op.type) {
            // sextract(x, p, l) >> n == sextract(x, p + n, l - n), but the sign bit stays
            let (p, l) = (Int(x.imm & 0xff), Int(x.imm &>> 8))
            let k = min(Int(n), l &- 1)
            return become(&op, .sextract, x.a, field: p &+ k, l &- k)
        }
        return false
    }

    // MARK: Bit fields

    mutating func extract(_ op: inout Op) -> Bool {
        let (p, l) = (op.fieldPosition, op.fieldLength)
        let w = op.type == .i64 ? 64 : 32
        let x = values[Int(a)]
        // extract(x, 0, w) == x
        if l == w { return become(&op, op.a) }
        // extract(x, 0, l) == x when x has no bit above
        if p == 0, ~lowMask(UInt64(l)) & ~x.facts.zeros == 0 { return become(&op, op.a) }
        // extract(x, p, w - p) == x >> p
        if p &+ l == w {
            op = Op(.shr, op.type, dst: op.dst, a: op.a, b: constant(UInt64(p), op.type))
            return true
        }
        if x.is(.extract, op.type) {
            // extract(extract(x, q, m), p, l) == extract(x, q + p, l), as far as the inner field goes
            let (q, m) = (Int(x.imm & 0xff), Int(x.imm &>> 8))
            return p < m && become(&op, .extract, x.a, field: q &+ p, min(l, m &- p))
        }
        return throughField(&op, x, p, l, w)
    }

    mutating func sextract(_ op: inout Op) -> Bool {
        let (p, l) = (op.fieldPosition, op.fieldLength)
        let w = op.type == .i64 ? 64 : 32
        let x = values[Int(a)]
        // sextract(x, 0, l) == x when x is sign-extended from l bits
        if p == 0, x.facts.width <= UInt64(l) { return become(&op, op.a) }
        // sextract(x, p, w - p) == x >> p
        if p &+ l == w {
            op = Op(.sar, op.type, dst: op.dst, a: op.a, b: constant(UInt64(p), op.type))
            return true
        }
        if x.is(.sextract, op.type) {
            // sextract(sextract(x, q, m), p, l) == sextract(x, q + p, l), as far as the inner field goes
            let (q, m) = (Int(x.imm & 0xff), Int(x.imm &>> 8))
            return p < m && become(&op, .sextract, x.a, field: q &+ p, min(l, m &- p))
        }
        if x.is(.extract, op.type) {
            let (q, m) = (Int(x.imm & 0xff), Int(x.imm &>> 8))
            // The inner field's upper zeros are the sign.
            if p &+ l > m { return p < m && become(&op, .extract, x.a, field: q &+ p, m &- p) }
            return become(&op, .sextract, x.a, field: q &+ p, l)
        }
        return throughField(&op, x, p, l, w)
    }

    /// Either field of a value that only moves or leaves alone the bits in it.
    private mutating func throughField(_ op: inout Op, _ x: Value, _ p: Int, _ l: Int, _ w: Int) -> Bool {
        let opcode = op.opcode
        if x.is(.sextract, op.type) {
            // extract(sextract(x, q, m), p, l) == extract(x, q + p, l) within the inner field
            let (q, m) = (Int(x.imm & 0xff), Int(x.imm &>> 8))
            return p &+ l <= m && become(&op, opcode, x.a, field: q &+ p, l)
        }
        guard x.key != Value.opaque, x.b != 0, isConstant(x.b) else { return false }
        let constant = word(x.b)
        let field = lowMask(UInt64(l)) &<< UInt64(p)
        if x.is(.shl, op.type) {
            // field(x << k, p, l) == field(x, p - k, l)
            let k = Int(constant)
            return p >= k && become(&op, opcode, x.a, field: p &- k, l)
        }
        if x.is(.shr, op.type) || x.is(.sar, op.type) {
            // field(x >> k, p, l) == field(x, p + k, l) when it does not reach beyond x
            let k = Int(constant)
            return p &+ k &+ l <= w && become(&op, opcode, x.a, field: p &+ k, l)
        }
        // field(x & c, p, l) == field(x, p, l) when c has the whole field
        if x.is(.and, op.type) { return constant & field == field && become(&op, opcode, x.a, field: p, l) }
        // field(x | c, p, l) == field(x ^ c, p, l) == field(x, p, l) when c has nothing of the field
        if x.is(.or, op.type) || x.is(.xor, op.type) {
            return constant & field == 0 && become(&op, opcode, x.a, field: p, l)
        }
        return false
    }
}
