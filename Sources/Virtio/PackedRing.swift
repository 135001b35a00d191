// A virtqueue as one ring of descriptors, which driver and device write in turn. (Virtio 1.2, 2.8)
//
//     descriptors               address (8), length (4), buffer's identifier (2), flags (2)
//     driver and device area    place and wrap counter (2), flags (2): when that side wants to hear of something

import SystemKit
import Synchronization

struct PackedRing: Ring {
    private let dma: DMA
    private let features: RingFeatures
    private let size: UInt16
    private let descriptors: DMAWindow
    private let driver: DMAWindow
    private let device: DMAWindow
    /// Where the next buffer is offered, and where the next one is given back. Each has a counter that changes whenever it begins anew.
    private var taken: UInt16 = 0, takenWrap = true
    private var used: UInt16 = 0, usedWrap = true
    /// Places of buffers that have been taken and not been given back.
    private var outstanding: UInt16 = 0
    /// Places given back since the driver was last interrupted.
    private var untold: UInt16 = 0

    private enum Event { static let always: UInt16 = 0, never: UInt16 = 1, place: UInt16 = 2 }

    init(_ dma: DMA, _ features: RingFeatures, _ place: RingPlace) throws(RingFault) {
        self.dma = dma
        self.features = features
        size = place.size
        descriptors = try place.window(
            dma, "descriptors", place.descriptors, Descriptor.size * Int(place.size), alignment: 16, writes: true)
        driver = try place.window(dma, "driver area", place.driver, 4, alignment: 4, writes: false)
        device = try place.window(dma, "device area", place.device, 4, alignment: 4, writes: true)
    }

    private func isOffered(_ flags: UInt16) -> Bool {
        (flags & Descriptor.Flag.available != 0) == takenWrap && (flags & Descriptor.Flag.used != 0) != takenWrap
    }

    var isEmpty: Bool { !isOffered(descriptors.loadAcquiring(Descriptor.size * Int(taken) + 14)) }

    mutating func next() throws(RingFault) -> Chain? {
        if isEmpty { return nil }
        var builder = ChainBuilder(dma, limit: Int(size))
        var places: UInt16 = 0, index = taken, id: UInt16
        while true {
            let descriptor = Descriptor(descriptors, Int(index)), flags = descriptor.fourth
            id = descriptor.third
            places += 1
            if places > size { throw .chainTooLong }
            if places > size - outstanding { throw .tooManyOffered(outstanding + places) }
            index = index + 1 == size ? 0 : index + 1
            if flags & Descriptor.Flag.indirect != 0 {
                if flags & Descriptor.Flag.next != 0 || places > 1 { throw .indirect("it is not alone") }
                let table = try builder.table(descriptor, isNegotiated: features.indirect)
                for entry in 0..<table.bytes.count / Descriptor.size {
                    let descriptor = Descriptor(table, entry)
                    try builder.add(descriptor, flags: descriptor.fourth)
                }
                break
            }
            try builder.add(descriptor, flags: flags)
            if flags & Descriptor.Flag.next == 0 { break }
        }
        outstanding += places
        taken += places
        if taken >= size {
            taken -= size
            takenWrap.toggle()
        }
        var chain = Chain(id: id, places: places)
        chain.readable = builder.readable
        chain.writable = builder.writable
        return chain
    }

    mutating func giveBack(_ chain: Chain, written: UInt32) {
        let place = Descriptor.size * Int(used)
        descriptors.store(place + 8, written)
        descriptors.store(place + 12, chain.id)
        var flags = usedWrap ? Descriptor.Flag.available | Descriptor.Flag.used : 0
        if written > 0 { flags |= Descriptor.Flag.write }
        descriptors.storeReleasing(place + 14, flags)
        descriptors.wrote(place + 8..<place + 16)
        outstanding -= chain.places
        used += chain.places
        untold &+= chain.places
        if used >= size {
            used -= size
            usedWrap.toggle()
        }
    }

    mutating func wantsInterrupt() -> Bool {
        fullFence()
        let word = driver.load(0, as: UInt32.self), flags = UInt16(word >> 16) & 3
        let count = untold
        untold = 0
        if flags != Event.place || !features.events { return flags != Event.never }
        // The place, counted as `used` is: what lies in the round before is below 0.
        let wrap = word >> 15 & 1 != 0
        let event = UInt16(word & 0x7fff) &- (wrap == usedWrap ? 0 : size)
        return passes(event, from: used &- count, to: used)
    }

    func setNotified(_ wanted: Bool) {
        device.store(2, wanted ? (features.events ? Event.place : Event.always) : Event.never)
        if wanted, features.events { device.store(0, taken | (takenWrap ? 1 << 15 : 0)) }
        fullFence()
    }

    mutating func code(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        try coder.field(&taken, in: 0...size - 1)
        try coder.field(&takenWrap)
        try coder.field(&used, in: 0...size - 1)
        try coder.field(&usedWrap)
        try coder.field(&untold)
        try coder.field(&outstanding, in: 0...size)
    }
}
