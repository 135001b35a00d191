// Proves an allocation right by running its steps on symbols: which value is in which register, spill slot and home of a global,
// on every path. Only where translations are verified.
//
// A value is a number. Moves, loads and stores copy numbers between locations; an op gives its result a new number. At each op
// the operands' places must hold the numbers that the region says their temps have now, and the op's row must allow them; at
// exits and helpers that look, homes must be current; at every point that can stop, recovery must find each global. Where paths
// join, a location keeps the temps whose current value it holds on all of them (iterated to a fixed point, for loops).

import IR

public struct AllocationChecker {
    private let region: Region
    private let allocation: Allocation
    private let host: HostDescription
    private let helpers: [HelperDescriptor]

    /// Locations by number: 64 registers, then the spill slots, then the globals' homes.
    private static let registers = 64
    private let firstHome: Int
    private let locationCount: Int

    // The state on the path being followed: the value in each location, of each temp, and where recovery finds each global.
    private var content: [Int] = []
    private var current: [Int] = []
    private var recovery: [Source] = []
    private enum Source: Equatable { case home, register(UInt8), temp(Int) }
    private var isReachable = false
    private var nextValue = 0
    /// Scratch of `reach` and `label`: by location, the temps whose value it holds, ascending; by value, the first location that
    /// holds it, or -1; by temp, one that it is equal to.
    private var here: [[Int32]] = []
    private var holder: [Int32] = []
    private var equal: [Int32] = []
    /// The next op of the current block that has not happened yet; the block's end.
    private var position = 0
    private var blockEnd = 0

    /// By label: for each location the temps it holds (ascending); nil: not reached.
    private var entries: [[[Int32]]?] = []
    private var isChanged = false
    private var isReporting = false
    private var problems: [String] = []
    private var step = 0

    /// What is wrong with `allocation` of `region`, one line each; empty when it is right. For an allocation that succeeded.
    public static func check(
        _ region: Region, _ allocation: Allocation, _ host: HostDescription, helpers: [HelperDescriptor]
    ) -> [String] {
        var checker = AllocationChecker(region, allocation, host, helpers)
        return checker.run()
    }

    private init(_ region: Region, _ allocation: Allocation, _ host: HostDescription, _ helpers: [HelperDescriptor]) {
        self.region = region
        self.allocation = allocation
        self.host = host
        self.helpers = helpers
        firstHome = Self.registers + host.spillSlots
        locationCount = firstHome + region.globalCount
    }

    private mutating func run() -> [String] {
        entries = Array(repeating: nil, count: allocation.s.pointee.labelCount)
        repeat {
            isChanged = false
            follow()
        } while isChanged
        isReporting = true
        follow()
        var isEmitted = Array(repeating: false, count: entries.count)
        for k in 0..<allocation.stepCount where allocation.steps[k].kind == .label {
            isEmitted[Int(allocation.steps[k].label)] = true
        }
        for l in 0..<entries.count where entries[l] != nil && !isEmitted[l] { problems.append("label \(l) is nowhere") }
        return problems
    }

    private mutating func fail(_ text: String) {
        if isReporting, problems.count < 20 { problems.append("step \(step): \(text)") }
    }

    private mutating func newValue() -> Int {
        nextValue += 1
        return nextValue
    }

    /// One pass over all steps.
    private mutating func follow() {
        nextValue = 0
        current = (0..<region.tempCount).map { _ in newValue() }
        content = (0..<locationCount).map { _ in newValue() }
        for g in 0..<region.globalCount { content[firstHome + g] = current[g] }
        recovery = Array(repeating: .home, count: region.globalCount)
        here = Array(repeating: [], count: locationCount)
        equal = (0..<region.tempCount).map { Int32($0) }
        isReachable = true
        position = 0
        blockEnd = 0
        step = 0
        while step < allocation.stepCount {
            perform(allocation.steps[step])
            step += 1
        }
        if isReachable { fail("the last block does not end") }
    }

    // MARK: Steps

    private mutating func perform(_ s: Step) {
        if s.kind == .label { return label(Int(s.label)) }
        guard isReachable else { return }
        switch s.kind {
        case .label: break
        case .op: perform(op: region.ops[Int(s.index)], Int(s.index), s)
        case .move: content[Int(s.dst)] = content[Int(s.a)]
        case .load:
            if let home = home(Temp(s.index)) { content[Int(s.dst)] = content[home] }
        case .store:
            if let home = home(Temp(s.index)) {
                content[home] = s.a == Place.constant ? current[Int(s.index2)] : content[Int(s.a)]
            }
            if Int(s.index) < region.globalCount { recovery[Int(s.index)] = .home }
        case .constant:
            if region.temps[Int(s.index)].kind != .const { fail("temp \(s.index) is no constant") }
            content[Int(s.dst)] = current[Int(s.index)]
        case .jump:
            finishBlock()
            reach(Int(s.label))
            isReachable = false
        case .dirty: dirty(s)
        case .clean: recovery[Int(s.index)] = .home
        case .resetState: for g in 0..<region.globalCount { recovery[g] = .home }
        }
    }

