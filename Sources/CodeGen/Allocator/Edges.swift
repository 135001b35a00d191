// Block borders: which registers hold what at a block's entry, and the fix-ups that make an edge agree with it.

import IR

extension Allocator {
    // MARK: Terminators

    /// Makes the state agree with the entry of `target`, fixing that entry when this is the first edge to reach it.
    mutating func edge(to target: Int) {
        if !hasEntry[target] { fixEntry(target) }
        conform(to: target)
    }

    mutating func branch(_ i: Int, _ op: UnsafeMutablePointer<Op>) {
        let taken = op.pointee.c.i
        let other = op.pointee.d.i
        // Both ways leave the region: write back once, before the branch.
        let leaves = isFlat || isPlainExit(taken) && isPlainExit(other)
        if leaves { writeBackGlobals() }
        let row = rows[Int(op.pointee.opcode.rawValue)]
        let u = uses + i &* 5
        var locked = RegisterSet()
        var memoryTaken = false
        let a = branchSource(op.pointee.a, row.a, u[0], &locked, &memoryTaken)
        let b = branchSource(op.pointee.b, row.b, u[1], &locked, &memoryTaken)
        next[op.pointee.a.i] = u[0]
        next[op.pointee.b.i] = u[1]
        releaseTemp(op.pointee.a)
        releaseTemp(op.pointee.b)
        if leaves {
            // Nothing is dirty and nothing is read there: no register needs to be known.
            out.append(Step(.op, a: a, b: b, index: UInt32(i), label: UInt32(taken), label2: UInt32(other)))
            if isFlat { return }
            leaveState()
            hasEntry[taken] = true
            hasEntry[other] = true
            entry(taken).clear()
            entry(other).clear()
            return
        }
        if !hasEntry[taken] { fixEntry(taken) }
        if !hasEntry[other] { fixEntry(other) }
        let takenLabel = conforms(to: taken) ? UInt32(taken) : newLabel()
        let otherLabel = conforms(to: other) ? UInt32(other) : newLabel()
        out.append(Step(.op, a: a, b: b, index: UInt32(i), label: takenLabel, label2: otherLabel))
        if otherLabel != UInt32(other) { fixUpEdge(otherLabel, to: other) }
        if takenLabel != UInt32(taken) { fixUpEdge(takenLabel, to: taken) }
    }

    /// Releases the register of a temp that is not needed any more.
    private mutating func releaseTemp(_ t: Temp) {
        if t.i >= region.globalCount, next[t.i] == NextUse.dead, place[t.i] != 255 { release(place[t.i]) }
    }

    private mutating func newLabel() -> UInt32 {
        labelCount += 1
        return UInt32(labelCount - 1)
    }

    private mutating func fixUpEdge(_ label: UInt32, to target: Int) {
        branchState.copy(state)
        let savedFree = free
        out.append(Step(.label, label: label))
        out.append(Step(.resetState))
        for i in 0..<orderCount {
            let r = order[i]
            if let t = owner(r), isDirty(r), t < region.globalCount { out.append(Step(.dirty, a: r, index: UInt32(t))) }
        }
        conform(to: target)
        out.append(Step(.jump, label: UInt32(target)))
        // The other edge starts from the same state.
        for i in 0..<orderCount { if let t = owner(order[i]) { place[t] = 255 } }
        state.copy(branchState)
        free = savedFree
        for i in 0..<orderCount { if let t = owner(order[i]) { place[t] = order[i] } }
    }

    private mutating func branchSource(
        _ t: Temp, _ rule: OperandRule, _ nextUse: UInt32, _ locked: inout RegisterSet, _ memoryTaken: inout Bool
    ) -> UInt8 {
        if region.temps[t.i].kind == .const {
            let v = region.temps[t.i].value
            if rule.allowsAnyConstant || (rule.allowsConstant32 && v == Int64(Int32(truncatingIfNeeded: v))) {
                return Place.constant
            }
        } else if place[t.i] == 255, rule.allowsMemory, !memoryTaken, nextUse >= NextUse.home {
            memoryTaken = true
            return Place.memory
        }
        let current = place[t.i]
        if current != 255, locked.has(current) { return current }
        let r = load(t, avoid: locked)
        locked.insert(RegisterSet(r))
        return r
    }

    /// An exit that one branch leads to.
    func isPlainExit(_ block: Int) -> Bool {
        predecessors[block] == 1 && isExitOnly(block)
    }

