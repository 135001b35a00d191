// Jobs on a disk that is written meanwhile.

import EventLoop
import HostOS
import Options
import TestSupport
import Testing

@testable import BlockLayer

/// A disk that is written at random, and an array that must say the same.
private final class BusyDisk {
    let folder: TemporaryFolder
    let loop: EventLoop
    let graph = BlockGraph()
    let backend: BlockBackend
    let commands: BlockCommands
    var model: [UInt8]
    var random: SeededRandom
    nonisolated(unsafe) private(set) var failures: [String] = []

    /// `top`: a qcow2 image with some clusters of its own, above a raw one.
    init(_ seed: UInt64, top: Bool, size: Int = 2 << 20) throws {
        folder = try TemporaryFolder("jobs")
        random = SeededRandom(seed: seed)
        loop = try EventLoop(clocks: Clocks())
        // A third of it is 0.
        var bytes = [UInt8](repeating: 0, count: size)
        for at in 0..<size / 50_000 where at % 3 != 0 {
            let part = (0..<50_000).map { UInt8(truncatingIfNeeded: $0 / 7 | 1) }
            bytes.replaceSubrange(at * 50_000..<(at + 1) * 50_000, with: part)
        }
        model = bytes
        try writeFile(folder.path + "/base", bytes)
        var creation = QCOW2Creation(size: UInt64(size))
        creation.backingFile = "base"
        creation.backingFormat = "raw"
        try QCOW2Image.create(BlockFile.create(folder.path + "/top"), creation)
        let options =
            top
            ? "driver=qcow2,discard=unmap,file.filename=" + folder.path + "/top"
            : "driver=raw,discard=unmap,file.filename=" + folder.path + "/base"
        let node = try graph.open(try BlockSpec(parsing: options))
        try node.use(.writes, by: "a test")
        backend = BlockBackend(node, name: "d")
        backend.device = "disk"
        backend.attach(loop, under: nil)
        commands = BlockCommands(graph, loop) { [backend] in [backend] }
        commands.failed = { [unowned self] _, error in failures.append(error.description) }
    }

    /// Requests that are under way at once, none on another's bytes.
    func work() throws {
        let parts = 8, part = model.count / parts
        var ended = 0, written: [[UInt8]] = [], discarded: [Range<Int>] = []
        let end: (BlockError?) -> Void = { error in
            if let error { Issue.record("\(error)") }
            ended += 1
        }
        for index in 0..<parts {
            let start = index * part + random.below(part)
            let range = start..<start + random.below(min(60_000, (index + 1) * part - start)) + 1
            switch random.below(8) {
            case 0:
                backend.submit(.writeZeroes(offset: UInt64(start), count: UInt64(range.count), mayUnmap: true), end)
                model.replaceSubrange(range, with: Array(repeating: 0, count: range.count))
            case 1:
                backend.submit(.discard(offset: UInt64(start), count: UInt64(range.count)), end)
                discarded.append(range)
            default:
                written.append(Array(repeating: UInt8(truncatingIfNeeded: random.next()), count: range.count))
                model.replaceSubrange(range, with: written[written.count - 1])
                // Arrays keep their bytes where they are until the end of this call.
                let bytes = written[written.count - 1].withUnsafeBytes { $0 }
                backend.submit(.write(offset: UInt64(start), [bytes]), end)
            }
        }
        while ended < parts { loop.turn() }
        withExtendedLifetime(written) {}
        for range in discarded {
            // What was there, or 0.
            let now = try backend.image.bytes(UInt64(range.lowerBound), range.count)
            let isRight = now == Array(model[range]) || zip(now, model[range]).allSatisfy { $0 == $1 || $0 == 0 }
            #expect(isRight)
            model.replaceSubrange(range, with: now)
        }
    }

    func work(until isOver: () -> Bool) throws {
        let end = HostClock.monotonic() + 20_000_000_000
        while !isOver() {
            try work()
            if HostClock.monotonic() > end {
                Issue.record("it takes too long: \(commands.jobs.map(\.progress))")
                return
            }
        }
    }

