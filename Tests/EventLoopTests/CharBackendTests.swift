import EventLoop
import Glibc
import HostOS
import TestSupport
import Testing

@testable import CharLayer

/// Turns the loop until something holds, for a bounded time.
private func turn(_ loop: EventLoop, until isDone: () -> Bool) -> Bool {
    let end = loop.clocks.now(.realtime) + 5_000_000_000
    let timer = loop.timer(.realtime) {}
    timer.arm(at: end)
    loop.run { isDone() || loop.clocks.now(.realtime) >= end }
    timer.disarm()
    return isDone()
}

/// A peer of the test's: what it has been sent, read without waiting.
private final class Peer {
    let file: HostStream
    private(set) var text = ""
    private var isClosed = false

    init(_ fd: Int32) { file = HostStream(owning: fd) }
    deinit { close() }

    func close() {
        if !isClosed { file.close() }
        isClosed = true
    }

    /// Connects to a socket.
    convenience init(_ address: SocketAddress) throws {
        let raw = try address.resolve(waits: false)
        let fd = try HostSocket.open(raw.family)
        _ = try HostSocket.connect(fd, raw)
        self.init(fd)
    }

    func read() -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while let count = buffer.withUnsafeMutableBytes({ try? file.read(into: $0) }), count > 0 {
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
        return text
    }

    func write(_ text: String) { writeAll(file.descriptor, text) }
}

@Suite final class StreamFormTests {
    private let loop: EventLoop
    private let front = FrontEnd()
    private let folder: TemporaryFolder

    init() throws {
        loop = try EventLoop(clocks: Clocks())
        folder = try TemporaryFolder("char")
    }

    @Test func aPseudoTerminalPassesBytesAsTheyAre() throws {
        var said: [String] = []
        let backends = CharBackends(loop, say: { said.append($0) }) {}
        let backend = try #require(try backends.make(.device(CharDevice(.pty)), label: "serial0"))
        backend.attach(front)
        let words = try #require(said.first).split(separator: " ").map(String.init)
        #expect(said == ["char device redirected to \(words[4]) (label serial0)"])
        backend.send("early\n")
        // Opened, closed and opened again: the machine does not notice.
        for round in 0..<2 {
            let peer = Peer(try HostStream.open(words[4]))
            peer.write("typed\n\u{3}")
            #expect(turn(loop) { front.text.hasSuffix("typed\n\u{3}") })
            backend.send("round\(round)\n")
            #expect(turn(loop) { peer.read().hasSuffix("round\(round)\n") })
            if round == 0 { #expect(peer.text == "early\nround0\n", "what was said before is there") }
        }
        #expect(front.events.isEmpty)
    }

    @Test func filesAreAppendedTo() throws {
        let path = folder.path + "/log"
        try writeFile(path, Array("old".utf8))
        let backends = CharBackends(loop) {}
        let backend = try #require(
            try backends.make(.device(CharDevice(.file(path: path, appends: true))), label: "a"))
        backend.send("new")
        #expect(turn(loop) { readFile(path) == Array("oldnew".utf8) })
    }

    @Test(arguments: [true, false]) func pipesGoBothWays(_ areTwo: Bool) throws {
        let path = folder.path + "/p"
        for name in areTwo ? [".in", ".out"] : [""] { try #require(mkfifo(path + name, 0o600) == 0) }
        let backend = try StreamBackend.pipe(loop, path)
        backend.attach(front)
        if areTwo {
            for round in 0..<2 {
                let input = Peer(try HostStream.open(path + ".in")), output = Peer(try HostStream.open(path + ".out"))
                input.write("in\(round)")
                backend.send("out\(round)")
                #expect(turn(loop) { front.text.hasSuffix("in\(round)") && output.read() == "out\(round)" })
            }
        } else {
            Peer(try HostStream.open(path)).write("in")
            #expect(turn(loop) { front.text == "in" })
        }
        #expect(front.events.isEmpty, "that a peer goes is no end")
    }

    @Test func whatCannotBeOpenedIsOneLine() throws {
        let backends = CharBackends(loop) {}
        for (kind, name) in [
            (CharDevice.Kind.file(path: "/nowhere/a", appends: false), "/nowhere/a"),
            (.pipe(path: "/nowhere/b"), "/nowhere/b"),
            (.serial(path: "/nowhere/c"), "/nowhere/c"),
            (.socket(SocketOptions(.unix("/nowhere/d"))), "unix:/nowhere/d"),
        ] {
            #expect(throws: CharSpecError.cannotOpen(name, reason: "No such file or directory")) {
                try backends.make(.device(CharDevice(kind)), label: "a")
            }
        }
        #expect(throws: CharSpecError.cannotOpen("/dev/null", reason: Errno.notty.message)) {
            try backends.make(.device(CharDevice(.serial(path: "/dev/null"))), label: "a")
        }
        #expect(try backends.make(.none, label: "a") == nil)
    }

    @Test func aLogKeepsWhatIsSaid() throws {
        let backends = CharBackends(loop) {}
        var device = CharDevice(.file(path: folder.path + "/out", appends: false))
        device.logFile = folder.path + "/log"
        try backends.add("a", device)
        let backend = try #require(try backends.make(.named("a"), label: "serial0"))
        backend.send("said")
        #expect(turn(loop) { readFile(folder.path + "/log") == Array("said".utf8) })
        #expect(readFile(folder.path + "/out") == Array("said".utf8))
    }
}

