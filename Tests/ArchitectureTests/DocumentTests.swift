// What documents say of the code: their links lead somewhere, the files and names in them exist, and numbers are the code's.

import Glibc
import Testing

private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

@Suite struct DocumentTests {
    private static let documents =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Benchmarks/README.md"].map { root + "/" + $0 }
        + files(root + "/Documentation", ending: ".md")
    private static let swift = ["Sources", "Tests", "Plugins"].flatMap { swiftFiles(root + "/" + $0) }

    /// Everything in backquotes in a document.
    private static func quoted(_ text: String) -> [Substring] {
        text.matches(of: /`([^`\n]+)`/).map { $0.1 }
    }

    @Test func linksLeadSomewhere() throws {
        try #require(Self.documents.count > 20)
        for document in Self.documents {
            let folder = document.prefix(upTo: document.lastIndex(of: "/")!)
            for match in try read(document).matches(of: /\]\(([^)#\s]+)[^)]*\)/) where !match.1.contains("://") {
                #expect(exists("\(folder)/\(match.1)"), "\(document): \(match.1)")
            }
        }
    }

    @Test func filesThatAreNamedExist() throws {
        let names = Set(
            (Self.swift + Self.documents + [root + "/Package.swift"]).map {
                String($0.suffix(from: $0.index(after: $0.lastIndex(of: "/")!)))
            })
        // What the tools write at build time, and placeholders.
        let generated: Set = [
            "InstructionSet.swift", "ExtensionSet.swift", "Decoder.swift", "Disassembly.swift",
            "InstructionTable.swift",
        ]
        for document in Self.documents {
            for word in Self.quoted(try read(document)) where word.wholeMatch(of: /[A-Za-z0-9_+\/.-]+/) != nil {
                if word.contains("NAME") || generated.contains(String(word)) { continue }
                if word.wholeMatch(of: /(Sources|Tests|Scripts|Documentation|Benchmarks|Packaging|Plugins)\/.*/) != nil
                {
                    let isThere =
                        exists("\(root)/\(word)")
                        || !files(root + "/Documentation", ending: ".md").filter { $0.hasPrefix("\(root)/\(word)") }
                            .isEmpty
                    #expect(isThere, "\(document): \(word)")
                } else if word.wholeMatch(of: /[A-Z][A-Za-z0-9+]*\.(swift|md)/) != nil {
                    let isThere = names.contains(String(word))
                    #expect(isThere, "\(document): \(word)")
                }
            }
        }
    }

    /// `Type.member`.
    @Test func namesExist() throws {
        var declared: Set<Substring> = ["MemoryLayout", "InstructionTable", "init"]
        for file in Self.swift {
            let text = try read(file)
            for match in text.matches(
                of:
                    /\b(?:struct|class|enum|protocol|extension|typealias|func|let|var|case)\s+`?([A-Za-z_][A-Za-z0-9_]*)/
            ) {
                declared.insert(Substring(String(match.1)))
            }
        }
        for document in Self.documents {
            for word in Self.quoted(try read(document)) {
                guard let match = word.wholeMatch(of: /([A-Z][a-z][A-Za-z0-9]*)\.([a-z][A-Za-z0-9]*)(?:\(.*\))?/),
                    match.1 != "Package", !["swift", "md", "offset"].contains(match.2)
                else { continue }
                #expect(declared.contains(match.1) && declared.contains(match.2), "\(document): \(word)")
            }
        }
    }

    /// A number as a document has it, and as the code has it: the group of each pattern.
    private struct Number {
        let document: String, said: String, file: String, pattern: String
    }

    private static let numbers = [
        Number(
            document: "Architecture.md", said: #"fixed capacity \((\d+) ops"#, file: "IR/Region.swift",
            pattern: #"opCapacity: Int = (\d+)"#),
        Number(
            document: "Architecture.md", said: #"ops or temps, (\d+) blocks"#, file: "IR/Region.swift",
            pattern: #"blockCapacity: Int = (\d+)"#),
        Number(
            document: "Architecture.md", said: #"blocks, (\d+) slots"#, file: "IR/Region.swift",
            pattern: #"slotLimit = (\d+)"#),
        Number(
            document: "Architecture.md", said: #"slots, (\d+) spill slots"#, file: "CodeGenX64/HostRegisters.swift",
            pattern: #"spillSlots = (\d+)"#),
        Number(
            document: "Architecture.md", said: #"starts in the page's last (\d+) bytes"#,
            file: "ExecutionEngine/CodeReader.swift", pattern: #"longestInstruction : (\d+)"#),
        Number(
            document: "Architecture.md", said: #"default (\d+) MiB, `-tb-size`"#,
            file: "ExecutionEngine/EngineOptions.swift", pattern: #"codeCacheSize = (\d+) << 20"#),
        Number(
            document: "Architecture.md", said: #"A ring of (\d+) pairs"#, file: "CodeGen/VCPUHeader.swift",
            pattern: #"enum ReturnStack \{\s+public static let count = (\d+)"#),
        Number(
            document: "Architecture.md", said: #"the last (\d+) noted, per vCPU"#, file: "CodeGen/VCPUHeader.swift",
            pattern: #"targetCount = (\d+)"#),
        Number(
            document: "TranslationStore.md", said: #"may have together \(default (\d+) MiB\)"#,
            file: "TranslationStore/StoreFolder.swift", pattern: #"usualLimit = (\d+) << 20"#),
        Number(
            document: "AddingAGuest.md", said: #"There may be (\d+) at most"#, file: "CodeGen/RecoveryRecords.swift",
            pattern: #"precondition\(globalCount <= (\d+)\)"#),
    ]

    @Test func numbersAreTheCodes() throws {
        for number in Self.numbers {
            let document = try read(root + "/Documentation/" + number.document)
            let code = try read(root + "/Sources/" + number.file)
            let said = try Regex(number.said, as: (Substring, Substring).self)
            let pattern = try Regex(number.pattern, as: (Substring, Substring).self)
            let there = try #require(
                document.firstMatch(of: said)?.1, "\(number.document) no longer says \(number.said)")
            let here = try #require(code.firstMatch(of: pattern)?.1, "\(number.file) no longer has \(number.pattern)")
            #expect(there == here, "\(number.document): \(number.said)")
        }
    }
}
