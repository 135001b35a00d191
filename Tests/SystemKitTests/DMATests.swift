import GuestMemory
import HostOS
import SystemKit
import Testing

/// RAM that goes with the test's process.
func makeMemory(_ name: String, pages: Int, isReadOnly: Bool = false) throws -> RAMBlock {
    let base = try HostMemory.reserve(pages * 4096)
    let chunks = UnsafeMutablePointer<UInt64>.allocate(capacity: pages)
    chunks.initialize(repeating: 0, count: pages)
    return RAMBlock(name, base: base, size: UInt64(pages * 4096), isReadOnly: isReadOnly, codeChunks: chunks)
}

private final class NoDevice: PhysicalDevice, @unchecked Sendable {
    var accesses = 0
    func read(_ offset: UInt64, size: Int) -> UInt64? {
        accesses += 1
        return 0
    }
    func write(_ offset: UInt64, size: Int, _ value: UInt64) -> Bool {
        accesses += 1
        return true
    }
}

@Suite struct DMATests {
    private let map = PhysicalMap()
    private let device = NoDevice()
    private let low: RAMBlock, high: RAMBlock

    /// A ROM page, a device page, two blocks of RAM side by side, a hole, and RAM up to the last address.
    init() throws {
        low = try makeMemory("low", pages: 2)
        high = try makeMemory("high", pages: 1)
        let rom = try makeMemory("rom", pages: 1, isReadOnly: true), top = try makeMemory("top", pages: 1)
        let ranges = [
            PhysicalRange("rom", start: 0x1000, size: 4096, .memory(rom)),
            PhysicalRange("device", start: 0x2000, size: 4096, .device(device)),
            PhysicalRange("low", start: 0x8000, size: 8192, .memory(low)),
            PhysicalRange("high", start: 0xa000, size: 4096, .memory(high)),
            PhysicalRange("top", start: 0 &- 4096, size: 4096, .memory(top)),
        ]
        for range in ranges { #expect(map.add(range)) }
    }

    @Test func copiesCrossBlocks() {
        nonisolated(unsafe) var told: [String] = []
        let dma = DMA(map) { block, offset, count in told.append("\(block.name) \(offset) \(count)") }
        let bytes = (0..<600).map { UInt8(truncatingIfNeeded: $0) }
        #expect(dma.store(0xa000 - 100, bytes: bytes))
        #expect(told == ["low 8092 100", "high 0 500"])
        #expect(dma.bytes(0xa000 - 100, count: 600) == bytes)
        #expect(dma.load(0xa000 - 2, as: UInt32.self) == 0x6564_6362)
        #expect(dma.store(0xa000 - 3, 0x0102_0304_0506_0708 as UInt64) && dma.load(0xa000 - 3, as: UInt8.self) == 8)
        #expect(dma.fill(0x9ff0, count: 32) && dma.bytes(0x9ff0, count: 32) == Array(repeating: 0, count: 32))
    }

    @Test func releasedPagesAreZeroAndTold() throws {
        nonisolated(unsafe) var told: [String] = []
        let dma = DMA(map) { block, offset, count in told.append("\(block.name) \(offset) \(count)") }
        #expect(dma.store(0x8000, bytes: Array(repeating: 1, count: 8192)))
        told = []
        // One whole page, and a part of another; then only parts.
        try #require(dma.window(0x8ff0, count: 0x1010, writes: true)).release()
        try #require(dma.window(0x8001, count: 0xfff, writes: true)).release()
        #expect(told == ["low 4096 4096"])
        #expect(dma.load(0x8fff, as: UInt8.self) == 1 && dma.bytes(0x9000, count: 4096)!.allSatisfy { $0 == 0 })
    }

    @Test func severalWindowsAreOne() throws {
        let dma = DMA(map)
        let windows = [(0x8000, 3), (0xa000, 5), (0x8100, 0), (0x9000, 4)].map {
            dma.window(UInt64($0.0), count: $0.1, writes: true)!
        }
        #expect(windows.byteCount == 12 && windows.write(1...20) == 12)
        #expect(windows.read(2, count: 8) == Array(3...10) && windows.read(2, count: 11) == nil)
        #expect(
            windows.part(2..<9).map(\.bytes.count) == [1, 5, 1] && windows.part(2..<9).read(count: 7) == Array(3...9))
        #expect(windows.part(3..<3).isEmpty && windows.part(8..<99).read(count: 4) == Array(9...12))
        #expect(
            windows.write([99], at: 11) == 1 && windows.write([99, 98], at: 11) == 1 && windows.write([1], at: 12) == 0)
        #expect(dma.load(0x9003, as: UInt8.self) == 99)
    }

    /// Addresses and counts of which some byte is not RAM.
    @Test(
        arguments: [
            (0x0, 1), (0x1000, 4), (0x1ffe, 4), (0x2000, 4), (0x7fff, 2), (0xafff, 2), (0xb000, 1), (0x8000, 0x4000),
            (0xffff_ffff_ffff_ffff, 2),
            (0xffff_ffff_ffff_f000, 4097),
        ] as [(UInt64, Int)])
    func whatIsNoMemoryIsRefused(_ address: UInt64, _ count: Int) {
        nonisolated(unsafe) var told = 0
        let dma = DMA(map) { _, _, _ in told += 1 }
        let before = dma.bytes(0x8000, count: 0x3000)
        #expect(!dma.store(address, bytes: Array(repeating: 1, count: count)) && !dma.fill(address, count: count))
        #expect(dma.bytes(0x8000, count: 0x3000) == before, "nothing has been written")
        #expect(told == 0 && device.accesses == 0)
        let isROM = address == 0x1000
        #expect((dma.bytes(address, count: count) != nil) == isROM)
    }

    @Test func endsOfMemory() {
        let dma = DMA(map)
        #expect(dma.store(.max, 7 as UInt8) && dma.load(.max, as: UInt8.self) == 7)
        #expect(dma.store(0 &- 8, 1 as UInt64) && dma.load(.max, as: UInt16.self) == nil)
        #expect(dma.store(0, bytes: []) && dma.bytes(0x5000, count: 0) == [], "nothing is everywhere")
    }
}

