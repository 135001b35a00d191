// The order in which blocks are to lie, and which of them head loops: a walk along the branches, depth first, that goes the
// less likely way first, so that in the reverse of the order in which it finishes blocks
//
// - a block comes after all blocks that lead to it, but for the ends of loops,
// - the likeliest successor comes next, and what leaves a loop comes after the loop,
// - cold blocks, and those that only cold blocks lead to, come last.
//
// A branch to a block that the walk is still inside of closes a loop: that block is the loop's header.

import IR

struct BlockOrder {
    let region: Region
    let graph: Graph

    /// What the walk knows of a block: nothing yet, that it is inside of it, or that it is done with it.
    private enum State {
        static let new: UInt32 = 0
        static let inside: UInt32 = 1
        static let done: UInt32 = 2
    }

    /// Fills `graph.list` with the reachable blocks in their new order and sets `isLoopHeader` and `isCold`. Wants
    /// `graph.position`. Returns how many blocks there are.
    func find() -> Int {
        let state = graph.stamp
        let stack = graph.map
        state.update(repeating: State.new, count: region.blockCount)
        for b in 0..<region.blockCount { region.blocks[b].isLoopHeader = false }
        var depth = 0
        var first = region.blockCount
        stack[0] = 0
        state[0] = State.inside
        while depth >= 0 {
            let b = Int(stack[depth])
            if let next = nextSuccessor(of: b, state) {
                depth &+= 1
                stack[depth] = UInt32(truncatingIfNeeded: next)
                state[next] = State.inside
            } else {
                state[b] = State.done
                first &-= 1
                graph.list[first] = UInt32(truncatingIfNeeded: b)
                depth &-= 1
            }
        }
        let count = region.blockCount &- first
        for i in 0..<count { graph.list[i] = graph.list[first &+ i] }
        moveColdLast(count)
        return count
    }

    /// The successor to go to next: the less likely one of those that are new.
    private func nextSuccessor(of b: Int, _ state: UnsafeMutablePointer<UInt32>) -> Int? {
        let last = region.lastOp(b)
        guard last.opcode == .br || last.opcode == .brcond else { return nil }
        let c = last.c.i
        if state[c] == State.inside { region.blocks[c].isLoopHeader = true }
        let first: Int? = state[c] == State.new ? c : nil
        guard last.opcode == .brcond else { return first }
        let d = last.d.i
        if state[d] == State.inside { region.blocks[d].isLoopHeader = true }
        guard state[d] == State.new else { return first }
        guard let first else { return d }
        return isLikelier(first, than: d) ? d : first
    }

    /// What lies first now is the likelier one of two that are as likely.
    private func isLikelier(_ a: Int, than b: Int) -> Bool {
        let x = region.blocks[a], y = region.blocks[b]
        if x.isCold != y.isCold { return y.isCold }
        if x.weight != y.weight { return x.weight > y.weight }
        return graph.position[a] < graph.position[b]
    }

    private func moveColdLast(_ count: Int) {
        /// Blocks that a way without cold blocks leads to.
        let isHot = graph.stamp
        isHot.update(repeating: 0, count: region.blockCount)
        isHot[0] = 1
        region.blocks[0].isCold = false
        for i in 0..<count {
            let b = Int(graph.list[i])
            if isHot[b] == 0 || region.blocks[b].isCold { continue }
            for next in region.successors(of: b) { isHot[next] = 1 }
        }
        var hot = 0
        var cold = 0
        for i in 0..<count {
            let b = graph.list[i]
            if isHot[Int(b)] == 0 { region.blocks[Int(b)].isCold = true }
            if region.blocks[Int(b)].isCold {
                graph.map[cold] = b
                cold &+= 1
            } else {
                graph.list[hot] = b
                hot &+= 1
            }
        }
        for i in 0..<cold { graph.list[hot &+ i] = graph.map[i] }
    }
}