    func expectSame(_ name: String, _ wanted: [UInt8], format: String? = nil) throws {
        let image = try openImage(folder.path + "/" + name, ImageOptions(format: format, isReadOnly: true))
        let seen = try image.bytes(0, wanted.count)
        if let at = seen.indices.first(where: { seen[$0] != wanted[$0] }) {
            Issue.record("\(name): byte \(at) differs")
        }
        try image.close()
    }

    func close() { graph.close { Issue.record("\($0)") } }
}

@Suite struct BlockJobTests {
    @Test(
        .seeded(41),
        arguments: [
            (true, "qcow2", true), (true, "qcow2", false), (true, "raw", true), (false, "raw", true),
            (false, "qcow2", true),
        ])
    func aMirrorOfADiskThatIsWrittenAtRandomIsTheSame(top: Bool, format: String, isFull: Bool) throws {
        let disk = try BusyDisk(Seed.current, top: top)
        try disk.work()
        try disk.commands.mirror("d", to: CopyTarget(path: disk.folder.path + "/copy", format: format, isFull: isFull))
        #expect(throws: BlockCommandError.busy(device: "d", .mirror)) { try disk.commands.resize("d", to: 1) }
        try disk.work(until: { disk.commands.jobs.first?.isReady ?? true })
        for _ in 0..<20 { try disk.work() }
        let job = try disk.commands.job("d")
        #expect(job.progress.done == job.progress.all)
        try disk.commands.cancel("d")
        while !disk.commands.jobs.isEmpty { disk.loop.turn() }
        #expect(disk.failures.isEmpty && disk.graph.nodes.count == 2)
        try disk.expectSame("copy", disk.model, format: format)
        // It is a copy no more.
        let model = disk.model
        for _ in 0..<3 { try disk.work() }
        try disk.expectSame("copy", model, format: format)
        let seen = try disk.backend.image.bytes(0, disk.model.count)
        #expect(seen == disk.model)
        disk.close()
    }

    @Test(.seeded(42), arguments: [true, false])
    func aMirrorThatIsCompletedTakesTheDisksPlaceAtRandomTimes(top: Bool) throws {
        let disk = try BusyDisk(Seed.current, top: top)
        for round in 0..<3 {
            let name = "copy\(round)"
            try disk.commands.mirror("d", to: CopyTarget(path: disk.folder.path + "/" + name, format: "qcow2"))
            try disk.work(until: { disk.commands.jobs.first?.isReady ?? true })
            try disk.commands.complete("d")
            try disk.work(until: { disk.commands.jobs.isEmpty })
            #expect(disk.failures.isEmpty && disk.backend.node.fileName.hasSuffix(name))
            try disk.work()
        }
        #expect(disk.graph.nodes.count == 2, "the old ones are gone")
        disk.close()
        try disk.expectSame("copy2", disk.model, format: "qcow2")
    }

    @Test(.seeded(43), arguments: [(true, "qcow2"), (true, "raw"), (false, "qcow2")])
    func aBackupIsWhatTheDiskWasWhenItBeganWhateverIsWrittenAtRandom(top: Bool, format: String) throws {
        let disk = try BusyDisk(Seed.current, top: top)
        for _ in 0..<5 { try disk.work() }
        let model = disk.model
        try disk.commands.backup("d", to: CopyTarget(path: disk.folder.path + "/copy", format: format), speed: 20 << 20)
        try disk.work(until: { disk.commands.jobs.isEmpty })
        #expect(disk.failures.isEmpty)
        try disk.expectSame("copy", model, format: format)
        let seen = try disk.backend.image.bytes(0, disk.model.count)
        #expect(seen == disk.model)
        disk.close()
    }

    @Test(.seeded(44)) func aStreamedImageThatIsWrittenAtRandomNeedsNothingBelow() throws {
        let disk = try BusyDisk(Seed.current, top: true)
        #expect(throws: BlockCommandError.noDevice("e")) { try disk.commands.stream("e") }
        try disk.work()
        try disk.commands.stream("d", speed: 20 << 20)
        try disk.work(until: { disk.commands.jobs.isEmpty })
        #expect(disk.failures.isEmpty)
        #expect(throws: BlockCommandError.noBacking(device: "d")) { try disk.commands.stream("d") }
        try disk.work()
        disk.close()
        try writeFile(disk.folder.path + "/base", [])
        try disk.expectSame("top", disk.model)
        let header = try QCOW2Header(BlockFile(disk.folder.path + "/top", isReadOnly: true))
        #expect(header.backingFile == nil)
    }

