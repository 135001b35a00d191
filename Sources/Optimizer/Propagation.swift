// The pass `propagate`: one walk over the ops, forward, that knows the value number of every name (Values.swift). Each
// op gets the best names for its operands, is rewritten by the rules of its opcode (Rules*.swift) until none applies,
// and is replaced by a copy when its value is already there. It removes nothing: copies that nobody uses any more are
// the business of `dead`.
//
// A block that one earlier block alone leads to goes on with what was known at that block's end. Any other block starts
// with nothing but the facts of `flow`.

import IR

/// - Parameter forwardsMemory: loads of what guest memory is known to hold become copies (Memory.swift).
func propagate(
    _ region: Region, _ storage: OptimizerStorage, _ level: OptimizationLevel, forwardsMemory: Bool = false
) {
    var pass = Propagation(region, storage, level, forwardsMemory)
    pass.run()
}

struct Propagation: ~Copyable {
    let storage: OptimizerStorage
    let region: Region
    let ops: UnsafeMutablePointer<Op>
    let temps: UnsafeMutablePointer<TempInfo>
    let table: OpcodeTable
    let globalCount: Int
    let graph: Graph
    let isSingleBlock: Bool
    /// Demand.swift, where it has been asked.
    let knowsDemand: Bool
    let isWide: UnsafeMutablePointer<UInt32>
    let demandCount: Int

    let values: UnsafeMutablePointer<Value>
    var valueCount: UInt32 = 1
    /// By name: the number it holds; 0 = not looked at yet.
    let current: UnsafeMutablePointer<UInt32>
    /// By name: the block that assigned it; `max` for constants.
    let home: UnsafeMutablePointer<UInt32>
    let hash: UnsafeMutablePointer<UInt32>
    /// Names below this have an entry in `current`.
    var knownTemps: Int
    /// Locals that hold a number in this block.
    let locals: UnsafeMutablePointer<UInt32>
    var localCount = 0

    var block = 0
    var blockPosition: UInt32 = 0
    /// Where the walk to this block began.
    var root = 0
    /// Globals not looked at since the root still are what `flow` said.
    var usesEntryFacts = false
    var epochs = Epochs(state: 0, float: 0)
    var nextEpoch: UInt32 = 1

    // Memory.swift
    let forwardsMemory: Bool
    /// Nothing that is known outlives a load (`MemoryModel.tso`).
    let ordersLoads: Bool
    let memory: UnsafeMutablePointer<KnownMemory>
    var knownCount = 0
    var memoryBase: UInt32 = 0
    /// Guest loads so far.
    var loads: UInt32 = 0
    /// By name: the newest load that its value was computed from, by whatever way.
    let youngest: UnsafeMutablePointer<UInt32>

    // Numbers of the operands of the op at hand.
    var a: UInt32 = 0
    var b: UInt32 = 0
    var c: UInt32 = 0
    var d: UInt32 = 0

    init(
        _ region: Region, _ storage: OptimizerStorage, _ level: OptimizationLevel, _ forwardsMemory: Bool
    ) {
        self.storage = storage
        self.region = region
        ops = region.ops
        temps = region.temps
        table = storage.table
        globalCount = region.globalCount
        self.forwardsMemory = forwardsMemory
        ordersLoads = storage.memoryModel == .tso
        memory = storage.memory
        youngest = storage.youngest
        graph = storage.graph
        isSingleBlock = region.blockCount == 1
        knowsDemand = level == .full
        isWide = storage.counts
        demandCount = region.tempCount
        if knowsDemand { findDemand(region, storage) }
        values = storage.values
        current = storage.current
        home = storage.home
        hash = storage.hash
        locals = storage.locals
        knownTemps = region.tempCount
        current.update(repeating: 0, count: knownTemps)
        if forwardsMemory {
            // Of locals nothing is known.
            for t in 0..<knownTemps { youngest[t] = temps[t].kind == .local ? .max : 0 }
        }
    }

