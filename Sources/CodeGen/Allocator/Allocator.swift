// The register allocator: one forward walk over the blocks of a region in layout order, guided by next-use distances from a
// backward scan (evict what is needed last), with the state at each block's entry fixed by the first edge that reaches it.
//
// - A guest global lives in a host register from its first use or definition on and may stay there, dirty, across guest memory
//   accesses and block borders. It is written back when evicted, at exits, and around helpers that look at state.
// - The first edge into a block fixes which register holds what there; later edges conform by moves, loads and stores. A loop
//   header's state is chosen from the uses in the loop, so that guest registers stay in host registers around it.
// - Nothing here calls into the host per op: constraints are rows (`HostDescription`).
//
// One allocator serves one thread; its storage is reused from region to region.

import IR

/// A position in a block's future at which a value is needed.
@usableFromInline enum NextUse {
    /// The value is overwritten or never looked at again.
    static let dead: UInt32 = .max
    /// The value must survive (in a register or at home), but nothing in sight reads it from a register.
    static let home: UInt32 = 0x7fff_fffe
    /// As `home`, and until the value is overwritten nothing but recovery looks at it, which finds it in the source of the `mov` that
    /// assigned it: a constant, or another global that keeps its value for as long.
    static let recovery: UInt32 = 0x7fff_ffff
    /// Added to a position: the next event is a definition.
    static let definition: UInt32 = 0x4000_0000
    /// Positions are below this.
    static let limit: UInt32 = 0x3fff_ffff
}

/// What registers hold, now or at a block's entry: per register, temp index << 1 | dirty, or `empty`. A handle on the
/// allocator's memory: 64 words.
struct RegisterState {
    static let empty: UInt32 = .max
    static let count = 64
    let owner: UnsafeMutablePointer<UInt32>

    func clear() { owner.update(repeating: RegisterState.empty, count: RegisterState.count) }
    func copy(_ other: RegisterState) { owner.update(from: other.owner, count: RegisterState.count) }
}

public struct Allocator: ~Copyable {
    let host: HostDescription
    let rows: UnsafeMutablePointer<ConstraintRow>
    let order: UnsafeMutablePointer<UInt8>
    let orderCount: Int
    /// The order in as few sets as possible, each to be used from its lowest register up.
    let orderRuns: UnsafeMutablePointer<RegisterSet>
    let orderRunCount: Int
    let argumentRegisters: UnsafeMutablePointer<UInt8>
    let moveStorage: UnsafeMutablePointer<ParallelMoves.Move>
    let loadStorage: UnsafeMutablePointer<ParallelMoves.Load>
    let table = OpcodeTable.shared

    var region: Region
    var out: Allocation

    // By temp.
    let place: UnsafeMutablePointer<UInt8>  // register, or 255
    let next: UnsafeMutablePointer<UInt32>  // NextUse
    let preferred: UnsafeMutablePointer<UInt8>  // register a global had last, or 255
    let becomes: UnsafeMutablePointer<UInt32>  // what a temp ends as, in its block: a global, or `max`
    let definition: UnsafeMutablePointer<UInt32>  // by global: where the block defines it next, or `max`
    let tempCapacity: Int

    // By register.
    let state: RegisterState
    /// The state in which a branch leaves, while one of its edges is emitted.
    let branchState: RegisterState
    var free = RegisterSet()
    /// What registers hold at the head of the innermost loop around here: this is where its end wants them.
    var loopState: RegisterState?
    var loopRegisters = RegisterSet()

    // By op: next use after it of a, b, c, d, dst.
    let uses: UnsafeMutablePointer<UInt32>
    let opCapacity: Int

    // By block.
    let entries: UnsafeMutablePointer<UInt32>
    let hasEntry: UnsafeMutablePointer<Bool>
    let isWalked: UnsafeMutablePointer<Bool>
    let layout: UnsafeMutablePointer<UInt32>
    let layoutIndex: UnsafeMutablePointer<UInt32>
    let predecessors: UnsafeMutablePointer<UInt32>
    /// See LoopBodies.swift.
    let loopEnd: UnsafeMutablePointer<UInt32>
    let isInLoop: UnsafeMutablePointer<Bool>
    let blockCapacity: Int
    var labelCount = 0

