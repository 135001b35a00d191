import CharLayer
import EventLoop
import Glibc
import HostOS
import NetLayer
import SystemKit
import TestSupport
import Testing

/// A card that remembers what comes.
private final class TestCard: NetCard {
    let name = "card", summary = "type=nic"
    func linkHasChanged() {}
    var frames: [[UInt8]] = []
    func receive(_ frame: UnsafeRawBufferPointer, queue: Int) { frames.append(Array(frame)) }
}

/// One end of a cable, in a loop that the test turns.
private final class End {
    let card = TestCard()
    let network: NetBackend
    private let board: Board

    init(_ network: NetBackend, _ board: Board) throws {
        self.network = network
        self.board = board
        network.attach(card)
        try network.start(board.loop, under: board.domain.lock)
    }

    func send(_ frames: [[UInt8]]) {
        board.domain.lock.withLock {
            for frame in frames { frame.withUnsafeBytes { network.transmit($0) } }
            network.hasSent()
        }
    }
}

private func frame(_ seed: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ seed) }
}

@Suite struct NetworkTests {
    private let board: Board
    private let folder: String

    init() throws {
        board = try TestMachine().board
        folder = try makeTemporaryFolder("net")
    }

    /// Turns the loop until something is so, for 5 seconds at most.
    private func wait(_ isSo: () -> Bool) -> Bool {
        let end = HostClock.monotonic() + 5_000_000_000
        while !isSo() {
            if HostClock.monotonic() > end { return false }
            board.loop.turn(waits: false)
        }
        return true
    }

    private func stream(_ address: SocketAddress, isServer: Bool, reconnects: UInt64? = nil) throws -> End {
        var options = SocketOptions(address)
        options.isServer = isServer
        options.reconnects = reconnects
        return try End(StreamNetwork(name: "n", .socket(options)), board)
    }

    private func server() throws -> (End, SocketAddress) {
        let address = SocketAddress.unix("\(folder)/socket")
        return (try stream(address, isServer: true), address)
    }

    /// A peer that is no machine, connected and seen.
    private func peer(of server: End, _ address: SocketAddress) throws -> HostStream {
        let name = try address.resolve(waits: false), fd = try HostSocket.open(name.family)
        #expect(try HostSocket.connect(fd, name))
        #expect(wait { server.network.summary.hasSuffix("connected") })
        return HostStream(owning: fd)
    }

    private func write(_ bytes: [UInt8], to peer: HostStream) throws {
        let count = try bytes.withUnsafeBytes { try peer.write($0) }
        #expect(count == bytes.count)
    }

