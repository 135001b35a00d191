import BlockLayer
import EventLoop
import HostOS
import SCSI
import SystemKit
import TestSupport
import Testing
import Virtio

/// What became of a command.
private struct Answer: Equatable {
    var response: UInt8
    var status: UInt8 = 0
    var sense: [UInt8] = []
    var residual: UInt32 = 0
    var written: UInt32 = 0
    var data: [UInt8] = []

    static let good = Answer(response: 0)
    /// Key, code and qualifier.
    var why: [UInt8] { sense.count == 18 ? [sense[2], sense[12], sense[13]] : sense }
}

/// Numbers with their most significant byte first.
private func big(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
}

private func number(_ bytes: some Collection<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

/// An adapter with units, and a driver of it.
private final class Adapter {
    enum Queue { static let control = 0, events = 1, requests = 2 }
    static let head = TestDriver.buffers, answer = TestDriver.buffers + 0x400, data = TestDriver.buffers + 0x1000
    static let change: UInt64 = 4
    let driver: TestDriver
    let units: [SCSIUnit]
    let backends: [BlockBackend]

    /// Each unit: its kind, its disk, and its properties.
    init(
        _ layout: RingLayout = RingLayout(), _ properties: String = "",
        units rows: [(SCSIUnit.Type, TestDisk, String)] = []
    ) throws {
        var made: [SCSIUnit] = [], backends: [BlockBackend] = []
        driver = try TestDriver(
            layout,
            { context in
                let adapter = VirtioSCSI(context)
                for (type, disk, text) in rows {
                    do {
                        var row = context
                        row.properties = try Properties(type.descriptor, parsing: text)
                        let backend = BlockBackend(disk, name: "d")
                        row.disk = backend
                        backends.append(backend)
                        let unit = type.init(row)
                        try adapter.plug(unit)
                        made.append(unit)
                    } catch { Issue.record("\(error)") }
                }
                return adapter
            }, VirtioSCSI.descriptor, properties)
        units = made
        self.backends = backends
        start()
    }

    /// Without the units' attention for the reset.
    func start(keepsAttention: Bool = false) {
        driver.queue = Queue.requests
        driver.start(Self.change, more: [Queue.control, Queue.events])
        if keepsAttention { return }
        for unit in units { _ = try? run([0, 0, 0, 0, 0, 0], at: unit.address) }
    }

    func lun(_ place: SCSIAddress) -> [UInt8] {
        [1, place.target, UInt8(place.unit >> 8) | 0x40, UInt8(place.unit & 0xff), 0, 0, 0, 0]
    }

    /// Begins a command; its answer is at `slot`.
    func begin(
        _ command: [UInt8], at place: SCSIAddress, output: [UInt8] = [], room: Int = 0, tag: UInt64 = 1,
        slot: UInt64 = 0
    ) {
        driver.queue = Queue.requests
        let head = Self.head + 0x80 * slot, answer = Self.answer + 0x80 * slot
        let padded = command + Array(repeating: 0, count: 32 - command.count)
        let tagBytes: [UInt8] = big(tag, 8).reversed()
        #expect(driver.memory.store(head, bytes: lun(place) + tagBytes + [0, 0, 0] + padded))
        var pieces = [Piece(address: head, count: 51)]
        if !output.isEmpty {
            #expect(driver.memory.store(Self.data, bytes: output))
            pieces.append(Piece(address: Self.data, count: UInt32(output.count)))
        }
        pieces.append(Piece(address: answer, count: 108, isWritten: true))
        if room > 0 { pieces.append(Piece(address: Self.data, count: UInt32(room), isWritten: true)) }
        driver.offer(pieces)
    }

    func answer(room: Int = 0, slot: UInt64 = 0) throws -> Answer {
        driver.queue = Queue.requests
        let written = try #require(driver.used()).written
        let at = Self.answer + 0x80 * slot, memory = driver.memory
        let count = try #require(memory.load(at, as: UInt32.self))
        return Answer(
            response: memory.load(at + 11, as: UInt8.self)!, status: memory.load(at + 10, as: UInt8.self)!,
            sense: memory.bytes(at + 12, count: Int(count))!, residual: memory.load(at + 4, as: UInt32.self)!,
            written: written, data: memory.bytes(Self.data, count: max(0, Int(written) - 108))!)
    }

    func run(
        _ command: [UInt8], at place: SCSIAddress = SCSIAddress(target: 0, unit: 0), output: [UInt8] = [],
        room: Int = 0
    ) throws -> Answer {
        begin(command, at: place, output: output, room: room)
        return try answer(room: room)
    }

    /// Ended well, with this data.
    func data(_ command: [UInt8], room: Int = 252, output: [UInt8] = []) throws -> [UInt8] {
        let answer = try run(command, output: output, room: room)
        #expect(answer.response == 0 && answer.status == 0, "\(command): \(answer)")
        #expect(Int(answer.residual) == room + output.count - (room > 0 ? answer.data.count : output.count))
        return answer.data
    }

    func refusal(_ command: [UInt8], output: [UInt8] = [], room: Int = 0) throws -> [UInt8] {
        let answer = try run(command, output: output, room: room)
        #expect(answer.response == 0 && answer.status == 2 && answer.sense.count == 18 && answer.data.isEmpty)
        return answer.why
    }

    /// Task management; nil: it has not been answered yet.
    func manage(_ function: UInt32, _ place: SCSIAddress, tag: UInt64 = 0, waits: Bool = true) -> UInt8? {
        driver.queue = Queue.control
        let tagBytes: [UInt8] = big(tag, 8).reversed(), at = Self.head + 0x300
        _ = driver.memory.store(
            at, bytes: [0, 0, 0, 0, UInt8(function & 0xff), 0, 0, 0] + lun(place) + tagBytes)
        driver.offer([Piece(address: at, count: 24), Piece(address: at + 0x40, count: 1, isWritten: true)])
        return managed(waits: waits)
    }

    func managed(waits: Bool = true) -> UInt8? {
        driver.queue = Queue.control
        return driver.used(waits: waits) == nil
            ? nil : driver.memory.load(Self.head + 0x340, as: UInt8.self)
    }
}

private let invalidField: [UInt8] = [5, 0x24, 0], outOfRange: [UInt8] = [5, 0x21, 0]
private let invalidParameter: [UInt8] = [5, 0x26, 0]
private let origin = SCSIAddress(target: 0, unit: 0)

@Suite struct VirtioSCSITests {
    private let disk = TestDisk()

    private func make(_ layout: RingLayout = RingLayout(), _ unit: String = "") throws -> Adapter {
        try Adapter(layout, units: [(SCSIDisk.self, disk, unit)])
    }

    @Test(arguments: RingLayout.all) func blocksAreReadAndWrittenByAllCommands(_ layout: RingLayout) throws {
        let adapter = try make(layout)
        let forms: [(write: UInt8, read: UInt8, rest: (UInt64, UInt64) -> [UInt8])] = [
            (0x0a, 0x08, { big($0, 3) + [UInt8($1), 0] }), (0x2a, 0x28, { [0] + big($0, 4) + [0] + big($1, 2) + [0] }),
            (0xaa, 0xa8, { [0] + big($0, 4) + big($1, 4) + [0, 0] }),
            (0x8a, 0x88, { [0] + big($0, 8) + big($1, 4) + [0, 0] }),
        ]
        for (index, form) in forms.enumerated() {
            let bytes = (0..<1024).map { UInt8(truncatingIfNeeded: $0 + index * 7) }, block = UInt64(index * 5 + 1)
            var answer = try adapter.run([form.write] + form.rest(block, 2), output: bytes)
            #expect((answer.response, answer.status, answer.residual, answer.written) == (0, 0, 0, 108))
            #expect(Array(disk.bytes[Int(block) * 512..<Int(block) * 512 + 1024]) == bytes)
            _ = adapter.driver.memory.fill(Adapter.data, count: 1024)
            answer = try adapter.run([form.read] + form.rest(block, 2), room: 1024)
            #expect(answer.data == bytes && answer.written == 108 + 1024 && answer.residual == 0)
        }
        #expect(try adapter.run([0x0a, 0, 0, 0, 0, 0], output: Array(repeating: 1, count: 256 * 512)).status == 0)
        #expect(disk.bytes[256 * 512 - 1] == 1 && disk.bytes[256 * 512] == 0xee, "no count is 256 blocks")
        #expect(try adapter.run([0x2a, 0, 0, 0, 0, 0, 0, 0, 0, 0]) == Answer(response: 0, written: 108))
    }

    @Test func theUnitSaysWhatItIs() throws {
        let adapter = try make(
            RingLayout(), "serial=S1,vendor=V,product=P,ver=9,wwn=0x5000c50015ea71aa,rotation_rate=1")
        let identity = try adapter.data([0x12, 0, 0, 0, 252, 0])
        #expect(identity == [0, 0, 5, 2, 31, 0, 0, 2] + Array("V       P               9   ".utf8))
        #expect(try adapter.data([0x12, 0, 0, 0, 5, 0]) == Array(identity[..<5]))
        #expect(try adapter.data([0x12, 1, 0, 0, 252, 0]) == [0, 0, 0, 6, 0, 0x80, 0x83, 0xb0, 0xb1, 0xb2])
        #expect(try adapter.data([0x12, 1, 0x80, 0, 252, 0]) == [0, 0x80, 0, 2] + Array("S1".utf8))
        #expect(
            try adapter.data([0x12, 1, 0x83, 0, 252, 0])
                == [0, 0x83, 0, 18, 2, 0, 0, 2] + Array("S1".utf8) + [1, 3, 0, 8] + big(0x5000_c500_15ea_71aa, 8))
        let limits = try adapter.data([0x12, 1, 0xb0, 0, 252, 0])
        #expect(limits.count == 64 && limits[4] == 1, "a count of 0 is not all of the disk")
        #expect(number(limits[20..<24]) == 1 << 22 && number(limits[24..<28]) == 255)
        #expect(number(limits[36..<44]) == 1 << 22)
        #expect(try adapter.data([0x12, 1, 0xb1, 0, 252, 0]).count == 64)
        #expect(try number(adapter.data([0x12, 1, 0xb1, 0, 252, 0])[4..<6]) == 1)
        #expect(try adapter.data([0x12, 1, 0xb2, 0, 252, 0]) == [0, 0xb2, 0, 4, 0, 0xe0, 2, 0])
        #expect(try adapter.refusal([0x12, 0, 0x80, 0, 252, 0], room: 252) == invalidField)
        #expect(try adapter.refusal([0x12, 1, 0x99, 0, 252, 0], room: 252) == invalidField)
        let plain = try make()
        #expect(try plain.data([0x12, 1, 0, 0, 252, 0]) == [0, 0, 0, 5, 0, 0x83, 0xb0, 0xb1, 0xb2])
        #expect(try plain.data([0x12, 1, 0x83, 0, 252, 0]) == [0, 0x83, 0, 5, 2, 0, 0, 1, UInt8(ascii: "d")])
    }

    @Test func theCapacityIsTold() throws {
        let adapter = try make(RingLayout(), "physical_block_size=4096")
        #expect(try adapter.data([0x25] + Array(repeating: 0, count: 9)) == big(2047, 4) + big(512, 4))
        let long = try adapter.data([0x9e, 0x10] + Array(repeating: 0, count: 8) + big(32, 4) + [0, 0])
        #expect(long == big(2047, 8) + big(512, 4) + [0, 3, 0x80] + Array(repeating: 0, count: 17))
        #expect(try adapter.refusal([0x9e, 0x11], room: 32) == invalidField)
        #expect(try adapter.refusal([0x25, 0, 0, 0, 0, 1, 0, 0, 0, 0], room: 8) == invalidField)
        disk.size = 100
        #expect(try adapter.refusal([0x25] + Array(repeating: 0, count: 9), room: 8) == [2, 0x3a, 0])
        #expect(try adapter.refusal([0, 0, 0, 0, 0, 0]) == [2, 0x3a, 0])
        disk.size = 3 << 41
        #expect(try adapter.data([0x25] + Array(repeating: 0, count: 9)) == big(0xffff_ffff, 4) + big(512, 4))
    }

    @Test func whatCannotBeIsRefused() throws {
        let adapter = try make()
        let two = [UInt8](repeating: 1, count: 1024)
        #expect(try adapter.refusal([0x28, 0] + big(2048, 4) + [0, 0, 1, 0], room: 512) == outOfRange)
        #expect(try adapter.refusal([0x2a, 0] + big(2047, 4) + [0, 0, 2, 0], output: two) == outOfRange)
        #expect(try adapter.refusal([0x88, 0] + big(.max, 8) + big(1, 4) + [0, 0], room: 512) == outOfRange)
        #expect(
            try adapter.refusal([0x88, 0] + big(1 << 55, 8) + big(0xffff_ffff, 4) + [0, 0], room: 512) == outOfRange)
        #expect(try adapter.refusal([0x28, 0x20] + big(0, 4) + [0, 0, 1, 0], room: 512) == invalidField)
        #expect(try adapter.refusal([0x2f, 2] + big(0, 4) + [0, 0, 1, 0]) == invalidField)
        #expect(try adapter.refusal([0xff]) == [5, 0x20, 0])
        #expect(try adapter.refusal([0x43], room: 12) == [5, 0x20, 0], "what discs are asked")
        // Less room, or data, than the command speaks of.
        #expect(try adapter.run([0x28, 0] + big(0, 4) + [0, 0, 2, 0], room: 512).response == 1)
        #expect(try adapter.run([0x2a, 0] + big(0, 4) + [0, 0, 3, 0], output: two).response == 1)
        #expect(try adapter.run([0x12, 0, 0, 0, 36, 0], room: 4).response == 1)
        #expect(disk.log.isEmpty)
        // More.
        let answer = try adapter.run([0x28, 0] + big(0, 4) + [0, 0, 1, 0], room: 2048)
        #expect(answer.residual == 1536 && answer.data.count == 512 && answer.status == 0)
        // Both ways at once.
        #expect(try adapter.run([0x28, 0] + big(0, 4) + [0, 0, 1, 0], output: two, room: 512).response == 9)
    }

    @Test func errorsOfTheImageAreTold() throws {
        let adapter = try make(RingLayout(), "werror=report")
        disk.failsAt = 512
        let block = [UInt8](repeating: 1, count: 512)
        #expect(try adapter.refusal([0x28, 0] + big(1, 4) + [0, 0, 1, 0], room: 512) == [3, 0x11, 0])
        #expect(try adapter.refusal([0x2a, 0] + big(1, 4) + [0, 0, 1, 0], output: block) == [3, 0x0c, 0])
        #expect(try adapter.refusal([0x41, 0] + big(1, 4) + [0, 0, 1, 0], output: block) == [3, 0x0c, 0])
        disk.failsWith = .nospc
        #expect(try adapter.refusal([0x2a, 0] + big(1, 4) + [0, 0, 1, 0], output: block) == [7, 0x27, 7])
        #expect(try adapter.data([0x28, 0] + big(2, 4) + [0, 0, 1, 0], room: 512).count == 512)
    }

    @Test func rangesAreUnmapped() throws {
        let adapter = try make()
        func list(_ ranges: [(UInt64, UInt64)]) -> [UInt8] {
            big(UInt64(6 + 16 * ranges.count), 2) + big(UInt64(16 * ranges.count), 2) + [0, 0, 0, 0]
                + ranges.flatMap { big($0.0, 8) + big($0.1, 4) + [0, 0, 0, 0] }
        }
        func unmap(_ list: [UInt8], flags: UInt8 = 0) -> [UInt8] {
            [0x42, flags, 0, 0, 0, 0, 0] + big(UInt64(list.count), 2) + [0]
        }
        let good = list([(8, 16), (100, 0), (2040, 8)])
        #expect(try adapter.run(unmap(good), output: good).status == 0)
        #expect(disk.log == ["discard 4096 8192", "discard 1044480 4096"])
        let wrong = list([(8, 1), (2047, 2)])
        #expect(try adapter.refusal(unmap(wrong), output: wrong) == outOfRange)
        let many = list(Array(repeating: (0, 1), count: 256))
        #expect(try adapter.refusal(unmap(many), output: many) == invalidParameter)
        #expect(try adapter.refusal(unmap([1, 2, 3]), output: [1, 2, 3]) == [5, 0x1a, 0])
        #expect(try adapter.refusal(unmap(good, flags: 1), output: good) == invalidField)
        #expect(try adapter.run(unmap([])).status == 0)
        #expect(try adapter.run(unmap(good), output: Array(good[..<20])).response == 1)
        // A list that says that it is longer than it is.
        var long = list([(0, 1)])
        long[3] = 0xff
        #expect(try adapter.run(unmap(long), output: long).status == 0)
        #expect(disk.log.count == 3)
        disk.size = 8 << 30
        let all = list([(0, 1 << 22), (1 << 22, 1)])
        #expect(try adapter.refusal(unmap(all), output: all) == invalidParameter)
    }

    @Test func aBlockIsWrittenManyTimes() throws {
        let adapter = try make()
        let zero = [UInt8](repeating: 0, count: 512), other = (0..<512).map { UInt8(truncatingIfNeeded: $0) }
        #expect(try adapter.run([0x41, 0] + big(8, 4) + [0] + big(16, 2) + [0], output: zero).status == 0)
        #expect(try adapter.run([0x93, 8] + big(8, 8) + big(16, 4) + [0, 0], output: zero).status == 0)
        #expect(try adapter.run([0x93, 9] + big(16, 8) + big(1, 4) + [0, 0]).status == 0, "without data")
        #expect(disk.log == ["zero 4096 8192 false", "zero 4096 8192 true", "zero 8192 512 true"])
        disk.log = []
        #expect(try adapter.run([0x93, 0] + big(1, 8) + big(1030, 4) + [0, 0], output: other).status == 0)
        #expect(disk.log == ["write 512 [262144]", "write 262656 [262144]", "write 524800 [3072]"])
        #expect(Array(disk.bytes[512..<1024]) == other && Array(disk.bytes[1030 * 512..<1031 * 512]) == other)
        #expect(disk.bytes[1031 * 512] == 0xee)
        #expect(try adapter.refusal([0x93, 0] + big(0, 8) + big(0, 4) + [0, 0], output: other) == invalidField)
        #expect(try adapter.refusal([0x93, 16] + big(0, 8) + big(1, 4) + [0, 0], output: other) == invalidField)
        #expect(try adapter.refusal([0x93, 0] + big(2047, 8) + big(2, 4) + [0, 0], output: other) == outOfRange)
        #expect(try adapter.run([0x93, 0] + big(0, 8) + big(1, 4) + [0, 0], output: [1]).response == 1)
        disk.size = 8 << 30
        #expect(try adapter.refusal([0x93, 0] + big(0, 8) + big(1 << 23, 4) + [0, 0], output: zero) == invalidField)
    }

    @Test func modesAreShownAndChanged() throws {
        let adapter = try make()
        let caching = [0x08, 18, 4] + [UInt8](repeating: 0, count: 17)
        #expect(try adapter.data([0x1a, 8, 0x08, 0, 252, 0]) == [23, 0, 0, 0] + caching)
        #expect(try adapter.data([0x1a, 0, 0x08, 0, 252, 0]) == [31, 0, 0, 8] + big(2048, 4) + big(512, 4) + caching)
        #expect(
            try adapter.data([0x5a, 8, 0x08, 0, 0, 0, 0, 0, 252, 0]) == [0, 26, 0, 0, 0, 0, 0, 0] + caching)
        #expect(try adapter.data([0x1a, 8, 0x48, 0, 252, 0])[6] == 4, "the bit that can be changed")
        let all = try adapter.data([0x1a, 8, 0x3f, 0, 252, 0])
        #expect(all.count == 4 + 12 + 20 + 12 && all[4] == 1 && all[16] == 8 && all[36] == 10)
        #expect(try adapter.refusal([0x1a, 8, 0x3e, 0, 252, 0], room: 252) == invalidField)
        #expect(try adapter.refusal([0x1a, 8, 0xc8, 0, 252, 0], room: 252) == [5, 0x39, 0])
        #expect(try adapter.refusal([0x1a, 8, 0x08, 1, 252, 0], room: 252) == invalidField)
        func select(_ page: [UInt8], flags: UInt8 = 0x10, header: [UInt8] = [0, 0, 0, 0]) throws -> Answer {
            let list = header + page
            return try adapter.run([0x15, flags, 0, 0, UInt8(list.count), 0], output: list)
        }
        let through = [0x08, 18, 0] + [UInt8](repeating: 0, count: 17), block = [UInt8](repeating: 1, count: 512)
        #expect(try select(through).status == 0 && disk.log == ["flush"])
        #expect(try adapter.data([0x1a, 8, 0x08, 0, 252, 0])[6] == 0)
        #expect(try adapter.data([0x1a, 8, 0x88, 0, 252, 0])[6] == 4, "as it is at first")
        #expect(try adapter.run([0x2a, 0] + big(0, 4) + [0, 0, 1, 0], output: block).status == 0)
        #expect(disk.log == ["flush", "write 0 [512]", "flush"])
        #expect(try select(through, flags: 0).why == invalidField && select(through, flags: 0x11).why == invalidField)
        #expect(try select([0x08, 18, 0x10] + [UInt8](repeating: 0, count: 17)).why == invalidParameter)
        #expect(try select([0x08, 17, 0] + [UInt8](repeating: 0, count: 17)).why == invalidParameter)
        #expect(try select([0x33, 0]).why == invalidParameter)
        #expect(
            try select(Array(through[..<9])).why == [5, 0x1a, 0] && select([], header: [0, 0]).why == [5, 0x1a, 0])
        #expect(try select(through, header: [0, 0, 0, 7]).why == invalidParameter)
        #expect(try adapter.run([0x15, 0x10, 0, 0, 0, 0]).status == 0)
        let long = [0, 0, 0, 0, 0, 0, 0, 8] + [UInt8](repeating: 0, count: 8) + caching
        #expect(try adapter.run([0x55, 0x10, 0, 0, 0, 0, 0, 0, UInt8(long.count), 0], output: long).status == 0)
        #expect(try adapter.data([0x1a, 8, 0x08, 0, 252, 0])[6] == 4)
    }

    @Test func writesStayWhereTheyAreTo() throws {
        let adapter = try make(RingLayout(), "dpofua=on")
        let block = [UInt8](repeating: 1, count: 512)
        #expect(try adapter.data([0x1a, 8, 0x08, 0, 252, 0])[2] == 0x10)
        #expect(try adapter.run([0x2a, 8] + big(0, 4) + [0, 0, 1, 0], output: block).status == 0)
        #expect(try adapter.run([0x2e, 0] + big(1, 4) + [0, 0, 1, 0], output: block).status == 0)
        #expect(try adapter.run([0x35] + Array(repeating: 0, count: 9)).status == 0)
        #expect(disk.log == ["write 0 [512]", "flush", "write 512 [512]", "flush", "flush"])
        let through = try make(RingLayout(), "write-cache=off")
        disk.log = []
        #expect(try through.run([0x2a, 0] + big(0, 4) + [0, 0, 1, 0], output: block).status == 0)
        #expect(disk.log == ["write 0 [512]", "flush"])
    }

    @Test func aReadOnlyDiskIsNotWritten() throws {
        let disk = TestDisk(isReadOnly: true)
        let adapter = try Adapter(units: [(SCSIDisk.self, disk, "")]), block = [UInt8](repeating: 1, count: 512)
        for code: UInt8 in [0x0a, 0x2a, 0xaa, 0x8a, 0x2e, 0xae, 0x8e, 0x41, 0x93, 0x42] {
            #expect(try adapter.refusal([code], output: block) == [7, 0x27, 0])
        }
        #expect(try adapter.data([0x1a, 8, 0x08, 0, 252, 0])[2] == 0x80 && disk.log.isEmpty)
        #expect(try adapter.data([0x12, 1, 0xb2, 0, 252, 0])[5] == 0)
        #expect(try adapter.data([0x08, 0, 0, 0, 1, 0], room: 512).count == 512)
    }

    @Test func unitsHaveAddresses() throws {
        let adapter = try Adapter(units: [
            (SCSIDisk.self, disk, ""), (SCSIDisk.self, disk, "scsi-id=7,lun=300"), (SCSIDisk.self, disk, "scsi-id=7"),
            (SCSIDisk.self, disk, ""),
        ])
        let places = adapter.units.map(\.address)
        #expect(places.map(\.target) == [0, 7, 7, 1] && places.map(\.unit) == [0, 300, 0, 0])
        func report(_ place: SCSIAddress, _ selection: UInt8 = 0) throws -> Answer {
            try adapter.run([0xa0, 0, selection, 0, 0, 0] + big(64, 4) + [0, 0], at: place, room: 64)
        }
        #expect(try report(places[0]).data == big(8, 4) + [0, 0, 0, 0] + Array(repeating: 0, count: 8))
        let two = big(16, 4) + [UInt8](repeating: 0, count: 12) + [0x41, 0x2c, 0, 0, 0, 0, 0, 0]
        #expect(try report(SCSIAddress(target: 7, unit: 0)).data == two)
        #expect(try report(SCSIAddress(target: 7, unit: 9)).data == two, "whatever unit is named")
        #expect(try report(places[0], 1).data == Array(repeating: 0, count: 8), "there are no well known ones")
        #expect(try report(places[0], 3).why == invalidField)
        // What is not there.
        let absent = SCSIAddress(target: 7, unit: 1)
        #expect(try adapter.run([0, 0, 0, 0, 0, 0], at: absent).why == [5, 0x25, 0])
        #expect(try adapter.run([0x12, 0, 0, 0, 36, 0], at: absent, room: 36).data[0] == 0x7f)
        let sense = try adapter.run([3, 0, 0, 0, 18, 0], at: absent, room: 18)
        #expect(sense.status == 0 && sense.data[2] == 5 && sense.data[12] == 0x25)
        #expect(try adapter.run([0, 0, 0, 0, 0, 0], at: SCSIAddress(target: 9, unit: 0)).response == 3)
    }

    @Test func aResetIsToldOnce() throws {
        let adapter = try make()
        adapter.start(keepsAttention: true)
        #expect(try adapter.run([0x12, 0, 0, 0, 36, 0], room: 36).status == 0, "who asks what it is hears nothing")
        #expect(try adapter.refusal([0x28, 0] + big(0, 4) + [0, 0, 1, 0], room: 512) == [6, 0x29, 0])
        #expect(try adapter.data([0x28, 0] + big(0, 4) + [0, 0, 1, 0], room: 512).count == 512)
        adapter.start(keepsAttention: true)
        #expect(try adapter.data([3, 0, 0, 0, 18, 0], room: 18)[2] == 6)
        #expect(try adapter.data([3, 1, 0, 0, 18, 0], room: 18) == [0x72, 0, 0, 0, 0, 0, 0, 0])
    }

    @Test func tasksAreAbortedAndUnitsReset() throws {
        let adapter = try Adapter(units: [(SCSIDisk.self, disk, ""), (SCSIDisk.self, TestDisk(), "")])
        let read = [UInt8(0x28), 0] + big(0, 4) + [0, 0, 1, 0]
        func under(_ body: () throws -> Void) throws {
            // Reads wait for the disk meanwhile.
            disk.lock.lock()
            adapter.begin(read, at: origin, room: 512, tag: 77)
            do { try body() } catch {
                disk.lock.unlock()
                throw error
            }
        }
        #expect(adapter.manage(6, origin, tag: 77) == 0 && adapter.manage(7, origin) == 0, "nothing is under way")
        #expect(adapter.manage(0, origin, tag: 77) == 0)
        try under {
            #expect(adapter.manage(6, origin, tag: 77) == 10 && adapter.manage(6, origin, tag: 78) == 0)
            #expect(adapter.manage(7, origin) == 10 && adapter.manage(7, SCSIAddress(target: 1, unit: 0)) == 0)
            #expect(adapter.manage(0, origin, tag: 78) == 0, "another task")
            #expect(adapter.manage(0, origin, tag: 77, waits: false) == nil, "it waits for the task's end")
        }
        disk.lock.unlock()
        #expect(try adapter.answer().response == 2 && adapter.managed() == 0)
        for (function, response) in [(1 as UInt32, 2 as UInt8), (3, 2), (4, 4), (5, 4)] {
            try under { #expect(adapter.manage(function, origin, waits: false) == nil) }
            disk.lock.unlock()
            #expect(try adapter.answer().response == response && adapter.managed() == 0)
            let attention: [UInt32: [UInt8]] = [4: [6, 0x29, 7], 5: [6, 0x29, 3]]
            #expect(try adapter.run([0, 0, 0, 0, 0, 0]).why == attention[function] ?? [])
        }
        #expect(adapter.manage(2, origin) == 11 && adapter.manage(99, origin) == 11)
        #expect(adapter.manage(5, SCSIAddress(target: 1, unit: 5)) == 12)
        #expect(adapter.manage(5, SCSIAddress(target: 5, unit: 0)) == 3)
        // Events of a unit: it has none.
        adapter.driver.queue = Adapter.Queue.control
        for type: UInt32 in [1, 2] {
            _ = adapter.driver.memory.store(Adapter.head, type)
            adapter.driver.offer([
                Piece(address: Adapter.head, count: 16), Piece(address: Adapter.head + 64, count: 5, isWritten: true),
            ])
            #expect(adapter.driver.used()?.written == 5)
        }
    }

    @Test func anotherSizeIsTold() throws {
        let adapter = try Adapter(units: [(SCSIDisk.self, disk, "scsi-id=2,lun=258")]), place = adapter.units[0].address
        adapter.driver.queue = Adapter.Queue.events
        for _ in 0..<2 { adapter.backends[0].sizeChanged() }
        #expect(adapter.driver.used(waits: false) == nil, "there is no room to tell it")
        adapter.driver.offer([Piece(address: Adapter.data, count: 16, isWritten: true)])
        #expect(try #require(adapter.driver.used()).written == 16)
        #expect(
            adapter.driver.memory.bytes(Adapter.data, count: 16) == [
                3, 0, 0, 0, 1, 2, 0x41, 2, 0, 0, 0, 0, 0x2a, 9, 0, 0,
            ])
        adapter.driver.offer([Piece(address: Adapter.data, count: 16, isWritten: true)])
        #expect(adapter.driver.used(waits: false) == nil, "once")
        #expect(try adapter.run([0, 0, 0, 0, 0, 0], at: place).why == [6, 0x2a, 9])
        #expect(try adapter.run([0, 0, 0, 0, 0, 0], at: place).status == 0)
    }

    @Test func nothingComesBehindAReset() throws {
        let adapter = try make()
        for round in 0..<30 {
            adapter.begin([0x28, 0] + big(0, 4) + [0, 0, 4, 0], at: origin, room: 2048, slot: 0)
            adapter.begin([0x28, 0] + big(8, 4) + [0, 0, 4, 0], at: origin, room: 2048, slot: 1)
            if round % 2 == 0 { adapter.driver.turn() }
            adapter.driver.status = 0
            #expect(adapter.driver.memory.fill(Adapter.data, count: 2048))
            adapter.driver.turn()
            #expect(adapter.driver.memory.bytes(Adapter.data, count: 2048)!.allSatisfy { $0 == 0 })
            adapter.start()
        }
    }

    @Test func requestsOfOtherFormsStopTheAdapter() throws {
        let lies: [(Int, [Piece])] = [
            (
                2,
                [Piece(address: Adapter.head, count: 50), Piece(address: Adapter.answer, count: 108, isWritten: true)]
            ),
            (
                2,
                [Piece(address: Adapter.head, count: 51), Piece(address: Adapter.answer, count: 107, isWritten: true)]
            ),
            (2, [Piece(address: Adapter.head, count: 51)]),
            (0, [Piece(address: Adapter.head, count: 3), Piece(address: Adapter.answer, count: 1, isWritten: true)]),
            (0, [Piece(address: Adapter.head, count: 23), Piece(address: Adapter.answer, count: 1, isWritten: true)]),
            (0, [Piece(address: Adapter.head, count: 24)]),
        ]
        for (index, (queue, pieces)) in lies.enumerated() {
            let adapter = try make()
            _ = adapter.driver.memory.fill(Adapter.head, count: 64)
            adapter.driver.queue = queue
            adapter.driver.offer(pieces)
            adapter.driver.turn()
            #expect(adapter.driver.needsReset, "\(index)")
            adapter.start()
            #expect(try adapter.data([0x08, 0, 0, 0, 1, 0], room: 512).count == 512, "a reset helps")
        }
        let adapter = try make()
        for place: [UInt8] in [[0, 0, 0, 0, 0, 0, 0, 0], [1, 0, 0x80, 0, 0, 0, 0, 0], [1, 0, 0x40, 0, 0, 0, 0, 1]] {
            adapter.driver.queue = Adapter.Queue.requests
            _ = adapter.driver.memory.store(Adapter.head, bytes: place + Array(repeating: 0, count: 43))
            adapter.driver.offer([
                Piece(address: Adapter.head, count: 51), Piece(address: Adapter.answer, count: 108, isWritten: true),
            ])
            #expect(try adapter.answer().response == 3, "no address of one level")
        }
        // Sizes that a driver chooses.
        adapter.driver.transport.put(0x114, 18)
        adapter.driver.transport.put(0x118, 16)
        _ = adapter.driver.memory.store(Adapter.head, bytes: adapter.lun(origin) + Array(repeating: 0, count: 27))
        _ = adapter.driver.memory.store(Adapter.head + 19, 0xff as UInt8)
        adapter.driver.offer([
            Piece(address: Adapter.head, count: 35), Piece(address: Adapter.answer, count: 30, isWritten: true),
        ])
        #expect(try adapter.answer().why == [5, 0x20, 0])
        adapter.driver.transport.put(0x118, 0x1000)
        adapter.driver.offer([
            Piece(address: Adapter.head, count: 51), Piece(address: Adapter.answer, count: 108, isWritten: true),
        ])
        #expect(adapter.driver.needsReset)
    }

    @Test(.seeded(43)) func randomCommandsAreHarmless() throws {
        var random = SeededRandom(seed: Seed.current)
        let adapter = try Adapter(units: [
            (SCSIDisk.self, disk, ""), (OpticalDisc.self, TestDisk(isReadOnly: true), ""),
        ])
        let known: [UInt8] = [
            0x00, 0x03, 0x08, 0x0a, 0x12, 0x15, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x2a, 0x2e, 0x2f, 0x35, 0x41, 0x42, 0x43,
            0x46, 0x4a, 0x51, 0x55, 0x5a, 0x88, 0x8a, 0x8e, 0x8f, 0x91, 0x93, 0x9e, 0xa0, 0xa8, 0xaa, 0xae, 0xaf,
        ]
        for _ in 0..<Rounds.count(3000) {
            var command = (0..<16).map { _ in random.next() % 3 == 0 ? UInt8(truncatingIfNeeded: random.next()) : 0 }
            command[0] = known[Int(random.next() % UInt64(known.count))]
            let output = (0..<Int(random.next() % 40)).map { _ in UInt8(truncatingIfNeeded: random.next() % 20) }
            let goesOut = random.next() % 2 == 0
            let answer = try adapter.run(
                command, at: SCSIAddress(target: UInt8(random.next() % 3), unit: UInt16(random.next() % 2)),
                output: goesOut ? output : [], room: goesOut ? 0 : Int(random.next() % 2000))
            #expect(answer.response < 5 && [0, 2].contains(answer.status), "\(command)")
            try #require(!adapter.driver.needsReset)
        }
    }
}