    private mutating func dirty(_ s: Step) {
        switch s.a {
        case Place.constant:
            if region.temps[Int(s.index2)].kind != .const { fail("temp \(s.index2) is no constant") }
            recovery[Int(s.index)] = .temp(Int(s.index2))
        case Place.memory:
            if Int(s.index2) >= region.globalCount { fail("temp \(s.index2) is no global") }
            recovery[Int(s.index)] = .temp(Int(s.index2))
        default: recovery[Int(s.index)] = .register(s.a)
        }
    }

    private mutating func home(_ t: Temp) -> Int? {
        if t.i < region.globalCount { return firstHome + t.i }
        let slot = allocation.homeSlot(t)
        if slot >= 0, slot < host.spillSlots { return Self.registers + slot }
        fail("temp \(t.i) has no home")
        return nil
    }

    /// Ops without steps of their own: `mov` makes two temps equal; what the allocator left out has a result that nobody holds.
    private mutating func catchUp(to end: Int) {
        while position < end {
            let op = region.ops[position]
            if op.opcode == .mov {
                current[op.dst.i] = current[op.a.i]
            } else if !op.dst.isNone, op.opcode.row.hasResult {
                if OpcodeTable.shared[op.opcode].hasEffects { fail("op \(position) was left out") }
                current[op.dst.i] = newValue()
            } else if op.opcode != .br {
                fail("op \(position) was left out")
            }
            position += 1
        }
    }

    private mutating func finishBlock() { catchUp(to: blockEnd) }

    // MARK: Paths

    private mutating func label(_ l: Int) {
        if isReachable {
            finishBlock()
            reach(l)
        }
        if l < region.blockCount {
            position = Int(region.blocks[l].start)
            blockEnd = Int(region.blocks[l].end)
        } else {
            position = blockEnd
        }
        guard let entry = entries[l] else {
            isReachable = false
            return
        }
        isReachable = true
        // Every temp has a value of its own, but for those that share a location: they are equal here.
        for t in 0..<region.tempCount { current[t] = nextValue + 1 + t }
        nextValue += region.tempCount
        for temps in entry where temps.count > 1 {
            for t in temps.dropFirst() { equal[root(Int(t))] = Int32(root(Int(temps[0]))) }
        }
        for temps in entry where temps.count > 1 { for t in temps { current[Int(t)] = current[root(Int(t))] } }
        for temps in entry where temps.count > 1 { for t in temps { equal[Int(t)] = t } }
        for k in 0..<locationCount { content[k] = entry[k].isEmpty ? newValue() : current[Int(entry[k][0])] }
    }

    private func root(_ t: Int) -> Int {
        var r = t
        while Int(equal[r]) != r { r = Int(equal[r]) }
        return r
    }

    /// An edge to label `l` from the current state.
    private mutating func reach(_ l: Int) {
        findTemps()
        guard let old = entries[l] else {
            entries[l] = here
            isChanged = true
            return
        }
        for k in 0..<locationCount where !old[k].isEmpty && old[k] != here[k] {
            let met = old[k].filter { here[k].contains($0) }
            if met.count == old[k].count { continue }
            entries[l]![k] = met
            isChanged = true
        }
    }

    /// Fills `here`.
    private mutating func findTemps() {
        while holder.count <= nextValue { holder.append(-1) }
        for k in 0..<locationCount {
            here[k].removeAll(keepingCapacity: true)
            if holder[content[k]] < 0 { holder[content[k]] = Int32(k) }
        }
        for t in 0..<region.tempCount {
            let k = holder[current[t]]
            if k >= 0 { here[Int(k)].append(Int32(t)) }
        }
        for k in 0..<locationCount {
            let first = Int(holder[content[k]])
            if first >= 0, first != k { here[k] = here[first] }
        }
        for k in 0..<locationCount { holder[content[k]] = -1 }
    }

    // MARK: Ops

    private mutating func perform(op: Op, _ index: Int, _ s: Step) {
        if index < position || index >= blockEnd { fail("op \(index) is not of this block, or came before") }
        catchUp(to: index)
        position = index + 1
        let row = host.rows[Int(op.opcode.rawValue)]
        let word = OpcodeTable.shared[op.opcode]
        let sources = OpcodeTable.shared.sources(op)
        let operands = [(op.a, s.a, row.a), (op.b, s.b, row.b), (op.c, s.c, row.c), (op.d, s.d, row.d)].prefix(sources)
        if op.opcode == .call {
            checkCall(op, index, s)
        } else {
            var memory = 0
            for (k, (t, place, rule)) in operands.enumerated() {
                checkOperand(k, index, t, place, rule)
                if place == Place.memory { memory += 1 }
            }
            if memory > 1 { fail("op \(index) has \(memory) operands in memory") }
        }
        if word.isExit { checkHomes(index) }
        if word.has(.recoverable) { checkRecovery(index) }
        if op.opcode == .call { afterCall(op) }

        for r in 0..<Self.registers where row.clobbers.has(UInt8(r)) {
            if word.has(.fault), let g = recovery.firstIndex(of: .register(UInt8(r))) {
                fail("op \(index) overwrites the only copy of global \(g) before it may fault")
            }
            content[r] = newValue()
        }
        content[Int(host.scratchGeneral)] = newValue()
        content[Int(host.scratchFloat)] = newValue()
        if op.opcode.row.hasResult, !op.dst.isNone {
            checkResult(op, index, s, row, operands.map(\.1))
            current[op.dst.i] = newValue()
            content[Int(s.dst & 63)] = current[op.dst.i]
        }
        if op.opcode == .brcond {
            reach(Int(s.label))
            reach(Int(s.label2))
        }
        if word.has(.terminator) { isReachable = false }
    }

