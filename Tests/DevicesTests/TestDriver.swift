// A driver of virtio devices for tests: it sets a device up by its registers, and knows both layouts of a queue from the driver's side.

import GuestMemory
import HostOS
import PCI
import SystemKit
import Testing
import Virtio

/// What a driver accepts besides VIRTIO_F_VERSION_1.
struct RingLayout: Sendable, CustomTestStringConvertible {
    var packed = false
    var events = false
    var indirect = false
    /// The device is on a PCI bus, not in memory.
    var pci = false
    var features: UInt64 {
        1 << 32 | (packed ? 1 << 34 : 0) | (events ? 1 << 29 : 0) | (indirect ? 1 << 28 : 0)
    }
    var testDescription: String {
        (packed ? "packed" : "split") + (events ? ", events" : "") + (indirect ? ", indirect" : "")
            + (pci ? ", PCI" : "")
    }
    static let all = [false, true].flatMap { packed in
        [false, true].flatMap { events in
            [false, true].flatMap { indirect in
                [false, true].map { RingLayout(packed: packed, events: events, indirect: indirect, pci: $0) }
            }
        }
    }
}

/// A piece of a buffer.
struct Piece {
    var address: UInt64
    var count: UInt32
    var isWritten = false
}

/// A board with RAM at `TestDriver.ram`, one transport, and a device in it.
final class TestDriver {
    static let ram: UInt64 = 0x8000_0000, pages = 64
    /// Where buffers may be; queues lie before that.
    static let buffers = ram + 0x1_0000
    let machine: TestMachine
    let transport: RegisterBlock
    let layout: RingLayout
    var memory: DMA { machine.board.dma }
    /// The queue that is used, which has 8 places unless chosen.
    var queue = 0 {
        didSet {
            guard queue != oldValue else { return }
            others[oldValue] = (offered, wrap, seen, seenWrap, places, freeID, shift)
            (offered, wrap, seen, seenWrap, places, freeID, shift) = others[queue] ?? (0, true, 0, true, [:], 0, 0)
        }
    }
    var size: UInt16 = 8
    /// Queues that are not used now.
    private var others: [Int: (UInt16, Bool, UInt16, Bool, [UInt16: UInt16], UInt16, UInt64)] = [:]
    // Of that queue. `shift`: where its areas are, behind those of the first.
    private var shift: UInt64 = 0
    private var offered: UInt16 = 0, wrap = true
    private var seen: UInt16 = 0, seenWrap = true
    private var places: [UInt16: UInt16] = [:]
    private var freeID: UInt16 = 0

    static let descriptors = ram + 0x1000, driverArea = ram + 0x2000, deviceArea = ram + 0x3000, tables = ram + 0x4000

    init(
        _ layout: RingLayout = RingLayout(), _ make: (DeviceContext) -> VirtioDevice, _ descriptor: DeviceDescriptor,
        _ properties: String = "", _ adjust: (inout DeviceContext) -> Void = { _ in }
    ) throws {
        self.layout = layout
        machine = try TestMachine()
        let base = try HostMemory.reserve(Self.pages * 4096)
        let chunks = UnsafeMutablePointer<UInt64>.allocate(capacity: Self.pages)
        chunks.initialize(repeating: 0, count: Self.pages)
        try machine.board.add(
            RAMBlock("ram", base: base, size: UInt64(Self.pages * 4096), isReadOnly: false, codeChunks: chunks),
            at: Self.ram)
        let chosen = [layout.packed ? "packed=on" : "", properties].filter { !$0.isEmpty }.joined(separator: ",")
        var context = machine.board.context("device", try Properties(descriptor, parsing: chosen))
        adjust(&context)
        if layout.pci {
            let bus = PCIBus("pcie.0", lines: [machine.lines.line(1)])
            context.properties = try Properties(
                DeviceDescriptor("device", "", descriptor.properties + VirtioPCI.descriptor.properties),
                parsing: chosen)
            let function = try machine.board.add(VirtioPCI.self, context) { function, block in
                function.plug(make(context), block)
                try bus.add(function)
            }
            transport = machine.block(function)
            function.writeConfiguration(ConfigurationSpace.Offset.command, size: 2, 6)
        } else {
            let slot = try machine.board.add(VirtioMMIO.self, "slot", at: 0x1000_1000, lines: [machine.lines.line(1)])
            slot.plug(make(context))
            transport = machine.block(slot)
        }
    }

