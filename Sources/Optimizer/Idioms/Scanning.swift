// The pass `scan`: a loop that looks for the highest field of a value that is not zero, from a constant position down, becomes
// a count of leading zeros. Programs for processors without such an instruction count zeros by it: the compiler's library looks
// at one byte a turn, from 56 down to 8, then in a table.
//
//     block0:                               block0:
//       i = mov 56                            i = mov 56
//       br block1                             br block1
//     block1 loop:                          block1:
//       check_exit                            %v = shr x, 8
//       i = add i, -8                         a = shr x, 8                    as after the last turn
//       brcond.ne i, 0, block2, block3        i = mov 0
//     block2:                          ->     brcond.ne %v, 0, block2, block3
//       a = shr x, i                        block2:
//       brcond.tstne a, 255, block4, block1   %p = 71 - (clz %v), without its low three bits
//     block3: ... block4: ...                 i = mov %p
//                                             a = shr x, i
//                                             br block4
//
// An idiom: it knows a shape that compilers emit (IR.md, "Idioms", has the rule for removing it).
// Earns: with `no-pass=scan` zstd takes 1.42 to 1.57 of the time; nothing else that was measured more.

import IR

/// True when a loop has gone.
func replaceScans(_ region: Region, _ storage: OptimizerStorage) -> Bool {
    let pass = Scanning(region: region, storage: storage)
    var hasChanged = false
    for b in 0..<region.blockCount {
        if let scan = pass.find(countingIn: b) { hasChanged = pass.replace(scan) || hasChanged }
    }
    return hasChanged
}

/// A loop of two blocks.
private struct Scan {
    /// The block that moves on to the next position, and the one that looks at the field there.
    var step: Int
    var look: Int
    /// Where control goes when a field is not zero, and when there is none left.
    var found: Temp
    var end: Temp
    var position: Temp
    var value: Temp
    /// Bits of a field, and the position of the first one.
    var width: Int64
    var first: Int64
}

private struct Scanning {
    let region: Region
    let storage: OptimizerStorage

    // MARK: Finding

    /// The scan whose position is counted down in block `step`.
    func find(countingIn step: Int) -> Scan? {
        guard step != 0, let count = onlyOp(step) else { return nil }
        let last = region.lastOp(step)
        let i = count.dst
        guard count.opcode == .add, count.type == .i64, count.a == i, region.isGlobal(i), region.isConst(count.b),
            let (look, end) = ways(last, ifNot: i, 0), look != 0, look != step
        else { return nil }
        let width = 0 &- region.constValue(count.b)
        guard width > 0, width <= 16, width & (width - 1) == 0 else { return nil }
        guard let (value, found) = field(look, i, width, back: step), found.i != look, found.i != step,
            end.i != look, end.i != step
        else { return nil }
        var scan = Scan(
            step: step, look: look, found: found, end: end, position: i, value: value, width: width, first: 0)
        guard let start = start(of: scan) else { return nil }
        scan.first = start
        return scan
    }

    /// The one op of a block besides marks, checks and its end.
    private func onlyOp(_ b: Int) -> Op? {
        var found: Op?
        for k in region.ops(of: b).dropLast() {
            let op = region.ops[k]
            if op.opcode == .insnStart || op.opcode == .checkExit { continue }
            if found != nil { return nil }
            found = op
        }
        return found
    }

    /// Where a branch goes when `a` is not `b`, and when it is.
    private func ways(_ op: Op, ifNot a: Temp, _ b: Int64) -> (Int, Temp)? {
        guard op.opcode == .brcond, op.type == .i64, op.a == a, region.isConst(op.b), region.constValue(op.b) == b
        else { return nil }
        return op.condition == .ne ? (op.c.i, op.d) : op.condition == .eq ? (op.d.i, op.c) : nil
    }

    /// Does block `look` test the field of `width` bits at position `i`, of a value that stays the same in the loop? That value,
    /// and where it goes when the field is not zero.
    private func field(_ look: Int, _ i: Temp, _ width: Int64, back: Int) -> (Temp, Temp)? {
        let mask = Int64(1) &<< width &- 1
        var value = Temp.none
        var shifted = Temp.none
        var masked = Temp.none
        for k in region.ops(of: look).dropLast() {
            let op = region.ops[k]
            switch op.opcode {
            case .insnStart, .checkExit: continue
            case .shr where shifted.isNone && op.type == .i64 && op.b == i:
                (shifted, value) = (op.dst, op.a)
            case .and where masked.isNone && op.a == shifted && region.isConst(op.b) && region.constValue(op.b) == mask:
                masked = op.dst
            default: return nil
            }
        }
        // What the loop leaves behind is guest state alone: each block may compute it.
        guard region.isGlobal(shifted), masked.isNone || region.isGlobal(masked), value != i, value != shifted,
            value != masked, shifted != i, masked != i, shifted != masked, region.temps[value.i].kind != .local
        else { return nil }
        let last = region.lastOp(look)
        guard last.opcode == .brcond, last.type == .i64, region.isConst(last.b) else { return nil }
        let against = region.constValue(last.b)
        let isTest = last.condition == .tstne || last.condition == .tsteq
        guard isTest ? last.a == shifted && against == mask : last.a == masked && against == 0 else { return nil }
        switch last.condition {
        case .tstne, .ne: return last.d.i == back ? (value, last.c) : nil
        case .tsteq, .eq: return last.c.i == back ? (value, last.d) : nil
        default: return nil
        }
    }

