import BlockLayer
import Devices
import GuestMemory
import HostOS
import SystemKit
import TestSupport
import Testing

/// An image in memory, which fails where it is told to.
private final class TestImage: BlockImage, @unchecked Sendable {
    let format = "test"
    let size = ParallelFlash.size
    let isReadOnly: Bool
    var written: [UInt64: [UInt8]] = [:]
    var isBroken = false

    init(isReadOnly: Bool) { self.isReadOnly = isReadOnly }

    func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {}
    func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
        if isBroken { throw BlockError(.io, "test: broken") }
        written[offset] = buffers.flatMap { Array($0) }
    }
    func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) {}
    func discard(at offset: UInt64, count: UInt64) throws(BlockError) {}
    func flush() throws(BlockError) {}
    func resize(to size: UInt64) throws(BlockError) {}
    func status(at offset: UInt64, count: UInt64) throws(BlockError) -> BlockExtent {
        BlockExtent(count: count, isZero: false, isAllocated: true)
    }
    func close() throws(BlockError) {}
}

/// A bank on a board, at address 0.
private struct TestBank {
    let machine: TestMachine
    let image: TestImage
    let memory: RAMBlock
    let addresses: FlashAddresses
    private let hides: Counter

    final class Counter { var value = 0 }

    init(isReadOnly: Bool = false) throws {
        machine = try TestMachine()
        image = TestImage(isReadOnly: isReadOnly)
        let size = Int(ParallelFlash.size), pages = size / 4096
        let chunks = UnsafeMutablePointer<UInt64>.allocate(capacity: pages)
        chunks.initialize(repeating: 0, count: pages)
        memory = RAMBlock(
            "flash", base: try HostMemory.reserve(size), size: ParallelFlash.size, isReadOnly: true, codeChunks: chunks)
        let counter = Counter()
        hides = counter
        var context = machine.board.context("flash", try Properties(ParallelFlash.descriptor))
        context.disk = BlockBackend(image, name: "d")
        addresses = FlashAddresses(ParallelFlash(context, memory) { counter.value += 1 })
        memory.cover = addresses
        try machine.board.add(addresses)
        try machine.board.add(memory, at: 0)
    }

    var hidden: Int { hides.value }
    func put(_ offset: UInt64, _ value: UInt64, size: Int = 4) { addresses.put(offset, value, size: size) }
    func get(_ offset: UInt64, size: Int = 4) -> UInt64 { addresses.get(offset, size: size) }
    func free() { try? HostMemory.unmap(UInt(bitPattern: memory.base), Int(memory.size)) }
}

@Suite struct ParallelFlashTests {
    private static let array: UInt64 = 0xff00ff, status: UInt64 = 0x700070, ready: UInt64 = 0x800080

    @Test func whatIsProgrammedIsInTheImage() throws {
        let bank = try TestBank()
        defer { bank.free() }
        bank.put(0x100, 0x400040)
        #expect(!bank.addresses.showsMemory && bank.hidden == 1)
        bank.put(0x100, 0x1234_5678)
        #expect(bank.get(0) == Self.ready)
        bank.put(0, Self.array)
        #expect(bank.addresses.showsMemory && bank.hidden == 1 && bank.get(0x100) == 0x1234_5678)
        #expect(bank.image.written == [0x100: [0x78, 0x56, 0x34, 0x12]])
        #expect(bank.machine.board.dma.load(0x100, as: UInt32.self) == 0x1234_5678)
        #expect(!bank.machine.board.dma.store(0x100, 0 as UInt32), "a device cannot write it")
        bank.put(0x4_0000, 0x200020)
        bank.put(0x4_0000, 0xd000d0)
        #expect(bank.image.written[0x4_0000] == Array(repeating: 0xff, count: 0x4_0000))
        bank.put(0, Self.array)
        #expect(bank.get(0x7_fffc) == 0xffff_ffff && bank.get(0x8_0000) == 0 && bank.get(0x3_fffc) == 0)
    }