    /// A register, where the transports have it.
    private enum Register {
        case deviceWord, deviceFeatures, driverWord, driverFeatures, status, queue, size, ready
        case descriptors, driverArea, deviceArea

        /// Offset and bytes, in memory and on a PCI bus.
        var places: [(offset: UInt64, size: Int)] {
            switch self {
            case .deviceWord: [(0x14, 4), (0x00, 4)]
            case .deviceFeatures: [(0x10, 4), (0x04, 4)]
            case .driverWord: [(0x24, 4), (0x08, 4)]
            case .driverFeatures: [(0x20, 4), (0x0c, 4)]
            case .status: [(0x70, 4), (0x14, 1)]
            case .queue: [(0x30, 4), (0x16, 2)]
            case .size: [(0x38, 4), (0x18, 2)]
            case .ready: [(0x44, 4), (0x1c, 2)]
            case .descriptors: [(0x80, 4), (0x20, 4)]
            case .driverArea: [(0x90, 4), (0x28, 4)]
            case .deviceArea: [(0xa0, 4), (0x30, 4)]
            }
        }
    }

    private subscript(_ register: Register) -> UInt64 {
        get {
            let place = register.places[layout.pci ? 1 : 0]
            return transport.get(place.offset, size: place.size)
        }
        set {
            let place = register.places[layout.pci ? 1 : 0]
            transport.put(place.offset, newValue, size: place.size)
        }
    }

    var status: UInt64 {
        get { self[.status] }
        set { self[.status] = newValue }
    }
    var needsReset: Bool { status & 0x40 != 0 }
    var isInterrupted: Bool { machine.lines[1] }
    var interrupts: Int { machine.lines.rises[1] ?? 0 }
    func acknowledge() {
        if layout.pci { _ = transport.get(0x1000, size: 1) } else { transport.put(0x64, transport.get(0x60)) }
    }
    func notify(_ other: UInt64? = nil) {
        let number = other ?? UInt64(queue)
        if layout.pci { transport.put(0x3000 + 4 * number, number, size: 2) } else { transport.put(0x50, number) }
    }
    func turn() { machine.board.loop.turn(waits: false) }

    /// Turns the loop until something has been used, for 5 seconds at most.
    func used(waits: Bool = true) -> (id: UInt16, written: UInt32)? {
        let end = HostClock.monotonic() + 5_000_000_000
        repeat {
            if let found = takeUsed() { return found }
            turn()
        } while waits && HostClock.monotonic() < end
        return takeUsed()
    }

    func deviceFeatures() -> UInt64 {
        self[.deviceWord] = 1
        let high = self[.deviceFeatures]
        self[.deviceWord] = 0
        return high << 32 | self[.deviceFeatures]
    }

    /// Up to DRIVER_OK, with the queue, and with `more`, whose areas lie in the second half of memory. `kind`: features of the kind to accept.
    /// `early` is called before the driver is ready.
    func start(
        _ kind: UInt64 = 0, more: [Int] = [], early: () -> Void = {},
        places change: (inout (UInt64, UInt64, UInt64)) -> Void = { _ in }
    ) {
        status = 0
        status = 1
        status = 3
        for half in 0..<2 as Range<UInt64> {
            self[.driverWord] = half
            self[.driverFeatures] = (layout.features | kind) >> (32 * half) & 0xffff_ffff
        }
        status = 0xb
        others = [:]
        let first = queue
        for (index, number) in ([queue] + more).enumerated() {
            queue = number
            shift = index == 0 ? 0 : Self.otherQueues + UInt64(index - 1) * 0x4000
            setUp(index == 0 ? change : { _ in })
        }
        queue = first
        early()
        status = 0xf
    }

    private static let otherQueues: UInt64 = 0x2_0000

    private func setUp(_ change: (inout (UInt64, UInt64, UInt64)) -> Void) {
        self[.queue] = UInt64(queue)
        self[.size] = UInt64(size)
        var areas = (Self.descriptors + shift, Self.driverArea + shift, Self.deviceArea + shift)
        _ = memory.fill(Self.descriptors + shift, count: 0x4000)
        change(&areas)
        for (register, address) in [(Register.descriptors, areas.0), (.driverArea, areas.1), (.deviceArea, areas.2)] {
            let place = register.places[layout.pci ? 1 : 0]
            transport.put(place.offset, address & 0xffff_ffff)
            transport.put(place.offset + 4, address >> 32)
        }
        self[.ready] = 1
        (offered, wrap, seen, seenWrap, places, freeID) = (0, true, 0, true, [:], 0)
    }

