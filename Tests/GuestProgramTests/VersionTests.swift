// What the programs say of themselves, and the tables that completions and manual pages are made of.

import TestSupport
import Testing

@Suite struct VersionTests {
    @Test(arguments: [["version"], ["-version"], ["run", "--version"]]) func theVersionNamesTheParts(_ words: [String])
        throws
    {
        let run = try runProcess(try Workspace.requireMartlet(), words, seconds: 10)
        let lines = run.text.split(separator: "\n")
        #expect(lines.count == 4 && lines[0].wholeMatch(of: /martlet version \d+\.\d+\.\d+/) != nil, "\(run.text)")
        #expect(lines[1].wholeMatch(of: /commit: (unknown|[0-9a-f]{12}( with changes)?)/) != nil, "\(lines[1])")
        #expect(lines[2] == "hosts: x86-64")
        #expect(lines[3] == "guests: " + ElfGuest.all.map(\.testDescription).joined(separator: ", "))
    }

    /// Every option of the help is a line of the table, and the other way round.
    @Test(arguments: ["run", "report", "binfmt"]) func tablesHoldTheOptionsOfTheHelp(_ command: String) throws {
        let martlet = try Workspace.requireMartlet()
        let help = try runProcess(martlet, [command, "-h"], seconds: 10).text
        let table = try runProcess(martlet, ["options", command], seconds: 10).text
        let shown = help.split(separator: "\n").filter { $0.hasPrefix("  -") }.map { line in
            String(line.dropFirst(2).prefix { $0 != " " && $0 != "," })
        }
        let rows = table.split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false) }
        #expect(rows.allSatisfy { $0.count == 4 && !$0[3].isEmpty }, "\(table)")
        #expect(rows.map { String($0[0].prefix { $0 != "," }) } == shown, "\(table)")
        #expect(!shown.isEmpty)
    }

    @Test func theTableOfCommandsIsTheHelps() throws {
        let martlet = try Workspace.requireMartlet()
        let help = try runProcess(martlet, ["help"], seconds: 10).text
        for line in try runProcess(martlet, ["options"], seconds: 10).text.split(separator: "\n") {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            #expect(fields.count == 4 && help.contains("martlet \(fields[0]) \(fields[1])"), "\(line)")
        }
    }
}
