// What `-drive` and `-device` add to a board.

import CharLayer
import EngineSetup
import Options
import PCI
import SCSI
import SystemKit
import Virtio

struct AddedDevices {
    private let board: Board
    private let slots: [VirtioMMIO]
    private let bus: PCIBus?
    private let disks: Disks
    private let networks: Networks
    private let shares: Shares
    private let objects: Objects
    private let backends: CharBackends
    /// Those that devices have for others.
    private var buses: [(name: String, device: VirtioDevice, path: String)] = []
    private(set) var balloon: (any BalloonControl)?
    /// What firmware tries to boot from: paths of devices by their places in the order.
    private(set) var bootPaths: [UInt64: String] = [:]

    init(
        _ board: Board, slots: [VirtioMMIO], bus: PCIBus?, disks: Disks, networks: Networks, shares: Shares,
        objects: Objects, backends: CharBackends
    ) {
        self.board = board
        self.slots = slots
        self.bus = bus
        self.disks = disks
        self.networks = networks
        self.shares = shares
        self.objects = objects
        self.backends = backends
    }

    /// Cards of `-nic` come first, then what `-device` adds, then drives that no device names.
    mutating func add(_ devices: [DeviceOption], globals: [GlobalProperty], machine: String) throws {
        var options: [DeviceOption] = []
        for card in networks.options.compactMap(\.card) { options.append(try DeviceOption(parsing: card)) }
        options += devices
        for folder in shares.options.compactMap(\.device) { options.append(try DeviceOption(parsing: folder)) }
        options += try devicesOfDrives(options)
        options = try options.map { try globals.applied(to: $0) }
        var counts: [String: Int] = [:]
        for (index, option) in options.enumerated() {
            let kind = option.kind.type.descriptor.name, name = option.kind.names[0]
            var context = board.context(option.id ?? "\(name)#\(index)", option.properties)
            context.number = counts[kind, default: 0]
            counts[kind, default: 0] += 1
            for property in option.kind.descriptor.properties {
                switch property.kind {
                case .drive:
                    context.disk = try disks.take(
                        option.properties.text(property.name), wantsMedium: option.kind.type != OpticalDisc.self)
                case .share: context.share = try shares.open(option.properties.text(property.name))
                case .network: context.network = try networks.take(option.properties.text(property.name))
                case .entropy: context.entropy = try objects.takeEntropy(option.properties.text(property.name))
                case .thread:
                    if let thread = try objects.thread(option.properties.text(property.name)) {
                        context.domain = thread.domain
                    }
                case .character: context.backend = try backend(option.properties.text(property.name), name)
                default: break
                }
            }
            switch (option.kind.connection, option.place) {
            case (.memory(let type), .memory(let number)):
                // A slot and what is in it are accessed together, in the slot's domain.
                if context.domain.isThreaded {
                    throw CommandError(
                        "-device \(name),iothread=: wanted a device of the PCI bus, such as virtio-blk-pci")
                }
                let slot = try slot(number, name, machine), device = type.init(context)
                slot.plug(device)
                let path = "/virtio-mmio@\(address(of: slot))"
                try note(device, option.id, path, name)
                try noteBoot(option, type.bootName, path, name)
            case (.pci(let type), .pci(let address)):
                guard let bus else { throw CommandError("-device \(name): machine \(machine) has no PCI bus") }
                let device = type.init(context)
                let function = try add(context, device, to: bus, at: address, name)
                // The bridge has no address of its own.
                let path = "/pci@ffffffffffffffff/\(function.firmwareNode)"
                try note(device, option.id, path, name)
                try noteBoot(option, type.bootName, path, name)
            case (.bus(let bus), .bus(let wanted)):
                let owner = try owner(of: bus, named: wanted, name)
                context.domain = owner.device.domain
                let device = option.kind.type.init(context)
                do throws(PlugError) { try owner.device.plug(device) } catch {
                    throw CommandError("-device \(name): \(error)")
                }
                if let unit = device as? SCSIUnit { try noteBoot(option, unit.bootName, owner.path, name) }
            default: preconditionFailure("a place of another kind")
            }
        }
    }

