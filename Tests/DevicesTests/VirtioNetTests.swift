import CharLayer
import HostOS
import NetLayer
import Options
import SystemKit
import TestSupport
import Testing
import Virtio

/// Remembers what a card sends.
private final class TestCable: NetBackend, @unchecked Sendable {
    var sent: [[UInt8]] = []
    var long = false
    var pairs = 1
    var cuts = false
    /// By which of its queues a card has sent, and what stood before segments.
    var queues: [Int] = [], headers: [[UInt8]] = []
    override var takesLongSegments: Bool { long }
    override var queuePairs: Int { pairs }
    override var cutsSegments: Bool { cuts }
    override func send(_ frame: UnsafeRawBufferPointer, queue: Int) {
        sent.append(Array(frame))
        queues.append(queue)
    }
    override func send(segment: UnsafeRawBufferPointer, header: ArraySlice<UInt8>, queue: Int) {
        sent.append(Array(segment))
        headers.append(Array(header))
    }
    func deliver(_ frame: [UInt8], queue: Int = 0) { frame.withUnsafeBytes { deliver($0, queue: queue) } }
}

@Suite struct VirtioNetTests {
    private static let merged: UInt64 = 1 << 15
    private let cable = TestCable(name: "n")

    private func make(_ layout: RingLayout = RingLayout(), _ features: UInt64 = 0, queue: Int = 0) throws -> TestDriver
    {
        let driver = try TestDriver(
            layout, VirtioNet.init, VirtioNet.descriptor, "rx_queue_size=16,tx_queue_size=16"
        ) { $0.network = cable }
        driver.queue = queue
        driver.start(features)
        return driver
    }

    private let data = TestDriver.buffers + 0x1000

    /// Sends a frame behind a header.
    private func send(_ driver: TestDriver, _ header: [UInt8], _ frame: [UInt8]) throws {
        #expect(driver.memory.store(data, bytes: header + frame))
        let half = UInt32(header.count + frame.count / 2)
        let id = driver.offer([
            Piece(address: data, count: half),
            Piece(address: data + UInt64(half), count: UInt32(header.count + frame.count) - half),
        ])
        let used = try #require(driver.used())
        #expect(used == (id, 0))
    }

    private static let header = [UInt8](repeating: 0, count: 12)

    @Test(arguments: RingLayout.all) func framesGoOut(_ layout: RingLayout) throws {
        let driver = try make(layout, queue: 1)
        for count in [14, 60, 61, 1514, 1518] {
            let frame = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
            try send(driver, Self.header, frame)
            #expect(cable.sent.last == frame)
        }
        try send(driver, Self.header, Array(repeating: 1, count: 1519))
        #expect(cable.sent.count == 5, "longer than a frame")
        #expect(!driver.needsReset)
    }

    /// Values of RFC 1071, section 3: the words 0001, f203, f4f5 and f6f7 sum up to ddf2.
    @Test func checkSumsAreFilledIn() throws {
        #expect(InternetCheckSum.sum([0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]) == 0xddf2)
        #expect(InternetCheckSum.sum([1]) == 0x100)
        let driver = try make(RingLayout(), 1, queue: 1)
        var frame = [UInt8](repeating: 0, count: 64)
        frame.replaceSubrange(40..<48, with: [0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7])
        var header = Self.header
        (header[0], header[6], header[8]) = (1, 34, 16)
        try send(driver, header, frame)
        let sum = ~(0xddf2 as UInt16)
        #expect(cable.sent.last?[50...51] == [UInt8(sum >> 8), UInt8(sum & 255)])
        for (start, offset) in [(63, 0), (64, 0), (0, 63), (255, 255)] as [(UInt8, UInt8)] {
            (header[6], header[8], header[7], header[9]) = (start, offset, 0, 0)
            try send(driver, header, frame)
        }
        (header[7], header[9]) = (255, 255)
        try send(driver, header, frame)
        #expect(cable.sent.count == 1 && !driver.needsReset, "outside of the frame")
    }

