// Damaged images, and images whose writer was killed: nothing traps, nothing that was flushed is lost, and repairs help.

import Glibc
import HostOS
import TestSupport
import Testing

@testable import BlockLayer

@Suite struct QCOW2DamageTests {
    /// A small image with everything in it: data, zeros, compressed clusters, a snapshot.
    private static func make(_ path: String, version: UInt32 = 3) throws -> [UInt8] {
        var creation = QCOW2Creation(size: 200_192)
        creation.clusterSize = 512
        creation.version = version
        try QCOW2Image.create(BlockFile.create(path), creation)
        let image = try #require(try openImage(path) as? QCOW2Image)
        try image.write(Array(repeating: 7, count: 60_000), at: 1000)
        try image.createSnapshot("one", seconds: 0, nanoseconds: 0)
        try image.write(Array(repeating: 9, count: 5000), at: 3000)
        for cluster in 200..<230 {
            try Array(repeating: UInt8(cluster), count: 512).withUnsafeBytes {
                try image.writeCompressed(at: UInt64(cluster * 512), $0)
            }
        }
        try image.writeZeroes(at: 20_000, count: 9000, mayUnmap: true)
        let bytes = try image.bytes(0, 200_192)
        try image.close()
        return bytes
    }

    private static func open(_ path: String, repairs: Bool = true, isReadOnly: Bool = false) throws -> QCOW2Image {
        var options = ImageOptions(format: "qcow2", isReadOnly: isReadOnly)
        options.repairs = repairs
        return try #require(try openImage(path, options) as? QCOW2Image)
    }

    @Test(.seeded(11), arguments: [2, 3] as [UInt32])
    func randomDamageIsSurvived(version: UInt32) throws {
        let folder = try TemporaryFolder("damage"), path = folder.path + "/disk"
        _ = try Self.make(path, version: version)
        let good = try #require(readFile(path))
        var random = SeededRandom(seed: Seed.current)
        for _ in 0..<Rounds.count(300) {
            var bytes = good
            // Most of the tables are near the beginning.
            for _ in 0...random.below(4) {
                let end = [112, 4096, bytes.count][random.below(3)], at = random.below(end)
                bytes[at] = [0, 0xff, 0x80, 1, UInt8(truncatingIfNeeded: random.next())][random.below(5)]
            }
            if random.below(5) == 0 { bytes.removeLast(random.below(bytes.count)) }
            try writeFile(path, bytes)
            // It may be refused and fail at any step.
            if let image = try? Self.open(path, isReadOnly: true) {
                _ = try? image.check(.nothing) { _ in }
                _ = try? image.bytes(0, Int(min(image.size, 300_000)))
            }
            if let image = try? Self.open(path, repairs: false) {
                _ = try? image.check([.all, .leaks][random.below(2)]) { _ in }
                for _ in 0..<10 where image.size > 3000 {
                    let at = UInt64(random.below(Int(min(image.size - 2000, 200_000))))
                    _ = try? image.write(Array(repeating: 1, count: 2000), at: at)
                    _ = try? image.discard(at: at, count: 1500)
                }
                if let snapshot = image.snapshots.first {
                    _ = try? random.below(2) == 0 ? image.applySnapshot(snapshot) : image.deleteSnapshot(snapshot)
                }
                _ = try? image.close()
            }
        }
    }

    /// What counts as used and is not, and the other way round.
    @Test func repairsMakeRefcountsRight() throws {
        let folder = try TemporaryFolder("damage"), path = folder.path + "/disk"
        let bytes = try Self.make(path)
        let file = try BlockFile(path, isReadOnly: false, isLocked: false)
        let block = BigEndianBytes(try file.read(at: 512, count: 8)).long(0)
        try file.write(at: block + 2 * 20, bytes: [0, 0])
        try file.write(at: block + 2 * 250, bytes: [0, 5])
        var lines: [String] = []
        let before = try Self.open(path, isReadOnly: true).check(.nothing) { lines.append($0) }
        #expect(before.corruptions > 0 && before.leaks > 0, "\(lines)")
        #expect(lines.contains { $0.hasPrefix("ERROR cluster 20 refcount=0 reference=") }, "\(lines)")
        let image = try Self.open(path, repairs: false)
        let fixed = try image.check(.all) { _ in }
        #expect(fixed.corruptions == fixed.fixedCorruptions && fixed.leaks == fixed.fixedLeaks)
        let after = try image.check(.nothing) { _ in }
        #expect(after.corruptions == 0 && after.leaks == 0)
        let isSame = try image.bytes(0, bytes.count) == bytes
        #expect(isSame)
        try image.close()
        #expect(try QemuImg.checks(path))
    }

