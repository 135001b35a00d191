// What documents tell people to type: the commands of devtool, the options of Martlet, the version, the recipes.

import Testing

/// The options of one command, from the text of its table.
private struct OptionNames {
    /// A name, with its dashes, and whether a word follows it.
    var takesWord: [String: Bool] = [:]

    init(_ files: [String], dash: String) throws {
        let text = try files.map { try read(root + "/Sources/" + $0) }.joined()
        for row in text.matches(of: /Option\(\s*("[^"]+"(?:,\s*"[^"]+")*),\s*(argument:)?/) {
            for name in row.1.matches(of: /"([^"]+)"/) { takesWord[dash + name.1] = row.2 != nil }
        }
    }

    func contains(_ option: Substring) -> Bool { takesWord[String(option)] != nil }
}

@Suite struct CommandClaimTests {
    private static let documents =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Benchmarks/README.md"].map { root + "/" + $0 }
        + files(root + "/Documentation", ending: ".md")

    /// A command as documents write it, and the files that have its options. A guest's program ends the options of `run`; the other
    /// commands take options anywhere.
    private struct Command {
        let word: String, files: [String], dash: String, endsAtProgram: Bool
    }

    private static let commands = [
        Command(word: "run", files: ["martlet/UserOptions.swift"], dash: "-", endsAtProgram: true),
        Command(word: "report", files: ["martlet/ReportCommand.swift"], dash: "--", endsAtProgram: true),
        Command(word: "binfmt", files: ["martlet/BinfmtCommand.swift"], dash: "--", endsAtProgram: false),
        Command(
            word: "system",
            files: ["SystemOptions", "BlockOptions", "CharOptions", "ProcessOptions", "ConfigurationOption"].map {
                "martlet-system/\($0).swift"
            }, dash: "-", endsAtProgram: false),
    ]

    @Test func optionsOfCommandLinesExist() throws {
        var names: [String: OptionNames] = [:]
        for command in Self.commands {
            names[command.word] = try OptionNames(command.files, dash: command.dash)
            try #require(names[command.word]!.takesWord.count > 3, "\(command.files)")
        }
        var seen = 0
        for document in Self.documents {
            for line in try read(document).split(separator: "\n") {
                for match in line.matches(of: /(?:^|[\s`\/'"(])martlet ([^`]*)/) {
                    var words = match.1.split(separator: " ")
                    let command = Self.commands.first { words.first == $0.word[...] } ?? Self.commands[0]
                    if words.first == command.word[...] { words.removeFirst() }
                    let options = try #require(names[command.word])
                    var index = 0
                    while index < words.count {
                        let word = words[index].prefix { !"'\",;)".contains($0) }
                        index += 1
                        // `-h` and `--help` are options of every command, whatever its dashes.
                        if word == "--" || word == "#" { break }
                        guard word.first == "-", word.count > 1 else {
                            if command.endsAtProgram { break }
                            continue
                        }
                        seen += 1
                        let isThere = options.contains(word) || word == "-h"
                        #expect(isThere, "\(document): martlet \(command.word) has no option \(word)")
                        if options.takesWord[String(word)] == true { index += 1 }
                    }
                }
            }
        }
        #expect(seen > 20, "command lines are found")
    }

    /// `-x` in backquotes in the README, where no other program is spoken of.
    @Test func optionsThatTheReadMeNamesExist() throws {
        let tables = try Self.commands.map { try OptionNames($0.files, dash: $0.dash) }
        var seen = 0
        for match in try read(root + "/README.md").matches(of: /`(--?[A-Za-z][A-Za-z0-9-]*)[^`\n]*`/) {
            seen += 1
            #expect(tables.contains { $0.contains(match.1) }, "README.md: \(match.1)")
        }
        #expect(seen > 3)
    }

    @Test func commandsOfDevtoolExist() throws {
        let help = try read(root + "/Scripts/help.sh")
        let known = Set(help.matches(of: /\n  ([a-z]+)(?= |\n)/).map { $0.1 })
        // Those whose second word may be a command too; others take names there.
        let second = help.matches(of: /\n  ([a-z]+ [a-z]+)(?: |\n)/).map { $0.1 }
        let withCommands = Set(second.map { $0.prefix { $0 != " " } })
        try #require(known.count > 10 && withCommands.contains("test"))
        for document in Self.documents {
            for match in try read(document).matches(of: /\.\/devtool ([a-z]+)(?: ([a-z0-9]+)\b)?/) {
                #expect(known.contains(match.1), "\(document): ./devtool \(match.1)")
                guard let word = match.2, withCommands.contains(match.1) else { continue }
                let isThere = second.contains("\(match.1) \(word)")
                #expect(isThere, "\(document): ./devtool \(match.1) \(word)")
            }
        }
    }

    @Test func theChangelogHasTheVersion() throws {
        let code = try read(root + "/Sources/EngineSetup/Version.swift")
        let version = try #require(code.firstMatch(of: /martletVersion = "([^"]+)"/)?.1)
        let newest = try #require(try read(root + "/CHANGELOG.md").firstMatch(of: /\n## \[(\d[^\]]*)\]/)?.1)
        #expect(newest == version)
    }

    /// A block of the recipes is run by the test, or the paragraph above it says why it is not.
    @Test func recipesAreRunOrSayWhyNot() throws {
        let text = try read(root + "/Documentation/Recipes.md")
        var names: Set<Substring> = []
        for match in text.matches(of: /([^\n]+(?:\n[^\n]+)*)\n\n```(?:sh|yaml) (run|not-run)=([a-z0-9-]+)/) {
            #expect(names.insert(match.3).inserted, "two recipes are named \(match.3)")
            if match.2 == "not-run" { #expect(match.1.hasPrefix("Not run: "), "\(match.3) says why it is not run") }
        }
        #expect(names.count == text.matches(of: /\n```(?:sh|yaml)/).count, "every block has a name")
        for match in text.matches(of: /\n```sh run=[^\n]* in=([a-z0-9-]+)/) {
            #expect(names.contains(match.1), "in=\(match.1)")
        }
    }
}
