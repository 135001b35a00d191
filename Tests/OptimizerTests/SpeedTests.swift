// What the optimizer costs. The printed figures are of release builds without the verifier; the test only bounds them
// generously.

import IR
import Testing

@testable import Optimizer

@Test(arguments: [OptimizationLevel.baseline, .full]) func optimizingTakesLittleTimePerOp(_ level: OptimizationLevel)
    throws
{
    let region = Region.allocate(globals: caseGlobals)
    defer { region.deallocate() }
    let storage = OptimizerStorage(
        region: region, globals: caseGlobals, helpers: caseHelpers, sharesGuestLoads: true, verifies: false)
    let clock = ContinuousClock()
    var total = Duration.zero
    var ops = 0
    for _ in 0..<2000 {
        region.reset(pc: 0x1000)
        ops += typicalCode(region, isLoop: level == .full)
        total += clock.measure { _ = Optimizer.run(region, storage, level: level) }
    }
    let nanoseconds = Double(total.components.attoseconds) / 1e9 + Double(total.components.seconds) * 1e9
    print("\(level): \(nanoseconds / Double(ops)) ns per op")
    #expect(nanoseconds / Double(ops) < 5000)
}

/// Ops as front ends make them: loads, additions, extensions, a compare and branch at the end.
private func typicalCode(_ region: Region, isLoop: Bool) -> Int {
    var ir = IRBuilder(region: region)
    let entry = ir.newBlock(guestPC: 0x1000)
    let taken = ir.newBlock()
    let next = ir.newBlock()
    let a = (0..<6).map { Temp($0) }
    ir.begin(entry)
    ir.checkExit(0x1000)
    for i in 0..<20 {
        ir.insnStart(UInt64(0x1000 + 4 * i))
        switch i % 5 {
        case 0: ir.gld(a[0], Int64(8 * i), .s32, into: a[1 + i % 3])
        case 1: ir.sextract(ir.add(a[1], a[2]), 0, 32, into: a[3])
        case 2: ir.gst(a[3], a[0], Int64(4 * i), .u32)
        case 3: ir.add(ir.shl(a[2], ir.const(3)), a[4], into: a[2])
        default: ir.add(a[4], ir.const(8), into: a[4])
        }
    }
    ir.brcond(.ltu, a[4], a[5], taken, next)
    ir.begin(taken)
    ir.checkExit(0x1000)
    if isLoop { ir.br(entry) } else { ir.gotoTB(0x1000) }
    region.blocks[0].isLoopHeader = isLoop
    ir.begin(next)
    ir.gotoTB(0x2000)
    return region.opCount
}
