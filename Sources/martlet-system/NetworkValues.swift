// The options of networks between machines: addresses as QEMU's `-netdev stream`, `dgram` and `socket` take them.

import CharLayer
import EngineSetup
import HostOS
import NetLayer
import Options

/// Values that are taken one after the other; what is left is not known.
struct NetworkValues {
    private let type: String
    private var list = OptionList()

    init(_ type: String, _ pairs: [(key: String, value: String)]) {
        self.type = type
        for (key, value) in pairs { list.add(key, value) }
    }

    mutating func take(_ key: String) -> String? { list.take(key) }

    mutating func number(_ key: String) throws(OptionError) -> Int {
        let text = take(key) ?? ""
        guard let number = UInt16(text) else { throw OptionError("\(key)=\(text): wanted a number up to 65535") }
        return Int(number)
    }

    mutating func flag(_ key: String) throws(OptionError) -> Bool {
        try take(key).map { (value) throws(OptionError) in try isOn(value, of: key) } ?? false
    }

    func end() throws(OptionError) { try list.end(type) }

    // MARK: stream and dgram

    private enum Address {
        case socket(SocketAddress)
        case descriptor(Int32)
    }

    /// PREFIX.type=inet|unix|fd and what belongs to it; nil: there is no such address.
    private mutating func takeAddress(_ prefix: String, wantsPort: Bool = true) throws(OptionError) -> Address? {
        let kind = take("\(prefix).type"), host = take("\(prefix).host"), port = take("\(prefix).port")
        let path = take("\(prefix).path"), descriptor = take("\(prefix).str")
        switch kind {
        case nil where host ?? port ?? path ?? descriptor == nil: return nil
        case "inet":
            if let port, !port.isEmpty { return .socket(.inet(host: host ?? "", port: port)) }
            if !wantsPort { return .socket(.inet(host: host ?? "", port: "0")) }
            throw OptionError("\(type) wants \(prefix).port=PORT")
        case "unix":
            guard let path, !path.isEmpty else { throw OptionError("\(type) wants \(prefix).path=PATH") }
            return .socket(.unix(path))
        case "fd":
            return .descriptor(try Self.descriptor(descriptor ?? "", "\(prefix).str"))
        default: throw OptionError("\(prefix).type=\(kind ?? ""): wanted inet, unix or fd")
        }
    }

    private static func descriptor(_ text: String, _ key: String) throws(OptionError) -> Int32 {
        guard let number = Int32(text), number > 2 else {
            throw OptionError("\(key)=\(text): wanted the number of an open file, from 3 on")
        }
        return number
    }

    mutating func takeStream() throws(OptionError) -> StreamNetwork.Place {
        let isServer = try flag("server")
        let time =
            take("reconnect-ms").map { ("reconnect-ms", $0, 1) } ?? take("reconnect").map { ("reconnect", $0, 1000) }
        switch try takeAddress("addr") {
        case nil: throw OptionError("stream wants addr.type=inet|unix|fd and what belongs to it")
        case .descriptor(let number):
            if isServer || time != nil { throw OptionError("addr.type=fd goes without server and reconnect-ms") }
            return .descriptor(number)
        case .socket(let address):
            var options = SocketOptions(address)
            options.isServer = isServer
            options.sendsAtOnce = true
            if let (key, text, scale) = time {
                guard let number = UInt32(text) else { throw OptionError("\(key)=\(text): wanted a number") }
                if isServer { throw OptionError("\(key) is for clients: it goes without server=on") }
                options.reconnects = number == 0 ? nil : UInt64(number) * UInt64(scale)
            }
            return .socket(options)
        }
    }

    mutating func takeDatagrams() throws(OptionError) -> PacketNetwork.Place {
        let remote = try takeAddress("remote")
        let isGroup = if case .socket(.inet(let host, _)) = remote { Self.isGroup(host) } else { false }
        switch (try takeAddress("local", wantsPort: !isGroup), remote) {
        case (.descriptor(let number)?, nil): return .descriptor(number)
        case (let local, .socket(let group)?) where isGroup:
            guard case .socket(.inet(let host, _))? = local else { return .group(group, interface: nil) }
            return .group(group, interface: try Self.interface(host, "local.host"))
        case (.socket(let local)?, nil): return .between(local: local, remote: nil)
        case (.socket(let local)?, .socket(let remote)?):
            switch (local, remote) {
            case (.unix, .unix), (.inet, .inet): return .between(local: local, remote: remote)
            default: throw OptionError("dgram: local.type and remote.type are to be the same")
            }
        default:
            throw OptionError(
                "dgram wants local.type=inet|unix|fd and what belongs to it, and remote.type; or a group as remote.host"
            )
        }
    }

