import CharLayer
import Devices
import SystemKit
import Testing

@Suite struct NS16550ATests {
    private let machine: TestMachine
    private let backend = TestBackend()
    private let uart: RegisterBlock

    init() throws {
        machine = try TestMachine()
        let (backend, lines) = (backend, machine.lines)
        let device = try machine.board.add(NS16550A.self, "serial0", at: 0x1000_0000, lines: [lines.line(0)]) {
            $0.backend = backend
        }
        uart = machine.block(device)
    }

    private func put(_ register: UInt64, _ value: UInt64) { uart.put(register, value, size: 1) }
    private func get(_ register: UInt64) -> UInt64 { uart.get(register, size: 1) }
    private var interrupt: Bool { machine.lines[0] }
    private func read(_ count: Int) -> String {
        String(decoding: (0..<count).map { _ in UInt8(truncatingIfNeeded: get(0)) }, as: UTF8.self)
    }

    @Test func bytesGoOutInOrder() {
        for byte in "hello".utf8 { put(0, UInt64(byte)) }
        #expect(backend.sent == Array("hello".utf8))
        #expect(get(5) == 0x60)
    }

    @Test func afterResetNothingInterrupts() {
        #expect([get(1), get(2), get(3), get(4), get(5), get(6), get(7)] == [0, 1, 0, 0, 0x60, 0xb0, 0])
        backend.type("x")
        #expect(!interrupt && get(5) == 0x61)
    }

    @Test func wideAccessesReachOneRegister() {
        uart.put(0, 0x0706_0541, size: 4)
        #expect(backend.sent == [0x41])
        #expect(get(1) == 0 && get(3) == 0)
        #expect(uart.get(5, size: 1) == 0x60 && uart.get(4, size: 4) == 0)
    }

    @Test func theDivisorIsBehindDLAB() {
        put(1, 5)
        put(3, 0x83)
        put(0, 0x34)
        put(1, 0x12)
        #expect(get(0) == 0x34 && get(1) == 0x12 && backend.sent.isEmpty)
        put(3, 3)
        #expect(get(1) == 5 && get(3) == 3)
    }

    @Test func withoutFIFOsThereIsRoomForOneByte() {
        #expect(backend.inputRoom == 1)
        put(1, 1)
        backend.type("a")
        #expect(backend.inputRoom == 0 && interrupt && get(2) == 4)
        #expect(read(1) == "a" && !interrupt && backend.inputRoom == 1)
    }

    @Test(arguments: [(0, 1), (1, 4), (2, 8), (3, 14)])
    func theReceiverInterruptsAtItsTrigger(_ bits: UInt64, _ level: Int) {
        put(2, 1 | bits << 6)
        put(1, 1)
        for count in 1...16 {
            backend.type("x")
            #expect(interrupt)
            #expect(get(2) == (count >= level ? 0xc4 : 0xcc), "\(count) bytes")
        }
        #expect(backend.inputRoom == 0)
        for left in (0...15).reversed() {
            #expect(read(1) == "x")
            #expect(get(2) == (left == 0 ? 0xc1 : left >= level ? 0xc4 : 0xcc), "\(left) bytes left")
        }
        #expect(!interrupt && get(5) == 0x60)
    }

    @Test func emptyTransmitterInterruptsOnceUntilWritten() {
        put(1, 2)
        #expect(interrupt, "enabling it is enough")
        #expect(get(2) == 2 && !interrupt && get(2) == 1, "reading IIR clears it")
        put(0, 65)
        #expect(interrupt && get(2) == 2 && get(2) == 1)
        put(1, 0)
        put(1, 2)
        #expect(interrupt && get(2) == 2)
    }

    /// For each set of enabled interrupts, with all causes present: they come in the order of the data sheet's table 4.
    @Test(arguments: 0..<16)
    func causesComeByPriority(_ enabled: UInt64) {
        put(2, 1)
        backend.deliver(.lineBreak)
        put(4, 2 | 16)
        put(4, 0)  // RTS has changed CTS: a delta.
        put(1, enabled)
        var wanted: [UInt64] = []
        if enabled & 4 != 0 { wanted.append(0xc6) }
        if enabled & 1 != 0 { wanted.append(0xc4) }
        if enabled & 2 != 0 { wanted.append(0xc2) }
        if enabled & 8 != 0 { wanted.append(0xc0) }
        for cause in wanted {
            #expect(interrupt)
            #expect(get(2) == cause)
            switch cause {
            case 0xc6: #expect(get(5) & 0x91 == 0x91)
            case 0xc4: #expect(get(0) == 0)
            case 0xc0: #expect(get(6) & 0x0f != 0)
            default: break
            }
        }
        #expect(!interrupt && get(2) == 0xc1)
    }

    @Test func loopback() {
        put(2, 1)
        put(4, 16 | 15)
        #expect(get(6) & 0xf0 == 0xf0)
        for byte in UInt64(0)..<17 { put(0, byte) }
        #expect(backend.sent.isEmpty)
        #expect(get(5) & 2 != 0, "overrun")
        #expect((0..<16).map { _ in get(0) } == Array(0..<16))
        // One output after the other, and what has changed: RI counts when it falls.
        for (output, status) in [(UInt64(1), UInt64(0x2d)), (2, 0x13), (4, 0x41), (8, 0x8c)] {
            put(4, 16 | output)
            #expect(get(6) == status, "\(output)")
        }
        #expect(backend.inputRoom == 0)
        put(4, 0)
        #expect(get(6) == 0xb3)
        #expect(backend.inputRoom == 16)
    }

    @Test func aBackEndWithoutRoomHoldsBytesBack() {
        put(2, 1)
        put(1, 2)
        _ = get(2)
        backend.room = 3
        for byte in "abcdef".utf8 { put(0, UInt64(byte)) }
        #expect(backend.sent == Array("abc".utf8) && get(5) == 0 && !interrupt)
        backend.room = 2
        backend.tellOutputHasRoom()
        #expect(backend.sent == Array("abcde".utf8) && get(5) == 0)
        backend.room = 10
        backend.tellOutputHasRoom()
        #expect(backend.sent == Array("abcdef".utf8) && get(5) == 0x60 && interrupt)
    }

    @Test func FIFOsAreClearedByFCR() {
        put(2, 1)
        backend.type("abc")
        put(2, 3)
        #expect(get(5) == 0x60 && get(2) == 0xc1)
        backend.type("abc")
        put(2, 0)
        #expect(get(5) == 0x60 && get(2) == 1)
    }
}
