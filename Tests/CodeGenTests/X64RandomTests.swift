// Random regions on the x86-64 host against the interpreter: registers, memory, flags and exits must be equal.

import IR
import Testing

@Suite(.serialized) struct X64RandomTests {
    /// `rounds` regions of `blocks` blocks; stops at the first difference.
    private func compare(_ seed: UInt64, rounds: Int, blocks: Int, ops: Int, floats: Bool, moved: Bool = false) {
        let machine = TestMachine()
        machine.movesRegions = moved
        Watchdog.start()
        defer { Watchdog.stop() }
        var random = TestRandom(seed)
        for round in 0..<rounds {
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

    @Test func straightLineIntegerCode() { compare(1, rounds: 4000, blocks: 1, ops: 100, floats: false) }
    @Test func branchingIntegerCode() { compare(2, rounds: 6000, blocks: 8, ops: 20, floats: false) }
    @Test func straightLineFloatingPointCode() { compare(3, rounds: 4000, blocks: 1, ops: 100, floats: true) }
    @Test func branchingFloatingPointCode() { compare(4, rounds: 6000, blocks: 8, ops: 20, floats: true) }
    @Test func movedCode() { compare(5, rounds: 3000, blocks: 6, ops: 30, floats: true, moved: true) }
}
