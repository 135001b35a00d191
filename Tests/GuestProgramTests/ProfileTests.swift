// Profiles of guest programs, taken and reported with the product itself.

import Glibc
import TestSupport
import Testing

@Suite struct ProfileTests {
    private func program(_ name: String) throws -> GuestProgram {
        try #require(GuestProgram.all.first { $0.name == name }, "\(name) is not built")
    }

    private func report(_ arguments: [String]) throws -> ProcessRun {
        try runProcess(try Workspace.requireMartlet(), ["report"] + arguments, seconds: 60)
    }

    /// Signals, threads and children do what they do without a profile.
    @Test(arguments: GuestProgram.all)
    func aProfileChangesNothing(_ program: GuestProgram) throws {
        let folder = try TemporaryFolder("profile")
        let run = try program.run(["-profile", folder.path + "/p"])
        #expect(run.text + run.ending + "\n" == program.expectation)
        #expect(folder.files.contains("p"))
        #expect(try report([folder.path + "/p"]).exit == 0)
    }

    /// The interpreter does not say where in a chain of blocks it is.
    @Test(arguments: ["auto", "baseline", "optimizing"])
    func theHotFunctionIsOnTop(_ tier: String) throws {
        let folder = try TemporaryFolder("profile")
        let busy = try program("c/profile")
        let run = try runProcess(
            try Workspace.requireMartlet(),
            ["-profile", folder.path + "/p", "-accel", "tcg,tier=\(tier)", busy.binary, "60000000"], seconds: 120)
        #expect(run.exit == 0)
        let text = try report([folder.path + "/p"]).text
        let rows = text.split(separator: "\n").drop { $0 != "Hottest functions" }.dropFirst(2)
        #expect(rows.first?.contains(" hot ") == true, "\(text)")
        // Where calls are followed inside a region, their frames are missing.
        if tier == "optimizing" { return }
        let folded = try report(["--folded", folder.path + "/p"]).text
        let stacks = folded.split(separator: "\n").map { $0.split(separator: " ").first.map(String.init) ?? "" }
        #expect(stacks.contains { $0.hasSuffix(";main;middle;hot") }, "\(folded)")
        #expect(stacks.contains { $0.hasSuffix(";main;warm") }, "\(folded)")
    }

    @Test func reportRunsTheProgramItself() throws {
        let folder = try TemporaryFolder("profile")
        let busy = try program("c/profile")
        let run = try report([
            "--html", folder.path + "/page.html", "--svg", folder.path + "/graph.svg", "--", busy.binary, "20000000",
        ])
        #expect(run.exit == 0)
        // Standard output is the program's own.
        #expect(run.text.split(separator: "\n").count == 1)
        #expect(run.errorText.contains("Hottest functions"))
        let svg = String(decoding: readFile(folder.path + "/graph.svg") ?? [], as: UTF8.self)
        #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n"))
        #expect(readFile(folder.path + "/page.html") != nil)
    }

    @Test func childrenHaveFilesOfTheirOwn() throws {
        let folder = try TemporaryFolder("profile")
        let run = try program("c/processes").run(["-profile", folder.path + "/p"])
        #expect(run.exit == 0)
        #expect(folder.files.count > 1)
        for file in folder.files { #expect(file == "p" || file.hasPrefix("p.")) }
        let all = try report(folder.files.map { folder.path + "/" + $0 })
        #expect(all.exit == 0)
        #expect(
            all.text.split(separator: "\n").filter { $0.hasPrefix("process ") }.count == min(folder.files.count, 30))
    }

    @Test func aProgramThatASignalEndsLeavesItsTotals() throws {
        let folder = try TemporaryFolder("profile")
        let run = try program("fatal/abrt").run(["-profile", folder.path + "/p"])
        #expect(run.signal == SIGABRT)
        let lines = String(decoding: readFile(folder.path + "/p") ?? [], as: UTF8.self).split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("C translations ") })
    }

    @Test(arguments: [
        (["report"], "no profile"), (["report", "--nonsense", "x"], "--nonsense"), (["report", "--html"], "--html"),
        (["report", "/no/such/profile"], "/no/such/profile"), (["report", "/etc/passwd"], "/etc/passwd"),
        (["report", "--"], "no profile"),
        (["run", "-profile", "/no/such/folder/p", "/bin/true"], "martlet"),
        (["run", "-accel", "tcg,optimize-only=x", "/bin/true"], "optimize-only"),
    ])
    func badUsageIsOneLine(_ arguments: [String], _ mentions: String) throws {
        let run = try runProcess(try Workspace.requireMartlet(), arguments, seconds: 20)
        #expect(run.exit != 0 && run.signal == nil)
        #expect(run.errorText.contains(mentions), "\(run.errorText)")
        #expect(run.errorText.split(separator: "\n").count == 1, "\(run.errorText)")
    }

    @Test func aProfileThatCannotBeWrittenIsOneLine() throws {
        let run = try program("c/misc").run(["-profile", "/no/such/folder/p"])
        #expect(run.exit == 1)
        #expect(run.text.isEmpty)
        #expect(run.errorText.contains("/no/such/folder/p"))
        #expect(run.errorText.split(separator: "\n").count == 1)
    }
}