    @Test(arguments: RingLayout.all) func framesComeIn(_ layout: RingLayout) throws {
        let driver = try make(layout)
        for count in [60, 200, 1514] {
            let id = driver.offer([Piece(address: data, count: 1600, isWritten: true)])
            let frame = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 5) }
            cable.deliver(frame)
            let used = try #require(driver.used())
            #expect(used == (id, UInt32(count + 12)) && driver.isInterrupted)
            #expect(driver.memory.bytes(data + 12, count: count) == frame)
            #expect(driver.memory.load(data + 10, as: UInt16.self) == 1)
            driver.acknowledge()
        }
        driver.offer([Piece(address: data, count: 1600, isWritten: true)])
        cable.deliver([1, 2, 3])
        #expect(driver.used()?.written == 72, "a short frame is filled")
    }

    @Test func whatComesBeforeThereIsRoomIsKept() throws {
        let driver = try make()
        for index in 0..<600 { cable.deliver(Array(repeating: UInt8(truncatingIfNeeded: index), count: 60)) }
        var seen = 0
        while seen < 600 {
            driver.offer([Piece(address: data, count: 100, isWritten: true)])
            guard driver.used(waits: false) != nil else { break }
            #expect(driver.memory.load(data + 12, as: UInt8.self) == UInt8(truncatingIfNeeded: seen))
            seen += 1
        }
        #expect(seen == 512, "and what is too much is lost")
    }

    @Test func aFrameTakesSeveralBuffersWhereThatIsAgreedOn() throws {
        let driver = try make(RingLayout(), Self.merged)
        let frame = (0..<150).map { UInt8($0) }
        for index in 0..<2 as Range<UInt64> {
            driver.offer([Piece(address: data + 64 * index, count: 64, isWritten: true)])
        }
        cable.deliver(frame)
        #expect(driver.used(waits: false) == nil, "there is not room for all of it")
        driver.offer([Piece(address: data + 128, count: 64, isWritten: true)])
        #expect((0..<3).map { _ in driver.used()?.written } == [64, 64, 34])
        #expect(driver.memory.load(data + 10, as: UInt16.self) == 3)
        #expect(driver.memory.bytes(data + 12, count: 150) == frame)
    }

    @Test func buffersOfBeforeAResetAreForgotten() throws {
        let driver = try make(RingLayout(), Self.merged)
        driver.offer([Piece(address: data, count: 64, isWritten: true)])
        cable.deliver(Array(repeating: 1, count: 100))
        driver.start(Self.merged)
        #expect(driver.memory.fill(data, count: 64))
        driver.offer([Piece(address: data + 4096, count: 200, isWritten: true)])
        cable.deliver(Array(repeating: 2, count: 100))
        #expect(driver.used()?.written == 112)
        #expect(driver.memory.bytes(data, count: 64)?.allSatisfy { $0 == 0 } == true)
        #expect(driver.memory.bytes(data + 4096 + 12, count: 100) == Array(repeating: 2, count: 100))
    }

    /// Eight small buffers, and a frame that needs more: the card has taken all of them.
    private func makeFull(_ layout: RingLayout) throws -> TestDriver {
        let driver = try make(layout, Self.merged)
        for index in 0..<8 as Range<UInt64> {
            driver.offer([Piece(address: data + 64 * index, count: 64, isWritten: true)])
        }
        cable.deliver(Array(repeating: 1, count: 1500))
        driver.turn()
        #expect(driver.used(waits: false) == nil && !driver.needsReset)
        return driver
    }

    @Test(arguments: [RingLayout(), RingLayout(packed: true)])
    func noMoreBuffersAreTakenThanThereArePlaces(_ layout: RingLayout) throws {
        let driver = try makeFull(layout)
        if layout.packed {
            // As in the second round, although nothing has been used.
            for index in 0..<8 as Range<UInt64> {
                #expect(driver.memory.store(TestDriver.descriptors + 16 * index + 14, UInt16(0x8002)))
            }
        } else {
            #expect(driver.memory.store(TestDriver.driverArea + 2, UInt16(16)))
        }
        driver.notify()
        driver.turn()
        #expect(driver.needsReset)
    }

    /// A queue that is stopped and begun anew with fewer places gets nothing back that was taken before.
    @Test func aQueueThatBeginsAnewForgetsWhatWasTaken() throws {
        let driver = try makeFull(RingLayout(packed: true))
        driver.transport.put(0x30, 0)
        driver.transport.put(0x44, 0)
        driver.transport.put(0x38, 2)
        #expect(driver.memory.fill(TestDriver.descriptors, count: 16 * 8))
        #expect(driver.memory.store(TestDriver.descriptors, data + 0x1000))
        #expect(driver.memory.store(TestDriver.descriptors + 8, UInt32(4096)))
        #expect(driver.memory.store(TestDriver.descriptors + 14, UInt16(0x82)))
        driver.transport.put(0x44, 1)
        driver.notify()
        driver.turn()
        #expect(!driver.needsReset)
        #expect(
            driver.memory.load(TestDriver.descriptors + 14, as: UInt16.self) == 0x8082,
            "the one of the new queue is used")
        #expect(driver.memory.load(TestDriver.descriptors + 16 + 14, as: UInt16.self) == 0)
    }

    @Test func withoutThatAFrameThatDoesNotFitIsLost() throws {
        let driver = try make()
        driver.offer([Piece(address: data, count: 64, isWritten: true)])
        cable.deliver(Array(repeating: 1, count: 100))
        #expect(driver.used()?.written == 0 && !driver.needsReset)
    }

    @Test func badBuffersStopTheDevice() throws {
        let sender = try make(queue: 1)
        sender.offer([Piece(address: data, count: 11)])
        sender.turn()
        #expect(sender.needsReset)
        let receiver = try make()
        receiver.offer([Piece(address: data, count: 11, isWritten: true)])
        cable.deliver(Array(repeating: 1, count: 60))
        #expect(receiver.needsReset)
        cable.deliver(Array(repeating: 1, count: 60))
        receiver.start()
        receiver.offer([Piece(address: data, count: 100, isWritten: true)])
        #expect(receiver.used(waits: false) == nil, "nothing of before the reset comes in")
    }

    @Test(arguments: RingLayout.all) func pairsOfQueuesKeepFlowsApart(_ layout: RingLayout) throws {
        let several: UInt64 = 1 << 22, commands: UInt64 = 1 << 17, control = 6
        cable.pairs = 3
        let driver = try TestDriver(
            layout, VirtioNet.init, VirtioNet.descriptor, "rx_queue_size=16,tx_queue_size=16,mq=on"
        ) { $0.network = cable }
        #expect(driver.deviceFeatures() & several != 0)
        if !layout.pci { #expect(driver.transport.get(0x108, size: 2) == 3) }
        driver.queue = control
        driver.start(several | commands, more: [0, 1, 2, 3, 4, 5])
        func use(_ bytes: [UInt8]) throws -> UInt8 {
            driver.queue = control
            #expect(driver.memory.store(data, bytes: [4, 0] + bytes))
            driver.offer([
                Piece(address: data, count: UInt32(2 + bytes.count)),
                Piece(address: data + 64, count: 1, isWritten: true),
            ])
            #expect(try #require(driver.used()).written == 1)
            return driver.memory.load(data + 64, as: UInt8.self)!
        }
        /// By which queue a frame comes that has come by one of the cable's.
        func comesBy(_ queue: Int) throws -> Int? {
            cable.deliver([UInt8](repeating: UInt8(queue), count: 60), queue: queue)
            for number in [0, 2, 4] {
                driver.queue = number
                if driver.used(waits: false) != nil {
                    driver.offer([Piece(address: data + 0x100, count: 1600, isWritten: true)])
                    return number
                }
            }
            return nil
        }
        for number in [0, 2, 4] {
            driver.queue = number
            driver.offer([Piece(address: data + 0x100, count: 1600, isWritten: true)])
        }
        #expect(try (0..<3).map(comesBy) == [0, 0, 0], "one pair, until the driver says more")
        #expect(try use([3, 0]) == 0 && (0..<3).map(comesBy) == [0, 2, 4])
        #expect(try use([2, 0]) == 0 && (0..<3).map(comesBy) == [0, 2, 0])
        for wrong in [[0, 0], [4, 0], [0, 1], [1], [], [1, 0, 0]] as [[UInt8]] { #expect(try use(wrong) == 1) }
        for number in [1, 3, 5] {
            driver.queue = number
            try send(driver, Self.header, [UInt8](repeating: 1, count: 60))
        }
        #expect(cable.queues == [0, 1, 2] && !driver.needsReset)
        // A driver that has not agreed has one pair, and commands behind it.
        driver.queue = 2
        driver.start(commands, more: [3])
        #expect(driver.memory.store(data, bytes: [4, 0, 2, 0]))
        driver.offer([Piece(address: data, count: 4), Piece(address: data + 64, count: 1, isWritten: true)])
        #expect(try #require(driver.used()).written == 1 && driver.memory.load(data + 64, as: UInt8.self) == 1)
        driver.queue = 3
        driver.offer([Piece(address: data, count: 72)])
        #expect(driver.used(waits: false) == nil && cable.queues.count == 3)
        // A cable without several.
        cable.pairs = 1
        let plain = try TestDriver(layout, VirtioNet.init, VirtioNet.descriptor, "mq=on") { $0.network = cable }
        #expect(plain.deviceFeatures() & several == 0)
    }

    @Test func theConfigurationHasTheAddress() throws {
        let driver = try make()
        #expect(driver.memory.map.ranges.count > 0)
        #expect((0..<6).map { driver.transport.get(0x100 + $0, size: 1) } == [0x52, 0x54, 0, 0x12, 0x34, 0x56])
        #expect(driver.transport.get(0x106, size: 2) == 1, "the link is up")
    }

    // MARK: long segments

    private static let allLong: UInt64 = 1 | 1 << 11 | 1 << 12 | 1 << 13

    @Test(arguments: [false, true]) func longSegmentsAreCut(_ isIPv6: Bool) throws {
        let driver = try make(RingLayout(), Self.allLong, queue: 1)
        let segment = TestSegment(isIPv6: isIPv6, data: 60_001)
        try send(driver, segment.header(size: 1400), segment.frame)
        #expect(cable.sent.count == 43)
        segment.check(cable.sent, size: 1400)
        #expect(!driver.needsReset)
        cable.sent = []
        cable.long = true
        try send(driver, segment.header(size: 1400), segment.frame)
        segment.check(cable.sent, size: .max)
        cable.sent = []
        cable.long = false
        // Jumbo frames that would not fit are lost, and what is no long segment too.
        try send(driver, segment.header(size: 6000), segment.frame)
        #expect(cable.sent.count == 1, "the last one is short enough")
        cable.sent = []
        for (at, value) in [(0, 0), (1, 3), (1, 0x43), (4, 0), (6, 20), (7, 255), (1, isIPv6 ? 1 : 4)] as [(Int, UInt8)]
        {
            var header = segment.header(size: 200)
            header[at] = value
            try send(driver, header, segment.frame)
            #expect(cable.sent.isEmpty && !driver.needsReset, "byte \(at) is \(value)")
        }
    }

    @Test func segmentsGoAsTheyAreToWhoCutsThem() throws {
        let driver = try make(RingLayout(), Self.allLong, queue: 1)
        cable.cuts = true
        let segment = TestSegment(isIPv6: false, data: 60_001), header = segment.header(size: 1400)
        try send(driver, header, segment.frame)
        #expect(cable.sent == [segment.frame] && cable.headers == [header])
        try send(driver, segment.header(size: 1400, kind: 3), segment.frame)
        #expect(cable.sent.count == 1, "one that is none of TCP")
    }

    @Test func whatHasNotBeenAgreedOnIsLost() throws {
        let driver = try make(RingLayout(), 1 | 1 << 11, queue: 1)
        let six = TestSegment(isIPv6: true, data: 4000), four = TestSegment(isIPv6: false, data: 4000)
        try send(driver, six.header(size: 1400), six.frame)
        try send(driver, four.header(size: 1400, kind: 0x81), four.frame)
        #expect(cable.sent.isEmpty && !driver.needsReset)
        try send(driver, four.header(size: 1400), four.frame)
        #expect(cable.sent.count == 3)
    }
}

/// A TCP segment with a VLAN tag, options in its headers and data that is known.
private struct TestSegment {
    let isIPv6: Bool
    let frame: [UInt8]
    private let network = 18
    private var transport: Int { network + (isIPv6 ? 48 : 24) }
    private var data: Int { transport + 32 }
    private static let sequence: UInt32 = 0xffff_f000
    // FIN, PSH, ACK and CWR.
    private static let flags: UInt8 = 0x99

    init(isIPv6: Bool, data count: Int) {
        self.isIPv6 = isIPv6
        var bytes = [UInt8](repeating: 0x52, count: 12) + [0x81, 0, 0, 7] + (isIPv6 ? [0x86, 0xdd] : [8, 0])
        if isIPv6 {
            // An extension header of eight bytes: options for each hop.
            bytes += [0x60, 0, 0, 0, 0, 0, 0, 64] + (0..<32).map { $0 * 3 } + [6, 0, 1, 4, 0, 0, 0, 0]
        } else {
            bytes += [0x46, 0, 0, 0, 0xff, 0xff, 0, 0, 64, 6, 0, 0, 10, 0, 2, 15, 10, 0, 2, 2, 1, 1, 1, 0]
        }
        bytes += [0x12, 0x34, 0, 80] + [0xff, 0xff, 0xf0, 0] + [0, 0, 0, 9] + [8 << 4, Self.flags, 1, 0]
        bytes += [0xab, 0xcd, 0, 0] + [UInt8](repeating: 1, count: 12)
        frame = bytes + (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
    }

    func header(size: UInt16, kind: UInt8? = nil) -> [UInt8] {
        [1, kind ?? (isIPv6 ? 4 : 1), 0, 0, UInt8(size & 255), UInt8(size >> 8), UInt8(transport), 0, 16, 0, 0, 0]
    }

    private func word(_ bytes: [UInt8], _ at: Int) -> Int { Int(bytes[at]) << 8 | Int(bytes[at + 1]) }

    /// That frames have the segment's data, `size` bytes each, and headers that are right.
    func check(_ frames: [[UInt8]], size: Int) {
        var start = 0
        for (index, bytes) in frames.enumerated() {
            let count = bytes.count - data, isLast = index == frames.count - 1
            #expect(isLast ? count <= size : count == size)
            #expect(bytes[..<network] == frame[..<network])
            #expect(bytes[data...] == frame[(data + start)..<(data + start + count)])
            let seen = UInt32(word(bytes, transport + 4)) << 16 | UInt32(word(bytes, transport + 6))
            #expect(seen == Self.sequence &+ UInt32(start))
            #expect(bytes[transport + 13] == Self.flags & ~(isLast ? 0 : 9) & ~(index == 0 ? 0 : 0x80))
            let addresses: ArraySlice<UInt8>
            if isIPv6 {
                addresses = bytes[(network + 8)..<(network + 40)]
                #expect(word(bytes, network + 4) == bytes.count - network - 40)
            } else {
                addresses = bytes[(network + 12)..<(network + 20)]
                #expect(word(bytes, network + 2) == bytes.count - network)
                #expect(word(bytes, network + 4) == (0xffff + index) & 0xffff)
                #expect(InternetCheckSum.sum(bytes[network..<transport]) == 0xffff)
            }
            let length = bytes.count - transport
            let all = addresses + [0, 6, UInt8(length >> 8), UInt8(length & 255)] + bytes[transport...]
            #expect(InternetCheckSum.sum(all) == 0xffff)
            start += count
        }
        #expect(start == frame.count - data)
    }
}

@Suite struct LongSegmentTests {
    /// Whatever the headers say, no byte outside of them is read, and the data comes out whole.
    @Test(.seeded(11)) func randomHeadersAreHarmless() throws {
        var random = SeededRandom(seed: Seed.current)
        var kinds = 0
        for _ in 0..<Rounds.count(20_000) {
            let isIPv6 = random.chance(50)
            var frame = TestSegment(isIPv6: isIPv6 != random.chance(10), data: random.below(300)).frame
            for _ in 0..<random.below(4) { frame[random.below(60)] = UInt8(truncatingIfNeeded: random.next()) }
            if random.chance(25) { frame.removeLast(random.below(frame.count)) }
            let transport = random.chance(30) ? random.below(0x1_0000) : isIPv6 ? 66 : 42
            guard let segment = LongSegment(frame, transport: transport, isIPv6: isIPv6) else { continue }
            kinds |= isIPv6 ? 2 : 1
            var count = 0, last: [UInt8] = []
            segment.cut(size: 1 + random.below(200)) {
                last = $0
                count += 1
            }
            #expect(segment.whole.count == frame.count && count >= 1 && last.count <= frame.count)
        }
        #expect(kinds == 3)
    }
}

@Suite struct UserNetworkTests {
    @Test func addressesAndNetworksAreRead() {
        #expect(IPv4("10.0.2.15")?.value == 0x0a00_020f && IPv4("255.255.255.255")?.description == "255.255.255.255")
        for text in ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.-4", "1..2.3", "a.b.c.d", "1.2.3.0004"] {
            #expect(IPv4(text) == nil, "\(text)")
        }
        #expect(IPv4Network("192.168.7.9/16")?.address == IPv4("192.168.0.0"))
        #expect(IPv4Network("10.1.2.3")?.mask == IPv4("255.255.255.0"))
        #expect(IPv4Network("10.0.0.0/255.255.128.0")?.mask == IPv4("255.255.128.0"))
        for text in ["10.0.0.0/33", "10.0.0.0/0", "10.0.0.0/255.0.255.0", "10.0.0.0/", "/8", "10.0.0.0/8/8"] {
            #expect(IPv4Network(text) == nil, "\(text)")
        }
    }

    @Test func forwardsAreRead() throws {
        let forward = try #require(PortForward("tcp:127.0.0.1:2222-:22"))
        #expect(forward.hostAddress == IPv4("127.0.0.1") && forward.hostPort == 2222 && forward.guestPort == 22)
        #expect(!forward.isUDP && forward.guestAddress == nil)
        #expect(PortForward("udp::53-10.0.2.20:53")?.guestAddress == IPv4("10.0.2.20"))
        #expect(PortForward("::1-:1") != nil, "tcp is what it is without a word")
        for text in [
            "", "tcp", "tcp:1-2", "tcp::1", "tcp::1-:", "tcp::1-:0", "tcp::70000-:1", "icmp::1-:1", "tcp:x:1-:1",
        ] {
            #expect(PortForward(text) == nil, "\(text)")
        }
    }

    @Test func forwardsOfTheGuestsAreRead() throws {
        let command = try #require(try GuestForward("tcp:10.0.2.100:80-cmd:cat -u"))
        #expect(command.target == .command("cat -u") && command.port == 80 && command.address == IPv4("10.0.2.100"))
        #expect(try GuestForward(":10.0.2.1:1-chardev:c")?.target == .device(.named("c")))
        let remote = CharSpec.device(CharDevice(.socket(SocketOptions(.inet(host: "10.1.1.1", port: "4321")))))
        #expect(try GuestForward("tcp:10.0.2.1:1-tcp:10.1.1.1:4321")?.target == .device(remote))
        for text in [
            "x", "tcp:10.0.2.1:1", "tcp:10.0.2.1:1-", "tcp:10.0.2.1:1-cmd:", "tcp:10.0.2.1:0-null",
            "udp:10.0.2.1:1-null",
        ] {
            #expect(try GuestForward(text) == nil, "\(text)")
        }
        #expect(throws: OptionError.self) { try GuestForward("tcp:10.0.2.1:1-nonsense") }
    }

    @Test func whatDoesNotFitIsRefused() throws {
        var spec = UserNetworkSpec()
        try spec.set("net", "192.168.1.0/24")
        try spec.check()
        try spec.set("host", "10.0.2.2")
        #expect { try spec.check() } throws: { "\($0)".contains("host=10.0.2.2") && "\($0)".contains("192.168.1.0") }
        for (key, value) in [("net", "x"), ("restrict", "maybe"), ("hostfwd", "22"), ("nonsense", "1"), ("dns", "1")] {
            #expect(throws: NetError.self) { try spec.set(key, value) }
        }
    }

    /// Who asks for the address of the host's end is told (RFC 826), by the loop's turns alone.
    @Test func theHostAnswers() throws {
        let machine = try TestMachine()
        let network = try UserNetwork(name: "n", UserNetworkSpec())
        try network.start(machine.board.loop, under: machine.board.domain.lock)
        let card = Listener()
        network.attach(card)
        let request: [UInt8] =
            Array(repeating: 0xff, count: 6) + [0x52, 0x54, 0, 0x12, 0x34, 0x56, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]
            + [0x52, 0x54, 0, 0x12, 0x34, 0x56, 10, 0, 2, 15] + [0, 0, 0, 0, 0, 0, 10, 0, 2, 2]
            + Array(repeating: 0, count: 18)
        machine.board.domain.lock.withLock {
            request.withUnsafeBytes { network.transmit($0) }
            network.hasSent()
        }
        let end = HostClock.monotonic() + 5_000_000_000
        while card.frames.isEmpty, HostClock.monotonic() < end { machine.board.loop.turn(waits: false) }
        let answer = try #require(card.frames.first)
        #expect(answer[12..<14] == [8, 6] && answer[20..<22] == [0, 2] && answer[28..<32] == [10, 0, 2, 2])
    }

    private final class Listener: NetCard {
        let name = "card", summary = "type=nic"
        func linkHasChanged() {}
        var frames: [[UInt8]] = []
        func receive(_ frame: UnsafeRawBufferPointer, queue: Int) { frames.append(Array(frame)) }
    }
}
