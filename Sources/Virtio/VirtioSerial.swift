// Consoles and other ports for bytes. (Virtio 1.2, 5.3)
//
//     queues: input and output of port 0; control to the driver and from it; input and output of port 1, of port 2, ...
//     control message: port (4), event (2), value (2); bytes of a name behind it

import CharLayer
import EventLoop
import SystemKit

public final class VirtioSerial: VirtioDevice, @unchecked Sendable {
    public override class var kind: UInt32 { 3 }
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "virtio-serial-device", "consoles and ports, which virtconsole and virtserialport add",
            [
                Property(
                    "max_ports", .number(1...511), "31", "ports that there may be; 1: port 0 alone, without names"),
                Property("emergency-write", .flag, "on", "the guest can say something before its queues are there"),
            ] + commonProperties)
    }
    public override class func queueLimits(_ properties: Properties) -> [UInt16] {
        let ports = Int(properties.number("max_ports"))
        return Array(repeating: 128, count: ports > 1 ? 2 * (ports + 1) : 2)
    }
    public override class var bus: VirtioBus? { .serial }

    private enum Bit { static let ports: UInt64 = 1 << 1, emergency: UInt64 = 1 << 2 }
    private enum Event {
        static let deviceReady: UInt16 = 0, add: UInt16 = 1, portReady: UInt16 = 3, isConsole: UInt16 = 4
        static let open: UInt16 = 6, name: UInt16 = 7
    }
    private static let messageSize = 8
    /// Where `emerg_wr` is in the configuration.
    private static let emergencyOffset = 8

    private var ports: [SerialPort] = []

    private var limit: Int { Int(properties.number("max_ports")) }
    /// Ports but the first are there, and have names.
    var hasControl: Bool { has(Bit.ports) }

    public override func plug(_ device: Device) throws(PlugError) {
        guard let port = device as? SerialPort else { preconditionFailure("no port") }
        let taken = Set(ports.map(\.number))
        let free = ((port.isConsole ? 0 : 1)..<limit).first { !taken.contains($0) }
        guard let number = port.properties.numberOrNone("nr").map({ Int($0) }) ?? free else {
            throw PlugError("all \(limit) ports of \(name) are taken")
        }
        guard number < limit else { throw PlugError("nr=\(number): wanted a number below max_ports, \(limit)") }
        if number == 0, !port.isConsole { throw PlugError("nr=0: that port is for a virtconsole") }
        if taken.contains(number) { throw PlugError("nr=\(number): another port has it") }
        ports.append(port)
        port.plug(into: self, number: number)
    }

    public override var kindFeatures: UInt64 {
        (limit > 1 ? Bit.ports : 0) | (properties.flag("emergency-write") ? Bit.emergency : 0)
    }

    public override var configuration: [UInt8] {
        var bytes = ByteWriter()
        bytes.add(UInt32(0))  // Nobody knows how large the terminal is.
        bytes.add(UInt32(limit))
        bytes.add(UInt32(0))
        return bytes.bytes
    }

    public override func configure(_ offset: Int, _ value: UInt8) {
        guard offset == Self.emergencyOffset, properties.flag("emergency-write") else { return }
        ports.first { $0.number == 0 }?.sendAtOnce(value)
    }

    // MARK: queues

    private var toDriver: VirtQueue { queue(2) }
    private static func first(_ number: Int) -> Int { number == 0 ? 0 : 2 + 2 * number }
    func input(of port: SerialPort) -> VirtQueue { queue(Self.first(port.number)) }
    func output(of port: SerialPort) -> VirtQueue { queue(Self.first(port.number) + 1) }

    public override func started() { for port in ports { port.started() } }
    public override func stopped() { for port in ports { port.stopped() } }

    public override func notified(_ queue: VirtQueue) throws(RingFault) {
        switch queue.index {
        case 2: try tellNews()
        case 3: try obey(queue)
        default:
            let first = queue.index & ~1
            guard let port = ports.first(where: { Self.first($0.number) == first }) else { return try lose(queue) }
            if queue.index == first { try port.roomIsOffered(self) } else { try port.send(self) }
        }
    }

    /// There is no such port: what goes out is lost, and nothing comes in.
    private func lose(_ queue: VirtQueue) throws(RingFault) {
        guard queue.index & 1 != 0 else { return }
        try takeAll(queue) { chain throws(RingFault) in queue.giveBack(chain, written: 0) }
        tell(queue)
    }

    // MARK: control

    private func obey(_ queue: VirtQueue) throws(RingFault) {
        try takeAll(queue) { chain throws(RingFault) in
            guard let message = chain.read(count: Self.messageSize) else {
                throw .badRequest("a control message of \(chain.readableCount) bytes")
            }
            let fields = ByteReader(message)
            obey(
                fields.value(0, as: UInt32.self), fields.value(4, as: UInt16.self), fields.value(6, as: UInt16.self))
            queue.giveBack(chain, written: 0)
        }
        tell(queue)
        try tellNews()
    }

    private func obey(_ number: UInt32, _ event: UInt16, _ value: UInt16) {
        if event == Event.deviceReady {
            guard value == 1 else { return guestError("the driver cannot use the ports") }
            for port in ports { port.announce() }
            return
        }
        guard let port = ports.first(where: { $0.number == number }) else {
            return guestError("a message of port \(number), which is not there")
        }
        switch event {
        case Event.portReady where value == 1: port.driverIsReady()
        case Event.portReady: guestError("the driver cannot use port \(number)")
        case Event.open: port.guestOpens(value != 0)
        default: guestError("a message of kind \(event)")
        }
    }

    /// Tells the driver what it does not know yet, as far as it has room for it.
    func tellNews() throws(RingFault) {
        guard hasControl else { return }
        defer { tell(toDriver) }
        for port in ports {
            for (kind, event) in [
                (SerialPort.News.exists, Event.add), (.isConsole, Event.isConsole), (.name, Event.name),
                (.openness, Event.open),
            ] where port.news.contains(kind) {
                guard let chain = try toDriver.next() else { return }
                guard chain.writableCount >= Self.messageSize else { throw .badRequest("no place for a message") }
                port.news.remove(kind)
                var message = ByteWriter()
                message.add(UInt32(port.number))
                message.add(event)
                message.add(UInt16(kind == .openness && !port.isOpenOnHost ? 0 : 1))
                let name = kind == .name ? Array(port.portName.utf8) : []
                toDriver.giveBack(chain, written: chain.write(message.bytes + name))
            }
        }
    }

    public override func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        try super.snapshot(&coder)
        for port in ports { try port.snapshot(&coder) }
    }
}
