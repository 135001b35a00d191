// Every guest program in every mode against its expectation.

import Glibc
import TestSupport
import Testing

@Suite struct GuestProgramTests {
    @Test func theProgramsAreBuilt() throws {
        _ = try Workspace.requireMartlet()
        try #require(
            GuestProgram.all.count >= 50,
            "the guest programs are not built in \(Workspace.guestFolder): run ./devtool test, which builds them")
        for program in GuestProgram.all {
            #expect(access(program.binary, X_OK) == 0, "\(program.name) is in the manifest but was not built")
            #expect(program.expectation != nil, "\(program.name) has no .expected file: run ./devtool bless")
        }
    }

    @Test(arguments: GuestProgram.all, Mode.selected)
    func behavesAsExpected(_ program: GuestProgram, _ mode: Mode) throws { try check(program, mode) }

    /// All code optimized at its first execution, and verified.
    @Test(.long, arguments: GuestProgram.all)
    func longRunsBehaveAsExpectedWhenAllIsOptimizedAndVerified(_ program: GuestProgram) throws {
        // Programs that start hundreds of others take a minute on a busy machine.
        try check(
            program, Mode(name: "optimizing, verified", options: ["-accel", "tcg,tier=optimizing,verify=all"]),
            seconds: 600)
    }

    private func check(_ program: GuestProgram, _ mode: Mode, seconds: Int = 120) throws {
        let expectation = try #require(program.expectation, "no .expected file beside \(program.source)")
        for _ in 0..<mode.runs {
            let run = try program.run(mode.options, seconds: seconds)
            let result = run.text + run.ending + "\n"
            if result != expectation {
                let difference = firstDifference(result, expectation)
                Issue.record("\(program.name), \(mode.name): \(difference)\nstderr: \(ends(run.errorText))")
            }
        }
    }

    /// In the modes that verify, all that is made is verified, on every way into the cache.
    @Test(arguments: [
        (["-accel", "tcg,hot=20,verify=all"], ["translations in the baseline tier", "compiled in the background"]),
        (["-accel", "tcg,hot=20,background=off,verify=all"], ["regions in the optimizing tier"]),
        (["-accel", "tcg,tier=optimizing,verify=all"], ["regions in the optimizing tier"]),
        (["-accel", "tcg,tier=interpreter,verify=all"], ["translations in the baseline tier"]),
    ])
    func everythingIsVerified(_ options: [String], _ kinds: [String]) throws {
        let program = try #require(GuestProgram.all.first { $0.name == "c/kernelsmall" }, "c/kernelsmall is not built")
        // Nothing comes from the disk, whatever is there.
        let run = try program.run(["-accel", "tcg,cache=\(Workspace.cacheFolder)"] + options + ["-stats"])
        #expect(run.ending == "[exit 0]", "\(ends(run.errorText))")
        #expect(!run.errorText.contains("disk cache:"))
        let line = try #require(run.errorText.split(separator: "\n").first { $0.hasPrefix("verified: ") })
        let counts = line.dropFirst("verified: ".count).split(separator: ", ").map { part in
            (part, part.split(separator: " ").compactMap { Int($0) })
        }
        #expect(counts.count == 3)
        for (part, numbers) in counts { #expect(numbers.count == 2 && numbers[0] == numbers[1], "\(part)") }
        for kind in kinds {
            // With one processor nothing is compiled in the background.
            if kind.contains("background"), sysconf(Int32(_SC_NPROCESSORS_ONLN)) < 2 { continue }
            #expect(counts.contains { $0.0.hasSuffix(kind) && ($0.1.first ?? 0) > 0 }, "\(kind): \(line)")
        }
    }

    /// A sample is one, and nothing is verified that nobody asked for.
    @Test(arguments: [("verify=10", 10), ("verify=none", nil)] as [(String, Int?)])
    func aSampleIsVerified(_ option: String, _ interval: Int?) throws {
        let program = try #require(GuestProgram.all.first { $0.name == "c/kernelsmall" }, "c/kernelsmall is not built")
        let run = try program.run(["-accel", "tcg,tier=baseline,\(option)", "-stats"])
        let line = run.errorText.split(separator: "\n").first { $0.hasPrefix("verified: ") }
        let numbers = line?.split(separator: " ").compactMap { Int($0) } ?? []
        if let interval {
            try #require(numbers.count == 6)
            #expect(abs(numbers[0] - numbers[1] / interval) <= 1 && numbers[0] > 10, "\(line ?? "")")
        } else {
            #expect(line == nil)
        }
    }

    /// The program's standard error passes through unchanged, and nothing of the emulator's own is mixed in.
    @Test(arguments: Mode.selected)
    func standardErrorIsTheProgramsOwn(_ mode: Mode) throws {
        let program = try #require(GuestProgram.all.first { $0.name == "c/misc" }, "c/misc is not built")
        let run = try program.run(mode.options)
        #expect(run.errorText == "to stderr\n")
    }
}

/// The beginning and the end of a text that may be long: a failed verification begins with what is wrong.
private func ends(_ text: String) -> String {
    text.count <= 3600 ? text : "\(text.prefix(600))\n...\n\(text.suffix(3000))"
}
