// Where an export is: names such as nbd://host:port/export, and the options of driver=nbd.

import HostOS
import Options

public struct NBDAddress: Sendable, Equatable {
    public enum Place: Sendable, Equatable {
        case inet(host: String, port: String)
        case unix(String)
    }

    public var place: Place
    public var export = ""
    /// Nanoseconds in which requests wait for a server that has gone to come back; 0: it is not looked for.
    public var reconnectDelay: UInt64 = 0
    /// Nanoseconds in which a server is waited for at the beginning.
    public var openTimeout: UInt64 = 0

    static let forms =
        "nbd://HOST[:PORT]/EXPORT, nbd+unix:///EXPORT?socket=PATH, nbd:HOST:PORT[:exportname=EXPORT], nbd:unix:PATH"

    public init(_ place: Place, export: String = "") { (self.place, self.export) = (place, export) }

    static func isName(_ name: String) -> Bool { ["nbd:", "nbd+", "nbds:", "nbds+"].contains { name.hasPrefix($0) } }

    public init(name: String) throws(OptionError) {
        let wrong = OptionError("'\(name)' names no export; wanted \(Self.forms)")
        if name.hasPrefix("nbds") { throw OptionError("'\(name)': TLS is not supported; wanted nbd:// or nbd+unix://") }
        if name.hasPrefix("nbd://") || name.hasPrefix("nbd+tcp://") {
            let rest = name.drop { $0 != "/" }.dropFirst(2)
            guard let export = Self.decoded(rest.drop { $0 != "/" }.dropFirst()) else { throw wrong }
            let authority = rest.prefix { $0 != "/" }
            guard !authority.isEmpty else { throw wrong }
            let (host, port) = try Self.hostAndPort(String(authority), wrong)
            place = .inet(host: host, port: port ?? NBD.port)
            self.export = export
        } else if name.hasPrefix("nbd+unix://") {
            let rest = name.dropFirst("nbd+unix://".count)
            let halves = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, halves[1].hasPrefix("socket="), halves[0].isEmpty || halves[0].hasPrefix("/"),
                let path = Self.decoded(halves[1].dropFirst(7)), !path.isEmpty,
                let export = Self.decoded(halves[0].dropFirst())
            else { throw wrong }
            place = .unix(path)
            self.export = export
        } else {
            guard name.hasPrefix("nbd:") else { throw wrong }
            var rest = name.dropFirst(4)
            if let mark = rest.firstRange(of: ":exportname=") {
                export = String(rest[mark.upperBound...])
                rest = rest[..<mark.lowerBound]
            }
            if rest.hasPrefix("unix:") {
                guard rest.count > 5 else { throw wrong }
                place = .unix(String(rest.dropFirst(5)))
            } else {
                let (host, port) = try Self.hostAndPort(String(rest), wrong)
                guard let port else { throw wrong }
                place = .inet(host: host, port: port)
            }
        }
    }

    /// An IPv6 address stands in brackets.
    private static func hostAndPort(_ text: String, _ wrong: OptionError) throws(OptionError) -> (String, String?) {
        var host = text[...], port: String?
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            port = String(text[text.index(after: colon)...])
            host = text[..<colon]
            if port?.isEmpty ?? true { throw wrong }
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        if host.isEmpty { throw wrong }
        return (String(host), port)
    }

    /// With `%41` for bytes; nil: it is no such text.
    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = [], rest = text.utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), rest.count >= 2 else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    init(_ list: inout OptionList) throws(OptionError) {
        var server = list.takeNested("server")
        let isNested = !server.isEmpty
        func take(_ name: String) -> String? { isNested ? server.take(name) : list.take(name) }
        let type = isNested ? server.take("type") : nil
        let path = take("path"), host = take("host"), port = take("port")
        try server.end("server")
        if list.take("tls-creds") != nil { throw OptionError("tls-creds: TLS is not supported; wanted none") }
        if let path, !path.isEmpty, host == nil, type ?? "unix" == "unix" {
            place = .unix(path)
        } else if let host, path == nil, type ?? "inet" == "inet" {
            place = .inet(host: host, port: port ?? NBD.port)
        } else {
            throw OptionError(
                "nbd wants server.type=inet,server.host=HOST,server.port=PORT, or server.type=unix,server.path=PATH")
        }
        export = list.take("export") ?? ""
        let longest = Int(UInt32.max)
        reconnectDelay = UInt64(try list.takeNumber("reconnect-delay", 0...longest) ?? 0) * 1_000_000_000
        openTimeout = UInt64(try list.takeNumber("open-timeout", 0...longest) ?? 0) * 1_000_000_000
    }

    public var description: String {
        switch place {
        case .inet(let host, let port):
            "nbd://\(host.contains(":") ? "[\(host)]" : host):\(port)\(export.isEmpty ? "" : "/")\(export)"
        case .unix(let path): "nbd+unix:///\(export)?socket=\(path)"
        }
    }

    /// `waits`: for others to connect.
    func resolve(waits: Bool) throws(BlockError) -> HostSocketAddress {
        switch place {
        case .unix(let path):
            if let address = HostSocketAddress(unix: path) { return address }
            throw BlockError(.nametoolong, "\(path): wanted a path of at most \(HostSocketAddress.longestPath) bytes")
        case .inet(let host, let port):
            do throws(HostSocketAddress.Unknown) {
                return try HostSocketAddress.resolve(host, port: port, waits: waits)
            } catch { throw BlockError(.noent, "\(description): \(error.reason)") }
        }
    }
}