    // MARK: Blocks

    mutating func run() {
        if isSingleBlock {
            start(0, parent: nil, previous: nil)
            return walk(0)
        }
        graph.lay(region)
        graph.connect(region)
        var previous: Int?
        for i in 0..<region.blockCount {
            let b = Int(graph.order[i])
            start(b, parent: graph.parent(b), previous: previous)
            // As the graph has it: the walk may decide the branch.
            let isSaved = leavesMore(b)
            walk(b)
            if isSaved { save(b) }
            previous = b
        }
    }

    /// Does a block other than the next one go on from the end of `b`?
    private func leavesMore(_ b: Int) -> Bool {
        let last = region.lastOp(b)
        if last.opcode == .brcond { return true }
        return last.opcode == .br && graph.position[last.c.i] != graph.position[b] &+ 1 && graph.parent(last.c.i) == b
    }

    private mutating func start(_ b: Int, parent: Int?, previous: Int?) {
        for i in 0..<localCount {
            current[Int(locals[i])] = 0
            if forwardsMemory { youngest[Int(locals[i])] = .max }
        }
        localCount = 0
        block = b
        blockPosition = isSingleBlock ? 0 : graph.position[b]
        guard let parent else {
            root = b
            usesEntryFacts = storage.hasFacts(b)
            current.update(repeating: 0, count: globalCount)
            epochs = Epochs(state: newEpoch(), float: newEpoch())
            if forwardsMemory { beginMemory() }
            return
        }
        if parent != previous { restore(parent) }
        learn(from: region.lastOp(parent), b)
    }

    private mutating func save(_ b: Int) {
        storage.snapshots[b] = Snapshot(
            epochs: epochs, root: UInt32(truncatingIfNeeded: root), usesEntryFacts: usesEntryFacts)
        (storage.snapshotGlobals + b &* globalCount).update(from: current, count: globalCount)
        if forwardsMemory { saveMemory(b) }
    }

    private mutating func restore(_ b: Int) {
        let s = storage.snapshots[b]
        epochs = s.epochs
        root = Int(s.root)
        usesEntryFacts = s.usesEntryFacts
        current.update(from: storage.snapshotGlobals + b &* globalCount, count: globalCount)
        if forwardsMemory { restoreMemory(b) }
    }

    /// On the edge where x == c was found to hold, the global x is c.
    private mutating func learn(from branch: Op, _ b: Int) {
        guard branch.opcode == .brcond, branch.c != branch.d, branch.a.i < globalCount, region.isConst(branch.b) else {
            return
        }
        let holdsHere = branch.c.i == b
        if branch.condition == (holdsHere ? .eq : .ne) { assign(branch.a, value(branch.b)) }
    }

    @inline(__always) mutating func newEpoch() -> UInt32 {
        nextEpoch &+= 1
        return nextEpoch
    }

    private mutating func walk(_ b: Int) {
        let end = Int(region.blocks[b].end)
        var i = Int(region.blocks[b].start)
        while i < end {
            if ops[i].opcode != .insnStart { visit(i) }
            i &+= 1
        }
    }

    // MARK: Names and numbers

    /// The number that `t` holds here.
    @inline(__always) mutating func value(_ t: Temp) -> UInt32 {
        let v = current[t.i]
        return v != 0 ? v : firstValue(t)
    }

    /// A name looked at for the first time.
    @inline(never) private mutating func firstValue(_ t: Temp) -> UInt32 {
        let info = temps[t.i]
        var facts = Facts(type: info.type)
        home[t.i] = UInt32(truncatingIfNeeded: block)
        switch info.kind {
        case .const:
            facts = Facts(constant: UInt64(bitPattern: info.value))
            home[t.i] = .max
        case .global:
            if usesEntryFacts { facts = storage.entryFacts[root &* globalCount &+ t.i] }
            if facts.isConstant, info.type.isInteger {
                let v = value(constant(facts.ones, info.type))
                current[t.i] = v
                attach(t, v)
                return v
            }
        case .local: note(local: t)
        case .temp: break
        }
        let v = newValue(
            Value(
                facts: facts, imm: 0, key: Value.opaque, a: 0, b: 0, c: 0, d: 0, epoch: 0, first: t, other: .none))
        current[t.i] = v
        return v
    }

