// A disk. (Virtio 1.2, 5.2)
//
//     request: type (4), nothing (4), sector (8) | data, to read or to write | status (1)

import BlockLayer
import EventLoop
import SystemKit

public final class VirtioBlock: VirtioDevice, @unchecked Sendable {
    public override class var kind: UInt32 { 2 }
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "virtio-blk-device", "a disk",
            DiskAccess.properties() + [
                Property("serial", .text, "", "what the guest sees as its serial number: 20 bytes at most"),
                Property("num-queues", .number(1...64), "1", "queues that the guest can use at the same time"),
                Property("queue-size", .number(4...1024), "256", "places of each queue, a power of two"),
                Property("iothread", .thread, "", "the thread that serves it: an identifier of -object iothread"),
                Property("discard", .flag, "on", "the guest may say what it does not need"),
                Property("write-zeroes", .flag, "on", "the guest may have bytes become 0 without sending them"),
            ] + [.bootIndex] + commonProperties)
    }
    public override class var bootName: String? { "disk@0,0" }
    public override class func queueLimits(_ properties: Properties) -> [UInt16] {
        Array(repeating: UInt16(properties.number("queue-size")), count: Int(properties.number("num-queues")))
    }

    private enum Bit {
        static let mostSegments: UInt64 = 1 << 2, readOnly: UInt64 = 1 << 5, blockSize: UInt64 = 1 << 6
        static let flush: UInt64 = 1 << 9, topology: UInt64 = 1 << 10, writeCache: UInt64 = 1 << 11
        static let queues: UInt64 = 1 << 12, discard: UInt64 = 1 << 13, writeZeroes: UInt64 = 1 << 14
    }
    private enum Kind: UInt32 {
        case read = 0, write = 1, flush = 4, identify = 8, discard = 11, writeZeroes = 13
    }
    private enum Status: UInt8 { case ok = 0, error = 1, unsupported = 2 }

    private static let sector: UInt64 = 512
    private static let headerSize = 16, rangeSize = 16, identityLength = 20
    /// Most sectors of one discard or of zeros: 2 GiB.
    private static let mostSectors: UInt32 = 1 << 22
    /// Where `writeback` is in the configuration.
    private static let cacheOffset = 32

    private var disk: DiskAccess!

    public required init(_ context: DeviceContext) {
        super.init(context)
        disk = DiskAccess(context) { [unowned self] in changeConfiguration() }
    }

    /// What is wrong with a combination of properties.
    public static func check(_ properties: Properties) -> String? {
        if let wrong = properties.firstNoPowerOfTwo(["queue-size"]) ?? DiskAccess.check(properties) { return wrong }
        if properties.text("serial").utf8.count > identityLength {
            return "serial=\(properties.text("serial")): wanted \(identityLength) bytes at most"
        }
        return nil
    }

    public override var kindFeatures: UInt64 {
        var bits = Bit.mostSegments | Bit.blockSize | Bit.flush | Bit.topology | Bit.writeCache
        if disk.isReadOnly { bits |= Bit.readOnly }
        if queues.count > 1 { bits |= Bit.queues }
        if properties.flag("discard") { bits |= Bit.discard }
        if properties.flag("write-zeroes") { bits |= Bit.writeZeroes }
        return bits
    }

    public override var configuration: [UInt8] {
        let physical = disk.physicalBlockSize, blockSize = disk.blockSize
        var bytes = ByteWriter()
        bytes.add(disk.size / Self.sector)
        bytes.add(UInt32(0))
        bytes.add(UInt32(queues[0].limit) - 2)
        bytes.add(UInt32(0))  // No geometry.
        bytes.add(UInt32(blockSize))
        bytes.add(UInt8((physical / blockSize).trailingZeroBitCount))
        bytes.add(UInt8(0))
        bytes.add(UInt16(physical / blockSize))
        bytes.add(UInt32(0))
        bytes.add(UInt8(disk.keepsWrites ? 1 : 0))
        bytes.add(UInt8(0))
        bytes.add(UInt16(queues.count))
        for _ in 0..<2 {
            // For discard, then for zeros: most sectors, most ranges; between them what discards are aligned to.
            bytes.add(Self.mostSectors)
            bytes.add(UInt32(1))
            if bytes.bytes.count == 44 { bytes.add(UInt32(blockSize / Self.sector)) }
        }
        bytes.add(UInt32(1))  // Zeros may take no place.
        return bytes.bytes
    }

    public override func configure(_ offset: Int, _ value: UInt8) {
        if offset == Self.cacheOffset, has(Bit.writeCache) { disk.keepsWrites = value & 1 != 0 }
    }

    public override func started() {
        // A driver that never flushes wants what it has written to stay.
        if !has(Bit.flush) { disk.keepsWrites = false }
    }

    public override func stopped() { disk.backend.cancelAll() }

    public override func notified(_ queue: VirtQueue) throws(RingFault) {
        try takeAll(queue) { chain throws(RingFault) in
            try begin(chain, queue)
        }
        tell(queue)
    }

    // MARK: requests

    private func begin(_ chain: Chain, _ queue: VirtQueue) throws(RingFault) {
        guard let header = chain.read(count: Self.headerSize), chain.writableCount > 0 else {
            throw .badRequest("a request wants 16 bytes to read and one to write")
        }
        let fields = ByteReader(header)
        guard let kind = Kind(rawValue: fields.value(0, as: UInt32.self)) else {
            return end(chain, queue, .unsupported)
        }
        let sector = fields.value(8, as: UInt64.self)
        switch kind {
        case .read:
            let windows = chain.writable.part(0..<chain.writableCount - 1)
            guard let offset = place(sector, windows) else { return end(chain, queue, .error) }
            submit(.read(offset: offset, windows.map(\.bytes)), chain, queue, reads: windows)
        case .write:
            let windows = chain.readable.part(Self.headerSize..<chain.readableCount)
            guard let offset = place(sector, windows), !disk.isReadOnly else {
                return end(chain, queue, .error)
            }
            submit(.write(offset: offset, windows.map { UnsafeRawBufferPointer($0.bytes) }), chain, queue)
        case .flush: submit(.flush, chain, queue)
        case .identify:
            let room = chain.writableCount - 1
            var name = Array(properties.text("serial").utf8.prefix(Self.identityLength))
            name += Array(repeating: 0, count: Self.identityLength - name.count)
            end(chain, queue, .ok, written: chain.write(name.prefix(room)))
        case .discard, .writeZeroes:
            let isOffered = has(kind == .discard ? Bit.discard : Bit.writeZeroes)
            guard isOffered, let range = chain.read(Self.headerSize, count: Self.rangeSize) else {
                return end(chain, queue, .unsupported)
            }
            beginRange(kind, ByteReader(range), chain, queue)
        }
    }

    /// Where the data of a request is on the disk; nil: not on it, or in parts of blocks.
    private func place(_ sector: UInt64, _ windows: [DMAWindow]) -> UInt64? {
        disk.place(sector, unit: Self.sector, bytes: UInt64(windows.byteCount))
    }

    private func beginRange(_ kind: Kind, _ range: ByteReader, _ chain: Chain, _ queue: VirtQueue) {
        let sector = range.value(0, as: UInt64.self), count = range.value(8, as: UInt32.self)
        let flags = range.value(12, as: UInt32.self)
        let mayUnmap = flags & 1 != 0
        if flags & ~1 != 0 || kind == .discard && mayUnmap { return end(chain, queue, .unsupported) }
        let bytes = UInt64(count) * Self.sector
        guard count <= Self.mostSectors, let offset = disk.place(sector, unit: Self.sector, bytes: bytes),
            !disk.isReadOnly
        else {
            return end(chain, queue, .error)
        }
        submit(
            kind == .discard
                ? .discard(offset: offset, count: bytes)
                : .writeZeroes(offset: offset, count: bytes, mayUnmap: mayUnmap), chain, queue)
    }

    private func submit(
        _ operation: BlockOperation, _ chain: Chain, _ queue: VirtQueue, reads: [DMAWindow] = []
    ) {
        disk.submit(operation) { [unowned self] error in
            for window in reads { window.wrote(0..<window.bytes.count) }
            end(chain, queue, error == nil ? .ok : .error, written: reads.byteCount)
        }
    }

    private func end(_ chain: Chain, _ queue: VirtQueue, _ status: Status, written: Int = 0) {
        let last = chain.writableCount - 1
        chain.write([status.rawValue], at: last)
        // Of an error only the status counts, which lies behind the data.
        giveBack(chain, to: queue, written: status == .ok ? written + 1 : last + 1)
    }
}
