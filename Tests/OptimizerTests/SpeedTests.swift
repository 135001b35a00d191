// What the optimizer costs: an op of a region of any size takes the same time, so that no pass is quadratic in anything that grows
// with the region. (Nanoseconds depend on the machine and are measured by `-stats`.)

import IR
import Testing

@testable import Optimizer

@Suite(.serialized) struct SpeedTests {
    @Test(arguments: [OptimizationLevel.baseline, .full])
    func anOpOfALargeRegionCostsWhatOneOfASmallRegionDoes(_ level: OptimizationLevel) throws {
        let region = Region.allocate(globals: caseGlobals)
        defer { region.deallocate() }
        let storage = OptimizerStorage(
            region: region, globals: caseGlobals, helpers: caseHelpers, sharesGuestLoads: true,
            memoryModel: .weak)
        /// The least of several runs: the others were disturbed.
        func costPerOp(copies: Int) -> Duration {
            let clock = ContinuousClock()
            var least = Duration.seconds(1)
            for _ in 0..<40 {
                region.reset(pc: 0x1000)
                typicalCode(region, copies: copies, isLoop: level == .full)
                let count = region.opCount
                let time = clock.measure { #expect(Optimizer.run(region, storage, level: level) == nil) }
                least = min(least, time / count)
                #expect(!region.s.pointee.overflowed)
            }
            return least
        }
        let small = costPerOp(copies: 4)
        let large = costPerOp(copies: 128)
        // Far more than caches and noise do, far less than the factor of 32 of a quadratic pass.
        #expect(large < small * 8, "\(small) and \(large) per op")
    }
}

/// `copies` guest blocks as front ends make them: loads, additions, extensions, a compare and branch at the end.
private func typicalCode(_ region: Region, copies: Int, isLoop: Bool) {
    var ir = IRBuilder(region: region)
    let blocks = (0..<copies).map { ir.newBlock(guestPC: UInt64(0x1000 + 0x100 * $0)) }
    let end = ir.newBlock()
    let a = (0..<6).map { Temp($0) }
    for (n, block) in blocks.enumerated() {
        ir.begin(block)
        if n == 0 { ir.checkExit(0x1000) }
        for i in 0..<20 {
            ir.insnStart(UInt64(0x1000 + 0x100 * n + 4 * i))
            switch i % 5 {
            case 0: ir.gld(a[0], Int64(8 * i), .s32, into: a[1 + i % 3])
            case 1: ir.sextract(ir.add(a[1], a[2]), 0, 32, into: a[3])
            case 2: ir.gst(a[3], a[0], Int64(4 * i), .u32)
            case 3: ir.add(ir.shl(a[2], ir.const(3)), a[4], into: a[2])
            default: ir.add(a[4], ir.const(8), into: a[4])
            }
        }
        let next = n + 1 < copies ? blocks[n + 1] : isLoop ? blocks[0] : end
        ir.brcond(.ltu, a[4], a[5], next, end)
    }
    region.blocks[0].isLoopHeader = isLoop
    ir.begin(end)
    ir.gotoTB(0x2000)
}
