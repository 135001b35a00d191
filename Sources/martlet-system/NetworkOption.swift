// The values of `-netdev` and `-nic`: what a network card's cable leads to.

import EngineSetup
import NetLayer
import Options

struct NetworkOption: Sendable {
    let id: String
    let user: UserNetworkSpec
    /// `-nic` adds a card: the value of a `-device`.
    private(set) var card: String?

    private static let wanted = "user[,PROP=VALUE...]; others do not exist yet"

    /// `-netdev TYPE,id=ID,...`
    init(netdev text: String) throws(OptionError) {
        let (type, pairs) = try Self.split(text)
        guard let id = pairs.first(where: { $0.key == "id" })?.value, !id.isEmpty else {
            throw OptionError("no identifier; wanted \(type),id=ID[,PROP=VALUE...]")
        }
        self.id = id
        user = try Self.user(type, pairs.filter { $0.key != "id" })
    }

    /// `-nic TYPE,...`; nil: `none`.
    init?(nic text: String, number: Int) throws(OptionError) {
        let (type, pairs) = try Self.split(text)
        if type == "none" { return nil }
        let ofCard = pairs.filter { ["mac", "model", "id"].contains($0.key) }
        let model = ofCard.first { $0.key == "model" }?.value ?? "virtio-net-pci"
        guard let name = Self.models[model] else {
            throw OptionError("model=\(model): wanted virtio-net-pci or virtio-net-device")
        }
        id = ofCard.first { $0.key == "id" }?.value ?? "#nic\(number)"
        user = try Self.user(type, pairs.filter { pair in !ofCard.contains { $0.key == pair.key } })
        card = ([name, "netdev=\(id)"] + ofCard.filter { $0.key == "mac" }.map { "mac=\($0.value)" }).joined(
            separator: ",")
    }

    /// Devices by what `model=` calls them.
    private static let models = [
        "virtio": "virtio-net-pci", "virtio-net": "virtio-net-pci", "virtio-net-pci": "virtio-net-pci",
        "virtio-net-device": "virtio-net-device",
    ]

    private static func split(_ text: String) throws(OptionError) -> (String, [(key: String, value: String)]) {
        var pairs = try keyedValues(text, implied: "type", wanted: wanted)
        guard let first = pairs.first, first.key == "type" else { throw OptionError("no type; wanted \(wanted)") }
        pairs.removeFirst()
        return (first.value, pairs)
    }

    private static func user(_ type: String, _ pairs: [(key: String, value: String)]) throws(OptionError)
        -> UserNetworkSpec
    {
        guard type == "user" else { throw OptionError("'\(type)' is not known; wanted \(wanted)") }
        var spec = UserNetworkSpec()
        do throws(NetError) {
            for (key, value) in pairs { try spec.set(key, value) }
            try spec.check()
        } catch { throw OptionError(error.description) }
        return spec
    }
}
