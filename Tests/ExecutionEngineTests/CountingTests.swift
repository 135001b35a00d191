// Counted instructions: a machine's vCPU stops exactly where its budget ends, and knows how many it has executed at any moment.

import CodeGen
import GuestMemory
import GuestRISCV
import Testing

@testable import ExecutionEngine

extension EngineTests {
    struct CountingTests {
        /// Where a vCPU is, and what it has computed.
        private struct Place: Equatable {
            var pc: UInt64
            var x: [UInt64]
            init(_ vcpu: VCPU) {
                pc = vcpu.programCounter
                x = (5..<10).map { vcpu[x: $0] }
            }
        }

        private static func board(_ c: Configuration, _ change: (inout EngineOptions) -> Void = { _ in }) throws
            -> Board
        {
            try Board(c) {
                $0.countsInstructions = true
                change(&$0)
            }
        }

        /// Executes that many instructions, whatever else makes `run` return. What made it return last.
        @discardableResult
        private func execute(_ count: Int, _ vcpu: VCPU) -> VCPUExit {
            var left = count
            while true {
                vcpu.allow(left)
                let exit = vcpu.run()
                left -= Int(vcpu.executed)
                guard left > 0, case .interrupted = exit else { return exit }
            }
        }

        /// A loop of two blocks with loads and stores, and a call every fourth turn.
        private static let loop = [
            RV.addi(5, 5, 1), RV.ld(6, 10), RV.addi(6, 6, 3), RV.sd(6, 10, 8), RV.xor(7, 7, 6), RV.addi(8, 8, -1),
            RV.bne(8, 0, -24), RV.addi(8, 0, 4), RV.jal(1, 8), RV.j(-36), RV.ld(9, 10, 8), RV.ret,
        ]

        private func begin(_ b: Board) {
            for i in 5..<10 { b.vcpu[x: i] = 0 }
            b.vcpu[x: 8] = 4
            b.vcpu[x: 10] = Board.base + 0x8000
            for offset in [0x8000, 0x8008] { b[offset] = 0 }
            b.vcpu.programCounter = Board.base
        }

        @Test(arguments: Configuration.all)
        func aBudgetIsExecutedToItsLastInstruction(_ c: Configuration) throws {
            let stepped = try Self.board(c) { $0.maxInstructions = 1 }, b = try Self.board(c)
            for board in [stepped, b] { board.write(Self.loop, at: 0) }
            begin(stepped)
            var places = [Place(stepped.vcpu)]
            for _ in 0..<600 {
                execute(1, stepped.vcpu)
                places.append(Place(stepped.vcpu))
            }
            // Often enough for the code to get hot.
            for count in Array(1...90) + [200, 417, 599, 600] {
                begin(b)
                let before = b.vcpu.instructions
                execute(count, b.vcpu)
                #expect(Place(b.vcpu) == places[count] && b.vcpu.instructions == before + UInt64(count), "\(count)")
                // On from there, in several pieces.
                let rest = 600 - count
                if rest > 7 {
                    execute(rest - 7, b.vcpu)
                    execute(7, b.vcpu)
                    #expect(Place(b.vcpu) == places[600], "\(count) and \(rest)")
                }
            }
        }

        @Test(arguments: Configuration.all)
        func aDeviceSeesTheCountAndIsLookedAtBehindItsAccess(_ c: Configuration) throws {
            let b = try Self.board(c)
            var seen: [UInt64] = [], returned: [UInt64] = []
            b.echo.asked = { [unowned vcpu = b.vcpu] in seen.append(vcpu.instructions) }
            b.vcpu[x: 5] = Board.device
            b.write(
                [
                    RV.addi(7, 0, 1), RV.addi(7, 7, 1), RV.ld(6, 5), RV.addi(7, 7, 1), RV.sd(7, 5, 8), RV.lw(6, 5),
                    RV.ecall,
                ],
                at: 0)
            // First the accesses are executed alone, then their blocks end behind them.
            for start in [0, 7, 14] as [UInt64] {
                (seen, returned) = ([], [])
                b.vcpu.programCounter = Board.base
                while true {
                    b.vcpu.allow(1000)
                    guard case .interrupted = b.vcpu.run() else { break }
                    if b.vcpu.executed > 0 { returned.append(b.vcpu.instructions) }
                }
                #expect(seen == [2, 4, 5].map { start + $0 } && returned == [3, 5, 6].map { start + $0 })
                #expect(b.vcpu.instructions == start + 7)
            }
            #expect(b.echo.log == Array(repeating: ["r8 0", "w8 8 3", "r4 0"], count: 3).flatMap { $0 })
        }

        @Test(arguments: Configuration.all)
        func whatTrapsTakesTimeAndIsNotCompleted(_ c: Configuration) throws {
            let b = try Self.board(c)
            b.vcpu[x: 5] = 0x5000_0000
            b.write([RV.addi(7, 0, 1), RV.ld(6, 5), RV.addi(7, 7, 1)], at: 0)
            b.write([RV.addi(9, 9, 1), RV.ecall], at: 0xf000)
            b.vcpu.programCounter = Board.base
            b.vcpu.allow(2)
            guard case .interrupted = b.vcpu.run() else {
                return #expect(Bool(false), "it does not stop at its handler")
            }
            #expect(b.guest.raised == ["200 50000000 at 80000004"])
            #expect(b.vcpu.programCounter == b.guest.handler && b.vcpu.executed == 2 && b.vcpu.instructions == 1)
            // A handler that is not there traps for ever, and comes to its end all the same.
            b.guest.handler = 0x5000_0000
            b.vcpu.programCounter = 0x5000_0000
            b.vcpu.allow(10)
            guard case .interrupted = b.vcpu.run() else { return #expect(Bool(false), "it traps for ever") }
            #expect(b.guest.raised.count == 11 && b.vcpu.executed == 10 && b.vcpu.instructions == 1)
        }

        /// A store to the code behind it is made alone, and counted once.
        @Test(arguments: Configuration.all)
        func storesToCodeAreCountedOnce(_ c: Configuration) throws {
            let b = try Self.board(c)
            b.vcpu[x: 5] = Board.base
            b.vcpu[x: 6] = UInt64(RV.addi(7, 7, 5))
            b.write(
                [RV.addi(7, 7, 1), RV.sw(6, 5, 12), RV.fenceI, RV.addi(7, 7, 1), RV.addi(7, 7, 1), RV.ecall], at: 0)
            for turn in 1...3 {
                b.vcpu[x: 7] = 0
                b.vcpu.programCounter = Board.base
                let before = b.vcpu.instructions
                guard case .systemCall = execute(1000, b.vcpu) else { return #expect(Bool(false), "no end") }
                #expect(b.vcpu[x: 7] == 7 && b.vcpu.instructions - before == 6, "\(turn)")
            }
        }

        @Test(arguments: Configuration.all)
        func codeThatDoesNotCountIsNotChanged(_ c: Configuration) throws {
            let b = try Board(c)
            b.write(Self.loop, at: 0)
            begin(b)
            b.vcpu[x: 8] = 100_000
            b.vcpu.requestExit()
            _ = b.vcpu.run()
            #expect(b.vcpu.executed == 0 && b.vcpu.instructions == 0)
        }
    }
}
