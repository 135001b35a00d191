import EventLoop
import GuestMemory
import SystemKit
import Testing

/// A register of every kind.
private final class Sample: Device, RegisterDevice, @unchecked Sendable {
    override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "sample", "one register of every kind",
            [
                Property("flag", .flag, "off", "a flag"), Property("level", .number(1...9), "3", "a number"),
                Property("name", .text, "x", "a text"), Property("mode", .choice(["one", "two"]), "two", "a choice"),
            ])
    }
    var plain: UInt32 = 0, status: UInt32 = 0, count: UInt8 = 0, wide: UInt64 = 0, half: UInt16 = 0
    var array: [UInt32] = [0, 0, 0]
    var writes: [UInt64] = [], changes: [Int] = [], resets = 0, loads = 0

    var span: UInt64 { 0x100 }
    func registers(_ r: inout RegisterMap<Sample>) {
        r.sizes = .any
        r.stored(0x00, "PLAIN", \.plain, reset: 0x1234_5678, mask: 0xffff_0000)
        r.stored(0x04, "STATUS", \.status, .write1ToClear, reset: 0xff, mask: 0x0f)
        r.stored(0x08, "COUNT", \.count, .readClears, reset: 7)
        r.stored(0x10, "WIDE", \.wide)
        r.computed(0x18, "PORT", read: { _, _ in 0xaabb_ccdd }, write: { d, _, v in d.writes.append(v) })
        r.computed(0x1c, "COMMAND", write: { d, _, v in d.writes.append(v) })
        r.reserved(0x20, "ID", value: 0x99)
        r.stored(0x40, "ARRAY", \.array, count: 3, stride: 0x10) { d, index in d.changes.append(index) }
        r.stored(0x44, "HALF", \.half, .readOnly, reset: 0x4142)
    }
    override func reset(_ kind: ResetKind) { resets += 1 }
    override func snapshot(_ s: inout SnapshotCoder) throws(SnapshotError) { try s.list(&writes, atMost: 4) }
    override func hasLoaded() { loads += 1 }
}

@Suite struct RegisterTests {
    private let board: Board
    private let sample: Sample
    private let block: RegisterBlock

    init() throws {
        board = Board(RunControl(try EventLoop(clocks: Clocks())))
        sample = try board.add(Sample.self, "sample0", at: 0x4000)
        block = board.blocks[0]
    }

    @Test func plainRegistersKeepTheirWritableBits() {
        #expect(block.read(0, size: 4) == 0x1234_5678)
        #expect(block.write(0, size: 4, 0xffff_ffff) && block.read(0, size: 4) == 0xffff_5678)
        #expect(block.write(2, size: 1, 0) && block.read(0, size: 4) == 0xff00_5678)
        #expect(block.write(2, size: 2, 0xabcd) && block.read(3, size: 1) == 0xab)
        #expect(block.write(0, size: 1, 0) && block.read(0, size: 2) == 0x5678)
    }

    @Test func kindsDoWhatTheySay() {
        #expect(block.write(4, size: 4, 0x15) && block.read(4, size: 4) == 0xfa)
        #expect(block.read(8, size: 1) == 7 && block.read(8, size: 1) == 0)
        #expect(block.write(8, size: 1, 5) && block.read(8, size: 1) == 0)
        #expect(block.read(0x1c, size: 4) == 0)
        #expect(block.write(0x20, size: 4, 1) && block.read(0x20, size: 4) == 0x99)
        #expect(block.write(0x44, size: 2, 1) && block.read(0x44, size: 2) == 0x4142)
    }

    @Test func accessesAreSplitAndMerged() {
        #expect(block.write(0x10, size: 4, 0x1111_1111) && block.write(0x14, size: 4, 0x2222_2222))
        #expect(block.read(0x10, size: 8) == 0x2222_2222_1111_1111)
        #expect(block.read(0, size: 8) == 0xff_1234_5678, "two registers")
        #expect(block.write(0, size: 8, 0x0f_0000_0000) && block.read(0, size: 8) == 0xf0_0000_5678)
        #expect(block.write(0x18, size: 8, 0x55_0000_0066) && sample.writes == [0x66, 0x55])
        #expect(block.write(0x19, size: 1, 0xee) && sample.writes.last == 0xaabb_eedd, "the rest is what it reads")
    }

