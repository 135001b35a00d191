// From ordered patterns to nested decisions. A step looks at the bits which all remaining patterns determine and
// which have not been looked at yet, and branches on the longest run of them. Where there are none (a special case
// inside a general encoding) the first pattern is tried by itself. The result is what the generated `switch`es do.

indirect enum DecisionTree {
    /// No pattern is left: the word is illegal.
    case illegal
    /// All bits are known to match: if the gate is open the word is this pattern, otherwise go on.
    case leaf(Pattern, otherwise: DecisionTree)
    /// `word & mask == match`: the first tree, which falls into the second when its gate is closed.
    case test(mask: UInt64, match: UInt64, Pattern, otherwise: DecisionTree)
    /// Branch on `length` bits at `position`; values that are not listed are illegal.
    case branch(position: Int, length: Int, cases: [(value: UInt64, tree: DecisionTree)])

    /// Builds the tree for patterns of one width, the more specific ones first.
    static func build(_ patterns: [Pattern], known: UInt64 = 0) -> DecisionTree {
        guard let first = patterns.first else { return .illegal }
        let rest = Array(patterns.dropFirst())
        if first.mask & ~known == 0 {
            return .leaf(first, otherwise: first.isGated ? build(rest, known: known) : .illegal)
        }
        let common = patterns.reduce(~known) { $0 & $1.mask }
        if common == 0 || rest.isEmpty {
            let mask = first.mask & ~known
            return .test(mask: mask, match: first.match & mask, first, otherwise: build(rest, known: known))
        }
        let (position, length) = longestRun(common)
        let run = lowBits(length) << UInt64(position)
        let values = Set(patterns.map { $0.match & run }).sorted()
        return .branch(
            position: position, length: length,
            cases: values.map { value in
                (value >> UInt64(position), build(patterns.filter { $0.match & run == value }, known: known | run))
            })
    }

    /// The longest run of set bits, the lowest one among equals.
    private static func longestRun(_ bits: UInt64) -> (position: Int, length: Int) {
        var best = (position: 0, length: 0)
        var start = 0
        while start < 64 {
            let length = (~(bits >> UInt64(start))).trailingZeroBitCount
            let inside = min(length, 64 - start)
            if inside > best.length { best = (start, inside) }
            start += max(1, inside)
        }
        return best
    }

    /// The pattern a word means with the given extensions: the specification of the generated code.
    func find(_ word: UInt64, extensions: ExtensionBits) -> Pattern? {
        switch self {
        case .illegal: return nil
        case .leaf(let pattern, let otherwise):
            return pattern.gate.isOpen(for: extensions) ? pattern : otherwise.find(word, extensions: extensions)
        case .test(let mask, let match, let pattern, let otherwise):
            let found = word & mask == match && pattern.gate.isOpen(for: extensions)
            return found ? pattern : otherwise.find(word, extensions: extensions)
        case .branch(let position, let length, let cases):
            let value = word >> UInt64(position) & lowBits(length)
            return cases.first { $0.value == value }?.tree.find(word, extensions: extensions)
        }
    }
}
