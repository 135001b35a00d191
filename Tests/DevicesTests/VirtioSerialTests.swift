import CharLayer
import EventLoop
import SystemKit
import TestSupport
import Testing
import Virtio

/// A back end that somebody may be at the other end of.
private final class TestPeer: CharBackend, @unchecked Sendable {
    var sent: [UInt8] = []
    var room = Int.max
    var isThere = true {
        didSet { deliver(isThere ? .connected : .disconnected) }
    }
    override var isOpen: Bool { isThere }
    override func send(_ byte: UInt8) -> Bool {
        if room == 0 { return false }
        room -= 1
        sent.append(byte)
        return true
    }
    func type(_ bytes: [UInt8]) { deliver(bytes[...]) }
}

@Suite struct VirtioSerialTests {
    /// Queues by what they are for.
    private enum Queue {
        static let input0 = 0, output0 = 1, toDriver = 2, fromDriver = 3, input1 = 4, output1 = 5
        static let others = [output0, toDriver, fromDriver, input1, output1]
    }
    private enum Event {
        static let deviceReady: UInt16 = 0, add: UInt16 = 1, portReady: UInt16 = 3, isConsole: UInt16 = 4
        static let open: UInt16 = 6, name: UInt16 = 7
    }
    private static let multiport: UInt64 = 2
    private static let out = TestDriver.buffers, into = TestDriver.buffers + 0x1000
    private static let control = TestDriver.buffers + 0x2000

    private let console = TestPeer(), agent = TestPeer()

    /// A console at port 0, and a port "agent" at port 1.
    private func make(_ layout: RingLayout = RingLayout(), _ properties: String = "max_ports=4") throws -> TestDriver {
        let driver = try TestDriver(
            layout,
            { context in
                let bus = VirtioSerial(context)
                func port(_ type: SerialPort.Type, _ backend: CharBackend, _ properties: String) {
                    do {
                        var row = context
                        row.properties = try Properties(type.descriptor, parsing: properties)
                        row.backend = backend
                        try bus.plug(type.init(row))
                    } catch { Issue.record("\(error)") }
                }
                port(VirtConsole.self, console, "chardev=c")
                if properties != "max_ports=1" { port(VirtSerialPort.self, agent, "chardev=a,name=org.agent") }
                return bus
            }, VirtioSerial.descriptor, properties)
        return driver
    }

    private func tell(_ driver: TestDriver, _ port: UInt32, _ event: UInt16, _ value: UInt16 = 1) throws {
        driver.queue = Queue.fromDriver
        #expect(driver.memory.store(Self.control, port) && driver.memory.store(Self.control + 4, event))
        #expect(driver.memory.store(Self.control + 6, value))
        driver.offer([Piece(address: Self.control, count: 8)])
        #expect(try #require(driver.used()).written == 0)
    }

    /// The messages that have come, for which there has been room: port, event, value and name.
    private func heard(_ driver: TestDriver) -> [String] {
        driver.queue = Queue.toDriver
        var list: [String] = []
        while let (_, written) = driver.used(waits: false) {
            let at = Self.control + 0x100 + UInt64(64 * (heardCount.value % 8))
            heardCount.value += 1
            let name = driver.memory.bytes(at + 8, count: Int(written) - 8)!
            let text = String(decoding: name, as: UTF8.self)
            list.append(
                "\(driver.memory.load(at, as: UInt32.self)!) \(driver.memory.load(at + 4, as: UInt16.self)!) "
                    + "\(driver.memory.load(at + 6, as: UInt16.self)!)\(text.isEmpty ? "" : " \(text)")")
            offerControl(driver)
        }
        return list
    }
    private final class Count { var value = 0 }
    private let heardCount = Count(), offeredCount = Count()

    private func offerControl(_ driver: TestDriver) {
        driver.queue = Queue.toDriver
        let at = Self.control + 0x100 + UInt64(64 * (offeredCount.value % 8))
        offeredCount.value += 1
        driver.offer([Piece(address: at, count: 64, isWritten: true)])
    }

    private func start(_ driver: TestDriver) {
        driver.queue = Queue.input0
        driver.start(Self.multiport, more: Queue.others)
        (heardCount.value, offeredCount.value) = (0, 0)
        for _ in 0..<8 { offerControl(driver) }
    }

    private func send(_ driver: TestDriver, _ queue: Int, _ text: String) -> UInt16 {
        driver.queue = queue
        #expect(driver.memory.store(Self.out, bytes: Array(text.utf8)))
        return driver.offer([Piece(address: Self.out, count: UInt32(text.utf8.count))])
    }

