// Runs one generated program in many ways and explains the first difference; makes a failing program small.

import GuestKit
import GuestRISCV
import Glibc
import TestSupport

/// One way to run a program.
struct RandomMode: Sendable {
    var name: String
    var options: [String]
    /// The reference emulator instead of Martlet.
    var isReference = false

    static let interpreter = RandomMode(name: "interpreter", options: ["-accel", "tcg,tier=interpreter"])
    static func reference(_ wordSize: WordSize = .bits64) -> RandomMode {
        RandomMode(
            name: "qemu-riscv\(wordSize.rawValue)-static", options: ["-cpu", "rv\(wordSize.rawValue),Zfhmin=true"],
            isReference: true)
    }

    /// Those that MARTLET_MODES names, else all.
    static let others: [RandomMode] = {
        let all = [
            RandomMode(name: "baseline", options: ["-accel", "tcg,tier=baseline"]),
            RandomMode(name: "optimizing", options: ["-accel", "tcg,tier=optimizing,verify=all"]),
            RandomMode(name: "auto", options: []),
            RandomMode(name: "verified", options: ["-accel", "tcg,hot=20,verify=all"]),
            RandomMode(name: "one instruction per block", options: ["-one-insn-per-tb"]),
            RandomMode(name: "tiny cache", options: ["-tb-size", "64K"]),
            RandomMode(name: "no chaining", options: ["-d", "nochain", "-D", "/dev/null"]),
        ]
        guard let wanted = environmentValue("MARTLET_MODES")?.split(separator: ",").map(String.init) else { return all }
        return all.filter { wanted.contains($0.name) }
    }()

    static let hasReference = [WordSize.bits32, .bits64].allSatisfy { access(reference($0).referencePath, X_OK) == 0 }
    private var referencePath: String { "/usr/bin/\(name)" }

    func run(_ path: String, seconds: Int) throws -> ProcessRun {
        if isReference { return try runProcess(referencePath, options + [path], seconds: seconds) }
        return try runProcess(
            Workspace.requireMartlet(), ["run", "-accel", "tcg,cache=off"] + options + [path], seconds: seconds)
    }
}

/// A folder of this process for generated programs, removed at the end of its scope by `remove`.
final class RandomFolder {
    let path: String

    init() throws {
        path = try makeTemporaryFolder("random")
    }

    var program: String { path + "/program" }

    deinit {
        unlink(program)
        rmdir(path)
    }
}

/// What two runs differ in.
struct Difference: CustomStringConvertible {
    var expectedMode: String
    var mode: String
    var description: String
}

struct RandomRunner {
    private let folder: RandomFolder
    /// A program takes well under a second; more is a hang.
    var seconds = 30

    init() throws { folder = try RandomFolder() }

    /// The modes to compare for a profile; the first is the expectation.
    static func modes(_ profile: RandomProfile) -> [RandomMode] {
        let first =
            profile.hasReference && RandomMode.hasReference
            ? [RandomMode.reference(profile.wordSize), .interpreter] : [.interpreter]
        return first + RandomMode.others
    }

    /// Every mode that differs from the first.
    func differences(_ program: RandomProgram, _ modes: [RandomMode]) throws -> [Difference] {
        let (file, _) = program.build()
        try writeFile(folder.program, file)
        let expected = try modes[0].run(folder.program, seconds: seconds)
        if expected.timedOut {
            return [Difference(expectedMode: "any", mode: modes[1].name, description: "\(modes[0].name) hangs")]
        }
        return try modes.dropFirst().compactMap { mode in
            let run = try mode.run(folder.program, seconds: seconds)
            guard let text = Self.difference(run, expected) else { return nil }
            return Difference(expectedMode: modes[0].name, mode: mode.name, description: text)
        }
    }

    /// The first differences in words, nil when there are none.
    static func difference(_ run: ProcessRun, _ expected: ProcessRun) -> String? {
        if run.ending != expected.ending {
            return "ends with \(run.ending) instead of \(expected.ending); stderr: \(run.errorText.suffix(400))"
        }
        if run.output == expected.output {
            return run.output.count == ProgramMap.outputSize ? nil : "both wrote \(run.output.count) bytes"
        }
        if run.output.count != expected.output.count {
            return "wrote \(run.output.count) bytes instead of \(expected.output.count)"
        }
        var lines: [String] = []
        for offset in stride(from: 0, to: run.output.count, by: 8) where lines.count < 8 {
            let (got, wanted) = (run.output.word64(offset), expected.output.word64(offset))
            if got != wanted { lines.append("\(place(offset)) is \(hex(got)), should be \(hex(wanted))") }
        }
        return lines.joined(separator: "\n")
    }