    @inline(__always) mutating func newValue(_ value: Value) -> UInt32 {
        let v = valueCount
        values[Int(v)] = value
        valueCount = v &+ 1
        return v
    }

    /// The constant's temp.
    mutating func constant(_ word: UInt64, _ type: ValueType) -> Temp {
        let t = region.const(Int64(bitPattern: word), type)
        if t.i >= knownTemps {
            current[t.i] = 0
            youngest[t.i] = 0
            knownTemps = t.i &+ 1
        }
        return t
    }

    private mutating func note(local t: Temp) {
        locals[localCount] = t.index
        localCount &+= 1
    }

    /// `t` holds `v` from here on.
    mutating func assign(_ t: Temp, _ v: UInt32) {
        if t.i >= globalCount {
            home[t.i] = UInt32(truncatingIfNeeded: block)
            if temps[t.i].kind == .local && current[t.i] == 0 { note(local: t) }
        }
        current[t.i] = v
        attach(t, v)
    }

    @inline(__always) private mutating func attach(_ t: Temp, _ v: UInt32) {
        let first = values[Int(v)].first
        if first == t { return }
        if isHere(first, v) { values[Int(v)].other = t } else { values[Int(v)].first = t }
    }

    /// A name that holds `v` here; `.none` if there is none.
    @inline(__always) func name(_ v: UInt32) -> Temp {
        let p = values + Int(v)
        if isHere(p.pointee.first, v) { return p.pointee.first }
        return isHere(p.pointee.other, v) ? p.pointee.other : .none
    }

    @inline(__always) private func isHere(_ t: Temp, _ v: UInt32) -> Bool {
        !t.isNone && current[t.i] == v && (t.i < globalCount || isSingleBlock || isOnPath(home[t.i]))
    }

    /// Was `b` walked through on the way to here?
    private func isOnPath(_ b: UInt32) -> Bool {
        if b == .max { return true }
        var at = block
        while at != Int(b) {
            if graph.position[at] <= graph.position[Int(b)] { return false }
            guard let parent = graph.parent(at) else { return false }
            at = parent
        }
        return true
    }

    /// The best name for an operand. `isImmediate`: a small constant costs nothing there.
    @inline(__always) private mutating func best(_ t: Temp, isImmediate: Bool = true) -> Temp {
        let v = value(t)
        if values[Int(v)].first == t { return t }
        return otherName(t, v, isImmediate)
    }

    private mutating func otherName(_ t: Temp, _ v: UInt32, _ isImmediate: Bool) -> Temp {
        if values[Int(v)].facts.isConstant, temps[t.i].type.isInteger {
            let word = values[Int(v)].facts.ones
            // A constant that may need a register is no better than the global, which has one.
            if t.i < globalCount, !isImmediate || Int64(bitPattern: word) != Int64(Int32(truncatingIfNeeded: word)) {
                return t
            }
            return temps[t.i].kind == .const ? t : constant(word, temps[t.i].type)
        }
        // A global is in a register or will be: it stays.
        if t.i < globalCount { return t }
        let n = name(v)
        return n.isNone ? t : n
    }

    // MARK: One op

