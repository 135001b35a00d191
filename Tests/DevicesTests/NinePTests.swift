import EventLoop
import FileShare
import HostOS
import SystemKit
import TestSupport
import Testing
import Virtio

/// A guest's side of the protocol.
private final class Client {
    let folder: String
    let session: Session
    var room = 1 << 16

    init(_ folder: String, _ security: SecurityModel = .none, isReadOnly: Bool = false) throws {
        self.folder = folder
        session = Session(try Share(ShareSpec(path: folder, security: security, isReadOnly: isReadOnly)))
        #expect(try ask(100, word(8192, 4) + text("9P2000.L")) == word(8192, 4) + text("9P2000.L"))
        #expect(try ask(104, word(0, 4) + word(0xffff_ffff, 4) + text("") + text("") + word(0, 4)).count == 13)
    }

    static func message(_ kind: UInt8, _ body: [UInt8], tag: UInt16 = 7) -> [UInt8] {
        word(UInt64(body.count + 7), 4) + [kind] + word(UInt64(tag), 2) + body
    }

    /// The answer's body; an error is thrown.
    func ask(_ kind: UInt8, _ body: [UInt8]) throws -> [UInt8] {
        let answer = try #require(session.answer(Self.message(kind, body), room: room))
        #expect(answer.count <= room && number(answer, 0, 4) == UInt64(answer.count) && number(answer, 5, 2) == 7)
        if answer[4] == 7 { throw Errno(Int32(number(answer, 7, 4))) }
        #expect(answer[4] == kind + 1)
        return Array(answer[7...])
    }

    func walk(_ from: UInt64, _ new: UInt64, _ names: String...) throws -> Int {
        let body = word(from, 4) + word(new, 4) + word(UInt64(names.count), 2) + names.flatMap(text)
        return Int(number(try ask(110, body), 0, 2))
    }
    func clunk(_ fid: UInt64) throws { _ = try ask(120, word(fid, 4)) }
    func create(_ fid: UInt64, _ name: String, mode: UInt64 = 0o644) throws {
        _ = try ask(14, word(fid, 4) + text(name) + word(2, 4) + word(mode, 4) + word(5, 4))
    }
    func write(_ fid: UInt64, _ bytes: [UInt8], at offset: UInt64 = 0) throws -> UInt64 {
        number(try ask(118, word(fid, 4) + word(offset, 8) + word(UInt64(bytes.count), 4) + bytes), 0, 4)
    }
    func read(_ fid: UInt64, _ count: UInt64, at offset: UInt64 = 0) throws -> [UInt8] {
        Array(try ask(116, word(fid, 4) + word(offset, 8) + word(count, 4))[4...])
    }
    /// mode, user, group, size
    func attributes(_ fid: UInt64) throws -> [UInt64] {
        let body = try ask(24, word(fid, 4) + word(0x7ff, 8))
        return [number(body, 21, 4), number(body, 25, 4), number(body, 29, 4), number(body, 49, 8)]
    }
    func names(_ fid: UInt64, count: UInt64 = 8000) throws -> [String] {
        var names: [String] = [], place: UInt64 = 0
        while true {
            let body = try ask(40, word(fid, 4) + word(place, 8) + word(count, 4))
            var at = 4
            if body.count == 4 { return names.sorted() }
            while at < body.count {
                place = number(body, at + 13, 8)
                let length = Int(number(body, at + 22, 2))
                names.append(String(decoding: body[(at + 24)..<(at + 24 + length)], as: UTF8.self))
                at += 24 + length
            }
        }
    }
}

