// What random tests have in common: where their seed comes from, that a failure tells it, and how much they do.
//
//     @Test(.seeded(31)) func randomThings() {
//         var random = SeededRandom(seed: Seed.current)
//         for _ in 0..<Rounds.count(1000) { ... }
//     }
//
// `./devtool test long` runs those that have "random" in their own or their suite's name.

import Glibc
import Testing

/// Gives a test a seed of its own, the same in each run, unless MARTLET_SEED says another. A failure names the seed.
public struct SeededTrait: TestTrait, SuiteTrait, TestScoping {
    let standard: UInt64
    public var isRecursive: Bool { true }

    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let seed = Seed.chosen ?? standard
        let addsSeed = IssueHandlingTrait.compactMapIssues { issue in
            var issue = issue
            issue.comments.append("MARTLET_SEED=\(seed) repeats this")
            return issue
        }
        try await Seed.$current.withValue(seed) {
            try await addsSeed.provideScope(for: test, testCase: testCase, performing: function)
        }
    }
}

extension Trait where Self == SeededTrait {
    public static func seeded(_ standard: UInt64) -> Self { SeededTrait(standard: standard) }
}

public enum Seed {
    static let chosen: UInt64? = number("MARTLET_SEED")
    /// The running test's, on the thread that the test began on.
    @TaskLocal public static var current: UInt64 = 1
}

public enum Rounds {
    private static let factor = Int(clamping: number("MARTLET_ROUNDS") ?? 1)
    /// As many rounds as a test usually does, MARTLET_ROUNDS times over.
    public static func count(_ usual: Int) -> Int { usual * max(1, min(factor, 1000)) }
}

/// A test that takes longer than usual runs may is for `./devtool test long` only, which sets MARTLET_LONG.
extension Trait where Self == ConditionTrait {
    public static var long: Self {
        .enabled(if: number("MARTLET_LONG") != nil, "a long test: ./devtool test long runs it")
    }
}

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): any seed gives a good stream.
public struct SeededRandom: RandomNumberGenerator {
    @usableFromInline var state: UInt64

    @inlinable public init(seed: UInt64) { state = seed }

    @inlinable public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z &>> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z &>> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z &>> 31)
    }

    /// A number in 0..<bound.
    @inlinable public mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next() &>> 1) % bound }
}

private func number(_ variable: String) -> UInt64? { getenv(variable).flatMap { UInt64(String(cString: $0)) } }
