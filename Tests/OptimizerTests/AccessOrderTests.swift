// Total store order: the guest accesses that a region makes before and after the passes, one after the other. Stores must be the
// same. A load may be missing where it can be thought of as made right behind an access that is there: no load that is made lies
// between. Loads may be joined when they follow each other.

import CodeGen
import CodeGenInterpreter
import IR
import TestSupport
import Testing

@testable import Optimizer

private struct Access: Equatable, CustomStringConvertible {
    var isStore: Bool
    var address: UInt64
    var size: UInt64
    var end: UInt64 { address &+ size }
    var description: String { "\(isStore ? "store" : "load") \(size) at \(String(address, radix: 16))" }
    func covers(_ other: Access) -> Bool { address <= other.address && other.end <= end }
}

/// The accesses of the one run that is under way: only the test below runs with `tracing`.
private enum Trace {
    nonisolated(unsafe) static var accesses: [Access] = []

    static func note(_ isStore: Bool, _ address: UInt64, _ size: UInt64) {
        accesses.append(Access(isStore: isStore, address: address, size: 1 << size))
    }

    static let tracing = GuestAccess(
        load: {
            if $0 < 4096 { return 11 }
            Trace.note(false, $0, $1)
            return GuestAccess.direct.load($0, $1, $2)
        },
        store: {
            if $0 < 4096 { return 11 }
            Trace.note(true, $0, $1)
            return GuestAccess.direct.store($0, $1, $2)
        },
        compareExchange: { GuestAccess.direct.compareExchange($0, $1, $2, $3, $4) },
        compareExchangePair: { GuestAccess.direct.compareExchangePair($0, $1) })
}

/// Why `after` is no order of `before` that total store order allows; nil if it is one.
private func violation(_ before: [Access], _ after: [Access]) -> String? {
    /// By how many of `after` have been made: the accesses that a load may be thought to follow directly, which are the last load
    /// and the stores behind it.
    var known: [[Access]] = [[]]
    for access in after { known.append(access.isStore ? known[known.count - 1] + [access] : [access]) }
    /// How many of `after` may have been made when so many of `before` have.
    var made: Set<Int> = [0]
    for (i, access) in before.enumerated() {
        var following: Set<Int> = []
        for n in made {
            if n < after.count, after[n].isStore == access.isStore,
                access.isStore ? after[n] == access : after[n].covers(access)
            {
                following.insert(n + 1)
            }
            if !access.isStore, known[n].contains(where: { $0.covers(access) }) { following.insert(n) }
        }
        if following.isEmpty { return "access \(i): nothing stands for \(access)" }
        made = following
    }
    return made.contains(after.count) ? nil : "there is more at the end"
}

@Suite struct AccessOrderTests {
    @Test func theOracleKnowsTheClassicCases() {
        func load(_ a: UInt64, _ size: UInt64 = 8) -> Access { Access(isStore: false, address: a, size: size) }
        func store(_ a: UInt64) -> Access { Access(isStore: true, address: a, size: 8) }
        #expect(violation([load(0), load(8), load(0)], [load(0), load(8), load(0)]) == nil)
        #expect(violation([load(0), load(8), load(0)], [load(0), load(8)]) != nil)
        #expect(violation([load(0), load(0), load(8)], [load(0), load(8)]) == nil)
        #expect(violation([store(0), load(0)], [store(0)]) == nil)
        #expect(violation([store(0), load(8), load(0)], [store(0), load(8)]) != nil)
        #expect(violation([load(0), store(8), load(0)], [load(0), store(8)]) == nil)
        #expect(violation([load(0, 1), load(1, 1)], [load(0, 2)]) == nil)
        #expect(violation([load(0, 1), load(8), load(1, 1)], [load(0, 2), load(8)]) != nil)
        #expect(violation([store(0), store(8)], [store(8), store(0)]) != nil)
    }

    @Test(.seeded(5000)) func randomRegionsKeepTotalStoreOrder() throws {
        let runner = Runner(access: Trace.tracing)
        let region = Region.allocate(globals: caseGlobals)
        let optimized = Region.allocate(globals: caseGlobals)
        defer {
            region.deallocate()
            optimized.deallocate()
        }
        let storage = OptimizerStorage(
            region: region, globals: caseGlobals, helpers: caseHelpers, sharesGuestLoads: true, memoryModel: .tso)
        var left = 0
        for round in 0..<Rounds.count(1500) {
            let seed = Seed.current &+ UInt64(round)
            region.reset(pc: 0x1000)
            var generator = RegionGenerator(region, seed: seed, hasLoops: true)
            generator.accessShare = 3
            generator.generate(blocks: 4, ops: 12)
            copy(region, optimized)
            #expect(Optimizer.run(optimized, storage, level: .full) == nil)
            for k in 0..<2 as Range<UInt64> {
                Trace.accesses = []
                _ = try runner.run(region, seed: seed &* 7 &+ k)
                let before = Trace.accesses
                Trace.accesses = []
                _ = try runner.run(optimized, seed: seed &* 7 &+ k)
                left += before.count - Trace.accesses.count
                guard let problem = violation(before, Trace.accesses) else { continue }
                Issue.record(
                    """
                    round \(round), state \(k): \(problem)
                    \(region.print(globals: caseGlobals, helpers: caseHelpers))
                    \(optimized.print(globals: caseGlobals, helpers: caseHelpers))
                    """)
                return
            }
        }
        // Something was left out: there was something to prove.
        #expect(left > 100)
    }
}
