// The integers that significands are computed in, and the few primitives on them that exact rounding needs:
// shifting right without forgetting (`jam`), full-width division, and square root with remainder.
//
// A working significand is left-justified: its leading one is the word's top bit. A word is wide enough when the
// precision leaves three bits free: a jammed sticky bit then stays below the rounding point through every operation.

/// An unsigned integer for working significands: `UInt32` (binary16, binary32) or `UInt64` (binary64). A conformance of
/// `UInt128` (root by way of `UInt64`) is what binary128 needs.
protocol WorkWord: FixedWidthInteger, UnsignedInteger, Sendable {
    /// The integer root and remainder of `n`, where 2^(bitWidth-4) <= n < 2^(bitWidth-2).
    static func root(of n: Self) -> (root: Self, remainder: Self)
}

extension FixedWidthInteger where Self: UnsignedInteger {
    /// Shifts right by `count` >= 0; bits that fall out leave a one in the lowest bit ("sticky").
    @inline(__always)
    func shiftedRightJamming(_ count: Int) -> Self {
        if count >= Self.bitWidth { return self == 0 ? 0 : 1 }
        let n = Self(truncatingIfNeeded: count)
        let kept = self &>> n
        return kept | (kept &<< n == self ? 0 : 1)
    }

    /// The same left-justified value in a word of another width; bits that do not fit are jammed.
    @inline(__always)
    func justified<To: FixedWidthInteger & UnsignedInteger>(as: To.Type) -> To {
        let difference = To.bitWidth &- Self.bitWidth
        if difference >= 0 {
            return To(truncatingIfNeeded: self) &<< To(truncatingIfNeeded: difference)
        }
        let jammed = shiftedRightJamming(0 &- difference)
        return To(truncatingIfNeeded: jammed)
    }
}

extension WorkWord {
    /// From s² + r = n (r <= 2s) the root and remainder of n·2^2h + low, low < 2^2h: one long-division step that
    /// doubles the digits (P. Zimmermann, "Karatsuba Square Root", 1999).
    ///
    /// Needs 2^(h-2) <= s < 2^(h-1); h at most half the width, and then low = 0. Each intermediate fits the word.
    @inline(__always)
    static func extendRoot(_ s: Self, _ r: Self, low: Self, digits h: Self) -> (root: Self, remainder: Self) {
        let digit: Self = (1 &<< h) &- 1
        let dividend = (r &<< h) | (low &>> h)
        let divisor = s &<< 1
        var q = dividend / divisor
        if q > digit { q = digit }
        let u = dividend &- q &* divisor
        var root = (s &<< h) &+ q
        let have = (u &<< h) | (low & digit)
        let owed = q &* q
        if have >= owed { return (root, have &- owed) }
        // q was too large, by two at most.
        var deficit = owed &- have
        while true {
            root &-= 1
            let step = (root &<< 1) | 1
            if deficit <= step { return (root, step &- deficit) }
            deficit &-= step
        }
    }
}

extension UInt32: WorkWord {
    @inline(__always)
    static func root(of n: UInt32) -> (root: UInt32, remainder: UInt32) {
        // Root of the top half, 2^12 <= top < 2^14: a line within 9 of it, then one Newton step, which
        // lands on it or just above.
        let top = n &>> 16
        let line = (top &>> 8) &+ 56
        var s = (line &+ top / line) &>> 1
        while s &* s > top { s &-= 1 }
        return extendRoot(s, top &- s &* s, low: n & 0xffff, digits: 8)
    }
}

extension UInt64: WorkWord {
    @inline(__always)
    static func root(of n: UInt64) -> (root: UInt64, remainder: UInt64) {
        let (s, r) = UInt32.root(of: UInt32(truncatingIfNeeded: n &>> 32))
        return extendRoot(UInt64(s), UInt64(r), low: n & 0xffff_ffff, digits: 16)
    }
}

/// Two words as one number, for exact products and their sums.
struct DoubleWord<Word: WorkWord> {
    var high: Word
    var low: Word

    @inline(__always)
    var isZero: Bool { high | low == 0 }

    /// The high word, with a one in its lowest bit if the low word holds anything.
    @inline(__always)
    var jammedHigh: Word { high | (low == 0 ? 0 : 1) }

    @inline(__always)
    func shiftedLeft(_ count: Int) -> DoubleWord {
        if count == 0 { return self }
        let width = Word.bitWidth
        if count >= width {
            return DoubleWord(high: low &<< Word(truncatingIfNeeded: count &- width), low: 0)
        }
        let n = Word(truncatingIfNeeded: count)
        let back = Word(truncatingIfNeeded: width &- count)
        return DoubleWord(high: (high &<< n) | (low &>> back), low: low &<< n)
    }

    @inline(__always)
    func shiftedRightJamming(_ count: Int) -> DoubleWord {
        if count == 0 { return self }
        let width = Word.bitWidth
        if count >= width {
            let below: Word = low == 0 ? 0 : 1
            return DoubleWord(high: 0, low: high.shiftedRightJamming(count &- width) | below)
        }
        let n = Word(truncatingIfNeeded: count)
        let back = Word(truncatingIfNeeded: width &- count)
        let lost: Word = low &<< back == 0 ? 0 : 1
        return DoubleWord(high: high &>> n, low: (high &<< back) | (low &>> n) | lost)
    }

    /// Wraps; callers leave the top bit free.
    @inline(__always)
    static func &+ (x: DoubleWord, y: DoubleWord) -> DoubleWord {
        let (low, carry) = x.low.addingReportingOverflow(y.low)
        return DoubleWord(high: x.high &+ y.high &+ (carry ? 1 : 0), low: low)
    }

    @inline(__always)
    static func &- (x: DoubleWord, y: DoubleWord) -> DoubleWord {
        let (low, borrow) = x.low.subtractingReportingOverflow(y.low)
        return DoubleWord(high: x.high &- y.high &- (borrow ? 1 : 0), low: low)
    }

    @inline(__always)
    static func < (x: DoubleWord, y: DoubleWord) -> Bool {
        x.high < y.high || (x.high == y.high && x.low < y.low)
    }

    @inline(__always)
    var leadingZeroBitCount: Int {
        high == 0 ? Word.bitWidth &+ low.leadingZeroBitCount : high.leadingZeroBitCount
    }
}
