// A frame on its way to a driver. Segments of TCP that follow each other become one long segment, which costs the guest as much as one frame.

import HostOS

/// Where what a segment says lies in its frame, if it is a plain one: data, no fragment, and no flags but ACK and PSH.
private struct PlainSegment {
    let isIPv6: Bool
    let transport: Int
    /// Where the data begins.
    let data: Int

    init?(_ frame: UnsafeRawBufferPointer) {
        guard frame.count >= 54 else { return nil }
        let network = LongSegment.plainHeader, protocolByte: Int, length: Int
        switch frame.word(network - 2) {
        case 0x800:
            // 20 bytes of header, and all of the packet.
            guard frame[network] == 0x45, frame.word(network + 6) & 0x3fff == 0 else { return nil }
            (isIPv6, transport, protocolByte) = (false, network + 20, network + LongSegment.Field.protocol4)
            length = network + Int(frame.word(network + LongSegment.Field.length4))
        case 0x86dd:
            (isIPv6, transport, protocolByte) = (true, network + 40, network + LongSegment.Field.protocol6)
            length = transport + Int(frame.word(network + LongSegment.Field.length6))
        default: return nil
        }
        guard frame[protocolByte] == LongSegment.tcp, length == frame.count, frame.count > transport + 20 else {
            return nil
        }
        data = transport + Int(frame[transport + LongSegment.Field.dataOffset] >> 4) * 4
        let flags = frame[transport + LongSegment.Field.flags]
        guard data >= transport + 20, data < frame.count, flags & ~LongSegment.Flag.push == LongSegment.Flag.acknowledge
        else { return nil }
    }

    /// Ranges of the headers that all segments of a stream have in common.
    var common: [Range<Int>] {
        typealias Field = LongSegment.Field
        let network = LongSegment.plainHeader
        let ofNetwork =
            isIPv6
            ? [0..<(network + Field.length6), (network + Field.length6 + 2)..<transport]
            : [
                0..<(network + Field.length4), (network + 6)..<(network + Field.checkSum4),
                (network + Field.checkSum4 + 2)..<transport,
            ]
        // Ports; acknowledgement and data offset; window; what lies behind the check sum.
        return ofNetwork + [
            transport..<(transport + Field.sequence), (transport + 8)..<(transport + Field.flags),
            (transport + Field.flags + 1)..<(transport + Field.checkSum), (transport + Field.checkSum + 2)..<data,
        ]
    }
}

public struct IncomingFrame {
    public private(set) var bytes: [UInt8]
    /// How many frames have become this one.
    public private(set) var segments = 1
    private let segment: PlainSegment?
    /// Bytes of data in each segment but the last.
    private let size: Int
    private var isClosed = false

    /// `joins4`, `joins6`: what follows may be appended.
    public init(_ frame: UnsafeRawBufferPointer, joins4: Bool, joins6: Bool) {
        bytes = Array(frame)
        let found = joins4 || joins6 ? PlainSegment(frame) : nil
        segment = found.flatMap { ($0.isIPv6 ? joins6 : joins4) ? $0 : nil }
        size = segment.map { frame.count - $0.data } ?? 0
        isClosed = segment.map { frame[$0.transport + LongSegment.Field.flags] & LongSegment.Flag.push != 0 } ?? true
        if bytes.count < NetBackend.shortestFrame {
            bytes += Array(repeating: 0, count: NetBackend.shortestFrame - bytes.count)
        }
    }

    /// Appends the data of a frame that goes on where this one ends. False: it is another one.
    public mutating func append(_ frame: UnsafeRawBufferPointer) -> Bool {
        guard !isClosed, let segment, let next = PlainSegment(frame), next.data == segment.data else { return false }
        let count = frame.count - next.data, sequence = segment.transport + LongSegment.Field.sequence
        guard count <= size, bytes.count + count <= LongSegment.plainHeader + 0xffff,
            frame.long(sequence) == bytes.long(sequence) &+ UInt32(bytes.count - segment.data),
            segment.common.allSatisfy({ range in bytes[range].elementsEqual(frame[range]) })
        else { return false }
        let flags = segment.transport + LongSegment.Field.flags
        bytes[flags] |= frame[flags]
        bytes += frame[next.data...]
        segments += 1
        isClosed = count < size || bytes[flags] & LongSegment.Flag.push != 0
        return true
    }

    /// What a driver is told of a long segment.
    public struct Long {
        public let isIPv6: Bool
        public let headers: Int
        public let size: Int
        public let transport: Int
        /// Where the check sum is, from `transport` on.
        public let checkSum = LongSegment.Field.checkSum
    }

    /// Fills in what depends on its length; the sum of TCP is that of the pseudo header. Nil: it is no long segment.
    public mutating func finish() -> Long? {
        guard segments > 1, let segment else { return nil }
        let pseudo = LongSegment.fillNetworkHeader(
            &bytes, network: LongSegment.plainHeader, transport: segment.transport, isIPv6: segment.isIPv6)
        bytes.setWord(segment.transport + LongSegment.Field.checkSum, pseudo)
        return Long(isIPv6: segment.isIPv6, headers: segment.data, size: size, transport: segment.transport)
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func word(_ at: Int) -> UInt16 { UInt16(self[at]) << 8 | UInt16(self[at + 1]) }
    fileprivate func long(_ at: Int) -> UInt32 { UInt32(word(at)) << 16 | UInt32(word(at + 2)) }
}

extension [UInt8] {
    fileprivate func long(_ at: Int) -> UInt32 { UInt32(word(at)) << 16 | UInt32(word(at + 2)) }
}
