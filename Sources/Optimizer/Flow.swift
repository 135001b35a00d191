// The pass `flow`: what is known of the bits of each global at every block's entry: constants, extensions from 32
// bits, boxes. An optimistic iteration: nothing is known to contradict anything until a path shows it, so that facts
// hold around loops. Where paths disagree only a few coarse facts remain, so that it ends soon.
//
// It changes nothing; `propagate` reads `OptimizerStorage.entryFacts`.

import IR

func flowFacts(_ region: Region, _ storage: OptimizerStorage) {
    let graph = storage.graph
    let count = region.globalCount
    graph.lay(region)
    storage.hasEntryFacts.update(repeating: false, count: region.blockCount)
    /// Blocks whose entry has changed since they were walked.
    let isPending = graph.stamp
    isPending.update(repeating: 0, count: region.blockCount)
    for g in 0..<count { storage.entryFacts[g] = Facts(type: region.temps[g].type) }
    storage.hasEntryFacts[0] = true
    isPending[0] = 1
    var walk = FactWalk(region, storage)
    var hasChanged = true
    while hasChanged {
        hasChanged = false
        for i in 0..<region.blockCount {
            let b = Int(graph.order[i])
            if isPending[b] == 0 { continue }
            isPending[b] = 0
            walk.run(b)
            for next in region.successors(of: b) where walk.meet(next) {
                isPending[next] = 1
                hasChanged = true
            }
        }
    }
    storage.hasFlow = true
}

extension OptimizerStorage {
    @inline(__always) func hasFacts(_ block: Int) -> Bool { hasFlow && hasEntryFacts[block] }
    func forgetEntryFacts() { hasFlow = false }
}

/// Facts through one block.
private struct FactWalk: ~Copyable {
    let region: Region
    let storage: OptimizerStorage
    /// By temp; a temp's are of this walk when its stamp is.
    let facts: UnsafeMutablePointer<Facts>
    let stamps: UnsafeMutablePointer<UInt32>
    var stamp: UInt32 = 0
    let globalCount: Int

    init(_ region: Region, _ storage: OptimizerStorage) {
        self.region = region
        self.storage = storage
        facts = storage.facts
        stamps = storage.stamps
        globalCount = region.globalCount
        stamps.update(repeating: 0, count: region.tempCount)
    }

    mutating func run(_ b: Int) {
        stamp &+= 1
        facts.update(from: storage.entryFacts + b &* globalCount, count: globalCount)
        for i in region.ops(of: b) {
            let op = region.ops[i]
            if op.opcode == .call, storage.helperEffects[Int(op.imm)].has(.writesGlobals) {
                for g in 0..<globalCount { facts[g] = Facts(type: region.temps[g].type) }
            }
            guard storage.table[op.opcode].hasResult, !op.dst.isNone else { continue }
            let sources = op.opcode == .call ? 0 : storage.table.sources(op)
            let none = Facts.unknown
            let result = transfer(
                op, result: region.type(op.dst), sources > 0 ? known(op.a) : none, sources > 1 ? known(op.b) : none,
                sources > 2 ? known(op.c) : none, sources > 3 ? known(op.d) : none)
            facts[op.dst.i] = result
            stamps[op.dst.i] = stamp
        }
    }

    @inline(__always) private func known(_ t: Temp) -> Facts {
        if t.i < globalCount || stamps[t.i] == stamp { return facts[t.i] }
        let info = region.temps[t.i]
        // A value from another block may have been walked with facts that no longer hold.
        return info.kind == .const ? Facts(constant: UInt64(bitPattern: info.value)) : Facts(type: info.type)
    }

    /// Control goes on to block `b` with the facts at hand. True when its entry has changed.
    func meet(_ b: Int) -> Bool {
        let entry = storage.entryFacts + b &* globalCount
        if !storage.hasEntryFacts[b] {
            entry.update(from: facts, count: globalCount)
            storage.hasEntryFacts[b] = true
            return true
        }
        var hasChanged = false
        for g in 0..<globalCount {
            let met = entry[g].met(facts[g])
            if met == entry[g] { continue }
            entry[g] = met.coarse
            hasChanged = true
        }
        return hasChanged
    }
}

extension Facts {
    /// Only what is worth knowing around a loop: truth values, extensions from 32 bits, boxes.
    fileprivate var coarse: Facts {
        let upper: UInt64 = 0xffff_ffff_0000_0000
        let isBool = zeros & ~1 == ~1
        return Facts(
            zeros: isBool ? ~1 : zeros & upper == upper ? upper : 0, ones: ones & upper == upper ? upper : 0,
            width: isBool ? 2 : width <= 32 ? 32 : 64)
    }
}
