// Rules of comparisons, and of what depends on them: setcond, select, brcond.

import IR

extension Propagation {
    // MARK: Comparisons

    /// What the comparison of the op gives, when that is certain.
    @inline(__always)
    private func decided(_ op: Op) -> Bool? {
        if a == b {
            switch op.condition {
            // x == x, x <= x, x >= x; and not x != x, x < x, x > x
            case .eq, .le, .ge, .leu, .geu: return true
            case .ne, .lt, .gt, .ltu, .gtu: return false
            case .tsteq, .tstne: break
            }
        }
        return op.condition.decided(facts(a), facts(b))
    }

    /// Brings a comparison to its simplest form, not changing what it gives.
    private mutating func normalize(_ op: inout Op) -> Bool {
        if isConstant(a), !isConstant(b) {
            // cond(c, x) == cond'(x, c)
            swap(&op.a, &op.b)
            op.aux = UInt16(op.condition.swapped.rawValue)
            return true
        }
        switch op.condition {
        case .eq, .ne: return isConstant(b) && equality(&op, isEqual: op.condition == .eq, word(b))
        // x < 1 == (x == 0), x >= 1 == (x != 0), unsigned
        case .ltu: return isConstant(b) && word(b) == 1 && zero(&op, .eq)
        case .geu: return isConstant(b) && word(b) == 1 && zero(&op, .ne)
        // x > 0 == (x != 0), x <= 0 == (x == 0), unsigned
        case .gtu: return isConstant(b) && word(b) == 0 && zero(&op, .ne)
        case .leu: return isConstant(b) && word(b) == 0 && zero(&op, .eq)
        case .tsteq, .tstne:
            // x & x == x, x & -1 == x
            return (a == b || isConstant(b) && word(b) == .max) && zero(&op, op.condition == .tsteq ? .eq : .ne)
        case .lt, .ge, .le, .gt: return false
        }
    }

    /// Compares `a` with 0.
    private mutating func zero(_ op: inout Op, _ condition: Condition) -> Bool {
        op.aux = UInt16(condition.rawValue)
        op.b = constant(0, op.type)
        return true
    }

    /// x == c, x != c
    private mutating func equality(_ op: inout Op, isEqual: Bool, _ word: UInt64) -> Bool {
        let x = values[Int(a)]
        // A truth value is not 1 exactly when it is 0.
        if word == 1, x.facts.zeros == ~1 { return zero(&op, isEqual ? .ne : .eq) }
        if word == 0 {
            // cond(x, y) != 0 == cond(x, y), cond(x, y) == 0 == !cond(x, y)
            if x.is(.setcond) {
                return compare(&op, ValueType(key: x.key), isEqual ? x.condition.inverted : x.condition, x.a, x.b)
            }
            // x - y == 0 == (x == y), x ^ y == 0 == (x == y)
            if x.is(.sub, op.type) || x.is(.xor, op.type) { return compare(&op, op.type, op.condition, x.a, x.b) }
            // x & y == 0
            if x.is(.and, op.type) { return compare(&op, op.type, isEqual ? .tsteq : .tstne, x.a, x.b) }
            // -x == 0 == (x == 0)
            if x.is(.neg, op.type) { return compare(&op, op.type, op.condition, x.a, b) }
            if x.is(.extract, op.type) {
                // A field is 0 when none of its bits is set.
                let mask = lowMask(UInt64(x.imm &>> 8)) &<< UInt64(x.imm & 0xff)
                if mask < 1 << 31 { return compare(&op, isEqual ? .tsteq : .tstne, x.a, mask) }
            }
        }
        guard x.key != Value.opaque, x.b != 0, isConstant(x.b) else { return false }
        // x + c == d == (x == d - c), x ^ c == d == (x == c ^ d)
        let other: UInt64
        if x.is(.add, op.type) {
            other = word &- self.word(x.b)
        } else if x.is(.xor, op.type) {
            other = word ^ self.word(x.b)
        } else {
            return false
        }
        // Not for a constant that needs a register.
        return Int64(bitPattern: other) == Int64(Int32(truncatingIfNeeded: other))
            && compare(&op, op.condition, x.a, other)
    }

    private func compare(_ op: inout Op, _ type: ValueType, _ condition: Condition, _ x: UInt32, _ y: UInt32) -> Bool {
        let n = name(x)
        let m = name(y)
        if n.isNone || m.isNone { return false }
        op.type = type
        op.aux = UInt16(condition.rawValue)
        op.a = n
        op.b = m
        return true
    }

    private mutating func compare(_ op: inout Op, _ condition: Condition, _ x: UInt32, _ word: UInt64) -> Bool {
        let n = name(x)
        if n.isNone { return false }
        op.aux = UInt16(condition.rawValue)
        op.a = n
        op.b = constant(word, op.type)
        return true
    }

    /// The op becomes the comparison that `x` computes, or its inverse.
    func becomeComparison(_ op: inout Op, _ x: Value, isInverted: Bool) -> Bool {
        let n = name(x.a)
        let m = name(x.b)
        if n.isNone || m.isNone { return false }
        let condition = isInverted ? x.condition.inverted : x.condition
        op = Op(.setcond, ValueType(key: x.key), aux: UInt16(condition.rawValue), dst: op.dst, a: n, b: m)
        return true
    }

    // MARK: Ops with a comparison

    mutating func setcond(_ op: inout Op) -> Bool {
        if let holds = decided(op) { return become(&op, constant: holds ? 1 : 0) }
        if normalize(&op) { return true }
        // x != 0 == x, x == 0 == x ^ 1, for a truth value
        guard isConstant(b), word(b) == 0, facts(a).zeros == ~1, temps[op.dst.i].type == op.type else { return false }
        if op.condition == .ne { return become(&op, op.a) }
        if op.condition != .eq { return false }
        op = Op(.xor, op.type, dst: op.dst, a: op.a, b: constant(1, op.type))
        return true
    }

    mutating func select(_ op: inout Op) -> Bool {
        // cond ? x : x == x
        if c == d { return become(&op, op.c) }
        if let holds = decided(op) { return become(&op, holds ? op.c : op.d) }
        if normalize(&op) { return true }
        // cond ? 1 : 0 == cond, cond ? 0 : 1 == !cond
        guard isConstant(c), isConstant(d), temps[op.dst.i].type.isInteger, word(c) ^ word(d) == 1, word(c) <= 1 else {
            return false
        }
        let condition = word(c) == 1 ? op.condition : op.condition.inverted
        op = Op(.setcond, op.type, aux: UInt16(condition.rawValue), dst: op.dst, a: op.a, b: op.b)
        return true
    }

    mutating func brcond(_ op: inout Op) -> Bool {
        var target = Temp.none
        if let holds = decided(op) { target = holds ? op.c : op.d }
        if op.c == op.d { target = op.c }
        if target.isNone { return normalize(&op) }
        op = Op(.br, .i64, c: target)
        return true
    }
}

extension ValueType {
    /// The type in the key of a value.
    @inline(__always) init(key: UInt64) { self = ValueType(rawValue: UInt8(truncatingIfNeeded: key &>> 8)) ?? .i64 }
}