    /// The entry block is followed by nothing but exits: no variable crosses a block border.
    var isFlat = true
    // Region-wide liveness, for regions that are not flat: see Liveness.swift.
    var variables: UnsafeMutablePointer<UInt32>  // by variable: temp
    var variableOf: UnsafeMutablePointer<UInt32>  // by temp: variable + 1, or 0
    var variableCount = 0
    var distances: UnsafeMutablePointer<UInt32>  // [block][variable]
    var distanceCapacity = 0

    // Spill slots.
    let slotUsed: UnsafeMutablePointer<Bool>
    /// Some slot has been used in this region.
    var hasSlots = false

    /// For a host with this description and regions up to these sizes.
    public init(_ host: HostDescription, region: Region, allocation: Allocation) {
        self.host = host
        self.region = region
        out = allocation
        rows = .allocate(capacity: host.rows.count)
        rows.initialize(from: host.rows, count: host.rows.count)
        order = .allocate(capacity: host.order.count)
        order.initialize(from: host.order, count: host.order.count)
        orderCount = host.order.count
        tempCapacity = region.tempCapacity
        opCapacity = region.opCapacity
        blockCapacity = region.blockCapacity
        place = .allocate(capacity: tempCapacity)
        next = .allocate(capacity: tempCapacity)
        preferred = .allocate(capacity: tempCapacity)
        becomes = .allocate(capacity: tempCapacity)
        definition = .allocate(capacity: tempCapacity)
        uses = .allocate(capacity: opCapacity * 5)
        entries = .allocate(capacity: blockCapacity * RegisterState.count)
        state = RegisterState(owner: .allocate(capacity: RegisterState.count))
        branchState = RegisterState(owner: .allocate(capacity: RegisterState.count))
        moveStorage = .allocate(capacity: RegisterState.count)
        loadStorage = .allocate(capacity: RegisterState.count)
        argumentRegisters = .allocate(capacity: max(host.argumentRegisters.count, 1))
        argumentRegisters.initialize(from: host.argumentRegisters, count: host.argumentRegisters.count)
        let runs = RegisterRun.runs(of: host.order)
        orderRuns = .allocate(capacity: max(runs.count, 1))
        orderRuns.initialize(from: runs, count: runs.count)
        orderRunCount = runs.count
        hasEntry = .allocate(capacity: blockCapacity)
        isWalked = .allocate(capacity: blockCapacity)
        layout = .allocate(capacity: blockCapacity)
        layoutIndex = .allocate(capacity: blockCapacity)
        predecessors = .allocate(capacity: blockCapacity)
        loopEnd = .allocate(capacity: blockCapacity)
        isInLoop = .allocate(capacity: blockCapacity)
        variables = .allocate(capacity: tempCapacity)
        variableOf = .allocate(capacity: tempCapacity)
        distances = .allocate(capacity: 1)
        slotUsed = .allocate(capacity: max(host.spillSlots, 1))
        slotUsed.initialize(repeating: false, count: host.spillSlots)
    }

    deinit {
        rows.deallocate()
        order.deallocate()
        place.deallocate()
        next.deallocate()
        preferred.deallocate()
        becomes.deallocate()
        definition.deallocate()
        uses.deallocate()
        entries.deallocate()
        state.owner.deallocate()
        branchState.owner.deallocate()
        moveStorage.deallocate()
        loadStorage.deallocate()
        argumentRegisters.deallocate()
        orderRuns.deallocate()
        hasEntry.deallocate()
        isWalked.deallocate()
        layout.deallocate()
        layoutIndex.deallocate()
        predecessors.deallocate()
        loopEnd.deallocate()
        isInLoop.deallocate()
        variables.deallocate()
        variableOf.deallocate()
        distances.deallocate()
        slotUsed.deallocate()
    }

