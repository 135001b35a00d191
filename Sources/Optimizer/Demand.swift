// Which temps are looked at in their low halves only. RV64 code computes on 32-bit integers by 64-bit sums whose low halves are
// sign-extended: the sum itself need not read extended operands, and nothing else may read the extension.
//
//     x = sextract %1, 0, 32            x = sextract %1, 0, 32     (dead if x changes before anybody looks)
//     %2 = add x, y                 ->  %2 = add %1, y
//     x = sextract %2, 0, 32            x = sextract %2, 0, 32

import IR

/// Marks in `storage.counts` the temps of whose upper half something depends: 1.
func findDemand(_ region: Region, _ storage: OptimizerStorage) {
    let isWide = storage.counts
    isWide.update(repeating: 1, count: region.tempCount)
    for t in region.globalCount..<region.tempCount where region.temps[t].kind == .temp { isWide[t] = 0 }
    storage.walkBackward(
        region,
        op: { k in
            let op = region.ops[k]
            if !op.needsLowHalf(isWide) { return storage.markSources(op, isWide) }
            // Of a store, the address is whole.
            if op.opcode == .gst { isWide[op.a.i] = 1 }
        })
}

extension Op {
    /// Depends the op on nothing but the low halves of its operands (of a store: of what it stores)?
    fileprivate func needsLowHalf(_ isWide: UnsafeMutablePointer<UInt32>) -> Bool {
        switch opcode {
        case .extract, .sextract: type == .i64 && fieldPosition + fieldLength <= 32
        case .trunc: true
        case .gst: type == .i64 && memOp.size <= 4
        default: carriesLowHalf && isWide[dst.i] == 0
        }
    }

    /// Is the low half of the result made of the low halves of the operands?
    var carriesLowHalf: Bool {
        switch opcode {
        case .add, .sub, .neg, .mul, .and, .or, .xor, .not: type == .i64
        default: false
        }
    }
}

extension Propagation {
    /// Of an op of whose result only the low half counts: reads what a global extends, not the global, where the result, extended,
    /// is the global's next value. (Elsewhere the global stays, and one more register would be held.)
    mutating func narrow(_ op: inout Op, _ sources: Int, next: Op) {
        guard next.opcode == .sextract, next.a == op.dst else { return }
        if sources > 0, op.a == next.dst { op.a = narrowed(op.a) }
        if sources > 1, op.b == next.dst { op.b = narrowed(op.b) }
    }

    private mutating func narrowed(_ t: Temp) -> Temp {
        let x = values[Int(value(t))]
        guard x.is(.sextract, .i64) || x.is(.extract, .i64), x.imm & 0xff == 0, x.imm &>> 8 >= 32 else { return t }
        let n = name(x.a)
        return n.isNone ? t : n
    }
}
