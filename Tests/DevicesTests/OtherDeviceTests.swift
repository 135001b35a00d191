import Devices
import EventLoop
import GuestMemory
import HostOS
import SystemKit
import Testing

@Suite struct TestFinisherTests {
    @Test(
        arguments: [
            (0x5555, RunCause.guest(status: 0)), (0x2a_3333, .guest(status: 42)), (0xffff_3333, .guest(status: 0xffff)),
        ] as [(UInt64, RunCause)])
    func itEndsTheMachine(_ value: UInt64, _ cause: RunCause) throws {
        let machine = try TestMachine()
        let block = machine.block(try machine.board.add(TestFinisher.self, "test", at: 0x10_0000))
        block.put(0, 0x1234)
        block.put(4, 0x5555)
        block.put(0, value)
        #expect(machine.control.run() == cause)
        #expect(block.get(0) == 0)
    }

    @Test func itResetsTheMachine() throws {
        let machine = try TestMachine()
        let block = machine.block(try machine.board.add(TestFinisher.self, "test", at: 0x10_0000))
        nonisolated(unsafe) var resets = 0
        machine.control.actions.reset = { _ in
            resets += 1
            machine.control.finish(.user)
        }
        block.put(0, 0x7777, size: 2)
        #expect(machine.control.run() == .user && resets == 1)
    }
}

@Suite struct GoldfishRTCTests {
    private static func make(_ machine: TestMachine, _ properties: String) throws -> RegisterBlock {
        machine.block(
            try machine.board.add(GoldfishRTC.self, "rtc", at: 0x10_1000, lines: [machine.lines.line(0)], properties))
    }
    private static func time(_ rtc: RegisterBlock) -> UInt64 { rtc.get(0) | rtc.get(4) << 32 }

    @Test func itShowsTheHostsTime() throws {
        let rtc = try Self.make(try TestMachine(), "")
        let before = HostClock.realtime(), shown = Self.time(rtc), after = HostClock.realtime()
        #expect(before <= shown && shown <= after)
    }

    @Test func halvesFitTogether() throws {
        let machine = try TestMachine(), rtc = try Self.make(machine, "clock=vm,base=4")
        machine.time.set(294_967_295)  // The low half is all ones.
        #expect(rtc.get(0) == 0xffff_ffff)
        machine.time.set(294_967_296)
        #expect(rtc.get(4) == 0, "the high half is that of the last low half")
        #expect(rtc.get(0) == 0 && rtc.get(4) == 1)
    }

    @Test func theAlarmRingsOnce() throws {
        let machine = try TestMachine(), rtc = try Self.make(machine, "clock=vm,base=1000")
        let due: UInt64 = 1000_000_000_000 + 500
        rtc.put(0x10, 1)
        rtc.put(0x0c, due >> 32)
        rtc.put(0x08, due & 0xffff_ffff)
        #expect(rtc.get(0x18) == 1)
        machine.advance(to: 499)
        #expect(!machine.lines[0])
        machine.advance(to: 500)
        #expect(machine.lines[0] && rtc.get(0x18) == 0)
        rtc.put(0x10, 0)
        #expect(!machine.lines[0])
        rtc.put(0x10, 1)
        #expect(machine.lines[0])
        rtc.put(0x1c, 1)
        machine.advance(to: 1000)
        #expect(!machine.lines[0])
        rtc.put(0x08, due & 0xffff_ffff)
        #expect(machine.lines[0], "what is past rings at once")
    }

    @Test func anAlarmCanBeCleared() throws {
        let machine = try TestMachine(), rtc = try Self.make(machine, "clock=vm,base=1")
        rtc.put(0x10, 1)
        rtc.put(0x08, 1_000_000_100)
        rtc.put(0x14, 1)
        machine.advance(to: 200)
        #expect(!machine.lines[0] && rtc.get(0x18) == 0)
    }

    @Test(arguments: [0, 1_000_000_007, 1 << 63, .max - 5] as [UInt64])
    func theGuestSetsTheTime(_ time: UInt64) throws {
        let machine = try TestMachine(), rtc = try Self.make(machine, "clock=vm")
        machine.time.set(1 << 40)
        rtc.put(4, time >> 32)
        rtc.put(0, time & 0xffff_ffff)
        #expect(Self.time(rtc) == time)
        machine.time.set(1 << 40 + 3)
        #expect(Self.time(rtc) == time + 3)
    }

