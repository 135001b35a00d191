// Which guest blocks are part of optimized regions. Their own translations have stopped counting, or never started when the
// region was stored by an earlier run, but they are worth taking into other regions.

/// A set of guest addresses, of which it forgets none and knows a few too many: bits by hash. Guarded by the translation lock.
struct RegionBlocks {
    private static let bits: UInt64 = 17
    private let words: UnsafeMutablePointer<UInt64>

    init() {
        words = .allocate(capacity: 1 << Int(Self.bits - 6))
        removeAll()
    }

    private func place(_ pc: UInt64) -> (word: Int, bit: UInt64) {
        let hash = (pc &* 0x9E37_79B9_7F4A_7C15) &>> (64 &- Self.bits)
        return (Int(truncatingIfNeeded: hash &>> 6), 1 &<< (hash & 63))
    }

    func insert(_ pc: UInt64) {
        let at = place(pc)
        words[at.word] |= at.bit
    }

    func contains(_ pc: UInt64) -> Bool {
        let at = place(pc)
        return words[at.word] & at.bit != 0
    }

    func removeAll() { words.update(repeating: 0, count: 1 << Int(Self.bits - 6)) }
}
