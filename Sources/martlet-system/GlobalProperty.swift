// The value of `-global`: a property of all devices of a kind that are not told another value.

import EngineSetup
import HostOS
import Options
import PCI
import Virtio

struct GlobalProperty: Sendable {
    let driver: String
    let property: String
    let value: String

    /// `DRIVER.PROP=VALUE`, or `driver=DRIVER,property=PROP,value=VALUE`.
    init(parsing text: String) throws(OptionError) {
        let halves = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let names = halves[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if halves.count == 2, names.count == 2, !names[0].isEmpty, !names[1].isEmpty {
            (driver, property, value) = (names[0], names[1], halves[1])
            return
        }
        var list = try OptionList(parsing: text)
        guard let driver = list.take("driver"), let property = list.take("property"), let value = list.take("value"),
            list.isEmpty
        else { throw OptionError("wanted DRIVER.PROP=VALUE, or driver=DRIVER,property=PROP,value=VALUE") }
        (self.driver, self.property, self.value) = (driver, property, value)
    }

    /// Kinds of which others are: properties of what connects a device to its machine.
    private static let parents = ["device", "virtio-device", "virtio-pci", "pci-device"]

    /// There are such devices.
    var isKnown: Bool { Self.parents.contains(driver) || AddedKind.named(driver) != nil }

    /// It is meant for devices of a kind: for them by their name, or for what they are too. A virtio device on PCI has that of memory in it.
    func concerns(_ kind: AddedKind) -> Bool {
        if kind.names.contains(driver) || kind.type.descriptor.name == driver { return true }
        let isOnPCI = if case .pci = kind.connection { true } else { false }
        let isOfBus = VirtioPCI.descriptor.properties.contains { $0.name == property }
        guard kind.descriptor.properties.contains(where: { $0.name == property }) else { return false }
        switch driver {
        case "device": return true
        case "virtio-device": return kind.type is VirtioDevice.Type && !isOfBus
        case "virtio-pci", "pci-device": return isOnPCI && isOfBus
        default: return false
        }
    }
}

extension [GlobalProperty] {
    /// A device as it is with what holds for its kind. What the device itself is told counts, then what comes last.
    func applied(to option: DeviceOption) throws(CommandError) -> DeviceOption {
        var list = option.given
        for global in reversed() where global.concerns(option.kind) && !list.has(global.property) {
            list.add(global.property, global.value)
        }
        if list.pairs.count == option.given.pairs.count { return option }
        do throws(OptionError) { return try DeviceOption(list) } catch {
            throw CommandError("-global: \(error.message)")
        }
    }

    /// Says which of them are for no kind of device.
    func warn() {
        for global in self where !global.isKnown {
            writeStandardError(
                "martlet: -global \(global.driver).\(global.property)=\(global.value): there is no device '\(global.driver)'; -device help lists them\n"
            )
        }
    }
}
