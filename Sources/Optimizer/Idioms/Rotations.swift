// The pass `rotate`: two shifts of one value whose results are put together are a rotation, which many guests have no instruction
// for. Hashes and ciphers are made of them. The shifts stay, for whoever else looks at them; mostly nobody does.
//
//     %1 = shl x, 7                           %9 = rotl x, 7          (before the second shift: x may be gone behind it)
//     x = shr x, 57                ->         x = shr x, 57
//     x = or x, %1                            x = mov %9
//
// The same on words, as RV64 code computes them: x = extract x, 25, 7 and y = sextract %1, 0, 32 make sext(rotl.i32(trunc x, 7)).
//
// An idiom: it knows a shape that compilers emit (IR.md, "Idioms", has the rule for removing it).
// Earns: with `no-pass=rotate` SHA-512 takes 1.34 of the time, SHA-256 1.21; compressors and the kernels nothing more.

import IR

func rotate(_ region: Region, _ storage: OptimizerStorage) {
    var pass = Rotations(region: region, storage: storage, half: storage.current)
    for b in 0..<region.blockCount { pass.find(b) }
    pass.insert()
}

private struct Rotations {
    let region: Region
    let storage: OptimizerStorage
    /// By name: 1 + the shift in this block that its value comes from, with `word` set when it was then sign-extended from 32 bits.
    let half: UnsafeMutablePointer<UInt32>
    private static let word: UInt32 = 1 << 31
    /// A rotation to be computed before op `at`, of that op's operand.
    private struct Found {
        var at: Int
        var amount: Int64
        var isWord: Bool
        var result: Temp
    }
    private var found: [Found] = []

    init(region: Region, storage: OptimizerStorage, half: UnsafeMutablePointer<UInt32>) {
        self.region = region
        self.storage = storage
        self.half = half
        half.update(repeating: 0, count: region.tempCount)
    }

    mutating func find(_ b: Int) {
        let start = Int(region.blocks[b].start)
        for k in start..<Int(region.blocks[b].end) {
            let op = region.ops[k]
            switch op.opcode {
            case .shl, .shr:
                half[op.dst.i] = op.type == .i64 && region.isConst(op.b) ? UInt32(truncatingIfNeeded: k + 1) : 0
            case .extract:
                half[op.dst.i] =
                    op.type == .i64 && op.fieldPosition + op.fieldLength == 32 ? UInt32(truncatingIfNeeded: k + 1) : 0
            case .sextract:
                let isExtension = op.type == .i64 && op.fieldPosition == 0 && op.fieldLength == 32
                half[op.dst.i] = isExtension && shift(op.a, start) != nil ? half[op.a.i] | Self.word : 0
            case .or, .xor, .add:
                if op.type == .i64, let r = rotation(op.a, op.b, start) ?? rotation(op.b, op.a, start) {
                    region.ops[k] = Op(.mov, .i64, dst: op.dst, a: r)
                }
                half[op.dst.i] = 0
            default:
                if storage.table[op.opcode].hasResult, !op.dst.isNone { half[op.dst.i] = 0 }
            }
        }
    }

    /// The shift of this block that `t` comes from.
    private func shift(_ t: Temp, _ start: Int) -> Int? {
        let k = Int(half[t.i] & ~Self.word) - 1
        return k >= start ? k : nil
    }

    /// The rotation that `left` and `right` are the parts of.
    private mutating func rotation(_ left: Temp, _ right: Temp, _ start: Int) -> Temp? {
        guard let l = shift(left, start), let r = shift(right, start), region.ops[l].opcode == .shl,
            half[right.i] & Self.word == 0, region.ops[l].a == region.ops[r].a,
            storage.isUnchanged(region, region.ops[l].a, min(l, r)..<max(l, r))
        else { return nil }
        let amount = region.constValue(region.ops[l].b)
        let other = region.ops[r]
        let isWord = half[left.i] & Self.word != 0
        let width: Int64 = isWord ? 32 : 64
        let rest: Int64
        switch other.opcode {
        case .shr where !isWord: rest = region.constValue(other.b)
        case .extract where isWord: rest = Int64(other.fieldPosition)
        default: return nil
        }
        guard amount > 0, amount < width, rest == width - amount else { return nil }
        let result = region.newTemp(.temp, .i64)
        found.append(Found(at: max(l, r), amount: amount, isWord: isWord, result: result))
        return result
    }

    mutating func insert() {
        if found.isEmpty { return }
        storage.marks.update(repeating: 0, count: region.opCount)
        for f in found { storage.marks[f.at] = 1 }
        guard region.opCount + 3 * found.count <= region.opCapacity else {
            region.markOverflowed()
            return
        }
        var count = 0
        func append(_ op: Op) {
            storage.spare[count] = op
            count += 1
        }
        for b in 0..<region.blockCount {
            let start = count
            for k in region.ops(of: b) {
                if storage.marks[k] != 0 { for f in found where f.at == k { compute(f, of: region.ops[k].a, append) } }
                append(region.ops[k])
            }
            region.blocks[b].start = UInt32(truncatingIfNeeded: start)
            region.blocks[b].end = UInt32(truncatingIfNeeded: count)
        }
        storage.replaceOps(region, count)
    }

    private func compute(_ f: Found, of x: Temp, _ append: (Op) -> Void) {
        if !f.isWord {
            return append(Op(.rotl, .i64, dst: f.result, a: x, b: region.const(f.amount, .i64)))
        }
        let low = region.newTemp(.temp, .i32)
        let rotated = region.newTemp(.temp, .i32)
        append(Op(.trunc, .i32, dst: low, a: x))
        append(Op(.rotl, .i32, dst: rotated, a: low, b: region.const(f.amount, .i32)))
        append(Op(.sext, .i64, dst: f.result, a: rotated))
    }
}
