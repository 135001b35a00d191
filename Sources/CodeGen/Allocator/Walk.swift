// The forward walk over one block's ops: brings sources where the op's row wants them, chooses the result's register, emits
// the steps.

import IR

extension Allocator {
    mutating func walk(_ block: Int, _ helpers: UnsafePointer<HelperEffects>) {
        startBackward(block)
        scanBackward(block, record: true)
        let b = region.blocks[block]
        for i in Int(b.start)..<Int(b.end) {
            let op = region.ops + i
            switch op.pointee.opcode {
            case .mov:
                move(i, op)
            case .call:
                call(i, op, helpers[Int(op.pointee.imm)])
            case .br:
                edge(to: op.pointee.c.i)
                out.append(Step(.jump, label: op.pointee.c.index))
            case .brcond:
                branch(i, op)
            default:
                let row = table[op.pointee.opcode]
                if row.isBare, rows[Int(op.pointee.opcode.rawValue)].clobbers.rawValue == 0 {
                    out.append(Step(.op, index: UInt32(truncatingIfNeeded: i)))
                    break
                }
                if row.isExit { writeBackGlobals() }
                general(i, op, row)
            }
            if out.s.pointee.failed { return }
        }
    }

    // MARK: Ops by row

    @inline(__always) private func fitsConstant(_ t: Temp, _ rule: OperandRule) -> Bool {
        if region.temps[t.i].kind != .const { return false }
        if rule.allowsAnyConstant { return true }
        if !rule.allowsConstant32 { return false }
        let v = region.temps[t.i].value
        return v == Int64(Int32(truncatingIfNeeded: v))
    }

