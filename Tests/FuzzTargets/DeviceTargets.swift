// Devices, and drivers that may say anything: accesses to registers, queues, and what lies in memory.

import BlockLayer
import CharLayer
import Devices
import EventLoop
import GuestMemory
import HostOS
import NetLayer
import PCI
import SCSI
import Synchronization
import SystemKit
import Virtio

/// A board with RAM, and a clock that the input drives.
private final class FuzzBoard: @unchecked Sendable {
    static let ram: UInt64 = 0x8000_0000, ramSize = 1 << 17
    let time = FuzzClock()
    let board: Board
    let base: UnsafeMutableRawPointer
    let lines: [IRQLine]

    init() throws {
        let time = time
        let loop = try EventLoop(clocks: Clocks(counted: { time.now.load(ordering: .relaxed) }))
        board = Board(RunControl(loop))
        base = try HostMemory.reserve(Self.ramSize)
        let chunks = UnsafeMutablePointer<UInt64>.allocate(capacity: Self.ramSize / 4096)
        chunks.initialize(repeating: 0, count: Self.ramSize / 4096)
        try board.add(
            RAMBlock("ram", base: base, size: UInt64(Self.ramSize), isReadOnly: false, codeChunks: chunks), at: Self.ram
        )
        lines = (0..<64).map { IRQLine(FuzzLines.shared, $0) }
    }

    func clear() { base.initializeMemory(as: UInt8.self, repeating: 0, count: Self.ramSize) }

    func block(_ device: Device) -> RegisterBlock { board.blocks.first { $0.device === device }! }
}

private final class FuzzClock: Sendable {
    let now = Atomic<UInt64>(0)
}

private final class FuzzLines: InterruptController, @unchecked Sendable {
    static let shared = FuzzLines()
    func setInput(_ input: Int, _ level: Bool) {}
}

// MARK: Registers

extension FuzzTarget {
    /// Which device (1); then accesses: what is done (1), where (2), a value (8).
    static let registers = FuzzTarget(
        name: "registers", summary: "accesses to the registers of devices",
        seeds: {
            registerDevices.indices.map { index in
                var seed = FuzzSeed()
                seed.add(UInt8(index))
                for (action, offset) in [(0x02, 0), (0x12, 8), (0x00, 1), (0x10, 2), (0x13, 0x4000), (0x20, 0)] {
                    seed.add(UInt8(action))
                    seed.add(UInt16(offset))
                    seed.add(0x0102_0304_0506_0708 as UInt64)
                }
                return seed.bytes
            }
        },
        run: { bytes in
            var input = FuzzInput(bytes)
            let board = registerBoard, number = Int(input.number(UInt8.self)) % registerDevices.count
            let block = registerDevices[number]
            block.reset(.cold)
            for _ in 0..<1000 where !input.isAtEnd {
                let action: UInt8 = input.number(), place: UInt16 = input.number(), value: UInt64 = input.number()
                let size = 1 << Int(action & 3), rows = block.rows
                var offset = UInt64(place)
                // By rows, which are far apart in some devices.
                if action & 4 != 0, !rows.isEmpty {
                    let row = rows[Int(place) % rows.count]
                    offset = row.offset &+ row.stride &* (UInt64(place) / UInt64(rows.count) % UInt64(row.count))
                }
                switch action >> 4 & 3 {
                case 0:
                    let read = block.read(offset, size: size)
                    precondition(read == nil || size == 8 || read! >> UInt64(8 * size) == 0)
                case 1: _ = block.write(offset, size: size, value)
                case 2:
                    board.time.now.add(value >> 24, ordering: .relaxed)
                    board.board.loop.turn(waits: false)
                default: block.reset(.warm)
                }
            }
        })

    private static let registerBoard: FuzzBoard = {
        do { return try FuzzBoard() } catch { fatalError("no board: \(error)") }
    }()

