// The value of `-object`: what is neither a device nor a back end, and that others name.

import BlockLayer
import EngineSetup
import NetLayer
import Options

struct ObjectOption: Sendable {
    enum Object: Sendable {
        case dump(DumpSpec)
        /// Random bytes: of a file; nil: of the host.
        case entropy(path: String?)
        /// A thread with a loop, for devices.
        case thread
        /// Limits that disks share.
        case throttle(ThrottleLimits)
    }
    let id: String
    let object: Object

    private struct Kind: Sendable {
        let name: String
        let properties: String
        let summary: String
        let make: @Sendable (inout OptionList) throws(OptionError) -> Object
    }

    private static let kinds: [Kind] = [
        Kind(
            name: "filter-dump", properties: "netdev=ID,file=FILE,maxlen=N,queue=all|rx|tx",
            summary: "write the frames of a network to a file, for tcpdump"
        ) { (list) throws(OptionError) in .dump(try DumpSpec(&list)) },
        Kind(name: "iothread", properties: "", summary: "a thread for devices that name it: iothread=ID") {
            _ throws(OptionError) in .thread
        },
        Kind(name: "rng-builtin", properties: "", summary: "random bytes of the host") { _ throws(OptionError) in
            .entropy(path: nil)
        },
        Kind(name: "rng-random", properties: "filename=FILE", summary: "random bytes of a file") {
            (list) throws(OptionError) in .entropy(path: list.take("filename") ?? "/dev/urandom")
        },
        Kind(
            name: "throttle-group", properties: "x-PROP=VALUE...",
            summary: "limits that disks share: x-bps-total, x-iops-total and their kin"
        ) { (list) throws(OptionError) in
            var limits = list.takeNested("limits")
            if limits.isEmpty { return .throttle(try ThrottleLimits(&list, prefix: "x-")) }
            let nested = try ThrottleLimits(&limits)
            try limits.end("limits")
            return .throttle(nested)
        },
    ]

    private static var names: String { kinds.map(\.name).joined(separator: ", ") }

    static var help: String {
        "Objects that -object makes:\n"
            + kinds.map { kind in
                "  \([kind.name, "id=ID", kind.properties].filter { !$0.isEmpty }.joined(separator: ","))  \(kind.summary)\n"
            }.joined()
    }

    init(parsing text: String) throws(OptionError) {
        var list = try OptionList(parsing: text, implied: "qom-type")
        guard let name = list.take("qom-type"), !name.isEmpty else {
            throw OptionError("no kind; wanted one of \(Self.names)")
        }
        guard let kind = Self.kinds.first(where: { $0.name == name }) else {
            throw OptionError("there is no object '\(name)'; wanted one of \(Self.names)")
        }
        guard let id = list.take("id"), !id.isEmpty else { throw OptionError("no id; wanted \(name),id=ID") }
        self.id = id
        object = try kind.make(&list)
        try list.end(name)
    }
}

struct DumpSpec: Sendable {
    let network: String
    let file: String
    let longest: UInt32
    let directions: PacketDump.Directions

    /// Frames are no longer than that.
    private static let usualLongest: UInt64 = 65536

    fileprivate init(_ list: inout OptionList) throws(OptionError) {
        let network = list.take("netdev"), length = list.take("maxlen"), queue = list.take("queue") ?? "all"
        file = list.take("file") ?? "qemu-vlan0.pcap"
        guard let network, !network.isEmpty else { throw OptionError("filter-dump wants netdev=ID, of a -netdev") }
        self.network = network
        guard let size = length.map({ parseSize($0, unit: 1) }) ?? Self.usualLongest,
            let longest = UInt32(exactly: size),
            longest > 0
        else { throw OptionError("maxlen=\(length ?? ""): wanted a number of bytes") }
        self.longest = longest
        guard
            let directions = ["all": [.received, .sent], "rx": .received, "tx": .sent][queue] as PacketDump.Directions?
        else { throw OptionError("queue=\(queue): wanted all, rx or tx") }
        self.directions = directions
    }
}

let objectOptions: [CommandOption<SystemCommandLine>] = [
    CommandOption(
        "object", argument: "KIND,id=ID[,PROP=VALUE...]",
        help:
            "what devices and back ends name: filter-dump, iothread, rng-builtin, rng-random, throttle-group; -object help lists properties"
    ) { (line, value) throws(OptionError) in
        if value == "help" || value == "?" { return line.objectHelp = ObjectOption.help }
        let option = try ObjectOption(parsing: value)
        if case .throttle(let limits) = option.object {
            line.block.groups.append((option.id, limits))
        } else {
            line.objects.append(option)
        }
    }
]