    private mutating func general(_ i: Int, _ op: UnsafeMutablePointer<Op>, _ word: OpcodeTable.Word) {
        let row = rows[Int(op.pointee.opcode.rawValue)]
        let sources = word.sources
        let u = uses + i &* 5
        var places: (UInt8, UInt8, UInt8, UInt8) = (Place.none, Place.none, Place.none, Place.none)
        var locked = RegisterSet()
        var memoryTaken = false

        let hasResult = word.hasResult
        if hasResult, u[4] == NextUse.dead, !word.hasEffects {
            skip(op, sources, u)
            return
        }
        let keepsOldResult = row.earlyResult && hasResult && word.has(.fault)

        if row.isPlain {
            places = plainSources(op, row, u, sources, &locked)
        } else if sources > 0 {
            // Fixed registers first, so that nothing else is put there.
            var fixed = row.clobbers
            if row.fixedResult != 255 { fixed.insert(RegisterSet(row.fixedResult)) }
            // The result's old value lives on through an op that may fault.
            let kept = keepsOldResult ? op.pointee.dst : Temp.none
            if row.a.isFixed && !fitsConstant(op.pointee.a, row.a) {
                places.0 = fix(op.pointee.a, row.a, op.pointee.a == kept ? NextUse.home : u[0], fixed)
                locked.insert(RegisterSet(places.0))
            }
            if sources > 1, row.b.isFixed && !fitsConstant(op.pointee.b, row.b) {
                places.1 = fix(op.pointee.b, row.b, op.pointee.b == kept ? NextUse.home : u[1], fixed.union(locked))
                locked.insert(RegisterSet(places.1))
            }
            if sources > 2, row.c.isFixed && !fitsConstant(op.pointee.c, row.c) {
                places.2 = fix(op.pointee.c, row.c, op.pointee.c == kept ? NextUse.home : u[2], fixed.union(locked))
                locked.insert(RegisterSet(places.2))
            }
            // What else lives in registers that the op overwrites moves away.
            if fixed.rawValue != 0 { vacate(fixed, except: locked, avoid: fixed.union(locked)) }
            let avoid = fixed.union(locked)
            let early = row.earlyResult ? fixed : RegisterSet()
            places.0 =
                places.0 == Place.none
                ? source(op.pointee.a, row.a, u[0], avoid, early, &locked, &memoryTaken) : places.0
            if sources > 1, places.1 == Place.none {
                places.1 = source(op.pointee.b, row.b, u[1], avoid.union(locked), early, &locked, &memoryTaken)
            }
            if sources > 2, places.2 == Place.none {
                places.2 = source(op.pointee.c, row.c, u[2], avoid.union(locked), early, &locked, &memoryTaken)
            }
            if sources > 3 {
                places.3 = source(op.pointee.d, row.d, u[3], avoid.union(locked), early, &locked, &memoryTaken)
            }
            // The values' next uses are now those after the op; what is dead leaves its register.
            op.pointee.enumerateSources(sources) { k, t in next[t.i] = u[k] }
        } else {
            var fixed = row.clobbers
            if row.fixedResult != 255 { fixed.insert(RegisterSet(row.fixedResult)) }
            if fixed.rawValue != 0 { vacate(fixed, except: [], avoid: fixed) }
        }

        guard hasResult else {
            if sources > 0 { releaseDead(op, sources) }
            out.append(
                Step(.op, a: places.0, b: places.1, c: places.2, d: places.3, index: UInt32(truncatingIfNeeded: i)))
            freeDeadSlots(op, sources)
            return
        }

        let dst = op.pointee.dst.i
        let old = place[dst]  // the register of a global's (or local's) old value
        if !row.earlyResult { releaseDead(op, sources) }
        var result: UInt8 = 255
        let resultClass = classOf(dst)
        if row.fixedResult != 255 {
            result = row.fixedResult
        } else {
            var avoid = row.clobbers
            if row.earlyResult {
                avoid = avoid.union(locked)
                if keepsOldResult, old != 255 { avoid.insert(RegisterSet(old)) }
            } else if old != 255, !row.clobbers.has(old), free.has(old) || owner(old) == dst {
                // The old value is not needed beyond this op: overwrite it in place.
                result = old
            }
            if result == 255, dst >= region.globalCount, becomes[dst] != .max {
                result = registerToBecome(Int(becomes[dst]), avoid, resultClass)
            }
            if result == 255 {
                let wanted = preferred[dst]
                if wanted != 255, free.has(wanted), !avoid.has(wanted), resultClass.has(wanted) {
                    result = wanted
                } else if row.resultPrefersA, places.0 < 64, free.has(places.0), !avoid.has(places.0),
                    resultClass.has(places.0)
                {
                    result = places.0
                } else if row.resultPrefersA, places.0 < 64, !avoid.has(places.0), resultClass.has(places.0),
                    isSpare(places.0, op.pointee.a.i)
                {
                    release(places.0)
                    result = places.0
                } else {
                    var lockedNow = avoid
                    // Sources that live on must keep their registers through the op.pointee.
                    lockedNow = lockedNow.union(stillOwned(locked))
                    if old != 255 { lockedNow.insert(RegisterSet(old)) }
                    result = takeRegister(resultClass, avoid: lockedNow)
                }
            }
        }
        out.append(
            Step(
                .op, dst: result, a: places.0, b: places.1, c: places.2, d: places.3,
                index: UInt32(truncatingIfNeeded: i)))
        if row.earlyResult { releaseDead(op, sources) }
        freeDeadSlots(op, sources)
        define(dst, result, u[4])
    }

    /// Holds `r` a clean copy of `t` that nothing needs soon, or a constant? A result may take its place.
    @inline(__always) private func isSpare(_ r: UInt8, _ t: Int) -> Bool {
        guard owner(r) == t else { return false }
        return region.temps[t].kind == .const || next[t] >= NextUse.home && !isDirty(r)
    }

    /// The register for a temp that ends as global `g`: the one that `g` has, if its value is not needed, or had.
    private mutating func registerToBecome(_ g: Int, _ avoid: RegisterSet, _ registers: RegisterSet) -> UInt8 {
        var r = place[g]
        if r == 255 {
            r = preferred[g]
            return r != 255 && free.has(r) && !avoid.has(r) && registers.has(r) ? r : 255
        }
        if next[g] != NextUse.dead || avoid.has(r) || !registers.has(r) { return 255 }
        evict(r)
        return r
    }

