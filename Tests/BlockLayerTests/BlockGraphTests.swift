// Nodes: what options say, what lies on what, and who may use it.

import EventLoop
import HostOS
import Options
import TestSupport
import Testing

@testable import BlockLayer

/// A folder with a raw image `base` of 300000 bytes, and an empty qcow2 image `top` on it.
private final class Images {
    let folder: TemporaryFolder
    let bytes: [UInt8]
    let graph = BlockGraph()

    init() throws {
        folder = try TemporaryFolder("graph")
        bytes = (0..<299_520).map { $0 / 70_000 == 1 ? 0 : UInt8(truncatingIfNeeded: $0 / 3 | 1) }
        try writeFile(path("base"), bytes)
        try writeFile(path("other"), Array(repeating: 7, count: 1 << 20))
        var creation = QCOW2Creation(size: UInt64(bytes.count))
        creation.clusterSize = 4096
        creation.backingFile = "base"
        creation.backingFormat = "raw"
        try QCOW2Image.create(BlockFile.create(path("top")), creation)
    }

    func path(_ name: String) -> String { folder.path + "/" + name }

    @discardableResult
    func open(_ text: String) throws -> BlockNode {
        var filled = "", rest = text[...]
        while let first = rest.first {
            if rest.hasPrefix("@") { filled += folder.path + "/" } else { filled.append(first) }
            rest.removeFirst()
        }
        return try graph.open(try BlockSpec(parsing: filled))
    }

    func refused(_ text: String, _ mention: String) {
        do {
            let node = try open(text)
            Issue.record("taken: \(text): \(node.driver)")
        } catch {
            let text = (error as? OptionError)?.message ?? "\(error)"
            #expect(text.contains(mention), "no '\(mention)' in: \(text)")
        }
    }

    func close() { graph.close { Issue.record("\($0)") } }
}

@Suite struct BlockGraphTests {
    @Test(arguments: [
        "driver=qcow2,node-name=t,file.driver=file,file.filename=@top",
        "qcow2,node-name=t,file.filename=@top",
        "{\"driver\": \"qcow2\", \"node-name\": \"t\", \"file\": {\"driver\": \"file\", \"filename\": \"@top\"}}",
    ])
    func anImageIsOpenedByAnyForm(_ text: String) throws {
        let images = try Images()
        let node = try images.open(text)
        #expect(node.name == "t" && node.driver == "qcow2" && images.graph.nodes.map(\.driver) == ["file", "qcow2"])
        let shown = try node.bytes(0, images.bytes.count)
        #expect(shown == images.bytes)
        images.close()
    }

    @Test func whatIsWrongIsRefusedAndLeavesNothing() throws {
        let images = try Images()
        for (text, mention) in [
            ("node-name=a", "no driver"), ("driver=vmdk", "qcow2"), ("driver=file", "filename=FILE"),
            ("driver=file,filename=@none", "none: "), ("driver=raw,file=none", "'none'"),
            ("driver=raw", "file=NODE"), ("driver=raw,file=a,file.driver=file", "file=NODE goes without"),
            ("driver=file,filename=@base,nonsense=1", "'nonsense'"),
            ("driver=raw,file.driver=file,file.filename=@base,file.nonsense=1", "'file.nonsense'"),
            ("driver=file,filename=@base,discard=some", "unmap"),
            ("driver=file,filename=@base,read-only=1", "on or off"),
            ("driver=file,filename=@base,node-name=1a", "a letter"),
            ("driver=file,filename=@base,aio=native", "cache.direct=on"),
            ("driver=file,filename=@base,aio=fast", "io_uring"),
            ("driver=file,filename=@base,force-share=on", "read-only=on"),
            ("driver=raw,file.filename=@base,detect-zeroes=unmap", "discard=unmap"),
            ("driver=qcow2,file.filename=@base", "base"), ("driver=qcow2,file.filename=@top,backing=none", "'none'"),
            ("driver=throttle,file.filename=@base,throttle-group=g", "-object throttle-group"),
            ("driver=null-co,size=big", "size=big"), ("driver=qcow2,file.filename=@top,lazy-refcounts=2", "on or off"),
            ("{\"driver\": \"file\", \"filename\": 1, \"locking\": \"x\"}", "locking=x"),
        ] { images.refused(text, mention) }
        #expect(images.graph.nodes.isEmpty)
        // Nothing is locked either.
        try images.open("driver=file,filename=@base,node-name=a")
        images.refused("driver=file,filename=@base,node-name=b", "another program")
        images.refused("driver=null-co,node-name=a", "node of that name")
        images.close()
    }

