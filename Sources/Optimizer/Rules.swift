// The rules of each opcode, and the rules of moves, width changes, boxes and memory. A rule rewrites the op at hand
// into one that computes the same value for less; true means it has, and the op is looked at again. Operands' numbers
// are in `a`...`d`.
//
// A rule that uses an operand's operand needs a name for it here: the `become` functions say false when there is none.

import IR

extension Propagation {
    @inline(__always)
    mutating func simplify(_ op: inout Op, _ sources: Int) -> Bool {
        switch op.opcode {
        case .mov: return false
        case .and: return folded(&op, 2) || and(&op)
        case .or: return folded(&op, 2) || or(&op)
        case .xor: return folded(&op, 2) || xor(&op)
        case .andc, .orc, .eqv: return folded(&op, 2) || negatedLogic(&op)
        case .not: return folded(&op, 1) || not(&op)
        case .add: return folded(&op, 2) || add(&op)
        case .sub: return folded(&op, 2) || sub(&op)
        case .neg: return folded(&op, 1) || neg(&op)
        case .mul: return folded(&op, 2) || mul(&op)
        case .mulhu, .mulhs: return folded(&op, 2) || mulHigh(&op)
        case .divu, .remu: return folded(&op, 2) || divideUnsigned(&op)
        case .divs, .rems: return folded(&op, 2) || divideSigned(&op)
        case .clmul, .rotl, .rotr: return folded(&op, 2)
        case .clz, .ctz, .popcnt, .bswap: return folded(&op, 1)
        case .shl: return folded(&op, 2) || shiftAmount(&op) || shl(&op)
        case .shr: return folded(&op, 2) || shiftAmount(&op) || shr(&op)
        case .sar: return folded(&op, 2) || shiftAmount(&op) || sar(&op)
        case .extract: return folded(&op, 1) || extract(&op)
        case .sextract: return folded(&op, 1) || sextract(&op)
        case .deposit: return folded(&op, 2)
        case .setcond: return folded(&op, 2) || setcond(&op)
        case .select: return select(&op)
        case .brcond: return brcond(&op)
        case .trunc: return folded(&op, 1) || trunc(&op)
        case .zext: return folded(&op, 1) || widen(&op, .extract)
        case .sext: return folded(&op, 1) || widen(&op, .sextract)
        case .bitcast: return bitcast(&op)
        case .boxf: return boxf(&op)
        case .unboxf: return unboxf(&op)
        case .gld: return displace(&op)
        case .gst:
            if displace(&op) { return true }
            let n = storedBits(op, b)
            if n.isNone { return false }
            op.b = n
            return true
        case .st:
            let n = storedBits(op, a)
            if n.isNone { return false }
            op.a = n
            return true
        default: return false
        }
    }

    /// Constants in, constant out; and a constant stands on the right.
    @inline(__always)
    private mutating func folded(_ op: inout Op, _ sources: Int) -> Bool {
        if !isConstant(a) { return false }
        if sources < 2 || isConstant(b) {
            if let word = fold(op, result: temps[op.dst.i].type, word(a), sources < 2 ? 0 : word(b)) {
                return become(&op, constant: word)
            }
        } else if table[op.opcode].isCommutative {
            swap(&op.a, &op.b)
            return true
        }
        return false
    }

    // MARK: Width changes

    private func trunc(_ op: inout Op) -> Bool {
        let x = values[Int(a)]
        // trunc(sext(x)) == trunc(zext(x)) == x
        if x.is(.sext) || x.is(.zext) { return become(&op, number: x.a) }
        // The upper half does not matter.
        if x.is(.extract) || x.is(.sextract) {
            return x.imm & 0xff == 0 && x.imm &>> 8 >= 32 && become(&op, unary: .trunc, x.a)
        }
        return x.is(.and) && isConstant(x.b) && word(x.b) & 0xffff_ffff == 0xffff_ffff
            && become(&op, unary: .trunc, x.a)
    }

    // sext(trunc(x)) == sextract(x, 0, 32), zext(trunc(x)) == extract(x, 0, 32)
    private func widen(_ op: inout Op, _ field: Opcode) -> Bool {
        isOp(a, .trunc, .i32) && become(&op, field, values[Int(a)].a, field: 0, 32)
    }

    // bitcast(bitcast(x)) == x
    private func bitcast(_ op: inout Op) -> Bool {
        values[Int(a)].is(.bitcast) && become(&op, number: values[Int(a)].a)
    }

    // MARK: NaN boxes

    // boxf(unboxf(x)) == x when x is boxed
    private func boxf(_ op: inout Op) -> Bool {
        let x = values[Int(a)]
        guard x.is(.unboxf), x.aux == op.aux else { return false }
        let box = UInt64.max &<< (op.targetFormat == .binary16 ? 16 : 32)
        return facts(x.a).ones & box == box && become(&op, number: x.a)
    }

    // unboxf(boxf(x)) == x
    private func unboxf(_ op: inout Op) -> Bool {
        let x = values[Int(a)]
        return x.is(.boxf) && x.aux == op.aux && op.targetFormat == .binary32 && become(&op, number: x.a)
    }

    // MARK: Memory

    // [(x + c) + displacement] == [x + (c + displacement)], all in the width of x
    private func displace(_ op: inout Op) -> Bool {
        let type = temps[op.a.i].type
        guard isOp(a, .add, type), isConstant(values[Int(a)].b) else { return false }
        var displacement = op.imm &+ Int64(bitPattern: word(values[Int(a)].b))
        if type == .i32 { displacement = Int64(Int32(truncatingIfNeeded: displacement)) }
        let base = name(values[Int(a)].a)
        if displacement != Int64(Int32(truncatingIfNeeded: displacement)) || base.isNone { return false }
        op.a = base
        op.imm = displacement
        return true
    }

    /// What to store for `v` instead: bits above the stored ones do not matter.
    private func storedBits(_ op: Op, _ v: UInt32) -> Temp {
        let bits = 8 &* op.memOp.size
        if op.type.isFloat || bits >= 64 { return .none }
        let x = values[Int(v)]
        if x.is(.extract) || x.is(.sextract) {
            return x.imm & 0xff == 0 && x.imm &>> 8 >= Int64(bits) ? name(x.a) : .none
        }
        let mask = lowMask(UInt64(truncatingIfNeeded: bits))
        return x.is(.and) && isConstant(x.b) && word(x.b) & mask == mask ? name(x.a) : .none
    }
}
