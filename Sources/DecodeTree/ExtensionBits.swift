// A set of extensions as the generated code sees it: 64-bit words, the first extension in bit 0 of word 0.

struct ExtensionBits: Hashable {
    /// A set has at most four words.
    static let limit = 256

    /// Words up to the last one that is not zero.
    private(set) var words: [UInt64] = []

    init() {}
    init(bit: Int) { insert(bit) }
    init(words: [UInt64]) {
        self.words = words
        while self.words.last == 0 { self.words.removeLast() }
    }

    var isEmpty: Bool { words.isEmpty }

    subscript(word: Int) -> UInt64 { word < words.count ? words[word] : 0 }

    mutating func insert(_ bit: Int) {
        while words.count <= bit / 64 { words.append(0) }
        words[bit / 64] |= 1 << UInt64(bit % 64)
    }

    mutating func formUnion(_ other: ExtensionBits) {
        while words.count < other.words.count { words.append(0) }
        for (word, bits) in other.words.enumerated() { words[word] |= bits }
    }

    func isSubset(of other: ExtensionBits) -> Bool { words.indices.allSatisfy { words[$0] & ~other[$0] == 0 } }

    func intersects(_ other: ExtensionBits) -> Bool { words.indices.contains { words[$0] & other[$0] != 0 } }
}

/// A gate in bits: all of `allOf`, one of `anyOf` unless that is empty, and none of `noneOf`.
struct GateBits: Hashable {
    var allOf = ExtensionBits()
    var anyOf = ExtensionBits()
    var noneOf = ExtensionBits()

    var isEmpty: Bool { allOf.isEmpty && anyOf.isEmpty && noneOf.isEmpty }

    func isOpen(for extensions: ExtensionBits) -> Bool {
        allOf.isSubset(of: extensions) && (anyOf.isEmpty || anyOf.intersects(extensions))
            && !noneOf.intersects(extensions)
    }

    /// No set of extensions opens both.
    func excludes(_ other: GateBits) -> Bool { refuses(other) || other.refuses(self) }

    private func refuses(_ other: GateBits) -> Bool {
        noneOf.intersects(other.allOf) || (!other.anyOf.isEmpty && other.anyOf.isSubset(of: noneOf))
    }

    /// Each set that opens `other` opens this, too.
    func isImplied(by other: GateBits) -> Bool {
        allOf.isSubset(of: other.allOf) && noneOf.isSubset(of: other.noneOf)
            && (anyOf.isEmpty || anyOf.intersects(other.allOf)
                || (!other.anyOf.isEmpty && other.anyOf.isSubset(of: anyOf)))
    }
}
