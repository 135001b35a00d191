// Operands that find mistakes: every boundary of a format, and random values whose exponents meet and whose fractions
// are runs of ones or zeros.

import SoftFloat
import TestSupport

/// A format together with the host's type for it.
protocol HostFormat: BinaryFormat {
    associatedtype Host: BinaryFloatingPoint
    static var name: String { get }
    static func host(_ bits: Bits) -> Host
    static func bits(_ host: Host) -> Bits
}

extension Binary16: HostFormat {
    static var name: String { "binary16" }
    static func host(_ bits: UInt16) -> Float16 { Float16(bitPattern: bits) }
    static func bits(_ host: Float16) -> UInt16 { host.bitPattern }
}

extension Binary32: HostFormat {
    static var name: String { "binary32" }
    static func host(_ bits: UInt32) -> Float { Float(bitPattern: bits) }
    static func bits(_ host: Float) -> UInt32 { host.bitPattern }
}

extension Binary64: HostFormat {
    static var name: String { "binary64" }
    static func host(_ bits: UInt64) -> Double { Double(bitPattern: bits) }
    static func bits(_ host: Double) -> UInt64 { host.bitPattern }
}

/// Zeros, subnormals, powers of two and their neighbours, extremes, infinities, NaNs; both signs.
func edges<F: BinaryFormat>(_: F.Type) -> [F.Bits] {
    let fraction = F.fractionBits
    let bias = (1 << (F.exponentBits - 1)) - 1
    var magnitudes: [F.Bits] = [
        0, 1, 2, 3, F.smallestNormal - 1, F.smallestNormal, F.smallestNormal + 1, F.largestFinite - 1, F.largestFinite,
        F.infinity, F.infinity + 1, F.canonicalNaN - 1, F.canonicalNaN, F.canonicalNaN + 1, F.signMask - 1,
    ]
    for exponent in [
        -fraction - 1, -fraction, -2, -1, 0, 1, 2, fraction - 1, fraction, fraction + 1, 30, 31, 32, 63, 64,
    ] {
        let field = exponent + bias
        guard field > 1, field < 2 * bias else { continue }
        let power = F.Bits(field) << F.Bits(fraction)
        // 1, its neighbours, 1.5, and just below 1.5
        magnitudes += [power, power - 1, power + 1, power | F.quietBit, (power | F.quietBit) - 1]
    }
    return magnitudes + magnitudes.map { $0 | F.signMask }
}

/// A random operand, more often near a boundary than uniform bits are.
func operand<F: BinaryFormat>(_: F.Type, _ random: inout SeededRandom) -> F.Bits {
    let uniform = F.Bits(truncatingIfNeeded: random.next()) & (F.signMask | (F.signMask - 1))
    let bias = (1 << (F.exponentBits - 1)) - 1
    let field: Int
    switch random.below(8) {
    case 0: return uniform
    case 1: field = random.below(3)
    case 2: field = 2 * bias + 1 - random.below(3)
    case 3, 4: field = bias + random.below(9) - 4
    default:
        let reach = min(F.fractionBits + 5, bias - 1)
        field = bias + random.below(2 * reach) - reach
    }
    let fractionMask = F.smallestNormal - 1
    let run = F.Bits(random.below(F.fractionBits))
    var fraction: F.Bits
    switch random.below(6) {
    case 0: fraction = 0
    case 1: fraction = fractionMask << run
    case 2: fraction = (1 << run) - 1
    case 3: fraction = 1 << run
    default: fraction = uniform
    }
    fraction &= fractionMask
    return (uniform & F.signMask) | F.Bits(field) << F.Bits(F.fractionBits) | fraction
}

/// Pairs of all edges, then random pairs; one in eight nearly cancels.
func pairs<F: BinaryFormat>(_ format: F.Type, random count: Int, seed: UInt64) -> [(F.Bits, F.Bits)] {
    let edge = edges(format)
    var result: [(F.Bits, F.Bits)] = []
    result.reserveCapacity(edge.count * edge.count + count)
    for a in edge { for b in edge { result.append((a, b)) } }
    var random = SeededRandom(seed: seed)
    for _ in 0..<count {
        let a = operand(format, &random)
        let near = (a ^ F.signMask) ^ F.Bits(random.below(4))
        result.append((a, random.below(8) == 0 ? near : operand(format, &random)))
    }
    return result
}

/// A result with the flags that it raised.
struct Outcome<Value: Equatable>: Equatable, CustomStringConvertible {
    var value: Value
    var flags: Flags

    var description: String {
        if let bits = value as? any BinaryInteger { return "0x\(String(bits, radix: 16)) flags \(flags.rawValue)" }
        return "\(value) flags \(flags.rawValue)"
    }
}

/// Runs one operation from clean flags.
func run<Value: Equatable>(
    _ rounding: RoundingMode = .nearestEven, nan: NaNRule = .canonicalPositive, tininess: Tininess = .afterRounding,
    _ operation: (inout Status) -> Value
) -> Outcome<Value> {
    var status = Status(rounding: rounding, nan: nan, tininess: tininess)
    let value = operation(&status)
    return Outcome(value: value, flags: status.flags)
}

/// Counts disagreements and keeps the first few: a loop of a million checks records one issue, not a million.
struct Disagreements {
    var count = 0
    var first: [String] = []

    mutating func expect(_ holds: Bool, _ text: @autoclosure () -> String) {
        if holds { return }
        count += 1
        if first.count < 5 { first.append(text()) }
    }
}
