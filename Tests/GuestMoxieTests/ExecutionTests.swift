// What instructions do, in every mode of the engine: results, flags, addresses at the ends of memory, exits.

import EngineModes
import ExecutionEngine
import GuestKit
import GuestMoxie
import Testing

private let text: UInt32 = 0x10_0000
private let data: UInt32 = 0x20_0000
private let edges: [UInt32] = [
    0, 1, 2, 31, 32, 33, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_fffe, 0xffff_ffff, 0x1234_5678,
]

extension MoxieRuns {
    @Suite struct ExecutionTests {
        /// A machine with code at `text` and a page of data.
        private func machine(_ code: [[UInt8]], _ mode: EngineMode) throws -> MoxieMachine {
            let machine = try MoxieMachine(mode)
            try machine.map(text, 0x1000)
            try machine.map(data, 0x1000)
            try machine.write(code.flatMap { $0 }, at: text)
            machine.pc = text
            return machine
        }

        /// name, what it makes of the two registers.
        private static let binaries: [(String, @Sendable (UInt32, UInt32) -> UInt32)] = [
            ("add", { $0 &+ $1 }), ("sub", { $0 &- $1 }), ("mul", { $0 &* $1 }), ("and", { $0 & $1 }),
            ("or", { $0 | $1 }), ("xor", { $0 ^ $1 }), ("ashl", { $0 &<< $1 }), ("lshr", { $0 &>> $1 }),
            ("ashr", { UInt32(bitPattern: Int32(bitPattern: $0) &>> Int32(bitPattern: $1)) }),
            ("umul_x", { $0.multipliedFullWidth(by: $1).high }),
            (
                "mul_x",
                { UInt32(bitPattern: Int32(bitPattern: $0).multipliedFullWidth(by: Int32(bitPattern: $1)).high) }
            ),
            ("neg", { 0 &- $1 }), ("not", { ~$1 }), ("mov", { $1 }),
            ("sex_b", { UInt32(bitPattern: Int32(Int8(truncatingIfNeeded: $1))) }),
            ("sex_s", { UInt32(bitPattern: Int32(Int16(truncatingIfNeeded: $1))) }),
            ("zex_b", { $1 & 0xff }), ("zex_s", { $1 & 0xffff }),
            ("udiv", { $1 == 0 ? $0 : $0 / $1 }), ("umod", { $1 == 0 ? $0 : $0 % $1 }),
            ("div", { signed($0, $1) { $0.dividedReportingOverflow(by: $1).partialValue } }),
            ("mod", { signed($0, $1) { $0.remainderReportingOverflow(dividingBy: $1).partialValue } }),
        ]
        private static func signed(_ a: UInt32, _ b: UInt32, _ body: (Int32, Int32) -> Int32) -> UInt32 {
            b == 0 ? a : UInt32(bitPattern: body(Int32(bitPattern: a), Int32(bitPattern: b)))
        }

        @Test(arguments: [EngineMode.interpreter, .others[0], .others[7]])
        func resultsAreThoseOfArithmeticOnAllEdgeOperands(_ mode: EngineMode) throws {
            for (name, expected) in Self.binaries {
                let m = try machine(
                    [
                        Moxie.code(name, Moxie.r(0), Moxie.r(1)), Moxie.code(name, Moxie.r(2), Moxie.r(2)),
                        Moxie.code("brk"),
                    ],
                    mode)
                for a in edges {
                    for b in edges {
                        m.pc = text
                        (m["r0"], m["r1"], m["r2"], m["r3"]) = (a, b, a, 77)
                        var exit = m.run().text
                        if b == 0, ["div", "mod", "udiv", "umod"].contains(name) {
                            #expect(exit == "exception 0" && m.pc == text && m["r0"] == a)
                            continue
                        }
                        #expect(m["r0"] == expected(a, b), "\(name) \(a) \(b)")
                        if a == 0, ["div", "mod", "udiv", "umod"].contains(name) {
                            #expect(exit == "exception 0" && m.pc == text + 2)
                            continue
                        }
                        #expect(exit == "exception 5" && m.pc == text + 4 && m["r1"] == b && m["r3"] == 77)
                        #expect(m["r2"] == expected(a, a), "\(name) \(a) twice")
                        exit = ""
                    }
                }
            }
        }