    /// The buffer holds 4 KiB.
    @Test func aBufferIsProgrammedAtOnce() throws {
        let bank = try TestBank()
        defer { bank.free() }
        bank.put(0x1000, 0xe800e8)
        bank.put(0x1000, 0x3ff_03ff)
        for word in 0..<1024 as Range<UInt64> { bank.put(0x1000 + 4 * word, word) }
        #expect(bank.image.written.isEmpty)
        bank.put(0x1000, 0xd000d0)
        #expect(bank.get(0) == Self.ready && bank.image.written[0x1000]?.count == 4096)
        bank.put(0, Self.array)
        #expect(bank.get(0x1ffc) == 1023 && bank.get(0x1004, size: 8) == 0x2_0000_0001)
        // One word, as the manual counts.
        bank.put(0x3000, 0xe800e8)
        bank.put(0x3000, 0)
        bank.put(0x3010, 0x77)
        bank.put(0x3000, 0xd000d0)
        bank.put(0, Self.array)
        #expect(bank.get(0x3010) == 0x77 && bank.get(0x300c) == 0)
    }

    @Test func whatCannotBeWrittenStays() throws {
        for isReadOnly in [true, false] {
            let bank = try TestBank(isReadOnly: isReadOnly)
            defer { bank.free() }
            bank.image.isBroken = true
            bank.put(0, 0x400040)
            bank.put(0, 0x55)
            #expect(bank.get(0) == 0x90_0090)
            bank.put(0, 0x200020)
            bank.put(0, 0xd000d0)
            #expect(bank.get(0) == 0xb0_00b0)
            bank.put(0, 0x500050)
            bank.put(0, Self.status)
            #expect(bank.get(0) == Self.ready)
            bank.put(0, 0xe800e8)
            bank.put(0, 0)
            bank.put(0, 0x66)
            bank.put(0, 0xd000d0)
            bank.put(0, Self.status)
            #expect(bank.get(0) == 0x90_0090)
            bank.put(0, Self.array)
            #expect(bank.get(0) == 0 && bank.image.written.isEmpty)
        }
    }

    @Test func aResetShowsTheMemory() throws {
        let bank = try TestBank()
        defer { bank.free() }
        bank.put(0, 0xe800e8)
        bank.put(0, 5)
        bank.machine.board.reset(.warm)
        #expect(bank.addresses.showsMemory && bank.get(0) == 0)
        bank.put(0, 0x900090)
        #expect(bank.get(0) == 0x89_0089 && bank.get(4) == 0x18_0018)
    }

    @Test(.seeded(95)) func nothingThatIsWrittenEndsTheHost() throws {
        var random = SeededRandom(seed: Seed.current)
        let bank = try TestBank()
        defer { bank.free() }
        let commands: [UInt64] = [0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xd0, 0xe8, 0xff]
        for _ in 0..<Rounds.count(3000) {
            let size = 1 << random.below(4)
            var offset = random.next() & (ParallelFlash.size - 1) & (random.chance(50) ? 0x2fff : .max)
            if random.chance(5) { offset = ParallelFlash.size - UInt64(random.below(9)) }
            if random.chance(60) { offset &= ~UInt64(size - 1) }
            let fits = offset + UInt64(size) <= ParallelFlash.size
            let command = commands[random.below(commands.count)]
            let value = random.chance(70) ? command : random.next()
            #expect(bank.addresses.write(offset, size: size, value) == fits)
            #expect((bank.addresses.read(offset, size: size) != nil) == fits)
            if random.chance(5) {
                var saver = SnapshotCoder()
                try bank.addresses.snapshot(&saver)
                var loader = SnapshotCoder(loading: saver.bytes)
                try bank.addresses.snapshot(&loader)
                var again = SnapshotCoder()
                try bank.addresses.snapshot(&again)
                #expect(again.bytes == saver.bytes)
            }
        }
    }
}
