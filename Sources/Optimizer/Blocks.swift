// The pass `blocks`: the shape of the graph. Branches to blocks that only branch go to the end of the chain;
// unreachable blocks go; a block whose only predecessor only goes there is joined to it; and blocks lie in an order
// that hosts can rely on (BlockOrder.swift): the entry first, likely ways straight on, cold blocks last. Of the checks for
// exit requests those of the entry and of the loops' headers stay.

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
        let order = BlockOrder(region: region, graph: graph)
        var needsWork = false
        dropChecks(order.find())
        for b in 0..<region.blockCount { needsWork = thread(b) || needsWork }
        let count = order.find()
        countPredecessors(count)
        needsWork = needsWork || count < region.blockCount
        for i in 0..<count {
            let b = Int(graph.list[i])
            // `lay` has left the order of now.
            if graph.order[i] != graph.list[i] || absorbed(by: b) != nil { needsWork = true }
        }
        if needsWork { rebuild(count) }
    }

    // MARK: Checks

    /// Every turn of a loop goes through its header: where all headers check, no other block needs to, but for the entry,
    /// unless that only leads to such a header.
    private func dropChecks(_ count: Int) {
        for i in 0..<count {
            let b = Int(graph.list[i])
            if region.blocks[b].isLoopHeader, check(b) == nil { return }
        }
        for i in 0..<count {
            let b = Int(graph.list[i])
            guard !region.blocks[b].isLoopHeader, let at = check(b) else { continue }
            if b == 0 {
                let last = region.lastOp(0)
                guard last.opcode == .br, region.blocks[last.c.i].isLoopHeader else { continue }
            }
            let end = Int(region.blocks[b].end)
            for k in at..<end - 1 { region.ops[k] = region.ops[k + 1] }
            region.blocks[b].end -= 1
        }
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
        let last = region.end(of: b)
        var hasChanged = false
        // A chain may lead through the op itself.
        var op = last.pointee
        op.mapSuccessors {
            let target = end(of: $0)
            hasChanged = hasChanged || target != $0
            return target
        }
        if op.opcode == .brcond, op.c == op.d {
            op = Op(.br, .i64, c: op.c)
            hasChanged = true
        }
        last.pointee = op
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

    /// Counts the edges from the `count` blocks that are reachable; 0 = unreachable.
    private func countPredecessors(_ count: Int) {
        graph.predecessors.update(repeating: 0, count: region.blockCount)
        graph.predecessors[0] = 1
        for i in 0..<count {
            for next in region.successors(of: Int(graph.list[i])) { graph.predecessors[next] &+= 1 }
        }
    }

    /// The block to be joined to `b`.
    private func absorbed(by b: Int) -> Int? {
        if graph.predecessors[b] == 0 { return nil }
        let last = region.lastOp(b)
        guard last.opcode == .br, last.c.i != b, last.c.i != 0, graph.predecessors[last.c.i] == 1 else { return nil }
        return last.c.i
    }

    // MARK: Rebuilding

    /// Lays the ops out in the order of `graph.list`.
    private func rebuild(_ blocks: Int) {
        let isAbsorbed = graph.map
        isAbsorbed.update(repeating: 0, count: region.blockCount)
        for i in 0..<blocks { if let next = absorbed(by: Int(graph.list[i])) { isAbsorbed[next] = 1 } }
        var count = 0
        for i in 0..<blocks {
            let b = Int(graph.list[i])
            if isAbsorbed[b] != 0 { continue }
            let start = count
            emit(b, &count)
            graph.order[b] = UInt32(truncatingIfNeeded: start)
            graph.position[b] = UInt32(truncatingIfNeeded: count)
        }
        for i in 0..<blocks {
            let b = Int(graph.list[i])
            region.blocks[b].start = graph.order[b]
            region.blocks[b].end = graph.position[b]
        }
        storage.replaceOps(region, count)
        renumber()
    }

    /// Copies a block and what is joined to it to `spare`.
    private func emit(_ head: Int, _ count: inout Int) {
        var b = head
        while true {
            let start = Int(region.blocks[b].start)
            let length = Int(region.blocks[b].end) &- start
            let next = absorbed(by: b)
            let kept = next == nil ? length : length &- 1
            (storage.spare + count).update(from: region.ops + start, count: kept)
            count &+= kept
            guard let next else { return }
            b = next
        }
    }

    /// Closes the gaps in the block numbers.
    private func renumber() {
        let isAbsorbed = graph.map
        var count = 0
        for b in 0..<region.blockCount {
            let stays = graph.predecessors[b] != 0 && isAbsorbed[b] == 0
            graph.list[b] = UInt32(truncatingIfNeeded: count)
            if !stays { continue }
            region.blocks[count] = region.blocks[b]
            count += 1
        }
        region.truncate(blocks: count)
        for b in 0..<count {
            region.end(of: b).pointee.mapSuccessors { Temp(graph.list[$0.i]) }
        }
    }
}
