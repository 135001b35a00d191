// A port of a console: bytes in both directions between a driver and a character back end.

import CharLayer
import EventLoop
import SystemKit

open class SerialPort: Device, @unchecked Sendable {
    /// A console says and hears what it likes. Any other port is opened by either side, and knows whether the other has it open.
    open var isConsole: Bool { false }

    static let commonProperties = [
        Property("chardev", .character, "", "where it leads: an identifier of -chardev; none: nobody is there"),
        Property("name", .text, "", "what the guest knows it by"),
        Property("nr", .numberOrNone(0...510), "", "its number; the first free one unless given"),
    ]
    /// Bytes that are sent without a pause, and that are taken from the host at once.
    private static let share = 1 << 16, inputShare = 4096

    /// What the driver is still to be told, in this order.
    struct News: OptionSet {
        let rawValue: UInt8
        static let exists = News(rawValue: 1), isConsole = News(rawValue: 2), name = News(rawValue: 4)
        static let openness = News(rawValue: 8)
    }

    private let backend: CharBackend
    /// Nobody can be there.
    private let hasBackend: Bool
    private weak var bus: VirtioSerial?
    public private(set) var number = 0
    var news: News = []
    /// The driver knows it.
    private var isKnown = false
    /// A program of the guest's has it open.
    private var isOpenInGuest = false
    /// A buffer of which only the first bytes have been sent.
    private var sending: (chain: Chain, done: Int)?
    /// What has come in, and found no room.
    private var waiting: [UInt8] = []
    private var goOn: BottomHalf!

    public required init(_ context: DeviceContext) {
        backend = context.backend ?? CharBackend()
        hasBackend = context.backend != nil
        super.init(context)
        goOn = bottomHalf { [unowned self] in trying { bus throws(RingFault) in try send(bus) } }
    }

    func plug(into bus: VirtioSerial, number: Int) {
        self.bus = bus
        self.number = number
        backend.attach(self, under: domain.lock)
    }

    var portName: String { properties.text("name") }
    var isOpenOnHost: Bool { hasBackend && backend.isOpen }

    private func trying(_ body: (VirtioSerial) throws(RingFault) -> Void) {
        guard let bus else { return }
        do throws(RingFault) { try body(bus) } catch { bus.fail(error) }
    }

    // MARK: what driver and device say of it

    func announce() { news.insert(.exists) }

    func driverIsReady() {
        isKnown = true
        if isConsole { news.insert(.isConsole) }
        if !portName.isEmpty { news.insert(.name) }
        if isOpenOnHost { news.insert(.openness) }
    }

    func guestOpens(_ isOpen: Bool) {
        isOpenInGuest = isOpen
        if isOpen { backend.inputHasRoom() }
    }

    func started() { backend.inputHasRoom() }

    func stopped() {
        news = []
        isKnown = false
        isOpenInGuest = false
        sending = nil
        waiting = []
    }

    // MARK: from the guest

    /// Sends what the driver has offered, as far as there is room.
    func send(_ bus: VirtioSerial) throws(RingFault) {
        let queue = bus.output(of: self)
        queue.quiet()
        var left = Self.share
        while let (chain, done) = try nextToSend(queue) {
            let total = chain.readableCount, count = put(chain, from: done, atMost: left)
            left -= max(1, count)
            if done + count < total {
                sending = (chain, done + count)
                if left <= 0 { goOn.schedule() }
                break
            }
            sending = nil
            queue.giveBack(chain, written: 0)
            if left <= 0 {
                goOn.schedule()
                break
            }
        }
        bus.tell(queue)
    }

    private func nextToSend(_ queue: VirtQueue) throws(RingFault) -> (Chain, Int)? {
        if let sending { return sending }
        return try queue.next().map { ($0, 0) }
    }

    private func put(_ chain: Chain, from start: Int, atMost limit: Int) -> Int {
        var skip = start, count = 0
        for window in chain.readable {
            for byte in window.bytes.dropFirst(skip) {
                if count == limit || !backend.send(byte) { return count }
                count += 1
            }
            skip = max(0, skip - window.bytes.count)
        }
        return count
    }

    /// A byte for the console, past all queues.
    func sendAtOnce(_ byte: UInt8) { _ = backend.send(byte) }

    // MARK: from the host

    /// The driver has offered room.
    func roomIsOffered(_ bus: VirtioSerial) throws(RingFault) {
        try putWaiting(bus)
        backend.inputHasRoom()
    }

    private func putWaiting(_ bus: VirtioSerial) throws(RingFault) {
        let queue = bus.input(of: self)
        while !waiting.isEmpty, let chain = try queue.next() {
            guard chain.writableCount > 0 else { throw .badRequest("no place for input") }
            let count = chain.write(waiting)
            waiting.removeFirst(count)
            queue.giveBack(chain, written: count)
        }
        bus.tell(queue)
    }

    public override func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        var bits = news.rawValue
        try coder.field(&bits, in: 0...15)
        news = News(rawValue: bits)
        try coder.field(&isKnown)
        try coder.field(&isOpenInGuest)
        try coder.list(&waiting, atMost: Self.inputShare)
    }
}

extension SerialPort: CharFrontEnd {
    public var inputRoom: Int {
        guard let bus, waiting.isEmpty, isConsole || isOpenInGuest || !bus.hasControl, bus.input(of: self).hasOffer
        else { return 0 }
        return Self.inputShare
    }

    public func receive(_ bytes: ArraySlice<UInt8>) {
        waiting += bytes
        trying { bus throws(RingFault) in try putWaiting(bus) }
    }

    public func receive(_ event: CharEvent) {
        guard [.connected, .disconnected, .ended].contains(event), isKnown else { return }
        news.insert(.openness)
        trying { bus throws(RingFault) in try bus.tellNews() }
    }

    public func outputHasRoom() { trying { bus throws(RingFault) in try send(bus) } }
}

public final class VirtConsole: SerialPort, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor("virtconsole", "a console on virtio-serial: hvc0 in Linux", commonProperties)
    }
    public override var isConsole: Bool { true }
}

public final class VirtSerialPort: SerialPort, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor("virtserialport", "a port for programs on virtio-serial", commonProperties)
    }
}
