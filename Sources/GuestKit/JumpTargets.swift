// Where an indirect jump goes, as far as that is known.

/// Targets of an indirect jump, the most frequent first, with the share of the jumps that go to each. Shares add up to at most 1.
public struct JumpTargets: Sendable {
    public static let capacity = 12
    public private(set) var count = 0
    private var pcs = InlineArray<12, UInt64>(repeating: 0)
    private var shares = InlineArray<12, Float>(repeating: 0)

    public init() {}

    public subscript(i: Int) -> (pc: UInt64, share: Float) { (pcs[i], shares[i]) }

    /// The share that those have together which have at least so much each.
    public func share(ofThoseWith least: Float) -> Float {
        var sum: Float = 0
        for i in 0..<count where shares[i] >= least { sum += shares[i] }
        return sum
    }

    /// `share` more of the jumps go to `pc`. Without room the rarest target is forgotten.
    public mutating func add(_ pc: UInt64, share: Float) {
        var i = 0
        while i < count, pcs[i] != pc { i &+= 1 }
        if i == count {
            if count < Self.capacity {
                count &+= 1
            } else {
                i &-= 1
                if shares[i] >= share { return }
            }
            shares[i] = 0
        }
        let sum = shares[i] + share
        while i > 0, shares[i &- 1] < sum {
            pcs[i] = pcs[i &- 1]
            shares[i] = shares[i &- 1]
            i &-= 1
        }
        pcs[i] = pc
        shares[i] = sum
    }

    /// `share` more of the jumps go where `others` say.
    public mutating func add(_ others: JumpTargets, share: Float) {
        for i in 0..<others.count { add(others[i].pc, share: others[i].share * share) }
    }
}