private func word(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
}
private func text(_ text: String) -> [UInt8] { word(UInt64(text.utf8.count), 2) + Array(text.utf8) }
private func number(_ bytes: [UInt8], _ at: Int, _ count: Int) -> UInt64 {
    bytes[at..<at + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
}

@Suite final class NinePTests {
    private let temporary: String
    init() throws { temporary = try makeTemporaryFolder("ninep") }
    deinit { removeFolder(temporary) }

    private func content(_ name: String) -> String? {
        guard let file = try? HostNode(folder: temporary).child(name).open([]) else { return nil }
        return (try? file.read(at: 0, count: 100)).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func filesAreMadeWrittenReadAndListed() throws {
        let client = try Client(temporary)
        #expect(try client.walk(0, 1) == 0)
        try client.create(1, "file")
        #expect(try client.write(1, Array("hello".utf8)) == 5)
        #expect(try client.write(1, Array("!".utf8), at: 5) == 1)
        #expect(try client.read(1, 100, at: 1) == Array("ello!".utf8))
        #expect(content("file") == "hello!")
        #expect(try client.attributes(1)[0] == 0o100644 && client.attributes(1)[3] == 6)
        #expect(throws: Errno.exist) { try client.create(0, "file") }
        _ = try client.ask(72, word(0, 4) + text("folder") + word(0o755, 4) + word(0, 4))
        _ = try client.ask(16, word(0, 4) + text("link") + text("/etc/passwd") + word(0, 4))
        _ = try client.ask(70, word(0, 4) + word(1, 4) + text("other"))
        #expect(try client.walk(0, 2) == 0)
        _ = try client.ask(12, word(2, 4) + word(0, 4))
        let all = [".", "..", "file", "folder", "link", "other"]
        #expect(try client.names(2) == all)
        #expect(try client.names(2, count: 40) == all, "few at a time")
        #expect(throws: Errno.inval) { try client.names(2, count: 20) }
        #expect(try client.walk(0, 3, "link") == 1)
        #expect(try client.ask(22, word(3, 4)) == text("/etc/passwd"))
        #expect(throws: Errno.nxio) { try client.ask(12, word(3, 4) + word(0, 4)) }
        _ = try client.ask(74, word(0, 4) + text("other") + word(0, 4) + text("moved"))
        _ = try client.ask(76, word(0, 4) + text("moved") + word(0, 4))
        _ = try client.ask(76, word(0, 4) + text("file") + word(0, 4))
        #expect(try client.read(1, 5) == Array("hello".utf8), "a file that is open needs no name")
        #expect(try client.walk(1, 9) == 0 && client.attributes(9)[3] == 6)
        #expect(throws: Errno.notdir) { try client.ask(76, word(0, 4) + text("link") + word(0x200, 4)) }
        _ = try client.ask(76, word(0, 4) + text("folder") + word(0x200, 4))
        #expect(try client.names(2) == [".", "..", "link"])
        try client.clunk(1)
        #expect(throws: Errno.badf) { try client.clunk(1) }
    }

    @Test func attributesAreSet() throws {
        let client = try Client(temporary)
        #expect(try client.walk(0, 1) == 0)
        try client.create(1, "file")
        // mode, size and both times
        let times = word(1_000_000_000, 8) + word(5, 8) + word(2_000_000_000, 8) + word(6, 8)
        _ = try client.ask(26, word(1, 4) + word(0x1b9, 4) + word(0o4711, 4) + word(0, 8) + word(77, 8) + times)
        #expect(try client.attributes(1)[0] == 0o104711 && client.attributes(1)[3] == 77)
        let status = try HostNode(folder: temporary).child("file").status()
        #expect(status.accessed == HostNode.Time(seconds: 1_000_000_000, nanoseconds: 5))
        #expect(status.modified == HostNode.Time(seconds: 2_000_000_000, nanoseconds: 6))
        #expect(throws: Errno.inval) {
            try client.ask(
                26,
                word(1, 4) + word(0x190, 4) + word(0, 12) + word(0, 8) + word(0, 8) + word(1_000_000_000, 8)
                    + word(0, 16))
        }
    }

    /// Nothing outside of the folder is reached.
    @Test func theFolderIsNotLeft() throws {
        let client = try Client(temporary)
        #expect(try client.walk(0, 1, "..", "..", "..") == 3)
        #expect(
            try client.ask(24, word(1, 4) + word(0x7ff, 8))[8..<21]
                == client.ask(24, word(0, 4) + word(0x7ff, 8))[8..<21])
        _ = try client.ask(72, word(0, 4) + text("in") + word(0o755, 4) + word(0, 4))
        #expect(try client.walk(0, 2, "in", "..", "..") == 3)
        try client.clunk(2)
        _ = try client.ask(16, word(0, 4) + text("out") + text("/etc") + word(0, 4))
        #expect(try client.walk(0, 2, "out", "passwd") == 1, "the guest follows links, not the host")
        #expect(throws: Errno.badf) { try client.clunk(2) }
        for name in ["", ".", "..", "a/b", "/etc/passwd", "in/../../x", "a\0b"] {
            #expect(throws: Errno.inval) { try client.create(0, name) }
            #expect(throws: Errno.inval) { try client.ask(76, word(0, 4) + text(name) + word(0x200, 4)) }
            #expect(throws: Errno.inval) { try client.ask(74, word(0, 4) + text(name) + word(0, 4) + text("x")) }
            #expect(throws: Errno.inval) { try client.ask(74, word(0, 4) + text("in") + word(0, 4) + text(name)) }
        }
        #expect(throws: Errno.noent) { try client.walk(0, 2, "in/..") }
    }

    /// A folder that somebody moves out of the shared one has no parent any more.
    @Test func aFolderThatIsMovedOutLeadsNowhere() throws {
        let outside = try makeTemporaryFolder("outside")
        defer { removeFolder(outside) }
        let client = try Client(temporary)
        _ = try client.ask(72, word(0, 4) + text("a") + word(0o755, 4) + word(0, 4))
        #expect(try client.walk(0, 1, "a") == 1 && client.walk(1, 2, "..", "a", "..") == 3)
        try client.clunk(2)
        try HostNode(folder: temporary).move("a", to: HostNode(folder: outside), as: "a")
        #expect(throws: Errno.noent) { try client.walk(1, 2, "..") }
        #expect(throws: Errno.badf) { try client.clunk(2) }
    }

    @Test func attributesThatAreNotWrittenYetAreLimited() throws {
        let client = try Client(temporary)
        var count = 0
        #expect(throws: Errno.nospc) {
            for fid in 1..<100 as Range<UInt64> {
                _ = try client.walk(0, fid)
                _ = try client.ask(32, word(fid, 4) + text("user.x\(fid)") + word(0x1_0000, 8) + word(0, 4))
                count += 1
            }
        }
        #expect(count == 16)
        _ = try? client.clunk(1)
        _ = try client.ask(32, word(17, 4) + text("user.x") + word(0x1_0000, 8) + word(0, 4))
    }

    @Test func whatCannotBeWrittenIsNot() throws {
        try Client(temporary).create(0, "file")
        let client = try Client(temporary, isReadOnly: true)
        #expect(try client.walk(0, 1, "file") == 1)
        for flags in [1, 2, 0x200] as [UInt64] {
            #expect(throws: Errno.rofs) { try client.ask(12, word(1, 4) + word(flags, 4)) }
        }
        _ = try client.ask(12, word(1, 4) + word(0, 4))
        #expect(throws: Errno.rofs) { try client.write(1, [1]) }
        #expect(throws: Errno.rofs) { try client.create(0, "x") }
        #expect(throws: Errno.rofs) { try client.ask(72, word(0, 4) + text("x") + word(0o755, 4) + word(0, 4)) }
        #expect(throws: Errno.rofs) { try client.ask(76, word(0, 4) + text("file") + word(0, 4)) }
        #expect(throws: Errno.rofs) { try client.ask(26, word(1, 4) + word(1, 4) + word(0, 52)) }
    }

    /// Owners, devices and links of a guest's root are attributes of plain files.
    @Test func ownersAreMapped() throws {
        let client = try Client(temporary, .mapped)
        #expect(try client.walk(0, 1) == 0)
        try client.create(1, "file", mode: 0o4755)
        guard (try? HostNode(folder: temporary).child("file").attribute("user.virtfs.uid")) != nil else {
            return  // Not every file system has such attributes.
        }
        #expect(try client.attributes(1)[..<3] == [0o104755, 0, 5])
        _ = try client.ask(26, word(1, 4) + word(6, 4) + word(0, 4) + word(12, 4) + word(34, 4) + word(0, 40))
        #expect(try client.attributes(1)[..<3] == [0o104755, 12, 34])
        let host = try HostNode(folder: temporary).child("file").status()
        #expect(host.mode == 0o100600)
        _ = try client.ask(18, word(0, 4) + text("device") + word(0o020644, 4) + word(1, 4) + word(3, 4) + word(0, 4))
        #expect(try client.walk(0, 2, "device") == 1 && client.attributes(2)[0] == 0o020644)
        #expect(try HostNode(folder: temporary).child("device").status().mode == 0o100600)
        #expect(throws: Errno.nxio) { try client.ask(12, word(2, 4) + word(0, 4)) }
        _ = try client.ask(16, word(0, 4) + text("link") + text("file") + word(0, 4))
        #expect(try client.walk(0, 3, "link") == 1 && client.attributes(3)[0] == 0o120777)
        #expect(try client.ask(22, word(3, 4)) == text("file"))
        // The attributes themselves are not the guest's.
        #expect(number(try client.ask(30, word(1, 4) + word(4, 4) + text("")), 0, 8) == 0)
        #expect(throws: Errno.self) { try client.ask(30, word(1, 4) + word(5, 4) + text("user.virtfs.uid")) }
        #expect(try client.walk(0, 6, "file") == 1)
        #expect(throws: Errno.perm) {
            try client.ask(32, word(6, 4) + text("user.virtfs.uid") + word(4, 8) + word(0, 4))
        }
        #expect(throws: Errno.perm) {
            try client.ask(32, word(6, 4) + text("system.posix_acl_access") + word(4, 8) + word(0, 4))
        }
        _ = try client.ask(32, word(6, 4) + text("user.mine") + word(3, 8) + word(0, 4))
        #expect(try client.write(6, [1, 2]) == 2 && client.write(6, [3], at: 2) == 1)
        try client.clunk(6)
        #expect(number(try client.ask(30, word(1, 4) + word(7, 4) + text("user.mine")), 0, 8) == 3)
        #expect(try client.read(7, 10) == [1, 2, 3])
    }

    @Test func whatMakesNoSenseIsAnError() throws {
        let client = try Client(temporary)
        #expect(
            client.session.answer([1, 2, 3], room: 100) == nil
                && client.session.answer(Client.message(120, []), room: 10) == nil)
        for kind in [0, 6, 102, 255] as [UInt8] { #expect(throws: Errno.opnotsupp) { try client.ask(kind, []) } }
        #expect(throws: Errno.badf) { try client.read(77, 1) }
        #expect(throws: Errno.inval) { try client.walk(0, 0xffff_ffff) }
        #expect(throws: Errno.inval) { try client.ask(110, word(0, 4) + word(1, 4) + word(17, 2)) }
        #expect(throws: Errno.inval) { try client.ask(100, word(100, 4) + text("9P2000.L")) }
        #expect(throws: Errno.inval) { try client.walk(0, 1) }
        #expect(try client.ask(100, word(8192, 4) + text("9P2000.u")) == word(8192, 4) + text("unknown"))
    }

    @Test(.seeded(5)) func randomMessagesAreHarmless() throws {
        var random = SeededRandom(seed: Seed.current)
        let client = try Client(temporary)
        try client.create(0, "file")
        let kinds: [UInt8] = [
            8, 12, 14, 16, 18, 20, 22, 24, 26, 30, 32, 40, 50, 52, 54, 70, 72, 74, 76, 104, 108, 110, 116, 118, 120,
            122,
        ]
        var answers = 0
        for round in 0..<Rounds.count(20_000) {
            if round % 500 == 0 {
                _ =
                    try client.ask(100, word(8192, 4) + text("9P2000.L"))
                    + client.ask(104, word(0, 4) + word(0, 4) + text("") + text("") + word(0, 4))
            }
            var body = word(UInt64(random.below(4)), 4)
            for _ in 0..<random.below(5) {
                switch random.below(5) {
                case 0: body += word(random.next(), 8)
                case 1: body += word(UInt64(random.below(4)), 4)
                case 2: body += text(["file", "x", "..", "", "a/b"][random.below(5)])
                case 3: body += word(UInt64(random.below(0x1000)), 4)
                default: body += (0..<random.below(40)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                }
            }
            client.room = 11 + random.below(9000)
            var message = Client.message(kinds[random.below(kinds.count)], body)
            if random.below(10) == 0 { message[random.below(4)] = UInt8(truncatingIfNeeded: random.next()) }
            let answer = client.session.answer(message, room: client.room)
            #expect((answer?.count ?? 0) <= client.room)
            if let answer, answer[4] != 7 { answers += 1 }
            client.room = 9000
        }
        #expect(answers > 100)
    }

    @Test(arguments: [RingLayout(), RingLayout(packed: true, pci: true)])
    func theDeviceAnswersInOrder(_ layout: RingLayout) throws {
        let share = try Share(ShareSpec(path: temporary, security: .none))
        let driver = try TestDriver(layout, VirtioNineP.init, VirtioNineP.descriptor, "mount_tag=host") {
            $0.share = share
        }
        driver.start(1)
        let data = TestDriver.buffers
        var ids: [UInt16] = []
        for (index, message) in [
            Client.message(100, word(8192, 4) + text("9P2000.L")),
            Client.message(104, word(0, 4) + word(0, 4) + text("") + text("") + word(0, 4)),
            Client.message(120, word(0, 4)),
        ].enumerated() {
            let at = data + UInt64(index) * 0x1000
            #expect(driver.memory.store(at, bytes: message))
            ids.append(
                driver.offer([
                    Piece(address: at, count: UInt32(message.count)),
                    Piece(address: at + 0x800, count: 0x800, isWritten: true),
                ]))
        }
        for (id, count) in zip(ids, [21, 20, 7] as [UInt32]) { #expect(try #require(driver.used()) == (id, count)) }
        #expect(driver.memory.bytes(data + 0x1800, count: 7) == [20, 0, 0, 0, 105, 7, 0])
        #expect(!driver.needsReset)
        driver.offer([Piece(address: data, count: 3), Piece(address: data + 0x800, count: 64, isWritten: true)])
        _ = driver.used(waits: false)
        let end = HostClock.monotonic() + 5_000_000_000
        while !driver.needsReset, HostClock.monotonic() < end { driver.turn() }
        #expect(driver.needsReset)
    }
}