@Suite struct OpticalDiscTests {
    private let disk = TestDisk(isReadOnly: true)
    private let adapter: Adapter

    init() throws { adapter = try Adapter(units: [(OpticalDisc.self, disk, "")]) }

    @Test func itIsADriveWithADisc() throws {
        let identity = try adapter.data([0x12, 0, 0, 0, 252, 0])
        #expect(identity[0] == 5 && identity[1] == 0x80)
        #expect(String(decoding: identity[8..<36], as: UTF8.self) == "QEMU    QEMU CD-ROM     2.5+")
        #expect(try adapter.data([0x25] + Array(repeating: 0, count: 9)) == big(511, 4) + big(2048, 4))
        #expect(try adapter.data([0x28, 0] + big(3, 4) + [0, 0, 1, 0], room: 2048).count == 2048)
        #expect(disk.log == ["read 6144 [2048]"])
        #expect(try adapter.refusal([0x2a, 0] + big(0, 4) + [0, 0, 1, 0], output: [1]) == [5, 0x20, 0])
        #expect(try adapter.data([0x12, 1, 0, 0, 252, 0]) == [5, 0, 0, 2, 0, 0x83])
    }

    private let ready: [UInt8] = [0, 0, 0, 0, 0, 0], events: [UInt8] = [0x4a, 1, 0, 0, 0x10, 0, 0, 0, 100, 0]
    private let trayIsOpen: [UInt8] = [2, 0x3a, 2]