    /// Three images above each other: what the middle one holds, and hides, comes up; the lowest one stays below.
    @Test(.seeded(47), arguments: [(2 << 20, 2 << 20), (1 << 20, 3 << 20), (3 << 20, 2 << 20)])
    func anImageThatIsWrittenAtRandomIsStreamedDownToABase(middle: Int, top: Int) throws {
        let disk = try BusyDisk(Seed.current, top: false), path = disk.folder.path
        disk.close()
        for (name, size, below, format, cluster) in [
            ("middle", middle, "base", "raw", 4096), ("upper", top, "middle", "qcow2", 65536),
        ] {
            var creation = QCOW2Creation(size: UInt64(size))
            creation.clusterSize = UInt64(cluster)
            (creation.backingFile, creation.backingFormat) = (below, format)
            try QCOW2Image.create(BlockFile.create(path + "/" + name), creation)
        }
        func write(_ name: String, zeros: Bool) throws {
            let image = try openImage(path + "/" + name)
            for _ in 0..<6 {
                let count = 1 + disk.random.below(100_000), at = UInt64(disk.random.below(Int(image.size) - count))
                if zeros, disk.random.below(2) == 0 {
                    try image.writeZeroes(at: at, count: UInt64(count), mayUnmap: true)
                } else {
                    try image.write(
                        Array(repeating: UInt8(truncatingIfNeeded: disk.random.next()), count: count), at: at)
                }
            }
            try image.close()
        }
        try write("middle", zeros: true)
        try write("upper", zeros: true)
        let graph = BlockGraph(), loop = disk.loop
        let node = try graph.open(try BlockSpec(parsing: "driver=qcow2,file.filename=\(path)/upper"))
        try node.use(.writes, by: "a test")
        let backend = BlockBackend(node, name: "d")
        backend.attach(loop, under: nil)
        let commands = BlockCommands(graph, loop) { [backend] }
        commands.failed = { _, error in Issue.record("\(error)") }
        var model = try backend.image.bytes(0, top)
        #expect(throws: BlockCommandError.noBase("other", device: "d")) { try commands.stream("d", to: "other") }
        try commands.stream("d", to: path + "/base", speed: 8 << 20)
        while !commands.jobs.isEmpty {
            let at = disk.random.below(top - 5000), bytes = [UInt8](repeating: 9, count: 1 + disk.random.below(5000))
            try backend.image.write(bytes, at: UInt64(at))
            model.replaceSubrange(at..<at + bytes.count, with: bytes)
            loop.turn(waits: false)
        }
        // The base is the image below already.
        try commands.stream("d", to: path + "/base")
        while !commands.jobs.isEmpty { loop.turn() }
        let seen = try backend.image.bytes(0, top)
        #expect(seen == model)
        graph.close { Issue.record("\($0)") }
        try writeFile(path + "/middle", [])
        try disk.expectSame("upper", model)
        let header = try QCOW2Header(BlockFile(path + "/upper", isReadOnly: true))
        #expect(header.backingFile == path + "/base" && header.backingFormat == "raw")
    }

    @Test(.seeded(48), arguments: [(true, false), (true, true), (false, true)])
    func aCompressedBackupIsWhatTheDiskWasWhateverIsWrittenAtRandom(top: Bool, isFull: Bool) throws {
        let disk = try BusyDisk(Seed.current, top: top)
        for _ in 0..<3 { try disk.work() }
        let model = disk.model
        var target = CopyTarget(path: disk.folder.path + "/copy", format: "qcow2", isFull: isFull)
        target.isCompressed = true
        try disk.commands.backup("d", to: target, speed: 20 << 20)
        try disk.work(until: { disk.commands.jobs.isEmpty })
        #expect(disk.failures.isEmpty)
        try disk.expectSame("copy", model, format: "qcow2")
        let size = try BlockFile(disk.folder.path + "/copy", isReadOnly: true).size()
        #expect(size < 1 << 20, "compressed")
        target.format = "raw"
        #expect(throws: BlockCommandError.notCompressible(target.path)) { try disk.commands.backup("d", to: target) }
        disk.close()
    }

