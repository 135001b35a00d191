// Connections whose users wait: for bytes, for room, for others to connect.

import CLinux
import Glibc

/// A socket that does not wait by itself, with calls that do.
public final class HostConnection: Sendable {
    public let descriptor: Int32

    /// The descriptor becomes the connection's own.
    public init(owning descriptor: Int32) { self.descriptor = descriptor }

    deinit { HostFile.close(descriptor) }

    public static func connect(_ address: HostSocketAddress, nanoseconds: UInt64) throws(Errno) -> HostConnection {
        let connection = HostConnection(owning: try HostSocket.open(address.family))
        if try !HostSocket.connect(connection.descriptor, address) {
            try connection.wait(.writable, nanoseconds)
            try HostSocket.finish(connection.descriptor)
        }
        if !address.isUnix { HostSocket.sendAtOnce(connection.descriptor) }
        return connection
    }

    /// Two ends of one.
    public static func pair() throws(Errno) -> (HostConnection, HostConnection) {
        var ends: InlineArray<2, Int32> = [-1, -1]
        let kind = Int(SOCK_STREAM.rawValue) | Int(O_NONBLOCK | O_CLOEXEC)
        let status = withUnsafeMutablePointer(to: &ends) {
            kernel(SYS_socketpair, Int(AF_UNIX), kind, 0, Int(bitPattern: $0))
        }
        _ = try Errno.check(status)
        return (HostConnection(owning: ends[0]), HostConnection(owning: ends[1]))
    }

    private func wait(_ events: PollEvents, _ nanoseconds: UInt64?) throws(Errno) {
        var entries = [PollEntry(descriptor, events)]
        let end = nanoseconds.map { HostClock.monotonic() + $0 }
        while !HostPoll.wait(&entries, nanoseconds: end.map { $0 &- min(HostClock.monotonic(), $0) }) {
            if let end, HostClock.monotonic() >= end { throw .timedout }
        }
    }

    /// Reads all of the buffer. `Errno.pipe`: the other side has gone. `nanoseconds`: as long as nothing comes; nil: for ever.
    public func read(into buffer: UnsafeMutableRawBufferPointer, nanoseconds: UInt64? = nil) throws(Errno) {
        var rest = buffer
        while !rest.isEmpty {
            let count = kernel(SYS_read, Int(descriptor), Int(bitPattern: rest.baseAddress), rest.count)
            if count == Errno.again.negated || count == Errno.intr.negated {
                try wait(.readable, nanoseconds)
                continue
            }
            if count == 0 { throw .pipe }
            rest = UnsafeMutableRawBufferPointer(rebasing: rest[try Errno.check(count)...])
        }
    }

    public func write(_ bytes: UnsafeRawBufferPointer, nanoseconds: UInt64? = nil) throws(Errno) {
        var rest = bytes
        while !rest.isEmpty {
            let flags = Int(MSG_DONTWAIT) | Int(MSG_NOSIGNAL)
            let count = kernel(SYS_sendto, Int(descriptor), Int(bitPattern: rest.baseAddress), rest.count, flags)
            if count == Errno.again.negated || count == Errno.intr.negated {
                try wait(.writable, nanoseconds)
                continue
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[try Errno.check(count)...])
        }
    }

    /// Nothing is sent or comes any more: whoever waits is told.
    public func shutDown() { _ = kernel(SYS_shutdown, Int(descriptor), Int(SHUT_RDWR)) }
}

extension HostSocketAddress {
    public struct Unknown: Error { public let reason: String }

    /// `waits`: for others to connect. Without a host, and by the name of one's own machine, IPv4 is meant.
    public static func resolve(_ host: String, port: String, datagrams: Bool = false, waits: Bool)
        throws(Unknown) -> HostSocketAddress
    {
        var bytes = [UInt8](repeating: 0, count: Int(clx_address_room)), family: Int32 = 0, count: Int32 = 0
        let problem = bytes.withUnsafeMutableBytes {
            clx_resolve(host, port, datagrams ? 1 : 0, waits ? 1 : 0, $0.baseAddress, &family, &count)
        }
        if let problem { throw Unknown(reason: String(cString: problem)) }
        return HostSocketAddress(family: family, bytes: Array(bytes.prefix(Int(count))))
    }
}
