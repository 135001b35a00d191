// What `-serial` and `-monitor` take: QEMU's short forms.

import Options

public enum CharSpecError: Error, Equatable, CustomStringConvertible {
    case wrong(String)
    case cannotOpen(String, reason: String)

    public var description: String {
        switch self {
        case .wrong(let text): text
        case .cannotOpen(let what, let reason): "cannot open '\(what)': \(reason)"
        }
    }
}

public enum CharSpec: Equatable, Sendable {
    /// Nothing there at all.
    case none
    /// One that `-chardev` has made.
    case named(String)
    case device(CharDevice)

    public static let null = CharSpec.device(CharDevice(.null))
    public static let stdio = CharSpec.device(CharDevice(.stdio(keepsSignals: true)))
    /// Standard input and output, shared with the monitor.
    public static let sharedStdio = CharSpec.device(CharDevice(.stdio(keepsSignals: false), isShared: true))

    /// Shared with the monitor: `mon:`.
    public var isShared: Bool { if case .device(let device) = self { device.isShared } else { false } }

    static let forms =
        "none, null, stdio, pty, file:PATH, pipe:PATH, unix:PATH, tcp:HOST:PORT, udp:HOST:PORT@HOST:PORT, /dev/NAME, "
        + "chardev:ID and mon:FORM"

    public init(parsing text: String) throws(OptionError) {
        if text == "none" {
            self = .none
        } else if text.hasPrefix("chardev:") {
            self = .named(try Self.rest(text, "ID"))
        } else if text.hasPrefix("mon:") {
            guard case .device(var device) = try CharSpec(parsing: String(text.dropFirst(4))) else {
                throw OptionError(
                    "'\(text)': mon: wants a form that opens something, as mon:stdio; -mon shares a chardev")
            }
            device.isShared = true
            if case .stdio = device.kind { device.kind = .stdio(keepsSignals: false) }
            self = .device(device)
        } else {
            self = .device(try Self.device(text))
        }
    }

    private static func device(_ text: String) throws(OptionError) -> CharDevice {
        switch text {
        case "null": return CharDevice(.null)
        case "stdio": return CharDevice(.stdio(keepsSignals: true))
        case "pty": return CharDevice(.pty)
        default: break
        }
        if text.hasPrefix("/dev/") { return CharDevice(.serial(path: text)) }
        switch text.prefix(while: { $0 != ":" }) {
        case "file" where text.contains(":"): return CharDevice(.file(path: try rest(text, "PATH"), appends: false))
        case "pipe" where text.contains(":"): return CharDevice(.pipe(path: try rest(text, "PATH")))
        case "unix" where text.contains(":"): return try socket(try rest(text, "PATH")) { .unix($0) }
        case "tcp" where text.contains(":"):
            return try socket(try rest(text, "HOST:PORT")) { (name) throws(OptionError) in
                try SocketAddress(parsing: name)
            }
        case "udp" where text.contains(":"):
            let halves = try rest(text, "HOST:PORT").split(
                separator: "@", maxSplits: 1, omittingEmptySubsequences: false
            ).map(String.init)
            return CharDevice(
                .udp(
                    remote: try SocketAddress(parsing: halves[0]),
                    local: halves.count == 2 ? try SocketAddress(parsing: halves[1]) : nil))
        case "telnet", "websocket", "tn3270":
            throw OptionError("'\(text)': telnet and web sockets are not supported; tcp: is")
        case "vc", "msmouse", "braille", "con":
            throw OptionError("'\(text)' is not supported; \(forms) are character devices")
        default: throw OptionError("'\(text)' is no character device: \(forms) are")
        }
    }

    private static func socket(
        _ text: String, _ address: (String) throws(OptionError) -> SocketAddress
    ) throws(OptionError) -> CharDevice {
        let parts = splitAtCommas(text)
        var list = OptionList(Array(parts.dropFirst())), options = SocketOptions(try address(parts[0]))
        try options.take(&list)
        try list.end("a socket")
        return CharDevice(.socket(options))
    }

    /// What comes behind the colon.
    private static func rest(_ text: String, _ what: String) throws(OptionError) -> String {
        let rest = text.drop { $0 != ":" }.dropFirst()
        if rest.isEmpty { throw OptionError("'\(text)' wants \(text)\(what)") }
        return String(rest)
    }
}