    private static let registerDevices: [RegisterBlock] = {
        do {
            let board = registerBoard
            var address: UInt64 = 0x1000_0000
            func add<D: RegisterDevice>(_ type: D.Type, _ properties: String = "") throws -> RegisterBlock {
                defer { address += 0x400_0000 }
                return board.block(
                    try board.board.add(type, "d\(address)", at: address, lines: board.lines, properties))
            }
            let bus = PCIBus("pcie.0", lines: Array(board.lines.prefix(4)))
            let properties = VirtioRNG.descriptor.properties + VirtioPCI.descriptor.properties
            let context = board.board.context(
                "rng", try Properties(DeviceDescriptor("virtio-rng-pci", "", properties)))
            let function = try board.board.add(VirtioPCI.self, context) { function, block in
                function.plug(VirtioRNG(context), block)
                try bus.add(function)
            }
            return [
                try add(NS16550A.self), try add(ACLINT.self, "harts=3"),
                try add(PLIC.self, "sources=95,contexts=4"), try add(TestFinisher.self),
                try add(GoldfishRTC.self, "clock=vm"), try add(HTIF.self, "tohost=0x40,fromhost=0x80"),
                try add(FirmwareConfig.self), try add(VirtioMMIO.self), board.block(function),
            ]
        } catch { fatalError("the devices cannot be made: \(error)") }
    }()
}

// MARK: Queues

/// A virtio device behind its registers in memory, with queues where the input says what is in them.
private final class QueueRig: @unchecked Sendable {
    enum Step: UInt8, CaseIterable {
        /// The rest of the device's life: status (1).
        case status
        /// offset / 4 (1), value (4)
        case write
        case read
        /// features of the kind (4); queues are set up, and the driver is ready.
        case start
        /// where in memory (3), how many (1), bytes
        case memory
        /// queue (1), index (1), address from the begin of memory on (4), count (4), two fields (2 each)
        case descriptor
        /// queue (1), head (1): a split queue's next entry
        case offer
        /// queue (1)
        case notify
        /// The loop runs.
        case turn
        /// The back end does something: bytes of it (2), bytes
        case outside
    }

    let board: FuzzBoard
    let block: RegisterBlock
    private let outside: ([UInt8]) -> Void
    static let queueCount = 6, queueBytes: UInt64 = 0x1000, places: UInt64 = 8

    init(
        _ make: (DeviceContext) -> VirtioDevice, _ descriptor: DeviceDescriptor, _ properties: String,
        _ adjust: (inout DeviceContext) -> Void, outside: @escaping ([UInt8]) -> Void = { _ in }
    ) throws {
        board = try FuzzBoard()
        var context = board.board.context("device", try Properties(descriptor, parsing: properties))
        adjust(&context)
        let slot = try board.board.add(VirtioMMIO.self, "slot", at: 0x1000_0000, lines: [board.lines[1]])
        slot.plug(make(context))
        block = board.block(slot)
        self.outside = outside
    }

    private func put(_ offset: UInt64, _ value: UInt64) { _ = block.write(offset, size: 4, value & 0xffff_ffff) }

    private static func place(_ queue: UInt8) -> UInt64 { 0x1000 + UInt64(queue % UInt8(queueCount)) * queueBytes }