    /// Saved and loaded later: the wall clock is right, the alarm is kept, and one that has gone by rings.
    @Test(arguments: [false, true])
    func savedTimeGoesOn(_ isLate: Bool) throws {
        let machine = try TestMachine(), rtc = try Self.make(machine, "")
        rtc.put(0x10, 1)
        let due = HostClock.realtime() + (isLate ? 2_000_000 : 60_000_000_000)
        rtc.put(0x0c, due >> 32)
        rtc.put(0x08, due & 0xffff_ffff)
        var saver = SnapshotCoder()
        try rtc.snapshot(&saver)
        #expect(!machine.lines[0])
        let wait = HostClock.monotonic() + 3_000_000
        var spin = SpinWait()
        while HostClock.monotonic() < wait { spin.wait() }
        let other = try TestMachine(), copy = try Self.make(other, "")
        var loader = SnapshotCoder(loading: saver.bytes)
        try copy.snapshot(&loader)
        let before = HostClock.realtime(), shown = Self.time(copy)
        #expect(before <= shown && shown <= HostClock.realtime())
        #expect(other.lines[0] == isLate && copy.get(0x18) == (isLate ? 0 : 1))
    }
}

@Suite struct HTIFTests {
    private let machine: TestMachine
    private let backend = TestBackend()
    private let htif: RegisterBlock

    init() throws {
        machine = try TestMachine()
        let backend = backend
        htif = machine.block(
            try machine.board.add(HTIF.self, "htif", at: 0x100_0000, "tohost=0x40,fromhost=0x80") {
                $0.backend = backend
            })
    }

    @Test func itPrints() {
        for byte in "hi".utf8 {
            htif.put(0x40, 1 << 56 | 1 << 48 | UInt64(byte), size: 8)
            #expect(htif.get(0x40, size: 8) == 0)
            #expect(htif.get(0x80, size: 8) == 1 << 56 | 1 << 48 | UInt64(byte))
        }
        #expect(backend.sent == Array("hi".utf8))
    }

    @Test func aFullBackEndHoldsTheProgramBack() {
        backend.room = 0
        htif.put(0x40, 1 << 56 | 1 << 48 | 65, size: 8)
        #expect(htif.get(0x40, size: 8) != 0)
        backend.room = 5
        backend.tellOutputHasRoom()
        #expect(htif.get(0x40, size: 8) == 0 && backend.sent == [65])
    }

    @Test func itReads() {
        #expect(backend.inputRoom == 0)
        htif.put(0x40, 1 << 56, size: 8)
        #expect(htif.get(0x80, size: 8) == 0 && backend.inputRoom == 1)
        backend.type("z")
        #expect(htif.get(0x80, size: 8) == 1 << 56 | 122 && backend.inputRoom == 0)
    }

    @Test(arguments: [(1, 0), (85, 42)] as [(UInt64, Int32)])
    func itEndsTheMachine(_ value: UInt64, _ status: Int32) {
        // In halves, the low one first.
        htif.put(0x40, value)
        #expect(machine.control.end == nil)
        htif.put(0x44, 0)
        #expect(machine.control.run() == .guest(status: status))
    }

    @Test func theRestIsMemory() {
        htif.put(0x100, 0x0123_4567_89ab_cdef, size: 8)
        #expect(htif.get(0x102, size: 2) == 0x89ab && htif.get(0x40, size: 8) == 0)
    }
}

@Suite struct FirmwareConfigTests {
    private let machine: TestMachine
    private let config: FirmwareConfig
    private let block: RegisterBlock
    private let memory: RAMBlock

    init() throws {
        machine = try TestMachine()
        let base = try HostMemory.reserve(4096), chunks = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
        chunks.initialize(to: 0)
        memory = RAMBlock("ram", base: base, size: 4096, isReadOnly: false, codeChunks: chunks)
        try machine.board.add(memory, at: 0x8000_0000)
        config = try machine.board.add(FirmwareConfig.self, "fw_cfg", at: 0x1010_0000)
        block = machine.block(config)
        config.set(FirmwareConfig.Key.harts, 3 as UInt16)
        config.set(file: "etc/b", Array("second".utf8))
        config.set(file: "etc/a", Array("first!!".utf8))
    }