    /// Places the sources of an op whose row names no register; the values' next uses are then those after the op.
    @inline(__always)
    private mutating func plainSources(
        _ op: UnsafeMutablePointer<Op>, _ row: ConstraintRow, _ u: UnsafeMutablePointer<UInt32>, _ sources: Int,
        _ locked: inout RegisterSet
    ) -> (UInt8, UInt8, UInt8, UInt8) {
        var places = (Place.none, Place.none, Place.none, Place.none)
        if sources == 0 { return places }
        var memoryTaken = false
        places.0 = source(op.pointee.a, row.a, u[0], [], [], &locked, &memoryTaken)
        if sources > 1 { places.1 = source(op.pointee.b, row.b, u[1], locked, [], &locked, &memoryTaken) }
        if sources > 2 { places.2 = source(op.pointee.c, row.c, u[2], locked, [], &locked, &memoryTaken) }
        if sources > 3 { places.3 = source(op.pointee.d, row.d, u[3], locked, [], &locked, &memoryTaken) }
        op.pointee.enumerateSources(sources) { k, t in next[t.i] = u[k] }
        return places
    }

    /// The result of an op is in `r` now: it becomes the value of `dst`.
    private mutating func define(_ dst: Int, _ r: UInt8, _ nextUse: UInt32) {
        let old = place[dst]
        if old != 255 { release(old) }
        if owner(r) != nil { release(r) }
        next[dst] = nextUse
        if dst < region.globalCount {
            setOwner(r, dst, dirty: true)
            out.append(Step(.dirty, a: r, index: UInt32(dst)))
        } else if nextUse == NextUse.dead {
            free.insert(RegisterSet(r))
        } else {
            setOwner(r, dst, dirty: true)
        }
    }

    /// Leaves out an op whose result nobody sees.
    private mutating func skip(_ op: UnsafeMutablePointer<Op>, _ sources: Int, _ u: UnsafeMutablePointer<UInt32>) {
        op.pointee.enumerateSources(sources) { k, t in next[t.i] = u[k] }
        next[op.pointee.dst.i] = NextUse.dead
        releaseDead(op, sources, hasResult: false)
        freeDeadSlots(op, sources)
    }

    private func stillOwned(_ set: RegisterSet) -> RegisterSet {
        RegisterSet(rawValue: set.rawValue & ~free.rawValue)
    }

    /// Releases the registers of sources whose values are not needed any more.
    @inline(__always)
    private mutating func releaseDead(_ op: UnsafeMutablePointer<Op>, _ sources: Int, hasResult: Bool = true) {
        let dst = hasResult ? op.pointee.dst : .none
        op.pointee.forEachSource(sources) { releaseIfDead($0, dst) }
    }

    @inline(__always) private mutating func releaseIfDead(_ t: Temp, _ dst: Temp) {
        guard next[t.i] == NextUse.dead else { return }
        let r = place[t.i]
        if r == 255 { return }
        // A global that this op redefines: `define` replaces it (recovery still names its register at this op).
        if t.i < region.globalCount {
            if t == dst {
                free.insert(RegisterSet(r))
                return
            }
            if isDirty(r) { return }
        }
        release(r)
    }

    /// Gives back the slots of sources that are not needed any more. After the op: it may read them.
    private mutating func freeDeadSlots(_ op: UnsafeMutablePointer<Op>, _ sources: Int) {
        if !hasSlots { return }
        op.pointee.forEachSource(sources) { if next[$0.i] == NextUse.dead { freeSlot($0.i) } }
    }

    private mutating func freeSlot(_ t: Int) {
        guard t >= region.globalCount else { return }
        let slot = Int(out.s.pointee.homeSlot[t])
        // Slots of values that cross blocks stay taken: another path may still read them. So do those of locals, which may
        // be assigned again.
        if slot >= 0, region.blockCount == 1, region.temps[t].kind == .temp { slotUsed[slot] = false }
    }