    /// What has come; nil: the end.
    private func read(_ peer: HostStream) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        do throws(Errno) {
            let count = try bytes.withUnsafeMutableBytes { buffer in
                Result { () throws(Errno) in try peer.read(into: buffer) }
            }.get()
            return count == 0 ? nil : Array(bytes[..<count])
        } catch { return error == .again ? [] : nil }
    }

    // MARK: streams

    @Test(arguments: [false, true]) func twoMachinesReachEachOther(_ overTCP: Bool) throws {
        let server = overTCP ? try stream(.inet(host: "127.0.0.1", port: "0"), isServer: true) : try self.server().0
        let address =
            overTCP
            ? SocketAddress.inet(host: "127.0.0.1", port: "\((server.network as? StreamNetwork)?.port ?? 0)")
            : SocketAddress.unix("\(folder)/socket")
        let client = try stream(address, isServer: false)
        #expect(wait { server.network.summary.hasSuffix("connected") })
        let out = (0..<500).map { frame($0, 60 + $0 * 2) }, back = [frame(1, 1518), frame(2, 60)]
        client.send(out)
        server.send(back)
        #expect(wait { server.card.frames.count >= 500 && client.card.frames.count >= 2 })
        #expect(server.card.frames == out && client.card.frames == back)
    }

    @Test func framesHaveTheirLengthBeforeThem() throws {
        let (server, address) = try server()
        server.send([frame(0, 60)])
        let peer = try peer(of: server, address)
        defer { peer.close() }
        server.send([frame(1, 60), frame(2, 0x123)])
        let wanted: [UInt8] = [0, 0, 0, 60] + frame(1, 60) + [0, 0, 1, 0x23] + frame(2, 0x123)
        #expect(read(peer) == wanted, "and none of before")
        let first: [UInt8] = [0, 0, 0, 62] + frame(3, 62), last: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 64] + frame(4, 64)
        let bytes = first + last
        for byte in bytes {
            try write([byte], to: peer)
            board.loop.turn(waits: false)
        }
        #expect(wait { server.card.frames.count >= 3 })
        #expect(server.card.frames == [frame(3, 62), [], frame(4, 64)])
    }

    @Test func aPeerThatSendsNoFramesIsSentAway() throws {
        let (server, address) = try server()
        for length in [[0xff, 0xff, 0xff, 0xff], [0, 1, 0x10, 1]] as [[UInt8]] {
            let peer = try peer(of: server, address)
            try write(length, to: peer)
            #expect(wait { read(peer) == nil }, "the connection has ended")
            peer.close()
        }
        let next = try peer(of: server, address)
        try write([0, 0, 0, 1, 9], to: next)
        #expect(wait { server.card.frames == [[9]] }, "and the next one is heard")
        next.close()
    }

    @Test func ofAPeerThatVanishesNothingIsLeft() throws {
        let (server, address) = try server()
        let peer = try peer(of: server, address)
        try write([0, 0, 0, 60, 1, 2, 3], to: peer)
        board.loop.turn(waits: false)
        peer.close()
        #expect(wait { !server.network.summary.hasSuffix("connected") })
        server.send([frame(0, 60)])
        let next = try self.peer(of: server, address)
        defer { next.close() }
        try write([0, 0, 0, 2, 5, 6], to: next)
        #expect(wait { !server.card.frames.isEmpty })
        #expect(server.card.frames == [[5, 6]])
    }

    @Test func aPeerThatDoesNotReadCostsNobodyAnything() throws {
        let (server, address) = try server()
        let peer = try peer(of: server, address)
        defer { peer.close() }
        // 15 MB; what there is no room for is lost.
        let frames = (0..<100).map { frame($0, 1500) }
        for _ in 0..<100 { server.send(frames) }
        var bytes: [UInt8] = []
        var idle = 0
        while idle < 100 {
            let part = try #require(read(peer))
            idle = part.isEmpty ? idle + 1 : 0
            bytes += part
            board.loop.turn(waits: false)
        }
        #expect(bytes.count > 1 << 20 && bytes.count < 8 << 20 && bytes.count % 1504 == 0)
        let isWhole = stride(from: 0, to: bytes.count, by: 1504).allSatisfy { at in
            let one = Array(bytes[at..<(at + 1504)]), length: [UInt8] = [0, 0, 5, 0xdc]
            return one == length + frame(Int(one[4]), 1500)
        }
        #expect(isWhole, "what comes is whole frames")
        server.send([frame(1, 60)])
        #expect(read(peer) == [0, 0, 0, 60] + frame(1, 60), "and it goes on")
    }

    @Test func aClientComesBack() throws {
        let address = SocketAddress.unix("\(folder)/socket")
        let client = try stream(address, isServer: false, reconnects: 10)
        for round in 0..<2 {
            let server = try stream(address, isServer: true)
            #expect(wait { client.network.summary.hasSuffix("connected") })
            client.send([frame(round, 60)])
            #expect(wait { server.card.frames == [frame(round, 60)] })
            server.network.stop()
            #expect(wait { !client.network.summary.hasSuffix("connected") })
        }
    }

    // MARK: datagrams

    @Test func datagramsGoBetweenUnixSockets() throws {
        let paths = ["\(folder)/a", "\(folder)/b"].map { SocketAddress.unix($0) }
        func end(_ index: Int) throws -> End {
            try End(PacketNetwork(name: "n", .between(local: paths[index], remote: paths[1 - index])), board)
        }
        let first = try end(0)
        first.send([frame(0, 60)])
        let second = try end(1)
        let out = (1..<20).map { frame($0, 60 + 70 * $0) }
        first.send(Array(out[..<10]))
        #expect(wait { second.card.frames.count >= 10 })
        first.send(Array(out[10...]))
        second.send([frame(1, 1518)])
        #expect(wait { second.card.frames.count >= 19 && !first.card.frames.isEmpty })
        #expect(second.card.frames == out && first.card.frames == [frame(1, 1518)])
        second.network.stop()
        first.send([frame(0, 60)])
        #expect(!HostFile.exists("\(folder)/b"))
        let again = try end(1)
        first.send([frame(3, 60)])
        #expect(wait { again.card.frames == [frame(3, 60)] }, "who comes back hears again")
    }

    @Test func datagramsGoBetweenPorts() throws {
        let own = SocketAddress.inet(host: "127.0.0.1", port: "0")
        let receiver = try End(PacketNetwork(name: "n", .between(local: own, remote: nil)), board)
        let port = try #require((receiver.network as? PacketNetwork)?.port)
        let sender = try End(
            PacketNetwork(name: "n", .between(local: own, remote: .inet(host: "127.0.0.1", port: "\(port)"))), board)
        receiver.send([frame(0, 60)])
        sender.send([frame(1, 60), frame(2, 1514)])
        #expect(wait { receiver.card.frames == [frame(1, 60), frame(2, 1514)] })
        #expect(sender.card.frames.isEmpty)
    }

    @Test func aGroupHearsEachOfItsMembers() throws {
        let group = SocketAddress.inet(host: "230.0.0.1", port: "\(20000 + Int(HostProcess.processID) % 10000)")
        let ends = try (0..<3).map { _ in
            try End(PacketNetwork(name: "n", .group(group, interface: IPv4("127.0.0.1"))), board)
        }
        ends[0].send([frame(5, 60)])
        #expect(wait { ends.dropFirst().allSatisfy { $0.card.frames == [frame(5, 60)] } })
        #expect {
            try End(PacketNetwork(name: "n", .group(.inet(host: "127.0.0.1", port: "1"), interface: nil)), board)
        } throws: {
            "\($0)".contains("127.0.0.1") && "\($0)".contains("group")
        }
    }

    @Test func whatIsNoSocketIsRefused() throws {
        let file = try HostFile.pipe()
        defer {
            HostFile.close(file.reading)
            HostFile.close(file.writing)
        }
        for fd in [file.reading, 9999] {
            #expect(throws: NetError.self) { try End(StreamNetwork(name: "n", .descriptor(fd)), board) }
            #expect(throws: NetError.self) { try End(PacketNetwork(name: "n", .descriptor(fd)), board) }
        }
    }

    // MARK: tap

    private static let canMakeInterfaces = access("/dev/net/tun", W_OK) == 0 && geteuid() == 0 && findsIP
    private static var findsIP: Bool {
        let places: [String] = ["/sbin/ip", "/usr/sbin/ip", "/bin/ip"]
        return places.contains { access($0, X_OK) == 0 }
    }

    /// The host answers to who asks for its address, by whatever queue; long segments get to it whole.
    @Test(.enabled(if: canMakeInterfaces), arguments: [(1, false), (1, true), (2, false), (2, true)])
    func aTapInterfaceAnswers(_ queues: Int, _ hasHeaders: Bool) throws {
        let name = "mt\(getpid() % 10000)q\(queues)\(hasHeaders ? "h" : "")", net = "10.213.\(getpid() % 250)"
        let tap = PacketNetwork(name: "t", .tap(name: name, queues: queues, hasHeaders: hasHeaders))
        let end: End
        do { end = try End(tap, board) } catch {
            // A container may not let anybody make interfaces.
            #expect("\(error)".contains("not permitted"))
            return
        }
        #expect(tap.queuePairs == queues && tap.cutsSegments == hasHeaders && tap.summary == "type=tap,ifname=\(name)")
        let run = try runProcess(
            "/bin/sh",
            ["-c", "PATH=$PATH:/sbin:/usr/sbin; ip addr add \(net).1/24 dev \(name) && ip link set \(name) up"],
            seconds: 10)
        #expect(run.exit == 0, "\(run.errorText)")
        let own: [UInt8] = [0x52, 0x54, 0, 0x12, 0x34, 0x56], last = UInt8(getpid() % 250)
        let request =
            Array(repeating: 0xff, count: 6) + own + [8, 6, 0, 1, 8, 0, 6, 4, 0, 1] + own + [10, 213, last, 2]
            + [0, 0, 0, 0, 0, 0, 10, 213, last, 1] + Array(repeating: 0, count: 18)
        let isAnswered = { end.card.frames.contains { $0[12..<14] == [8, 6] && $0[20..<22] == [0, 2] } }
        for queue in 0..<queues {
            end.card.frames = []
            board.domain.lock.withLock { request.withUnsafeBytes { tap.transmit($0, queue: queue) } }
            #expect(wait(isAnswered), "queue \(queue)")
        }
        if hasHeaders {
            func received() -> Int {
                let text = String(decoding: readFile("/sys/class/net/\(name)/statistics/rx_bytes") ?? [], as: UTF8.self)
                return Int(text.split(separator: "\n").first ?? "") ?? 0
            }
            let before = received(), count = 20_000
            var segment = own + own + [8, 0, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0]
            segment +=
                [10, 213, last, 2, 10, 213, last, 1] + [
                    0, 80, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0,
                ]
            segment += Array(repeating: 7, count: count)
            let header: [UInt8] = [1, 1, 54, 0, 0x78, 5, 34, 0, 16, 0, 0, 0]
            board.domain.lock.withLock {
                segment.withUnsafeBytes { tap.transmit(segment: $0, header: header[...], queue: queues - 1) }
            }
            #expect(received() - before >= count, "the kernel has taken it as it is")
        }
        tap.stop()
    }

    // MARK: hubs

    @Test func aHubPassesFramesToAllOtherPorts() throws {
        let hub = NetHub(0), address = SocketAddress.unix("\(folder)/socket")
        let far = try stream(address, isServer: true)
        var options = SocketOptions(address)
        options.isServer = false
        let near = StreamNetwork(name: "s", .socket(options))
        try near.start(board.loop, under: board.domain.lock)
        let cards = try (0..<2).map { try End(HubPort(name: "p\($0)", hub, to: nil), board) }
        let link = HubPort(name: "l", hub, to: near)
        #expect(wait { far.network.summary.hasSuffix("connected") })
        cards[0].send([frame(1, 60)])
        #expect(wait { !far.card.frames.isEmpty })
        #expect(far.card.frames == [frame(1, 60)] && cards[1].card.frames == [frame(1, 60)])
        far.send([frame(2, 60)])
        #expect(wait { !cards[0].card.frames.isEmpty })
        #expect(cards[0].card.frames == [frame(2, 60)] && cards[1].card.frames == [frame(1, 60), frame(2, 60)])
        #expect(far.card.frames.count == 1, "and not back to where it came from")
        link.stop()
        cards[1].send([frame(3, 60)])
        #expect(cards[0].card.frames.last == frame(3, 60))
    }
}
