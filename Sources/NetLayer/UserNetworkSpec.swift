// What `-netdev user` takes.

import CharLayer
import Options

/// A port of the host's that leads to one of the guest's.
public struct PortForward: Equatable, Sendable {
    public var isUDP = false
    /// Nil: any of the host's addresses.
    public var hostAddress: IPv4?
    public var hostPort: UInt16
    /// Nil: the first that the guest gets by DHCP.
    public var guestAddress: IPv4?
    public var guestPort: UInt16

    /// `[tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT`
    public init?(_ text: some StringProtocol) {
        let fields = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard fields.count == 2, ["", "tcp", "udp"].contains(fields[0]) else { return nil }
        isUDP = fields[0] == "udp"
        let ends = fields[1].split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let host = Self.end(ends[0]), let guest = Self.end(ends[1]), guest.port > 0 else {
            return nil
        }
        (hostAddress, hostPort) = (host.address, host.port)
        (guestAddress, guestPort) = (guest.address, guest.port)
    }

    private static func end(_ text: some StringProtocol) -> (address: IPv4?, port: UInt16)? {
        let halves = text.split(separator: ":", omittingEmptySubsequences: false)
        guard halves.count == 2, let port = UInt16(halves[1]) else { return nil }
        if halves[0].isEmpty { return (nil, port) }
        return IPv4(halves[0]).map { ($0, port) }
    }
}

/// A port of the host's, as `hostfwd_remove` names it.
public struct ForwardedPort: Equatable, Sendable {
    public var isUDP = false
    public var address: IPv4?
    public var number: UInt16

    /// `[tcp|udp]:[ADDRESS]:PORT`
    public init?(_ text: some StringProtocol) {
        guard let forward = PortForward("\(text)-:1") else { return nil }
        (isUDP, address, number) = (forward.isUDP, forward.hostAddress, forward.hostPort)
    }
}

/// A port of a server that only the guest sees.
public struct GuestForward: Equatable, Sendable {
    public enum Target: Equatable, Sendable {
        /// Run for each connection, whose input and output it is.
        case command(String)
        /// What one connection after the other leads to.
        case device(CharSpec)
    }
    public var address: IPv4
    public var port: UInt16
    public var target: Target

    /// `[tcp]:ADDRESS:PORT-cmd:COMMAND` or `[tcp]:ADDRESS:PORT-FORM`, a form of `-serial`.
    public init?(_ text: some StringProtocol) throws(OptionError) {
        let halves = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let fields = halves[0].split(separator: ":", omittingEmptySubsequences: false), prefix = "cmd:"
        guard halves.count == 2, fields.count == 3, ["", "tcp"].contains(fields[0]), let address = IPv4(fields[1]),
            let port = UInt16(fields[2]), port > 0, !halves[1].isEmpty, halves[1] != prefix
        else { return nil }
        self.address = address
        self.port = port
        target =
            halves[1].hasPrefix(prefix)
            ? .command(String(halves[1].dropFirst(prefix.count)))
            : .device(try CharSpec(parsing: String(halves[1])))
    }
}

public struct UserNetworkSpec: Sendable {
    public var network = IPv4Network("10.0.2.0/24")!
    public var host: IPv4?
    public var dns: IPv4?
    public var dhcpStart: IPv4?
    public var isRestricted = false
    public var hasIPv4 = true
    public var hasIPv6 = true
    public var hostname: String?
    public var domain: String?
    public var searchDomains: [String] = []
    public var tftpFolder: String?
    public var tftpServer: String?
    public var bootFile: String?
    public var forwards: [PortForward] = []
    public var guestForwards: [GuestForward] = []

    public init() {}

    public static let wanted =
        "net=ADDRESS[/BITS], host=ADDRESS, dns=ADDRESS, dhcpstart=ADDRESS, restrict=on|off, ipv4=on|off, ipv6=on|off, hostname=NAME, "
        + "domainname=NAME, dnssearch=NAME, tftp=FOLDER, tftp-server-name=NAME, bootfile=NAME, "
        + "hostfwd=tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT, guestfwd=tcp:ADDRESS:PORT-cmd:COMMAND|FORM"

    public mutating func set(_ key: String, _ value: String) throws(NetError) {
        func address() throws(NetError) -> IPv4 {
            guard let address = IPv4(value) else { throw wrong("an address such as 10.0.2.2") }
            return address
        }
        func flag() throws(NetError) -> Bool {
            guard let flag = ["on": true, "off": false, "yes": true, "no": false, "y": true, "n": false][value] else {
                throw wrong("on or off")
            }
            return flag
        }
        func wrong(_ wanted: String) -> NetError { NetError("\(key)=\(value): wanted \(wanted)") }
        switch key {
        case "net":
            guard let network = IPv4Network(value) else { throw wrong("a network such as 10.0.2.0/24") }
            self.network = network
        case "host": host = try address()
        case "dns": dns = try address()
        case "dhcpstart": dhcpStart = try address()
        case "restrict": isRestricted = try flag()
        case "ipv4": hasIPv4 = try flag()
        case "ipv6": hasIPv6 = try flag()
        case "hostname": hostname = value
        case "domainname": domain = value
        case "dnssearch": searchDomains.append(value)
        case "tftp": tftpFolder = value
        case "tftp-server-name": tftpServer = value
        case "bootfile": bootFile = value
        case "hostfwd":
            guard let forward = PortForward(value) else { throw wrong("tcp:[ADDRESS]:PORT-[ADDRESS]:PORT") }
            forwards.append(forward)
        case "guestfwd":
            do throws(OptionError) {
                guard let forward = try GuestForward(value) else {
                    throw OptionError("wanted tcp:ADDRESS:PORT-cmd:COMMAND, or a form of -serial in its place")
                }
                guestForwards.append(forward)
            } catch { throw NetError("\(key)=\(value): \(error.message)") }
        case "smb", "smbserver":
            throw NetError("\(key)=\(value): there is no server of shared folders; leave it out")
        default: throw NetError("user: '\(key)' is not known; wanted \(Self.wanted)")
        }
    }

    /// The character devices that it uses.
    public var characterDevices: [CharSpec] {
        guestForwards.compactMap { if case .device(let device) = $0.target { device } else { nil } }
    }

    /// Refuses what does not fit together.
    public func check() throws(NetError) {
        if !hasIPv4, !hasIPv6 { throw NetError("ipv4=off,ipv6=off: nothing is left; wanted one of them") }
        let inside =
            [("host", host), ("dns", dns), ("dhcpstart", dhcpStart)] + guestForwards.map { ("guestfwd", $0.address) }
        for (name, address) in inside {
            if let address, !network.contains(address) {
                throw NetError(
                    "\(name)=\(address): it is not in the network \(network.address), mask \(network.mask)"
                )
            }
        }
    }

    var hostAddress: IPv4 { host ?? network.host(2) }
    var dnsAddress: IPv4 { dns ?? network.host(3) }
    var dhcpAddress: IPv4 { dhcpStart ?? network.host(15) }
}
