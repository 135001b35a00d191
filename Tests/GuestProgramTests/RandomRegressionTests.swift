// Programs that once came out differently in some mode, as small as the reducer made them. Each runs in a loop long
// enough for every tier, in all modes and in the reference emulator.

import Testing

struct RandomRegression: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var words: [UInt32]

    static let all: [RandomRegression] = [
        RandomRegression(
            testDescription: "an access over a page's end, refused by the second page alone",
            words: [0x4051b7, 0xfff1_8193, 0x1b407]),  // lui gp,0x405; addi gp,gp,-1; fld fs0,0(gp)
        RandomRegression(
            testDescription: "a store over a page's end, refused by the second page alone",
            words: [0x4051b7, 0xffd1_8193, 0x81_b023]),  // lui gp,0x405; addi gp,gp,-3; sd s0,0(gp)
        RandomRegression(
            testDescription: "a double rounded to the smallest 32-bit integer is inexact",
            // lui a0,0xc1e00; slli a0,a0,32; addi a0,a0,1; fmv.d.x fs0,a0; fcvt.w.d a1,fs0,rup
            words: [0xc1e00537, 0x0205_1513, 0x0015_0513, 0xf205_0453, 0xc204_35d3]),
    ]
}

@Suite(.serialized) struct RandomRegressionTests {
    @Test(arguments: RandomRegression.all)
    func comesOutTheSameInAllModes(_ regression: RandomRegression) throws {
        _ = try Workspace.requireMartlet()
        let program = RandomProgram(
            seed: 0, extensions: RandomProfile.common.extensions,
            frame: ProgramFrame(counter: 31, random: RandomSource(seed: 0)), collector: 30,
            segments: [Segment(iterations: 50, items: regression.words.map { Item([$0]) })], functions: [])
        for difference in try RandomRunner().differences(program, RandomRunner.modes(.common)) {
            Issue.record("\(difference.mode) against \(difference.expectedMode): \(difference.description)")
        }
    }
}