    /// Brings `t` into its fixed register. `overwritten`: registers the op overwrites, that one perhaps among them.
    private mutating func fix(_ t: Temp, _ rule: OperandRule, _ nextUse: UInt32, _ overwritten: RegisterSet) -> UInt8 {
        let r = rule.fixedRegister
        let current = place[t.i]
        if current == r {
            // A value that lives on moves to another register when the op overwrites this one; a copy stays for the op.pointee.
            if nextUse != NextUse.dead, overwritten.has(r) {
                relocate(r, to: takeRegister(classOf(t.i), avoid: overwritten.union(RegisterSet(r))))
            }
            return r
        }
        if owner(r) != nil { moveAway(r, avoid: overwritten.union(RegisterSet(r))) }
        if current != 255 {
            out.append(Step(.move, dst: r, a: current, index: t.index))
        } else if region.temps[t.i].kind == .const {
            out.append(Step(.constant, dst: r, index: t.index))
        } else {
            out.append(Step(.load, dst: r, index: t.index))
        }
        return r
    }

    /// Frees register `r`, keeping its value in another register when one is free.
    private mutating func moveAway(_ r: UInt8, avoid: RegisterSet) {
        guard let t = owner(r) else { return }
        let candidates = RegisterSet(rawValue: free.rawValue & classOf(t).rawValue & ~avoid.rawValue)
        if next[t] < NextUse.home, candidates.rawValue != 0 {
            for i in 0..<orderCount where candidates.has(order[i]) {
                relocate(r, to: order[i])
                return
            }
        }
        evict(r)
    }

    private mutating func vacate(_ registers: RegisterSet, except: RegisterSet, avoid: RegisterSet) {
        var rest = registers.rawValue & host.allocatable.rawValue & ~except.rawValue
        while rest != 0 {
            let r = UInt8(truncatingIfNeeded: rest.trailingZeroBitCount)
            rest &= rest &- 1
            if owner(r) != nil { moveAway(r, avoid: avoid) }
        }
    }

    /// A source without a fixed register. `early`: registers that the op writes before it has read this source.
    private mutating func source(
        _ t: Temp, _ rule: OperandRule, _ nextUse: UInt32, _ avoid: RegisterSet, _ early: RegisterSet,
        _ locked: inout RegisterSet, _ memoryTaken: inout Bool
    ) -> UInt8 {
        let current = place[t.i]
        if region.temps[t.i].kind == .const {
            if fitsConstant(t, rule) { return Place.constant }
        } else if current == 255, rule.allowsMemory, !memoryTaken, nextUse >= NextUse.home {
            memoryTaken = true
            return Place.memory
        }
        // A register that another operand holds as a copy is not in `avoid`'s way when it is the value's own.
        if current != 255, locked.has(current), !early.has(current) { return current }
        let r = load(t, avoid: avoid)
        locked.insert(RegisterSet(r))
        return r
    }

    // MARK: Moves

    private mutating func move(_ i: Int, _ op: UnsafeMutablePointer<Op>) {
        let u = uses + i &* 5
        let dst = op.pointee.dst.i
        let source = op.pointee.a.i
        if dst == source {
            next[dst] = u[4]
            return
        }
        next[source] = u[0]
        let isConstant = region.temps[source].kind == .const
        if u[4] == NextUse.recovery {
            if place[dst] != 255 { release(place[dst]) }
            out.append(
                Step(
                    .dirty, a: isConstant ? Place.constant : Place.memory, index: UInt32(dst),
                    index2: op.pointee.a.index))
            next[dst] = NextUse.recovery
            return
        }
        if isConstant {
            constantMove(dst, op.pointee.a, u[4])
            return
        }
        let current = place[source]
        if current != 255, u[0] == NextUse.dead, source >= region.globalCount {
            // The temp ends here: its register becomes the destination's.
            release(current)
            freeSlot(source)
            define(dst, current, u[4])
            return
        }
        if u[4] == NextUse.dead { return }
        let r: UInt8
        let old = place[dst]
        if old != 255 {
            r = old
        } else if preferred[dst] != 255, free.has(preferred[dst]) {
            r = preferred[dst]
        } else {
            r = takeRegister(classOf(dst), avoid: current == 255 ? [] : RegisterSet(current))
        }
        if current != 255 {
            out.append(Step(.move, dst: r, a: current, index: op.pointee.a.index))
        } else {
            out.append(Step(.load, dst: r, index: op.pointee.a.index))
        }
        define(dst, r, u[4])
        if u[0] == NextUse.dead, place[source] != 255, source >= region.globalCount {
            release(place[source])
            freeSlot(source)
        }
    }

