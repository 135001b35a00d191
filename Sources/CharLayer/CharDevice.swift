// What `-chardev` describes: a back end, its options, and what holds for all of them.

import HostOS

public struct CharDevice: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// All output is lost.
        case null
        /// `keepsSignals`: Ctrl-C and its kin are the terminal's.
        case stdio(keepsSignals: Bool)
        case pty
        case file(path: String, appends: Bool)
        case pipe(path: String)
        /// A terminal device of the host.
        case serial(path: String)
        case socket(SocketOptions)
        case udp(remote: SocketAddress, local: SocketAddress?)
    }

    public var kind: Kind
    /// Several front ends share it.
    public var isShared = false
    public var logFile: String?
    public var logAppends = false

    public init(_ kind: Kind, isShared: Bool = false) {
        self.kind = kind
        self.isShared = isShared
    }

    /// The options of each back end, besides those of all.
    private static let options: [(name: String, options: [String])] = [
        ("null", []), ("stdio", ["signal"]), ("pty", []), ("file", ["path", "append"]), ("pipe", ["path"]),
        ("serial", ["path"]), ("tty", ["path"]),
        ("socket", ["path", "host", "port", "server", "wait", "reconnect", "reconnect-ms", "nodelay", "telnet"]),
        ("udp", ["host", "port", "localaddr", "localport"]),
    ]
    private static let commonOptions = ["id", "mux", "logfile", "logappend"]
    /// Back ends of QEMU that Martlet has not.
    private static let absent: Set = [
        "vc", "parallel", "parport", "ringbuf", "memory", "msmouse", "wctablet", "testdev", "braille", "spicevmc",
        "spiceport", "dbus", "qemu-vdagent", "hub",
    ]

    public static var names: String { options.map(\.name).joined(separator: ", ") }
    public static var help: String { "Available chardev backend types:\n" + options.map { "  \($0.name)\n" }.joined() }

    /// The value of `-chardev`: BACKEND,id=ID,NAME=VALUE...
    public static func parse(_ text: String) throws(CharSpecError) -> (id: String, device: CharDevice) {
        var values = OptionValues(text)
        let name = values.first
        let device = try CharDevice(backend: name, &values)
        guard let id = values.value("id"), !id.isEmpty else { throw .wrong("no id; wanted \(name),id=ID") }
        return (id, device)
    }

    /// Takes its options from `values`.
    init(backend name: String, _ values: inout OptionValues) throws(CharSpecError) {
        guard let row = Self.options.first(where: { $0.name == name }) else {
            if Self.absent.contains(name) {
                throw .wrong("back end '\(name)' is not supported; there are \(Self.names)")
            }
            throw .wrong("'\(name)' is no back end; there are \(Self.names)")
        }
        try values.check(row.options + Self.commonOptions, of: name)
        switch name {
        case "stdio": kind = .stdio(keepsSignals: try values.bool("signal") ?? true)
        case "pty": kind = .pty
        case "file": kind = .file(path: try values.path(name), appends: try values.bool("append") ?? false)
        case "pipe": kind = .pipe(path: try values.path(name))
        case "serial", "tty": kind = .serial(path: try values.path(name))
        case "socket": kind = .socket(try SocketOptions(&values))
        case "udp":
            let remote = SocketAddress.inet(host: values.value("host") ?? "", port: try values.port("port", of: name))
            let address = values.value("localaddr"), port = values.value("localport")
            let local = SocketAddress.inet(host: address ?? "", port: port ?? "0")
            kind = .udp(remote: remote, local: address ?? port == nil ? nil : local)
        default: kind = .null
        }
        isShared = try values.bool("mux") ?? false
        logFile = values.value("logfile")
        logAppends = try values.bool("logappend") ?? false
        if logAppends, logFile == nil { throw .wrong("logappend wants logfile=FILE") }
    }
}

/// What a socket does.
public struct SocketOptions: Equatable, Sendable {
    public var address: SocketAddress
    /// Others connect to it.
    public var isServer = false
    /// The machine starts when somebody has connected.
    public var waits = false
    /// Milliseconds until a client tries again; nil: it does not.
    public var reconnects: UInt64?
    public var sendsAtOnce = false

    public init(_ address: SocketAddress) { self.address = address }

    init(_ values: inout OptionValues) throws(CharSpecError) {
        if let path = values.value("path") {
            if values.has("host") || values.has("port") { throw .wrong("path goes without host and port") }
            address = .unix(path)
        } else if values.has("port") {
            address = .inet(host: values.value("host") ?? "", port: try values.port("port", of: "socket"))
        } else {
            throw .wrong("socket wants path=PATH, or host=HOST,port=PORT")
        }
        try take(&values)
    }

    /// Takes what does not concern the address.
    mutating func take(_ values: inout OptionValues) throws(CharSpecError) {
        if try values.bool("telnet") ?? false { throw .wrong("telnet is not supported; a plain socket is") }
        isServer = try values.bool("server") ?? false
        let wantsWait = try values.bool("wait")
        if wantsWait != nil, !isServer { throw .wrong("wait goes with server=on") }
        waits = isServer && wantsWait ?? true
        sendsAtOnce = try values.bool("nodelay") ?? false
        let seconds = try values.number("reconnect"), milliseconds = try values.number("reconnect-ms")
        if seconds != nil, milliseconds != nil { throw .wrong("reconnect and reconnect-ms exclude each other") }
        reconnects = milliseconds ?? seconds.map { $0 * 1000 }
        if reconnects == 0 { reconnects = nil }
        if reconnects != nil, isServer { throw .wrong("reconnect is for clients: it goes without server=on") }
    }
}
