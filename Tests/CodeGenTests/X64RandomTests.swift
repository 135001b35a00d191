// Random regions on the x86-64 host against the interpreter: registers, memory, flags and exits must be equal.

import IR
import SoftFloat
import TestSupport
import Testing

@Suite(.serialized) struct X64RandomTests {
    /// `rounds` regions of `blocks` blocks; stops at the first difference.
    private func compare(
        rounds: Int, blocks: Int, ops: Int, floats: Bool, moved: Bool = false, rules: FloatRules = .canonical
    ) {
        let machine = TestMachine(floatRules: rules)
        machine.movesRegions = moved
        Watchdog.start()
        defer { Watchdog.stop() }
        var random = TestRandom(Seed.current)
        for round in 0..<Rounds.count(rounds) {
            var generator = RegionGenerator(machine, seed: random.next())
            generator.floats = floats
            generator.blocks = 1 + random.below(blocks)
            generator.opsPerBlock = ops
            generator.generate()
            if machine.region.s.pointee.overflowed { continue }
            let problems = machine.region.verify(globals: TestMachine.globals, helpers: TestMachine.helpers)
            if !problems.isEmpty {
                Issue.record("round \(round): \(problems)\n\(machine.region.text())")
                return
            }
            if let difference = machine.compare(&random, runs: 4) {
                Issue.record("round \(round): \(difference)")
                return
            }
        }
    }

    @Test(.seeded(1)) func straightLineIntegerCode() { compare(rounds: 4000, blocks: 1, ops: 100, floats: false) }
    @Test(.seeded(2)) func branchingIntegerCode() { compare(rounds: 6000, blocks: 8, ops: 20, floats: false) }
    @Test(.seeded(3)) func straightLineFloatingPointCode() { compare(rounds: 4000, blocks: 1, ops: 100, floats: true) }
    @Test(.seeded(4)) func branchingFloatingPointCode() { compare(rounds: 6000, blocks: 8, ops: 20, floats: true) }
    /// Each of these differs from the host's FPU, which has the second one but for fused operations.
    @Test(
        .seeded(6),
        arguments: [
            FloatRules(nan: .propagateFirst, tininess: .beforeRounding),
            FloatRules(nan: .propagateFirst, tininess: .afterRounding),
            FloatRules(nan: .propagateSignalingFirst, tininess: .beforeRounding),
            FloatRules(nan: .canonicalPositive, tininess: .beforeRounding),
        ]) func floatingPointByOtherRules(_ rules: FloatRules)
    {
        #expect(FloatRules(byte: rules.byte) == rules)
        compare(rounds: 500, blocks: 2, ops: 60, floats: true, rules: rules)
    }
    @Test(.seeded(5)) func movedCode() { compare(rounds: 3000, blocks: 6, ops: 30, floats: true, moved: true) }
}