    private func select(_ key: UInt16) { block.put(8, UInt64(key.byteSwapped), size: 2) }
    private func read(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(block.get(0, size: 1)) } }

    @Test func itemsAreReadByteByByte() {
        #expect(read(6) == Array("QEMU".utf8) + [0, 0])
        select(1)
        #expect(read(4) == [3, 0, 0, 0])
        select(5)
        #expect(block.get(0, size: 4) == 3)
        select(0)
        #expect(block.get(0, size: 4) == 0x554d_4551, "bytes in memory's order")
        select(0x3f00)
        #expect(block.get(0, size: 8) == 0)
    }

    @Test func theDirectoryNamesFiles() {
        select(FirmwareConfig.Key.directory)
        let bytes = read(4 + 2 * 64)
        #expect(Array(bytes[..<4]) == [0, 0, 0, 2])
        #expect(Array(bytes[4..<17]) == [0, 0, 0, 7, 0, 0x21, 0, 0] + Array("etc/a".utf8))
        #expect(Array(bytes[68..<81]) == [0, 0, 0, 6, 0, 0x20, 0, 0] + Array("etc/b".utf8))
        select(0x21)
        #expect(read(8) == Array("first!!".utf8) + [0])
        #expect(!config.set(file: "", []) && !config.set(file: String(repeating: "x", count: 56), []))
        #expect(config.set(file: "etc/a", [1]))
    }

    /// Puts a command at 0x80000100 and starts it. Returns the control word that is there afterwards.
    private func transfer(_ control: UInt32, _ length: UInt32, to address: UInt64, halves: Bool = true) -> UInt32 {
        let dma = machine.board.dma, place: UInt64 = 0x8000_0100
        #expect(dma.store(place, control.byteSwapped) && dma.store(place + 4, length.byteSwapped))
        #expect(dma.store(place + 8, address.byteSwapped))
        if halves {
            block.put(0x10, UInt64(UInt32(place >> 32).byteSwapped))
            block.put(0x14, UInt64(UInt32(place & 0xffff_ffff).byteSwapped))
        } else {
            block.put(0x10, place.byteSwapped, size: 8)
        }
        return dma.load(place, as: UInt32.self)?.byteSwapped ?? 99
    }

    @Test(arguments: [true, false])
    func DMAReads(_ halves: Bool) {
        let dma = machine.board.dma
        #expect(block.get(0x10, size: 8).byteSwapped == 0x5145_4d55_2043_4647)
        #expect(dma.store(0x8000_0200, bytes: Array(repeating: 0xee, count: 16)))
        #expect(transfer(0x21 << 16 | 8 | 2, 10, to: 0x8000_0200, halves: halves) == 0)
        #expect(dma.bytes(0x8000_0200, count: 12) == Array("first!!".utf8) + [0, 0, 0, 0xee, 0xee])
        #expect(transfer(0x21 << 16 | 8 | 4, 2, to: 0) == 0)
        #expect(transfer(2, 3, to: 0x8000_0200) == 0)
        #expect(dma.bytes(0x8000_0200, count: 3) == Array("rst".utf8))
    }

    @Test(
        arguments: [
            (0x21 << 16 | 8 | 16, 4, 0x8000_0200), (2, 4, 0), (2, 4, 0x1010_0000), (2, 5000, 0x8000_0000),
            (2, .max, 0x8000_0000),
            (2, 4, .max), (0x21 << 16 | 8 | 2, 16, 0x8000_0ff8),
        ] as [(UInt32, UInt32, UInt64)])
    func whatCannotBeIsAnError(_ control: UInt32, _ length: UInt32, _ address: UInt64) {
        #expect(transfer(control, length, to: address) == 1)
    }

    @Test(arguments: [0, 0x1010_0000, 0x8000_0ff8, 0xffff_fff8, 0xffff_ffff_ffff_fffc] as [UInt64])
    func commandsLieInMemory(_ place: UInt64) {
        block.put(0x10, place.byteSwapped, size: 8)
        #expect(read(4) == Array("QEMU".utf8))
    }
}