    @Test(arguments: RingLayout.all) func portsAreAnnouncedAndCarryBytes(_ layout: RingLayout) throws {
        let driver = try make(layout)
        start(driver)
        #expect(heard(driver) == [])
        try tell(driver, 0, Event.deviceReady)
        #expect(heard(driver) == ["0 1 1", "1 1 1"])
        try tell(driver, 0, Event.portReady)
        #expect(heard(driver) == ["0 4 1", "0 6 1"])
        agent.isThere = false
        try tell(driver, 1, Event.portReady)
        #expect(heard(driver) == ["1 7 1 org.agent"], "nobody is there")
        agent.isThere = true
        #expect(heard(driver) == ["1 6 1"])
        for round in 0..<20 {
            _ = send(driver, Queue.output0, "out \(round)\n")
            #expect(driver.used() != nil)
            driver.queue = Queue.input0
            driver.offer([Piece(address: Self.into, count: 16, isWritten: true)])
            console.type(Array("in \(round)".utf8))
            let written = try #require(driver.used()).written
            #expect(driver.memory.bytes(Self.into, count: Int(written)) == Array("in \(round)".utf8))
        }
        #expect(String(decoding: console.sent, as: UTF8.self) == (0..<20).map { "out \($0)\n" }.joined())
        #expect(!driver.needsReset)
    }

    @Test func bothSidesSeeEachOtherComeAndGo() throws {
        let driver = try make()
        start(driver)
        try tell(driver, 0, Event.deviceReady)
        agent.isThere = false
        agent.isThere = true
        #expect(heard(driver) == ["0 1 1", "1 1 1"], "it does not know the port yet")
        try tell(driver, 1, Event.portReady)
        #expect(heard(driver) == ["1 7 1 org.agent", "1 6 1"])
        driver.queue = Queue.input1
        driver.offer([Piece(address: Self.into, count: 16, isWritten: true)])
        #expect(agent.inputRoom == 0, "no program has it open")
        try tell(driver, 1, Event.open)
        #expect(agent.inputRoom > 0)
        try tell(driver, 1, Event.open, 0)
        #expect(agent.inputRoom == 0)
        agent.isThere = false
        #expect(heard(driver) == ["1 6 0"])
        agent.deliver(.ended)
        #expect(heard(driver) == ["1 6 0"])
    }

    @Test func changesThatTheDriverHasNoRoomForAreKeptOnce() throws {
        let driver = try make()
        driver.queue = Queue.input0
        driver.start(Self.multiport, more: Queue.others)
        for _ in 0..<100 {
            try tell(driver, 0, Event.deviceReady)
            try tell(driver, 1, Event.portReady)
        }
        agent.isThere = false
        for _ in 0..<8 { offerControl(driver) }
        #expect(heard(driver) == ["0 1 1", "1 1 1", "1 7 1 org.agent", "1 6 0"])
    }

    @Test func outputWaitsForRoom() throws {
        let driver = try make()
        start(driver)
        console.room = 3
        let id = send(driver, Queue.output0, "abcdef")
        driver.turn()
        #expect(driver.used(waits: false) == nil && console.sent == Array("abc".utf8), "the buffer is not done")
        console.room = 100
        console.tellOutputHasRoom()
        #expect(try #require(driver.used()) == (id, 0))
        #expect(console.sent == Array("abcdef".utf8))
        console.room = 1
        _ = send(driver, Queue.output0, "xyz")
        start(driver)
        console.room = 100
        console.tellOutputHasRoom()
        driver.turn()
        #expect(console.sent == Array("abcdefx".utf8), "a reset forgets the rest")
    }

    @Test func inputWaitsForRoom() throws {
        let driver = try make()
        start(driver)
        #expect(console.inputRoom == 0)
        driver.queue = Queue.input0
        driver.offer([Piece(address: Self.into, count: 4, isWritten: true)])
        #expect(console.inputRoom > 6)
        console.type(Array("abcdef".utf8))
        #expect(try #require(driver.used()).written == 4)
        #expect(console.inputRoom == 0, "what has come is kept")
        driver.offer([Piece(address: Self.into + 16, count: 4, isWritten: true)])
        #expect(try #require(driver.used()).written == 2)
        #expect(driver.memory.bytes(Self.into + 16, count: 2) == Array("ef".utf8))
    }

    /// Output longer than what is sent at once goes on by itself.
    @Test func longOutputGoesOut() throws {
        let driver = try make()
        start(driver)
        driver.queue = Queue.output0
        let piece = Piece(address: TestDriver.ram, count: 0x3_0000)
        let id = driver.offer([piece, piece])
        #expect(try #require(driver.used()).id == id)
        #expect(console.sent.count == 0x6_0000)
    }

    @Test(arguments: [false, true]) func aDriverWithoutControlUsesTheConsole(_ isAlone: Bool) throws {
        let driver = try make(RingLayout(), isAlone ? "max_ports=1" : "max_ports=4")
        #expect(driver.deviceFeatures() & Self.multiport == (isAlone ? 0 : Self.multiport))
        driver.start(0, more: [Queue.output0])
        _ = send(driver, Queue.output0, "hello")
        #expect(driver.used() != nil && console.sent == Array("hello".utf8))
        driver.queue = Queue.input0
        driver.offer([Piece(address: Self.into, count: 4, isWritten: true)])
        console.type([65])
        #expect(try #require(driver.used()).written == 1)
    }

