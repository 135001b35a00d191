// Natural loops, for the passes that move ops out of them: what is in a loop, and a place to run once before it.

import IR

/// One loop at a time: `enter` finds its blocks, `leave` puts the pass's changes into effect.
struct LoopEditor: ~Copyable {
    let region: Region
    let storage: OptimizerStorage
    let graph: Graph
    /// The loop's header and its place in the order of blocks.
    var header = 0
    private var next: Int
    /// Ops to run before the loop.
    var before: [Op] = []
    /// By op, see below.
    let marks: UnsafeMutablePointer<UInt8>
    static let keep: UInt8 = 0
    static let remove: UInt8 = 1
    /// Keep, and copy the op's operand `a` to the local of the op's result (`shadow`).
    static let shadow: UInt8 = 2
    private var shadowCount = 0

    init(_ region: Region, _ storage: OptimizerStorage) {
        self.region = region
        self.storage = storage
        graph = storage.graph
        marks = storage.marks
        graph.lay(region)
        graph.findHeads(region)
        next = region.blockCount
        before.reserveCapacity(16)
    }

    @inline(__always) func isInside(_ b: Int) -> Bool { graph.stamp[b] != 0 }

    /// Goes to the next loop, inner ones first. False: no more.
    mutating func enter() -> Bool {
        while next > 0 {
            next -= 1
            header = Int(graph.order[next])
            if graph.isHead[header], findBody() {
                before.removeAll(keepingCapacity: true)
                shadowCount = 0
                marks.update(repeating: Self.keep, count: region.opCount)
                return true
            }
        }
        return false
    }

    mutating func mark(_ i: Int, _ mark: UInt8) {
        marks[i] = mark
        if mark == Self.shadow { shadowCount += 1 }
    }

    /// Stamps the blocks of the loop at `header`. False: no loop, or one with a second way in.
    private func findBody() -> Bool {
        graph.stamp.update(repeating: 0, count: region.blockCount)
        var count = 0
        for i in next..<region.blockCount {
            let b = Int(graph.order[i])
            if region.successors(of: b).contains(header) { graph.stamp[b] = 1 }
            if graph.stamp[b] != 0 { count += 1 }
        }
        if count == 0 { return false }
        graph.stamp[header] = 1
        var hasChanged = true
        while hasChanged {
            hasChanged = false
            for i in stride(from: region.blockCount - 1, through: 0, by: -1) {
                let b = Int(graph.order[i])
                if isInside(b) { continue }
                for next in region.successors(of: b) where next != header && isInside(next) { graph.stamp[b] = 1 }
                if isInside(b) {
                    if b == 0 { return false }
                    hasChanged = true
                }
            }
        }
        return true
    }

    /// Applies marks and `before`; `shadows` gives the local of each global. False when there was no room: nothing has
    /// changed.
    mutating func leave(shadows: UnsafeMutablePointer<UInt32>) -> Bool {
        guard region.blockCount < region.blockCapacity,
            region.opCount + before.count + shadowCount + 1 <= region.opCapacity
        else { return false }
        let entrance = soleEntrance()
        var count = 0
        var entered: (start: Int, end: Int)?
        for i in 0..<region.blockCount {
            let b = Int(graph.order[i])
            if b == header, entrance == nil {
                let start = count
                for op in before { append(op, &count) }
                append(Op(.br, .i64, c: Temp(header)), &count)
                entered = (start, count)
            }
            let start = count
            for k in region.ops(of: b) {
                if b == entrance, k == Int(region.blocks[b].end) - 1 { for op in before { append(op, &count) } }
                if marks[k] == Self.remove { continue }
                let op = region.ops[k]
                append(op, &count)
                if marks[k] == Self.shadow {
                    append(Op(.mov, .f32, dst: Temp(shadows[op.dst.i]), a: op.a), &count)
                }
            }
            region.blocks[b].start = UInt32(truncatingIfNeeded: start)
            region.blocks[b].end = UInt32(truncatingIfNeeded: count)
        }
        storage.replaceOps(region, count)
        if let entered { addPreheader(entered.start, entered.end) }
        graph.lay(region)
        graph.findHeads(region)
        return true
    }

    private func append(_ op: Op, _ count: inout Int) {
        storage.spare[count] = op
        count += 1
    }

    /// The one block outside that leads to the header, if it leads nowhere else.
    private func soleEntrance() -> Int? {
        if header == 0 { return nil }
        var found: Int?
        for b in 0..<region.blockCount where !isInside(b) {
            let last = region.lastOp(b)
            let leads = last.opcode == .br && last.c.i == header
            if last.opcode == .brcond, last.c.i == header || last.d.i == header { return nil }
            if leads, found != nil { return nil }
            if leads { found = b }
        }
        return found
    }

    /// Makes the ops at `start` a block that every way into the loop goes through. Block 0 stays the entry.
    private func addPreheader(_ start: Int, _ end: Int) {
        var block = Block(
            start: UInt32(truncatingIfNeeded: start), end: UInt32(truncatingIfNeeded: end),
            guestPC: region.blocks[header].guestPC, isCold: region.blocks[header].isCold)
        if header == 0 {
            let new = region.addBlock(region.blocks[0])
            region.blocks[0] = block
            graph.stamp[new] = 1
            graph.stamp[0] = 0
            for b in 0...new { retarget(b, from: 0, to: new) }
        } else {
            block.isLoopHeader = false
            let new = region.addBlock(block)
            graph.stamp[new] = 0
            for b in 0..<new where !isInside(b) { retarget(b, from: header, to: new) }
        }
    }

    private func retarget(_ b: Int, from: Int, to: Int) {
        region.end(of: b).pointee.mapSuccessors { $0.i == from ? Temp(to) : $0 }
    }
}
