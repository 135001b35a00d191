// What is decided of the shape of regions.

import GuestMemory
import Testing

@testable import ExecutionEngine

@Suite struct TieringTests {
    @Test func programsThatRunAllOverFollowNoIndirectJumps() {
        var options = EngineOptions(diagnostics: .silent)
        options.tier = .optimizing
        let tiering = Tiering(options)
        let key = CodeKey(pc: 0x1000, mode: 0)
        func follows() -> Bool { tiering.first(key).plan.leastShare < 1 }
        #expect(follows())
        for _ in 0..<250 { tiering.noteOptimized(instructions: 1000) }
        #expect(follows())
        tiering.noteOptimized(instructions: 1)
        #expect(!follows())
        tiering.flush()
        #expect(follows())
    }
}
