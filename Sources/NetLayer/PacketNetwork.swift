// A cable whose other end is a file that takes and gives one frame at a time: a socket of datagrams, or an interface of the host's.

import CharLayer
import EventLoop
import HostOS

public final class PacketNetwork: NetBackend, @unchecked Sendable {
    public enum Place: Sendable, Equatable {
        /// Between two addresses, of IP or of Unix sockets. Without a remote one nothing is sent.
        case between(local: SocketAddress, remote: SocketAddress?)
        /// A group of IPv4; `interface`: the address of the interface that leads to it, nil where the kernel chooses.
        case group(SocketAddress, interface: IPv4?)
        /// A socket that is connected or bound, which becomes the back end's own.
        case descriptor(Int32)
        /// An interface of the host's. Without a name the kernel chooses one.
        case tap(name: String?)
        /// One that is open, which becomes the back end's own.
        case tapDescriptor(Int32)
    }

    /// Bytes of the longest datagram.
    private static let longest = 65536
    /// Frames that are read in one turn of the loop.
    private static let share = 64

    private let place: Place
    private var lock: Lock!
    private var stream: HostStream?
    private var source: Source?
    private var destination: HostSocketAddress?
    private var interface: String?
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: longest, alignment: 16)

    public init(name: String, _ place: Place) {
        self.place = place
        super.init(name: name)
    }

    deinit {
        stop()
        buffer.deallocate()
    }

    public override func start(_ loop: EventLoop, under lock: Lock) throws(NetError) {
        self.lock = lock
        let fd: Int32
        switch place {
        case .between(let local, let remote): fd = try open(local, remote)
        case .group(let address, let interface): fd = try open(group: address, interface)
        case .descriptor(let given):
            guard HostSocket.kind(given) == .datagram else {
                throw NetError("descriptor \(given) is no socket of datagrams")
            }
            HostFile.closeOnExec(given)
            HostFile.stopWaiting(given)
            fd = given
        case .tap(let name):
            do throws(Errno) { (fd, interface) = try HostTap.open(name) } catch {
                throw NetError("the interface \(name ?? "of tap") cannot be opened: \(error.message)")
            }
        case .tapDescriptor(let given):
            guard HostTap.isDevice(given) else { throw NetError("descriptor \(given) is no tap interface") }
            HostFile.closeOnExec(given)
            HostFile.stopWaiting(given)
            fd = given
        }
        stream = HostStream(owning: fd)
        source = loop.watch(fd, .readable) { [unowned self] _ in lock.withLock { read() } }
    }

    public override func stop() {
        source?.cancel()
        stream?.close()
        if stream != nil, case .between(.unix(let path), _) = place { HostSocket.remove(path) }
        (source, stream) = (nil, nil)
    }

    public override var summary: String {
        switch place {
        case .between(let local, let remote):
            "type=dgram,\(local.named("udp"))" + (remote.map { "=>\($0.named("udp"))" } ?? "")
        case .group(let address, _): "type=dgram,group=\(address.named("udp"))"
        case .descriptor(let fd): "type=dgram,fd=\(fd)"
        case .tap: "type=tap" + (interface.map { ",ifname=\($0)" } ?? "")
        case .tapDescriptor(let fd): "type=tap,fd=\(fd)"
        }
    }

    private func resolve(_ address: SocketAddress, waits: Bool) throws(NetError) -> HostSocketAddress {
        do throws(CharSpecError) { return try address.resolve(waits: waits, datagrams: true) } catch {
            throw NetError("\(error)")
        }
    }

    private func open(_ local: SocketAddress, _ remote: SocketAddress?) throws(NetError) -> Int32 {
        let own = try resolve(local, waits: true)
        if let remote { destination = try resolve(remote, waits: false) }
        // A socket that a process has left behind is in the way.
        if case .unix(let path) = local, HostSocket.isLeft(path, datagrams: true) { HostSocket.remove(path) }
        return try open(own, local) { _ throws(Errno) in }
    }

    private func open(group: SocketAddress, _ interface: IPv4?) throws(NetError) -> Int32 {
        let address = try resolve(group, waits: false)
        guard let number = address.ipv4, 0xe000_0000...0xefff_ffff ~= number else {
            throw NetError("\(group.named("udp")): that is no group; wanted 224.0.0.0 to 239.255.255.255")
        }
        destination = address
        return try open(address, group) { fd throws(Errno) in
            try HostSocket.join(fd, group: number, interface: interface?.value ?? 0)
        }
    }

    private func open(
        _ own: HostSocketAddress, _ name: SocketAddress, _ prepare: (Int32) throws(Errno) -> Void
    ) throws(NetError) -> Int32 {
        do throws(Errno) {
            let fd = try HostSocket.open(own.family, datagrams: true)
            do throws(Errno) {
                if !own.isUnix { HostSocket.shareAddress(fd) }
                try HostSocket.bind(fd, own)
                try prepare(fd)
            } catch {
                HostFile.close(fd)
                throw error
            }
            return fd
        } catch { throw NetError("cannot open '\(name.named("udp"))': \(error.message)") }
    }

    /// The port that it is bound to.
    public var port: UInt16? { stream.flatMap { HostSocket.port($0.descriptor) } }

    /// What nobody takes is lost, as on any cable.
    public override func send(_ frame: UnsafeRawBufferPointer) {
        guard let stream else { return }
        if case .between(_, nil) = place { return }
        if let destination {
            try? HostSocket.send(stream.descriptor, frame, to: destination)
        } else {
            _ = try? stream.write(frame)
        }
    }

    private func read() {
        for _ in 0..<Self.share {
            guard let stream, let count = try? stream.read(into: buffer) else { return }
            if count > 0 { deliver(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
        }
    }
}
