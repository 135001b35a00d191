// NBD: the client and the server with each other, and each of them with somebody who means harm.

import EventLoop
import HostOS
import Options
import TestSupport
import Testing

@testable import BlockLayer

/// A server's session on one end of a connection, and a client's image on the other.
private final class Pair {
    let folder: TemporaryFolder
    let below: any BlockImage
    let image: NBDImage

    init(qcow2: Bool, size: Int, isReadOnly: Bool = false) throws {
        folder = try TemporaryFolder("nbd")
        let path = folder.path + "/disk"
        if qcow2 {
            try QCOW2Image.create(BlockFile.create(path), QCOW2Creation(size: UInt64(size)))
        } else {
            try BlockFile.create(path).truncate(to: UInt64(size))
        }
        below = try openImage(path, ImageOptions(format: qcow2 ? "qcow2" : "raw"))
        let (server, client) = try HostConnection.pair()
        let exports = [NBDExport(name: "", image: below, isReadOnly: isReadOnly, description: "a test")]
        try HostThread.start { NBDSession.run(server, exports) }
        image = try NBDImage(client, "", name: "test", isReadOnly: isReadOnly)
    }
}

/// Bytes that a side says, whatever the other one does.
private func scripted(_ bytes: [UInt8], to peer: HostConnection) {
    bytes.withUnsafeBytes { try? peer.write($0, nanoseconds: 1_000_000_000) }
}