    @Test func aJobWithoutAThreadLeavesTheDiskAsItWas() throws {
        let disk = try BusyDisk(1, top: true), before = ObjectIdentifier(disk.backend.node.image)
        disk.commands.startThread = { (_) throws(Errno) in throw Errno.again }
        for start in [
            { try disk.commands.mirror("d", to: CopyTarget(path: disk.folder.path + "/copy")) },
            { try disk.commands.stream("d") },
        ] { #expect(throws: BlockCommandError.self) { try start() } }
        #expect(ObjectIdentifier(disk.backend.node.image) == before, "no filter is left")
        #expect(disk.commands.jobs.isEmpty && disk.graph.nodes.count == 2)
        try disk.work()
        disk.close()
    }

    /// The guest is told of the copy's size.
    @Test func aMirrorThatIsLargerGivesTheDiskItsSize() throws {
        let disk = try BusyDisk(1, top: false), path = disk.folder.path + "/large"
        try QCOW2Image.create(BlockFile.create(path), QCOW2Creation(size: 5 << 20))
        nonisolated(unsafe) var changes = 0
        disk.backend.sizeChanged = { changes += 1 }
        try disk.commands.mirror("d", to: CopyTarget(path: path, format: "qcow2", isReused: true))
        try disk.work(until: { disk.commands.jobs.first?.isReady ?? true })
        #expect(changes == 0)
        try disk.commands.complete("d")
        try disk.work(until: { disk.commands.jobs.isEmpty })
        #expect(changes == 1 && disk.backend.image.size == 5 << 20)
        disk.close()
    }

    /// What flash memory writes, it writes in its own thread.
    @Test func whatIsDoneAtOnceIsInAMirrorAndWaitsForChanges() throws {
        let disk = try BusyDisk(1, top: false)
        disk.backend.hasFixedSize = true
        #expect(throws: BlockCommandError.fixedSize("d")) { try disk.commands.resize("d", to: 1 << 30) }
        try disk.commands.mirror("d", to: CopyTarget(path: disk.folder.path + "/copy", format: "raw"))
        try disk.work(until: { disk.commands.jobs.first?.isReady ?? true })
        let bytes = [UInt8](repeating: 5, count: 70_000)
        try bytes.withUnsafeBytes { try disk.backend.perform(now: .write(offset: 1000, [$0])) }
        disk.model.replaceSubrange(1000..<71_000, with: bytes)
        try disk.commands.complete("d")
        try disk.work(until: { disk.commands.jobs.isEmpty })
        try bytes.withUnsafeBytes { try disk.backend.perform(now: .write(offset: 0, [$0])) }
        disk.model.replaceSubrange(0..<70_000, with: bytes)
        let word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        word.initialize(to: 0)
        nonisolated(unsafe) let ended = word
        try disk.backend.paused {
            try? HostThread.start {
                try? disk.backend.perform(now: .flush)
                publishWord(ended, 1)
            }
            HostThread.sleep(nanoseconds: 50_000_000)
            #expect(publishedWord(ended) == 0)
        }
        for _ in 0..<1000 where publishedWord(ended) == 0 { HostThread.sleep(nanoseconds: 5_000_000) }
        #expect(publishedWord(ended) == 1)
        disk.close()
        try disk.expectSame("copy", disk.model, format: "raw")
    }

    @Test(.seeded(45)) func aCommittedImageHoldsNothing() throws {
        let disk = try BusyDisk(Seed.current, top: true)
        for _ in 0..<5 { try disk.work() }
        let before = disk.model
        try disk.commands.commit("d")
        try disk.expectSame("base", before, format: "raw")
        let image = try #require(storedImage(disk.backend.node) as? QCOW2Image)
        let own = try image.ownStatus(at: 0, count: image.size)
        #expect(!own.isAllocated && own.count == image.size && image.backing?.isReadOnly == true)
        try disk.work()
        try disk.commands.commitAll()
        disk.close()
        try disk.expectSame("base", disk.model, format: "raw")
        try disk.expectSame("top", disk.model)
    }

    @Test(.seeded(46)) func jobsRestAndAreGivenUp() throws {
        let disk = try BusyDisk(Seed.current, top: true)
        try disk.commands.stream("d", speed: 1000)
        let job = try disk.commands.job("d")
        #expect(job.speed == 1000)
        #expect(throws: BlockCommandError.notPaused(job: "d")) { try disk.commands.resume("d") }
        #expect(throws: BlockCommandError.notReady(job: "d")) { try disk.commands.complete("d") }
        try disk.commands.pause("d")
        #expect(throws: BlockCommandError.alreadyPaused(job: "d")) { try disk.commands.pause("d") }
        try disk.commands.setSpeed("d", 0)
        for _ in 0..<10 { try disk.work() }
        #expect(disk.commands.jobs.count == 1, "who rests does not end")
        try disk.commands.cancel("d")
        try disk.work(until: { disk.commands.jobs.isEmpty })
        #expect(throws: BlockCommandError.noJob("d")) { try disk.commands.cancel("d") }
        // What lies below is still needed, and there.
        let seen = try disk.backend.image.bytes(0, disk.model.count)
        #expect(seen == disk.model)
        try disk.commands.mirror("d", to: CopyTarget(path: disk.folder.path + "/copy"), speed: 1000)
        disk.commands.endAll()
        #expect(disk.commands.jobs.isEmpty && disk.failures.isEmpty)
        disk.close()
    }

    @Test func whatCannotBeDoneChangesNothing() throws {
        let disk = try BusyDisk(1, top: false), path = disk.folder.path
        #expect(throws: BlockCommandError.noBacking(device: "d")) { try disk.commands.commit("d") }
        #expect(throws: BlockCommandError.notRemovable("d")) { try disk.commands.eject("d") }
        #expect(throws: BlockCommandError.noFormat("vmdk")) {
            try disk.commands.mirror("d", to: CopyTarget(path: path + "/copy", format: "vmdk"))
        }
        try writeFile(path + "/small", [1, 2, 3])
        #expect(throws: BlockCommandError.targetTooSmall(size: 3, wanted: 2 << 20)) {
            try disk.commands.mirror("d", to: CopyTarget(path: path + "/small", format: "raw", isReused: true))
        }
        #expect(throws: BlockCommandError.self) {
            try disk.commands.mirror("d", to: CopyTarget(path: path + "/base", format: "raw"))
        }
        #expect(throws: BlockCommandError.self) { try disk.commands.mirror("d", to: CopyTarget(path: "/no/such/file")) }
        #expect(disk.graph.nodes.count == 2 && disk.commands.jobs.isEmpty && readFile(path + "/small") == [1, 2, 3])
        try disk.work()
        try disk.commands.resize("d", to: 5 << 20)
        #expect(disk.backend.image.size == 5 << 20)
        let seen = try disk.backend.image.bytes(0, disk.model.count)
        #expect(seen == disk.model)
        disk.close()
    }

    /// The target's error is the job's, and not the guest's.
    @Test func aTargetThatFailsEndsTheJobAlone() throws {
        final class Full: FilterImage, @unchecked Sendable {
            override func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
                throw BlockError(.nospc, "full")
            }
        }
        for kind in [BlockJob.Kind.mirror, .backup] {
            let disk = try BusyDisk(3, top: false),
                node = try disk.graph.open(try BlockSpec(parsing: "null-co,size=2M"))
            node.image = Full(node.image)
            let job = CopyJob("d", kind, disk.backend, to: node, isNew: false, isTop: false, speed: 0)
            try job.prepare()
            for _ in 0..<3 { try disk.work() }
            var failure: BlockError?
            do throws(BlockError) { try job.work() } catch { failure = error }
            #expect(failure?.errno == .nospc)
            #expect(throws: BlockError.self) {
                try disk.backend.paused { () throws(BlockError) in try job.finish(failure) }
            }
            try disk.work()
            let seen = try disk.backend.image.bytes(0, disk.model.count)
            #expect(seen == disk.model)
            disk.close()
        }
    }
}
