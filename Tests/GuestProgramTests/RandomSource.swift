// Repeatable randomness, and values at which arithmetic tends to go wrong.

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): any seed gives a good stream.
struct RandomSource: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z &>> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z &>> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z &>> 31)
    }

    /// A number in 0..<bound.
    mutating func below(_ bound: Int) -> Int { bound <= 1 ? 0 : Int(next() % UInt64(bound)) }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }
}

// MARK: Values

extension RandomSource {
    /// 64 bits for a register: an integer, or something that a floating-point register may hold.
    mutating func registerValue() -> UInt64 {
        switch below(8) {
        case 0...2: integer()
        case 3, 4: RandomFloatFormat.binary64.value(&self)
        case 5, 6: boxed(RandomFloatFormat.binary32)
        default: boxed(RandomFloatFormat.binary16)
        }
    }

    /// Small numbers, powers of two and their neighbours, extremes of all widths, and plain noise.
    mutating func integer() -> UInt64 {
        let value: UInt64 =
            switch below(8) {
            case 0: UInt64(below(65))
            case 1: (1 &<< UInt64(below(64))) &+ UInt64(below(3)) &- 1
            case 2: UInt64(truncatingIfNeeded: Int32(truncatingIfNeeded: next()))
            case 3: next() & 0xffff_ffff
            case 4: pick([0, .max, 1 << 63, .max >> 1, 0x8000_0000, 0x7fff_ffff, 0xffff_ffff_8000_0000])
            case 5: next() & next() & next()
            default: next()
            }
        return chance(30) ? 0 &- value : value
    }

    /// A value of a narrow format as a 64-bit register holds it; now and then not boxed properly.
    mutating func boxed(_ format: RandomFloatFormat) -> UInt64 {
        let box = ~UInt64(0) << format.width
        return format.value(&self) | (chance(94) ? box : next() & box)
    }
}

/// A binary floating-point format as numbers, to make bit patterns of all classes.
struct RandomFloatFormat: Sendable {
    let width: UInt64
    let fractionBits: UInt64
    /// One of each class, both signs, with the neighbours that rounding cares about.
    private(set) var edges: [UInt64] = []

    private init(width: UInt64, fractionBits: UInt64) {
        self.width = width
        self.fractionBits = fractionBits
        edges = makeEdges()
    }

    static let binary16 = RandomFloatFormat(width: 16, fractionBits: 10)
    static let binary32 = RandomFloatFormat(width: 32, fractionBits: 23)
    static let binary64 = RandomFloatFormat(width: 64, fractionBits: 52)

    var sign: UInt64 { 1 << (width - 1) }
    var infinity: UInt64 { sign - (1 << fractionBits) }
    var fractionMask: UInt64 { (1 << fractionBits) - 1 }
    var bias: UInt64 { (1 << (width - 2 - fractionBits)) - 1 }

    /// The pattern of 2^`exponent`; it must be a normal number.
    func power(_ exponent: Int) -> UInt64 { UInt64(Int(bias) + exponent) << fractionBits }

    private func makeEdges() -> [UInt64] {
        let one = power(0)
        let half = power(-1)
        var positive: [UInt64] = [
            0, 1, 2, fractionMask, fractionMask - 1, fractionMask + 1, fractionMask + 2, 1 << (fractionBits - 1),
            one - 1, one, one + 1, half - 1, half, half + 1, one | half, one | 1 << (fractionBits - 1),
            power(1) | 1 << (fractionBits - 2), power(1), power(Int(fractionBits)), power(Int(fractionBits)) + 1,
            power(Int(fractionBits) - 1) + 1, power(15), infinity - 1, infinity - 2,
            infinity - (1 << fractionBits), infinity, infinity | 1 << (fractionBits - 1), infinity | 1,
            infinity | fractionMask, infinity | 1 << (fractionBits - 1) | 1, infinity | (fractionMask >> 1),
        ]
        if width > 16 {
            for exponent in [31, 32, 63, 64] {
                positive += [power(exponent) - 1, power(exponent), power(exponent) + 1]
            }
            positive += [power(31) - 2, power(30), power(62) | fractionMask]
        }
        if width == 64 {  // the ends of the narrower formats
            for pattern in [Double(0x1p-126), 0x1p-149, 0x1p-150, 0x1.fffffep127, 0x1p-25, 65504, 65520, 0x1p-14] {
                positive += [pattern.bitPattern - 1, pattern.bitPattern, pattern.bitPattern + 1]
            }
            positive += [0x47ef_ffff_f000_0000, 0x47ef_ffff_efff_ffff, 0x41df_ffff_ffc0_0000, 0x41df_ffff_ffe0_0000]
        }
        if width == 32 {
            for pattern in [Float(0x1p-25), 0x1p-24, 65504, 65519, 65520, 0x1p-14] {
                positive += [pattern.bitPattern - 1, pattern.bitPattern, pattern.bitPattern + 1].map(UInt64.init)
            }
        }
        return positive + positive.map { $0 | sign }
    }

    func value(_ random: inout RandomSource) -> UInt64 {
        let all: UInt64 = width == 64 ? .max : (1 << width) - 1
        switch random.below(8) {
        case 0, 1: return random.pick(edges)
        case 2: return random.next() & all
        case 3: return random.next() & (sign | fractionMask)  // zero or subnormal
        case 4:  // few significant bits: ties
            let exponent = power(random.below(40) - 14)
            let fraction = (random.next() & 0xff) << (fractionBits - 8)
            return exponent | fraction | random.next() & sign
        default:
            let exponent = power(random.below(28) - 14)
            return exponent | random.next() & (sign | fractionMask)
        }
    }
}
