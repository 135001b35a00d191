// Loops that look for the highest field that is not zero do the same when they are counts of zeros, for fields of every width,
// from every position, entered at either block.

import IR
import Testing

@testable import Optimizer

/// The loop as guests have it. The value is a0, the position a1; a2 and a3 are what it sees.
private func scan(width: Int, from first: Int, entersAtLook: Bool) -> String {
    """
    region 0x1000 flags 0
    block0:
      a1 = mov.i64 \(entersAtLook ? first : first + width)
      a2 = mov.i64 5
      a3 = mov.i64 6
      br block\(entersAtLook ? 2 : 1)
    block1 loop:
      check_exit 0x1004
      a1 = add.i64 a1, \(-width)
      brcond.ne.i64 a1, 0, block2, block3
    block2 loop:
      check_exit 0x1008
      a2 = shr.i64 a0, a1
      a3 = and.i64 a2, \((1 << width) - 1)
      brcond.ne.i64 a3, 0, block4, block1
    block3:
      exit_tb 16
    block4:
      exit_tb 17
    """
}

@Test func scansAreCountsOfZeros() throws {
    let runner = Runner()
    for width in [1, 2, 4, 8, 16] {
        for first in stride(from: width, through: 64 - width, by: max(width, 8)) {
            for entersAtLook in [false, true] {
                let text = scan(width: width, from: first, entersAtLook: entersAtLook)
                let plain = try Region.parse(text, globals: caseGlobals, helpers: caseHelpers)
                let region = try Region.parse(text, globals: caseGlobals, helpers: caseHelpers)
                defer {
                    plain.deallocate()
                    region.deallocate()
                }
                let storage = OptimizerStorage(
                    region: region, globals: caseGlobals, helpers: caseHelpers, sharesGuestLoads: true,
                    memoryModel: .weak, verifies: true)
                #expect(Optimizer.run(region, storage, level: .full) == nil)
                let optimized = region.print(globals: caseGlobals, helpers: caseHelpers)
                #expect(optimized.contains("clz.i64"), "\(text)")
                #expect(!optimized.contains("check_exit"), "\(optimized)")
                for seed in 0..<40 as Range<UInt64> {
                    #expect(try runner.run(plain, seed: seed) == runner.run(region, seed: seed), "\(text) \(seed)")
                }
            }
        }
    }
}