    /// A constant into a global: straight to its home when no register use is near.
    private mutating func constantMove(_ dst: Int, _ constant: Temp, _ nextUse: UInt32) {
        if nextUse == NextUse.dead { return }
        let value = region.temps[constant.i].value
        if dst < region.globalCount, nextUse >= NextUse.home, value == Int64(Int32(truncatingIfNeeded: value)) {
            let old = place[dst]
            out.append(Step(.store, a: Place.constant, index: UInt32(dst), index2: constant.index))
            if old != 255 { release(old) }
            next[dst] = nextUse
            return
        }
        let old = place[dst]
        let r = old != 255 ? old : takeRegister(classOf(dst), avoid: [])
        out.append(Step(.constant, dst: r, index: constant.index))
        define(dst, r, nextUse)
    }

    // MARK: Calls

    private mutating func call(_ i: Int, _ op: UnsafeMutablePointer<Op>, _ helper: HelperEffects) {
        let u = uses + i &* 5
        let count = op.pointee.callArguments
        if helper.has(.readsGlobals) { writeBackGlobals() }
        // What the call would destroy goes home first; registers stay as they are until the arguments are placed.
        let destroyed = RegisterSet(rawValue: host.allocatable.rawValue & ~host.calleeSaved.rawValue)
        let arguments: InlineArray<4, Temp> = [op.pointee.a, op.pointee.b, op.pointee.c, op.pointee.d]
        for k in 0..<count { next[arguments[k].i] = u[k] }
        var rest = destroyed.rawValue
        while rest != 0 {
            let r = UInt8(truncatingIfNeeded: rest.trailingZeroBitCount)
            rest &= rest &- 1
            if let t = owner(r), next[t] != NextUse.dead, region.temps[t].kind != .const { writeBack(r) }
        }
        var moves = ParallelMoves(moveStorage, loadStorage)
        for k in 0..<count {
            let t = arguments[k]
            let to = argumentRegisters[k]
            if place[t.i] != 255 {
                moves.add(from: place[t.i], to: to, temp: t.index)
            } else {
                moves.addLoad(t, to: to)
            }
        }
        emit(&moves)
        rest = destroyed.rawValue
        while rest != 0 {
            let r = UInt8(truncatingIfNeeded: rest.trailingZeroBitCount)
            rest &= rest &- 1
            if owner(r) != nil {
                if let t = owner(r), isDirty(r), t < region.globalCount { out.append(Step(.clean, index: UInt32(t))) }
                release(r)
            }
        }
        let registers = argumentRegisters
        out.append(
            Step(
                .op, dst: op.pointee.dst.isNone ? Place.none : host.resultRegister,
                a: count > 0 ? registers[0] : Place.none,
                b: count > 1 ? registers[1] : Place.none, c: count > 2 ? registers[2] : Place.none,
                d: count > 3 ? registers[3] : Place.none, index: UInt32(i)))
        if helper.has(.writesGlobals) {
            for k in 0..<orderCount {
                let r = order[k]
                if let t = owner(r), t < region.globalCount {
                    if isDirty(r) { out.append(Step(.clean, index: UInt32(t))) }
                    release(r)
                }
            }
        }
        for k in 0..<count {
            let t = arguments[k]
            if next[t.i] == NextUse.dead, place[t.i] != 255, t.i >= region.globalCount { release(place[t.i]) }
        }
        if !op.pointee.dst.isNone { define(op.pointee.dst.i, host.resultRegister, u[4]) }
    }

    /// Emits moves (cycles through the scratch registers), then loads.
    mutating func emit(_ moves: inout ParallelMoves) {
        moves.resolve(scratchGeneral: host.scratchGeneral, scratchFloat: host.scratchFloat) { from, to, temp in
            out.append(Step(.move, dst: to, a: from, index: temp))
        }
        for k in 0..<moves.loadCount {
            let load = moves.loads[k]
            let isConst = region.temps[Int(load.temp)].kind == .const
            out.append(Step(isConst ? .constant : .load, dst: load.to, index: load.temp))
        }
    }
}