    /// Allocates the whole region. The result is in the allocation given to `init`; false when it did not fit.
    public mutating func run(_ helpers: UnsafePointer<HelperEffects>) -> Bool {
        prepare()
        isFlat = hasOnlyPlainExits()
        out.s.pointee.isFlat = isFlat
        if isFlat { walkFlat(helpers) } else { walkBlocks(helpers) }
        out.s.pointee.labelCount = labelCount
        return !out.s.pointee.failed
    }

    /// One block and its exits. At the exits everything is at home and nothing is read.
    private mutating func walkFlat(_ helpers: UnsafePointer<HelperEffects>) {
        enterRegion()
        walk(0, helpers)
        for b in 1..<max(region.blockCount, 1) {
            out.append(Step(.label, label: UInt32(b)))
            out.append(Step(.op, index: region.blocks[b].start))
        }
    }

    private mutating func walkBlocks(_ helpers: UnsafePointer<HelperEffects>) {
        layOutBlocks()
        hasEntry.update(repeating: false, count: region.blockCount)
        isWalked.update(repeating: false, count: region.blockCount)
        findLoopEnds()
        findVariables()
        flowDistances()
        // A block reached only from one that is laid out after it (a cold one) comes in a later round; what no round reaches
        // is unreachable.
        var left = region.blockCount
        var hasProgressed = true
        while left > 0, hasProgressed {
            hasProgressed = false
            for i in 0..<region.blockCount {
                let block = Int(layout[i])
                if isWalked[block] || (block != 0 && !hasEntry[block]) { continue }
                if block == 0 { enterRegion() } else { enterBlock(block) }
                enterLoop(around: i)
                isWalked[block] = true
                hasProgressed = true
                left -= 1
                walk(block, helpers)
                if out.s.pointee.failed { return }
            }
        }
    }

    private mutating func prepare() {
        let temps = region.tempCount
        place.update(repeating: 255, count: temps)
        next.update(repeating: NextUse.dead, count: temps)
        preferred.update(repeating: 255, count: temps)
        becomes.update(repeating: .max, count: temps)
        loopState = nil
        loopRegisters = RegisterSet()
        if hasSlots { slotUsed.update(repeating: false, count: host.spillSlots) }
        hasSlots = false
        out.s.pointee.homeSlot.update(repeating: -1, count: temps)
        out.s.pointee.stepCount = 0
        out.s.pointee.failed = false
        labelCount = region.blockCount
        state.clear()
        free = host.allocatable
    }

    /// Blocks in the order of their ops, cold ones last; counts predecessors.
    private mutating func layOutBlocks() {
        let n = region.blockCount
        var count = 0
        for pass in 0..<2 {
            let first = count
            for b in 0..<n where region.blocks[b].isCold == (pass == 1) {
                var at = count
                let start = region.blocks[b].start
                while at > first, region.blocks[Int(layout[at - 1])].start > start {
                    layout[at] = layout[at - 1]
                    at -= 1
                }
                layout[at] = UInt32(b)
                count += 1
            }
        }
        for i in 0..<n {
            layoutIndex[Int(layout[i])] = UInt32(i)
            predecessors[i] = 0
        }
        for b in 0..<n where region.blocks[b].end > region.blocks[b].start {
            for next in region.successors(of: b) { predecessors[next] += 1 }
        }
    }

    /// Baseline translations: one block, and the exits of its conditional branch.
    private func hasOnlyPlainExits() -> Bool {
        if region.blocks[0].isLoopHeader { return false }
        if region.blockCount == 1 { return true }
        let last = region.lastOp(0)
        return region.blockCount == 3 && last.opcode == .brcond && last.c != last.d && last.c.i != 0 && last.d.i != 0
            && isExitOnly(1) && isExitOnly(2)
    }

    // MARK: Block entries

