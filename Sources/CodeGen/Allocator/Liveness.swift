// Next uses: per block by one backward scan; across blocks, for regions that have several, by a small fixed-point iteration
// over the variables that cross block borders.

import IR

extension Allocator {
    /// Variables: every global, and the temps that are used in another block than the one that defines them.
    mutating func findVariables() {
        let temps = region.tempCount
        variableOf.update(repeating: 0, count: temps)
        variableCount = 0
        for g in 0..<region.globalCount { addVariable(g) }
        // `next` is free here: home block + 1 of each temp.
        for b in 0..<region.blockCount {
            let block = region.blocks[b]
            for i in Int(block.start)..<Int(block.end) {
                let op = region.ops[i]
                let sources = table.sources(op)
                if table[op.opcode].hasResult { note(op.dst, b) }
                op.forEachSource(sources) { note($0, b) }
            }
        }
        next.update(repeating: NextUse.dead, count: temps)
    }

    private mutating func addVariable(_ t: Int) {
        variables[variableCount] = UInt32(t)
        variableCount += 1
        variableOf[t] = UInt32(variableCount)
    }

    @inline(__always) private mutating func note(_ t: Temp, _ block: Int) {
        if t.isNone || t.i < region.globalCount || region.temps[t.i].kind == .const { return }
        let seen = next[t.i]
        if seen == NextUse.dead {
            next[t.i] = UInt32(block)
        } else if seen != UInt32(block), variableOf[t.i] == 0 {
            addVariable(t.i)
        }
    }

    @inline(__always) func distance(_ block: Int, _ variable: Int) -> UInt32 {
        distances[block * variableCount + variable]
    }

    /// Distances (in ops) from each block's start to each variable's next use, over all paths. The ops are looked at once; what
    /// remains are rows of numbers.
    mutating func flowDistances() {
        let n = region.blockCount
        let needed = n * variableCount
        if needed * 2 > distanceCapacity {
            distances.deallocate()
            distanceCapacity = needed * 4
            distances = .allocate(capacity: distanceCapacity)
        }
        distances.update(repeating: NextUse.dead, count: needed)
        for b in 0..<n { scanAlone(b, into: distances + (needed + b * variableCount)) }
        var changed = true
        var rounds = 0
        while changed && rounds < n + 2 {
            changed = false
            rounds += 1
            for i in stride(from: n - 1, through: 0, by: -1) {
                let block = Int(layout[i])
                if flow(block, distances + (needed + block * variableCount)) { changed = true }
            }
        }
        next.update(repeating: NextUse.dead, count: region.tempCount)
    }

    /// The distances from the block's start to what happens in the block; `NextUse.limit` where nothing does.
    private mutating func scanAlone(_ block: Int, into row: UnsafeMutablePointer<UInt32>) {
        for v in 0..<variableCount { next[Int(variables[v])] = NextUse.limit }
        scanBackward(block, record: false)
        for v in 0..<variableCount {
            let d = next[Int(variables[v])]
            row[v] = d < NextUse.home && d & NextUse.definition != 0 ? NextUse.home : d
        }
    }

    /// One step of the iteration at one block. True when the liveness of a variable has changed: that must reach its fixed point,
    /// while distances need only be near.
    private func flow(_ block: Int, _ inside: UnsafeMutablePointer<UInt32>) -> Bool {
        let b = region.blocks[block]
        let length = b.end &- b.start
        let row = distances + block * variableCount
        let globals = region.globalCount
        let last = region.ops + (Int(b.end) - 1)
        var changes: UInt32 = 0
        guard last.pointee.opcode == .br || last.pointee.opcode == .brcond else {
            for v in 0..<variableCount {
                let outside = v < globals ? NextUse.home : NextUse.dead
                changes |= Self.lower(row + v, inside[v] == NextUse.limit ? outside : inside[v])
            }
            return changes != 0
        }
        let taken = distances + last.pointee.c.i * variableCount
        let other = last.pointee.opcode == .br ? taken : distances + last.pointee.d.i * variableCount
        for v in 0..<globals {
            let d = min(taken[v], other[v])
            let outside = d >= NextUse.limit ? NextUse.home : min(d &+ length, NextUse.limit &- 1)
            changes |= Self.lower(row + v, inside[v] == NextUse.limit ? outside : inside[v])
        }
        for v in globals..<variableCount {
            let d = min(taken[v], other[v])
            let outside = d >= NextUse.limit ? d : min(d &+ length, NextUse.limit &- 1)
            changes |= Self.lower(row + v, inside[v] == NextUse.limit ? outside : inside[v])
        }
        return changes != 0
    }

