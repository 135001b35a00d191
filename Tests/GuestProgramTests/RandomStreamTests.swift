// Random instruction streams: state and memory at the end, and at every fault, are the same in all modes of Martlet and
// in the reference emulator where it knows the instructions.
//
// MARTLET_FUZZ_SEED starts at another seed, MARTLET_FUZZ_COUNT runs another number of programs per profile, and
// MARTLET_FUZZ_KEEP names a folder that gets the reduced programs. A failure prints its seed.

import Testing

@Suite(.serialized) struct RandomStreamTests {
    static let firstSeed = environmentValue("MARTLET_FUZZ_SEED").flatMap { UInt64($0) } ?? 1
    static let count = environmentValue("MARTLET_FUZZ_COUNT").flatMap { Int($0) } ?? 24

    @Test(arguments: [RandomProfile.common, .all])
    func statesAndMemoryAreTheSameInAllModes(_ profile: RandomProfile) throws {
        _ = try Workspace.requireMartlet()
        let runner = try RandomRunner()
        var executed = 0
        for index in 0..<Self.count {
            let result = try runner.check(seed: Self.firstSeed + UInt64(index), profile)
            executed += result.executed
            if let report = result.report { Issue.record("\(report)") }
        }
        if Self.count >= 24 { #expect(executed >= 1_000_000) }
    }
}

extension RandomProfile: CustomTestStringConvertible {
    var testDescription: String { name }
}