    /// The region's entry: every global is at home. When the entry block heads a loop, what the loop uses is loaded first.
    private mutating func enterRegion() {
        out.append(Step(.resetState))
        if region.blocks[0].isLoopHeader {
            hasEntry[0] = true
            chooseHeaderState(0)
            conform(to: 0)
        }
        out.append(Step(.label, label: 0))
        if region.blocks[0].isLoopHeader { announceState() }
    }

    private mutating func enterBlock(_ block: Int) {
        // Forget the state at the end of the block before, take this block's.
        leaveState()
        state.copy(entry(block))
        for i in 0..<orderCount {
            let r = order[i]
            let owner = state.owner[Int(r)]
            if owner != RegisterState.empty {
                place[Int(owner &>> 1)] = r
                free.remove(RegisterSet(r))
            }
        }
        out.append(Step(.label, label: UInt32(block)))
        announceState()
    }

    /// No register holds anything.
    mutating func leaveState() {
        var held = host.allocatable.rawValue & ~free.rawValue
        while held != 0 {
            let r = UInt8(truncatingIfNeeded: held.trailingZeroBitCount)
            held &= held &- 1
            release(r)
        }
        free = host.allocatable
    }

    /// Tells recovery which globals are dirty here.
    private mutating func announceState() {
        out.append(Step(.resetState))
        for i in 0..<orderCount {
            let r = order[i]
            let owner = state.owner[Int(r)]
            if owner != RegisterState.empty, owner & 1 != 0, Int(owner &>> 1) < region.globalCount {
                out.append(Step(.dirty, a: r, index: owner &>> 1))
            }
        }
    }

    @inline(__always) func entry(_ block: Int) -> RegisterState {
        RegisterState(owner: entries + block &* RegisterState.count)
    }

    // MARK: Registers

    @inline(__always) mutating func setOwner(_ r: UInt8, _ t: Int, dirty: Bool) {
        state.owner[Int(r)] = UInt32(truncatingIfNeeded: t) &<< 1 | (dirty ? 1 : 0)
        place[t] = r
        free.remove(RegisterSet(r))
        if t < region.globalCount, !isAtLoopHead(t, preferred[t]) { preferred[t] = r }
    }

    @inline(__always) mutating func release(_ r: UInt8) {
        let owner = state.owner[Int(r)]
        if owner != RegisterState.empty { place[Int(owner &>> 1)] = 255 }
        state.owner[Int(r)] = RegisterState.empty
        free.insert(RegisterSet(r))
    }

    @inline(__always) func owner(_ r: UInt8) -> Int? {
        let o = state.owner[Int(r)]
        return o == RegisterState.empty ? nil : Int(o &>> 1)
    }

    @inline(__always) func isDirty(_ r: UInt8) -> Bool { state.owner[Int(r)] & 1 != 0 }

    @inline(__always) func classOf(_ t: Int) -> RegisterSet { region.temps[t].type.isFloat ? .float : .general }

    /// Writes the owner's value home, if its home is stale. The register keeps it.
    mutating func writeBack(_ r: UInt8) {
        guard let t = owner(r), isDirty(r) else { return }
        state.owner[Int(r)] &= ~1
        if t >= region.globalCount, out.s.pointee.homeSlot[t] < 0 { takeSlot(t) }
        out.append(Step(.store, a: r, index: UInt32(t)))
    }

    /// Frees a register; the owner's value survives at home if anything needs it.
    mutating func evict(_ r: UInt8) {
        guard let t = owner(r) else { return }
        if next[t] != NextUse.dead, region.temps[t].kind != .const {
            writeBack(r)
        } else if t < region.globalCount, isDirty(r) {
            out.append(Step(.clean, index: UInt32(t)))
        }
        release(r)
    }

    /// Writes back every dirty global. Registers keep their values.
    mutating func writeBackGlobals() {
        var held = host.allocatable.rawValue & ~free.rawValue
        while held != 0 {
            let r = UInt8(truncatingIfNeeded: held.trailingZeroBitCount)
            held &= held &- 1
            let o = state.owner[Int(r)]
            if o != RegisterState.empty, o & 1 != 0, Int(o &>> 1) < region.globalCount { writeBack(r) }
        }
    }

