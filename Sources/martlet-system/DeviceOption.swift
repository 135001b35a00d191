// The value of `-device`, but for `loader`, which is no device.

import CharLayer
import EngineSetup
import Options
import PCI
import SystemKit
import Virtio

/// A device as `-device` names it: a kind, and what connects it to the machine.
struct AddedKind: Sendable {
    enum Connection: Sendable {
        case memory(VirtioDevice.Type)
        case pci(VirtioDevice.Type)
        /// By another device.
        case bus(VirtioBus)
    }
    /// The first one is the one that is shown.
    let names: [String]
    let type: Device.Type
    let connection: Connection
    /// Properties of all that it consists of.
    let descriptor: DeviceDescriptor
    /// What is wrong with a combination of properties; nil: nothing.
    let check: @Sendable (Properties) -> String?

    static let all =
        VirtioKind.all.map { AddedKind(inMemory: $0) } + VirtioKind.all.map { AddedKind(onPCI: $0) }
        + PluggedKind.all.map { AddedKind($0) }

    private init(inMemory kind: VirtioKind) {
        names = [kind.descriptor.name]
        type = kind.type
        connection = .memory(kind.type)
        descriptor = kind.descriptor
        check = kind.check
    }

    private init(onPCI kind: VirtioKind) {
        let own = kind.descriptor, suffix = "-device"
        let base = own.name.hasSuffix(suffix) ? String(own.name.dropLast(suffix.count)) : own.name
        names = [base + "-pci", base + "-pci-non-transitional", base]
        type = kind.type
        connection = .pci(kind.type)
        descriptor = DeviceDescriptor(base + "-pci", own.summary, own.properties + VirtioPCI.descriptor.properties)
        check = kind.check
    }

    private init(_ kind: PluggedKind) {
        names = [kind.type.descriptor.name]
        type = kind.type
        connection = .bus(kind.bus)
        descriptor = kind.type.descriptor
        check = kind.check
    }

    /// Where such devices go.
    var group: String {
        switch connection {
        case .memory: "Devices in memory (bus virtio-mmio-bus)"
        case .pci: "Devices on PCI (bus pcie.0)"
        case .bus(let bus): "Devices of others (bus \(bus.rawValue))"
        }
    }

    static func named(_ name: String) -> AddedKind? { all.first { $0.names.contains(name) } }
}

struct DeviceOption: Sendable {
    /// Where it is to be.
    enum Place: Sendable, Equatable {
        /// Number of a slot in memory.
        case memory(Int?)
        case pci(PCIAddress?)
        /// The name of a bus.
        case bus(String?)
    }
    let kind: AddedKind
    let id: String?
    let place: Place
    let properties: Properties
    /// All that it was told.
    let given: OptionList

    private static let memoryBus = "virtio-mmio-bus.", pciBus = "pcie.0"

    init(parsing text: String) throws(OptionError) {
        try self.init(OptionList(parsing: text, implied: "driver"))
    }

    init(_ given: OptionList) throws(OptionError) {
        self.given = given
        var list = given
        guard let name = list.take("driver") else { throw OptionError("no driver; -device help lists them") }
        guard let kind = AddedKind.named(name) else {
            throw OptionError("there is no device '\(name)'; -device help lists them")
        }
        self.kind = kind
        id = list.take("id")
        let bus = list.take("bus")
        do throws(PropertyError) { properties = try Properties(kind.descriptor, list) } catch {
            throw OptionError("\(error)")
        }
        if let wrong = kind.check(properties) { throw OptionError("\(name): \(wrong)") }
        switch kind.connection {
        case .bus: place = .bus(bus)
        case .memory: place = .memory(try Self.slot(bus, name))
        case .pci:
            if let bus, bus != Self.pciBus {
                throw OptionError("\(name): there is no bus '\(bus)'; wanted \(Self.pciBus)")
            }
            place = .pci(try Self.address(properties.text("addr"), name))
        }
    }

    /// The character devices that it uses.
    var characterDevices: [CharSpec] {
        kind.descriptor.properties.compactMap { property in
            guard case .character = property.kind else { return nil }
            let name = properties.text(property.name)
            return name.isEmpty ? nil : .named(name)
        }
    }

    private static func slot(_ bus: String?, _ name: String) throws(OptionError) -> Int? {
        guard let bus else { return nil }
        if bus.hasPrefix(memoryBus), let slot = Int(bus.dropFirst(memoryBus.count)) { return slot }
        throw OptionError("\(name): there is no bus '\(bus)'; wanted \(memoryBus)0 to 7")
    }

    private static func address(_ text: String, _ name: String) throws(OptionError) -> PCIAddress? {
        if text.isEmpty { return nil }
        if let address = PCIAddress(text) { return address }
        throw OptionError("\(name): addr=\(text): wanted SLOT or SLOT.FUNCTION, up to 1f.7")
    }

    /// Lines for `-device help`, or for `-device NAME,help`; nil: no help is asked for.
    static func help(_ text: String) -> String? {
        if text == "help" || text == "?" {
            var text = "Devices that -device adds; -device NAME,help lists a device's properties.\n"
            var group = ""
            for kind in AddedKind.all {
                if kind.group != group { text += "\n\(kind.group):\n" }
                group = kind.group
                let aliases = kind.names.dropFirst(2).map { ", also \($0)" }.joined()
                text += row(kind.names[0], kind.descriptor.summary + aliases)
            }
            return text + "\nNo device:\n" + row("loader", "puts a file or a word into memory")
        }
        let parts = text.split(separator: ",")
        guard parts.dropFirst().contains("help") || parts.dropFirst().contains("?") else { return nil }
        return AddedKind.named(String(parts[0]))?.descriptor.help
    }

    private static func row(_ name: String, _ text: String) -> String {
        "  \(name)\(String(repeating: " ", count: max(1, 22 - name.count)))\(text)\n"
    }
}