    private mutating func visit(_ i: Int) {
        var op = ops[i]
        var sources = table.sources(op)
        var newest = forwardsMemory ? newestLoad(op, sources) : 0
        // Addresses are in registers.
        let hasAddress = op.opcode == .gld || op.opcode == .gst
        var isFirst = true
        op.mapSources(sources) {
            let t = best($0, isImmediate: !(isFirst && hasAddress))
            isFirst = false
            return t
        }
        read(op, sources)
        if knowsDemand, op.carriesLowHalf, op.dst.i < demandCount, isWide[op.dst.i] == 0 {
            narrow(&op, sources, next: ops[i &+ 1])
            read(op, sources)
        }
        var tries = 0
        while op.opcode != .mov, simplify(&op, sources), tries < 8 {
            tries += 1
            sources = table.sources(op)
            read(op, sources)
        }
        if forwardsMemory, op.opcode == .gld, forward(&op, &newest) {
            read(op, 1)
            while op.opcode != .mov, simplify(&op, 1) { read(op, table.sources(op)) }
        }
        if table[op.opcode].hasResult, !op.dst.isNone {
            finish(&op)
            ops[i] = op
            if forwardsMemory { youngest[op.dst.i] = table[op.opcode].isComputed ? newest : loads }
        } else {
            ops[i] = op
            applyEffects(op)
        }
    }

    /// Looks up the operands' numbers.
    @inline(__always) private mutating func read(_ op: Op, _ sources: Int) {
        a = sources > 0 ? value(op.a) : 0
        b = sources > 1 ? value(op.b) : 0
        c = sources > 2 ? value(op.c) : 0
        d = sources > 3 ? value(op.d) : 0
    }

    /// Gives the result its number; the op becomes a copy when that number has a name already.
    @inline(__always) private mutating func finish(_ op: inout Op) {
        if op.opcode == .mov { return copy(&op) }
        let result = temps[op.dst.i].type
        let row = table[op.opcode]
        var v = Value(
            facts: .unknown, imm: op.imm, key: Value.key(op.opcode, op.type, result, op.aux), a: a, b: b, c: c, d: d,
            epoch: 0, first: op.dst, other: .none)
        var isShared = true
        if row.isComputed {
            let none = Facts.unknown
            v.facts = transfer(
                op, result: result, a == 0 ? none : values[Int(a)].facts, b == 0 ? none : values[Int(b)].facts,
                c == 0 ? none : values[Int(c)].facts, d == 0 ? none : values[Int(d)].facts)
            if v.facts.isConstant, result.isInteger, !row.setsFlags {
                op = Op(.mov, result, dst: op.dst, a: constant(v.facts.ones, result))
                a = value(op.a)
                return copy(&op)
            }
            if row.setsFlags { v.epoch = epochs.float }
            // A constant stays on the right, where the rules look for it.
            if row.isCommutative, a > b, !isConstant(b) { swap(&v.a, &v.b) }
        } else {
            v.facts = transfer(op, result: result, .unknown, .unknown, .unknown, .unknown)
            switch op.opcode {
            case .ld: v.epoch = epochs.state
            case .call where storage.helperEffects[Int(op.imm)].has(.isPure): break
            default: isShared = false
            }
        }
        if !isShared {
            applyEffects(op)
            v.key = Value.opaque
            let number = newValue(v)
            define(op.dst, number)
            if forwardsMemory, op.opcode == .gld { noteLoad(op, number) }
            return
        }
        let slot = ValueHash.index(v)
        let known = hash[slot]
        if known != 0, known < valueCount, isSame(values + Int(known), v) {
            let n = name(known)
            if !n.isNone {
                // The same op on the same values: the same value.
                op = Op(.mov, result, dst: op.dst, a: n)
                a = known
                return copy(&op)
            }
            return assign(op.dst, known)
        }
        let number = newValue(v)
        hash[slot] = number
        define(op.dst, number)
    }

    @inline(__always) private func isSame(_ p: UnsafeMutablePointer<Value>, _ v: Value) -> Bool {
        let (x, y) = (p.pointee, v)
        if x.key != y.key || x.a != y.a || x.b != y.b || x.imm != y.imm { return false }
        return x.c == y.c && x.d == y.d && x.epoch == y.epoch
    }