    /// Those of drives that no device names. Where they are on SCSI, and there is no adapter, one is added.
    private func devicesOfDrives(_ given: [DeviceOption]) throws(OptionError) -> [DeviceOption] {
        var options: [DeviceOption] = []
        var hasAdapter = given.contains { ($0.kind.type as? VirtioDevice.Type)?.bus == .scsi }
        for (drive, backend) in disks.backends {
            guard let drive else { continue }
            switch drive.interface {
            case .virtio: options.append(try DeviceOption(parsing: "virtio-blk,drive=\(backend.name)"))
            case .scsi:
                if !hasAdapter { options.append(try DeviceOption(parsing: "virtio-scsi")) }
                hasAdapter = true
                let target = drive.index.map { ",scsi-id=\($0)" } ?? ""
                options.append(
                    try DeviceOption(
                        parsing: "\(drive.isDisc ? "scsi-cd" : "scsi-hd"),drive=\(backend.name)\(target)"))
            case .none, .pflash: break
            }
        }
        return options
    }

    private func backend(_ id: String, _ name: String) throws(CommandError) -> CharBackend? {
        if id.isEmpty { return nil }
        do throws(CharSpecError) { return try backends.make(.named(id), label: name) } catch {
            throw CommandError("-device \(name),chardev=\(id): \(error)")
        }
    }

    /// A bus has the name of its device, or its kind's and a number.
    /// What others are to know of a device: a bus has its name, or its kind's and a number.
    private mutating func note(
        _ device: VirtioDevice, _ id: String?, _ path: String, _ name: String
    ) throws(CommandError) {
        if let bus = type(of: device).bus {
            let count = buses.count { $0.name.hasPrefix(bus.rawValue + ".") }
            buses.append((id.map { "\($0).0" } ?? "\(bus.rawValue).\(count)", device, path))
        }
        if let device = device as? any BalloonControl {
            if balloon != nil { throw CommandError("-device \(name): there is a balloon; a machine has one at most") }
            balloon = device
        }
    }

    private func owner(
        of bus: VirtioBus, named wanted: String?, _ name: String
    ) throws(CommandError) -> (device: VirtioDevice, path: String) {
        let fitting = buses.filter { type(of: $0.device).bus == bus }
        if let row = fitting.first(where: { wanted == nil || $0.name == wanted }) { return (row.device, row.path) }
        let names =
            fitting.isEmpty
            ? "a device with a bus '\(bus.rawValue)' before it" : fitting.map(\.name).joined(separator: ", ")
        throw CommandError("-device \(name): there is no bus '\(wanted ?? bus.rawValue)'; wanted \(names)")
    }

    private mutating func noteBoot(
        _ option: DeviceOption, _ own: String?, _ path: String, _ name: String
    ) throws(CommandError) {
        guard let own, let index = option.properties.numberOrNone("bootindex") else {
            return
        }
        if bootPaths[index] != nil { throw CommandError("-device \(name),bootindex=\(index): another device has it") }
        bootPaths[index] = "\(path)/\(own)"
    }

    private func address(of slot: VirtioMMIO) -> String {
        let digits = String(board.map.ranges.first { $0.name == slot.name }?.start ?? 0, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The paths in their order.
    var bootOrder: [String] { bootPaths.sorted { $0.key < $1.key }.map(\.value) }

    private func add(
        _ context: DeviceContext, _ device: VirtioDevice, to bus: PCIBus, at address: PCIAddress?, _ name: String
    ) throws -> VirtioPCI {
        do {
            return try board.add(VirtioPCI.self, context) { function, block in
                function.plug(device, block)
                try bus.add(function, at: address)
            }
        } catch let error as PCIError { throw CommandError("-device \(name): \(error)") }
    }

    private func slot(_ number: Int?, _ name: String, _ machine: String) throws(CommandError) -> VirtioMMIO {
        if slots.isEmpty {
            throw CommandError("-device \(name): machine \(machine) has no place for virtio devices in memory")
        }
        if let number {
            guard let slot = slots.first(where: { $0.name == "virtio-mmio-bus.\(number)" }) else {
                throw CommandError("-device \(name): there is no slot \(number); wanted 0 to \(slots.count - 1)")
            }
            if !slot.isFree { throw CommandError("-device \(name): slot \(number) is taken") }
            return slot
        }
        guard let slot = slots.first(where: \.isFree) else {
            throw CommandError("-device \(name): all \(slots.count) slots are taken")
        }
        return slot
    }
}
