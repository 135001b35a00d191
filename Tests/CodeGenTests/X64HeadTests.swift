// The checks that a translation begins with: they leave with everything at home, the pc at the region's start.

import CodeGen
import CodeGenX64
import IR
import Testing

@Suite(.serialized) struct X64HeadTests {
    /// A counted block that changes a global and branches both ways out.
    private func machine() -> TestMachine {
        let machine = TestMachine()
        machine.build { ir in
            let first = ir.newBlock(), taken = ir.newBlock(), other = ir.newBlock()
            ir.begin(first)
            ir.checkExit(0x1000)
            ir.countExecution(0x1000, counter: 3)
            ir.add(TestMachine.x(1), ir.const(1), into: TestMachine.x(1))
            ir.brcond(.eq, TestMachine.x(2), ir.const(0), taken, other)
            ir.begin(taken)
            ir.gotoTB(0x2000)
            ir.begin(other)
            ir.gotoTB(0x1_2345_6789)
        }
        return machine
    }

    private func run(_ machine: TestMachine, _ region: CompiledRegion, counter: UInt32, request: Bool) -> UInt32 {
        machine.executionCounter = counter
        machine.requestsExit = request
        let outcome = machine.runX64(region)
        let reason = UInt32(truncatingIfNeeded: outcome.exit)
        if reason != ExitReason.chain {
            #expect(machine.header.pointee.sideExitAddress == region.entry)
            #expect(outcome.state[1] == machine.initialState[1])
            var recovered = outcome
            #expect(machine.recover(region, &recovered) == 0x1000)
            #expect(recovered == outcome)
        }
        return reason
    }

    @Test func requestsAndCountersLeaveAtTheStart() {
        let machine = machine()
        let region = machine.compile()!
        #expect(run(machine, region, counter: 9, request: false) == ExitReason.chain)
        #expect(run(machine, region, counter: 9, request: true) == ExitReason.sideExit)
        #expect(run(machine, region, counter: 1, request: false) == ExitReason.hot)
        // The request is served first; a counter that went below zero meanwhile still counts as run out.
        #expect(run(machine, region, counter: 1, request: true) == ExitReason.sideExit)
        #expect(run(machine, region, counter: .max, request: false) == ExitReason.hot)
    }

    @Test func bothWaysOfABranchAreSlots() {
        let machine = machine()
        for moved in [false, true] {
            machine.movesRegions = moved
            let region = machine.compile()!
            machine.executionCounter = 9
            machine.requestsExit = false
            for (value, slot, pc) in [(0, 0, 0x2000), (1, 1, 0x1_2345_6789)] as [(UInt64, Int, UInt64)] {
                machine.initialState[2] = value
                let outcome = machine.runX64(region)
                #expect(outcome.exit == ExitValue.chain(translation: 5, slot: slot).raw)
                #expect(outcome.state[TestMachine.pcOffset / 8] == pc)
                #expect(outcome.state[1] == machine.initialState[1] &+ 1)
                #expect(machine.x64.target(region, slot: slot) == pc)
            }
        }
    }

    @Test func linkedBranchesGoWhereTheySay() {
        let machine = machine()
        let region = machine.compile()!
        let targets = [31, 32].map { value in
            machine.build(pc: 0x9000) { ir in
                let block = ir.newBlock()
                ir.begin(block)
                ir.exitTB(value)
            }
            return machine.compile(after: true)!
        }
        machine.executionCounter = 9
        for slot in 0..<2 {
            #expect(machine.x64.link(region, slot: slot, to: targets[slot].entry, pc: 0x9000))
            machine.initialState[2] = UInt64(slot)
            #expect(machine.runX64(region).exit == UInt64(31 + slot))
            machine.x64.unlink(region, slot: slot)
            #expect(machine.runX64(region).exit == ExitValue.chain(translation: 5, slot: slot).raw)
        }
    }
}