    @Test func theConfigurationTakesBytesAtOnce() throws {
        let driver = try make()
        #expect(driver.deviceFeatures() & 4 != 0 && driver.transport.get(0x104) == 4)
        driver.transport.put(0x108, 0x41)
        #expect(console.sent == [0x41])
        let quiet = try make(RingLayout(), "max_ports=4,emergency-write=off")
        #expect(quiet.deviceFeatures() & 4 == 0)
        quiet.transport.put(0x108, 0x42)
        #expect(console.sent == [0x41])
    }

    @Test func portsOfOtherNumbersLoseWhatIsSent() throws {
        let driver = try make()
        driver.queue = 7
        driver.start(Self.multiport, more: [Queue.toDriver, Queue.fromDriver, 6])
        _ = send(driver, 7, "lost")
        #expect(driver.used() != nil)
        driver.queue = 6
        driver.offer([Piece(address: Self.into, count: 4, isWritten: true)])
        #expect(driver.used(waits: false) == nil)
        try tell(driver, 77, Event.open)
        try tell(driver, .max, Event.portReady)
        try tell(driver, 0, 99)
        try tell(driver, 0, Event.deviceReady, 0)
        #expect(!driver.needsReset && console.sent.isEmpty && agent.sent.isEmpty)
    }

    @Test func badBuffersStopTheDevice() throws {
        let lies: [(TestDriver) -> Void] = [
            { driver in
                driver.queue = Queue.fromDriver
                driver.offer([Piece(address: Self.control, count: 7)])
            },
            { driver in
                driver.queue = Queue.fromDriver
                driver.offer([Piece(address: Self.control, count: 8, isWritten: true)])
            },
            { driver in
                driver.queue = Queue.input0
                driver.offer([Piece(address: Self.into, count: 8)])
                console.type([1])
            },
            { driver in
                driver.queue = Queue.toDriver
                driver.offer([Piece(address: Self.into, count: 7, isWritten: true)])
                driver.queue = Queue.fromDriver
                _ = driver.memory.store(Self.control, 0x1_0000_0000_0000 as UInt64)
                driver.offer([Piece(address: Self.control, count: 8)])
            },
        ]
        for (index, lie) in lies.enumerated() {
            let driver = try make()
            driver.queue = Queue.input0
            driver.start(Self.multiport, more: Queue.others)
            lie(driver)
            driver.turn()
            #expect(driver.needsReset, "\(index)")
            start(driver)
            _ = send(driver, Queue.output0, "x")
            #expect(driver.used() != nil && console.sent.last == UInt8(ascii: "x"), "a reset helps")
        }
    }

    @Test func portsGetNumbers() throws {
        let machine = try TestMachine()
        func context(_ descriptor: DeviceDescriptor, _ text: String) throws -> DeviceContext {
            machine.board.context("d", try Properties(descriptor, parsing: text))
        }
        let bus = VirtioSerial(try context(VirtioSerial.descriptor, "max_ports=3"))
        func plug(_ type: SerialPort.Type, _ text: String = "") throws -> Int {
            let port = type.init(try context(type.descriptor, text))
            try bus.plug(port)
            return port.number
        }
        func refusal(_ type: SerialPort.Type, _ text: String = "") -> String {
            do { return "\(try plug(type, text))" } catch { return "\(error)" }
        }
        #expect(refusal(VirtSerialPort.self, "nr=0").contains("virtconsole"))
        #expect(refusal(VirtSerialPort.self, "nr=3").contains("below max_ports, 3"))
        #expect(try plug(VirtSerialPort.self) == 1 && plug(VirtConsole.self) == 0 && plug(VirtConsole.self) == 2)
        #expect(refusal(VirtSerialPort.self, "nr=1").contains("another port"))
        #expect(refusal(VirtSerialPort.self).contains("all 3 ports"))
    }

    @Test(.seeded(41)) func randomMessagesAreHarmless() throws {
        var random = SeededRandom(seed: Seed.current)
        let driver = try make()
        start(driver)
        for _ in 0..<Rounds.count(2000) {
            switch random.next() % 8 {
            case 0: agent.isThere = random.next() % 2 == 0
            case 1: console.type([UInt8](repeating: 1, count: Int(random.next() % 100)))
            case 2: agent.type([UInt8](repeating: 2, count: min(agent.inputRoom, Int(random.next() % 5000))))
            case 3: console.room = Int(random.next() % 100)
            default:
                driver.queue = Int(random.next() % 6)
                _ = driver.memory.store(Self.control, UInt64(random.next() % 8) << 32 | UInt64(random.next() % 3))
                _ = driver.memory.store(Self.control + 6, UInt16(truncatingIfNeeded: random.next() % 2))
                driver.offer([
                    Piece(
                        address: Self.control, count: UInt32(random.next() % 32),
                        isWritten: [0, 2, 4].contains(driver.queue))
                ])
                _ = driver.used(waits: false)
            }
            driver.turn()
            if driver.needsReset || random.next() % 50 == 0 { start(driver) }
        }
    }
}