    @Test func oneWritesOrAnyNumberReads() throws {
        let images = try Images()
        try images.open("driver=file,filename=@base,node-name=f,read-only=on")
        try images.open("driver=raw,file=f,node-name=r1,read-only=on")
        try images.open("driver=raw,file=f,node-name=r2,read-only=on")
        images.refused("driver=raw,file=f,node-name=w", "in use")
        let f = try #require(images.graph.node("f"))
        #expect(f.users.count == 2)
        #expect(throws: BlockError.self) { try images.graph.remove("f") }
        try images.graph.remove("r1")
        try images.graph.remove("r2")
        images.refused("driver=raw,file=f,node-name=w", "read-only=on")
        try images.graph.remove("f")
        try images.open("driver=file,filename=@other,node-name=g")
        let w = try images.open("driver=raw,file=g,node-name=w")
        images.refused("driver=raw,file=g,node-name=v,read-only=on", "'w' writes it")
        try w.use(.writes, by: "a device")
        #expect(throws: BlockError.self) { try w.use(.reads, by: "another") }
        w.release("a device")
        try w.use(.reads, by: "another")
        images.close()
        #expect(images.graph.nodes.isEmpty)
    }

    @Test func aFileIsOpenedForWritingWhenSomebodyWrites() throws {
        let images = try Images()
        let f = try images.open("driver=file,filename=@base,node-name=f,auto-read-only=on")
        #expect(f.isReadOnly)
        // Others may read it, and hold it.
        let reader = try openImage(images.path("base"), ImageOptions(format: "raw", isReadOnly: true))
        images.refused("driver=raw,file=f,node-name=w", "another program")
        #expect(f.isReadOnly && f.users.isEmpty)
        try reader.close()
        let w = try images.open("driver=raw,file=f,node-name=w")
        try w.write([1, 2, 3], at: 5)
        #expect(!f.isReadOnly)
        images.refused("driver=file,filename=@base", "another program")
        images.close()
        #expect(readFile(images.path("base"))?[5..<8] == [1, 2, 3])
    }

    @Test func anImageHasTheBackingThatIsNamed() throws {
        let images = try Images()
        let none = try images.open("driver=qcow2,node-name=n,file.filename=@top,backing=")
        let zeros = try none.bytes(0, 100)
        #expect(zeros.allSatisfy { $0 == 0 })
        try images.graph.remove("n")
        #expect(images.graph.nodes.isEmpty)
        try images.open("driver=file,filename=@other,node-name=o,read-only=on")
        let other = try images.open("driver=qcow2,node-name=n,file.filename=@top,backing=o")
        let sevens = try other.bytes(1000, 100)
        #expect(sevens.allSatisfy { $0 == 7 })
        images.refused("driver=raw,file=o", "in use")
        images.close()
    }