    /// Lowers a distance; 1 when the variable lives only now.
    @inline(__always) private static func lower(_ distance: UnsafeMutablePointer<UInt32>, _ d: UInt32) -> UInt32 {
        let old = distance.pointee
        distance.pointee = min(old, d)
        return old == NextUse.dead && d != NextUse.dead ? 1 : 0
    }

    /// Sets `next` to what is needed at the end of `block`.
    @inline(__always) mutating func startBackward(_ block: Int) {
        let b = region.blocks[block]
        if isFlat {
            for g in 0..<region.globalCount { next[g] = NextUse.home }
            return
        }
        let length = b.end &- b.start
        let last = region.ops[Int(b.end) - 1]
        switch last.opcode {
        case .br:
            for v in 0..<variableCount { next[Int(variables[v])] = after(distance(last.c.i, v), length, v) }
        case .brcond:
            for v in 0..<variableCount {
                let taken = distance(last.c.i, v), other = distance(last.d.i, v)
                next[Int(variables[v])] = after(min(taken, other), length, v)
            }
        default:
            for v in 0..<variableCount {
                next[Int(variables[v])] = v < region.globalCount ? NextUse.home : NextUse.dead
            }
        }
    }

    /// A distance from a successor's start as a position in a block of this length. A global never dies at a border.
    @inline(__always) private func after(_ d: UInt32, _ length: UInt32, _ variable: Int) -> UInt32 {
        if d >= NextUse.limit { return variable < region.globalCount ? NextUse.home : d }
        return min(d &+ length, NextUse.limit &- 1)
    }

    /// Walks the block's ops from the last to the first. With `record`, stores for each operand when it is needed next
    /// after the op. Leaves `next` as it is at the block's start.
    mutating func scanBackward(_ block: Int, record: Bool) {
        let b = region.blocks[block]
        let start = Int(b.start)
        /// The next ops that look at state at all, and that look at homes.
        var nextFault: UInt32 = UInt32(truncatingIfNeeded: Int(b.end) - start)
        var nextHome = nextFault
        if record { definition.update(repeating: .max, count: region.globalCount) }
        var i = Int(b.end) - 1
        while i >= start {
            let op = region.ops + i
            let opcode = op.pointee.opcode
            let row = table[opcode]
            let position = UInt32(truncatingIfNeeded: i &- start)
            let u = uses + i &* 5
            i &-= 1
            if row.hasResult, !op.pointee.dst.isNone {
                let dst = op.pointee.dst
                if dst.i >= region.globalCount {
                    if record { u[4] = resolve(dst, nextFault, position) }
                    next[dst.i] = NextUse.dead
                } else {
                    if record {
                        u[4] = resolve(dst, nextFault, position)
                        if opcode == .mov, u[4] == NextUse.home, isRecovered(op, nextHome) { u[4] = NextUse.recovery }
                        definition[dst.i] = position
                    }
                    next[dst.i] = position | NextUse.definition
                }
            }
            // A point that looks at state: faults, exits, helpers, side exits.
            if row.looksAtState {
                nextFault = position
                if !row.has(.recoverable) { nextHome = position }
            }
            let sources = opcode == .call ? op.pointee.callArguments : row.sources
            if sources == 0 { continue }
            if record {
                op.pointee.enumerateSources(sources) { k, t in u[k] = resolve(t, nextFault, position) }
                if row.hasResult, !op.pointee.dst.isNone, u[0] == NextUse.dead { foresee(op.pointee.a, op.pointee.dst) }
            }
            op.pointee.forEachSource(sources) { next[$0.i] = position }
        }
    }

    /// The value that a `mov` gives to a global, and that ends at the global's next definition, is its source's until then; nothing looks
    /// at homes before.
    private func isRecovered(_ op: UnsafeMutablePointer<Op>, _ nextHome: UInt32) -> Bool {
        let end = definition[op.pointee.dst.i]
        // At `end` itself the value may be looked at still.
        if end == .max || nextHome <= end { return false }
        let source = op.pointee.a
        if region.temps[source.i].kind == .const { return true }
        return source.i < region.globalCount && source != op.pointee.dst && definition[source.i] > end
    }

    /// `a` ends where `dst` is made of it: it should be in that one's register before.
    @inline(__always) private func foresee(_ a: Temp, _ dst: Temp) {
        if a.i < region.globalCount { return }
        becomes[a.i] = dst.i < region.globalCount ? dst.index : becomes[dst.i]
    }

    /// When the value that `t` has at the op at `position` is needed after it. A definition at the op itself ends it.
    @inline(__always) private func resolve(_ t: Temp, _ nextFault: UInt32, _ position: UInt32) -> UInt32 {
        let n = next[t.i]
        if n >= NextUse.home || n & NextUse.definition == 0 { return n }
        let definition = n & NextUse.limit
        return definition == position || nextFault > definition ? NextUse.dead : NextUse.home
    }
}
