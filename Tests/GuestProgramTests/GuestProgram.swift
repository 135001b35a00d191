// The guest test programs and the modes they run in.
//
// `devtool` compiles Tests/Guest into .build/guest and writes a manifest there: name, source, -L prefix or "-", arguments,
// separated by tabs. The emulator under test is $MARTLET_BIN, else the newest of .build/{debug,release}/martlet.

import Glibc
import TestSupport
import Testing

/// A way to run the engine; the same programs must behave the same in each.
struct Mode: Sendable, CustomTestStringConvertible {
    var name: String
    var options: [String]
    /// How often a program is run.
    var runs = 1
    var testDescription: String { name }

    static let all: [Mode] = [
        Mode(name: "default", options: []),
        Mode(name: "one instruction per block", options: ["-one-insn-per-tb"]),
        Mode(name: "no chaining", options: ["-d", "nochain", "-D", "/dev/null"]),
        Mode(name: "tiny cache", options: ["-tb-size", "1"]),
        Mode(name: "hot at once", options: ["-accel", "tcg,hot=20"]),
        Mode(name: "interpreter", options: ["-accel", "tcg,tier=interpreter"]),
        Mode(name: "baseline", options: ["-accel", "tcg,tier=baseline"]),
        Mode(name: "optimizing", options: ["-accel", "tcg,tier=optimizing"]),
        Mode(name: "verified", options: ["-accel", "tcg,hot=20,verify=all"]),
        Mode(name: "disk cache", options: ["-accel", "tcg,cache=\(Workspace.cacheFolder)"], runs: 2),
    ]

    /// MARTLET_MODES, a list of names separated by commas, narrows the modes.
    static let selected: [Mode] = {
        guard let wanted = environmentValue("MARTLET_MODES") else { return all }
        let names = wanted.split(separator: ",").map(String.init)
        return all.filter { names.contains($0.name) }
    }()
}

struct GuestProgram: Sendable, CustomTestStringConvertible {
    var name: String
    var source: String
    var prefix: String?
    var arguments: [String]
    var testDescription: String { name }

    var binary: String { Workspace.guestFolder + "/" + name }
    var isFatal: Bool { name.hasPrefix("fatal/") }
    /// Built for the host as well, which says what is right.
    var isCompared: Bool { name.hasPrefix("compared/") }
    var hostBinary: String { binary + ".host" }

    /// The expectation: standard output and the line that says how the program ended; nil when the file is missing.
    /// `NAME.GUEST.expected` is for one guest alone: the name of the binary's folder.
    var expectation: String? {
        if isFatal { return fatalSignals[String(name.dropFirst(6).prefix { $0 != "_" })].map { "[signal \($0)]\n" } }
        let stem = source[..<(source.lastIndex(of: ".") ?? source.endIndex)]
        let guest = name.prefix { $0 != "/" }
        return (readFile("\(stem).\(guest).expected") ?? readFile(stem + ".expected")).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    static let all = built.filter { !$0.isCompared }
    static let compared = built.filter(\.isCompared)

    /// All programs of the manifest, none when it was not built (`theProgramsAreBuilt` fails then).
    private static let built: [GuestProgram] = {
        guard let manifest = readFile(Workspace.guestFolder + "/manifest") else { return [] }
        return String(decoding: manifest, as: UTF8.self).split(separator: "\n").compactMap { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count >= 3 else { return nil }
            return GuestProgram(
                name: fields[0], source: fields[1], prefix: fields[2] == "-" ? nil : fields[2],
                arguments: Array(fields[3...]))
        }
    }()
}

/// How the programs of fatal/ end, by the first part of their names.
private let fatalSignals: [String: Int32] = [
    "segv": SIGSEGV, "ill": SIGILL, "abrt": SIGABRT, "trap": SIGTRAP, "bus": SIGBUS,
]

enum Workspace {
    /// The project's root, from this file's own place.
    static let root: String = {
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/")
    }()
    static let guestFolder = environmentValue("MARTLET_GUEST") ?? root + "/.build/guest"

    /// The emulator under test, nil when there is none.
    static let martlet: String? = {
        if let path = environmentValue("MARTLET_BIN") { return access(path, X_OK) == 0 ? path : nil }
        let candidates = ["release", "debug"].map { "\(root)/.build/\($0)/martlet" }
        return candidates.filter { access($0, X_OK) == 0 }.max { modified($0) < modified($1) }
    }()

    private static func modified(_ path: String) -> Int {
        var information = stat()
        return stat(path, &information) == 0 ? information.st_mtim.tv_sec : 0
    }

    /// Translations of this test run, below the build folder's own; tests use no others.
    static let cacheFolder = guestFolder + "/translations-\(getpid())"

    static func requireMartlet() throws -> String {
        guard let martlet else {
            throw SpawnError(
                description: "no martlet to test: build it first (./devtool test does), or set MARTLET_BIN")
        }
        return martlet
    }

    /// Martlet as one file, as it is for release: it needs no libraries where it runs.
    static func requireStatic() throws -> String {
        guard let path = environmentValue("MARTLET_STATIC") else {
            throw SpawnError(description: "no static martlet to test: ./devtool test makes it and sets MARTLET_STATIC")
        }
        return path
    }
}

extension GuestProgram {
    /// Runs the program under the emulator. A run takes at most `seconds`.
    func run(_ options: [String], seconds: Int = 120) throws -> ProcessRun {
        let martlet = try Workspace.requireMartlet()
        let library = prefix.map { ["-L", $0] } ?? []
        return try runProcess(
            martlet, ["-accel", "tcg,cache=off"] + options + library + [binary] + arguments, seconds: seconds)
    }
}