    @Test func filtersPassOnWhatTheyGet() throws {
        let images = try Images()
        var list = OptionList(["bps-total=1G", "iops-total=100000"])
        try images.graph.add(ThrottleGroup("g", ThrottleLimits(&list)))
        let node = try images.open(
            "driver=throttle,throttle-group=g,file.driver=copy-on-read,file.file.driver=qcow2,file.file.file.filename=@top"
        )
        var random = SeededRandom(seed: 12), model = images.bytes
        for _ in 0..<200 {
            let offset = random.below(model.count), count = random.below(min(20_000, model.count - offset) + 1)
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            if random.below(2) == 0 {
                try node.write(bytes, at: UInt64(offset))
                model.replaceSubrange(offset..<offset + count, with: bytes)
            } else {
                let seen = try node.bytes(UInt64(offset), count)
                #expect(seen == Array(model[offset..<offset + count]))
            }
        }
        _ = try node.bytes(0, model.count)
        images.close()
        // What was read is the image's own; what is missing is 0 below.
        var options = ImageOptions(format: "qcow2")
        options.opensBacking = false
        let top = try openImage(images.path("top"), options)
        let own = try top.bytes(0, model.count)
        #expect(own == model)
        try top.close()
    }

    @Test(arguments: [("off", false), ("on", false), ("unmap", true)])
    func zerosAreFound(_ detection: String, _ unmaps: Bool) throws {
        let images = try Images()
        let node = try images.open(
            "driver=raw,file.filename=@other,detect-zeroes=\(detection),discard=\(unmaps ? "unmap" : "ignore")")
        let before = try BlockFile(images.path("other"), isReadOnly: true, isLocked: false).allocatedSize()
        try node.write(Array(repeating: 0, count: 1 << 20), at: 0)
        try node.flush()
        let after = try BlockFile(images.path("other"), isReadOnly: true, isLocked: false).allocatedSize()
        #expect(before >= 1 << 20 && (after < before / 2) == unmaps)
        let all = try node.bytes(0, 1 << 20)
        #expect(all.allSatisfy { $0 == 0 })
        images.close()
    }

    @Test(arguments: [true, false]) func discardsAreDoneWhereTheyAreWanted(_ unmaps: Bool) throws {
        let images = try Images()
        let node = try images.open("driver=raw,file.filename=@other,discard=\(unmaps ? "unmap" : "ignore")")
        try node.discard(at: 0, count: 1 << 20)
        let seen = try node.bytes(0, 1 << 20)
        #expect(seen.allSatisfy { $0 == (unmaps ? 0 : 7) })
        images.close()
    }

    @Test func anOverlayKeepsWhatIsWritten() throws {
        let images = try Images()
        let base = try images.open("driver=raw,file.filename=@base,read-only=on")
        let overlay = try images.graph.openOverlay(on: base, named: "o")
        try overlay.write([9, 9, 9], at: 200_000)
        try overlay.flush()
        let seen = try overlay.bytes(0, images.bytes.count)
        var model = images.bytes
        model.replaceSubrange(200_000..<200_003, with: [9, 9, 9])
        #expect(seen == model)
        #expect(!HostFile.exists(overlay.fileName), "its file has no name")
        try overlay.use(.writes, by: "a device")
        images.refused("driver=raw,file=o", "a device writes it")
        images.close()
        #expect(readFile(images.path("base")) == images.bytes)
    }

