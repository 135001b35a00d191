// What a debugger asks of a vCPU: breakpoints, watchpoints and single steps, through the engine's interface.

import CodeGen
import GuestKit
import GuestMemory
import GuestRISCV
import IR
import Testing

@testable import ExecutionEngine

extension Board {
    /// Runs on from the pc; why it stopped.
    fileprivate func go() -> String {
        while true {
            let exit = vcpu.run()
            if case .interrupted = exit { continue }
            return exit.text
        }
    }
    fileprivate func go(from pc: UInt64) -> String {
        vcpu.programCounter = pc
        return go()
    }
    fileprivate var pc: UInt64 { vcpu.programCounter }

    /// Writes words and drops what was translated from the place.
    fileprivate func place(_ words: [UInt32], at offset: Int = 0) {
        write(words, at: offset)
        engine.invalidate(start: GuestLocation(Self.base + UInt64(offset)), length: UInt64(4 * words.count))
    }
}

extension EngineTests {
    struct DebugTests {
        private static let base = Board.base

        // MARK: Breakpoints

        @Test(arguments: Configuration.all)
        func breakpointsStopBeforeTheirInstructions(_ c: Configuration) throws {
            let b = try Board(c)
            b.place([RV.addi(6, 6, 1), RV.addi(6, 6, 1), RV.addi(6, 6, 1), RV.ecall])
            // What has run before without it, too.
            for _ in 0..<50 { #expect(b.call(Self.base) == []) }
            for place in [0, 4, 8] as [UInt64] {
                let stop = StopPoint.breakpoint(Self.base + place)
                #expect(b.vcpu.insert(stop))
                for _ in 0..<30 {
                    b.vcpu[x: 6] = 0
                    #expect(b.go(from: Self.base) == "breakpoint")
                    #expect(b.pc == Self.base + place && b.vcpu[x: 6] == place / 4)
                    // It is there still.
                    #expect(b.go() == "breakpoint")
                    #expect(b.vcpu.step().text == "step")
                    #expect(b.pc == Self.base + place + 4 && b.vcpu[x: 6] == place / 4 + 1)
                    #expect(b.go() == "systemCall")
                    #expect(b.vcpu[x: 6] == 3)
                }
                #expect(b.vcpu.remove(stop) && !b.vcpu.remove(stop))
                for _ in 0..<30 { #expect(b.call(Self.base) == []) }
            }
        }

        @Test(arguments: Configuration.all)
        func breakpointsStopLoopsThatAreHot(_ c: Configuration) throws {
            let b = try Board(c)
            b.place([RV.addi(6, 6, 1), RV.addi(7, 7, 2), RV.bne(6, 8, -8), RV.ecall])
            func start() {
                b.vcpu[x: 6] = 0
                b.vcpu[x: 7] = 0
                b.vcpu[x: 8] = 500
            }
            for _ in 0..<5 {
                start()
                #expect(b.call(Self.base) == [])
            }
            start()
            let stop = StopPoint.breakpoint(Self.base + 4)
            #expect(b.vcpu.insert(stop))
            b.vcpu.programCounter = Self.base
            for turn in 1...100 as ClosedRange<UInt64> {
                #expect(b.go() == "breakpoint")
                #expect(b.pc == Self.base + 4 && b.vcpu[x: 6] == turn && b.vcpu[x: 7] == 2 * (turn - 1))
                #expect(b.vcpu.step().text == "step")
            }
            b.vcpu.removeAllStops()
            #expect(b.go() == "systemCall")
            #expect(b.vcpu[x: 6] == 500 && b.vcpu[x: 7] == 1000)
        }

        /// The instruction's second half lies in another page, which may be missing.
        @Test(arguments: Configuration.all)
        func breakpointsStopInstructionsThatCrossPages(_ c: Configuration) throws {
            let b = try Board(c)
            b.map(0x4000_0000, to: Self.base + 0x3000)
            b.map(0x4000_1000, to: Self.base + 0x5000)
            let crossing = RV.addi(6, 6, 100)
            b.ram.base.storeBytes(of: 0x0305, toByteOffset: 0x3ffc, as: UInt16.self)  // c.addi x6, 1
            b.ram.base.storeBytes(of: UInt16(truncatingIfNeeded: crossing), toByteOffset: 0x3ffe, as: UInt16.self)
            b.ram.base.storeBytes(of: UInt16(crossing >> 16), toByteOffset: 0x5000, as: UInt16.self)
            b.ram.base.storeBytes(of: 0x0305, toByteOffset: 0x5002, as: UInt16.self)
            b.write([RV.ecall], at: 0x5004)
            for place in [0x4000_0ffc, 0x4000_0ffe, 0x4000_1002] as [UInt64] {
                #expect(b.vcpu.insert(.breakpoint(place)))
                // Bytes of an instruction that are not its first are none.
                #expect(b.vcpu.insert(.breakpoint(0x4000_1000)))
                for _ in 0..<25 {
                    b.vcpu[x: 6] = 0
                    #expect(b.go(from: 0x4000_0ffc) == "breakpoint")
                    #expect(b.pc == place)
                    #expect(b.vcpu.step().text == "step")
                    #expect(
                        b.pc == (place == 0x4000_0ffc ? 0x4000_0ffe : place == 0x4000_0ffe ? 0x4000_1002 : 0x4000_1004))
                    #expect(b.go() == "systemCall")
                    #expect(b.vcpu[x: 6] == 102)
                }
                b.vcpu.removeAllStops()
            }
            b.map(0x4000_1000, to: nil)
            b.flush(0x4000_1000)
            b.guest.raised = []
            #expect(b.vcpu.insert(.breakpoint(0x4000_0ffe)))
            #expect(b.go(from: 0x4000_0ffc) == "breakpoint")
            #expect(b.pc == 0x4000_0ffe && b.guest.raised == [])
            #expect(b.vcpu.step().text == "step")
            #expect(b.pc == b.guest.handler && b.guest.raised == ["102 40001000 at 40000ffe"])
            // Where no instruction is at all.
            #expect(b.vcpu.insert(.breakpoint(0x4000_1800)))
            #expect(b.go(from: 0x4000_1800) == "breakpoint")
            #expect(b.vcpu.step().text == "step")
            #expect(b.pc == b.guest.handler)
        }

        /// Code has one address in two address spaces, and two addresses in one.
        @Test(arguments: Configuration.all)
        func breakpointsAreOfVirtualAddresses(_ c: Configuration) throws {
            let b = try Board(c)
            b.place([RV.addi(6, 6, 1), RV.addi(6, 6, 1), RV.ecall], at: 0x3000)
            b.place([RV.addi(6, 6, 5), RV.addi(6, 6, 5), RV.ecall], at: 0x4000)
            #expect(b.vcpu.insert(.breakpoint(0x4000_0004)))
            for round in 0..<30 {
                b.map(0x4000_0000, to: Self.base + (round % 2 == 0 ? 0x3000 : 0x4000))
                b.flush(0x4000_0000)
                b.vcpu[x: 6] = 0
                #expect(b.go(from: 0x4000_0000) == "breakpoint")
                #expect(b.vcpu[x: 6] == (round % 2 == 0 ? 1 : 5))
                #expect(b.call(Self.base + 0x3000) == [])
            }
        }

        @Test(arguments: Configuration.all)
        func aVCPUStopsOnlyAtItsOwnBreakpoints(_ c: Configuration) throws {
            let b = try Board(c)
            let other = try b.engine.makeVCPU()
            b.place([RV.addi(6, 6, 1), RV.addi(6, 6, 1), RV.addi(6, 6, 1), RV.ecall])
            #expect(b.vcpu.insert(.breakpoint(Self.base + 4)))
            #expect(other.insert(.breakpoint(Self.base + 8)))
            for _ in 0..<30 {
                b.vcpu[x: 6] = 0
                #expect(b.go(from: Self.base) == "breakpoint")
                #expect(b.pc == Self.base + 4)
                #expect(b.vcpu.step().text == "step")
                #expect(b.go() == "systemCall")
                #expect(b.vcpu[x: 6] == 3)
                other.programCounter = Self.base
                var exit = other.run()
                while case .interrupted = exit { exit = other.run() }
                #expect(exit.text == "breakpoint" && other.programCounter == Self.base + 8)
            }
        }

        // MARK: Watchpoints

        private static let stores: [(size: UInt64, function: UInt32)] = [(1, 0), (2, 1), (4, 2), (8, 3)]

        /// Every size of access at every distance from 1 to 8 watched bytes, within a page and over two.
        @Test(arguments: Configuration.all, [UInt64(0x3100), 0x3ffc, 0x4000])
        func watchpointsStopBehindAccessesToTheirBytes(_ c: Configuration, _ start: UInt64) throws {
            let b = try Board(c)
            b.vcpu[x: 7] = 0x0102_0304_0506_0708
            for (i, (_, f)) in Self.stores.enumerated() {
                b.place([RV.i(0, 5, f, 6, 0x03), RV.addi(9, 9, 1), RV.ecall], at: 0x100 + 32 * i)
                b.place([0x0072_8023 | f << 12, RV.addi(9, 9, 1), RV.ecall], at: 0x200 + 32 * i)
            }
            let place = Self.base + start
            for length in 1...8 as ClosedRange<UInt64> {
                for kinds in [StopPoint.Kinds.load, .store, .accesses] {
                    let stop = StopPoint.watchpoint(place, length: length, kinds)
                    #expect(b.vcpu.insert(stop))
                    for (i, (size, _)) in Self.stores.enumerated() {
                        for distance in -9...9 {
                            let address = place &+ UInt64(bitPattern: Int64(distance))
                            let touches = address < place + length && address + size > place
                            for isWrite in [false, true] {
                                let code = Self.base + UInt64((isWrite ? 0x200 : 0x100) + 32 * i)
                                b.vcpu[x: 5] = address
                                b.vcpu[x: 6] = 0xff
                                b.vcpu[x: 9] = 0
                                let offset = Int(address - Self.base)
                                b[offset] = 0
                                let isMeant = touches && kinds.contains(isWrite ? .store : .load)
                                let hex = { (n: UInt64) in String(n, radix: 16) }
                                let wanted = "\(isWrite ? "write" : "read") \(hex(address)) at \(hex(place))"
                                #expect(b.go(from: code) == (isMeant ? wanted : "systemCall"))
                                #expect(b.pc == code + (isMeant ? 4 : 12) && b.vcpu[x: 9] == (isMeant ? 0 : 1))
                                // It has been made.
                                let mask = UInt64.max >> (64 - 8 * size)
                                #expect(isWrite ? b[offset] == b.vcpu[x: 7] & mask : b.vcpu[x: 6] == 0)
                            }
                        }
                    }
                    #expect(b.vcpu.remove(stop))
                }
            }
            b.vcpu[x: 5] = place
            #expect(b.go(from: Self.base + 0x200) == "systemCall")
        }

        @Test(arguments: Configuration.all)
        func watchpointsStopAtomics(_ c: Configuration) throws {
            let b = try Board(c)
            b.place([RV.amoaddD(6, 7, 5), RV.ecall])
            b.place([RV.amocasQ(10, 12, 5), RV.ecall], at: 0x100)
            b.vcpu[x: 5] = Self.base + 0x3000
            b.vcpu[x: 7] = 5
            for kinds in [StopPoint.Kinds.load, .store] {
                b[0x3000] = 1
                b[0x3008] = 2
                let stop = StopPoint.watchpoint(Self.base + 0x3004, length: 1, kinds)
                #expect(b.vcpu.insert(stop))
                #expect(b.go(from: Self.base) == "write 80003000 at 80003004")
                #expect(b[0x3000] == 6 && b.vcpu[x: 6] == 1)
                #expect(b.vcpu.remove(stop))
                let far = StopPoint.watchpoint(Self.base + 0x300f, length: 1, kinds)
                #expect(b.vcpu.insert(far))
                b.vcpu[x: 10] = 6
                b.vcpu[x: 11] = 2
                b.vcpu[x: 12] = 70
                b.vcpu[x: 13] = 80
                #expect(b.go(from: Self.base) == "systemCall")
                b[0x3000] = 6
                #expect(b.go(from: Self.base + 0x100) == "write 80003000 at 8000300f")
                #expect(b[0x3000] == 70 && b[0x3008] == 80)
                #expect(b.vcpu.remove(far))
            }
        }

        /// An access that is not made is none: its exception comes first, and once.
        @Test(arguments: Configuration.all)
        func watchpointsDoNotStopAccessesThatFault(_ c: Configuration) throws {
            let b = try Board(c)
            b.map(0x4000_0000, to: nil)
            b.place([RV.addi(6, 6, 1), RV.sd(7, 5), RV.ecall])
            b.vcpu[x: 5] = 0x4000_0010
            #expect(b.vcpu.insert(.watchpoint(0x4000_0010, length: 8)))
            #expect(b.call(Self.base) == ["101 40000010 at 80000004"])
            b.map(0x4000_0000, to: Self.base + 0x3000)
            b.flush(0x4000_0000)
            #expect(b.go(from: Self.base) == "write 40000010 at 40000010")
            #expect(b.pc == Self.base + 8 && b.vcpu[x: 6] == 2)
            // Devices are asked once.
            #expect(b.vcpu.insert(.watchpoint(Board.device + 8, length: 4, .accesses)))
            b.vcpu[x: 5] = Board.device + 8
            b.echo.log = []
            #expect(b.go(from: Self.base) == "write 10008 at 10008")
            #expect(b.echo.log.count == 1)
        }

        @Test(arguments: Configuration.all)
        func watchpointsAndBreakpointsStopTogether(_ c: Configuration) throws {
            let b = try Board(c)
            b.place([RV.sd(7, 5), RV.ld(6, 5), RV.ecall])
            b.vcpu[x: 5] = Self.base + 0x3000
            b.vcpu[x: 7] = 77
            #expect(b.vcpu.insert(.breakpoint(Self.base)) && b.vcpu.insert(.breakpoint(Self.base + 4)))
            #expect(b.vcpu.insert(.watchpoint(Self.base + 0x3000, length: 8, .accesses)))
            for _ in 0..<25 {
                #expect(b.go(from: Self.base) == "breakpoint")
                #expect(b.vcpu.step().text == "write 80003000 at 80003000")
                #expect(b.pc == Self.base + 4)
                #expect(b.go() == "breakpoint")
                #expect(b.vcpu.step().text == "read 80003000 at 80003000")
                #expect(b.pc == Self.base + 8 && b.vcpu[x: 6] == 77)
                #expect(b.go() == "systemCall")
            }
        }

        // MARK: Single steps

        @Test(arguments: Configuration.all)
        func aStepIsOneInstruction(_ c: Configuration) throws {
            let b = try Board(c)
            b.place([RV.addi(6, 6, 1), RV.beq(0, 0, 8), RV.addi(6, 6, 10), RV.jal(1, -12), RV.ecall])
            b.vcpu.programCounter = Self.base
            for _ in 0..<30 {
                b.vcpu[x: 6] = 0
                for next in [4, 12, 0] as [UInt64] {
                    #expect(b.vcpu.step().text == "step")
                    #expect(b.pc == Self.base + next)
                }
                #expect(b.vcpu[x: 6] == 1 && b.vcpu[x: 1] == Self.base + 16)
            }
            b.vcpu.programCounter = Self.base + 16
            #expect(b.vcpu.step().text == "systemCall")
            #expect(b.pc == Self.base + 20)
        }

        /// Also where the code that comes next is known: behind calls, returns and jumps, to the instruction itself and to other pages.
        @Test(arguments: Configuration.all)
        func stepsOfJumpsEndWhereTheyGo(_ c: Configuration) throws {
            let b = try Board(c)
            b.place([RV.jalr(1, 9), RV.addi(6, 6, 1), RV.jal(1, 0x1ff8), RV.addi(6, 6, 1), RV.ecall])
            b.place([RV.addi(6, 6, 10), RV.ret], at: 0x2000)
            b.place([RV.beq(0, 0, 0)], at: 0x3000)
            b.write([RV.addi(6, 6, 100)], at: 0x4ffc)
            b.place([RV.ecall], at: 0x5000)
            b.vcpu[x: 9] = Self.base + 0x2000
            for _ in 0..<30 { #expect(b.call(Self.base) == []) }
            for _ in 0..<30 { #expect(b.call(Self.base + 0x4ffc) == []) }
            let way: [UInt64] = [0x2000, 0x2004, 4, 8, 0x2000, 0x2004, 12, 16]
            for _ in 0..<30 {
                b.vcpu.programCounter = Self.base
                for next in way {
                    #expect(b.vcpu.step().text == "step")
                    #expect(b.pc == Self.base + next)
                }
                // Returns find their way between the two kinds of code.
                b.vcpu.programCounter = Self.base
                for next in way[..<2] {
                    #expect(b.vcpu.step().text == "step")
                    #expect(b.pc == Self.base + next)
                }
                #expect(b.go() == "systemCall")
            }
            b.vcpu.programCounter = Self.base + 0x3000
            for _ in 0..<3 { #expect(b.vcpu.step().text == "step" && b.pc == Self.base + 0x3000) }
            b.vcpu.programCounter = Self.base + 0x4ffc
            #expect(b.vcpu.step().text == "step" && b.pc == Self.base + 0x5000)
        }

        /// A step of an instruction that raises an exception ends in front of its handler.
        @Test(arguments: Configuration.all)
        func aStepGoesOverATrap(_ c: Configuration) throws {
            let b = try Board(c)
            b.map(0x4000_0000, to: nil)
            b.place([RV.addi(6, 6, 1), RV.ld(7, 5), RV.ecall])
            b.place([RV.amoaddD(6, 7, 5)], at: 0x100)
            for _ in 0..<5 {
                b.vcpu[x: 5] = 0x4000_0000
                b.guest.raised = []
                b.vcpu.programCounter = Self.base
                #expect(b.vcpu.step().text == "step" && b.vcpu.step().text == "step")
                #expect(b.pc == b.guest.handler && b.guest.raised == ["100 40000000 at 80000004"])
                #expect(b.vcpu.step().text == "systemCall")
                b.vcpu[x: 5] = 0x4000_0004
                b.guest.raised = []
                b.vcpu.programCounter = Self.base + 0x100
                #expect(b.vcpu.step().text == "step")
                #expect(b.pc == b.guest.handler && b.guest.raised == ["301 40000004 at 80000100"])
                b.guest.raised = []
                b.vcpu.programCounter = 0x4000_0008
                #expect(b.vcpu.step().text == "step")
                #expect(b.pc == b.guest.handler && b.guest.raised == ["102 40000008 at 40000008"])
            }
        }

        /// A store to the next instruction is a step, and so is what it has become.
        @Test(arguments: Configuration.all)
        func stepsSeeCodeThatChanges(_ c: Configuration) throws {
            let b = try Board(c)
            b.vcpu[x: 5] = Self.base + 4
            b.vcpu[x: 7] = UInt64(RV.addi(6, 6, 100))
            for isStepped in [false, true, true] {
                b.place([RV.sw(7, 5), RV.addi(6, 6, 1), RV.ecall])
                b.vcpu[x: 6] = 0
                b.vcpu.programCounter = Self.base
                if isStepped { #expect(b.vcpu.step().text == "step" && b.vcpu.step().text == "step") }
                #expect(b.go() == "systemCall")
                if isStepped { #expect(b.vcpu[x: 6] == 100) }
            }
        }

        // MARK: Processes

        @Test(arguments: Configuration.all)
        func vCPUsOfProcessesStopAtInstructions(_ c: Configuration) throws {
            let m = try Machine(c)
            m.memory.write([RV.addi(6, 6, 1), RV.addi(6, 6, 1), RV.bne(6, 8, -8), RV.ecall], at: 0)
            m[x: 8] = 200
            m.call(0)
            let stop = StopPoint.breakpoint(m.memory.base + 4)
            #expect(!m.vcpu.insert(.watchpoint(m.memory.base, length: 8)))
            #expect(m.vcpu.insert(stop))
            m[x: 6] = 0
            m.pc = 0
            for turn in 0..<60 as Range<UInt64> {
                #expect(m.run().text == "breakpoint")
                #expect(m.pc == 4 && m[x: 6] == 2 * turn + 1)
                #expect(m.vcpu.step().text == "step" && m.pc == 8)
            }
            #expect(m.vcpu.remove(stop))
            #expect(m.run().text == "systemCall" && m[x: 6] == 200)
        }
    }
}
