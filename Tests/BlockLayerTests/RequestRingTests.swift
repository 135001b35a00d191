// Disks whose requests the kernel does: what threads do, in other ways.

import DiskRing
import EventLoop
import HostOS
import Options
import TestSupport
import Testing

@testable import BlockLayer

private let hasRings = (try? DiskRing()) != nil

/// A disk in a file, with a loop that the test turns.
private final class Disk {
    let loop: EventLoop
    let backend: BlockBackend
    let graph = BlockGraph()
    private(set) var ends = 0
    private(set) var errors: [Errno] = []

    init(_ path: String, _ options: String = "") throws {
        loop = try EventLoop(clocks: Clocks())
        var list = try OptionList(
            parsing: "driver=raw,node-name=d,file.driver=file,file.filename=\(path),file.aio=io_uring\(options)")
        let spec = try BlockSpec(&list)
        try list.end("test")
        let node = try graph.open(spec)
        try node.use(node.isReadOnly && !node.mayBeWritten ? .reads : .writes, by: "test")
        backend = BlockBackend(node, name: "d")
        backend.attach(loop, under: nil)
    }

    func submit(_ operation: BlockOperation) {
        backend.submit(operation) { [unowned self] error in
            ends += 1
            if let error { errors.append(error.errno) }
        }
    }

    /// Turns the loop until so many requests have ended, for 10 seconds at most.
    func await(_ count: Int) {
        let end = HostClock.monotonic() + 10_000_000_000
        while ends < count, HostClock.monotonic() < end { loop.turn(waits: false) }
        #expect(ends == count)
    }
}

@Suite(.enabled(if: hasRings, "the kernel has no io_uring for us")) struct RequestRingTests {
    @Test(.seeded(91), arguments: ["", ",cache.direct=on", ",offset=8192,size=1M"])
    func randomRequestsDoWhatTheyDoToAnArray(options: String) throws {
        let folder = try TemporaryFolder("ring"), path = folder.path + "/disk", size = 1 << 20
        let start = options.contains("offset") ? 8192 : 0
        try BlockFile.create(path).truncate(to: UInt64(size + 2 * start))
        // A file system without direct access says so.
        guard let disk = try? Disk(path, options) else { return #expect(options.contains("direct")) }
        try #require(disk.backend.node.ringFile != nil)
        var random = SeededRandom(seed: Seed.current), model = [UInt8](repeating: 0, count: size), asked = 0
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
        defer { memory.deallocate() }
        for _ in 0..<Rounds.count(40) {
            // Requests that do not overlap are under way together: they may be done in any order.
            let part = size / 16
            var reads: [Range<Int>] = []
            for index in 0..<16 {
                let unit = random.below(2) == 0 ? 4096 : 512
                let first = index * part + random.below(part / unit) * unit
                let count = (1 + random.below((index * part + part - first) / unit)) * unit
                let piece = UnsafeMutableRawBufferPointer(rebasing: memory[first..<first + count])
                let half = count / 2 / unit * unit
                let pieces =
                    half == 0
                    ? [piece]
                    : [
                        UnsafeMutableRawBufferPointer(rebasing: piece[..<half]),
                        UnsafeMutableRawBufferPointer(rebasing: piece[half...]),
                    ]
                asked += 1
                switch random.below(8) {
                case 0: disk.submit(.flush)
                case 1:
                    disk.submit(.writeZeroes(offset: UInt64(first), count: UInt64(count), mayUnmap: false))
                    model.replaceSubrange(first..<first + count, with: Array(repeating: 0, count: count))
                case 2, 3, 4:
                    let value = UInt8(truncatingIfNeeded: random.next())
                    piece.initializeMemory(as: UInt8.self, repeating: value)
                    model.replaceSubrange(first..<first + count, with: piece)
                    disk.submit(.write(offset: UInt64(first), pieces.map { UnsafeRawBufferPointer($0) }))
                default:
                    piece.initializeMemory(as: UInt8.self, repeating: 0xaa)
                    reads.append(first..<first + count)
                    disk.submit(.read(offset: UInt64(first), pieces))
                }
            }
            disk.await(asked)
            for range in reads {
                let isSame = memory[range].elementsEqual(model[range])
                #expect(isSame, "\(range)")
            }
        }
        #expect(disk.errors.isEmpty)
        #expect(disk.backend.statistics.read.operations > 0 && disk.backend.statistics.read.bytes > 0)
        try disk.backend.image.flush()
        let isWhole = readFile(path).map { Array($0[start..<start + size]) == model }
        #expect(isWhole == true)
    }

    @Test func whatTheKernelDoesNotDoWholeThreadsDo() throws {
        let folder = try TemporaryFolder("ring"), path = folder.path + "/disk"
        try BlockFile.create(path).truncate(to: 8192)
        let disk = try Disk(path)
        // The file becomes shorter under it.
        let other = try BlockFile(path, isReadOnly: false, isLocked: false)
        try other.write(at: 0, bytes: Array(repeating: 7, count: 8192))
        try other.truncate(to: 1000)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 512)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0xaa)
        disk.submit(.read(offset: 512, [memory]))
        disk.await(1)
        #expect(memory[..<488].allSatisfy { $0 == 7 } && memory[488...].allSatisfy { $0 == 0 })
        // Outside of the disk: an error, and nothing is written.
        disk.submit(.write(offset: 8000, [UnsafeRawBufferPointer(memory)]))
        disk.await(2)
        #expect(disk.errors == [.inval])
        #expect(try other.size() == 1000)
    }

    @Test func nothingIsUnderWayAfterwards() throws {
        let folder = try TemporaryFolder("ring"), path = folder.path + "/disk", size = 1 << 22
        try BlockFile.create(path).truncate(to: UInt64(size))
        let disk = try Disk(path)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 1)
        for round in 0..<50 {
            // More than the ring holds.
            for index in 0..<200 {
                let piece = UnsafeMutableRawBufferPointer(rebasing: memory[index * 4096..<index * 4096 + 4096])
                disk.submit(
                    round % 2 == 0
                        ? .read(offset: UInt64(index * 8192), [piece])
                        : .write(offset: UInt64(index * 8192), [UnsafeRawBufferPointer(piece)]))
            }
            if round % 3 == 0 {
                disk.backend.finishAll()
                let before = disk.ends
                disk.loop.turn(waits: false)
                #expect(disk.ends == before + 200)
            } else {
                // Its ends are forgotten, as by a reset.
                disk.backend.cancelAll()
                let before = disk.ends
                disk.loop.turn(waits: false)
                #expect(disk.ends == before)
            }
        }
        #expect(try disk.backend.paused { () throws(BlockError) in 5 } == 5)
        #expect(disk.errors.isEmpty)
    }
}