    private static func isGroup(_ host: String) -> Bool {
        IPv4(host).map { 0xe000_0000...0xefff_ffff ~= $0.value } ?? false
    }

    private static func interface(_ text: String, _ key: String) throws(OptionError) -> IPv4? {
        if text.isEmpty { return nil }
        guard let address = IPv4(text) else { throw OptionError("\(key)=\(text): wanted an address such as 127.0.0.1") }
        return address
    }

    // MARK: tap

    /// Scripts would be run with the rights of the user: they are left to who makes the interface.
    mutating func takeTap() throws(OptionError) -> PacketNetwork.Place {
        if try flag("vhost") { throw OptionError("tap: vhost=on is not supported; wanted vhost=off") }
        for key in ["vhostfd", "vhostfds", "helper", "br"] {
            if let value = take(key) { throw OptionError("tap: \(key)=\(value) is not supported; leave it out") }
        }
        let hasHeaders = try flag("vnet_hdr"), queues = take("queues"), descriptors = take("fds")
        let name = take("ifname"), descriptor = take("fd")
        let script = take("script"), downScript = take("downscript")
        if let given = descriptor ?? descriptors {
            let key = descriptor == nil ? "fds" : "fd"
            if name ?? script ?? downScript ?? queues != nil || descriptor != nil && descriptors != nil {
                throw OptionError("tap: \(key) goes without ifname, script, downscript, queues and other descriptors")
            }
            let texts =
                key == "fd" ? [given] : given.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            var list: [Int32] = []
            for text in texts { list.append(try Self.descriptor(text, key)) }
            return .tapDescriptors(list)
        }
        guard script == "no", downScript == nil || downScript == "no" else {
            throw OptionError(
                "tap: no script is run when the interface is opened or closed; wanted script=no,downscript=no")
        }
        if let name, name.isEmpty || name.utf8.count > HostTap.longestName {
            throw OptionError("tap: ifname=\(name): wanted a name of 1 to \(HostTap.longestName) bytes")
        }
        guard let count = Int(queues ?? "1"), 1...HostTap.mostQueues ~= count else {
            throw OptionError("tap: queues=\(queues ?? ""): wanted 1 to \(HostTap.mostQueues)")
        }
        return .tap(name: name, queues: count, hasHeaders: hasHeaders)
    }

    // MARK: the older socket

    mutating func takeSocket() throws(OptionError) -> NetworkOption.Kind {
        let ways = ["fd", "listen", "connect", "mcast", "udp"]
        let given = ways.compactMap { key in take(key).map { (key, $0) } }
        let local = take("localaddr")
        guard given.count == 1, let (key, value) = given.first else {
            throw OptionError("socket wants exactly one of \(ways.joined(separator: "=, "))=")
        }
        if local != nil, !["mcast", "udp"].contains(key) { throw OptionError("localaddr goes with mcast and udp") }
        switch key {
        case "fd":
            let number = try Self.descriptor(value, "fd")
            return HostSocket.kind(number) == .stream ? .stream(.descriptor(number)) : .packets(.descriptor(number))
        case "mcast":
            let interface = try local.map { (text) throws(OptionError) in try Self.interface(text, "localaddr") }
            return .packets(.group(try Self.address(value, key), interface: interface ?? nil))
        case "udp":
            guard let local else { throw OptionError("udp wants localaddr=HOST:PORT") }
            return .packets(
                .between(local: try Self.address(local, "localaddr"), remote: try Self.address(value, key)))
        default:
            var options = SocketOptions(try Self.address(value, key))
            options.isServer = key == "listen"
            options.sendsAtOnce = true
            return .stream(.socket(options))
        }
    }

    private static func address(_ text: String, _ key: String) throws(OptionError) -> SocketAddress {
        do throws(OptionError) { return try SocketAddress(parsing: text) } catch {
            throw OptionError("\(key)=\(error.message)")
        }
    }
}
