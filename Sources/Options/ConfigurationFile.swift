// Options in a file, in QEMU's form:
//
//     # a comment
//     [device "disk0"]
//       driver = "virtio-blk-pci"
//       drive = "d"

public struct ConfigurationFile: Sendable {
    public struct Group: Sendable, Equatable {
        /// Of its head.
        public let line: Int
        public let name: String
        /// What stands in quotes behind the name.
        public let id: String?
        public fileprivate(set) var pairs: [OptionList.Pair] = []

        /// The head, as it is in the file.
        public var head: String { "[\(name)\(id.map { " \"\($0)\"" } ?? "")]" }
    }

    public private(set) var groups: [Group] = []

    public init(parsing text: String) throws(OptionError) {
        for (index, row) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let row = Self.trimmed(row), number = index + 1
            if row.isEmpty || row.first == "#" { continue }
            if row.first == "[" {
                guard let (name, id) = Self.head(row) else {
                    throw OptionError("line \(number): '\(row)': wanted [GROUP] or [GROUP \"ID\"]")
                }
                groups.append(Group(line: number, name: name, id: id))
                continue
            }
            guard let pair = Self.pair(row) else {
                throw OptionError("line \(number): '\(row)': wanted NAME = \"VALUE\"")
            }
            guard !groups.isEmpty else {
                throw OptionError("line \(number): '\(pair.name)' belongs to nothing; wanted [GROUP] before it")
            }
            groups[groups.count - 1].pairs.append(pair)
        }
    }

    private static func trimmed<T: StringProtocol>(_ text: T) -> String where T.SubSequence == Substring {
        var rest = text.drop { $0.isWhitespace }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }

    private static func head(_ row: String) -> (name: String, id: String?)? {
        guard row.last == "]" else { return nil }
        let inner = row.dropFirst().dropLast()
        let name = inner.prefix { !$0.isWhitespace && $0 != "\"" }, rest = trimmed(inner.dropFirst(name.count))
        if name.isEmpty { return nil }
        if rest.isEmpty { return (String(name), nil) }
        guard let id = unquoted(rest), !id.isEmpty else { return nil }
        return (String(name), id)
    }

    private static func pair(_ row: String) -> OptionList.Pair? {
        let halves = row.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { trimmed($0) }
        guard halves.count == 2, !halves[0].isEmpty, !halves[0].contains(where: \.isWhitespace),
            let value = unquoted(halves[1])
        else { return nil }
        return OptionList.Pair(name: halves[0], value: value)
    }

    private static func unquoted(_ text: String) -> String? {
        guard text.count >= 2, text.first == "\"", text.last == "\"" else { return nil }
        let inner = text.dropFirst().dropLast()
        return inner.contains("\"") ? nil : String(inner)
    }
}
