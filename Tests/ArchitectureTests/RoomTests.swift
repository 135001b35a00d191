// What the neutral rooms may not say: the name of a guest or of a host, and who may reach into the code cache. Comments do not count.

import Testing

/// A line of a file that breaks a rule.
struct Offence: Equatable, CustomStringConvertible {
    var file: String
    var line: Int
    var word: String
    var description: String { "\(file):\(line): \(word)" }
}

/// Swift source without comments, line for line. What string literals say counts.
func codeOnly(_ text: String) -> [String] {
    var result: [String] = []
    var isComment = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        var code = ""
        var isString = false
        var previous: Character = " "
        var rest = line[...]
        while let character = rest.popFirst() {
            if isComment {
                if previous == "*", character == "/" { isComment = false }
            } else if isString {
                if character == "\"", previous != "\\" { isString = false }
                code.append(character)
            } else if character == "/", rest.first == "/" {
                break
            } else if character == "/", rest.first == "*" {
                isComment = true
            } else {
                if character == "\"" { isString = true }
                code.append(character)
            }
            previous = character
        }
        result.append(code)
    }
    return result
}

/// A name, and what follows each of its capitals or underscores: `usesX87State`, `X87State`, `State`.
private func parts(_ name: Substring) -> [Substring] {
    var starts = [name.startIndex], previous: Character = "_"
    for index in name.indices {
        let character = name[index]
        if previous == "_" || (character.isUppercase && !previous.isUppercase) { starts.append(index) }
        previous = character
    }
    return starts.map { name[$0...] }
}

/// Lines that use one of the words: as a whole name or a part of one, or, with a `*` at its end, as the beginning of one. A word with a dot
/// is looked for at the end of a path of names. A word that is all lower case means upper case too.
func offences(_ file: String, _ text: String, words: [String]) -> [Offence] {
    var found: [Offence] = []
    for (number, line) in codeOnly(text).enumerated() {
        let paths = line.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") }.map(String.init)
        for word in words {
            let plain = word.hasSuffix("*") ? String(word.dropLast()) : word
            func matches(_ name: String) -> Bool {
                let seen = plain == plain.lowercased() ? name.lowercased() : name
                return word.hasSuffix("*") ? seen.hasPrefix(plain) : seen == plain || seen.hasSuffix("." + plain)
            }
            let isUsed = paths.contains { path in
                plain.contains(".")
                    ? matches(path)
                    : path.split(separator: ".").contains { parts($0).contains { matches(String($0)) } }
            }
            if isUsed { found.append(Offence(file: file, line: number + 1, word: word)) }
        }
    }
    return found
}

@Suite struct RoomTests {
    private static func scan(_ target: String, words: [String]) throws -> [Offence] {
        let files = swiftFiles(root + "/Sources/" + target)
        try #require(!files.isEmpty, "no sources of \(target)")
        return try files.flatMap { offences(String($0.dropFirst(root.count + 1)), try read($0), words: words) }
    }

    /// Only admission takes a translation into the code cache or back into look-up.
    @Test func theCodeCacheHasOneDoor() throws {
        let words = ["cache.add", "cache.restore", "cache.next", "host.compile", "host.install"]
        let found = try Self.scan("ExecutionEngine", words: words).filter { !$0.file.hasSuffix("/Admission.swift") }
        #expect(found.isEmpty, "\(found)")
        #expect(try Self.scan("ExecutionEngine", words: words).count == words.count, "admission does each of them once")
    }

    /// Only the cache's own table enters what look-ups find.
    @Test func onlyTheCacheEntersItsLookUp() throws {
        let found = try Self.scan("ExecutionEngine", words: ["lookup.insert"])
        #expect(!found.isEmpty && found.allSatisfy { $0.file.hasSuffix("/Translation.swift") }, "\(found)")
    }

    /// Guests and hosts, and what is theirs alone.
    private static let names = [
        "riscv*", "rv32*", "rv64*", "rvwmo", "fcsr*", "fflags*", "frm", "x86*", "x64*", "amd64", "i386", "mxcsr*",
        "avx*", "arm64*",
        "aarch64*", "thumb*", "mips*", "powerpc*", "ppc*", "sparc*", "alpha*", "m68k*", "sh4*", "s390*", "microblaze*",
        "cris*", "moxie*",
    ]

    @Test(arguments: ["IR", "Optimizer", "CodeGen", "GuestKit", "GuestMemory", "ExecutionEngine"])
    func neutralRoomsNameNobody(_ target: String) throws {
        let found = try Self.scan(target, words: Self.names)
        #expect(found.isEmpty, "\(found)")
    }

    @Test(arguments: [
        ("// Riscv\nlet a = 1 /* x86 */", []), ("let a = riscv64", ["2"]), ("import GuestRISCV", ["2", "3"]),
        ("if name == \"riscv64\" {}", ["2"]), ("func setRISCVState()", ["2"]), ("is_riscv", ["2"]),
        ("let ariscv = 1", []),
        ("let s = \"// riscv\"", ["2"]), ("cache.add(x)", ["1"]), ("engine.cache.add(x)", ["1"]),
        ("cache.addLink(x)", []),
    ])
    func wordsAreFound(_ text: String, _ wanted: [String]) {
        let words = ["cache.add", "riscv*", "guestriscv"]
        let found = offences("f", text, words: words).map { "\((words.firstIndex(of: $0.word) ?? 0) + 1)" }
        #expect(found == wanted)
    }
}