    @Test func anImageIsDescribedByItsName() throws {
        let images = try Images()
        let name =
            "json:{\"driver\": \"qcow2\", \"file\": {\"driver\": \"file\", \"filename\": \"\(images.path("top"))\"}}"
        let image = try openImage(name, ImageOptions(isReadOnly: true))
        let seen = try image.bytes(0, images.bytes.count)
        #expect(image.format == "qcow2" && image.isReadOnly && seen == images.bytes)
        try image.close()
        let file = try openImage("json:{'driver': 'file', 'filename': '\(images.path("top"))'}")
        #expect(file.format == "qcow2", "the first bytes say what is in a file")
        try file.close()
        for (bad, mention) in [("json:{", "JSON"), ("json:{\"driver\": \"file\"}", "filename"), ("nbc:x", "'nbc'")] {
            do throws(BlockError) {
                _ = try openImage(bad)
                Issue.record("taken: \(bad)")
            } catch { #expect(error.description.contains(mention)) }
        }
    }

    @Test func lazyRefcountsAreChosen() throws {
        let images = try Images()
        let node = try images.open("driver=qcow2,node-name=q,file.filename=@top,lazy-refcounts=on")
        try node.write([1], at: 0)
        try node.flush()
        let isDirty = try QCOW2Header(BlockFile(images.path("top"), isReadOnly: true, isLocked: false)).isDirty
        #expect(isDirty)
        images.close()
        let isClean = try !QCOW2Header(BlockFile(images.path("top"), isReadOnly: true)).isDirty
        #expect(isClean)
    }
}

@Suite struct ThrottleTests {
    /// Requests of so many bytes, one after another, for so many seconds: how many bytes pass.
    private func passed(_ options: String, bytes: UInt64, seconds: UInt64, writes: Bool = false) throws -> UInt64 {
        var list = try OptionList(parsing: options)
        let group = ThrottleGroup("g", try ThrottleLimits(&list))
        var now: UInt64 = 1_000_000_000, passed: UInt64 = 0
        let end = now + seconds * 1_000_000_000
        while now < end {
            let wait = group.enter(bytes, writes, at: now)
            if wait == 0 { passed += bytes } else { now += wait }
        }
        return passed
    }

    @Test func aLimitHoldsOverTime() throws {
        let ten = try passed("bps-total=1000000", bytes: 4096, seconds: 10)
        #expect((10_000_000...10_200_000).contains(ten))
        let reads = try passed("bps-write=1000", bytes: 4096, seconds: 0)
        #expect(reads == 0)
        let writes = try passed("bps-write=1000000,bps-read=1", bytes: 4096, seconds: 10, writes: true)
        #expect((10_000_000...10_200_000).contains(writes))
        let requests = try passed("iops-total=100", bytes: 1, seconds: 10)
        #expect((1000...1011).contains(requests))
        let large = try passed("iops-total=100,iops-size=4096", bytes: 8192, seconds: 10)
        #expect((1000 * 4096...1020 * 4096).contains(large))
    }

    @Test func aBurstMayBeMore() throws {
        let burst = try passed("bps-total=1000,bps-total-max=10000", bytes: 100, seconds: 10)
        #expect((19_000...21_000).contains(burst), "10000 at once, then 1000 in a second")
        let long = try passed("bps-total=1000,bps-total-max=10000,bps-total-max-length=3", bytes: 100, seconds: 20)
        #expect((48_000...52_000).contains(long), "10000 in a second for some three seconds, then 1000")
    }

