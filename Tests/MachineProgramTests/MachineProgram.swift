// The programs of Tests/Machine, and the modes they run in.
//
// `devtool` compiles them into .build/machine and writes a manifest there: name, XLEN, machine, harts, CPU properties, -icount,
// separated by tabs. The emulator under test is $MARTLET_SYSTEM, else `martlet-system` beside $MARTLET_BIN or in .build/tests/release.

import Glibc
import TestSupport
import Testing

/// A way to run the engine; the same programs must print the same in each.
struct MachineMode: Sendable, CustomTestStringConvertible {
    var name: String
    /// Properties of `-accel tcg`.
    var properties: String
    /// How often a program is run.
    var runs = 1
    var testDescription: String { name }

    static let usual = MachineMode(name: "default", properties: "")
    static let others: [MachineMode] = [
        MachineMode(name: "one instruction per block", properties: ",one-insn-per-tb=on"),
        MachineMode(name: "tiny cache", properties: ",tb-size=1"),
        MachineMode(name: "hot at once", properties: ",hot=20"),
        MachineMode(name: "interpreter", properties: ",tier=interpreter"),
        MachineMode(name: "baseline", properties: ",tier=baseline"),
        MachineMode(name: "verified", properties: ",tier=optimizing,verify=all"),
        MachineMode(name: "one thread", properties: ",thread=single"),
        MachineMode(name: "disk cache", properties: ",cache=\(Workspace.cacheFolder)", runs: 2),
    ]
}

struct MachineProgram: Sendable, CustomTestStringConvertible {
    var name: String
    var bits: String
    var machine: String
    var harts: String
    var cpu: String
    /// The value of `-icount`; nil: none.
    var counting: String?
    var testDescription: String { name }

    /// What the oracle prints, without its own failures, and `[exit 0]`.
    var expectation: String? {
        readFile("\(Workspace.sources)/expected/\(name).txt").map { String(decoding: $0, as: UTF8.self) }
    }

    /// Why the emulator does not behave as expected yet, nil where it must.
    var knownFailure: String? { Self.knownFailures[name] }

    /// All programs of the manifest, none when it was not built (`theProgramsAreBuilt` fails then).
    static let all: [MachineProgram] = rows(of: Workspace.programs + "/manifest", separator: "\t").compactMap {
        fields in
        guard fields.count == 6 else { return nil }
        return MachineProgram(
            name: fields[0], bits: fields[1], machine: fields[2], harts: fields[3], cpu: fields[4],
            counting: fields[5] == "off" ? nil : fields[5])
    }

    /// One program for each thing that the engine does differently from mode to mode.
    static let quick = all.filter { quickNames.contains($0.name) }
    static let quickNames: Set<String> = [
        "trap-vectors", "trap-controls", "paging-rv32", "crossing", "atomics", "changing-code", "streams", "litmus",
        "shared-code", "shared-counters", "shootdown", "counted", "reload",
    ]

    static let knownFailures = Dictionary(
        rows(of: Workspace.sources + "/failures.txt", separator: "|").filter { $0.count == 2 }.map { ($0[0], $0[1]) },
        uniquingKeysWith: { first, _ in first })

    /// Runs the program on a machine of its own.
    func run(_ mode: MachineMode, seconds: Int) throws -> ProcessRun {
        try runProcess(
            try Workspace.requireEmulator(),
            [
                "riscv\(bits)", "-M", machine, "-smp", harts, "-cpu", "rv\(bits),\(cpu)", "-m", "128M", "-bios", "none",
                "-kernel", "\(Workspace.programs)/\(name)", "-display", "none", "-monitor", "none", "-serial", "stdio",
                "-accel", "tcg" + mode.properties,
            ] + (counting.map { ["-icount", $0] } ?? []), seconds: seconds)
    }
}

/// The fields of a text file's lines without the spaces around them; a line that begins with `#` is a comment.
private func rows(of path: String, separator: Character) -> [[String]] {
    String(decoding: readFile(path) ?? [], as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }.map {
        line in
        line.split(separator: separator).map { field in
            String(field.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
    }
}

enum Workspace {
    /// The project's root, from this file's own place.
    private static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    static let sources = root + "/Tests/Machine"
    static let programs = environmentValue("MARTLET_MACHINE") ?? root + "/.build/machine"
    /// Translations of all programs, in one file.
    static let cacheFolder = programs + "/translations-\(getpid())"

    private static let emulator: String = {
        if let path = environmentValue("MARTLET_SYSTEM") { return path }
        let martlet = environmentValue("MARTLET_BIN") ?? root + "/.build/tests/release/martlet"
        return martlet + "-system"
    }()

    static func requireEmulator() throws -> String {
        guard access(emulator, X_OK) == 0 else {
            throw SpawnError(
                description: "no \(emulator) to test: build it first (./devtool test does), or set MARTLET_SYSTEM")
        }
        return emulator
    }
}
