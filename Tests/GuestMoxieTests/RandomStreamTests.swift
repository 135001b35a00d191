// Random instruction streams: registers and memory at the end, and at every exception, are the same in all modes of the engine,
// and at the end the same as in GDB's simulator, where that is in the cache (`./devtool toolchain moxie`). Results of the
// simulator for some streams are kept in Tests/Guest/moxie/streams.

import EngineModes
import ExecutionEngine
import Glibc
import GuestKit
import TestSupport
import Testing

/// What became of a program: FNV-1a of its output and of the state at every exception.
private struct Ending: Equatable, CustomStringConvertible {
    var text: String
    var output: [UInt8]
    var exceptions = 0
    var digest = Digest()
    var description: String {
        "\(text), \(exceptions) exceptions, \(String(digest.value, radix: 16)), \(output.prefix(64).chunks(4))"
    }
}

private struct Digest: Equatable {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325
    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
    mutating func add(_ word: UInt32) { add((0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) }) }
}

extension Sequence<UInt8> {
    fileprivate func chunks(_ size: Int) -> String {
        var text = ""
        for (index, byte) in enumerated() {
            if index % size == 0 { text += " " }
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return text
    }
}

private enum Simulator {
    static let path = MoxieToolchain.tool("run")

    static func output(_ file: MoxieFile) throws -> [UInt8] {
        let path = try #require(path)
        return try file.run { "timeout 60 '\(path)' '\($0)' 2>/dev/null" }
    }
}

private func ending(_ file: MoxieFile, _ mode: EngineMode) throws -> Ending {
    let machine = try MoxieMachine(mode)
    try machine.load(file)
    var ending = Ending(text: "", output: [])
    while true {
        ending.text = try machine.runProgram()
        if ending.text.hasPrefix("[exit") || ending.exceptions == 20_000 { break }
        // The exception's state, and on behind the instruction.
        ending.exceptions += 1
        ending.digest.add(ending.text.utf8)
        for value in machine.registers { ending.digest.add(value) }
        let bytes = try machine.memory.readBytes(UInt64(machine.pc), count: 8)
        let length = bytes.withUnsafeBytes { machine.engine.guest.disassemble($0, at: 0).length }
        machine.pc &+= UInt32(length)
    }
    ending.output = machine.output
    ending.digest.add(ending.output)
    return ending
}

private let streams = MoxieToolchain.kept + "/streams"

extension MoxieRuns {
    @Suite struct RandomStreamTests {
        @Test(.seeded(1), arguments: RandomMoxieProgram.Profile.allCases)
        func statesAndMemoryAreTheSameInAllModes(_ profile: RandomMoxieProgram.Profile) throws {
            var executed = 0
            for index in 0..<Rounds.count(16) {
                let seed = Seed.current &+ UInt64(index)
                let program = RandomMoxieProgram(seed: seed, profile)
                executed += program.dynamicCount
                let file = program.file()
                let expected = try ending(file, .interpreter)
                #expect(expected.text == "[exit 0]" && expected.output.count == 0x3000, "MARTLET_SEED=\(seed)")
                #expect((expected.exceptions > 0) == (profile == .all))
                for mode in EngineMode.others {
                    let found = try ending(file, mode)
                    if found != expected {
                        Issue.record("MARTLET_SEED=\(seed), \(mode): \(found) instead of \(expected)")
                    }
                }
                if profile == .common, Simulator.path != nil {
                    let output = try Simulator.output(file)
                    if output != expected.output {
                        Issue.record(
                            "MARTLET_SEED=\(seed): \(expected); the simulator has\(output.prefix(64).chunks(4))")
                    }
                }
            }
            #expect(executed >= 500_000, "\(executed)")
        }

        /// The simulator alone, for a million instructions and more.
        @Test(.seeded(1001), .long, .enabled(if: Simulator.path != nil, "no simulator: ./devtool toolchain moxie"))
        func longStreamsEndAsInTheSimulator() throws {
            var executed = 0
            for index in 0..<Rounds.count(30) {
                let seed = Seed.current &+ UInt64(index)
                let program = RandomMoxieProgram(seed: seed, .common, size: 2)
                executed += program.dynamicCount
                let output = try Simulator.output(program.file())
                let found = try ending(program.file(), EngineMode.others[index % EngineMode.others.count])
                if found.output != output {
                    Issue.record("MARTLET_SEED=\(seed): \(found); the simulator has\(output.prefix(64).chunks(4))")
                }
            }
            #expect(executed >= 1_000_000, "\(executed)")
        }

        /// Kept streams. `MARTLET_BLESS=1` makes them anew, with the simulator's results.
        @Test func keptStreamsEndAsInTheSimulator() throws {
            if getenv("MARTLET_BLESS") != nil, Simulator.path != nil { try blessStreams() }
            let lines = String(decoding: try #require(readFile(streams + "/expected")), as: UTF8.self).split(
                separator: "\n")
            try #require(lines.count >= 8)
            for line in lines {
                let words = line.split(separator: " ").map(String.init)
                let file = try #require(MoxieFile(path: "\(streams)/\(words[0]).elf"))
                for mode in EngineMode.all {
                    var digest = Digest()
                    digest.add(try ending(file, mode).output)
                    #expect(String(digest.value, radix: 16) == words[1], "\(words[0]), \(mode)")
                }
            }
        }

        private func blessStreams() throws {
            var lines = ""
            for seed in 1...10 as ClosedRange<UInt64> {
                let file = RandomMoxieProgram(seed: 5000 + seed, .common).file()
                var digest = Digest()
                let output = try Simulator.output(file)
                try #require(output.count == 0x3000)
                digest.add(output)
                try writeFile("\(streams)/\(seed).elf", file.bytes)
                lines += "\(seed) \(String(digest.value, radix: 16))\n"
            }
            try writeFile("\(streams)/expected", Array(lines.utf8))
        }
    }
}