    private static func place(_ offset: Int) -> String {
        switch offset {
        case 0..<256: "x\(offset / 8)"
        case 256..<512: "f\(offset / 8 - 32)"
        case ResultOffset.fcsr: "fcsr"
        case ResultOffset.hash: "hash of registers at faults"
        case ResultOffset.faults: "count of faults"
        case ResultOffset.log..<(ResultOffset.log + 256):
            "address of fault (\((offset - ResultOffset.log) / 8) modulo 32)"
        default: "memory at \(hex(UInt64(ProgramMap.results + offset)))"
        }
    }

    // MARK: Reduction

    /// The smallest program found that still differs between the two modes: items are erased, halves of the list first,
    /// then loops shortened. Bounded in time.
    func reduced(_ program: RandomProgram, _ modes: [RandomMode], seconds limit: Int = 60) throws -> RandomProgram {
        let deadline = time(nil) + limit
        var best = program
        var quick = self
        quick.seconds = 3
        func stillFails(_ candidate: RandomProgram) -> Bool {
            (try? !quick.differences(candidate, modes).isEmpty) ?? false
        }
        for segment in best.segments.indices where time(nil) < deadline {
            for iterations in [1, 64] where best.segments[segment].iterations > iterations {
                var candidate = best
                candidate.segments[segment].iterations = iterations
                if stillFails(candidate) {
                    best = candidate
                    break
                }
            }
        }
        var remaining = best.paths
        var size = max(1, remaining.count / 2)
        while time(nil) < deadline {
            var start = 0
            while start < remaining.count, time(nil) < deadline {
                let range = start..<min(start + size, remaining.count)
                var candidate = best
                for path in remaining[range] { candidate[path] = candidate[path].erased }
                if stillFails(candidate) {
                    best = candidate
                    remaining.removeSubrange(range)
                } else {
                    start += size
                }
            }
            if size == 1 { break }
            size /= 2
        }
        // Inside the items that are left, instruction by instruction.
        for path in remaining where best[path].pieces.count > 1 {
            for index in best[path].pieces.indices where time(nil) < deadline {
                var candidate = best
                candidate[path].pieces[index] =
                    best[path].pieces[index].size == 2 ? .half(Encode.shortNop) : .word(Encode.nop)
                if stillFails(candidate) { best = candidate }
            }
        }
        return best
    }

    /// The instructions that are not erased, as text.
    static func listing(_ program: RandomProgram) -> String {
        let (_, listing) = program.build()
        var text = "counter x\(program.frame.counter), hash x\(program.collector)\n"
        var segment = -1
        for line in listing where line.word != Encode.nop && line.word != UInt32(Encode.shortNop) {
            if line.item.segment != segment {
                segment = line.item.segment
                text +=
                    segment < program.segments.count
                    ? "segment \(segment), \(program.segments[segment].iterations) times:\n"
                    : "function \(segment - program.segments.count):\n"
            }
            let instruction = disassemble(line.word, pc: UInt64(line.address), extensions: program.extensions)
            text += "  \(hex(UInt64(line.address))): \(hex(UInt64(line.word)))  \(instruction ?? "(illegal)")\n"
        }
        return text
    }

    /// Compares, and when there is a difference reduces and explains it.
    func check(seed: UInt64, _ profile: RandomProfile) throws -> (report: String?, executed: Int) {
        let program = RandomGenerator.program(seed: seed, profile)
        let modes = Self.modes(profile)
        let differences = try differences(program, modes)
        guard let first = differences.first, let mode = modes.first(where: { $0.name == first.mode }) else {
            return (nil, program.dynamicCount)
        }
        var report = "MARTLET_SEED=\(seed) (profile \(profile.name))\n"
        for difference in differences {
            report += "\(difference.mode) against \(difference.expectedMode): \(difference.description)\n"
        }
        let small = try reduced(program, [modes[0], mode])
        report += "reduced:\n" + Self.listing(small)
        for difference in try self.differences(small, modes) {
            report += "\(difference.mode) against \(difference.expectedMode): \(difference.description)\n"
        }
        if let keep = environmentValue("MARTLET_FUZZ_KEEP") {
            try writeFile("\(keep)/\(seed)-\(profile.name)", program.build().file)
            try writeFile("\(keep)/\(seed)-\(profile.name)-reduced", small.build().file)
        }
        return (report, program.dynamicCount)
    }
}

func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
