// RISC-V's debug triggers as an engine runs them.

import GuestKit
import GuestRISCV
import IR
import Testing

@testable import ExecutionEngine

extension EngineTests {
    struct TriggerTests {
        private static let base = PrivilegedBoard.base
        private static let load: UInt64 = 1, store: UInt64 = 2, execute: UInt64 = 4
        /// Bits of the modes, by their numbers.
        private static let modes: [(mode: UInt64, bit: UInt64)] = [(0, 8), (1, 16), (3, 64)]
        private static let types: [UInt64] = [2 << 60, 6 << 60]
        private static let tdata1 = 0x7a1, tdata2 = 0x7a2

        private func set(_ b: PrivilegedBoard, _ data1: UInt64, at address: UInt64, number: UInt64 = 0) {
            b["tselect"] = number
            b["tdata2"] = address
            b["tdata1"] = data1
            b["mcause"] = 0
            b["mtval"] = 1
        }

        @Test(arguments: Configuration.all)
        func executionRaisesABreakpointInEachModeThatIsSelected(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            let code = [RV.addi(6, 6, 1), RV.addi(6, 6, 1), RV.addi(6, 6, 1)]
            for type in Self.types {
                for (_, bit) in Self.modes {
                    for (mode, ownBit) in Self.modes {
                        set(b, type | Self.execute | bit, at: Self.base + 4, number: mode & 1)
                        #expect(b["tdata1"] == type | Self.execute | bit)
                        for _ in 0..<25 {
                            b.vcpu[x: 6] = 0
                            b.run(code, in: mode)
                            if bit == ownBit {
                                #expect(b["mcause"] == 3 && b["mepc"] == Self.base + 4 && b["mtval"] == Self.base + 4)
                                #expect(b.vcpu[x: 6] == 1 && b["priv"] == 3)
                            } else {
                                #expect(b["mcause"] != 3 && b.vcpu[x: 6] == 3)
                            }
                        }
                        set(b, 0, at: 0, number: mode & 1)
                        #expect(b["tdata1"] == 15 << 60)
                        b.vcpu[x: 6] = 0
                        b.run(code, in: mode)
                        #expect(b["mcause"] != 3 && b.vcpu[x: 6] == 3)
                        #expect(b.vcpu.stops.keyBit == 0)
                    }
                }
            }
        }

        @Test(arguments: Configuration.all)
        func accessesRaiseABreakpointBeforeTheyAreMade(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            let place = Self.base + 0x3004
            let programs: [(kinds: UInt64, code: UInt32, size: UInt64)] = [
                (Self.load, RV.lw(6, 5), 4), (Self.load, RV.ld(6, 5), 8), (Self.store, RV.sw(7, 5), 4),
                (Self.store, RV.sd(7, 5), 8), (Self.load | Self.store, RV.amoaddD(6, 7, 5), 8),
            ]
            b.vcpu[x: 7] = 5
            for type in Self.types {
                for kinds in 0...3 as ClosedRange<UInt64> {
                    set(b, type | kinds | 64 | 16, at: place)
                    for (does, code, size) in programs {
                        for distance in [-9, -8, -4, -1, 0, 1, 4] {
                            let address = place &+ UInt64(bitPattern: Int64(distance))
                            let isAtomic = does == Self.load | Self.store
                            if isAtomic && address % 8 != 0 { continue }
                            let touches = address <= place && address + size > place
                            b.vcpu[x: 5] = address
                            b.vcpu[x: 6] = 1
                            b[0x3000] = 0
                            b[0x3008] = 0
                            b["mcause"] = 0
                            b.run([RV.addi(8, 8, 1), code], in: 1)
                            if touches && kinds & does != 0 {
                                #expect(b["mcause"] == 3 && b["mtval"] == address && b["mepc"] == Self.base + 4)
                                #expect(b[0x3000] == 0 && b[0x3008] == 0 && b.vcpu[x: 6] == 1)
                            } else {
                                #expect(b["mcause"] == 0)
                            }
                        }
                    }
                }
            }
        }