    @Test func lostRefcountBlocksAreMadeAnew() throws {
        let folder = try TemporaryFolder("damage"), path = folder.path + "/disk"
        let bytes = try Self.make(path)
        let file = try BlockFile(path, isReadOnly: false, isLocked: false)
        try file.write(at: 512, bytes: [0, 0, 0, 0x7f, 0, 0, 2, 1])
        let image = try Self.open(path, repairs: false)
        _ = try image.check(.all) { _ in }
        let after = try image.check(.nothing) { _ in }
        #expect(after.corruptions == 0)
        let isSame = try image.bytes(0, bytes.count) == bytes
        #expect(isSame)
        try image.close()
        #expect(try QemuImg.checks(path))
    }

    @Test func corruptionThatIsFoundStopsWrites() throws {
        let folder = try TemporaryFolder("damage"), path = folder.path + "/disk"
        _ = try Self.make(path)
        let image = try Self.open(path)
        // The cluster of the header counts as free, and is the first that is.
        try image.lock.withLock {
            try image.setRefcount(0, 0)
            image.freeHint = 0
        }
        #expect(throws: BlockError.self) { try image.write([1], at: 150_000) }
        #expect(image.isReadOnly)
        let error = #expect(throws: BlockError.self) { try image.write([1], at: 1000) }
        #expect(error?.errno == .rofs)
        #expect(try image.bytes(1000, 1) == [7])
        try image.close()
        #expect(throws: BlockError.self) { _ = try Self.open(path) }
        #expect(try Self.open(path, isReadOnly: true).header.isCorrupt)
    }

