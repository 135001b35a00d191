// A virtqueue as three areas: descriptors, what the driver offers, and what the device has used. (Virtio 1.2, 2.7)
//
//     descriptors   16 bytes each
//     driver area   flags (2), index (2), a head (2) for each place, used_event (2)
//     device area   flags (2), index (2), head (4) and written bytes (4) for each place, avail_event (2)

import SystemKit
import Synchronization

struct SplitRing: Ring {
    private let dma: DMA
    private let features: RingFeatures
    private let size: UInt16
    private let descriptors: DMAWindow
    private let driver: DMAWindow
    private let device: DMAWindow
    /// Of the next buffer that the driver offers, and of the next that is given back.
    private var taken: UInt16 = 0
    private var used: UInt16 = 0
    /// `used` when the driver was last interrupted.
    private var told: UInt16 = 0

    private enum Flag {
        /// In either area: the other side wants to hear nothing.
        static let quiet: UInt16 = 1
    }

    init(_ dma: DMA, _ features: RingFeatures, _ place: RingPlace) throws(RingFault) {
        self.dma = dma
        self.features = features
        size = place.size
        let size = Int(place.size)
        descriptors = try place.window(
            dma, "descriptors", place.descriptors, Descriptor.size * size, alignment: 16, writes: false)
        driver = try place.window(dma, "driver area", place.driver, 6 + 2 * size, alignment: 2, writes: false)
        device = try place.window(dma, "device area", place.device, 6 + 8 * size, alignment: 4, writes: true)
    }

    private var offered: UInt16 { driver.loadAcquiring(2) }

    mutating func next() throws(RingFault) -> Chain? {
        let offered = offered
        if offered == taken { return nil }
        // What has been taken and not been given back has its place still.
        if offered &- taken > size || taken &- used >= size { throw .tooManyOffered(offered &- used) }
        let head = driver.load(4 + 2 * Int(taken % size), as: UInt16.self)
        taken &+= 1
        return try chain(head)
    }

    private func chain(_ head: UInt16) throws(RingFault) -> Chain {
        var builder = ChainBuilder(dma, limit: Int(size))
        var table = descriptors, count = Int(size), index = head, isIndirect = false
        while true {
            if Int(index) >= count { throw .noSuchDescriptor(index) }
            let descriptor = Descriptor(table, Int(index)), flags = descriptor.third
            if flags & Descriptor.Flag.indirect != 0 {
                if isIndirect { throw .indirect("it names another") }
                if flags & Descriptor.Flag.next != 0 { throw .indirect("another descriptor follows it") }
                table = try builder.table(descriptor, isNegotiated: features.indirect)
                count = table.bytes.count / Descriptor.size
                isIndirect = true
                index = 0
                continue
            }
            try builder.add(descriptor, flags: flags)
            if flags & Descriptor.Flag.next == 0 { break }
            index = descriptor.fourth
        }
        var chain = Chain(id: head, places: 1)
        chain.readable = builder.readable
        chain.writable = builder.writable
        return chain
    }

    mutating func giveBack(_ chain: Chain, written: UInt32) {
        let place = 4 + 8 * Int(used % size)
        device.store(place, UInt32(chain.id))
        device.store(place + 4, written)
        used &+= 1
        device.storeReleasing(2, used)
        device.wrote(2..<place + 8)
    }

    mutating func wantsInterrupt() -> Bool {
        fullFence()
        defer { told = used }
        if !features.events { return driver.load(0, as: UInt16.self) & Flag.quiet == 0 }
        let event = driver.load(4 + 2 * Int(size), as: UInt16.self)
        return passes(event, from: told, to: used)
    }

    func setNotified(_ wanted: Bool) {
        if features.events {
            // An index that the driver has left behind is one that it does not pass soon.
            device.store(4 + 8 * Int(size), wanted ? taken : taken &- 1)
        } else {
            device.store(0, wanted ? 0 : Flag.quiet)
        }
        fullFence()
    }

    var isEmpty: Bool { offered == taken }

    mutating func code(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        try coder.field(&taken)
        try coder.field(&used)
        try coder.field(&told)
    }
}