    /// A block of one op that leaves the region and reads no value.
    func isExitOnly(_ block: Int) -> Bool {
        let b = region.blocks[block]
        guard b.end == b.start &+ 1 else { return false }
        let opcode = region.ops[Int(b.start)].opcode
        return opcode == .gotoTB || opcode == .exitTB
    }

    // MARK: Entry states

    /// The first edge reaches `target`: decides the state at its entry.
    private mutating func fixEntry(_ target: Int) {
        hasEntry[target] = true
        if region.blocks[target].isLoopHeader {
            chooseHeaderState(target)
            return
        }
        let result = entry(target)
        result.clear()
        let joins = predecessors[target] > 1
        for i in 0..<orderCount {
            let r = order[i]
            guard let t = owner(r), region.temps[t].kind != .const else { continue }
            let d = entryDistance(target, t)
            if t < region.globalCount {
                // A clean value that nobody reads soon is not worth a load on the other edges.
                if joins, !isDirty(r), d >= NextUse.home { continue }
            } else if d == NextUse.dead {
                continue
            }
            result.owner[Int(r)] = state.owner[Int(r)]
        }
    }

    /// Distance of the next use of `t` from the start of `block`.
    private func entryDistance(_ block: Int, _ t: Int) -> UInt32 {
        let v = variableOf[t]
        return v == 0 ? NextUse.dead : distance(block, Int(v) - 1)
    }

