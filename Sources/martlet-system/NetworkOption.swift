// The values of `-netdev`, `-nic` and `-net`: what a network card's cable leads to.

import CharLayer
import EngineSetup
import NetLayer
import Options

struct NetworkOption: Sendable {
    enum Kind: Sendable {
        case user(UserNetworkSpec)
        case stream(StreamNetwork.Place)
        case packets(PacketNetwork.Place)
        /// A port of a hub; `netdev`: the back end that is connected to it in place of a card.
        case hubPort(hub: Int, netdev: String?)
    }
    let id: String
    /// Nil: there is a card alone, of a back end that another option makes.
    let kind: Kind?
    /// `-nic` and `-net nic` add a card: the value of a `-device`.
    private(set) var card: String?

    var isHubPort: Bool { if case .hubPort = kind { true } else { false } }

    /// The character devices that it uses.
    var characterDevices: [CharSpec] { if case .user(let spec) = kind { spec.characterDevices } else { [] } }

    private typealias Pairs = [(key: String, value: String)]

    private typealias Row = (name: String, make: @Sendable (Pairs) throws(OptionError) -> Kind)

    /// What makes each type of what stands behind its name.
    private static let types: [Row] = [
        ("user", { (pairs) throws(OptionError) in .user(try user(pairs)) }),
        row("stream") { (values) throws(OptionError) in .stream(try values.takeStream()) },
        row("dgram") { (values) throws(OptionError) in .packets(try values.takeDatagrams()) },
        row("socket") { (values) throws(OptionError) in try values.takeSocket() },
        row("tap") { (values) throws(OptionError) in .packets(try values.takeTap()) },
        row("hubport") { (values) throws(OptionError) in
            .hubPort(hub: try values.number("hubid"), netdev: values.take("netdev"))
        },
    ]

    /// A type whose values are all taken.
    private static func row(
        _ name: String, _ take: @escaping @Sendable (inout NetworkValues) throws(OptionError) -> Kind
    ) -> Row {
        let make: @Sendable (Pairs) throws(OptionError) -> Kind = { (pairs) throws(OptionError) in
            var values = NetworkValues(name, pairs)
            let kind = try take(&values)
            try values.end()
            return kind
        }
        return (name, make)
    }

    /// Types of QEMU that Martlet has not.
    private static let absent: Set = [
        "bridge", "l2tpv3", "vde", "vhost-user", "vhost-vdpa", "netmap", "af-xdp", "passt",
    ]

    static var names: String { types.map(\.name).joined(separator: ", ") }
    static var help: String { "Available netdev backend types:\n" + types.map { "  \($0.name)\n" }.joined() }
    private static var wanted: String { "TYPE[,PROP=VALUE...] with one of the types \(names)" }

    private init(id: String, _ kind: Kind?, card: String? = nil) {
        self.id = id
        self.kind = kind
        self.card = card
    }

    /// `-netdev TYPE,id=ID,...`
    init(netdev text: String) throws(OptionError) {
        let (type, pairs) = try Self.split(text)
        guard let id = pairs.first(where: { $0.key == "id" })?.value, !id.isEmpty else {
            throw OptionError("no identifier; wanted \(type),id=ID[,PROP=VALUE...]")
        }
        self.init(id: id, try Self.kind(type, pairs.filter { $0.key != "id" }))
    }

    /// `-nic TYPE,...`; nil: `none`.
    init?(nic text: String, number: Int) throws(OptionError) {
        let (type, pairs) = try Self.split(text)
        if type == "none" { return nil }
        let ofCard = pairs.filter { ["mac", "model", "id"].contains($0.key) }
        let id = ofCard.first { $0.key == "id" }?.value ?? "#nic\(number)"
        let kind = try Self.kind(type, pairs.filter { pair in !ofCard.contains { $0.key == pair.key } })
        self.init(id: id, kind, card: try Self.card(netdev: id, ofCard))
    }

    /// `-net nic,...` is a card, `-net TYPE,...` a back end: all are connected to hub 0. None: `none`.
    static func old(_ text: String, number: Int) throws(OptionError) -> [NetworkOption] {
        let (type, pairs) = try split(text), port = "#hub0-\(number)"
        switch type {
        case "none": return []
        case "nic":
            let known = ["netdev", "macaddr", "model", "name", "addr", "vectors"]
            if let unknown = pairs.first(where: { !known.contains($0.key) }) {
                throw OptionError("'\(unknown.key)' is no option of nic; there are \(known.joined(separator: ", "))")
            }
            let netdev = pairs.first { $0.key == "netdev" }?.value
            let ofCard = pairs.map { $0.key == "macaddr" ? (key: "mac", value: $0.value) : $0 }
            let card = try card(netdev: netdev ?? port, ofCard.filter { ["mac", "model"].contains($0.key) })
            return [NetworkOption(id: port, netdev == nil ? .hubPort(hub: 0, netdev: nil) : nil, card: card)]
        default:
            let id = pairs.first { ["id", "name"].contains($0.key) }?.value ?? "#net\(number)"
            let kind = try kind(type, pairs.filter { !["id", "name"].contains($0.key) })
            return [NetworkOption(id: id, kind), NetworkOption(id: port, .hubPort(hub: 0, netdev: id))]
        }
    }

    private static func card(netdev: String, _ pairs: Pairs) throws(OptionError) -> String {
        let model = pairs.first { $0.key == "model" }?.value ?? "virtio-net-pci"
        guard let name = models[model] else {
            throw OptionError("model=\(model): wanted virtio-net-pci or virtio-net-device")
        }
        return ([name, "netdev=\(netdev)"] + pairs.filter { $0.key == "mac" }.map { "mac=\($0.value)" })
            .joined(separator: ",")
    }

    /// Devices by what `model=` calls them.
    private static let models = [
        "virtio": "virtio-net-pci", "virtio-net": "virtio-net-pci", "virtio-net-pci": "virtio-net-pci",
        "virtio-net-device": "virtio-net-device",
    ]

    private static func split(_ text: String) throws(OptionError) -> (String, Pairs) {
        var pairs = try keyedValues(text, implied: "type", wanted: wanted)
        guard let first = pairs.first, first.key == "type" else { throw OptionError("no type; wanted \(wanted)") }
        pairs.removeFirst()
        return (first.value, pairs)
    }

    private static func kind(_ type: String, _ pairs: Pairs) throws(OptionError) -> Kind {
        if let row = types.first(where: { $0.name == type }) { return try row.make(pairs) }
        if absent.contains(type) { throw OptionError("'\(type)' is not supported; there are \(names)") }
        throw OptionError("'\(type)' is not known; wanted \(wanted)")
    }

    private static func user(_ pairs: Pairs) throws(OptionError) -> UserNetworkSpec {
        var spec = UserNetworkSpec()
        do throws(NetError) {
            for (key, value) in pairs { try spec.set(key, value) }
            try spec.check()
        } catch { throw OptionError(error.description) }
        return spec
    }
}