    private mutating func takeSlot(_ t: Int) {
        for i in 0..<host.spillSlots where !slotUsed[i] {
            slotUsed[i] = true
            hasSlots = true
            out.s.pointee.homeSlot[t] = Int16(i)
            return
        }
        out.s.pointee.failed = true
        out.s.pointee.homeSlot[t] = 0
    }

    /// A free register of the class outside `avoid`, evicting the one needed last if there is none.
    mutating func takeRegister(_ registers: RegisterSet, avoid: RegisterSet) -> UInt8 {
        let usable = RegisterSet(rawValue: host.allocatable.rawValue & registers.rawValue & ~avoid.rawValue)
        let candidates = RegisterSet(rawValue: free.rawValue & usable.rawValue)
        if candidates.rawValue != 0 {
            // Rather one that the loop's end does not want for something else.
            let others = RegisterSet(rawValue: candidates.rawValue & ~loopRegisters.rawValue)
            return firstInOrder(others.rawValue != 0 ? others : candidates)
        }
        var best: UInt8 = 255
        var bestDistance: UInt32 = 0
        for i in 0..<orderRunCount {
            var left = usable.intersection(orderRuns[i])
            while left.rawValue != 0 {
                let r = left.first
                left.rawValue &= left.rawValue &- 1
                guard let t = owner(r) else { continue }
                var distance = next[t]
                if distance & NextUse.definition != 0, distance < NextUse.home { distance = NextUse.home }
                // Among equals prefer what needs no store, then constants, which need no load.
                distance = distance == .max ? .max : distance &* 2 &+ (isDirty(r) ? 0 : 1)
                if best == 255 || distance > bestDistance {
                    best = r
                    bestDistance = distance
                }
            }
        }
        if best == 255 {
            out.s.pointee.failed = true
            return host.resultRegister
        }
        evict(best)
        return best
    }

    /// The best of `registers`, which is not empty.
    @inline(__always) private func firstInOrder(_ registers: RegisterSet) -> UInt8 {
        for i in 0..<orderRunCount {
            let best = registers.intersection(orderRuns[i])
            if best.rawValue != 0 { return best.first }
        }
        return registers.first
    }

    /// Brings temp `t` into a register outside `avoid`.
    mutating func load(_ t: Temp, avoid: RegisterSet) -> UInt8 {
        let current = place[t.i]
        if current != 255 {
            if !avoid.has(current) { return current }
            // In a register that is about to be overwritten: move it.
            let r = takeRegister(classOf(t.i), avoid: avoid)
            relocate(current, to: r)
            return r
        }
        let wanted = preferred[t.i]
        let r: UInt8
        if wanted != 255, free.has(wanted), !avoid.has(wanted) {
            r = wanted
        } else {
            r = takeRegister(classOf(t.i), avoid: avoid)
        }
        if region.temps[t.i].kind == .const {
            out.append(Step(.constant, dst: r, index: t.index))
        } else {
            out.append(Step(.load, dst: r, index: t.index))
        }
        setOwner(r, t.i, dirty: false)
        return r
    }

    /// Moves the owner of `r` to the free register `to`.
    mutating func relocate(_ r: UInt8, to: UInt8) {
        guard let t = owner(r) else { return }
        let dirty = isDirty(r)
        out.append(Step(.move, dst: to, a: r, index: UInt32(t)))
        release(r)
        setOwner(to, t, dirty: dirty)
        if dirty, t < region.globalCount { out.append(Step(.dirty, a: to, index: UInt32(t))) }
    }
}

/// Cuts an order of preference into ascending runs.
enum RegisterRun {
    static func runs(of order: [UInt8]) -> [RegisterSet] {
        var runs: [RegisterSet] = []
        var last: UInt8 = 255
        for r in order {
            if last >= r { runs.append(RegisterSet()) }
            runs[runs.count - 1].insert(RegisterSet(r))
            last = r
        }
        return runs
    }
}
