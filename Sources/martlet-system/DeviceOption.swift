// The value of `-device`, but for `loader`, which is no device.

import EngineSetup
import Options
import PCI
import SystemKit
import Virtio

/// A device as `-device` names it: a kind, and what connects it to the machine.
struct AddedKind: Sendable {
    enum Transport: Sendable { case memory, pci }
    /// The first one is the one that is shown.
    let names: [String]
    let kind: VirtioKind
    let transport: Transport
    /// Properties of both.
    let descriptor: DeviceDescriptor

    static let all = VirtioKind.all.map { AddedKind($0, .memory) } + VirtioKind.all.map { AddedKind($0, .pci) }

    private init(_ kind: VirtioKind, _ transport: Transport) {
        let own = kind.descriptor, suffix = "-device"
        let base = own.name.hasSuffix(suffix) ? String(own.name.dropLast(suffix.count)) : own.name
        self.kind = kind
        self.transport = transport
        switch transport {
        case .memory:
            names = [own.name]
            descriptor = own
        case .pci:
            names = [base + "-pci", base + "-pci-non-transitional", base]
            descriptor = DeviceDescriptor(
                base + "-pci", own.summary, own.properties + VirtioPCI.descriptor.properties)
        }
    }

    /// Where such devices go.
    var group: String {
        switch transport {
        case .memory: "Devices in memory (bus virtio-mmio-bus)"
        case .pci: "Devices on PCI (bus pcie.0)"
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
    }
    let kind: AddedKind
    let id: String?
    let place: Place
    let properties: Properties

    private static let memoryBus = "virtio-mmio-bus.", pciBus = "pcie.0"

    init(parsing text: String) throws(OptionError) {
        try self.init(OptionList(parsing: text, implied: "driver"))
    }

    init(_ given: OptionList) throws(OptionError) {
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
        if let wrong = kind.kind.check(properties) { throw OptionError("\(name): \(wrong)") }
        switch kind.transport {
        case .memory: place = .memory(try Self.slot(bus, name))
        case .pci:
            if let bus, bus != Self.pciBus {
                throw OptionError("\(name): there is no bus '\(bus)'; wanted \(Self.pciBus)")
            }
            place = .pci(try Self.address(properties.text("addr"), name))
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