    /// Layout (1), then steps.
    func run(_ bytes: [UInt8]) {
        var input = FuzzInput(bytes)
        let layout: UInt8 = input.number()
        let isPacked = layout & 1 != 0
        let features: UInt64 =
            1 << 32 | (isPacked ? 1 << 34 : 0) | (layout & 2 != 0 ? 1 << 29 : 0) | (layout & 4 != 0 ? 1 << 28 : 0)
        board.clear()
        block.reset(.cold)
        for _ in 0..<500 where !input.isAtEnd {
            switch Step.allCases[Int(input.number(UInt8.self)) % Step.allCases.count] {
            case .status: put(0x70, UInt64(input.number(UInt8.self)))
            case .write: put(UInt64(input.number(UInt8.self)) * 4, UInt64(input.number(UInt32.self)))
            case .read: _ = block.read(UInt64(input.number(UInt8.self)), size: 4)
            case .start: start(features | UInt64(input.number(UInt32.self)))
            case .memory:
                let at = Int(input.number(UInt16.self)) | Int(input.number(UInt8.self)) << 16
                let bytes = input.bytes(Int(input.number(UInt8.self)))
                let first = at % FuzzBoard.ramSize
                for (index, byte) in bytes.enumerated() where first + index < FuzzBoard.ramSize {
                    board.base.storeBytes(of: byte, toByteOffset: first + index, as: UInt8.self)
                }
            case .descriptor:
                let queue: UInt8 = input.number(), index: UInt8 = input.number()
                let at = Int(Self.place(queue) + 16 * (UInt64(index) % Self.places))
                let address = FuzzBoard.ram &+ UInt64(input.number(UInt32.self))
                board.base.storeBytes(of: address, toByteOffset: at, as: UInt64.self)
                board.base.storeBytes(of: input.number(), toByteOffset: at + 8, as: UInt32.self)
                board.base.storeBytes(of: input.number(), toByteOffset: at + 12, as: UInt16.self)
                board.base.storeBytes(of: input.number(), toByteOffset: at + 14, as: UInt16.self)
            case .offer:
                let ring = Int(Self.place(input.number()) + 0x400)
                let next = board.base.load(fromByteOffset: ring + 2, as: UInt16.self)
                let entry = ring + 4 + 2 * Int(UInt64(next) % Self.places)
                board.base.storeBytes(of: UInt16(input.number(UInt8.self)), toByteOffset: entry, as: UInt16.self)
                board.base.storeBytes(of: next &+ 1, toByteOffset: ring + 2, as: UInt16.self)
            case .notify: put(0x50, UInt64(input.number(UInt8.self)))
            case .turn: board.board.loop.turn(waits: false)
            case .outside: outside(input.bytes(Int(input.number(UInt16.self))))
            }
        }
        // A device that is reset does nothing more.
        block.reset(.cold)
        board.board.loop.turn(waits: false)
    }

    private func start(_ features: UInt64) {
        for status in [0, 1, 3] as [UInt64] { put(0x70, status) }
        for half in 0..<2 as Range<UInt64> {
            put(0x24, half)
            put(0x20, features >> (32 * half))
        }
        put(0x70, 0xb)
        for queue in 0..<UInt8(Self.queueCount) {
            put(0x30, UInt64(queue))
            put(0x38, Self.places)
            let place = FuzzBoard.ram + Self.place(queue)
            for (register, offset) in [(0x80, 0), (0x90, 0x400), (0xa0, 0x800)] as [(UInt64, UInt64)] {
                put(register, place + offset)
                put(register + 4, 0)
            }
            put(0x44, 1)
        }
        put(0x70, 0xf)
    }
}

/// Steps of a driver that does what it should.
private struct QueueSeed {
    typealias Piece = (at: UInt32, count: UInt32, isWritten: Bool)

    private var seed = FuzzSeed()
    private let isPacked: Bool
    private var next: [UInt8: UInt8] = [:]

    init(packed: Bool, features: UInt32) {
        isPacked = packed
        seed.add(UInt8(packed ? 1 : 0))
        step(.start)
        seed.add(features)
    }

    private mutating func step(_ step: QueueRig.Step) { seed.add(step.rawValue) }

    mutating func memory(_ at: UInt32, _ bytes: [UInt8]) {
        step(.memory)
        seed.add(UInt16(truncatingIfNeeded: at))
        seed.add(UInt8(truncatingIfNeeded: at >> 16))
        seed.add(UInt8(bytes.count))
        seed.bytes += bytes
    }

    mutating func offer(_ queue: UInt8, _ pieces: [Piece]) {
        let head = next[queue, default: 0]
        for (index, piece) in pieces.enumerated() {
            let place = (head + UInt8(index)) % UInt8(QueueRig.places)
            let flags: UInt16 = (index + 1 < pieces.count ? 1 : 0) | (piece.isWritten ? 2 : 0)
            step(.descriptor)
            seed.add(queue)
            seed.add(place)
            seed.add(piece.at)
            seed.add(piece.count)
            seed.add(isPacked ? UInt16(head) : flags)
            seed.add(isPacked ? flags | 0x80 : UInt16((place + 1) % UInt8(QueueRig.places)))
        }
        next[queue] = (head + UInt8(pieces.count)) % UInt8(QueueRig.places)
        if !isPacked {
            step(.offer)
            seed.add(queue)
            seed.add(head)
        }
        step(.notify)
        seed.add(queue)
        step(.turn)
    }

