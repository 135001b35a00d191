// What reads bytes of somebody who may mean harm. The bytes may say anything: nothing traps, runs without end or takes memory without a bound.
//
// `./devtool fuzz` looks for bytes that do, led by what they reach; the tests try seeds and what becomes of them by chance.

public struct FuzzTarget: Sendable, CustomStringConvertible {
    public let name: String
    public let summary: String
    /// Bytes to begin with: what a well-behaved side would say.
    public let seeds: @Sendable () throws -> [[UInt8]]
    public let run: @Sendable ([UInt8]) -> Void

    public var description: String { name }

    public static let all: [FuzzTarget] = [
        qcow2, nbdServer, nbdClient, share, segments, options, registers, virtioBlock, virtioNet, virtioRNG,
        virtioSerial, virtioBalloon, virtioSCSI,
    ]

    public static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// Input that is read from its beginning; behind its end there are zeros.
struct FuzzInput {
    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { at >= bytes.count }

    /// Least significant byte first.
    mutating func number<T: FixedWidthInteger & UnsignedInteger>(_ type: T.Type = T.self) -> T {
        var value: T = 0
        for index in 0..<T.bitWidth / 8 { value |= T(truncatingIfNeeded: byte()) &<< T(8 * index) }
        return value
    }

    private mutating func byte() -> UInt8 {
        defer { at += 1 }
        return at < bytes.count ? bytes[at] : 0
    }

    /// As many as there are, `count` at most.
    mutating func bytes(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, at + count)
        defer { at = end }
        return at < end ? Array(bytes[at..<end]) : []
    }
}

/// What `FuzzInput` reads.
struct FuzzSeed {
    var bytes: [UInt8] = []

    mutating func add<T: FixedWidthInteger & UnsignedInteger>(_ value: T) {
        for index in 0..<T.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: value &>> T(8 * index))) }
    }
}
