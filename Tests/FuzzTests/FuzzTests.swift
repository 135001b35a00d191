// The targets of the fuzzers, with their seeds and what becomes of those by chance. `./devtool fuzz` looks further.

import FuzzTargets
import TestSupport
import Testing

@Suite(.serialized) struct FuzzTests {
    @Test(arguments: FuzzTarget.all) func seedsDoNoHarm(_ target: FuzzTarget) throws {
        let seeds = try target.seeds()
        #expect(!seeds.isEmpty && seeds.allSatisfy { !$0.isEmpty })
        for seed in seeds {
            target.run(seed)
            for count in stride(from: 0, to: seed.count, by: max(1, seed.count / 50)) {
                target.run(Array(seed.prefix(count)))
            }
        }
    }

    @Test(.seeded(81), arguments: FuzzTarget.all) func randomChangesDoNoHarm(_ target: FuzzTarget) throws {
        var random = SeededRandom(seed: Seed.current)
        let seeds = try target.seeds()
        for _ in 0..<Rounds.count(300) {
            var bytes = seeds[random.below(seeds.count)]
            for _ in 0...random.below(6) where !bytes.isEmpty {
                let at = random.below(bytes.count)
                switch random.below(5) {
                case 0: bytes[at] = [0, 0xff, 0x7f, 0x80, 1][random.below(5)]
                case 1: bytes[at] ^= 1 << UInt8(random.below(8))
                case 2: bytes.remove(at: at)
                case 3: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + random.below(64))], at: at)
                default: bytes[at] = UInt8(truncatingIfNeeded: random.next())
                }
            }
            target.run(bytes)
        }
    }
}