    mutating func outside(_ bytes: [UInt8]) {
        step(.outside)
        seed.add(UInt16(bytes.count))
        seed.bytes += bytes
        step(.turn)
    }

    var bytes: [UInt8] { seed.bytes }
}

/// Takes most of what is said.
private final class FuzzPeer: CharBackend, @unchecked Sendable {
    private var count = 0
    override func send(_ byte: UInt8) -> Bool {
        count += 1
        return count % 100 != 0
    }
}

/// A cable whose other end is the input.
private final class FuzzCable: NetBackend, @unchecked Sendable {
    override var takesLongSegments: Bool { true }
    override func send(_ frame: UnsafeRawBufferPointer) { precondition(frame.count <= LongSegment.longest) }
}

extension FuzzTarget {
    static let virtioBlock = queues(
        "virtio-blk", "a driver of a disk",
        {
            let disk = BlockBackend(try RawImage(MemoryStorage(Array(repeating: 5, count: 1 << 16))), name: "disk")
            return try QueueRig(VirtioBlock.init, VirtioBlock.descriptor, "num-queues=2,packed=on", { $0.disk = disk })
        },
        features: 0x7264
    ) { seed in
        for (kind, isRead) in [(0, true), (1, false), (4, false), (8, true), (11, false), (13, false)] {
            seed.memory(0x8000, [UInt8(kind), 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
            seed.memory(0x9000, [0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0])
            var pieces: [QueueSeed.Piece] = [(0x8000, 16, false)]
            if kind != 4 { pieces.append((0x9000, kind > 8 ? 16 : 512, isRead)) }
            seed.offer(0, pieces + [(0xa000, 1, true)])
        }
    }

    static let virtioNet: FuzzTarget = {
        let cable = FuzzCable(name: "n")
        return queues(
            "virtio-net", "a driver of a network card, and frames that come",
            {
                try QueueRig(
                    VirtioNet.init, VirtioNet.descriptor, "packed=on", { $0.network = cable },
                    outside: { bytes in bytes.withUnsafeBytes { cable.deliver($0) } })
            },
            features: 0x0023_f8a3
        ) { seed in
            for _ in 0..<2 { seed.offer(0, [(0x8000, 0x800, true)]) }
            seed.outside(Array(repeating: 1, count: 60))
            seed.memory(0xa000, [1, 1, 54, 0, 100, 0, 34, 0, 16, 0, 0, 0])
            seed.memory(0xa00c, Array(repeating: 0, count: 12) + [8, 0, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6])
            seed.memory(0xa03a, [0x50, 0x10])
            seed.offer(1, [(0xa000, 12, false), (0xa00c, 400, false)])
            for command in [[0, 0, 1], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0], [2, 0, 5, 0]] as [[UInt8]] {
                seed.memory(0xb000, command)
                seed.offer(2, [(0xb000, UInt32(command.count), false), (0xb800, 1, true)])
            }
        }
    }()

    static let virtioRNG = queues(
        "virtio-rng", "a driver of a source of random bytes",
        { try QueueRig(VirtioRNG.init, VirtioRNG.descriptor, "packed=on", { _ in }) }, features: 0
    ) { seed in
        seed.offer(0, [(0x8000, 16, true)])
        seed.offer(0, [(0x8100, 7, true), (0x8200, 100, true)])
    }

    static let virtioSerial: FuzzTarget = {
        let peer = FuzzPeer()
        return queues(
            "virtio-serial", "a driver of a console and a port, and bytes that come",
            {
                try QueueRig(
                    { context in
                        let bus = VirtioSerial(context)
                        for type in [VirtConsole.self, VirtSerialPort.self] as [SerialPort.Type] {
                            do {
                                var row = context
                                row.properties = try Properties(type.descriptor, parsing: "name=n")
                                row.backend = type == VirtConsole.self ? peer : CharBackend()
                                try bus.plug(type.init(row))
                            } catch { fatalError("no port: \(error)") }
                        }
                        return bus
                    }, VirtioSerial.descriptor, "max_ports=3,packed=on", { _ in },
                    outside: { peer.deliver($0.prefix(peer.inputRoom)) })
            },
            features: 6
        ) { seed in
            for _ in 0..<3 { seed.offer(2, [(0x8000, 64, true)]) }
            for message in [[0, 0, 0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 3, 0, 1, 0], [1, 0, 0, 0, 6, 0, 1, 0]] as [[UInt8]] {
                seed.memory(0x9000, message)
                seed.offer(3, [(0x9000, 8, false)])
            }
            seed.offer(0, [(0xa000, 100, true)])
            seed.outside(Array(repeating: 65, count: 200))
            seed.offer(1, [(0x9000, 70, false)])
        }
    }()

    static let virtioBalloon = queues(
        "virtio-balloon", "a driver of a balloon",
        { try QueueRig(VirtioBalloon.init, VirtioBalloon.descriptor, "free-page-reporting=on,packed=on", { _ in }) },
        features: 0x32
    ) { seed in
        seed.memory(0x8000, [16, 0, 8, 0, 17, 0, 8, 0])
        for queue in [0, 1] as [UInt8] { seed.offer(queue, [(0x8000, 8, false)]) }
        seed.memory(0x8100, [4, 0, 1, 2, 3, 4, 5, 6, 7, 8])
        seed.offer(2, [(0x8100, 10, false)])
        seed.offer(3, [(0x1_0000, 0x2000, true)])
    }

    static let virtioSCSI = queues(
        "virtio-scsi", "a driver of a SCSI adapter with a disk and a disc",
        {
            try QueueRig(
                { context in
                    let adapter = VirtioSCSI(context)
                    for type in [SCSIDisk.self, OpticalDisc.self] as [SCSIUnit.Type] {
                        do {
                            var row = context
                            row.properties = try Properties(type.descriptor)
                            row.disk = BlockBackend(
                                try RawImage(MemoryStorage(Array(repeating: 5, count: 1 << 16))), name: "disk")
                            try adapter.plug(type.init(row))
                        } catch { fatalError("no unit: \(error)") }
                    }
                    return adapter
                }, VirtioSCSI.descriptor, "packed=on", { _ in })
        },
        features: 4
    ) { seed in
        let commands: [[UInt8]] = [
            [0x12, 1, 0x83, 0, 200], [0x28, 0, 0, 0, 0, 1, 0, 0, 1], [0x2a, 0, 0, 0, 0, 1, 0, 0, 1],
            [0x1a, 0, 0x3f, 0, 200], [0x42, 0, 0, 0, 0, 0, 0, 0, 24], [0x93, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3],
            [0x43, 0, 0, 0, 0, 0, 0, 0, 100], [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32],
        ]
        for (index, command) in commands.enumerated() {
            seed.memory(
                0x8000, [1, UInt8(index & 1), 0x40, 0, 0, 0, 0, 0, 7] + Array(repeating: 0, count: 10) + command)
            let goesOut = [0x2a, 0x42, 0x93].contains(command[0])
            let answer: QueueSeed.Piece = (0xa000, 108, true), data: QueueSeed.Piece = (0x9000, 512, !goesOut)
            seed.offer(2, [(0x8000, 51, false)] + (goesOut ? [data, answer] : [answer, data]))
        }
        seed.memory(0xb000, [0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0x40, 0, 0, 0, 0, 0])
        seed.offer(0, [(0xb000, 24, false), (0xb800, 1, true)])
    }

    private static func queues(
        _ name: String, _ summary: String, _ make: @escaping @Sendable () throws -> QueueRig, features: UInt32,
        _ script: @escaping @Sendable (inout QueueSeed) -> Void
    ) -> FuzzTarget {
        // One device for all inputs: it has threads.
        let rig = RigBox(make)
        return FuzzTarget(
            name: name, summary: summary,
            seeds: {
                [false, true].map { packed in
                    var seed = QueueSeed(packed: packed, features: features)
                    script(&seed)
                    return seed.bytes
                }
            },
            run: { bytes in rig.value.run(bytes) })
    }
}

/// Made when it is used first. Used by one thread at a time.
private final class RigBox: @unchecked Sendable {
    private let make: () throws -> QueueRig
    private(set) lazy var value: QueueRig = {
        do { return try make() } catch { fatalError("the device cannot be made: \(error)") }
    }()
    init(_ make: @escaping () throws -> QueueRig) { self.make = make }
}