    /// A loop header's state: the variables used most in the loop, in registers; dirty when the loop writes them or they come so.
    mutating func chooseHeaderState(_ header: Int) {
        // Weights and writes by variable, over the blocks of the loop.
        findLoop(header)
        let count = variableCount
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: count * 2 + 1) { scratch in
            let weight = scratch.baseAddress!
            let written = weight + count
            for v in 0..<count * 2 { weight[v] = 0 }
            for b in 0..<region.blockCount where isInLoop[b] && !region.blocks[b].isCold {
                weigh(b, self.weight(of: b, inLoopAt: header), weight, written)
            }
            let result = entry(header)
            result.clear()
            place(result, header, weight, written, count, .general, reserve: 3)
            place(result, header, weight, written, count, .float, reserve: 3)
        }
    }

    private func weigh(
        _ block: Int, _ step: UInt32, _ weight: UnsafeMutablePointer<UInt32>, _ written: UnsafeMutablePointer<UInt32>
    ) {
        let b = region.blocks[block]
        for i in Int(b.start)..<Int(b.end) {
            let op = region.ops[i]
            let sources = table.sources(op)
            if table[op.opcode].hasResult, let v = variable(op.dst) {
                weight[v] &+= step
                written[v] = 1
            }
            op.forEachSource(sources) { if let v = variable($0) { weight[v] &+= step } }
        }
    }

    private func variable(_ t: Temp) -> Int? {
        if t.isNone { return nil }
        let v = variableOf[t.i]
        return v == 0 ? nil : Int(v) - 1
    }

    private func place(
        _ result: RegisterState, _ header: Int, _ weight: UnsafeMutablePointer<UInt32>,
        _ written: UnsafeMutablePointer<UInt32>, _ count: Int, _ registers: RegisterSet, reserve: Int
    ) {
        var available = RegisterSet(rawValue: host.allocatable.rawValue & registers.rawValue)
        var left = available.rawValue.nonzeroBitCount - reserve
        while left > 0 {
            var best = -1
            for v in 0..<count where weight[v] > (best < 0 ? 0 : weight[best]) {
                let t = Int(variables[v])
                if classOf(t) == registers { best = v }
            }
            if best < 0 { break }
            let t = Int(variables[best])
            weight[best] = 0
            // A temp that is not live at the header has no value to hold: not every edge brings it.
            if t >= region.globalCount, entryDistance(header, t) == NextUse.dead { continue }
            // Keep the register it is in, or had last.
            var r = place[t] != 255 ? place[t] : preferred[t]
            if r == 255 || !available.has(r) {
                r = 255
                for i in 0..<orderCount where available.has(order[i]) {
                    r = order[i]
                    break
                }
            }
            if r == 255 { return }
            available.remove(RegisterSet(r))
            let isWritten = written[best] != 0
            // What is dirty now stays so: a store here would be run each time round an outer loop, and a temp may have no home.
            let dirty = isWritten || (place[t] != 255 && isDirty(place[t]))
            result.owner[Int(r)] = UInt32(t) << 1 | (dirty ? 1 : 0)
            left -= 1
        }
        if left > 0 { keepOthers(result, header, available, left) }
    }

    /// What the loop does not use stays in its register while there is room: it needs neither a store before the loop nor a load
    /// after it.
    private func keepOthers(_ result: RegisterState, _ header: Int, _ available: RegisterSet, _ room: Int) {
        var left = room
        for i in 0..<orderCount where left > 0 && available.has(order[i]) {
            let r = order[i]
            guard let t = owner(r), region.temps[t].kind != .const else { continue }
            let d = entryDistance(header, t)
            if t < region.globalCount ? !isDirty(r) && d >= NextUse.home : d == NextUse.dead { continue }
            result.owner[Int(r)] = state.owner[Int(r)]
            left -= 1
        }
    }

    // MARK: Loops

    /// Finds the innermost loop around the block at this place of the layout, whose registers are to be kept for what they
    /// hold at its head.
    mutating func enterLoop(around place: Int) {
        loopState = nil
        loopRegisters = RegisterSet()
        for l in stride(from: place, through: 0, by: -1) {
            let header = Int(layout[l])
            guard region.blocks[header].isLoopHeader, hasEntry[header], Int(loopEnd[header]) >= place else { continue }
            let head = entry(header)
            loopState = head
            for i in 0..<orderCount where head.owner[Int(order[i])] != RegisterState.empty {
                let r = order[i]
                loopRegisters.insert(RegisterSet(r))
                let t = Int(head.owner[Int(r)] &>> 1)
                if t < region.globalCount { preferred[t] = r }
            }
            return
        }
    }

    /// Does the end of the loop around here want `t` in `r`?
    @inline(__always) func isAtLoopHead(_ t: Int, _ r: UInt8) -> Bool {
        guard r != 255, let loopState else { return false }
        return loopState.owner[Int(r)] &>> 1 == UInt32(truncatingIfNeeded: t)
    }

    // MARK: Conforming

    /// True when the state already agrees with the entry of `target`: no fix-up needed.
    private func conforms(to target: Int) -> Bool {
        for i in 0..<orderCount {
            let r = Int(order[i])
            let want = entry(target).owner[r]
            let have = state.owner[r]
            if want != RegisterState.empty {
                if have == RegisterState.empty || have >> 1 != want >> 1 { return false }
                if have & 1 != 0, want & 1 == 0 { return false }
            } else if have != RegisterState.empty, have & 1 != 0, isValueNeeded(Int(have >> 1), target) {
                return false
            }
        }
        return true
    }

    /// Must the value of a dirty register that `target` does not expect be stored?
    private func isValueNeeded(_ t: Int, _ target: Int) -> Bool {
        t < region.globalCount || entryDistance(target, t) != NextUse.dead
    }

    /// Emits stores, moves and loads until the state is the entry state of `target`.
    mutating func conform(to target: Int) {
        // Stores: dirty here, but expected clean or not in a register at all.
        for i in 0..<orderCount {
            let r = order[i]
            guard let t = owner(r), isDirty(r), region.temps[t].kind != .const else { continue }
            let expected = expectation(target, t)
            if expected == RegisterState.empty ? isValueNeeded(t, target) : expected & 1 == 0 { writeBack(r) }
        }
        var moves = ParallelMoves(moveStorage, loadStorage)
        for i in 0..<orderCount {
            let r = order[i]
            let want = entry(target).owner[Int(r)]
            guard want != RegisterState.empty else { continue }
            let t = Int(want >> 1)
            if place[t] == 255 {
                moves.addLoad(Temp(t), to: r)
            } else {
                moves.add(from: place[t], to: r, temp: UInt32(t))
            }
        }
        emit(&moves)
        for i in 0..<orderCount { if let t = owner(order[i]) { place[t] = 255 } }
        state.copy(entry(target))
        free = host.allocatable
        for i in 0..<orderCount {
            let r = order[i]
            if let t = owner(r) {
                place[t] = r
                free.remove(RegisterSet(r))
            }
        }
    }

    /// The entry of `target` for temp `t`: owner word, or `empty`.
    private func expectation(_ target: Int, _ t: Int) -> UInt32 {
        for i in 0..<orderCount {
            let want = entry(target).owner[Int(order[i])]
            if want != RegisterState.empty, Int(want >> 1) == t { return want }
        }
        return RegisterState.empty
    }
}