    @Test(arguments: [
        ("bps-total=1,bps-read=1", "goes without"), ("bps-total-max=5", "beside it"),
        ("bps-total=9,bps-total-max=5", "at least"), ("iops-size=9", "iops-total"), ("bps-total=x", "number"),
        ("bps-total=1,bps-total-max-length=5", "beside it"), ("bps-total=1000T", "at most"),
        ("bps-total=1,bps-total-max=2,bps-total-max-length=0", "1 second"),
    ])
    func limitsThatMakeNoSenseAreRefused(_ text: String, _ mention: String) throws {
        var list = try OptionList(parsing: text)
        do throws(OptionError) {
            _ = try ThrottleLimits(&list)
            Issue.record("taken: \(text)")
        } catch { #expect(error.message.contains(mention), "\(error.message)") }
    }

    @Test func whoWaitsIsLetGo() throws {
        var list = OptionList(["bps-total=1"])
        let group = ThrottleGroup("g", try ThrottleLimits(&list))
        group.wait(bytes: 1_000_000, writes: true)
        nonisolated(unsafe) let word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        word.initialize(to: 0)
        defer { word.deallocate() }
        try HostThread.start {
            group.wait(bytes: 1, writes: true)
            publishWord(word, 1)
            Futex.wake(UInt64(UInt(bitPattern: word)), isPrivate: true)
        }
        group.lift(true)
        let end = HostClock.monotonic() + 10_000_000_000
        while publishedWord(word) == 0, HostClock.monotonic() < end {
            Futex.wait(word, while: 0, nanoseconds: 100_000_000)
        }
        #expect(publishedWord(word) == 1)
    }

    // MARK: Parts of files

    @Test func aPartOfAFileIsADisk() throws {
        let images = try Images()
        let part = try images.open("driver=raw,offset=1K,size=2K,file.filename=@base,node-name=p")
        let seen = try part.bytes(0, 2048)
        #expect(part.size == 2048 && seen == Array(images.bytes[1024..<3072]))
        try part.write([1, 2, 3], at: 2045)
        #expect(throws: BlockError.self) { try part.write([1, 2], at: 2047) }
        #expect(throws: BlockError.self) { try part.resize(to: 4096) }
        let extent = try part.status(at: 512, count: 1536)
        #expect(extent.fileOffset == 1536 && extent.count <= 1536)
        images.close()
        let file = try #require(readFile(images.path("base")))
        #expect(Array(file[3069..<3072]) == [1, 2, 3] && file[3072] == images.bytes[3072])
        let rest = try images.open("driver=raw,offset=290K,file.filename=@base")
        #expect(rest.size == UInt64(images.bytes.count - 290 * 1024))
        try rest.resize(to: 8192)
        images.close()
        #expect(readFile(images.path("base"))?.count == 290 * 1024 + 8192)
        images.refused("driver=raw,offset=10M,file.filename=@base", "offset=10485760")
        images.refused("driver=raw,offset=512,size=300K,file.filename=@base", "size=307200")
        images.refused("driver=raw,offset=5,file.filename=@base", "multiples of 512")
    }

    // MARK: What a guest may have written

    /// Of three images the middle one has no recorded format, and might be a raw one that a guest has made look like this.
    @Test func aBackingFileWithoutARecordedFormatNamesNoOtherFile() throws {
        let images = try Images()
        let upper = try QCOW2Image(BlockFile(images.path("top"), isReadOnly: false))
        try upper.setBackingFile("base", format: nil)
        try upper.close()
        // A backing file that is raw is none that names others.
        try images.open("driver=qcow2,file.filename=@top")
        images.close()
        var creation = QCOW2Creation(size: UInt64(images.bytes.count))
        creation.backingFile = "top"
        try QCOW2Image.create(BlockFile.create(images.path("third")), creation)
        images.refused("driver=qcow2,file.filename=@third", "rebase -u -F qcow2")
        try openImage(images.path("third")).close()
        let third = try QCOW2Image(BlockFile(images.path("third"), isReadOnly: false))
        try third.setBackingFile("top", format: "qcow2")
        try third.close()
        let node = try images.open("driver=qcow2,file.filename=@third")
        let seen = try node.bytes(0, images.bytes.count)
        #expect(seen == images.bytes)
        images.close()
    }

    // MARK: Requests that wait

    /// A limit below the top does not keep a reset waiting either.
    @Test func aLimitBelowTheTopDoesNotHoldAReset() throws {
        let images = try Images()
        try images.graph.add(ThrottleGroup("g", ThrottleLimits(bytes: 1000)))
        let node = try images.open(
            "driver=raw,file.driver=throttle,file.throttle-group=g,file.file.driver=null-co,file.file.size=8M")
        let backend = BlockBackend(node, name: "d"), loop = try EventLoop(clocks: Clocks())
        backend.attach(loop, under: nil)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { memory.deallocate() }
        for _ in 0..<3 { backend.submit(.read(offset: 0, [memory])) { _ in } }
        HostThread.sleep(nanoseconds: 50_000_000)
        let start = HostClock.monotonic()
        backend.cancelAll()
        #expect(HostClock.monotonic() - start < 1_500_000_000, "it would take minutes")
        images.close()
    }
}