@Suite final class SocketBackendTests {
    private let loop: EventLoop
    private let front = FrontEnd()
    private let folder: TemporaryFolder

    init() throws {
        loop = try EventLoop(clocks: Clocks())
        folder = try TemporaryFolder("socket")
        ignoreVanishedReaders()
    }

    private func server(_ address: SocketAddress, waits: Bool = false) throws -> SocketBackend {
        var options = SocketOptions(address)
        options.isServer = true
        options.waits = waits
        let backend = try SocketBackend(loop, options)
        backend.attach(front)
        return backend
    }

    @Test(arguments: [true, false]) func oneClientFollowsAnother(_ isUnix: Bool) throws {
        let backend = try server(isUnix ? .unix(folder.path + "/s") : .inet(host: "127.0.0.1", port: "0"))
        let address =
            isUnix
            ? SocketAddress.unix(folder.path + "/s") : .inet(host: "127.0.0.1", port: "\(try #require(backend.port))")
        backend.send("lost: nobody is there")
        for round in 0..<3 {
            let peer = try Peer(address)
            #expect(turn(loop) { backend.isOpen })
            peer.write("to \(round)")
            backend.send("from \(round)")
            #expect(turn(loop) { front.text.hasSuffix("to \(round)") && peer.read() == "from \(round)" })
            peer.close()
            #expect(turn(loop) { !backend.isOpen })
        }
        #expect(front.events == Array(repeating: [.connected, .disconnected], count: 3).flatMap { $0 })
    }

    @Test func theMachineWaitsForItsPeer() throws {
        let address = SocketAddress.unix(folder.path + "/s")
        let backend = try server(address, waits: true)
        #expect(backend.awaited == "unix:\(folder.path)/s")
        let peer = try Peer(address)
        #expect(turn(loop) { backend.awaited == nil })
        withExtendedLifetime(peer) {}
    }

