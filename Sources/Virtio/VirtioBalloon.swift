// A balloon in the guest's memory: pages that the guest puts into it are the host's until it takes them out again. (Virtio 1.2, 5.5)
//
//     queues: pages that go in, pages that come out, statistics, pages that are free
//     page: its number (4), of 4096 bytes each; statistic: tag (2), value (8); a page that is free is a buffer itself
//
// Drivers count only queues whose features have been agreed on.

import EventLoop
import SystemKit

public final class VirtioBalloon: VirtioDevice, BalloonControl, @unchecked Sendable {
    public override class var kind: UInt32 { 5 }
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "virtio-balloon-device", "memory that the guest gives back to the host",
            [
                Property("deflate-on-oom", .flag, "off", "the guest takes pages out by itself when it has none left"),
                Property("free-page-reporting", .flag, "off", "the guest gives back what is free without being asked"),
                Property("page-poison", .flag, "on", "the guest says what it fills free pages with"),
                Property(
                    "guest-stats-polling-interval", .number(0...UInt64(UInt32.max)), "0",
                    "seconds after which the guest is asked for statistics again; 0: it is not asked"),
            ] + commonProperties)
    }
    public override class func queueLimits(_ properties: Properties) -> [UInt16] {
        Array(repeating: 128, count: properties.flag("free-page-reporting") ? 4 : 3)
    }

    private enum Bit {
        static let statistics: UInt64 = 1 << 1, deflateOnOOM: UInt64 = 1 << 2, poison: UInt64 = 1 << 4
        static let reporting: UInt64 = 1 << 5
    }
    /// Where the driver's fields are in the configuration.
    private enum Offset { static let actual = 4..<8, poison = 12..<16 }
    private static let pageBits: UInt64 = 12
    private static let longestList = 1 << 20
    private static let statisticSize = 10
    /// By their tags. (5.5.6.3, and Linux for those from 10 on)
    private static let statisticNames = [
        "stat-swap-in", "stat-swap-out", "stat-major-faults", "stat-minor-faults", "stat-free-memory",
        "stat-total-memory", "stat-available-memory", "stat-disk-caches", "stat-htlb-pgalloc", "stat-htlb-pgfail",
        "stat-oom-kills", "stat-alloc-stalls", "stat-async-scans", "stat-direct-scans", "stat-async-reclaims",
        "stat-direct-reclaims",
    ]

    /// Pages that shall be in the balloon, and that the driver says are.
    private var wanted: UInt32 = 0, actual: UInt32 = 0
    /// What the guest fills free pages with.
    private var poison: UInt32 = 0
    /// By tag.
    private var values: [UInt64?] = []
    /// The buffer for statistics, which goes back when others are wanted.
    private var asking: Chain?
    private var poll: Timer!

    public required init(_ context: DeviceContext) {
        super.init(context)
        poll = timer(.virtual) { [unowned self] in askForStatistics() }
    }

    public override var kindFeatures: UInt64 {
        var bits = Bit.statistics
        if properties.flag("deflate-on-oom") { bits |= Bit.deflateOnOOM }
        if properties.flag("page-poison") { bits |= Bit.poison }
        if properties.flag("free-page-reporting") { bits |= Bit.reporting }
        return bits
    }

    public override var configuration: [UInt8] {
        var bytes = ByteWriter()
        bytes.add(wanted)
        bytes.add(actual)
        bytes.add(UInt32(0))  // No hints of free pages.
        bytes.add(poison)
        return bytes.bytes
    }

    public override func configure(_ offset: Int, _ value: UInt8) {
        func put(_ field: inout UInt32, _ index: Int) {
            field = field & ~(0xff &<< UInt32(8 * index)) | UInt32(value) &<< UInt32(8 * index)
        }
        if Offset.actual.contains(offset) { put(&actual, offset - Offset.actual.lowerBound) }
        if Offset.poison.contains(offset) { put(&poison, offset - Offset.poison.lowerBound) }
    }

    public override func started() {
        armPoll()
        // Linux has notified of its first statistics already, which was too early.
        notify(2)
    }

    public override func stopped() {
        (actual, poison) = (0, 0)
        values = []
        asking = nil
        poll.disarm()
    }

    // MARK: for the user

    private var memory: UInt64 {
        dma.map.ranges.reduce(0) { sum, range in
            if case .memory(let block) = range.content, !block.isReadOnly { sum + range.size } else { sum }
        }
    }

    public var size: UInt64 { memory - min(memory, UInt64(actual) << Self.pageBits) }

    public func setTarget(_ size: UInt64) {
        wanted = UInt32(clamping: (memory - min(memory, size)) >> Self.pageBits)
        changeConfiguration()
    }

    public var statistics: [(name: String, value: UInt64)] {
        zip(Self.statisticNames, values).compactMap { name, value in value.map { (name, $0) } }
    }

    // MARK: queues

    public override func notified(_ queue: VirtQueue) throws(RingFault) {
        let hasStatistics = has(Bit.statistics)
        switch queue.index {
        case 0:
            try takeAll(queue) { chain throws(RingFault) in
                try takeIn(chain)
                queue.giveBack(chain, written: 0)
            }
        case 1: try takeAll(queue) { chain throws(RingFault) in queue.giveBack(chain, written: 0) }
        case 2 where hasStatistics: return try takeStatistics(queue)
        default:
            try takeAll(queue) { chain throws(RingFault) in
                // What the guest expects in its pages stays there.
                if has(Bit.reporting), !has(Bit.poison) || poison == 0 {
                    for window in chain.writable { window.release() }
                }
                queue.giveBack(chain, written: 0)
            }
        }
        tell(queue)
    }

    private func takeIn(_ chain: Chain) throws(RingFault) {
        let count = chain.readableCount
        guard count <= Self.longestList, count % 4 == 0, let bytes = chain.read(count: count) else {
            throw .badRequest("a list of pages of \(count) bytes")
        }
        let list = ByteReader(bytes)
        let numbers = stride(from: 0, to: count, by: 4).map { UInt64(list.value($0, as: UInt32.self)) }.sorted()
        var first = 0
        while first < numbers.count {
            var end = first + 1
            while end < numbers.count, numbers[end] - numbers[end - 1] <= 1 { end += 1 }
            takeIn(numbers[first]...numbers[end - 1])
            first = end
        }
    }

    private func takeIn(_ pages: ClosedRange<UInt64>) {
        let start = pages.lowerBound << Self.pageBits
        if let window = dma.window(start, count: pages.count << Int(Self.pageBits), writes: true) {
            window.release()
        } else if pages.count > 1 {
            for page in pages { takeIn(page...page) }
        } else {
            guestError("page \(pages.lowerBound) is no RAM")
        }
    }

    // MARK: statistics

    private func takeStatistics(_ queue: VirtQueue) throws(RingFault) {
        try takeAll(queue) { chain throws(RingFault) in
            let count = chain.readableCount
            guard count <= Self.longestList, let bytes = chain.read(count: count) else {
                throw .badRequest("statistics of \(count) bytes")
            }
            if let asking { queue.giveBack(asking, written: 0) }
            asking = chain
            let list = ByteReader(bytes)
            values = Array(repeating: nil, count: Self.statisticNames.count)
            for at in stride(from: 0, through: count - Self.statisticSize, by: Self.statisticSize) {
                let tag = Int(list.value(at, as: UInt16.self))
                if values.indices.contains(tag) { values[tag] = list.value(at + 2, as: UInt64.self) }
            }
        }
        tell(queue)
    }

    private func armPoll() {
        let seconds = properties.number("guest-stats-polling-interval")
        if seconds > 0, has(Bit.statistics) { poll.arm(at: now(.virtual) + seconds * 1_000_000_000) }
    }

    private func askForStatistics() {
        armPoll()
        guard let chain = asking else { return }
        asking = nil
        giveBack(chain, to: queue(2), written: 0)
    }

    public override func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        try super.snapshot(&coder)
        try coder.field(&wanted)
        try coder.field(&actual)
        try coder.field(&poison)
    }
}
