// Programs of Tests/Guest/c, built by Moxie's own compiler and kept in Tests/Guest/moxie: each in every mode of the engine.

import Glibc
import Testing

private let folder = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/Guest"

/// A fixture, `NAME.OPTIMIZATION`.
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
            let file = try #require(MoxieFile(path: "\(folder)/moxie/\(program.name).\(program.optimization)"))
            let expected = String(
                decoding: try #require(readFile("\(folder)/c/\(program.name).expected")), as: UTF8.self)
            for mode in EngineMode.all {
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
            let file = try #require(MoxieFile(path: "\(folder)/moxie/kernels.O2"))
            let machine = try MoxieMachine()
            try machine.load(file, arguments: ["kernels", name, "1"])
            #expect(try machine.runProgram() == "[exit 0]")
            #expect(String(decoding: machine.output, as: UTF8.self) == expected + "\n")
        }
    }
}