    @Test func aSocketThatWasLeftBehindIsNotInTheWay() throws {
        let address = SocketAddress.unix(folder.path + "/s")
        HostFile.close(try HostSocket.listen(try address.resolve(waits: true)))
        do {
            let backend = try server(address)
            // One that is in use is.
            #expect(throws: CharSpecError.self) { try server(address) }
            withExtendedLifetime(backend) {}
        }
        #expect(folder.files.isEmpty, "it is removed in the end")
        try writeFile(folder.path + "/s", Array("a file".utf8))
        #expect(throws: CharSpecError.cannotOpen("unix:\(folder.path)/s", reason: "Address already in use")) {
            try server(address)
        }
        #expect(readFile(folder.path + "/s") == Array("a file".utf8))
    }

    @Test func aClientTriesAgainUntilItIsHeardAndAfterItsServerHasGone() throws {
        let address = SocketAddress.unix(folder.path + "/s")
        var options = SocketOptions(address)
        options.reconnects = 20
        let backend = try SocketBackend(loop, options)
        backend.attach(front)
        for round in 0..<2 {
            let begin = loop.clocks.now(.realtime)
            var turns = 0
            loop.run {
                turns += 1
                return loop.clocks.now(.realtime) > begin + 100_000_000 || turns > 100
            }
            #expect(turns < 30, "it sleeps meanwhile")
            #expect(!backend.isOpen)
            let listener = try HostSocket.listen(try address.resolve(waits: true))
            #expect(turn(loop) { backend.isOpen })
            let peer = Peer(try #require(HostSocket.accept(listener)))
            backend.send("round \(round)")
            #expect(turn(loop) { peer.read() == "round \(round)" })
            HostFile.close(listener)
            unlink(folder.path + "/s")
            peer.close()
            #expect(turn(loop) { !backend.isOpen })
        }
        #expect(front.events == [.connected, .disconnected, .connected, .disconnected])
    }

    @Test func aClientThatDoesNotTryAgainComesToItsEnd() throws {
        let address = SocketAddress.unix(folder.path + "/s")
        #expect(throws: CharSpecError.self) { try SocketBackend(loop, SocketOptions(address)) }
        let listener = try HostSocket.listen(try address.resolve(waits: true))
        defer { HostFile.close(listener) }
        let backend = try SocketBackend(loop, SocketOptions(address))
        backend.attach(front)
        #expect(backend.isOpen)
        HostFile.close(try #require(HostSocket.accept(listener)))
        #expect(turn(loop) { front.events == [.ended] })
        for _ in 0..<3_000_000 where !backend.send(65) { Issue.record("refused") }
    }

    /// Its queue is full, the front end waits for room, and the peer goes away: the front end is told.
    @Test func aPeerThatReadsNothingAndVanishesStopsNobody() throws {
        let address = SocketAddress.unix(folder.path + "/s")
        let backend = try server(address)
        let peer = try Peer(address)
        #expect(turn(loop) { backend.isOpen })
        var sent = 0
        while backend.send(65), sent < 8 << 20 {
            sent += 1
            if sent % 100_000 == 0 { loop.turn(waits: false) }
        }
        #expect(sent < 4 << 20, "then it says that there is no room")
        peer.close()
        let rooms = front.rooms
        #expect(turn(loop) { front.rooms > rooms && !backend.isOpen })
        #expect(backend.send(65))
    }

    @Test func aFloodIsTakenAtTheGuestsPace() throws {
        let address = SocketAddress.unix(folder.path + "/s")
        let backend = try server(address)
        front.room = 16
        let peer = try Peer(address)
        #expect(turn(loop) { backend.isOpen })
        let flood = [UInt8](repeating: 66, count: 1 << 20)
        let taken = try flood.withUnsafeBytes { try peer.file.write($0) }
        for _ in 0..<100 { loop.turn(waits: false) }
        #expect(front.received.count == 16 && taken < flood.count, "the rest waits at its sender")
        front.room = .max
        backend.inputHasRoom()
        #expect(turn(loop) { front.received.count == taken })
    }

    @Test func datagramsGoBothWays() throws {
        let address = try SocketAddress.inet(host: "127.0.0.1", port: "0").resolve(waits: true, datagrams: true)
        let fd = try HostSocket.open(AF_INET, datagrams: true)
        try HostSocket.bind(fd, address)
        var name = sockaddr_in(), size = socklen_t(MemoryLayout<sockaddr_in>.size)
        func ask(_ call: (UnsafeMutablePointer<sockaddr>) -> Int32) -> Int32 {
            withUnsafeMutablePointer(to: &name) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, call) }
        }
        try #require(ask { getsockname(fd, $0, &size) } == 0)
        let port = UInt16(bigEndian: name.sin_port)
        let backend = try DatagramBackend(loop, remote: .inet(host: "127.0.0.1", port: "\(port)"), local: nil)
        front.room = 3
        backend.attach(front)
        backend.send("hello")
        loop.turn(waits: false)
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = ask { Int32(recvfrom(fd, &buffer, 100, 0, $0, &size)) }
        #expect(String(decoding: buffer.prefix(Int(max(0, count))), as: UTF8.self) == "hello")
        // A datagram that the front end takes in parts is lost in none.
        #expect(ask { Int32(sendto(fd, "answer", 6, 0, $0, size)) } == 6)
        #expect(turn(loop) { front.text == "ans" })
        front.room = 100
        backend.inputHasRoom()
        #expect(turn(loop) { front.text == "answer" })
        // Nobody is there any more: the kernel says so, and it is no matter.
        HostFile.close(fd)
        for _ in 0..<3 {
            backend.send("gone")
            loop.turn(waits: false)
        }
        #expect(front.events.isEmpty)
    }
}
