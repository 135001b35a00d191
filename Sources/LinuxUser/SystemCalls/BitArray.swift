// Sets that are arrays of longs with the lowest bit of a long first: processors, and descriptors of select(2). Where longs
// have another order of bytes, so have the sets.

import LinuxABI

/// A set in the guest's memory and on the host.
struct BitArray {
    /// In the guest's order: whole longs.
    private(set) var bytes: [UInt8]
    private let words: Words

    init(_ bytes: [UInt8], _ words: Words) {
        self.bytes = bytes
        self.words = words
    }

    init(host: [UInt8], _ words: Words) {
        self.init(Self.reordered(host, words), words)
    }

    /// In the host's order.
    var hostBytes: [UInt8] { Self.reordered(bytes, words) }

    /// Byte n of a little-endian set is byte n of its long from the other end in a big-endian one; what is missing of the
    /// last long is zero.
    private static func reordered(_ bytes: [UInt8], _ words: Words) -> [UInt8] {
        if words.order == LinuxTable.host.order { return bytes }
        var result = [UInt8](repeating: 0, count: (bytes.count + words.size - 1) / words.size * words.size)
        for (index, byte) in bytes.enumerated() { result[index ^ (words.size - 1)] = byte }
        return result
    }
}