    /// The host loses power at some time: writes since the last flush are on the medium or not, each of them.
    @Test(.seeded(4), arguments: [false, true])
    func nothingFlushedIsLostInACrash(lazy: Bool) throws {
        let folder = try TemporaryFolder("crash"), path = folder.path + "/disk", crashed = folder.path + "/crashed"
        var random = SeededRandom(seed: Seed.current)
        var creation = QCOW2Creation(size: 400_384)
        creation.clusterSize = 512
        creation.hasLazyRefcounts = lazy
        try QCOW2Image.create(BlockFile.create(path), creation)
        let image = try Self.open(path)
        let medium = Medium(try #require(readFile(path)), seed: random.next())
        image.file.observer = { medium.see($0) }
        // Each block of 1 KiB holds the number of the round that wrote it, and discarded ones may hold 0.
        var rounds = [UInt8](repeating: 0, count: 391), discarded: Set<Int> = []
        for round in 1...UInt8(60) {
            for _ in 0..<6 {
                let block = random.below(391), offset = UInt64(block * 1024)
                switch random.below(8) {
                case 0:
                    try image.discard(at: offset, count: 1024)
                    discarded.insert(block)
                case 1 where block % 2 == 0:
                    for half in 0..<2 {
                        try Array(repeating: round, count: 512).withUnsafeBytes {
                            try image.writeCompressed(at: offset + UInt64(half * 512), $0)
                        }
                    }
                    rounds[block] = round
                default:
                    try image.write(Array(repeating: round, count: 1024), at: offset)
                    rounds[block] = round
                }
            }
            try image.flush()
            medium.flushed = rounds
            if round == 20 { try image.createSnapshot("twenty", seconds: 0, nanoseconds: 0) }
            if round == 40 { try image.deleteSnapshot(image.snapshots[0]) }
        }
        image.file.observer = nil
        try image.close()
        #expect(medium.crashes.count > 50)
        for (bytes, flushed) in medium.crashes {
            try writeFile(crashed, bytes)
            if lazy { try Self.open(crashed).close() }
            let image = try Self.open(crashed, isReadOnly: true)
            var lines: [String] = []
            let result = try image.check(.nothing) { lines.append($0) }
            // Flags may say too little, so that a cluster is copied before it is written.
            let errors = lines.filter { $0.hasPrefix("ERROR") && !$0.contains("OFLAG_COPIED") }
            #expect(errors.isEmpty && result.totalClusters == 782, "\(errors)")
            for block in 0..<391 where !discarded.contains(block) {
                let bytes = try image.bytes(UInt64(block * 1024), 1024)
                let isThere = bytes.allSatisfy { $0 >= flushed[block] }
                if !isThere { Issue.record("block \(block) held \(flushed[block]), and holds \(bytes[0])") }
            }
        }
    }

    /// A medium that may lose what has not been flushed.
    private final class Medium {
        private var durable: [UInt8]
        private var pending: [(Int, [UInt8])] = []
        private var random: SeededRandom
        var flushed = [UInt8](repeating: 0, count: 391)
        var crashes: [(bytes: [UInt8], flushed: [UInt8])] = []

        init(_ bytes: [UInt8], seed: UInt64) {
            durable = bytes
            random = SeededRandom(seed: seed)
        }

        func see(_ change: StorageChange) {
            switch change {
            case .write(let offset, let buffers): pending.append((Int(offset), buffers.flatMap { Array($0) }))
            case .zero(let offset, let count):
                let end = min(Int(offset + count), durable.count)
                if Int(offset) < end { pending.append((Int(offset), Array(repeating: 0, count: end - Int(offset)))) }
            case .flush:
                for change in pending { Self.apply(change, &durable) }
                pending = []
            }
            guard random.below(8) == 0, crashes.count < 150 else { return }
            var bytes = durable
            for change in pending where random.below(2) == 0 { Self.apply(change, &bytes) }
            crashes.append((bytes, flushed))
        }

        private static func apply(_ change: (Int, [UInt8]), _ bytes: inout [UInt8]) {
            let end = change.0 + change.1.count
            if bytes.count < end { bytes += Array(repeating: 0, count: end - bytes.count) }
            bytes.replaceSubrange(change.0..<end, with: change.1)
        }
    }

    /// Many at once, each in blocks of its own.
    @Test func threadsDoNotDisturbEachOther() throws {
        let folder = try TemporaryFolder("threads"), path = folder.path + "/disk"
        var creation = QCOW2Creation(size: 4 << 20)
        creation.clusterSize = 4096
        try QCOW2Image.create(BlockFile.create(path), creation)
        let image = try openImage(path), done = Lock()
        nonisolated(unsafe) var ended = 0
        nonisolated(unsafe) var wrong = 0
        for thread in 0..<4 {
            try HostThread.start {
                var random = SeededRandom(seed: UInt64(thread)), model = [UInt8](repeating: 0, count: 1024), bad = 0
                for round in 0..<1500 {
                    // Four threads share each cluster.
                    let block = random.below(1024), offset = UInt64(block * 4096 + thread * 1024)
                    let value = UInt8(truncatingIfNeeded: round | 1)
                    do {
                        switch random.below(8) {
                        case 0: try image.flush()
                        case 1:
                            try image.writeZeroes(at: offset, count: 1024, mayUnmap: true)
                            model[block] = 0
                        case 2: if try image.bytes(offset, 1024).contains(where: { $0 != model[block] }) { bad += 1 }
                        default:
                            try image.write(Array(repeating: value, count: 1024), at: offset)
                            model[block] = value
                        }
                    } catch { bad += 1 }
                }
                done.withLock {
                    ended += 1
                    wrong += bad
                }
            }
        }
        let limit = time(nil) + 50
        while done.withLock({ ended }) < 4, time(nil) < limit { usleep(10_000) }
        #expect(done.withLock { ended } == 4 && done.withLock { wrong } == 0)
        try image.close()
        #expect(try QemuImg.checks(path))
    }
}
