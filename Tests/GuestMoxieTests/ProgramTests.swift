// Programs of Tests/Guest/c, built by Moxie's own compiler and kept in Tests/Guest/moxie, on the engine alone; in user mode and in
// every mode GuestProgramTests runs them. How exceptions end programs there.

import EngineModes
import Glibc
import TestSupport
import Testing

private let folder = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/Guest"

/// A file of Tests/Guest/moxie, `NAME-OPTIMIZATION`.
struct MoxieProgram: Sendable, CustomTestStringConvertible {
    var name: String
    var optimization: String
    var testDescription: String { "\(name) -\(optimization)" }

    static let all = ["hello", "integers", "callshapes", "floats", "buffers"].flatMap { name in
        ["O0", "O2"].map { MoxieProgram(name: name, optimization: $0) }
    }
}

extension MoxieRuns {
    @Suite struct ProgramTests {
        @Test(arguments: MoxieProgram.all) func programsPrintWhatTheyPrintElsewhere(_ program: MoxieProgram) throws {
            let file = try #require(MoxieFile(path: "\(folder)/moxie/\(program.name)-\(program.optimization)"))
            let expected = String(
                decoding: try #require(readFile("\(folder)/c/\(program.name).expected")), as: UTF8.self)
            for mode in [EngineMode.interpreter, .others[0], .others[5]] {
                let machine = try MoxieMachine(mode)
                try machine.load(file, arguments: [program.name])
                let ending = try machine.runProgram()
                #expect(String(decoding: machine.output, as: UTF8.self) + ending + "\n" == expected, "\(mode)")
            }
        }

        /// Benchmarks/kernels.c, what it prints everywhere.
        @Test(arguments: [
            "crc d93f4dc3", "interp a354aa0a2d0e9b00", "matrix 7c5a1854", "calls 63245986",
        ])
        func kernelsComputeWhatTheyComputeElsewhere(_ expected: String) throws {
            let name = String(expected.prefix { $0 != " " })
            let file = try #require(MoxieFile(path: "\(folder)/moxie/kernels-O2"))
            let machine = try MoxieMachine()
            try machine.load(file, arguments: ["kernels", name, "1"])
            #expect(try machine.runProgram() == "[exit 0]")
            #expect(String(decoding: machine.output, as: UTF8.self) == expected + "\n")
        }

        private static let martlet = getenv("MARTLET_BIN").map { String(cString: $0) }

        @Test(
            .enabled(if: martlet != nil, "MARTLET_BIN names no martlet"),
            arguments: [
                (Moxie.code("udiv", Moxie.r(0), Moxie.r(1)), SIGFPE), (Moxie.bad, SIGILL), (Moxie.code("brk"), SIGTRAP),
                (Moxie.code("st_l", Moxie.r(1), Moxie.r(1)), SIGSEGV),
            ] as [([UInt8], Int32)])
        func exceptionsAreSignalsOfUserMode(_ code: [UInt8], _ signal: Int32) throws {
            let bytes = Moxie.code("xor", Moxie.r(1), Moxie.r(1)) + code
            let file = MoxieFile(
                entry: 0x10_0000, segments: [.init(address: 0x10_0000, flags: 5, bytes: bytes, memorySize: bytes.count)]
            )
            let martlet = try #require(Self.martlet)
            let output = try file.run { path in
                "sh -c 'ulimit -c 0; \(martlet) run -accel tcg,cache=off \(path); echo $?' 2>/dev/null"
            }
            #expect(String(decoding: output, as: UTF8.self) == "\(128 + signal)\n")
        }
    }
}
