// The set of extensions: an OptionSet as long as 64 bits suffice, a set of several words otherwise. `init(bit:)`,
// `contains(bit:)`, `word` and `all` are the same for both.

extension SwiftGenerator {
    func extensionSet() -> String {
        var text = header
        text += "/// Instruction set extensions, one bit each, in the order of the tables.\n"
        text += extensionWords == 1 ? oneWordSet() : severalWordSet()
        let bits = Dictionary(
            table.extensions.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
        let implied = table.extensions.map { entry in
            entry.implies.reduce(into: ExtensionBits()) { set, name in
                if let bit = bits[name] { set.insert(bit) }
            }
        }
        text += array("extensionNames", "StaticString", table.extensions.map { literal($0.name) })
        text += array("extensionSummaries", "StaticString", table.extensions.map { literal($0.summary) })
        text += array("extensionImplied", "UInt64", words(implied))
        return text
    }

    /// All words of each set, one set behind the other.
    func words(_ sets: [ExtensionBits]) -> [String] {
        sets.flatMap { set in (0..<extensionWords).map { hex(set[$0]) } }
    }

    private func oneWordSet() -> String {
        let name = names.extensions
        var text = "public struct \(name): OptionSet, Hashable, Sendable {\n"
        text += "    public let rawValue: UInt64\n"
        text += "    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }\n\n"
        for (bit, entry) in table.extensions.enumerated() {
            text += "    /// \(entry.summary)\n"
            let value = "\(name)(rawValue: \(hex(UInt64(1) << UInt64(bit))))"
            text += "    public static var \(quoted(entry.name)): \(name) { \(value) }\n"
        }
        text += descriptions("\(name)(rawValue: extensionImplied[bit])")
        text += """

                /// Extension number `bit` alone.
                public init(bit: Int) { self.init(rawValue: 1 << UInt64(bit)) }

                /// All extensions.
                public static var all: \(name) { \(name)(rawValue: \(hex(lowBits(table.extensions.count)))) }

                /// Whether extension number `bit` is in the set.
                public func contains(bit: Int) -> Bool { rawValue >> UInt64(bit) & 1 != 0 }

                /// The set's bits.
                @inlinable @inline(__always) public func word(_ number: Int) -> UInt64 { rawValue }
            }


            """
        return text
    }

    private func severalWordSet() -> String {
        let name = names.extensions
        let all = 0..<extensionWords
        func each(_ separator: String, _ make: (Int) -> String) -> String {
            all.map(make).joined(separator: separator)
        }
        var text = "public struct \(name): SetAlgebra, Hashable, Sendable {\n"
        text += "    public typealias Element = \(name)\n"
        for word in all { text += "    public var word\(word): UInt64\n" }
        text += "\n    @inlinable public init(\(each(", ") { "_ word\($0): UInt64" })) {\n"
        for word in all { text += "        self.word\(word) = word\(word)\n" }
        text += "    }\n    @inlinable public init() { self.init(\(each(", ") { _ in "0" })) }\n\n"
        for (bit, entry) in table.extensions.enumerated() {
            text += "    /// \(entry.summary)\n"
            let set = ExtensionBits(bit: bit)
            text += "    public static var \(quoted(entry.name)): \(name) { \(name)(\(each(", ") { hex(set[$0]) })) }\n"
        }
        let implied = each(", ") { "extensionImplied[bit * \(extensionWords) + \($0)]" }
        let everything = each(", ") { hex(lowBits(max(0, table.extensions.count - 64 * $0))) }
        text += descriptions("\(name)(\(implied))")
        text += """

                /// Extension number `bit` alone.
                public init(bit: Int) {
                    self.init()
                    let one: UInt64 = 1 << UInt64(bit & 63)
                    switch bit >> 6 {
            \(each("\n") { "        case \($0): word\($0) = one" })
                    default: break
                    }
                }

                /// All extensions.
                public static var all: \(name) { \(name)(\(everything)) }

                /// Whether extension number `bit` is in the set.
                public func contains(bit: Int) -> Bool { word(bit >> 6) >> UInt64(bit & 63) & 1 != 0 }

                /// The set's bits, 64 at a time.
                @inlinable @inline(__always) public func word(_ number: Int) -> UInt64 {
                    switch number {
            \(each("\n") { "        case \($0): return word\($0)" })
                    default: return 0
                    }
                }

                public func contains(_ other: \(name)) -> Bool { intersection(other) == other }
                public func union(_ other: \(name)) -> \(name) {
                    \(name)(\(each(", ") { "word\($0) | other.word\($0)" }))
                }
                public func intersection(_ other: \(name)) -> \(name) {
                    \(name)(\(each(", ") { "word\($0) & other.word\($0)" }))
                }
                public func symmetricDifference(_ other: \(name)) -> \(name) {
                    \(name)(\(each(", ") { "word\($0) ^ other.word\($0)" }))
                }
                public mutating func formUnion(_ other: \(name)) { self = union(other) }
                public mutating func formIntersection(_ other: \(name)) { self = intersection(other) }
                public mutating func formSymmetricDifference(_ other: \(name)) { self = symmetricDifference(other) }

                @discardableResult
                public mutating func insert(_ other: \(name)) -> (inserted: Bool, memberAfterInsert: \(name)) {
                    let had = contains(other)
                    formUnion(other)
                    return (!had, other)
                }
                @discardableResult public mutating func remove(_ other: \(name)) -> \(name)? {
                    let common = intersection(other)
                    formSymmetricDifference(common)
                    return common.isEmpty ? nil : common
                }
                @discardableResult public mutating func update(with other: \(name)) -> \(name)? {
                    let common = intersection(other)
                    formUnion(other)
                    return common.isEmpty ? nil : common
                }
            }


            """
        return text
    }

    private func descriptions(_ implied: String) -> String {
        """

            /// How many extensions are known.
            public static let count = \(table.extensions.count)

            /// The name of extension number `bit` (less than `count`).
            public static func name(_ bit: Int) -> String { extensionNames[bit].description }

            /// What extension number `bit` is.
            public static func summary(_ bit: Int) -> String { extensionSummaries[bit].description }

            /// The extensions that extension number `bit` directly brings with it.
            public static func implied(by bit: Int) -> \(names.extensions) { \(implied) }

        """
    }
}
