// Addresses of IPv4 as people write them.

import HostOS

/// An address, most significant byte first: 10.0.2.2 is 0x0a000202.
public struct IPv4: Equatable, Sendable, CustomStringConvertible {
    public let value: UInt32
    public init(_ value: UInt32) { self.value = value }

    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { $0.count <= 3 ? UInt8($0) : nil }
        guard parts.count == 4, bytes.count == 4 else { return nil }
        value = bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }

    public var description: String {
        stride(from: 24, through: 0, by: -8).map { String(value >> UInt32($0) & 255) }.joined(separator: ".")
    }
}

extension HostSocketAddress {
    /// Its address of IPv4: of struct sockaddr_in, behind family and port.
    var ipv4: UInt32? {
        guard family == Self.ipv4Family, bytes.count >= 8 else { return nil }
        return bytes[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
    }
    private static let ipv4Family: Int32 = 2
}

/// A network: `10.0.2.0/24`, `10.0.2.0/255.255.255.0`, or `10.0.2.0` alone with 24 bits.
public struct IPv4Network: Equatable, Sendable {
    public let address: IPv4
    public let mask: IPv4

    public init?(_ text: some StringProtocol) {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count <= 2, let address = IPv4(halves[0]) else { return nil }
        var mask: UInt32 = 0xffff_ff00
        if halves.count == 2 {
            if let bits = UInt32(halves[1]), 1...30 ~= bits {
                mask = ~0 << (32 - bits)
            } else if let written = IPv4(halves[1]),
                (~written.value).nonzeroBitCount == written.value.trailingZeroBitCount
            {
                mask = written.value
            } else {
                return nil
            }
        }
        self.address = IPv4(address.value & mask)
        self.mask = IPv4(mask)
    }

    public func contains(_ other: IPv4) -> Bool { other.value & mask.value == address.value }
    /// The address with this number in the network.
    public func host(_ number: UInt32) -> IPv4 { IPv4(address.value | number & ~mask.value) }
}
