// Sockets: where they are, and how they are opened. (socket(7), unix(7), tcp(7))

import CLinux
import Glibc

/// An address as the kernel takes it.
public struct HostSocketAddress: Sendable {
    public var family: Int32
    public var bytes: [UInt8]

    public init(family: Int32, bytes: [UInt8]) {
        self.family = family
        self.bytes = bytes
    }

    public var isUnix: Bool { family == AF_UNIX }

    /// The longest path of a Unix socket, in bytes.
    public static let longestPath = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    /// Nil: the path is too long.
    public init?(unix path: String) {
        guard path.utf8.count <= Self.longestPath else { return nil }
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        self.init(family: AF_UNIX, bytes: withUnsafeBytes(of: name) { Array($0) })
    }
}

/// Sockets that do not wait.
public enum HostSocket {
    public static func open(_ family: Int32, datagrams: Bool = false) throws(Errno) -> Int32 {
        let kind = Int((datagrams ? SOCK_DGRAM : SOCK_STREAM).rawValue)
        let flags = Int(O_NONBLOCK | O_CLOEXEC)
        return Int32(truncatingIfNeeded: try Errno.check(kernel(SYS_socket, Int(family), kind | flags)))
    }

    public static func bind(_ fd: Int32, _ address: HostSocketAddress) throws(Errno) {
        let status = address.bytes.withUnsafeBytes {
            kernel(SYS_bind, Int(fd), Int(bitPattern: $0.baseAddress), $0.count)
        }
        _ = try Errno.check(status)
    }

    /// One that others connect to.
    public static func listen(_ address: HostSocketAddress) throws(Errno) -> Int32 {
        let fd = try open(address.family)
        do throws(Errno) {
            if address.family != AF_UNIX { set(fd, SOL_SOCKET, SO_REUSEADDR) }
            try bind(fd, address)
            _ = try Errno.check(kernel(SYS_listen, Int(fd), 1))
        } catch {
            HostFile.close(fd)
            throw error
        }
        return fd
    }

    /// Begins to connect. `isDone`: it has.
    public static func connect(_ fd: Int32, _ address: HostSocketAddress) throws(Errno) -> Bool {
        let status = address.bytes.withUnsafeBytes {
            kernel(SYS_connect, Int(fd), Int(bitPattern: $0.baseAddress), $0.count)
        }
        if status == -Int(EINPROGRESS) { return false }
        _ = try Errno.check(status)
        return true
    }

    /// How a connection that has been begun has turned out; to be asked when it is writable.
    public static func finish(_ fd: Int32) throws(Errno) {
        var error: Int32 = 0, size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size)
        if error != 0 { throw Errno(error) }
    }

    /// Nil: nobody wants to connect any more.
    public static func accept(_ fd: Int32) -> Int32? {
        let taken = kernel(SYS_accept4, Int(fd), 0, 0, Int(O_NONBLOCK | O_CLOEXEC))
        return taken < 0 ? nil : Int32(truncatingIfNeeded: taken)
    }

    /// TCP sends each byte at once.
    public static func sendAtOnce(_ fd: Int32) { set(fd, Int32(IPPROTO_TCP), TCP_NODELAY) }

    /// The port of IPv4 that a socket is bound to.
    public static func port(_ fd: Int32) -> UInt16? {
        var name = sockaddr_in(), size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &name) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &size) }
        }
        return status == 0 ? UInt16(bigEndian: name.sin_port) : nil
    }

    public enum Kind: Sendable { case stream, datagram }

    /// Nil: it is no socket, or one of another kind.
    public static func kind(_ fd: Int32) -> Kind? {
        var value: Int32 = 0, size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size) == 0 else { return nil }
        switch UInt32(bitPattern: value) {
        case SOCK_STREAM.rawValue: return .stream
        case SOCK_DGRAM.rawValue: return .datagram
        default: return nil
        }
    }

    /// Several sockets may be bound to an address.
    public static func shareAddress(_ fd: Int32) { set(fd, SOL_SOCKET, SO_REUSEADDR) }

    /// What is sent to a group comes to this socket, and what it sends to one comes to all others of this host too. Addresses of IPv4; interface 0:
    /// the kernel chooses.
    public static func join(_ fd: Int32, group: UInt32, interface: UInt32) throws(Errno) {
        let bytes = [group.bigEndian, interface.bigEndian], size = socklen_t(MemoryLayout<UInt32>.size)
        guard setsockopt(fd, Int32(IPPROTO_IP), IP_ADD_MEMBERSHIP, bytes, 2 * size) == 0 else { throw Errno(errno) }
        set(fd, Int32(IPPROTO_IP), IP_MULTICAST_LOOP)
        if interface != 0 { setsockopt(fd, Int32(IPPROTO_IP), IP_MULTICAST_IF, [interface.bigEndian], size) }
    }

    /// Sends a datagram. Without an address, to the peer.
    public static func send(_ fd: Int32, _ bytes: UnsafeRawBufferPointer, to address: HostSocketAddress?) throws(Errno)
    {
        let start = Int(bitPattern: bytes.baseAddress), flags = Int(MSG_DONTWAIT) | Int(MSG_NOSIGNAL)
        let status = (address?.bytes ?? []).withUnsafeBytes { name in
            let place = name.isEmpty ? 0 : Int(bitPattern: name.baseAddress)
            return kernel(SYS_sendto, Int(fd), start, bytes.count, flags, place, name.count)
        }
        _ = try Errno.check(status)
    }

    /// There is a Unix socket at a path, and nobody behind it.
    public static func isLeft(_ path: String, datagrams: Bool = false) -> Bool {
        guard let mode = try? HostFile.status(path: path).mode, mode & 0o170000 == 0o140000,
            let address = HostSocketAddress(unix: path), let fd = try? open(AF_UNIX, datagrams: datagrams)
        else { return false }
        defer { HostFile.close(fd) }
        do throws(Errno) { _ = try connect(fd, address) } catch { return error == Errno(ECONNREFUSED) }
        return false
    }

    public static func remove(_ path: String) { _ = unlink(path) }

    private static func set(_ fd: Int32, _ level: Int32, _ option: Int32) {
        var one: Int32 = 1
        setsockopt(fd, level, option, &one, socklen_t(MemoryLayout<Int32>.size))
    }
}
