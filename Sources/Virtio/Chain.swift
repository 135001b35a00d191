// A buffer that a driver has offered: a chain of pieces of guest memory, first those that the device reads, then those that it writes.

import SystemKit

/// One buffer, to be given back to its queue exactly once. (Virtio 1.2, 2.6)
public struct Chain: Sendable {
    /// What the ring knows it by: the head's index in a split ring, the buffer's identifier in a packed one.
    let id: UInt16
    /// Places of the ring that it takes.
    let places: UInt16
    /// Of its queue when it was taken (`VirtQueue.generation`).
    var generation: UInt64 = 0
    public internal(set) var readable: [DMAWindow] = []
    public internal(set) var writable: [DMAWindow] = []

    init(id: UInt16, places: UInt16) {
        self.id = id
        self.places = places
    }

    public var readableCount: Int { readable.byteCount }
    public var writableCount: Int { writable.byteCount }

    /// Bytes [offset, offset + count) of what the device reads; nil: there are not so many.
    public func read(_ offset: Int = 0, count: Int) -> [UInt8]? { readable.read(offset, count: count) }

    /// Writes to what the device writes, from its byte `offset` on, as much as there is place for; returns how much that was.
    @discardableResult
    public func write(_ bytes: some Collection<UInt8>, at offset: Int = 0) -> Int { writable.write(bytes, at: offset) }
}

/// A descriptor as it is in memory, in either layout. (Virtio 1.2, 2.7.5 and 2.8.13)
struct Descriptor {
    static let size = 16
    let address: UInt64
    let count: UInt32
    /// Split: flags and the next descriptor. Packed: the buffer's identifier and flags.
    let third: UInt16
    let fourth: UInt16

    init(_ table: DMAWindow, _ index: Int) {
        let at = index * Self.size
        address = table.load(at, as: UInt64.self)
        count = table.load(at + 8, as: UInt32.self)
        third = table.load(at + 12, as: UInt16.self)
        fourth = table.load(at + 14, as: UInt16.self)
    }

    enum Flag {
        static let next: UInt16 = 1, write: UInt16 = 2, indirect: UInt16 = 4
        // Of a packed ring.
        static let available: UInt16 = 1 << 7, used: UInt16 = 1 << 15
    }
}

/// Puts a chain together, and looks that it is one.
struct ChainBuilder {
    let dma: DMA
    /// Most descriptors.
    let limit: Int
    private var count = 0
    private var total: UInt64 = 0
    private(set) var readable: [DMAWindow] = []
    private(set) var writable: [DMAWindow] = []

    init(_ dma: DMA, limit: Int) {
        self.dma = dma
        self.limit = limit
    }

    mutating func add(_ descriptor: Descriptor, flags: UInt16) throws(RingFault) {
        try countOne()
        total += UInt64(descriptor.count)
        if total > UInt64(UInt32.max) { throw .tooManyBytes }
        let isWritten = flags & Descriptor.Flag.write != 0
        if !isWritten, !writable.isEmpty { throw .readableBehindWritable }
        guard descriptor.count > 0 else { return }
        guard let windows = dma.windows(descriptor.address, count: Int(descriptor.count), writes: isWritten) else {
            throw .notMemory("a buffer", descriptor.address)
        }
        if isWritten { writable += windows } else { readable += windows }
    }

    mutating func countOne() throws(RingFault) {
        count += 1
        if count > limit { throw .chainTooLong }
    }

    /// The table that an indirect descriptor names.
    func table(_ descriptor: Descriptor, isNegotiated: Bool) throws(RingFault) -> DMAWindow {
        if !isNegotiated { throw .indirect("it has not been agreed on") }
        let size = Int(descriptor.count)
        if size == 0 || size % Descriptor.size != 0 { throw .indirect("\(size) bytes are not whole descriptors") }
        if size / Descriptor.size > limit { throw .chainTooLong }
        guard let table = dma.window(descriptor.address, count: size, writes: false) else {
            throw .notMemory("an indirect table", descriptor.address)
        }
        return table
    }
}
