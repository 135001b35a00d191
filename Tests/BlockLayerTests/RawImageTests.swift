// Files as images, and the locks on them.

import HostOS
import TestSupport
import Testing

@testable import BlockLayer

extension BlockImage {
    func bytes(_ offset: UInt64, _ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0xee, count: count)
        try bytes.withUnsafeMutableBytes { try read(at: offset, into: [$0]) }
        return bytes
    }

    func write(_ bytes: [UInt8], at offset: UInt64) throws {
        try bytes.withUnsafeBytes { try write(at: offset, from: [$0]) }
    }
}

@Suite struct RawImageTests {
    @Test(arguments: CacheMode.named.map(\.name))
    func whatIsWrittenIsRead(cache: String) throws {
        let folder = try TemporaryFolder("raw"), path = folder.path + "/disk"
        try writeFile(path, Array(repeating: 0x55, count: 20_001))
        let mode = try #require(CacheMode.named.first { $0.name == cache }).mode
        let image = try openImage(path, ImageOptions(cache: mode))
        #expect(image.size == 20_001 && image.format == "raw")
        var random = SeededRandom(seed: 5), model = [UInt8](repeating: 0x55, count: 20_001)
        for _ in 0..<100 {
            let offset = random.below(model.count), count = random.below(min(9000, model.count - offset) + 1)
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            switch random.below(4) {
            case 0:
                try image.writeZeroes(at: UInt64(offset), count: UInt64(count), mayUnmap: random.below(2) == 0)
                for at in offset..<offset + count { model[at] = 0 }
            default:
                try image.write(bytes, at: UInt64(offset))
                model.replaceSubrange(offset..<offset + count, with: bytes)
            }
            try image.flush()
        }
        let isSame = try image.bytes(0, model.count) == model
        #expect(isSame)
        try image.close()
        #expect(readFile(path) == model)
    }

    @Test func requestsOutsideAreRefusedAndChangeNothing() throws {
        let folder = try TemporaryFolder("raw"), path = folder.path + "/disk"
        try writeFile(path, Array(repeating: 1, count: 512))
        let image = try openImage(path)
        #expect(throws: BlockError.self) { try image.write([1, 2], at: 511) }
        #expect(throws: BlockError.self) { _ = try image.bytes(513, 0) }
        #expect(throws: BlockError.self) { try image.writeZeroes(at: .max, count: 2, mayUnmap: true) }
        #expect(readFile(path) == Array(repeating: 1, count: 512))
    }

    @Test func oneWriterKeepsOthersOut() throws {
        let folder = try TemporaryFolder("raw"), path = folder.path + "/disk"
        try writeFile(path, Array(repeating: 1, count: 512))
        let first = try openImage(path)
        for isReadOnly in [false, true] {
            let error = #expect(throws: BlockError.self) {
                _ = try openImage(path, ImageOptions(isReadOnly: isReadOnly))
            }
            #expect(error?.errno == .again && error?.description.hasPrefix(path) == true)
        }
        var unlocked = ImageOptions(isReadOnly: true)
        unlocked.isLocked = false
        _ = try openImage(path, unlocked)
        try first.close()
        let readers = [
            try openImage(path, ImageOptions(isReadOnly: true)), try openImage(path, ImageOptions(isReadOnly: true)),
        ]
        #expect(readers.count == 2)
        #expect(throws: BlockError.self) { _ = try openImage(path) }
    }

    @Test func namesOfOtherPlacesAreRefused() {
        for name in ["nbd://host/disk", "json:{}", "http:x"] {
            #expect(throws: BlockError.self) { _ = try openImage(name) }
        }
        #expect(backingPath("base", of: "/a/b") == "/a/base" && backingPath("/c", of: "/a/b") == "/c")
    }
}

/// QEMU's tool and Martlet respect each other's locks.
@Suite(.qemuImg) struct LockTests {
    @Test func qemuIsKeptOutAndKeepsOut() throws {
        let folder = try TemporaryFolder("locks"), path = folder.path + "/disk"
        try QCOW2Image.create(BlockFile.create(path), QCOW2Creation(size: 1 << 20))
        let image = try openImage(path)
        for command in [["info", path], ["snapshot", "-c", "one", path]] {
            let run = try #require(try QemuImg.run(command))
            #expect(run.exit == 1 && run.errorText.contains("lock"), "\(run.errorText)")
        }
        #expect(try QemuImg.run(["info", "-U", path])?.exit == 0)
        try image.close()
        let reader = try openImage(path, ImageOptions(isReadOnly: true))
        #expect(try QemuImg.run(["info", path])?.exit == 0)
        #expect(try QemuImg.run(["snapshot", "-c", "one", path])?.exit == 1)
        try reader.close()
        #expect(try QemuImg.run(["snapshot", "-c", "one", path])?.exit == 0)
    }
}