    /// A fresh number whose first name is `t`.
    @inline(__always) private mutating func define(_ t: Temp, _ v: UInt32) {
        if t.i >= globalCount {
            home[t.i] = UInt32(truncatingIfNeeded: block)
            if temps[t.i].kind == .local && current[t.i] == 0 { note(local: t) }
        }
        current[t.i] = v
    }

    /// dst = a
    private mutating func copy(_ op: inout Op) {
        if current[op.dst.i] == a {
            op.a = op.dst  // it holds that already: `dead` drops the op
            return
        }
        assign(op.dst, a)
    }

    /// What an op changes besides its result.
    private mutating func applyEffects(_ op: Op) {
        let row = table[op.opcode]
        if row.has(.helper) {
            let helper = storage.helperEffects[Int(op.imm)]
            if helper.has(.isPure) { return }
            if helper.has(.writesGlobals) {
                usesEntryFacts = false
                current.update(repeating: 0, count: globalCount)
            }
        }
        if row.has(.writesState) { epochs.state = newEpoch() }
        if row.has(.fpControl) { epochs.float = newEpoch() }
        if row.has(.orders) {
            forgetMemory()
        } else if op.opcode == .gst {
            if forwardsMemory { noteStore(op) }
        } else if row.has(.writesMemory) || op.opcode == .gld && op.dst.isNone {
            forgetMemory()
        }
    }

    // MARK: For the rules

    @inline(__always) func isConstant(_ v: UInt32) -> Bool { values[Int(v)].facts.isConstant }
    /// The word of a constant.
    @inline(__always) func word(_ v: UInt32) -> UInt64 { values[Int(v)].facts.ones }
    @inline(__always) func facts(_ v: UInt32) -> Facts { values[Int(v)].facts }
    /// Is `v` computed by `opcode` on `type`?
    @inline(__always) func isOp(_ v: UInt32, _ opcode: Opcode, _ type: ValueType) -> Bool {
        values[Int(v)].is(opcode, type)
    }

    /// The op becomes a copy of `t`.
    func become(_ op: inout Op, _ t: Temp) -> Bool {
        op = Op(.mov, temps[op.dst.i].type, dst: op.dst, a: t)
        return true
    }
    /// The op becomes a copy of what `v` numbers, if it has a name here.
    func become(_ op: inout Op, number v: UInt32) -> Bool {
        let n = name(v)
        return n.isNone ? false : become(&op, n)
    }
    /// The op becomes a constant.
    mutating func become(_ op: inout Op, constant word: UInt64) -> Bool {
        become(&op, constant(word, temps[op.dst.i].type))
    }
    /// The op becomes `opcode` of what `x` numbers and a constant.
    mutating func become(_ op: inout Op, _ opcode: Opcode, _ x: UInt32, constant word: UInt64) -> Bool {
        let n = name(x)
        if n.isNone { return false }
        op = Op(opcode, op.type, dst: op.dst, a: n, b: constant(word, op.type))
        return true
    }
    /// The op becomes `opcode` of what `x` and `y` number.
    func become(_ op: inout Op, _ opcode: Opcode, _ x: UInt32, _ y: UInt32) -> Bool {
        let n = name(x)
        let m = name(y)
        if n.isNone || m.isNone { return false }
        op = Op(opcode, op.type, dst: op.dst, a: n, b: m)
        return true
    }
    /// The op becomes `opcode` of what `x` numbers.
    func become(_ op: inout Op, unary opcode: Opcode, _ x: UInt32) -> Bool {
        let n = name(x)
        if n.isNone { return false }
        op = Op(opcode, op.type, dst: op.dst, a: n)
        return true
    }
    /// The op becomes a bit field of what `x` numbers.
    func become(_ op: inout Op, _ opcode: Opcode, _ x: UInt32, field position: Int, _ length: Int) -> Bool {
        let n = name(x)
        if n.isNone { return false }
        op = Op(opcode, op.type, dst: op.dst, a: n, imm: Int64(position | length &<< 8))
        return true
    }
}
