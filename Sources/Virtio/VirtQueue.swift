// A virtqueue as devices see it: buffers come out, and are given back, whatever the layout in memory.

import Synchronization
import SystemKit

/// What driver and device have agreed on about all queues.
struct RingFeatures {
    var indirect = false
    /// Interrupts and notifications are asked for by place. (VIRTIO_F_EVENT_IDX)
    var events = false
    var packed = false
}

/// Where a driver has put a queue.
struct RingPlace {
    var size: UInt16
    var descriptors: UInt64 = 0
    var driver: UInt64 = 0
    var device: UInt64 = 0

    func window(
        _ dma: DMA, _ what: String, _ address: UInt64, _ count: Int, alignment: UInt64, writes: Bool
    ) throws(RingFault) -> DMAWindow {
        if address % alignment != 0 { throw .misaligned(what, address) }
        guard let window = dma.window(address, count: count, writes: writes) else { throw .notMemory(what, address) }
        return window
    }
}

/// A layout.
protocol Ring {
    /// The next buffer that the driver offers.
    mutating func next() throws(RingFault) -> Chain?
    mutating func giveBack(_ chain: Chain, written: UInt32)
    /// Whether the driver wants to hear of what has been given back since this was last asked.
    mutating func wantsInterrupt() -> Bool
    /// Whether the device wants to hear of what is offered. Whoever says that it does looks whether something is there after that.
    func setNotified(_ wanted: Bool)
    var isEmpty: Bool { get }
    mutating func code(_ coder: inout SnapshotCoder) throws(SnapshotError)
}

/// Index `event` lies in [from, to), counted around. (Virtio 1.2, 2.7.7.1)
func passes(_ event: UInt16, from: UInt16, to: UInt16) -> Bool { to &- event &- 1 < to &- from }

/// What was written is seen before what is read from now on.
@inline(__always) func fullFence() { atomicMemoryFence(ordering: .sequentiallyConsistent) }

extension DMAWindow {
    private func atomic(_ offset: Int) -> UnsafePointer<Atomic<UInt16>> {
        precondition(offset >= 0 && offset <= bytes.count - 2)
        return UnsafePointer(OpaquePointer(bytes.baseAddress! + offset))
    }
    @inline(__always) func loadAcquiring(_ offset: Int) -> UInt16 {
        UInt16(littleEndian: atomic(offset).pointee.load(ordering: .acquiring))
    }
    @inline(__always) func storeReleasing(_ offset: Int, _ value: UInt16) {
        atomic(offset).pointee.store(value.littleEndian, ordering: .releasing)
    }
}

/// One queue of a device. Everything is called in the device's domain.
public final class VirtQueue {
    public let index: Int
    /// Most places; a power of two.
    public let limit: UInt16
    // What the driver has set up.
    var place: RingPlace
    private var ring: (any Ring)? { didSet { if ring == nil { generation += 1 } } }
    /// Changes when the queue ends: what is given back after that is nobody's any more.
    private var generation: UInt64 = 0
    /// Something has been given back since it was last asked whether the driver wants to know.
    private var hasNews = false

    init(_ index: Int, limit: UInt16) {
        self.index = index
        self.limit = limit
        place = RingPlace(size: limit)
    }

    public var isReady: Bool { ring != nil }

    func reset() {
        place = RingPlace(size: limit)
        ring = nil
    }

    func stop() { ring = nil }

    func start(_ dma: DMA, _ features: RingFeatures) throws(RingFault) {
        ring = features.packed ? try PackedRing(dma, features, place) : try SplitRing(dma, features, place)
    }

    /// The next buffer. Nil: none is offered, and the driver notifies the device of the next one.
    func next() throws(RingFault) -> Chain? {
        if let chain = try take() { return chain }
        ring?.setNotified(true)
        return try take()
    }

    private func take() throws(RingFault) -> Chain? {
        var chain = try ring?.next()
        chain?.generation = generation
        return chain
    }

    /// The driver need not notify the device: it looks for buffers by itself, until `next` has found none.
    func quiet() { ring?.setNotified(false) }

    var isEmpty: Bool { ring?.isEmpty ?? true }

    /// A buffer is offered. If none is, the driver notifies the device of the next one.
    var hasOffer: Bool {
        if isEmpty { ring?.setNotified(true) }
        return !isEmpty
    }

    func giveBack(_ chain: Chain, written: Int) {
        guard chain.generation == generation else { return }
        ring?.giveBack(chain, written: UInt32(clamping: written))
        hasNews = true
    }

    func wantsInterrupt() -> Bool {
        guard hasNews else { return false }
        hasNews = false
        return ring?.wantsInterrupt() ?? false
    }

    func code(_ coder: inout SnapshotCoder) throws(SnapshotError) { try ring?.code(&coder) }
}