    @Test func theGuestOpensTheTray() throws {
        let open: [UInt8] = [0x1b, 0, 0, 0, 2, 0], close: [UInt8] = [0x1b, 0, 0, 0, 3, 0]
        #expect(try adapter.run([0x1e, 0, 0, 0, 1, 0]).status == 0 && adapter.refusal(open) == [5, 0x53, 2])
        #expect(adapter.backends[0].door?.isLocked() == true)
        #expect(try adapter.run([0x1e, 0, 0, 0, 0, 0]).status == 0 && adapter.run(open).status == 0)
        #expect(adapter.backends[0].isTrayOpen && adapter.backends[0].door?.isLocked() == false)
        #expect(try adapter.refusal(ready) == trayIsOpen)
        #expect(try adapter.refusal([0x28, 0] + big(0, 4) + [0, 0, 1, 0], room: 2048) == trayIsOpen)
        #expect(try adapter.refusal([0x25] + Array(repeating: 0, count: 9), room: 8) == trayIsOpen)
        #expect(try adapter.refusal([0x43, 0, 0, 0, 0, 0, 0, 0, 100, 0], room: 100) == trayIsOpen)
        #expect(try adapter.data(events) == [0, 6, 4, 0x10, 3, 3, 0, 0])
        #expect(try adapter.run(close).status == 0 && adapter.refusal(ready) == [6, 0x28, 0])
        #expect(try adapter.run(ready).status == 0)
        #expect(try adapter.data(events) == [0, 6, 4, 0x10, 2, 2, 0, 0])
        #expect(try adapter.data(events) == [0, 6, 4, 0x10, 0, 2, 0, 0], "once")
        // Without the bit for the tray nothing is opened.
        #expect(try adapter.run([0x1b, 0, 0, 0, 0, 0]).status == 0 && adapter.run(ready).status == 0)
    }

