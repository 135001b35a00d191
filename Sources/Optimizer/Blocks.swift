// The pass `blocks`: the shape of the graph. Branches to blocks that only branch go to the end of the chain;
// unreachable blocks go; a block whose only predecessor only goes there is joined to it; and blocks lie in an order
// that hosts can rely on: the entry first, cold blocks last, each after one of its predecessors. Of the checks for
// exit requests one per turn of a loop stays.

import IR

func straighten(_ region: Region, _ storage: OptimizerStorage) {
    let pass = Straightening(region: region, storage: storage, graph: storage.graph)
    pass.run()
}

private struct Straightening {
    let region: Region
    let storage: OptimizerStorage
    let graph: Graph

    func run() {
        graph.lay(region)
        var needsWork = false
        for b in 0..<region.blockCount { dropCheck(b) }
        for b in 0..<region.blockCount { needsWork = thread(b) || needsWork }
        countReachable()
        for b in 0..<region.blockCount where graph.predecessors[b] == 0 || absorbed(by: b) != nil { needsWork = true }
        if needsWork || !isOrdered() { rebuild() }
    }

    // MARK: Checks

    /// Removes the check of a block that goes to one that checks, and nowhere else. One block after the other: two
    /// that lead to each other do not both lose theirs.
    private func dropCheck(_ b: Int) {
        let last = region.lastOp(b)
        guard last.opcode == .br, last.c.i != b, check(last.c.i) != nil, let at = check(b) else { return }
        let end = Int(region.blocks[b].end)
        for k in at..<end - 1 { region.ops[k] = region.ops[k + 1] }
        region.blocks[b].end -= 1
    }

    /// The check among the first ops of a block.
    private func check(_ b: Int) -> Int? {
        let start = Int(region.blocks[b].start)
        for k in start..<min(start + 3, Int(region.blocks[b].end)) where region.ops[k].opcode == .checkExit { return k }
        return nil
    }

    // MARK: Threading

    /// Sends the branches of `b` past blocks that only branch.
    private func thread(_ b: Int) -> Bool {
        let last = region.ops + (Int(region.blocks[b].end) &- 1)
        var hasChanged = false
        if last.pointee.opcode == .br || last.pointee.opcode == .brcond {
            let target = end(of: last.pointee.c)
            hasChanged = target != last.pointee.c
            last.pointee.c = target
        }
        if last.pointee.opcode == .brcond {
            let target = end(of: last.pointee.d)
            hasChanged = hasChanged || target != last.pointee.d
            last.pointee.d = target
            if last.pointee.c == target {
                last.pointee = Op(.br, .i64, c: target)
                hasChanged = true
            }
        }
        return hasChanged
    }

    private func end(of target: Temp) -> Temp {
        var at = target
        for _ in 0..<16 {
            let block = region.blocks[at.i]
            let op = region.ops[Int(block.start)]
            if block.end != block.start &+ 1 || op.opcode != .br || op.c == at { break }
            at = op.c
        }
        return at
    }

    // MARK: Shape

    /// Counts the edges from reachable blocks: 0 = unreachable.
    private func countReachable() {
        graph.predecessors.update(repeating: 0, count: region.blockCount)
        graph.predecessors[0] = 1
        graph.list[0] = 0
        var count = 1
        while count > 0 {
            count &-= 1
            let last = region.lastOp(Int(graph.list[count]))
            if last.opcode == .br || last.opcode == .brcond { reach(last.c.i, &count) }
            if last.opcode == .brcond { reach(last.d.i, &count) }
        }
    }

    private func reach(_ b: Int, _ count: inout Int) {
        graph.predecessors[b] &+= 1
        if graph.predecessors[b] > 1 { return }
        graph.list[count] = UInt32(truncatingIfNeeded: b)
        count &+= 1
    }

    /// The block to be joined to `b`.
    private func absorbed(by b: Int) -> Int? {
        if graph.predecessors[b] == 0 { return nil }
        let last = region.lastOp(b)
        guard last.opcode == .br, last.c.i != b, last.c.i != 0, graph.predecessors[last.c.i] == 1 else { return nil }
        return last.c.i
    }