    private mutating func checkOperand(_ k: Int, _ index: Int, _ t: Temp, _ place: UInt8, _ rule: OperandRule) {
        let info = region.temps[t.i]
        let opcode = region.ops[index].opcode
        var name: String { "operand \(k) of op \(index) (\(opcode.row.name))" }
        switch place {
        case Place.constant:
            let fits = info.value == Int64(Int32(truncatingIfNeeded: info.value))
            if info.kind != .const { fail("\(name) is no constant") }
            if !rule.allowsAnyConstant && !(rule.allowsConstant32 && fits) { fail("\(name) may not be this constant") }
        case Place.memory:
            if !rule.allowsMemory { fail("\(name) may not be in memory") }
            if let home = home(t), content[home] != current[t.i] { fail("\(name): the home of temp \(t.i) is stale") }
        case 0..<64:
            if RegisterSet.float.has(place) != info.type.isFloat { fail("\(name) is in a register of the wrong class") }
            if rule.isFixed, place != rule.fixedRegister {
                fail("\(name) is not in \(host.registerName(rule.fixedRegister))")
            }
            if content[Int(place)] != current[t.i] {
                fail("\(name): \(host.registerName(place)) does not hold temp \(t.i)")
            }
        default: fail("\(name) has no place")
        }
    }

    private mutating func checkResult(_ op: Op, _ index: Int, _ s: Step, _ row: ConstraintRow, _ sources: [UInt8]) {
        let r = s.dst
        if op.opcode == .call {
            if r != host.resultRegister { fail("the result of op \(index) is not in the result register") }
            return
        }
        guard r < 64, host.allocatable.has(r) else { return fail("op \(index) has no register for its result") }
        if RegisterSet.float.has(r) != region.type(op.dst).isFloat {
            fail("the result of op \(index) has the wrong class")
        }
        if row.fixedResult != 255 {
            if r != row.fixedResult {
                fail("the result of op \(index) is not in \(host.registerName(row.fixedResult))")
            }
        } else if row.clobbers.has(r) {
            fail("the result of op \(index) is in a register that the op overwrites")
        }
        guard row.earlyResult else { return }
        for (k, place) in sources.enumerated() where place == r && ![row.a, row.b, row.c, row.d][k].isFixed {
            fail("the early result of op \(index) is in a source's register")
        }
        if OpcodeTable.shared[op.opcode].has(.fault), let g = recovery.firstIndex(of: .register(r)) {
            fail("op \(index) overwrites the only copy of global \(g) before it may fault")
        }
    }

    private mutating func checkHomes(_ index: Int) {
        for g in 0..<region.globalCount where content[firstHome + g] != current[g] {
            fail("op \(index) looks at global \(g), whose home is stale")
        }
    }

    /// Recovery would find every global.
    private mutating func checkRecovery(_ index: Int) {
        for g in 0..<region.globalCount {
            switch recovery[g] {
            case .home:
                if content[firstHome + g] != current[g] {
                    fail("op \(index) may stop while the home of global \(g) is stale")
                }
            case .register(let r):
                if content[Int(r)] != current[g] {
                    fail("op \(index) may stop, and \(host.registerName(r)) does not hold global \(g)")
                }
            case .temp(let t):
                if current[t] != current[g] { fail("op \(index) may stop, and temp \(t) is not global \(g)") }
            }
        }
    }

    private mutating func checkCall(_ op: Op, _ index: Int, _ s: Step) {
        let helper = helpers[Int(op.imm)]
        let arguments = [op.a, op.b, op.c, op.d]
        for k in 0..<op.callArguments {
            checkOperand(k, index, arguments[k], host.argumentRegisters[k], .register)
        }
        if helper.reads == .all { checkHomes(index) }
    }

    private mutating func afterCall(_ op: Op) {
        for r in 0..<Self.registers where !host.calleeSaved.has(UInt8(r)) {
            content[r] = newValue()
        }
        guard helpers[Int(op.imm)].writes == .all else { return }
        for g in 0..<region.globalCount {
            current[g] = newValue()
            content[firstHome + g] = current[g]
        }
    }
}