    @Test func theUserChangesTheDisc() throws {
        let folder = try TemporaryFolder("disc"), file = folder.path + "/other"
        try writeFile(file, Array(repeating: 9, count: 6144))
        let machine = adapter.driver.machine
        let commands = BlockCommands(BlockGraph(), machine.board.loop) { [adapter] in adapter.backends }
        #expect(try adapter.run([0x1e, 0, 0, 0, 1, 0]).status == 0)
        #expect(throws: BlockCommandError.self) { try commands.eject("d") }
        try commands.eject("d", forces: true)
        #expect(try adapter.refusal(ready) == trayIsOpen && adapter.data(events) == [0, 6, 4, 0x10, 3, 1, 0, 0])
        try commands.change("d", to: file, format: "raw")
        #expect(
            try adapter.data(events) == [0, 6, 4, 0x10, 2, 2, 0, 0],
            "its attention does not keep it from answering this")
        #expect(try adapter.refusal(ready) == [6, 0x28, 0])
        #expect(try adapter.data([0x25] + Array(repeating: 0, count: 9)) == big(2, 4) + big(2048, 4))
        #expect(
            try adapter.data([0x28, 0] + big(2, 4) + [0, 0, 1, 0], room: 2048) == Array(repeating: 9, count: 2048))
        #expect(throws: BlockCommandError.self) { try commands.change("d", to: "/no/such/file") }
        #expect(try adapter.run(ready).status == 0, "the disc that is there stays")
        // A disk keeps what it has.
        let disk = try Adapter(units: [(SCSIDisk.self, TestDisk(), "")])
        let others = BlockCommands(BlockGraph(), machine.board.loop) { disk.backends }
        #expect(throws: BlockCommandError.self) { try others.eject("d", forces: true) }
    }

    @Test func contentsAndFeaturesAreTold() throws {
        let first: [UInt8] = [0, 0x14, 1, 0], end: [UInt8] = [0, 0x14, 0xaa, 0]
        func contents(_ flags: UInt8, _ format: UInt8, _ track: UInt8) -> [UInt8] {
            [0x43, flags, format, 0, 0, 0, track, 0, 100, 0]
        }
        #expect(try adapter.data(contents(0, 0, 0)) == [0, 18, 1, 1] + first + big(0, 4) + end + big(512, 4))
        #expect(
            try adapter.data(contents(2, 0, 0xaa)) == [0, 10, 1, 1] + end + [0, 0, 8, 62], "minutes, seconds, frames")
        #expect(try adapter.data(contents(0, 1, 0)) == [0, 10, 1, 1] + first + big(0, 4))
        #expect(try adapter.refusal(contents(0, 0, 2), room: 100) == invalidField)
        #expect(try adapter.refusal(contents(0, 5, 0), room: 100) == invalidField)
        let features = try adapter.data([0x46, 0, 0, 0, 0, 0, 0, 0, 200, 0])
        #expect(number(features[..<4]) == UInt64(features.count - 4) && number(features[6..<8]) == 8, "a CD")
        #expect(
            try adapter.data([0x46, 2, 0, 3, 0, 0, 0, 0, 200, 0]) == [
                0, 0, 0, 12, 0, 0, 0, 8, 0, 3, 3, 4, 0x21, 0, 0, 0,
            ])
        #expect(try adapter.data([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 100, 0]) == [0, 6, 4, 0x10, 0, 2, 0, 0])
        #expect(try adapter.data([0x4a, 1, 0, 0, 0x40, 0, 0, 0, 100, 0]) == [0, 2, 0x80, 0x10])
        #expect(try adapter.refusal([0x4a, 0, 0, 0, 0x10, 0, 0, 0, 100, 0], room: 100) == invalidField)
        #expect(try adapter.data([0x51, 0, 0, 0, 0, 0, 0, 0, 100, 0]).count == 34)
        #expect(try adapter.data([0x1a, 8, 0x2a, 0, 252, 0])[4] == 0x2a)
    }
}
