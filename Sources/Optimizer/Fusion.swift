// The pass `fuse`: two ops on one global, the second of which overwrites what the first made before anybody has seen it,
// become one. Compilers extend by two shifts and add to the stack pointer twice; value numbers do not help there, because the
// value before the first op has no name any more when the second is looked at.
//
//     x = shl x, 48                 x = add x, 32
//     x = shr x, 48                 x = add x, -96
//       -> x = extract x, 0, 16       -> x = add x, -64

import IR

func fuse(_ region: Region, _ storage: OptimizerStorage) {
    let pass = Fusion(region: region, storage: storage, pending: storage.current)
    for b in 0..<region.blockCount { pass.run(b) }
}

private struct Fusion {
    let region: Region
    let storage: OptimizerStorage
    /// By global: 1 + the op that changed it, while nothing has read it since; 0.
    let pending: UnsafeMutablePointer<UInt32>

    func run(_ b: Int) {
        let count = region.globalCount
        pending.update(repeating: 0, count: count)
        /// Ops before this have been seen.
        var seen = Int(region.blocks[b].start)
        for k in seen..<Int(region.blocks[b].end) {
            let op = region.ops[k]
            let row = storage.table[op.opcode]
            if isChange(op), let first = unseen(op.dst, seen), let both = fused(region.ops[first], op) {
                region.ops[k] = both
                region.ops[first] = Op(.mov, op.type, dst: op.dst, a: op.dst)
            }
            op.forEachSource(storage.table.sources(op)) { if $0.i < count { pending[$0.i] = 0 } }
            if row.looksAtState { seen = k + 1 }
            if row.hasResult, !op.dst.isNone, op.dst.i < count {
                pending[op.dst.i] = isChange(region.ops[k]) ? UInt32(truncatingIfNeeded: k + 1) : 0
            }
        }
    }

    /// x = shift or sum of x and a constant
    private func isChange(_ op: Op) -> Bool {
        switch op.opcode {
        case .add, .shl, .shr, .sar:
            op.type == .i64 && op.a == op.dst && op.a.i < region.globalCount && region.isConst(op.b)
        default: false
        }
    }

    private func unseen(_ t: Temp, _ seen: Int) -> Int? {
        let k = Int(pending[t.i]) - 1
        return k >= seen ? k : nil
    }

    /// One op for `first` and then `second`, which change the same global.
    private func fused(_ first: Op, _ second: Op) -> Op? {
        let x = region.constValue(first.b)
        let y = region.constValue(second.b)
        let t = second.dst
        switch (first.opcode, second.opcode) {
        case (.add, .add):
            return Op(.add, .i64, dst: t, a: t, b: region.const(x &+ y, .i64))
        case (.shl, .shl):
            return x & 63 + y & 63 < 64 ? Op(.shl, .i64, dst: t, a: t, b: region.const(x & 63 + y & 63, .i64)) : nil
        // (t << x) >> y is the field from y - x on, 64 - y bits long.
        case (.shl, .shr), (.shl, .sar):
            let (up, down) = (x & 63, y & 63)
            if down < up || down == 0 { return nil }
            let opcode: Opcode = second.opcode == .shr ? .extract : .sextract
            return Op(opcode, .i64, dst: t, a: t, imm: (down - up) | (64 - down) << 8)
        default: return nil
        }
    }
}
