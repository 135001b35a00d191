// A network card. (Virtio 1.2, 5.1)
//
//     header of a frame: flags (1), kind of segmentation (1), length of headers (2), size of segments (2), check sum from (2),
//                        check sum at (2), count of buffers (2)

import EventLoop
import NetLayer
import SystemKit

public final class VirtioNet: VirtioDevice, NetCard, @unchecked Sendable {
    public override class var kind: UInt32 { 1 }
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "virtio-net-device", "a network card",
            [
                Property("netdev", .network, "", "what its cable leads to: an identifier of -netdev; none: nothing"),
                Property("mac", .mac, "", "its address; the first card's is 52:54:00:12:34:56 unless given"),
                Property("rx_queue_size", .number(16...1024), "256", "places for frames that come in, a power of two"),
                Property("tx_queue_size", .number(16...1024), "256", "places for frames that go out, a power of two"),
                Property("mrg_rxbuf", .flag, "on", "a frame may take several buffers"),
                Property("csum", .flag, "on", "check sums of frames that go out are filled in"),
                Property(
                    "host_tso4", .flag, "on", "long TCP segments of IPv4 that go out are cut into frames; it needs csum"
                ),
                Property("host_tso6", .flag, "on", "the same for IPv6"),
                Property("host_ecn", .flag, "on", "also those that tell of congestion"),
                Property("guest_csum", .flag, "on", "the guest need not look at check sums of what comes in"),
                Property(
                    "guest_tso4", .flag, "on",
                    "TCP segments of IPv4 that come in one after the other become long ones; it needs guest_csum"),
                Property("guest_tso6", .flag, "on", "the same for IPv6"),
                Property("status", .flag, "on", "the guest sees whether the cable is connected"),
                Property(
                    "host_mtu", .number(0...65535), "0", "bytes of data in a frame that the guest is told; 0: nothing"),
                Property("ctrl_vq", .flag, "on", "the guest says by a queue of commands what comes in"),
                Property("ctrl_rx", .flag, "on", "which addresses; it needs ctrl_vq, as all that follow"),
                Property("ctrl_rx_extra", .flag, "on", "more about which addresses"),
                Property("ctrl_vlan", .flag, "on", "which virtual LANs"),
                Property("ctrl_mac_addr", .flag, "on", "its own address"),
                Property("mq", .flag, "off", "as many pairs of queues as its cable has; it needs ctrl_vq"),
            ] + [.bootIndex] + commonProperties)
    }
    public override class var bootName: String? { "ethernet-phy@0" }
    public override class func queueLimits(_ context: DeviceContext) -> [UInt16] {
        let properties = context.properties
        let pair = [UInt16(properties.number("rx_queue_size")), UInt16(properties.number("tx_queue_size"))]
        return (0..<pairCount(context)).flatMap { _ in pair } + (properties.flag("ctrl_vq") ? [controlPlaces] : [])
    }

    private static func pairCount(_ context: DeviceContext) -> Int {
        context.properties.flag("mq") && context.properties.flag("ctrl_vq") ? context.network?.queuePairs ?? 1 : 1
    }

    /// What is wrong with a combination of properties.
    public static func check(_ properties: Properties) -> String? {
        let mtu = properties.number("host_mtu")
        if 1..<shortestMTU ~= mtu { return "host_mtu=\(mtu): wanted 0, or \(shortestMTU) to 65535" }
        return properties.firstNoPowerOfTwo(["rx_queue_size", "tx_queue_size"])
    }

    enum Bit {
        static let checkSum: UInt64 = 1 << 0, guestCheckSum: UInt64 = 1 << 1, mtu: UInt64 = 1 << 3
        static let address: UInt64 = 1 << 5, incomingLong4: UInt64 = 1 << 7, incomingLong6: UInt64 = 1 << 8
        static let long4: UInt64 = 1 << 11, long6: UInt64 = 1 << 12, longECN: UInt64 = 1 << 13
        static let merged: UInt64 = 1 << 15, status: UInt64 = 1 << 16
        static let control: UInt64 = 1 << 17, controlReceive: UInt64 = 1 << 18, controlVLAN: UInt64 = 1 << 19
        static let controlReceiveMore: UInt64 = 1 << 20, pairs: UInt64 = 1 << 22, controlAddress: UInt64 = 1 << 23
    }
    private enum HeaderFlag { static let needsCheckSum: UInt8 = 1, isValid: UInt8 = 2 }
    /// What is long in a frame. (5.1.6)
    private enum Segmentation {
        static let none: UInt8 = 0, tcp4: UInt8 = 1, tcp6: UInt8 = 4, ecn: UInt8 = 0x80
    }
    private static let headerSize = 12
    /// Frames that are kept until the driver has buffers for them.
    private static let keptFrames = 512
    private static let linkIsUp: UInt16 = 1
    private static let controlPlaces: UInt16 = 64
    /// RFC 791: what every host takes.
    private static let shortestMTU: UInt64 = 68
    /// The first card's address; the last byte counts.
    private static let firstAddress: [UInt8] = [0x52, 0x54, 0, 0x12, 0x34, 0x56]

    private let network: NetBackend?
    private let firstOwn: [UInt8]
    /// Its address now. A driver may choose another one.
    var address: [UInt8]
    var filter = ReceiveFilter()
    /// A queue for what comes in, and one for what goes out.
    private final class Pair {
        let number: Int
        let incoming: VirtQueue
        let outgoing: VirtQueue
        /// What came in and the driver has not got yet, oldest first.
        var kept: [IncomingFrame] = []
        var keptSegments = 0
        /// Buffers that are taken and not used yet, because a frame needs more of them than there are.
        var begun: [Chain] = []
        var receiver: BottomHalf!
        var sender: BottomHalf!

        init(_ number: Int, _ incoming: VirtQueue, _ outgoing: VirtQueue) {
            (self.number, self.incoming, self.outgoing) = (number, incoming, outgoing)
        }

        func forget() {
            kept = []
            keptSegments = 0
            begun = []
        }
    }
    private var pairs: [Pair] = []
    /// Those that frames come by.
    var usedPairs = 1
    private var frame: [UInt8] = []

    public required init(_ context: DeviceContext) {
        network = context.network
        var standard = Self.firstAddress
        standard[5] &+= UInt8(truncatingIfNeeded: context.number)
        firstOwn = macAddress(context.properties.text("mac")) ?? standard
        address = firstOwn
        super.init(context)
        pairs = (0..<Self.pairCount(context)).map { number in
            let pair = Pair(number, queue(2 * number), queue(2 * number + 1))
            pair.sender = bottomHalf { [unowned self, unowned pair] in sendAll(pair) }
            pair.receiver = bottomHalf { [unowned self, unowned pair] in tryToReceive(pair) }
            return pair
        }
        network?.attach(self)
    }

    /// Those that there are, as far as the driver knows.
    var pairCount: Int { has(Bit.pairs) ? pairs.count : 1 }

    public override var kindFeatures: UInt64 {
        var bits = Bit.address
        if properties.flag("status") { bits |= Bit.status }
        if properties.number("host_mtu") > 0 { bits |= Bit.mtu }
        if properties.flag("ctrl_vq") {
            bits |= Bit.control
            if properties.flag("ctrl_rx") { bits |= Bit.controlReceive }
            if properties.flag("ctrl_rx_extra") { bits |= Bit.controlReceiveMore }
            if properties.flag("ctrl_vlan") { bits |= Bit.controlVLAN }
            if properties.flag("ctrl_mac_addr") { bits |= Bit.controlAddress }
            if pairs.count > 1 { bits |= Bit.pairs }
        }
        if properties.flag("mrg_rxbuf") { bits |= Bit.merged }
        if properties.flag("csum") {
            bits |= Bit.checkSum
            if properties.flag("host_tso4") { bits |= Bit.long4 }
            if properties.flag("host_tso6") { bits |= Bit.long6 }
            if properties.flag("host_ecn"), bits & (Bit.long4 | Bit.long6) != 0 { bits |= Bit.longECN }
        }
        if properties.flag("guest_csum") {
            bits |= Bit.guestCheckSum
            if properties.flag("guest_tso4") { bits |= Bit.incomingLong4 }
            if properties.flag("guest_tso6") { bits |= Bit.incomingLong6 }
        }
        return bits
    }

    public override var configuration: [UInt8] {
        var bytes = ByteWriter()
        for byte in address { bytes.add(byte) }
        bytes.add(network?.isLinkUp ?? true ? Self.linkIsUp : 0)
        bytes.add(UInt16(pairs.count))
        bytes.add(UInt16(properties.number("host_mtu")))
        return bytes.bytes
    }

    public func linkHasChanged() { changeConfiguration() }

    public override func started() { filter.choosesVLANs = has(Bit.controlVLAN) }

    public override func stopped() {
        for pair in pairs { pair.forget() }
        usedPairs = 1
        filter = ReceiveFilter()
        address = firstOwn
    }

    public override func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        try super.snapshot(&coder)
        try coder.field(&address)
        try filter.snapshot(&coder)
        var used = UInt16(usedPairs)
        try coder.field(&used, in: 1...UInt16(pairs.count))
        usedPairs = Int(used)
    }

    public override func notified(_ queue: VirtQueue) throws(RingFault) {
        // Behind the pairs that the driver knows commands come.
        if queue.index == 2 * pairCount { return try obey(queue) }
        guard queue.index < 2 * pairCount else { return guestError("queue \(queue.index) has not been agreed on") }
        let pair = pairs[queue.index / 2]
        if queue === pair.incoming { try receiveKept(pair) } else { pair.sender.schedule() }
    }

    /// The longest frame that goes out.
    private var longestFrame: Int {
        max(NetBackend.longestFrame, Int(properties.number("host_mtu")) + NetBackend.longestHeader)
    }

    // MARK: out

    /// What the guest does meanwhile does not wait for it: the loop's thread does it.
    private func sendAll(_ pair: Pair) {
        let outgoing = pair.outgoing
        guard outgoing.isReady else { return }
        do throws(RingFault) {
            try takeAll(outgoing) { chain throws(RingFault) in
                try send(chain, pair.number)
                outgoing.giveBack(chain, written: 0)
            }
            tell(outgoing)
        } catch { fail(error) }
        network?.hasSent()
    }

    private func send(_ chain: Chain, _ queue: Int) throws(RingFault) {
        let count = chain.readableCount - Self.headerSize
        guard count >= 0, let header = chain.read(count: Self.headerSize) else {
            throw .badRequest("a frame without its header of \(Self.headerSize) bytes")
        }
        let fields = ByteReader(header), isLong = header[1] != Segmentation.none
        // Longer ones have not been agreed on.
        guard count <= (isLong ? LongSegment.longest : longestFrame) else {
            return guestError("a frame of \(count) bytes")
        }
        frame.removeAll(keepingCapacity: true)
        for window in chain.readable.part(Self.headerSize..<Self.headerSize + count) { frame += window.bytes }
        if isLong { return sendLong(fields, queue) }
        if header[0] & HeaderFlag.needsCheckSum != 0 {
            let isInside = InternetCheckSum.complete(
                &frame, from: Int(fields.value(6, as: UInt16.self)), at: Int(fields.value(8, as: UInt16.self)))
            guard isInside else { return guestError("a check sum outside of its frame") }
        }
        sendFrame(frame, queue)
    }

    private func sendFrame(_ frame: [UInt8], _ queue: Int) {
        frame.withUnsafeBytes { network?.transmit($0, queue: queue) }
    }

    /// Sends `frame`, which is a segment that has not been cut into frames yet.
    private func sendLong(_ header: ByteReader, _ queue: Int) {
        let flags = header.bytes[0], kind = header.bytes[1], size = header.value(4, as: UInt16.self)
        let isIPv6 = kind & ~Segmentation.ecn == Segmentation.tcp6
        guard isIPv6 || kind & ~Segmentation.ecn == Segmentation.tcp4, has(isIPv6 ? Bit.long6 : Bit.long4),
            kind & Segmentation.ecn == 0 || has(Bit.longECN)
        else { return guestError("a segment of kind \(kind), which has not been agreed on") }
        // Where the sum begins is where TCP does. (5.1.6.2)
        guard flags & HeaderFlag.needsCheckSum != 0, size > 0,
            let segment = LongSegment(frame, transport: Int(header.value(6, as: UInt16.self)), isIPv6: isIPv6)
        else { return guestError("a long segment that is none of TCP") }
        guard let network else { return }
        if network.cutsSegments {
            return frame.withUnsafeBytes { network.transmit(segment: $0, header: header.bytes[...], queue: queue) }
        }
        if network.takesLongSegments { return sendFrame(segment.whole, queue) }
        segment.cut(size: Int(size)) { piece in
            if piece.count <= longestFrame { sendFrame(piece, queue) }
        }
    }

    public var summary: String {
        let digits = address.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
        return "type=nic,model=\(Self.descriptor.name),macaddr=\(digits)"
    }

    // MARK: in

    public func receive(_ frame: UnsafeRawBufferPointer, queue: Int) {
        let pair = pairs[queue % usedPairs]
        guard pair.incoming.isReady, !status.contains(.needsReset), status.contains(.driverOK),
            filter.takes(frame, own: UInt64(ethernet: address))
        else { return }
        guard pair.keptSegments < Self.keptFrames else { return tryToReceive(pair) }
        pair.keptSegments += 1
        let joins4 = has(Bit.incomingLong4), joins6 = has(Bit.incomingLong6)
        if let last = pair.kept.indices.last, pair.kept[last].append(frame) { return }
        pair.kept.append(IncomingFrame(frame, joins4: joins4, joins6: joins6))
        // What may become longer waits for the rest of what comes in this turn of the loop.
        if joins4 || joins6 { pair.receiver.schedule() } else { tryToReceive(pair) }
    }

    private func tryToReceive(_ pair: Pair) {
        do throws(RingFault) { try receiveKept(pair) } catch { fail(error) }
    }

    private func receiveKept(_ pair: Pair) throws(RingFault) {
        guard pair.incoming.isReady else { return }
        var done = 0
        while done < pair.kept.count, try put(&pair.kept[done], pair) {
            pair.keptSegments -= pair.kept[done].segments
            done += 1
        }
        pair.kept.removeFirst(done)
        if done > 0 { tell(pair.incoming) }
    }

    /// False: there is no room for it.
    private func put(_ frame: inout IncomingFrame, _ pair: Pair) throws(RingFault) -> Bool {
        let incoming = pair.incoming
        let total = Self.headerSize + frame.bytes.count, mayMerge = has(Bit.merged)
        var room = pair.begun.reduce(0) { $0 + $1.writableCount }
        while room < total {
            guard let chain = try incoming.next() else { return false }
            if chain.writableCount < Self.headerSize { throw .badRequest("a buffer has no room for a header") }
            if !mayMerge, chain.writableCount < total {
                // Nothing says what else to do: the frame is lost, the buffer is not.
                incoming.giveBack(chain, written: 0)
                return true
            }
            pair.begun.append(chain)
            room += chain.writableCount
        }
        let begun = pair.begun
        var header = [UInt8](repeating: 0, count: Self.headerSize)
        if has(Bit.guestCheckSum) { header[0] = HeaderFlag.isValid }
        if let long = frame.finish() {
            header[0] = HeaderFlag.needsCheckSum
            header[1] = long.isIPv6 ? Segmentation.tcp6 : Segmentation.tcp4
            for (at, value) in [(2, long.headers), (4, long.size), (6, long.transport), (8, long.checkSum)] {
                (header[at], header[at + 1]) = (UInt8(value & 255), UInt8(value >> 8))
            }
        }
        header[10] = UInt8(truncatingIfNeeded: begun.count)
        header[11] = UInt8(truncatingIfNeeded: begun.count >> 8)
        var rest = frame.bytes[...]
        for (index, chain) in begun.enumerated() {
            let start = index == 0 ? chain.write(header) : 0
            let count = chain.write(rest, at: start)
            rest = rest.dropFirst(count)
            incoming.giveBack(chain, written: start + count)
        }
        pair.begun = []
        return true
    }
}
