// What `-chardev` describes: a back end, its options, and what holds for all of them.

import Options

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
        /// The last bytes of what is said, for the monitor.
        case ring(size: Int)
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

    /// What makes each back end of its options.
    private static let kinds: [(name: String, make: @Sendable (inout OptionList) throws(OptionError) -> Kind)] = [
        ("null", { _ throws(OptionError) in .null }),
        ("stdio", { (list) throws(OptionError) in .stdio(keepsSignals: try list.takeFlag("signal") ?? true) }),
        ("pty", { _ throws(OptionError) in .pty }),
        (
            "file",
            { (list) throws(OptionError) in
                .file(path: try path("file", &list), appends: try list.takeFlag("append") ?? false)
            }
        ),
        ("pipe", { (list) throws(OptionError) in .pipe(path: try path("pipe", &list)) }),
        ("serial", { (list) throws(OptionError) in .serial(path: try path("serial", &list)) }),
        ("tty", { (list) throws(OptionError) in .serial(path: try path("tty", &list)) }),
        ("socket", { (list) throws(OptionError) in .socket(try SocketOptions(&list)) }),
        (
            "udp",
            { (list) throws(OptionError) in
                let remote = SocketAddress.inet(host: list.take("host") ?? "", port: try port("udp", &list))
                let address = list.take("localaddr"), port = list.take("localport")
                let local = SocketAddress.inet(host: address ?? "", port: port ?? "0")
                return .udp(remote: remote, local: address ?? port == nil ? nil : local)
            }
        ),
        ("ringbuf", { (list) throws(OptionError) in .ring(size: try ringSize(&list)) }),
        ("memory", { (list) throws(OptionError) in .ring(size: try ringSize(&list)) }),
    ]
    /// Back ends of QEMU that Martlet has not.
    private static let absent: Set = [
        "vc", "parallel", "parport", "mux", "msmouse", "wctablet", "testdev", "braille", "spicevmc", "spiceport",
        "dbus",
        "qemu-vdagent", "hub",
    ]

    public static var names: String { kinds.map(\.name).joined(separator: ", ") }
    public static var help: String { "Available chardev backend types:\n" + kinds.map { "  \($0.name)\n" }.joined() }

    /// The value of `-chardev`: BACKEND,id=ID,NAME=VALUE...
    public static func parse(_ text: String) throws(OptionError) -> (id: String, device: CharDevice) {
        var list = try OptionList(parsing: text, implied: "backend")
        let name = list.take("backend") ?? "", id = list.take("id")
        let device = try CharDevice(backend: name, &list)
        guard let id, !id.isEmpty else { throw OptionError("no id; wanted \(name),id=ID") }
        return (id, device)
    }

    private init(backend name: String, _ list: inout OptionList) throws(OptionError) {
        guard let row = Self.kinds.first(where: { $0.name == name }) else {
            throw OptionError(
                Self.absent.contains(name)
                    ? "back end '\(name)' is not supported; there are \(Self.names)"
                    : "'\(name)' is no back end; there are \(Self.names)")
        }
        kind = try row.make(&list)
        isShared = try list.takeFlag("mux") ?? false
        logFile = list.take("logfile")
        logAppends = try list.takeFlag("logappend") ?? false
        try list.end(name)
        if logAppends, logFile == nil { throw OptionError("logappend wants logfile=FILE") }
    }

    private static func path(_ backend: String, _ list: inout OptionList) throws(OptionError) -> String {
        guard let path = list.take("path"), !path.isEmpty else { throw OptionError("\(backend) wants path=PATH") }
        return path
    }

    fileprivate static func port(_ backend: String, _ list: inout OptionList) throws(OptionError) -> String {
        guard let port = list.take("port"), !port.isEmpty else { throw OptionError("\(backend) wants port=PORT") }
        return port
    }

    /// 0 means the usual size.
    private static func ringSize(_ list: inout OptionList) throws(OptionError) -> Int {
        let size = try list.takeSize("size") ?? 0
        if size == 0 { return RingBackend.usualSize }
        guard size.nonzeroBitCount == 1, size <= RingBackend.largestSize else {
            throw OptionError("size=\(size): wanted a power of two, up to 1G")
        }
        return Int(size)
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

    init(_ list: inout OptionList) throws(OptionError) {
        if let path = list.take("path") {
            if list.has("host") || list.has("port") { throw OptionError("path goes without host and port") }
            address = .unix(path)
        } else if list.has("port") {
            address = .inet(host: list.take("host") ?? "", port: try CharDevice.port("socket", &list))
        } else {
            throw OptionError("socket wants path=PATH, or host=HOST,port=PORT")
        }
        try take(&list)
    }

    /// Takes what does not concern the address.
    mutating func take(_ list: inout OptionList) throws(OptionError) {
        if try list.takeFlag("telnet") ?? false {
            throw OptionError("telnet is not supported; a plain socket is")
        }
        isServer = try list.takeFlag("server") ?? false
        let wantsWait = try list.takeFlag("wait")
        if wantsWait != nil, !isServer { throw OptionError("wait goes with server=on") }
        waits = isServer && wantsWait ?? true
        sendsAtOnce = try list.takeFlag("nodelay") ?? false
        let longest = Int(UInt32.max)
        let seconds = try list.takeNumber("reconnect", 0...longest)
        let milliseconds = try list.takeNumber("reconnect-ms", 0...longest)
        if seconds != nil, milliseconds != nil {
            throw OptionError("reconnect and reconnect-ms exclude each other")
        }
        reconnects = (milliseconds ?? seconds.map { $0 * 1000 }).map { UInt64($0) }
        if reconnects == 0 { reconnects = nil }
        if reconnects != nil, isServer { throw OptionError("reconnect is for clients: it goes without server=on") }
    }
}
