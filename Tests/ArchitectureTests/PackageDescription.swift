// The package's own description as far as the layering needs it: which targets there are, in which order, and what each
// may import. Read from the text of Package.swift, so that the test needs no second SwiftPM process.

/// One target of Package.swift.
struct TargetRow: Equatable {
    enum Kind: String { case systemLibrary, target, executableTarget, plugin, testTarget }
    var kind: Kind
    var name: String
    var dependencies: [String]
}

/// Reads the rows `.kind(name: "N", dependencies: ["A", "B"] ...)` in file order.
func parseTargets(_ text: String) -> [TargetRow] {
    var rows: [TargetRow] = []
    let characters = Array(withoutComments(text))
    var index = 0
    while index < characters.count {
        guard characters[index] == ".", let (kind, open) = callHead(characters, at: index + 1) else {
            index += 1
            continue
        }
        let close = matchingParenthesis(characters, from: open)
        let body = String(characters[open..<close])
        if let name = strings(after: "name:", in: body).first {
            rows.append(TargetRow(kind: kind, name: name, dependencies: list(after: "dependencies:", in: body)))
        }
        index = close
    }
    return rows
}

/// The imported modules of one source file.
func parseImports(_ text: String) -> [String] {
    withoutComments(text).split(separator: "\n").compactMap { line in
        var words = line.split(separator: " ").map(String.init)
        while let first = words.first,
            first.hasPrefix("@") || ["public", "internal", "private", "fileprivate"].contains(first)
        {
            words.removeFirst()
        }
        guard words.first == "import", words.count > 1 else { return nil }
        let kinds: Set = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
        let module = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
        return String(module.prefix { $0 != "." && $0 != ";" })
    }
}

private func callHead(_ text: [Character], at start: Int) -> (TargetRow.Kind, Int)? {
    var end = start
    while end < text.count, text[end].isLetter { end += 1 }
    guard end < text.count, text[end] == "(", let kind = TargetRow.Kind(rawValue: String(text[start..<end])) else {
        return nil
    }
    return (kind, end)
}

private func matchingParenthesis(_ text: [Character], from open: Int) -> Int {
    var depth = 0
    for index in open..<text.count {
        if text[index] == "(" { depth += 1 }
        if text[index] == ")" { depth -= 1 }
        if depth == 0 { return index }
    }
    return text.count
}

private func strings(after label: String, in body: String) -> [String] {
    guard let range = body.firstRange(of: label) else { return [] }
    let parts = body[range.upperBound...].split(separator: "\"", omittingEmptySubsequences: false)
    return stride(from: 1, to: parts.count, by: 2).map { String(parts[$0]) }
}

private func list(after label: String, in body: String) -> [String] {
    guard let range = body.firstRange(of: label), let end = body[range.upperBound...].firstIndex(of: "]") else {
        return []
    }
    return strings(after: label, in: String(body[..<end]))
}

private func withoutComments(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
        guard let range = line.firstRange(of: "//") else { return String(line) }
        return String(line[..<range.lowerBound])
    }.joined(separator: "\n")
}
