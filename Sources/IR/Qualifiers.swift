// The qualifiers of an op: the parts of `Op.aux`, each with its bits, its words in the text and its valid values.

/// One part of `Op.aux`. In the text a qualifier is one or more words after the op's name, separated by dots.
enum Qualifier: CaseIterable {
    case condition, floatCondition, atomic, sign, hint
    case memory, memoryFlags
    case rounding, negations, inexact, unsigned, anyNaN
    case source, target, boxed
    case order
    /// `wordN`: the guest's own word of an instruction, 0 where nothing is written.
    case word

    /// Its bits in `aux`.
    var mask: UInt16 {
        switch self {
        case .condition, .floatCondition: 0x00ff
        case .atomic: 0xf000
        case .sign, .hint: 0x0003
        case .memory: 0x000f
        case .memoryFlags: 0x0f30
        case .rounding: 0x0007
        case .negations: 0x0018
        case .inexact, .unsigned: 0x0008
        case .anyNaN: 0x0020
        case .source: 0x0300
        case .target, .boxed: 0x0c00
        case .order: 0x000f
        case .word: 0xffff
        }
    }

    /// Words before the type in the text; the others follow it.
    var isKind: Bool {
        switch self {
        case .condition, .floatCondition, .atomic, .sign, .hint: true
        default: false
        }
    }

    /// The text must have a word of this qualifier.
    var isRequired: Bool {
        switch self {
        case .condition, .floatCondition, .atomic, .sign, .memory, .source, .target, .boxed: true
        case .hint, .memoryFlags, .rounding, .negations, .inexact, .unsigned, .anyNaN, .order, .word: false
        }
    }

    /// More than one word is possible.
    var isList: Bool { self == .memoryFlags || self == .negations || self == .order }

    /// The bits of `aux` when the text has no word of it.
    var unwritten: UInt16 { self == .rounding ? UInt16(Rounding.dynamic.rawValue) : 0 }

    /// Every word with its bits (the MMU indices are in `memoryFlags`).
    var words: [(word: String, bits: UInt16)] { Self.allWords[self] ?? [] }

    /// Made once: the verifier asks for each op.
    private static let allWords = Dictionary(uniqueKeysWithValues: allCases.map { ($0, $0.makeWords) })

    private var makeWords: [(word: String, bits: UInt16)] {
        switch self {
        case .condition: Condition.allCases.map { ("\($0)", UInt16($0.rawValue)) }
        case .floatCondition:
            Array(zip(["eq", "lt", "le", "seq", "slt", "sle", "silenteq", "silentlt", "silentle"], 0...))
        case .atomic: AtomicOp.allCases.map { ("\($0)", UInt16($0.rawValue) << 12) }
        case .sign: Array(zip(["copy", "negated", "xor"], 0...))
        case .hint: Array(zip(["indirect", "call", "return"], 0...))
        case .memory: (0..<12).map { ("\($0 & 1 == 0 ? "u" : "s")\(8 << ($0 >> 1))", UInt16($0 >> 1 | ($0 & 1) << 3)) }
        case .memoryFlags: [("be", 0x10), ("al", 0x20)] + (1..<16).map { ("mmu\($0)", UInt16($0) << 8) }
        case .rounding: [("rne", 0), ("rtz", 1), ("rdn", 2), ("rup", 3), ("rmm", 4), ("dyn", 7)]
        case .negations: [("negproduct", 8), ("negaddend", 16)]
        case .inexact: [("inexact", 8)]
        case .unsigned: [("u", 8)]
        case .anyNaN: [("anynan", 32)]
        case .source: FloatFormat.allCases.map { ("from\($0.bits)", UInt16($0.rawValue) << 8) }
        case .target: FloatFormat.allCases.map { ("to\($0.bits)", UInt16($0.rawValue) << 10) }
        case .boxed: [("b16", 1 << 10), ("b32", 2 << 10)]
        case .order: [("ll", 1), ("ls", 2), ("sl", 4), ("ss", 8)]
        case .word: []
        }
    }

    /// The words that stand for `aux`; nil when no words do.
    func print(_ aux: UInt16) -> [String]? {
        let bits = aux & mask
        if bits == unwritten && !isRequired { return [] }
        if self == .word { return ["word\(bits)"] }
        if !isList { return words.first { $0.bits == bits }.map { [$0.word] } }
        var rest = bits
        var printed: [String] = []
        // The largest first: an MMU index is several bits.
        for (word, value) in words.reversed() where rest & value == value && (value < 0x100 || rest & 0xf00 == value) {
            printed.insert(word, at: 0)
            rest &= ~value
        }
        return rest == 0 ? printed : nil
    }

    /// Adds a word's bits to `aux`. False: not a word of this qualifier, or one that contradicts `aux`.
    func accept(_ word: Substring, _ aux: inout UInt16) -> Bool {
        if self == .word {
            guard word.hasPrefix("word"), let number = UInt16(word.dropFirst(4)) else { return false }
            aux = number
            return true
        }
        guard let bits = words.first(where: { $0.word == word })?.bits else { return false }
        if isList {
            if aux & bits != 0 || (bits >= 0x100 && aux & 0xf00 != 0) { return false }
            aux |= bits
        } else {
            aux = aux & ~mask | bits
        }
        return true
    }
}