        @Test(arguments: EngineMode.all) func branchesTestWhatWasCompared(_ mode: EngineMode) throws {
            let conditions: [(String, (Int32, Int32) -> Bool)] = [
                ("beq", { $0 == $1 }), ("bne", { $0 != $1 }), ("blt", { $0 < $1 }), ("bgt", { $0 > $1 }),
                ("bge", { $0 >= $1 }), ("ble", { $0 <= $1 }),
                ("bltu", { UInt32(bitPattern: $0) < UInt32(bitPattern: $1) }),
                ("bgtu", { UInt32(bitPattern: $0) > UInt32(bitPattern: $1) }),
                ("bgeu", { UInt32(bitPattern: $0) >= UInt32(bitPattern: $1) }),
                ("bleu", { UInt32(bitPattern: $0) <= UInt32(bitPattern: $1) }),
            ]
            // The registers change before the branch; the second branch tests the same comparison.
            var code = [Moxie.code("cmp", Moxie.r(0), Moxie.r(1)), Moxie.code("inc", Moxie.r(0), 9)]
            for (index, condition) in conditions.enumerated() {
                code += [
                    Moxie.code(condition.0, 2), Moxie.code("inc", Moxie.r(2), 0),
                    Moxie.code("ldi_l", Moxie.r(3), 1 << Int64(index)),
                    Moxie.code("or", Moxie.r(2), Moxie.r(3)),
                ]
                // Taken: over the `inc` to the bit; else to another item that jumps over it.
                code[code.count - 4] = Moxie.code(condition.0, 6)
                code[code.count - 3] = Moxie.code("jmpa", Int64(text) + 4 + Int64(index + 1) * 16)
            }
            let m = try machine(code + [Moxie.code("brk")], mode)
            for a in edges {
                for b in edges {
                    m.pc = text
                    (m["r0"], m["r1"], m["r2"]) = (a, b, 0)
                    #expect(m.run().text == "exception 5")
                    for (index, condition) in conditions.enumerated() {
                        let holds = condition.1(Int32(bitPattern: a), Int32(bitPattern: b))
                        #expect((m["r2"] >> UInt32(index) & 1 == 1) == holds, "\(condition.0) \(a) \(b)")
                    }
                }
            }
        }

        @Test(arguments: EngineMode.all) func accessesAreBigEndianAndZeroExtended(_ mode: EngineMode) throws {
            let m = try machine(
                [
                    Moxie.code("ldo_l", Moxie.r(2), Moxie.r(0), -4), Moxie.code("ldo_s", Moxie.r(3), Moxie.r(0), 1),
                    Moxie.code("ldo_b", Moxie.r(4), Moxie.r(0), 3), Moxie.code("ld_l", Moxie.r(5), Moxie.r(0)),
                    Moxie.code("lda_s", Moxie.r(6), Int64(data) + 8), Moxie.code("sto_l", Moxie.r(0), Moxie.r(1), 16),
                    Moxie.code("sto_s", Moxie.r(0), Moxie.r(1), 21), Moxie.code("sto_b", Moxie.r(0), Moxie.r(1), 25),
                    Moxie.code("sta_l", Moxie.r(1), Int64(data) + 0x40), Moxie.code("st_l", Moxie.r(0), Moxie.r(0)),
                    Moxie.code("brk"),
                ], mode)
            try m.write([0xff, 1, 2, 3, 0x84, 0x85, 0x86, 0x87, 0x98, 0x99], at: data)
            (m["r0"], m["r1"]) = (data + 4, 0xa1b2_c3d4)
            #expect(m.run().text == "exception 5")
            #expect((2...6).map { m["r\($0)"] } == [0xff01_0203, 0x8586, 0x87, 0x8485_8687, 0x9899])
            #expect(
                try m.memory.readBytes(UInt64(data) + 20, count: 10) == [
                    0xa1, 0xb2, 0xc3, 0xd4, 0, 0xc3, 0xd4, 0, 0, 0xd4,
                ])
            #expect(try m.word(data + 0x40) == 0xa1b2_c3d4 && m.word(data + 4) == data + 4)
        }

        @Test(arguments: EngineMode.all) func addressesWrapAtTheEndOfMemory(_ mode: EngineMode) throws {
            let m = try machine(
                [
                    Moxie.code("ldo_l", Moxie.r(1), Moxie.r(0), 0x10),
                    Moxie.code("sto_b", Moxie.r(0), Moxie.r(1), 0x7fff), Moxie.code("brk"),
                ],
                mode)
            m["r0"] = 0xffff_fff8
            #expect(m.run().text == "read unmapped 8" && m.pc == text)
            m["r0"] = data &- 0x7fff
            m.pc = text + 4
            m["r1"] = 0x55
            #expect(m.run().text == "exception 5")
            #expect(try m.memory.read(UInt64(data), as: UInt8.self) == 0x55)
        }