    @Test func arraysAreIndexed() {
        for index in 0..<3 { _ = block.write(0x40 + 16 * UInt64(index), size: 4, UInt64(index + 1)) }
        #expect(sample.array == [1, 2, 3] && sample.changes == [0, 1, 2])
        #expect(block.read(0x70, size: 4) == 0 && block.write(0x70, size: 4, 9) && sample.array == [1, 2, 3])
    }

    @Test func whatIsNoRegisterReadsAsZero() {
        #expect(block.read(0x30, size: 8) == 0 && block.write(0x30, size: 8, .max))
        #expect(block.read(1, size: 2) == nil && block.read(0x100, size: 1) == nil && block.read(.max, size: 1) == nil)
        #expect(block.read(0, size: 3) == nil && block.read(0, size: 0) == nil && !block.write(0, size: 16, 0))
    }

    @Test func resetAndSavedState() throws {
        #expect(sample.resets == 1)
        for offset in stride(from: UInt64(0), to: 0x60, by: 4) { _ = block.write(offset, size: 4, 0x8765_4321) }
        var saver = SnapshotCoder()
        try board.snapshot(&saver)
        let state = (sample.plain, sample.array, sample.wide, sample.writes)
        board.reset(.warm)
        #expect(sample.plain == 0x1234_5678 && sample.array == [0, 0, 0] && sample.wide == 0 && sample.resets == 2)
        var loader = SnapshotCoder(loading: saver.bytes)
        try board.snapshot(&loader)
        try loader.finish()
        #expect((sample.plain, sample.array, sample.wide, sample.writes) == state && sample.loads == 1)
    }

    @Test func linesForTheMonitor() {
        let tree = board.tree(registers: true)
        #expect(tree.contains("0000000000004000-00000000000040ff  i/o  sample0 (sample)"))
        #expect(tree.contains("+0x0040  ARRAY  4 bytes, plain x 3, every 0x10"))
    }

    @Test func rangesDoNotOverlap() throws {
        #expect(throws: BoardError.overlap("b")) { try board.add(Sample.self, "b", at: 0x40ff) }
        #expect(throws: BoardError.sameName("sample0")) { try board.add(Sample.self, "sample0", at: 0x9000) }
        #expect(board.blocks.count == 1)
    }

    @Test func properties() throws {
        let descriptor = Sample.descriptor
        let given = try Properties(descriptor, parsing: "flag,level=0x9,name=a b,mode=one")
        #expect(
            given.flag("flag") && given.number("level") == 9 && given.text("name") == "a b"
                && given.text("mode") == "one")
        let standard = try Properties(descriptor)
        #expect(!standard.flag("flag") && standard.number("level") == 3 && standard.text("mode") == "two")
        let bad: [(String, String)] = [
            ("colour=red", "sample has no property 'colour' (-device sample,help lists them)"),
            ("level=10", "sample: 'level' cannot be '10': 1..9 is what it takes"),
            ("level=-1", "sample: 'level' cannot be '-1': 1..9 is what it takes"),
            ("level=", "sample: 'level' cannot be '': 1..9 is what it takes"),
            ("flag=2", "sample: 'flag' cannot be '2': on|off is what it takes"),
            ("mode=", "sample: 'mode' cannot be '': one|two is what it takes"),
            ("flag=on,flag=off", "sample: 'flag' is given twice"),
        ]
        for (text, message) in bad {
            do {
                _ = try Properties(descriptor, parsing: text)
                Issue.record("\(text) is accepted")
            } catch {
                #expect("\(error)" == message)
            }
        }
        #expect(descriptor.help.contains("  level=1..9  a number (3 unless given)"))
    }
}

@Suite struct LineTests {
    @Test func linesAreBitsOfTheHartsWord() {
        let word = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
        defer { word.deallocate() }
        word.pointee = 0x10
        nonisolated(unsafe) var kicks = 0
        let hart = HartLines(word) { kicks += 1 }
        hart.line(7).set(true)
        hart.line(7).set(true)
        #expect(word.pointee == 0x90 && kicks == 1)
        hart.line(11).pulse()
        #expect(word.pointee == 0x90 && kicks == 2)
        hart.line(7).set(false)
        #expect(word.pointee == 0x10 && kicks == 2, "a line that falls wakes nobody")
        IRQLine.unconnected.set(true)
    }
}
