// qcow2 images: what is written is read, by Martlet and by QEMU's tool, and the tables agree.

import HostOS
import TestSupport
import Testing

@testable import BlockLayer

/// An image and an array that must say the same.
private struct Modelled {
    let path: String
    var image: QCOW2Image
    var model: [UInt8]
    var snapshots: [String: [UInt8]] = [:]

    init(_ path: String, _ creation: QCOW2Creation, below: [UInt8] = []) throws {
        self.path = path
        try QCOW2Image.create(BlockFile.create(path), creation)
        image = try #require(try openImage(path) as? QCOW2Image)
        model = below + Array(repeating: 0, count: Int(creation.size) - below.count)
    }

    mutating func step(_ random: inout SeededRandom) throws {
        let offset = random.below(model.count)
        let longest = random.below(4) == 0 ? model.count - offset : min(3000, model.count - offset)
        let count = random.below(longest) + 1, range = offset..<offset + count
        switch random.below(14) {
        case 0: try image.flush()
        case 1:
            try image.writeZeroes(at: UInt64(offset), count: UInt64(count), mayUnmap: random.below(2) == 0)
            for at in range { model[at] = 0 }
        case 2:
            try image.discard(at: UInt64(offset), count: UInt64(count))
            // What was there, or 0.
            let now = try image.bytes(UInt64(offset), count)
            #expect(zip(now, model[range]).allSatisfy { $0 == $1 || $0 == 0 })
            model.replaceSubrange(range, with: now)
        case 3: try reopen()
        case 4:
            let seen = try image.bytes(UInt64(offset), count)
            if seen != Array(model[range]) { Issue.record("bytes \(range) differ") }
        case 5 where image.header.refcountBits > 1: try snapshotStep(&random)
        case 6:
            let cluster = Int(image.header.clusterSize), start = offset / cluster * cluster
            let end = min(start + cluster, model.count)
            let divisor = random.below(9) + 1
            let bytes = (start..<end).map { UInt8(truncatingIfNeeded: $0 / divisor) }
            try bytes.withUnsafeBytes { try image.writeCompressed(at: UInt64(start), $0) }
            model.replaceSubrange(start..<end, with: bytes)
        default:
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            try image.write(bytes, at: UInt64(offset))
            model.replaceSubrange(range, with: bytes)
        }
    }

    private mutating func snapshotStep(_ random: inout SeededRandom) throws {
        if random.below(2) == 0, image.snapshots.count < 3 {
            let name = "s\(random.next())"
            if try fits({ try image.createSnapshot(name, seconds: 1, nanoseconds: 2) }) { snapshots[name] = model }
        } else if let old = image.snapshots.randomElement(using: &random) {
            if random.below(2) == 0 {
                if try fits({ try image.applySnapshot(old) }) { model = snapshots[old.name]! }
            } else {
                try image.deleteSnapshot(old)
                snapshots[old.name] = nil
            }
        }
    }

    /// False: refcounts have too few bits for it, and nothing has changed.
    private func fits(_ body: () throws -> Void) throws -> Bool {
        do { try body() } catch {
            if (error as? BlockError)?.errno == .fbig { return false }
            throw error
        }
        return true
    }

    mutating func reopen() throws {
        try image.close()
        image = try #require(try openImage(path) as? QCOW2Image)
    }

    func expectSame(_ comment: String) throws {
        let all = try image.bytes(0, model.count)
        if let at = all.indices.first(where: { all[$0] != model[$0] }) {
            Issue.record("\(comment): byte \(at) differs")
        }
        var lines: [String] = []
        let result = try image.check(.nothing) { lines.append($0) }
        #expect(result.corruptions == 0 && result.leaks == 0, "\(comment): \(lines)")
    }
}

