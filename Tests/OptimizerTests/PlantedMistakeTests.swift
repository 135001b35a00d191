// Wrong rewrites, planted behind each pass: what leaves a region that is not well formed is found at once, and blamed on the pass.
//
// A rewrite may also be wrong and well formed: no verifier finds those. Some of them are here too, to show that comparing with the
// interpreter does (`RandomRegionTests`).

import IR
import TestSupport
import Testing

@testable import Optimizer

/// One wrong rewrite.
struct Mistake: Sendable, CustomTestStringConvertible {
    var pass: Pass
    var testDescription: String
    /// Makes it; false where the region offers no place for it.
    var plant: @Sendable (Region, OptimizerStorage) -> Bool

    init(_ pass: Pass, _ text: String, _ plant: @escaping @Sendable (Region, OptimizerStorage) -> Bool) {
        self.pass = pass
        testDescription = "\(pass.rawValue): \(text)"
        self.plant = plant
    }
    init(_ pass: Pass, _ text: String, _ plant: @escaping @Sendable (Region) -> Bool) {
        self.init(pass, text) { region, _ in plant(region) }
    }

    /// The pass that `Optimizer.run` knows it as: loads are forwarded while values are propagated.
    var reported: Pass { pass == .memory ? .propagate : pass }
}

extension Mistake {
    /// What the verifier has to find: at least one for each pass. (`flow` changes nothing: its mistakes are well formed, but for one
    /// that it has no business to make.)
    static let malformed: [Mistake] = [
        Mistake(.widen, "a load wider than its result") { r in
            r.change(first: { $0.opcode == .gld && $0.type == .i64 }) { $0.type = .i32 }
        },
        Mistake(.flags, "flags that are read and no longer made") { r in r.lose { $0.opcode == .fpGetFlags } },
        Mistake(.fuse, "a field beyond the end of its word") { r in
            r.change(first: { $0.opcode == .sextract || $0.opcode == .extract }) { $0.imm = 40 | 32 << 8 }
        },
        Mistake(.rotate, "a rotation of a word that is not one") { r in
            r.change(first: { $0.opcode == .add && $0.type == .i64 }) { op in
                op.opcode = .rotl
                op.a = RegionGenerator.w[0]
            }
        },
        Mistake(.flow, "a result without an op that makes it") { r in r.lose { $0.opcode.row.effects.isEmpty } },
        Mistake(.propagate, "a copy of a value that is made later") { r in r.useBeforeItIsMade() },
        Mistake(.memory, "a load made a copy of another type") { r in
            r.change(first: { $0.opcode == .gld && $0.type == .i64 }) {
                $0 = Op(.mov, .i64, dst: $0.dst, a: RegionGenerator.f[0])
            }
        },
        Mistake(.blocks, "a jump to a block that is gone") { r in
            r.change(first: { $0.opcode == .br || $0.opcode == .brcond }) { $0.c = Temp(r.blockCount) }
        },
        Mistake(.blocks, "two blocks joined, and the jump between them left") { r in
            for b in 0..<r.blockCount where r.lastOp(b).opcode == .br {
                let next = r.lastOp(b).c.i
                if next != b, r.blocks[next].start == r.blocks[b].end {
                    r.blocks[b].end = r.blocks[next].end
                    r.blocks[next].start = r.blocks[next].end - 1
                    return true
                }
            }
            return false
        },
        Mistake(.scan, "a count of zeros in half of its register") { r in
            r.change(first: { $0.opcode == .add && $0.type == .i64 }) {
                $0 = Op(.clz, .i32, dst: $0.dst, a: RegionGenerator.w[0])
            }
        },
        Mistake(.unboxing, "a box where its value belongs") { r in
            r.change(first: { $0.opcode == .fmul && $0.type == .f32 }) { $0.a = RegionGenerator.f[0] }
        },
        Mistake(.invariants, "an op moved before what it uses") { r in r.useBeforeItIsMade() },
        Mistake(.unroll, "a copy that assigns the same temp again") { r in
            // In place of the mark before it.
            guard let i = r.inBlocks.first(where: { r.ops[$0].opcode == .insnStart && r.isMade($0 + 1) }) else {
                return false
            }
            r.ops[i] = r.ops[i + 1]
            return true
        },
        Mistake(.sink, "an op gone from the way that needs it") { r in
            r.lose { $0.opcode == .shl || $0.opcode == .add }
        },
        Mistake(.dead, "an op removed whose result is used") { r in r.lose { $0.opcode.row.effects.isEmpty } },
        Mistake(.nans, "a mark on an op that makes no NaN") { r in
            r.change(first: { $0.opcode == .add && $0.type == .i64 }) { $0.aux |= 32 }
        },
    ]

    /// Well formed and wrong: for the interpreter.
    static let wellFormed: [Mistake] = [
        Mistake(.flow, "a register said to be constant that is not") { _, storage in
            storage.entryFacts[0] = Facts(constant: 42)
            return true
        },
        Mistake(.propagate, "a difference the other way round") { r in
            r.change(first: { $0.opcode == .sub }) { swap(&$0.a, &$0.b) }
        },
        Mistake(.memory, "a load made a copy of what is not there") { r in
            r.change(first: { $0.opcode == .gld && $0.type == .i64 }) {
                $0 = Op(.mov, .i64, dst: $0.dst, a: RegionGenerator.base)
            }
        },
        Mistake(.blocks, "a branch turned round, and its condition not") { r in
            r.change(first: { $0.opcode == .brcond }) { swap(&$0.c, &$0.d) }
        },
        Mistake(.rotate, "a rotation to the other side") { r in
            r.change(first: { $0.opcode == .rotl }) { $0.opcode = .rotr }
        },
        Mistake(.dead, "a store that nobody seemed to need") { r in
            r.change(first: { $0.opcode == .st || $0.opcode == .gst }) { $0 = r.mark }
        },
    ]
}

