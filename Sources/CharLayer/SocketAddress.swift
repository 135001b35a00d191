// Where sockets are, and how they are opened.

import HostOS
import Options

public enum SocketAddress: Equatable, Sendable, CustomStringConvertible {
    case unix(String)
    /// Without a host: all interfaces for those that wait, the own machine for those that connect.
    case inet(host: String, port: String)

    /// HOST:PORT; an IPv6 address stands in brackets.
    public init(parsing text: String) throws(OptionError) {
        guard let colon = text.lastIndex(of: ":"), colon < text.index(before: text.endIndex) else {
            throw OptionError("'\(text)' is no address; wanted HOST:PORT")
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        self = .inet(host: host, port: String(text[text.index(after: colon)...]))
    }

    public var description: String { named("tcp") }

    /// `carrier`: what carries the bytes, but for Unix sockets.
    public func named(_ carrier: String) -> String {
        switch self {
        case .unix(let path): "unix:\(path)"
        case .inet(let host, let port): "\(carrier):\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
    }

    /// `waits`: for others to connect.
    public func resolve(waits: Bool, datagrams: Bool = false) throws(CharSpecError) -> HostSocketAddress {
        switch self {
        case .unix(let path):
            guard let address = HostSocketAddress(unix: path) else {
                throw .cannotOpen(
                    description, reason: "the path is longer than \(HostSocketAddress.longestPath) bytes")
            }
            return address
        case .inet(let host, let port):
            do throws(HostSocketAddress.Unknown) {
                return try HostSocketAddress.resolve(host, port: port, datagrams: datagrams, waits: waits)
            } catch { throw .cannotOpen(named(datagrams ? "udp" : "tcp"), reason: error.reason) }
        }
    }
}