    // MARK: the queue

    /// Offers a buffer; returns what it is used by.
    @discardableResult
    func offer(_ pieces: [Piece], notifies: Bool = true) -> UInt16 {
        defer { if notifies { notify() } }
        if layout.indirect {
            let table = Self.tables + shift + UInt64(freeID % size) * 256
            for (index, piece) in pieces.enumerated() {
                put(table, index, piece, third: flags(piece, index, pieces.count), fourth: UInt16(index + 1))
            }
            let whole = Piece(address: table, count: UInt32(16 * pieces.count))
            return layout.packed ? offerPacked([whole], 4) : offerSplit([whole], 4)
        }
        return layout.packed ? offerPacked(pieces, 0) : offerSplit(pieces, 0)
    }

    private func flags(_ piece: Piece, _ index: Int, _ count: Int) -> UInt16 {
        (index + 1 < count ? 1 : 0) | (piece.isWritten ? 2 : 0)
    }

    /// A descriptor of a split ring, or of a table; that of a packed ring's table has its flags elsewhere.
    private func put(_ table: UInt64, _ index: Int, _ piece: Piece, third: UInt16, fourth: UInt16) {
        let at = table + UInt64(16 * index)
        _ = memory.store(at, piece.address)
        _ = memory.store(at + 8, piece.count)
        _ = memory.store(at + 12, layout.packed ? 0 : third)
        _ = memory.store(at + 14, layout.packed ? third : fourth)
    }

    private func offerSplit(_ pieces: [Piece], _ more: UInt16) -> UInt16 {
        let head = freeID % size
        for (index, piece) in pieces.enumerated() {
            let place = (Int(head) + index) % Int(size)
            put(
                Self.descriptors + shift, place, piece, third: flags(piece, index, pieces.count) | more,
                fourth: UInt16((place + 1) % Int(size)))
        }
        freeID &+= UInt16(pieces.count)
        _ = memory.store(Self.driverArea + shift + 4 + 2 * UInt64(offered % size), head)
        offered &+= 1
        _ = memory.store(Self.driverArea + shift + 2, offered)
        return head
    }

    private func offerPacked(_ pieces: [Piece], _ more: UInt16) -> UInt16 {
        let id = freeID % size, first = offered, firstWrap = wrap
        freeID &+= 1
        for (index, piece) in pieces.enumerated() {
            let at = Self.descriptors + shift + 16 * UInt64(offered)
            _ = memory.store(at, piece.address)
            _ = memory.store(at + 8, piece.count)
            _ = memory.store(at + 12, id)
            if index > 0 { _ = memory.store(at + 14, flags(piece, index, pieces.count) | more | mark) }
            offered += 1
            if offered == size {
                offered = 0
                wrap.toggle()
            }
        }
        places[id] = UInt16(pieces.count)
        let here = wrap
        wrap = firstWrap
        _ = memory.store(
            Self.descriptors + shift + 16 * UInt64(first) + 14, flags(pieces[0], 0, pieces.count) | more | mark)
        wrap = here
        return id
    }

    private var mark: UInt16 { wrap ? 0x80 : 0x8000 }

    private func takeUsed() -> (id: UInt16, written: UInt32)? {
        if layout.packed {
            let at = Self.descriptors + shift + 16 * UInt64(seen)
            let flags = memory.load(at + 14, as: UInt16.self)!
            guard (flags & 0x80 != 0) == seenWrap, (flags & 0x8000 != 0) == seenWrap else { return nil }
            let id = memory.load(at + 12, as: UInt16.self)!
            seen += places[id] ?? 1
            if seen >= size {
                seen -= size
                seenWrap.toggle()
            }
            if layout.events {
                _ = memory.store(Self.driverArea + shift, UInt32(seen) | (seenWrap ? 0x8000 : 0) | 0x2_0000)
            }
            return (id, memory.load(at + 8, as: UInt32.self)!)
        }
        guard memory.load(Self.deviceArea + shift + 2, as: UInt16.self) != seen else { return nil }
        let at = Self.deviceArea + shift + 4 + 8 * UInt64(seen % size)
        seen &+= 1
        if layout.events { _ = memory.store(Self.driverArea + shift + 4 + 2 * UInt64(size), seen) }
        return (UInt16(memory.load(at, as: UInt32.self)!), memory.load(at + 4, as: UInt32.self)!)
    }
}