@Suite struct PlantedMistakeTests {
    /// Random regions with the mistake behind the first run of its pass, until `body` has had enough of them.
    private func plant(
        _ mistake: Mistake, rounds: Int, _ body: (Region, Region, PassFailure?) throws -> Bool
    ) throws {
        let region = Region.allocate(globals: caseGlobals)
        let optimized = Region.allocate(globals: caseGlobals)
        defer {
            region.deallocate()
            optimized.deallocate()
        }
        let storage = OptimizerStorage(
            region: region, globals: caseGlobals, helpers: caseHelpers, sharesGuestLoads: true,
            memoryModel: .weak, verifies: true)
        for round in 0..<rounds {
            region.reset(pc: 0x1000)
            var generator = RegionGenerator(region, seed: Seed.current &+ UInt64(round), hasLoops: true)
            generator.generate(blocks: 7, ops: 12)
            copy(region, optimized)
            var isPlanted = false
            storage.afterPass = { pass, region in
                if pass == mistake.reported, !isPlanted { isPlanted = mistake.plant(region, storage) }
            }
            let failure = Optimizer.run(optimized, storage, level: .full)
            if isPlanted, try body(region, optimized, failure) { return }
        }
    }

    @Test func everyPassHasAMistake() {
        for pass in Pass.allCases { #expect(Mistake.malformed.contains { $0.pass == pass }, "\(pass.rawValue)") }
    }

    @Test(.seeded(1), arguments: Mistake.malformed)
    func aMalformedRandomRegionIsFoundBehindItsPass(_ mistake: Mistake) throws {
        var found = 0
        try plant(mistake, rounds: 1000) { _, region, failure in
            found += 1
            #expect(
                failure?.pass == mistake.reported && failure?.problems.isEmpty == false,
                "\(region.print(globals: caseGlobals, helpers: caseHelpers))")
            return found == 20 || failure == nil
        }
        #expect(found > 0, "no region had a place for it")
    }

    @Test(.seeded(1), arguments: Mistake.wellFormed)
    func aWellFormedMistakeInARandomRegionIsForTheInterpreter(_ mistake: Mistake) throws {
        let runner = Runner()
        var differs = false
        try plant(mistake, rounds: 1000) { region, optimized, failure in
            #expect(failure == nil)
            for seed in 0..<4 as Range<UInt64> where !differs {
                differs = try runner.run(region, seed: seed) != runner.run(optimized, seed: seed)
            }
            return differs || failure != nil
        }
        #expect(differs, "no region came out differently")
    }
}

extension Region {
    /// An op that does nothing.
    var mark: Op { Op(.insnStart, .i64, imm: 0x1000) }

    /// Changes the first op of a block that is such a one. False: there is none.
    fileprivate func change(first isOne: (Op) -> Bool, _ body: (inout Op) -> Void) -> Bool {
        guard let i = inBlocks.first(where: { isOne(ops[$0]) }) else { return false }
        body(&ops[i])
        return true
    }

    /// Ops of blocks that can be reached, the entry's first. (The verifier lets an op use anything where nobody comes.)
    fileprivate var inBlocks: [Int] {
        var order = [0]
        var next = 0
        while next < order.count {
            let last = lastOp(order[next])
            let targets = last.opcode == .brcond ? [last.c.i, last.d.i] : last.opcode == .br ? [last.c.i] : []
            for target in targets where !order.contains(target) { order.append(target) }
            next += 1
        }
        return order.flatMap { Int(blocks[$0].start)..<Int(blocks[$0].end) }
    }

    private func uses(_ i: Int, _ t: Temp) -> Bool {
        let op = ops[i]
        let sources = op.opcode == .call ? op.callArguments : Int(op.opcode.row.sources)
        return sources > 0 && op.a == t || sources > 1 && op.b == t || sources > 2 && op.c == t
            || sources > 3 && op.d == t
    }

    /// The op makes a temp.
    fileprivate func isMade(_ i: Int) -> Bool {
        ops[i].opcode.row.hasResult && !ops[i].dst.isNone && temps[ops[i].dst.i].kind == .temp
    }

    /// Removes the op that makes a temp used later. False: no such op.
    fileprivate func lose(_ isOne: (Op) -> Bool) -> Bool {
        let all = inBlocks
        for i in all where isOne(ops[i]) && isMade(i) {
            let t = ops[i].dst
            if !all.contains(where: { $0 != i && uses($0, t) }) { continue }
            ops[i] = mark
            return true
        }
        return false
    }

    /// Makes an op of the entry's first ones read a temp that a later op makes.
    fileprivate func useBeforeItIsMade() -> Bool {
        let entry = Int(blocks[0].start)..<Int(blocks[0].end)
        for i in entry where ops[i].opcode.row.sources > 0 && ops[i].opcode != .call {
            guard !ops[i].a.isNone,
                let later = inBlocks.first(where: {
                    (!entry.contains($0) || $0 > i) && isMade($0) && type(ops[$0].dst) == type(ops[i].a)
                })
            else { continue }
            ops[i].a = ops[later].dst
            return true
        }
        return false
    }
}