    /// In the order hot blocks, then cold blocks: does each come after a predecessor?
    private func isOrdered() -> Bool {
        let isReached = graph.stamp
        isReached.update(repeating: 0, count: region.blockCount)
        isReached[0] = 1
        if graph.order[0] != 0 || region.blocks[0].isCold { return false }
        for isCold in [false, true] {
            for i in 0..<region.blockCount where region.blocks[Int(graph.order[i])].isCold == isCold {
                let b = Int(graph.order[i])
                if isReached[b] == 0 { return false }
                markTargets(of: region.lastOp(b), isReached)
            }
        }
        return true
    }

    private func markTargets(of last: Op, _ isReached: UnsafeMutablePointer<UInt32>) {
        if last.opcode == .br || last.opcode == .brcond { isReached[last.c.i] = 1 }
        if last.opcode == .brcond { isReached[last.d.i] = 1 }
    }

    // MARK: Rebuilding

    private static let absorbedMark: UInt32 = 2

    private func rebuild() {
        let isReached = graph.stamp
        isReached.update(repeating: 0, count: region.blockCount)
        /// By block: joined to another one, or in its place already.
        let isDone = graph.map
        isDone.update(repeating: 0, count: region.blockCount)
        for b in 0..<region.blockCount {
            if graph.predecessors[b] == 0 { isDone[b] = 1 }
            if let next = absorbed(by: b) { isDone[next] = Self.absorbedMark }
        }
        isReached[0] = 1
        region.blocks[0].isCold = false
        var count = 0
        // A hot block that only cold ones lead to is cold.
        place(cold: false, isReached, isDone, &count)
        for b in 0..<region.blockCount where isDone[b] == 0 { region.blocks[b].isCold = true }
        place(cold: true, isReached, isDone, &count)
        storage.replaceOps(region, count)
        renumber()
    }

    private func place(
        cold: Bool, _ isReached: UnsafeMutablePointer<UInt32>, _ isDone: UnsafeMutablePointer<UInt32>,
        _ count: inout Int
    ) {
        var hasProgress = true
        while hasProgress {
            hasProgress = false
            for i in 0..<region.blockCount {
                let b = Int(graph.order[i])
                if isDone[b] != 0 || isReached[b] == 0 || region.blocks[b].isCold != cold { continue }
                isDone[b] = 1
                let start = count
                markTargets(of: emit(b, &count), isReached)
                region.blocks[b].start = UInt32(truncatingIfNeeded: start)
                region.blocks[b].end = UInt32(truncatingIfNeeded: count)
                if graph.predecessors[b] == 1 { region.blocks[b].isLoopHeader = false }
                hasProgress = true
            }
        }
    }

    /// Copies a block and what is joined to it to `spare`. Returns the last op.
    private func emit(_ head: Int, _ count: inout Int) -> Op {
        var b = head
        while true {
            let start = Int(region.blocks[b].start)
            let length = Int(region.blocks[b].end) &- start
            let next = absorbed(by: b)
            let kept = next == nil ? length : length &- 1
            (storage.spare + count).update(from: region.ops + start, count: kept)
            count &+= kept
            guard let next else { return storage.spare[count &- 1] }
            b = next
        }
    }

    /// Closes the gaps in the block numbers.
    private func renumber() {
        let isHead = graph.map
        var count = 0
        for b in 0..<region.blockCount {
            let stays = graph.predecessors[b] != 0 && isHead[b] != Self.absorbedMark
            graph.list[b] = UInt32(truncatingIfNeeded: count)
            if !stays { continue }
            region.blocks[count] = region.blocks[b]
            count += 1
        }
        region.s.pointee.blockCount = count
        for b in 0..<count {
            let last = region.ops + (Int(region.blocks[b].end) &- 1)
            if last.pointee.opcode == .br || last.pointee.opcode == .brcond {
                last.pointee.c = renumbered(last.pointee.c)
            }
            if last.pointee.opcode == .brcond { last.pointee.d = renumbered(last.pointee.d) }
        }
    }

    private func renumbered(_ b: Temp) -> Temp { Temp(graph.list[b.i]) }
}
