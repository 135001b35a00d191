// Every guest program in every mode against its expectation.

import Glibc
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
    func behavesAsExpected(_ program: GuestProgram, _ mode: Mode) throws {
        let expectation = try #require(program.expectation, "no .expected file beside \(program.source)")
        for _ in 0..<mode.runs {
            let run = try program.run(mode.options)
            let result = run.text + run.ending + "\n"
            if result != expectation {
                let difference = firstDifference(result, expectation)
                Issue.record("\(program.name), \(mode.name): \(difference)\nstderr: \(run.errorText.suffix(600))")
            }
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

/// The first line in which two texts differ, for a short message.
private func firstDifference(_ result: String, _ expectation: String) -> String {
    let left = result.split(separator: "\n", omittingEmptySubsequences: false)
    let right = expectation.split(separator: "\n", omittingEmptySubsequences: false)
    for index in 0..<max(left.count, right.count) {
        let got = index < left.count ? left[index] : "(end)"
        let wanted = index < right.count ? right[index] : "(end)"
        if got != wanted { return "line \(index + 1) is\n  \(got.prefix(300))\nbut should be\n  \(wanted.prefix(300))" }
    }
    return "no difference"
}