        @Test(arguments: Configuration.all)
        func conditionsOfSizeAndContextCount(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            let place = Self.base + 0x3000
            b.vcpu[x: 5] = place
            // Sizes of 4 and 8 bytes: two fields in mcontrol.
            for (data1, isOfWord) in [
                (2 << 60 | 3 << 16, true), (2 << 60 | 1 << 16 | 1 << 21, false), (6 << 60 | 3 << 16, true),
                (6 << 60 | 5 << 16, false),
            ] as [(UInt64, Bool)] {
                set(b, data1 | Self.load | 64, at: place)
                #expect(b["tdata1"] == data1 | Self.load | 64)
                b.run([RV.lw(6, 5)])
                #expect((b["mcause"] == 3) == isOfWord)
                b["mcause"] = 0
                b.run([RV.ld(6, 5)])
                #expect((b["mcause"] == 3) == !isOfWord)
            }
            set(b, 2 << 60 | Self.load | 64, at: place)
            b["tdata3"] = 1 << 50 | 5 << 51
            for context in [4, 5] as [UInt64] {
                b["mcontext"] = context
                b["mcause"] = 0
                b.run([RV.ld(6, 5)])
                #expect((b["mcause"] == 3) == (context == 5))
            }
        }

        /// What a program sets counts for its next instruction, also where it has run before.
        @Test(arguments: Configuration.all)
        func programsSetTriggers(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            for round in 0..<40 {
                let isOn = round % 3 == 2
                b.vcpu[x: 5] = Self.base + 8
                b.vcpu[x: 7] = isOn ? 2 << 60 | Self.execute | 64 : 0
                b.vcpu[x: 6] = 0
                b["mcause"] = 0
                b.run([System.csrrw(0, Self.tdata2, 5), System.csrrw(0, Self.tdata1, 7), RV.addi(6, 6, 1)])
                #expect(b["mcause"] == (isOn ? 3 : 0) && b.vcpu[x: 6] == (isOn ? 0 : 1))
                if isOn { set(b, 0, at: 0) }
            }
            set(b, 2 << 60 | Self.execute | 64, at: Self.base)
            b.vcpu.reset()
            #expect(b["tdata1"] == 2 << 60 && b.vcpu.stops.keyBit == 0)
        }

        /// A debugger is told first, and then the trigger is what it is on a hart without one.
        @Test(arguments: Configuration.all)
        func aDebuggerMayStopWhereATriggerIs(_ c: Configuration) throws {
            let b = try PrivilegedBoard(c)
            b.run([RV.addi(6, 6, 1), RV.addi(6, 6, 1)])
            set(b, 2 << 60 | Self.execute | 64, at: Self.base + 4)
            #expect(b.vcpu.insert(.breakpoint(Self.base + 4)))
            b.vcpu.programCounter = Self.base
            var exit = b.vcpu.run()
            while case .interrupted = exit { exit = b.vcpu.run() }
            #expect(exit.text == "breakpoint" && b["mcause"] == 0)
            #expect(b.vcpu.step().text == "step")
            #expect(b["mcause"] == 3 && b.vcpu.programCounter == Self.base + 0xf000)
            // One step each: what sets a trigger, what it is at, the handler's wait.
            set(b, 0, at: 0)
            b.vcpu.removeAllStops()
            b.vcpu[x: 7] = 2 << 60 | Self.execute | 64
            b["tdata2"] = Self.base + 4
            b.write([System.csrrw(0, Self.tdata1, 7), RV.addi(6, 6, 1)], at: 0)
            b.vcpu.programCounter = Self.base
            #expect(b.vcpu.step().text == "step" && b.vcpu.programCounter == Self.base + 4)
            #expect(b.vcpu.step().text == "step" && b.vcpu.programCounter == Self.base + 0xf000)
            #expect(b["mcause"] == 3)
            #expect(b.vcpu.step().text == "step" && b.vcpu.programCounter == Self.base + 0xf004)
        }
    }
}
