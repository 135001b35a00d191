// The programs under test, and runs of them with a bounded time.

import Glibc
import TestSupport
import Testing

enum SystemBinary {
    /// `martlet`; `martlet-system` lies beside it.
    static func martlet() throws -> String {
        if let path = environmentValue("MARTLET_BIN") { return path }
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let candidates = ["tests/release", "release", "debug"].map { "\(root)/.build/\($0)/martlet" }
        guard let path = candidates.first(where: { access($0 + "-system", X_OK) == 0 }) else {
            throw SpawnError(description: "no martlet-system to test: build it first, or set MARTLET_BIN")
        }
        return path
    }
    static func system() throws -> String { try martlet() + "-system" }

    /// Runs a machine. "FILE" in an option stands for a file with `contents`.
    static func run(
        _ options: [String], file contents: [UInt8] = [], target: String = "riscv64", seconds: Int = 10,
        look: ((pid_t) -> Void)? = nil
    ) throws -> ProcessRun {
        let folder = try TemporaryFolder("machine")
        try writeFile(folder.path + "/file", contents)
        let options = options.map { $0.replacing("FILE", with: folder.path + "/file") }
        return try runProcess(system(), [target] + options, seconds: seconds, look: look)
    }

    /// Runs a machine that types `input`, octal escapes of printf(1) included, by a pipe.
    static func run(typing input: String, _ options: String, file contents: [UInt8] = []) throws -> ProcessRun {
        let folder = try TemporaryFolder("machine")
        try writeFile(folder.path + "/file", contents)
        let line = "printf '\(input)' | \(try system()) riscv64 \(options)"
            .replacing("FILE", with: folder.path + "/file")
        return try runProcess("/bin/sh", ["-c", line], seconds: 10)
    }
}

/// One clear line, and nothing else.
func checkRefusal(_ run: ProcessRun, mentions: [String]) {
    #expect(run.ending == "[exit 1]")
    let lines = run.errorText.split(separator: "\n")
    #expect(lines.count == 1, "one line on stderr, not: \(run.errorText.prefix(600))")
    #expect(run.errorText.hasPrefix("martlet: "))
    for word in mentions { #expect(run.errorText.contains(word), "no '\(word)' in: \(run.errorText.prefix(300))") }
    #expect(run.text == "", "nothing belongs on standard output")
}

extension String {
    func replacing(_ word: String, with other: String) -> String {
        var text = "", rest = self[...]
        while let first = rest.first {
            if rest.hasPrefix(word) {
                text += other
                rest = rest.dropFirst(word.count)
            } else {
                text.append(first)
                rest = rest.dropFirst()
            }
        }
        return text
    }
}
