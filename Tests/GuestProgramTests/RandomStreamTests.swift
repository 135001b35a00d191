// Random instruction streams: state and memory at the end, and at every fault, are the same in all modes of Martlet and
// in the reference emulator where it knows the instructions.
//
// MARTLET_FUZZ_KEEP names a folder that gets the reduced programs.

import TestSupport
import Testing

@Suite(.serialized) struct RandomStreamTests {
    @Test(.seeded(1), arguments: [RandomProfile.common, .all, .common32, .all32])
    func statesAndMemoryAreTheSameInAllModes(_ profile: RandomProfile) throws {
        _ = try Workspace.requireMartlet()
        let runner = try RandomRunner()
        var executed = 0
        for index in 0..<Rounds.count(24) {
            let result = try runner.check(seed: Seed.current &+ UInt64(index), profile)
            executed += result.executed
            if let report = result.report { Issue.record("\(report)") }
        }
        #expect(executed >= 1_000_000)
    }
}

extension RandomProfile: CustomTestStringConvertible {
    var testDescription: String { name }
}
