import BlockLayer
import HostOS
import TestSupport
import Testing

@Suite final class RawImageTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path + "/disk" }

    init() throws {
        folder = try TemporaryFolder("raw")
        try HostFile.write([UInt8](repeating: 1, count: 100_000), to: path)
    }

    private func open(isReadOnly: Bool = false, _ cache: CacheMode = CacheMode()) throws -> RawImage {
        try RawImage(BlockFile(path, isReadOnly: isReadOnly, cache: cache))
    }

    private func bytes(_ image: RawImage, _ offset: UInt64, _ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: count)
        try bytes.withUnsafeMutableBytes { try image.read(at: offset, into: [$0]) }
        return bytes
    }

    private func write(_ image: RawImage, _ offset: UInt64, _ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try image.write(at: offset, from: [$0]) }
    }

    @Test(.seeded(11), arguments: CacheMode.named.filter { !$0.mode.isDirect }.map(\.name))
    func whatIsWrittenIsRead(_ cache: String) throws {
        var random = SeededRandom(seed: Seed.current)
        let mode = try #require(CacheMode.named.first { $0.name == cache }).mode
        let image = try open(mode)
        var model = [UInt8](repeating: 1, count: 100_000)
        for _ in 0..<Rounds.count(100) {
            let offset = random.below(99_000), count = random.below(1000)
            let range = offset..<offset + count
            switch random.below(4) {
            case 0:
                let data = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                try write(image, UInt64(offset), data)
                model.replaceSubrange(range, with: data)
            case 1:
                try image.writeZeroes(at: UInt64(offset), count: UInt64(count), mayUnmap: random.chance(50))
                model.replaceSubrange(range, with: Array(repeating: 0, count: count))
            case 2: try image.flush()
            default: #expect(try bytes(image, UInt64(offset), count) == Array(model[range]))
            }
        }
        try image.close()
        #expect(try HostFile.contents(path) == model)
    }

    @Test func severalBuffersAreOneRequest() throws {
        let image = try open()
        var pages = (0..<3).map { [UInt8](repeating: UInt8(10 + $0), count: 700) }
        try pages[0].withUnsafeBytes { a in
            try pages[1].withUnsafeBytes { b in
                try image.write(at: 50, from: [a, UnsafeRawBufferPointer(rebasing: b[0..<0]), b])
            }
        }
        #expect(try bytes(image, 49, 1402) == [1] + pages[0] + pages[1] + [1])
        try pages[2].withUnsafeMutableBytes { c in
            try image.read(
                at: 700,
                into: [
                    UnsafeMutableRawBufferPointer(rebasing: c[0..<100]),
                    UnsafeMutableRawBufferPointer(rebasing: c[100...]),
                ])
        }
        #expect(pages[2] == Array(repeating: 10, count: 50) + Array(repeating: 11, count: 650))
    }

    @Test func whatIsNotOnTheDiskIsRefused() throws {
        let image = try open()
        for (offset, count) in [(100_000, 1), (99_999, 2), (.max, 1), (.max - 1, 2)] as [(UInt64, Int)] {
            #expect(throws: BlockError.self) { try bytes(image, offset, count) }
            #expect(throws: BlockError.self) { try write(image, offset, Array(repeating: 1, count: count)) }
            #expect(throws: BlockError.self) {
                try image.writeZeroes(at: offset, count: UInt64(count), mayUnmap: false)
            }
        }
        #expect(try HostFile.contents(path).count == 100_000)
    }

    @Test func aReadOnlyImageIsNotWritten() throws {
        let image = try open(isReadOnly: true)
        #expect(throws: BlockError.self) { try write(image, 0, [2]) }
        #expect(throws: BlockError.self) { try image.discard(at: 0, count: 1) }
        #expect(throws: BlockError.self) { try image.resize(to: 1) }
        #expect(try bytes(image, 0, 1) == [1])
    }

    @Test func holesAreKnown() throws {
        let image = try open()
        try image.resize(to: 1 << 20)
        #expect(image.size == 1 << 20)
        try image.discard(at: 0, count: 65536)
        let first = try image.status(at: 0, count: 1 << 20), last = try image.status(at: 1 << 19, count: 1 << 19)
        #expect(first == BlockExtent(count: 65536, isZero: true, isAllocated: true, fileOffset: 0))
        #expect(last.isZero && last.count == 1 << 19)
        #expect(try bytes(image, 65_530, 10) == Array(repeating: 0, count: 6) + Array(repeating: 1, count: 4))
    }

    @Test func failuresNameTheFile() throws {
        #expect {
            _ = try BlockFile("/no/such/file", isReadOnly: true)
        } throws: { "\($0)" == "/no/such/file: No such file or directory" }
        let image = try open()
        #expect { try bytes(image, 200_000, 1) } throws: { "\($0)".hasPrefix(path) }
    }
}
