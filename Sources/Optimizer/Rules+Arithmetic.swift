// Rules of arithmetic. `w` is the width of the op's type.

import IR

/// n when `word` is 2^n.
@inline(__always) private func powerOfTwo(_ word: UInt64, _ type: ValueType) -> UInt64? {
    let value = type == .i32 ? word & 0xffff_ffff : word
    return value != 0 && value & (value &- 1) == 0 ? UInt64(value.trailingZeroBitCount) : nil
}

extension Propagation {
    mutating func add(_ op: inout Op) -> Bool {
        let x = values[Int(a)]
        if isConstant(b) {
            // x + 0 == x
            if word(b) == 0 { return become(&op, op.a) }
            // (x + c) + d == x + (c + d)
            return x.is(.add, op.type) && isConstant(x.b) && become(&op, .add, x.a, constant: word(x.b) &+ word(b))
        }
        // x + -y == x - y
        if isOp(b, .neg, op.type) { return become(&op, .sub, a, values[Int(b)].a) }
        return x.is(.neg, op.type) && become(&op, .sub, b, x.a)
    }

    mutating func sub(_ op: inout Op) -> Bool {
        // x - x == 0
        if a == b { return become(&op, constant: 0) }
        if isConstant(b) {
            // x - c == x + -c
            op = Op(.add, op.type, dst: op.dst, a: op.a, b: constant(0 &- word(b), op.type))
            return true
        }
        // 0 - x == -x
        if isConstant(a), word(a) == 0 {
            op = Op(.neg, op.type, dst: op.dst, a: op.b)
            return true
        }
        // (y + c) - y == c
        let x = values[Int(a)]
        if x.is(.add, op.type), x.a == b, isConstant(x.b) { return become(&op, constant: word(x.b)) }
        // x - -y == x + y
        return isOp(b, .neg, op.type) && become(&op, .add, a, values[Int(b)].a)
    }

    func neg(_ op: inout Op) -> Bool {
        let x = values[Int(a)]
        // -(-x) == x
        if x.is(.neg, op.type) { return become(&op, number: x.a) }
        // -(x - y) == y - x
        return x.is(.sub, op.type) && become(&op, .sub, x.b, x.a)
    }

    mutating func mul(_ op: inout Op) -> Bool {
        guard isConstant(b) else { return false }
        switch word(b) {
        // x * 0 == 0, x * 1 == x, x * -1 == -x
        case 0: return become(&op, constant: 0)
        case 1: return become(&op, op.a)
        case .max:
            op = Op(.neg, op.type, dst: op.dst, a: op.a)
            return true
        default:
            // x * 2^n == x << n
            guard let n = powerOfTwo(word(b), op.type) else { return false }
            op = Op(.shl, op.type, dst: op.dst, a: op.a, b: constant(n, op.type))
            return true
        }
    }

    mutating func mulHigh(_ op: inout Op) -> Bool {
        guard isConstant(b) else { return false }
        // (x * 0) >> w == 0
        if word(b) == 0 { return become(&op, constant: 0) }
        guard op.opcode == .mulhu, let n = powerOfTwo(word(b), op.type) else { return false }
        // (x * 1) >> w == 0, (x * 2^n) >> w == x >> (w - n)
        if n == 0 { return become(&op, constant: 0) }
        let w = UInt64(op.type == .i64 ? 64 : 32)
        op = Op(.shr, op.type, dst: op.dst, a: op.a, b: constant(w &- n, op.type))
        return true
    }

    mutating func divideUnsigned(_ op: inout Op) -> Bool {
        guard isConstant(b), let n = powerOfTwo(word(b), op.type) else { return false }
        let isQuotient = op.opcode == .divu
        // x / 1 == x, x % 1 == 0
        if n == 0 { return isQuotient ? become(&op, op.a) : become(&op, constant: 0) }
        // x / 2^n == x >> n, x % 2^n == x & (2^n - 1)
        op = Op(
            isQuotient ? .shr : .and, op.type, dst: op.dst, a: op.a,
            b: constant(isQuotient ? n : ~(UInt64.max &<< n), op.type))
        return true
    }

    mutating func divideSigned(_ op: inout Op) -> Bool {
        guard isConstant(b) else { return false }
        let isQuotient = op.opcode == .divs
        // x / 1 == x, x % 1 == x % -1 == 0
        if word(b) == 1 && isQuotient { return become(&op, op.a) }
        if word(b) == 1 || word(b) == .max { return isQuotient ? false : become(&op, constant: 0) }
        // Signed and unsigned division are one on values that are not negative.
        guard op.type == .i64, facts(a).isNotNegative, facts(b).isNotNegative else { return false }
        op.opcode = isQuotient ? .divu : .remu
        return true
    }
}