        @Test(arguments: EngineMode.all) func callsAndReturnsBuildFrames(_ mode: EngineMode) throws {
            let function = Int64(text) + 0x100
            let m = try machine(
                [
                    Moxie.code("jsra", function), Moxie.code("jsr", Moxie.r(1)), Moxie.code("jsr", Moxie.sp),
                    Moxie.code("brk"),
                ], mode)
            try m.write(
                Moxie.code("inc", Moxie.r(0), 1) + Moxie.code("push", Moxie.sp, Moxie.sp)
                    + Moxie.code("pop", Moxie.sp, Moxie.r(2))
                    + Moxie.code("ret"), at: UInt32(function))
            (m["sp"], m["fp"], m["r0"], m["r1"]) = (data + 0x100, 0x1234, 0, UInt32(function))
            // The third call goes to where $sp points before it moves.
            try m.write(Moxie.code("brk"), at: data + 0x100)
            #expect(m.run().text == "exception 5" && m.pc == data + 0x100)
            #expect(m["r0"] == 2 && m["sp"] == data + 0xf4 && m["fp"] == data + 0xf4)
            #expect(m["r2"] == data + 0xf4)
            #expect(try m.word(data + 0xf4) == 0x1234 && m.word(data + 0xf8) == text + 10)
            // A pointer that is popped from itself.
            m.pc = text + 0x200
            try m.write(Moxie.code("pop", Moxie.sp, Moxie.sp) + Moxie.code("brk"), at: text + 0x200)
            #expect(m.run().text == "exception 5" && m["sp"] == data + 0xf8)
        }

        @Test(arguments: EngineMode.all) func exitsAreExact(_ mode: EngineMode) throws {
            let m = try machine(
                [
                    Moxie.code("inc", Moxie.r(0), 1), Moxie.code("swi", 0x8765_4321),
                    Moxie.code("ssr", Moxie.r(0), 200),
                    Moxie.code("gsr", Moxie.r(1), 200), Moxie.code("gsr", Moxie.r(2), 3), Moxie.bad,
                ], mode)
            #expect(m.run().text == "systemCall" && m.pc == text + 8 && m["r0"] == 1)
            #expect(m["sr2"] == 3 && m["sr3"] == 0x8765_4321)
            #expect(m.run().text == "exception 1" && m.pc == text + 14)
            #expect(m["r1"] == 1 && m["r2"] == 0x8765_4321)
            // Faults: nothing of the instruction has happened.
            try m.write(Moxie.code("push", Moxie.r(0), Moxie.r(1)) + Moxie.code("jsra", 0), at: text + 0x100)
            m.pc = text + 0x100
            m["r0"] = 4
            #expect(m.run().text == "write unmapped 0" && m.pc == text + 0x100 && m["r0"] == 4)
            (m["sp"], m["fp"]) = (data + 8, 5)
            m.pc = text + 0x102
            #expect(m.run().text == "write unmapped \(String(data - 4, radix: 16))")
            #expect(m.pc == text + 0x102 && m["sp"] == data + 8 && m["fp"] == 5)
        }

        /// As in the simulator, instructions may lie anywhere, and across the border of pages.
        @Test(arguments: EngineMode.all) func codeMayLieAtAnyAddress(_ mode: EngineMode) throws {
            let m = try MoxieMachine(mode)
            try m.map(text, 0x2000)
            for offset in 0xffa..<0x1000 as Range<UInt32> {
                try m.write(Moxie.code("ldi_l", Moxie.r(0), Int64(offset)) + Moxie.code("brk"), at: text + offset)
                m.pc = text + offset
                #expect(m.run().text == "exception 5" && m["r0"] == offset && m.pc == text + offset + 6)
            }
            // An instruction that is cut off by the end of memory.
            try m.write([0x01, 0x20], at: text + 0x1ffe)
            m.pc = text + 0x1ffe
            #expect(m.run().text == "execute unmapped \(String(text + 0x2000, radix: 16))" || m.pc == text + 0x1ffe)
        }

        @Test(arguments: EngineMode.all) func changedCodeIsSeen(_ mode: EngineMode) throws {
            // Each turn of the loop adds one to the immediate of an instruction ahead.
            let loop: [[UInt8]] = [
                Moxie.code("ldi_l", Moxie.r(1), 100), Moxie.code("xor", Moxie.r(2), Moxie.r(2)),
                Moxie.code("xor", Moxie.r(3), Moxie.r(3)),
                // text + 10
                Moxie.code("lda_l", Moxie.r(0), Int64(text) + 0x102), Moxie.code("inc", Moxie.r(0), 1),
                Moxie.code("sta_l", Moxie.r(0), Int64(text) + 0x102), Moxie.code("jsra", Int64(text) + 0x100),
                Moxie.code("add", Moxie.r(2), Moxie.r(4)), Moxie.code("dec", Moxie.r(1), 1),
                Moxie.code("cmp", Moxie.r(1), Moxie.r(3)),
                Moxie.code("bne", -28), Moxie.code("brk"),
            ]
            let m = try machine(loop, mode)
            try m.write(Moxie.code("ldi_l", Moxie.r(4), 0) + Moxie.code("ret"), at: text + 0x100)
            m["sp"] = data + 0x800
            #expect(m.run().text == "exception 5")
            #expect(m["r2"] == 5050 && m["r4"] == 100)
        }
    }
}
