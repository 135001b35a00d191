// A TCP segment that is longer than a cable carries: its driver leaves it to the network card to cut it into frames.
//
//     Ethernet (14, and 4 for each VLAN tag) | IPv4 (20 to 60) or IPv6 with its extension headers | TCP (20 to 60) | data

/// Where the headers of one begin. Sources: RFC 9293 3.1 (TCP), RFC 791 3.1 (IPv4), RFC 8200 3 (IPv6), IEEE 802.1Q.
public struct LongSegment {
    /// Bytes of the longest one: what IPv4's length can say, behind an Ethernet header with a VLAN tag.
    public static let longest = 18 + 0xffff

    enum Field {
        static let length4 = 2, identification = 4, protocol4 = 9, checkSum4 = 10, addresses4 = 12..<20
        static let length6 = 4, protocol6 = 6, addresses6 = 8..<40
        static let sequence = 4, dataOffset = 12, flags = 13, checkSum = 16
    }
    enum Flag { static let fin: UInt8 = 1, push: UInt8 = 8, acknowledge: UInt8 = 0x10, cwr: UInt8 = 0x80 }
    static let tcp: UInt8 = 6
    /// Bytes of Ethernet's header without a tag.
    static let plainHeader = 14
    private static let vlanTags: [UInt16] = [0x8100, 0x88a8]

    private let frame: [UInt8]
    private let network: Int
    private let transport: Int
    /// Where the data begins.
    private let data: Int
    private let isIPv6: Bool

    /// `transport`: where its driver says that the TCP header is. Nil: that is no TCP segment of this kind.
    public init?(_ frame: [UInt8], transport: Int, isIPv6: Bool) {
        var network = 14
        while network <= 18, frame.count >= network, Self.vlanTags.contains(frame.word(network - 2)) { network += 4 }
        let shortest = isIPv6 ? 40 : 20
        guard frame.count <= Self.longest, transport >= network + shortest, frame.count >= transport + 20 else {
            return nil
        }
        let first = frame[network], length = Int(frame[transport + Field.dataOffset] >> 4) * 4
        if isIPv6 {
            guard first >> 4 == 6 else { return nil }
        } else {
            guard first >> 4 == 4, network + Int(first & 15) * 4 == transport,
                frame[network + Field.protocol4] == Self.tcp
            else { return nil }
        }
        guard length >= 20, transport + length <= frame.count else { return nil }
        self.frame = frame
        self.network = network
        self.transport = transport
        self.data = transport + length
        self.isIPv6 = isIPv6
    }

    /// The segment as it is, with its lengths and check sums filled in.
    public var whole: [UInt8] {
        var bytes = frame
        finish(&bytes, number: 0)
        return bytes
    }

    /// Hands on frames with `size` bytes of data, the last one with the rest. One whose data is no longer than that is one frame.
    public func cut(size: Int, _ body: ([UInt8]) -> Void) {
        precondition(size > 0)
        var start = data, number = 0
        repeat {
            let end = min(frame.count, start + size), isLast = end == frame.count
            var bytes = Array(frame[..<data])
            bytes.reserveCapacity(data + end - start)
            bytes += frame[start..<end]
            let sequence = transport + Field.sequence
            let value = (UInt32(frame.word(sequence)) << 16 | UInt32(frame.word(sequence + 2))) &+ UInt32(start - data)
            bytes.setWord(sequence, UInt16(value >> 16))
            bytes.setWord(sequence + 2, UInt16(truncatingIfNeeded: value))
            if !isLast { bytes[transport + Field.flags] &= ~(Flag.fin | Flag.push) }
            if number > 0 { bytes[transport + Field.flags] &= ~Flag.cwr }
            finish(&bytes, number: number)
            body(bytes)
            (start, number) = (end, number + 1)
        } while start < frame.count
    }

    /// Fills in what depends on the length and on the place among frames.
    private func finish(_ bytes: inout [UInt8], number: Int) {
        if !isIPv6 {
            let identification = network + Field.identification
            bytes.setWord(identification, frame.word(identification) &+ UInt16(truncatingIfNeeded: number))
        }
        let pseudo = Self.fillNetworkHeader(&bytes, network: network, transport: transport, isIPv6: isIPv6)
        bytes.setWord(transport + Field.checkSum, 0)
        let sum = UInt64(pseudo) + UInt64(InternetCheckSum.sum(bytes[transport...]))
        bytes.setWord(transport + Field.checkSum, ~InternetCheckSum.fold(sum))
    }

    /// Fills in the length in the header of IPv4 or IPv6, and IPv4's check sum. Returns the sum of TCP's pseudo header: addresses, protocol and
    /// length.
    static func fillNetworkHeader(_ bytes: inout [UInt8], network: Int, transport: Int, isIPv6: Bool) -> UInt16 {
        let addresses: Range<Int>
        if isIPv6 {
            bytes.setWord(network + Field.length6, UInt16(truncatingIfNeeded: bytes.count - network - 40))
            addresses = Field.addresses6
        } else {
            bytes.setWord(network + Field.length4, UInt16(truncatingIfNeeded: bytes.count - network))
            bytes.setWord(network + Field.checkSum4, 0)
            bytes.setWord(network + Field.checkSum4, ~InternetCheckSum.sum(bytes[network..<transport]))
            addresses = Field.addresses4
        }
        let parts = [
            InternetCheckSum.sum(bytes[(network + addresses.lowerBound)..<(network + addresses.upperBound)]),
            UInt16(tcp), UInt16(truncatingIfNeeded: bytes.count - transport),
        ]
        return InternetCheckSum.fold(parts.reduce(0) { $0 + UInt64($1) })
    }
}

extension [UInt8] {
    /// Two bytes, the most significant first.
    func word(_ index: Int) -> UInt16 { UInt16(self[index]) << 8 | UInt16(self[index + 1]) }
    mutating func setWord(_ index: Int, _ value: UInt16) {
        self[index] = UInt8(value >> 8)
        self[index + 1] = UInt8(value & 255)
    }
}
