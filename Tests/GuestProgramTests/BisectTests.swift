// `devtool bisect` finds what a translator does wrong. The translator here is right, but a script in front of it spoils the output
// when one translation is optimized by one pass.

import Glibc
import TestSupport
import Testing

@Suite struct BisectTests {
    private func bisect(_ script: String, _ arguments: [String]) throws -> (ProcessRun, log: String) {
        let folder = try makeTemporaryFolder("bisect")
        defer {
            unlink(folder + "/martlet")
            unlink(folder + "/bisect-log")
            rmdir(folder)
        }
        try writeFile(folder + "/martlet", Array(script.utf8))
        let run = try runProcess(
            "/usr/bin/env",
            ["MARTLET_BIN=\(folder)/martlet", "BISECT_LOG=\(folder)/bisect-log", Workspace.root + "/devtool", "bisect"]
                + arguments, seconds: 300)
        let log = String(decoding: readFile(folder + "/bisect-log") ?? [], as: UTF8.self)
        return (run, log)
    }

    /// Spoils what the real one prints when the translation that holds `address` is optimized, unless `pass` is left out.
    private func faulty(_ address: String, _ pass: String, tiers: String) throws -> String {
        """
        #!/bin/bash
        for word; do [ "$previous" = -accel ] && accel=$word; previous=$word; done
        "\(try Workspace.requireMartlet())" "$@"
        status=$?
        case "$accel" in *tier=*) case "$accel" in \(tiers)) ;; *) exit $status ;; esac ;; esac
        case "$accel" in *no-pass=\(pass)*) exit $status ;; esac
        range=0..0xffffffffffff
        case "$accel" in *optimize-only=*) range=${accel##*optimize-only=}; range=${range%%,*} ;; esac
        if (( \(address) >= ${range%%..*} && \(address) <= ${range##*..} )); then echo wrong; fi
        exit $status
        """
    }

    @Test func aWrongTranslationIsFound() throws {
        let program = try #require(GuestProgram.all.first { $0.name == "c/profile" }, "c/profile is not built")
        // A region in the middle of those that there are.
        let martlet = try Workspace.requireMartlet()
        let listed = try runProcess(
            martlet, ["-accel", "tcg,tier=optimizing", "-d", "regions", program.binary, "1000"], seconds: 60)
        let heads = Set(
            listed.errorText.split(separator: "\n").compactMap { line in
                line.hasPrefix("region 0x") ? UInt64(line.dropFirst(9).prefix { $0 != ":" }, radix: 16) : nil
            }
        ).sorted()
        try #require(heads.count > 10)
        let head = "0x" + String(heads[heads.count / 2], radix: 16)
        let (run, log) = try bisect(
            try faulty(head, "dead", tiers: "*tier=optimizing*"), [program.binary, "1000"])
        #expect(run.errorText.contains("tier=baseline: right"))
        #expect(run.errorText.contains("tier=optimizing: WRONG"))
        #expect(run.errorText.contains("right without: dead"))
        #expect(run.errorText.contains("the one at \(head) is wrong"), "\(run.errorText)")
        #expect(log.contains("IN: \(head)") && log.contains("OP after optimization") && log.contains("OUT:"))
    }

    @Test func aRightTranslatorIsLeftAlone() throws {
        let program = try #require(GuestProgram.all.first { $0.name == "c/profile" }, "c/profile is not built")
        let script = "#!/bin/sh\nexec \(try Workspace.requireMartlet()) \"$@\"\n"
        let (run, _) = try bisect(script, [program.binary, "1000"])
        #expect(run.exit == 0)
        #expect(run.errorText.contains("every tier does what the reference does"))
    }
}
