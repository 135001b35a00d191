// The value of `-device`, but for `loader`, which is no device.

import EngineSetup
import SystemKit
import Virtio

struct DeviceOption: Sendable {
    let kind: VirtioKind
    let id: String?
    /// Number of the slot that it is to be in.
    let slot: Int?
    let properties: Properties

    private static let busPrefix = "virtio-mmio-bus."

    init(parsing text: String) throws(OptionError) {
        let parts = text.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let name = parts[0]
        guard let kind = VirtioKind.all.first(where: { $0.descriptor.name == name }) else {
            throw OptionError("there is no device '\(name)'; -device help lists them")
        }
        var own: [String] = []
        var id: String?
        var slot: Int?
        for part in parts.count > 1 ? parts[1].split(separator: ",").map(String.init) : [] {
            if part.hasPrefix("id=") {
                id = String(part.dropFirst(3))
            } else if part.hasPrefix("bus=") {
                let bus = part.dropFirst(4)
                slot = bus.hasPrefix(Self.busPrefix) ? Int(bus.dropFirst(Self.busPrefix.count)) : nil
                if slot == nil {
                    throw OptionError("\(name): there is no bus '\(bus)'; wanted \(Self.busPrefix)0 to 7")
                }
            } else {
                own.append(part)
            }
        }
        self.kind = kind
        self.id = id
        self.slot = slot
        do throws(PropertyError) {
            properties = try Properties(kind.descriptor, parsing: own.joined(separator: ","))
        } catch { throw OptionError("\(error)") }
        if let wrong = kind.check(properties) { throw OptionError("\(name): \(wrong)") }
    }

    /// Lines for `-device help`, or for `-device NAME,help`; nil: no help is asked for.
    static func help(_ text: String) -> String? {
        if text == "help" || text == "?" {
            let rows = VirtioKind.all.map { ("\($0.descriptor.name)", $0.descriptor.summary) }
            return "Devices that -device adds (-device NAME,help lists a device's properties):\n"
                + (rows + [("loader", "no device: puts a file or a word into memory")]).map {
                    "  \($0.0)\(String(repeating: " ", count: max(1, 22 - $0.0.count)))\($0.1)\n"
                }.joined()
        }
        let parts = text.split(separator: ",")
        guard parts.dropFirst().contains("help") || parts.dropFirst().contains("?") else { return nil }
        return VirtioKind.all.first { $0.descriptor.name == parts[0] }?.descriptor.help
    }
}