@Suite struct NBDTests {
    @Test(.seeded(51), arguments: [false, true])
    func randomRequestsDoWhatTheyDoToAnArray(qcow2: Bool) throws {
        let pair = try Pair(qcow2: qcow2, size: 1 << 20)
        var random = SeededRandom(seed: Seed.current), model = [UInt8](repeating: 0, count: 1 << 20)
        #expect(pair.image.size == 1 << 20 && !pair.image.isReadOnly)
        for _ in 0..<Rounds.count(300) {
            let offset = random.below(model.count), count = random.below(min(100_000, model.count - offset) + 1)
            let range = offset..<offset + count
            switch random.below(6) {
            case 0:
                try pair.image.writeZeroes(at: UInt64(offset), count: UInt64(count), mayUnmap: random.below(2) == 0)
                model.replaceSubrange(range, with: Array(repeating: 0, count: count))
            case 1:
                try pair.image.discard(at: UInt64(offset), count: UInt64(count))
                model.replaceSubrange(range, with: try pair.below.bytes(UInt64(offset), count))
            case 2:
                let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: random.next()), count: count)
                try pair.image.write(bytes, at: UInt64(offset))
                model.replaceSubrange(range, with: bytes)
            case 3 where count > 0:
                let extent = try pair.image.status(at: UInt64(offset), count: UInt64(count))
                #expect(extent.count > 0 && extent.count <= UInt64(count))
                let isZero = model[offset..<offset + Int(extent.count)].allSatisfy { $0 == 0 }
                #expect(!extent.isZero || isZero)
            case 4: try pair.image.flush()
            default:
                let isSame = try pair.image.bytes(UInt64(offset), count) == Array(model[range])
                #expect(isSame)
            }
        }
        let whole = try pair.image.bytes(0, model.count) == model
        #expect(whole)
        try pair.image.close()
        try pair.below.close()
    }

    @Test func whatMayNotBeDoneIsRefusedAndTheConnectionStays() throws {
        let pair = try Pair(qcow2: false, size: 8192, isReadOnly: true)
        #expect(pair.image.isReadOnly)
        for body in [
            { try pair.image.write([1], at: 0) }, { try pair.image.discard(at: 0, count: 1) },
            { _ = try pair.image.bytes(8192, 1) }, { try pair.image.resize(to: 1) },
        ] { #expect(throws: BlockError.self) { try body() } }
        let bytes = try pair.image.bytes(0, 8192)
        #expect(bytes.allSatisfy { $0 == 0 })
        try pair.image.close()
    }

    @Test func exportsHaveNamesAndClientsAreServedTogether() throws {
        let folder = try TemporaryFolder("nbd"), image = NullImage(NullSpec(), isReadOnly: false)
        let place = NBDAddress.Place.unix(folder.path + "/socket")
        let server = try NBDServer(
            [
                NBDExport(name: "a", image: image, isReadOnly: true),
                NBDExport(name: "b b", image: image, isReadOnly: false),
            ],
            at: NBDAddress(place), mostClients: 0)
        let word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        word.initialize(to: 0)
        nonisolated(unsafe) let ended = word
        try HostThread.start {
            server.run(persists: true)
            publishWord(ended, 1)
        }
        let b = try openImage("nbd+unix:///b%20b?socket=" + folder.path + "/socket", ImageOptions(format: "raw"))
        let a = try openImage(
            "nbd:unix:\(folder.path)/socket:exportname=a", ImageOptions(format: "raw", isReadOnly: true))
        #expect(a.size == 1 << 30 && b.size == 1 << 30 && a.isReadOnly && !b.isReadOnly)
        #expect(throws: BlockError.self) { try openImage("nbd:unix:\(folder.path)/socket:exportname=c") }
        #expect(throws: BlockError.self) { try openImage("nbd:unix:\(folder.path)/socket:exportname=a") }
        let graph = BlockGraph()
        let node = try graph.open(
            try BlockSpec(
                parsing:
                    "raw,file.driver=nbd,file.server.type=unix,file.server.path=\(folder.path)/socket,file.export=b b"))
        try node.write([1, 2, 3], at: 5)
        graph.close { Issue.record("\($0)") }
        try b.close()
        // Whoever is still there is left.
        server.end()
        let end = HostClock.monotonic() + 10_000_000_000
        while publishedWord(word) == 0, HostClock.monotonic() < end { HostThread.sleep(nanoseconds: 1_000_000) }
        #expect(publishedWord(word) == 1)
        #expect(throws: BlockError.self) { try a.bytes(0, 1) }
        #expect(throws: BlockError.self) { try a.bytes(0, 1) }
    }

    // MARK: Several requests, and servers that go

    /// A disk whose requests wait until they are told to go on, and that knows how many there are together.
    private final class SlowImage: FilterImage, @unchecked Sendable {
        private let lock = Lock()
        private var together = 0, mostNow = 0
        var most: Int { lock.withLock { mostNow } }
        let gate = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

        init(isOpen: Bool) {
            gate.initialize(to: isOpen ? 1 : 0)
            super.init(NullImage(NullSpec(), isReadOnly: false))
        }

        override func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
            lock.withLock {
                together += 1
                mostNow = max(mostNow, together)
            }
            defer { lock.withLock { together -= 1 } }
            let end = HostClock.monotonic() + 20_000_000_000
            while publishedWord(gate) == 0, HostClock.monotonic() < end { HostThread.sleep(nanoseconds: 1_000_000) }
            for buffer in buffers { buffer.initializeMemory(as: UInt8.self, repeating: UInt8(offset >> 12 & 0xff)) }
        }

        func open() { publishWord(gate, 1) }
    }

    @Test func requestsOfOneConnectionAreDoneTogether() throws {
        let slow = SlowImage(isOpen: false), (server, client) = try HostConnection.pair()
        try HostThread.start { NBDSession.run(server, [NBDExport(name: "", image: slow, isReadOnly: false)]) }
        let image = try NBDImage(client, "", name: "test", isReadOnly: false)
        let count = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        count.initialize(to: 0)
        nonisolated(unsafe) let done = count
        let lock = Lock()
        for index in 0..<6 as Range<UInt64> {
            try HostThread.start {
                let bytes = try? image.bytes(index << 12, 4096)
                #expect(bytes?.allSatisfy { $0 == UInt8(index) } == true)
                lock.withLock { publishWord(done, done.pointee + 1) }
            }
        }
        let end = HostClock.monotonic() + 10_000_000_000
        while slow.most < 6, HostClock.monotonic() < end { HostThread.sleep(nanoseconds: 1_000_000) }
        #expect(slow.most == 6 && publishedWord(done) == 0)
        slow.open()
        while publishedWord(done) < 6, HostClock.monotonic() < end { HostThread.sleep(nanoseconds: 1_000_000) }
        #expect(publishedWord(done) == 6)
        try image.close()
    }

    @Test(.seeded(54)) func randomRequestsOfManyThreadsDoWhatTheyDoToAnArray() throws {
        let size = 1 << 20, threads = 6, part = size / threads
        let pair = try Pair(qcow2: true, size: size), image = pair.image, seed = Seed.current
        let count = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        count.initialize(to: 0)
        nonisolated(unsafe) let done = count
        let lock = Lock()
        for index in 0..<threads {
            try HostThread.start {
                var random = SeededRandom(seed: seed &+ UInt64(index)), model = [UInt8](repeating: 0, count: part)
                do {
                    for _ in 0..<Rounds.count(100) {
                        let at = random.below(part), length = 1 + random.below(part - at), range = at..<at + length
                        let place = UInt64(index * part + at)
                        if random.below(2) == 0 {
                            let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: random.next()), count: length)
                            try image.write(bytes, at: place)
                            model.replaceSubrange(range, with: bytes)
                        } else {
                            let seen = try image.bytes(place, length)
                            #expect(seen == Array(model[range]), "MARTLET_SEED=\(seed)")
                        }
                    }
                } catch { Issue.record("\(error)") }
                lock.withLock { publishWord(done, done.pointee + 1) }
            }
        }
        let end = HostClock.monotonic() + 60_000_000_000
        while publishedWord(done) < UInt32(threads), HostClock.monotonic() < end {
            HostThread.sleep(nanoseconds: 1_000_000)
        }
        #expect(publishedWord(done) == UInt32(threads))
        try image.close()
        try pair.below.close()
    }

    /// A server of an image, until it is ended.
    private final class Served: @unchecked Sendable {
        let server: NBDServer
        private let ended = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

        init(_ image: any BlockImage, _ path: String) throws {
            ended.initialize(to: 0)
            server = try NBDServer(
                [NBDExport(name: "", image: image, isReadOnly: false)], at: NBDAddress(.unix(path)), mostClients: 0)
            try HostThread.start { [self] in
                server.run(persists: true)
                publishWord(ended, 1)
            }
        }

        func end() {
            server.end()
            let time = HostClock.monotonic() + 25_000_000_000
            while publishedWord(ended) == 0, HostClock.monotonic() < time { HostThread.sleep(nanoseconds: 1_000_000) }
            #expect(publishedWord(ended) == 1)
        }
    }

    @Test func aServerThatComesBackIsAskedAgain() throws {
        let folder = try TemporaryFolder("nbd"), path = folder.path + "/s"
        let graph = BlockGraph()
        func open(_ name: String, _ more: String) throws -> BlockNode {
            try graph.open(
                try BlockSpec(parsing: "driver=nbd,node-name=\(name),server.type=unix,server.path=\(path)\(more)"))
        }
        #expect(throws: BlockError.self) { try open("none", "") }
        var served = try Served(SlowImage(isOpen: true), path)
        let patient = try open("patient", ",reconnect-delay=20"), other = try open("other", "")
        #expect(try patient.bytes(4096, 1) == [1] && other.bytes(4096, 1) == [1])
        served.end()
        #expect(throws: BlockError.self) { try other.bytes(4096, 1) }
        nonisolated(unsafe) let begin = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        begin.initialize(to: 0)
        try HostThread.start {
            let bytes = try? patient.bytes(8192, 1)
            publishWord(begin, bytes == [2] ? 1 : 2)
        }
        HostThread.sleep(nanoseconds: 300_000_000)
        #expect(publishedWord(begin) == 0, "it waits")
        served = try Served(SlowImage(isOpen: true), path)
        for _ in 0..<2000 where publishedWord(begin) == 0 { HostThread.sleep(nanoseconds: 5_000_000) }
        #expect(publishedWord(begin) == 1)
        #expect(throws: BlockError.self) { try other.bytes(4096, 1) }
        graph.close { _ in }
        served.end()
    }

    @Test func aServerThatIsLateIsWaitedFor() throws {
        let folder = try TemporaryFolder("nbd"), path = folder.path + "/s"
        nonisolated(unsafe) var served: Served?
        try HostThread.start {
            HostThread.sleep(nanoseconds: 400_000_000)
            served = try? Served(SlowImage(isOpen: true), path)
        }
        let graph = BlockGraph()
        let node = try graph.open(
            try BlockSpec(parsing: "driver=nbd,server.type=unix,server.path=\(path),open-timeout=20"))
        #expect(try node.bytes(4096, 1) == [1])
        graph.close { Issue.record("\($0)") }
        served?.end()
    }

    /// A server that does not answer keeps neither a reset nor the machine's end; what comes after a reset is asked anew.
    @Test func aServerThatHangsDoesNotHoldAReset() throws {
        let folder = try TemporaryFolder("nbd"), path = folder.path + "/s", slow = SlowImage(isOpen: false)
        let served = try Served(slow, path), graph = BlockGraph()
        let node = try graph.open(
            try BlockSpec(parsing: "driver=raw,file.driver=nbd,file.server.type=unix,file.server.path=\(path)"))
        let backend = BlockBackend(node, name: "d"), loop = try EventLoop(clocks: Clocks())
        backend.attach(loop, under: nil)
        backend.resetPatience = 50_000_000
        backend.longestWait = 50_000_000
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
        defer { memory.deallocate() }
        for wait in [{ backend.cancelAll() }, { backend.finishAll() }, { try? backend.paused {} }] {
            for _ in 0..<3 { backend.submit(.read(offset: 4096, [memory])) { _ in } }
            HostThread.sleep(nanoseconds: 50_000_000)
            let start = HostClock.monotonic()
            wait()
            #expect(HostClock.monotonic() - start < 5_000_000_000)
        }
        slow.open()
        #expect(try node.bytes(4096, 1) == [1])
        graph.close { Issue.record("\($0)") }
        served.end()
    }

    @Test(arguments: [
        ("nbd://h/e", NBDAddress(.inet(host: "h", port: "10809"), export: "e")),
        ("nbd://[::1]:5/a%2fb", NBDAddress(.inet(host: "::1", port: "5"), export: "a/b")),
        ("nbd://h:1", NBDAddress(.inet(host: "h", port: "1"))),
        ("nbd+unix:///?socket=/a%20b", NBDAddress(.unix("/a b"))), ("nbd:unix:/a", NBDAddress(.unix("/a"))),
        ("nbd+unix:///e?socket=/a", NBDAddress(.unix("/a"), export: "e")),
        ("nbd:h:5:exportname=e:f", NBDAddress(.inet(host: "h", port: "5"), export: "e:f")),
    ])
    func namesAreUnderstood(_ name: String, _ wanted: NBDAddress) throws {
        #expect(try NBDAddress(name: name) == wanted)
    }

    @Test(arguments: [
        "nbd:", "nbd://", "nbd:///e", "nbd:h", "nbd:unix:", "nbd+unix:///e", "nbd+unix://h/e?socket=/a", "nbds://h/e",
        "nbd+unix:///%zz?socket=/a", "nbd://h/%4", "nbd://:5/e", "nbd://h:/e", "nbd+unix:///e?socket=",
    ])
    func otherNamesAreRefused(_ name: String) {
        #expect(throws: OptionError.self) { try NBDAddress(name: name) }
    }

    // MARK: Those who mean harm

    /// What a client says in a session: options, then requests.
    private static func session(_ random: inout SeededRandom) -> [UInt8] {
        var bytes = BigEndianWriter()
        bytes.word(3)
        func option(_ number: UInt32, _ body: [UInt8]) {
            bytes.long(NBD.optionMagic)
            bytes.word(number)
            bytes.word(UInt32(body.count))
            bytes.bytes(body)
        }
        for _ in 0..<random.below(6) {
            option(UInt32(random.below(12)), (0..<random.below(30)).map { _ in UInt8(random.below(3)) })
        }
        option(8, [])
        option(10, [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 15] + Array(NBD.context.utf8))
        option(7, [0, 0, 0, 0, 0, 0])
        for _ in 0..<20 {
            let command = UInt16([0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 7, 9][random.below(12)])
            let count = [0, 1, 512, 5000, 70_000, 1 << 25, Int(UInt32.max)][random.below(7)]
            bytes.word(NBD.requestMagic)
            bytes.half(UInt16(random.below(16)))
            bytes.half(command)
            bytes.long(random.next())
            bytes.long([0, 1, 4096, 65536, UInt64.max, 1 << 63][random.below(6)])
            bytes.word(UInt32(count))
            if command == 1 { bytes.bytes(Array(repeating: 7, count: min(count, 5000))) }
        }
        return bytes.all
    }

    private static func damage(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        for _ in 0..<random.below(4) where !bytes.isEmpty {
            bytes[random.below(bytes.count)] = [0, 1, 0x7f, 0x80, 0xff, UInt8(random.below(256))][random.below(6)]
        }
        if random.below(4) == 0 { bytes.removeLast(random.below(bytes.count)) }
    }

    @Test(.seeded(52)) func randomClientsDoTheServerNoHarm() throws {
        let folder = try TemporaryFolder("nbd"), path = folder.path + "/disk"
        try QCOW2Image.create(BlockFile.create(path), QCOW2Creation(size: 128 << 10))
        let image = try openImage(path)
        var random = SeededRandom(seed: Seed.current)
        for _ in 0..<Rounds.count(150) {
            var bytes = Self.session(&random)
            Self.damage(&bytes, &random)
            let (server, client) = try HostConnection.pair()
            // Its answers go nowhere, and then it is gone.
            let reader = client
            let said = bytes
            try HostThread.start {
                scripted(said, to: reader)
                reader.shutDown()
            }
            try HostThread.start {
                var byte: [UInt8] = [0]
                while byte.withUnsafeMutableBytes({ (try? reader.read(into: $0, nanoseconds: 2_000_000_000)) != nil }) {
                }
            }
            NBDSession.run(server, [NBDExport(name: "", image: image, isReadOnly: false)], patience: 2_000_000_000)
        }
        let result = try #require(image as? QCOW2Image).check(.nothing) { _ in }
        #expect(result.corruptions == 0)
        try image.close()
    }

    /// What a server says to a client that reads the disk and asks where data is.
    private static func answers(_ random: inout SeededRandom) -> [UInt8] {
        var bytes = BigEndianWriter()
        bytes.long(NBD.magic)
        bytes.long(NBD.optionMagic)
        bytes.half(3)
        func answer(_ option: UInt32, _ type: UInt32, _ body: [UInt8] = []) {
            bytes.long(NBD.optionReplyMagic)
            bytes.word(option)
            bytes.word(type)
            bytes.word(UInt32(body.count))
            bytes.bytes(body)
        }
        answer(8, random.below(8) == 0 ? NBD.Answer.unsupported : NBD.Answer.ack)
        answer(10, NBD.Answer.metaContext, [0, 0, 0, 1] + Array(NBD.context.utf8))
        answer(10, NBD.Answer.ack)
        answer(7, NBD.Answer.info, [0, 0] + [0, 0, 0, 0, 0, 2, 0, 0] + [0, 0x6d])
        answer(7, NBD.Answer.ack)
        for cookie in 1...6 as ClosedRange<UInt64> {
            for _ in 0..<random.below(4) {
                bytes.word(NBD.structuredMagic)
                bytes.half(UInt16(random.below(4) == 0 ? 1 : 0))
                let type = [0, 1, 1, 2, 2, 5, 1 << 15 | 1, 1 << 15 | 2, 77][random.below(9)]
                bytes.half(UInt16(type))
                bytes.long(cookie)
                let count = type == 2 ? 12 : type == 5 ? 12 : type == 1 ? 8 + random.below(5000) : 6
                bytes.word(UInt32(count))
                bytes.long(UInt64(random.below(3) * 4096))
                bytes.bytes(Array(repeating: 5, count: max(0, count - 8)))
            }
            if random.below(3) == 0 {
                bytes.word(NBD.replyMagic)
                bytes.word(0)
                bytes.long(cookie)
                bytes.bytes(Array(repeating: 6, count: 8192))
            }
        }
        return bytes.all
    }

    @Test(.seeded(53)) func randomServersDoTheClientNoHarm() throws {
        var random = SeededRandom(seed: Seed.current), opened = 0
        for _ in 0..<Rounds.count(300) {
            var bytes = Self.answers(&random)
            if random.below(3) > 0 { Self.damage(&bytes, &random) }
            let (server, client) = try HostConnection.pair()
            let said = bytes
            try HostThread.start {
                scripted(said, to: server)
                // It listens, and says nothing more.
                var byte: [UInt8] = [0]
                while byte.withUnsafeMutableBytes({ (try? server.read(into: $0, nanoseconds: 50_000_000)) != nil }) {}
                server.shutDown()
            }
            guard let image = try? NBDImage(client, "", name: "test", isReadOnly: false, patience: 2_000_000_000) else {
                continue
            }
            opened += 1
            for index in 0..<6 as Range<UInt64> {
                if index % 2 == 0 { _ = try? image.bytes(index * 1024, 8192) }
                if let extent = try? image.status(at: 0, count: 8192) {
                    #expect(extent.count > 0 && extent.count <= 8192)
                }
            }
            try? image.close()
        }
        #expect(opened > 20, "some come through the handshake")
    }

    @Test(arguments: [
        ([UInt8](repeating: 0, count: 200), "no NBD server"),
        ([0x4e, 0x42, 0x44, 0x4d, 0x41, 0x47, 0x49, 0x43, 0, 0, 0x42, 2, 0x81, 0x86, 0x12, 0x53], "old style"),
        (
            [0x4e, 0x42, 0x44, 0x4d, 0x41, 0x47, 0x49, 0x43, 0x49, 0x48, 0x41, 0x56, 0x45, 0x4f, 0x50, 0x54, 0, 0],
            "plain new"
        ),
        (
            [
                0x4e, 0x42, 0x44, 0x4d, 0x41, 0x47, 0x49, 0x43, 0x49, 0x48, 0x41, 0x56, 0x45, 0x4f, 0x50, 0x54, 0, 3,
                0, 3, 0xe8, 0x89, 4, 0x55, 0x65, 0xa9, 0, 0, 0, 8, 0x80, 0, 0, 5, 0, 0, 0, 2, 0x61, 0x62,
            ], "TLS, which is not supported: ab"
        ), ([], "gone"),
    ])
    func aServerOfAnotherKindIsNamed(_ bytes: [UInt8], _ mention: String) throws {
        let (server, client) = try HostConnection.pair()
        scripted(bytes, to: server)
        if bytes.isEmpty { server.shutDown() }
        do throws(BlockError) {
            _ = try NBDImage(client, "", name: "test", isReadOnly: true)
            Issue.record("taken")
        } catch { #expect(error.description.contains(mention), "\(error)") }
    }
}
