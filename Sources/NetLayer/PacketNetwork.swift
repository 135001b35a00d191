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
        /// An interface of the host's. Without a name the kernel chooses one. `hasHeaders`: it cuts long segments itself.
        case tap(name: String?, queues: Int, hasHeaders: Bool)
        /// One that is open, by a descriptor for each queue, which become the back end's own.
        case tapDescriptors([Int32])
    }

    /// Bytes of the longest datagram, and of the longest segment with its header.
    private static let longest = 1 << 17
    /// Frames that are read in one turn of the loop.
    private static let share = 64

    private let place: Place
    private var lock: Lock!
    /// By queue.
    private var streams: [HostStream] = []
    private var sources: [Source] = []
    /// Bytes before each frame.
    private var headerSize = 0
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
        let opened: [Int32]
        switch place {
        case .between(let local, let remote): opened = [try open(local, remote)]
        case .group(let address, let interface): opened = [try open(group: address, interface)]
        case .descriptor(let given):
            guard HostSocket.kind(given) == .datagram else {
                throw NetError("descriptor \(given) is no socket of datagrams")
            }
            opened = [given]
        case .tap(let name, let queues, let hasHeaders):
            do throws(Errno) {
                (opened, interface) = try HostTap.open(name, queues: queues, hasHeaders: hasHeaders)
            } catch {
                throw NetError("the interface \(name ?? "of tap") cannot be opened: \(error.message)")
            }
            headerSize = hasHeaders ? HostTap.headerSize : 0
        case .tapDescriptors(let given):
            for fd in given where !HostTap.isDevice(fd) { throw NetError("descriptor \(fd) is no tap interface") }
            headerSize = HostTap.hasHeaders(given[0]) ? HostTap.headerSize : 0
            for fd in given where HostTap.hasHeaders(fd) != (headerSize > 0) {
                throw NetError("descriptor \(fd): some have headers before their frames, and some have none")
            }
            for fd in given where headerSize > 0 { try? HostTap.setHeaders(fd) }
            opened = given
        }
        for (queue, fd) in opened.enumerated() {
            HostFile.closeOnExec(fd)
            HostFile.stopWaiting(fd)
            streams.append(HostStream(owning: fd))
            sources.append(loop.watch(fd, .readable) { [unowned self] _ in lock.withLock { read(queue) } })
        }
    }

    public override func stop() {
        for source in sources { source.cancel() }
        for stream in streams { stream.close() }
        if !streams.isEmpty, case .between(.unix(let path), _) = place { HostSocket.remove(path) }
        (sources, streams) = ([], [])
    }

    public override var summary: String {
        switch place {
        case .between(let local, let remote):
            "type=dgram,\(local.named("udp"))" + (remote.map { "=>\($0.named("udp"))" } ?? "")
        case .group(let address, _): "type=dgram,group=\(address.named("udp"))"
        case .descriptor(let fd): "type=dgram,fd=\(fd)"
        case .tap: "type=tap" + (interface.map { ",ifname=\($0)" } ?? "")
        case .tapDescriptors(let list): "type=tap,fd=\(list.map { "\($0)" }.joined(separator: ":"))"
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
    public var port: UInt16? { streams.first.flatMap { HostSocket.port($0.descriptor) } }

    public override var queuePairs: Int {
        switch place {
        case .tap(_, let queues, _): queues
        case .tapDescriptors(let list): list.count
        default: 1
        }
    }

    public override func send(_ frame: UnsafeRawBufferPointer) { send(frame, queue: 0) }

    /// What nobody takes is lost, as on any cable.
    public override func send(_ frame: UnsafeRawBufferPointer, queue: Int) {
        if streams.isEmpty { return }
        if case .between(_, nil) = place { return }
        let stream = streams[queue % streams.count]
        if let destination {
            try? HostSocket.send(stream.descriptor, frame, to: destination)
        } else if headerSize > 0 {
            write([UInt8](repeating: 0, count: headerSize), frame, to: stream)
        } else {
            _ = try? stream.write(frame)
        }
    }

    public override var cutsSegments: Bool { headerSize > 0 }

    public override func send(segment: UnsafeRawBufferPointer, header: ArraySlice<UInt8>, queue: Int) {
        if !streams.isEmpty { write(Array(header.prefix(headerSize)), segment, to: streams[queue % streams.count]) }
    }

    private func write(_ header: [UInt8], _ frame: UnsafeRawBufferPointer, to stream: HostStream) {
        guard header.count + frame.count <= buffer.count else { return }
        buffer.copyBytes(from: header)
        UnsafeMutableRawBufferPointer(rebasing: buffer[header.count...]).copyMemory(from: frame)
        _ = try? stream.write(UnsafeRawBufferPointer(rebasing: buffer[..<(header.count + frame.count)]))
    }

    /// The host has filled in and cut what comes: it has not been told that this is not needed. So headers say nothing.
    private func read(_ queue: Int) {
        for _ in 0..<Self.share {
            guard queue < streams.count, let count = try? streams[queue].read(into: buffer) else { return }
            if count > headerSize {
                deliver(UnsafeRawBufferPointer(rebasing: buffer[headerSize..<count]), queue: queue)
            }
        }
    }
}