    /// The position that a scan looks at first: every way into it comes with the same constant.
    private func start(of scan: Scan) -> Int64? {
        var first: Int64?
        for b in 0..<region.blockCount where b != scan.step && b != scan.look {
            let successors = region.successors(of: b)
            let entersStep = successors.contains(scan.step)
            let entersLook = successors.contains(scan.look)
            if !entersStep && !entersLook { continue }
            guard entersStep != entersLook, let start = constant(scan.position, behind: b) else { return nil }
            let here = entersStep ? start &- scan.width : start
            if first != nil && first != here { return nil }
            first = here
        }
        guard let first, first >= scan.width, first <= 64 - scan.width, first % scan.width == 0 else { return nil }
        return first
    }

    /// The constant that global `g` has at the end of block `b`, where the block says so.
    private func constant(_ g: Temp, behind b: Int) -> Int64? {
        for k in region.ops(of: b).reversed() {
            let op = region.ops[k]
            if op.opcode == .call { return nil }
            guard storage.table[op.opcode].hasResult, op.dst == g else { continue }
            return op.opcode == .mov && region.isConst(op.a) ? region.constValue(op.a) : nil
        }
        return nil
    }

    // MARK: Replacing

    /// Gives both blocks new ops, behind all others. False: there was no room.
    func replace(_ scan: Scan) -> Bool {
        let look = region.blocks[scan.look]
        let length = Int(look.end - look.start)
        if region.opCount + 2 * length + 12 > region.opCapacity
            || region.tempCount + 8 > region.tempCapacity
        {
            return false
        }
        for b in 0..<region.blockCount where b != scan.look && b != scan.step { enterAtStep(scan, from: b) }
        let rest = region.newTemp(.temp, .i64)
        begin(scan.step)
        region.append(Op(.shr, .i64, dst: rest, a: scan.value, b: constant(scan.width)))
        if scan.first + scan.width < 64 {
            // Fields above the first position are not looked at.
            let part = region.ops + (region.opCount - 1)
            part.pointee = Op(.extract, .i64, dst: rest, a: scan.value, imm: scan.width | scan.first << 8)
        }
        copyLook(look, scan, at: constant(scan.width))
        region.append(Op(.mov, .i64, dst: scan.position, a: constant(0)))
        region.append(
            Op(
                .brcond, .i64, aux: UInt16(Condition.ne.rawValue), a: rest, b: constant(0), c: Temp(scan.look),
                d: scan.end))
        end(scan.step)

        let zeros = region.newTemp(.temp, .i64)
        let highest = region.newTemp(.temp, .i64)
        begin(scan.look)
        region.append(Op(.clz, .i64, dst: zeros, a: rest))
        region.append(Op(.sub, .i64, dst: highest, a: constant(63 + scan.width), b: zeros))
        region.append(Op(.and, .i64, dst: scan.position, a: highest, b: constant(0 - scan.width)))
        copyLook(look, scan, at: scan.position)
        region.append(Op(.br, .i64, c: scan.found))
        end(scan.look)
        return true
    }

    private func constant(_ value: Int64) -> Temp { region.const(value, .i64) }

    private func begin(_ b: Int) {
        region.blocks[b].start = UInt32(truncatingIfNeeded: region.opCount)
        region.blocks[b].isLoopHeader = false
    }

    private func end(_ b: Int) { region.blocks[b].end = UInt32(truncatingIfNeeded: region.opCount) }

    /// What `look` computes of the field at a position.
    private func copyLook(_ look: Block, _ scan: Scan, at position: Temp) {
        for k in Int(look.start)..<Int(look.end) - 1 {
            var op = region.ops[k]
            if op.opcode == .insnStart || op.opcode == .checkExit { continue }
            if op.opcode == .shr { op.b = position }
            region.append(op)
        }
    }

    /// A way into the loop that passed by the first step.
    private func enterAtStep(_ scan: Scan, from b: Int) {
        region.end(of: b).pointee.mapSuccessors { $0.i == scan.look ? Temp(scan.step) : $0 }
    }
}