@Suite struct QCOW2Tests {
    /// Cluster size, version, refcount bits, lazy refcounts, compression, backing file.
    @Test(
        .seeded(77),
        arguments: [
            (512, 3, 16, false, "zlib", false), (4096, 3, 16, false, "zstd", true), (65536, 3, 16, false, "zlib", true),
            (512, 2, 16, false, "zlib", true), (1024, 3, 1, false, "zlib", false), (512, 3, 2, false, "zlib", false),
            (512, 3, 4, true, "zlib", true), (4096, 3, 8, false, "zstd", false), (512, 3, 32, true, "zlib", false),
            (512, 3, 64, false, "zlib", true), (2 << 20, 3, 16, false, "zlib", false),
        ] as [(Int, UInt32, Int, Bool, String, Bool)])
    func randomRequestsDoWhatTheyDoToAnArray(
        clusterSize: Int, version: UInt32, bits: Int, lazy: Bool, compression: String, backing: Bool
    ) throws {
        let folder = try TemporaryFolder("qcow2"), path = folder.path + "/disk"
        var random = SeededRandom(seed: Seed.current &+ UInt64(clusterSize + bits))
        var creation = QCOW2Creation(size: clusterSize > 1 << 20 ? 8 << 20 : 400_000 / 512 * 512)
        creation.clusterSize = UInt64(clusterSize)
        creation.version = version
        creation.refcountBits = bits
        creation.hasLazyRefcounts = lazy
        creation.compression = compression
        var below: [UInt8] = []
        if backing {
            below = (0..<150_016).map { _ in UInt8(truncatingIfNeeded: random.next() | 1) }
            try writeFile(folder.path + "/base", below)
            creation.backingFile = "base"
            creation.backingFormat = "raw"
        }
        var disk = try Modelled(path, creation, below: below)
        for round in 0..<Rounds.count(clusterSize > 1 << 20 ? 60 : 250) {
            try disk.step(&random)
            if round % 50 == 49 { try disk.expectSame("round \(round)") }
        }
        try disk.image.close()
        #expect(try QemuImg.checks(path))
        try writeFile(folder.path + "/raw", [])
        if let run = try QemuImg.run(["convert", "-O", "raw", path, folder.path + "/raw"]) {
            #expect(run.exit == 0, "\(run.errorText)")
            let isSame = readFile(folder.path + "/raw") == disk.model
            #expect(isSame)
        }
    }

    @Test(.qemuImg, arguments: ["", "compat=0.10", "cluster_size=512", "refcount_bits=1", "compression_type=zstd"])
    func whatQemuWritesIsRead(options: String) throws {
        let folder = try TemporaryFolder("qcow2"), path = folder.path + "/disk"
        var random = SeededRandom(seed: 9)
        let bytes = (0..<300_032).map { at in
            at / 5000 % 3 == 0
                ? 0
                : at / 5000 % 3 == 1 ? UInt8(truncatingIfNeeded: at / 100) : UInt8(truncatingIfNeeded: random.next())
        }
        try writeFile(folder.path + "/raw", bytes)
        for compresses in [false, true] {
            let run = try QemuImg.run(
                ["convert", "-O", "qcow2"] + (options == "" ? [] : ["-o", options]) + (compresses ? ["-c"] : [])
                    + [folder.path + "/raw", path])
            #expect(run?.exit == 0, "\(run?.errorText ?? "")")
            let image = try openImage(path, ImageOptions(isReadOnly: true))
            let isSame = try image.size == 300_032 && image.bytes(0, bytes.count) == bytes
            #expect(isSame)
        }
    }

    @Test func chainsThatEndNowhereAreRefusedByName() throws {
        let folder = try TemporaryFolder("qcow2"), path = folder.path + "/disk"
        var creation = QCOW2Creation(size: 65536)
        creation.backingFile = "disk"
        try QCOW2Image.create(BlockFile.create(path), creation)
        var error = #expect(throws: BlockError.self) { _ = try openImage(path, ImageOptions(isReadOnly: true)) }
        #expect(error?.errno == .loop && error?.description.contains("disk") == true)
        creation.backingFile = "missing"
        try QCOW2Image.create(BlockFile.create(path), creation)
        error = #expect(throws: BlockError.self) { _ = try openImage(path) }
        #expect(error?.errno == .noent && error?.description.contains("missing") == true)
    }

    @Test func unknownFeaturesAreRefusedByName() throws {
        let folder = try TemporaryFolder("qcow2"), path = folder.path + "/disk"
        for (byte, value, name) in [
            (79, 16, "extended L2 entries"), (79, 4, "external data file"), (72, 1, "bit 56"), (35, 2, "LUKS"),
        ] {
            try QCOW2Image.create(BlockFile.create(path), QCOW2Creation(size: 65536))
            try BlockFile(path, isReadOnly: false).write(at: UInt64(byte), bytes: [UInt8(value)])
            let error = #expect(throws: BlockError.self) { _ = try openImage(path) }
            #expect(error?.description.contains(name) == true, "\(error?.description ?? "")")
        }
    }

    @Test func resizedDisksKeepWhatIsInBoth() throws {
        let folder = try TemporaryFolder("qcow2"), path = folder.path + "/disk"
        var creation = QCOW2Creation(size: 100_352)
        creation.clusterSize = 512
        var disk = try Modelled(path, creation)
        var random = SeededRandom(seed: 3)
        for size in [400_384, 50_176, 3_000_320, 512, 80_384] {
            for _ in 0..<20 { try disk.step(&random) }
            for old in disk.image.snapshots { try disk.image.deleteSnapshot(old) }
            try disk.image.resize(to: UInt64(size))
            disk.model = Array(disk.model.prefix(size)) + Array(repeating: 0, count: max(0, size - disk.model.count))
            try disk.reopen()
            try disk.expectSame("\(size)")
        }
        try disk.image.close()
        #expect(try QemuImg.checks(path))
    }
}