@Suite struct SnapshotCoderTests {
    private struct State: Equatable {
        var a: UInt8 = 1, b: Int64 = -2, c = true, d: [UInt16] = [3, 4], e: [UInt8] = [5, 6, 7], f: UInt32 = 8
        mutating func code(_ s: inout SnapshotCoder) throws(SnapshotError) {
            var state = self
            try s.section("outer") { s, _ throws(SnapshotError) in
                try s.field(&state.a, in: 0...9)
                try s.field(&state.b)
                try s.section("inner", version: 3) { s, version throws(SnapshotError) in
                    try s.field(&state.c)
                    try s.field(&state.d)
                }
                try s.list(&state.e, atMost: 4)
            }
            try s.section("next") { s, _ throws(SnapshotError) in try s.field(&state.f) }
            self = state
        }
    }

    private func saved() throws -> [UInt8] {
        var coder = SnapshotCoder(), state = State()
        try state.code(&coder)
        return coder.bytes
    }

    @Test func whatIsSavedIsLoaded() throws {
        var coder = SnapshotCoder(loading: try saved())
        var state = State(a: 0, b: 0, c: false, d: [0, 0], e: [], f: 0)
        try state.code(&coder)
        try coder.finish()
        #expect(state == State())
    }

    @Test func everyCutIsAnError() throws {
        let bytes = try saved()
        for count in 0..<bytes.count {
            var coder = SnapshotCoder(loading: Array(bytes[..<count])), state = State()
            #expect(throws: SnapshotError.self) { try state.code(&coder) }
        }
        var coder = SnapshotCoder(loading: bytes + [0]), state = State()
        try state.code(&coder)
        #expect(throws: SnapshotError.self) { try coder.finish() }
    }

    @Test func otherSectionsVersionsAndValuesAreErrors() throws {
        let bytes = try saved()
        func load(_ place: Int, _ value: UInt8) throws {
            var changed = bytes
            changed[place] = value
            var coder = SnapshotCoder(loading: changed), state = State()
            try state.code(&coder)
        }
        // "outer" is at 1, its version at 6, its length at 8, `a` at 12; then "inner" from 21 on, and the list from 38 on.
        #expect(throws: SnapshotError.otherSection(wanted: "outer", found: "Outer")) { try load(1, 0x4f) }
        #expect(throws: SnapshotError.newerVersion(section: "outer", 2)) { try load(6, 2) }
        #expect(throws: SnapshotError.newerVersion(section: "outer", 0)) { try load(6, 0) }
        #expect(throws: SnapshotError.rest(section: "outer")) { try load(8, bytes[8] + 1) }
        #expect(throws: SnapshotError.ends) { try load(10, 1) }
        #expect(throws: SnapshotError.badValue(section: "outer")) { try load(12, 10) }
        try load(27, 2)
        #expect(throws: SnapshotError.newerVersion(section: "inner", 4)) { try load(27, 4) }
        #expect(throws: SnapshotError.badValue(section: "inner")) { try load(33, 2) }
        #expect(throws: SnapshotError.badValue(section: "outer")) { try load(38, 5) }
    }
}
