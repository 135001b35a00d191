// What `-drive` and `-device` add to a board.

import EngineSetup
import PCI
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
    /// What firmware tries to boot from: paths of devices by their places in the order.
    private(set) var bootPaths: [UInt64: String] = [:]

    init(
        _ board: Board, slots: [VirtioMMIO], bus: PCIBus?, disks: Disks, networks: Networks, shares: Shares,
        objects: Objects
    ) {
        self.board = board
        self.slots = slots
        self.bus = bus
        self.disks = disks
        self.networks = networks
        self.shares = shares
        self.objects = objects
    }

    /// Cards of `-nic` come first, then what `-device` adds, then drives that no device names.
    mutating func add(_ devices: [DeviceOption], machine: String) throws {
        var options: [DeviceOption] = []
        for card in networks.options.compactMap(\.card) { options.append(try DeviceOption(parsing: card)) }
        options += devices
        for folder in shares.options.compactMap(\.device) { options.append(try DeviceOption(parsing: folder)) }
        for (drive, backend) in disks.backends where drive?.interface == .virtio {
            options.append(try DeviceOption(parsing: "virtio-blk,drive=\(backend.name)"))
        }
        var counts: [String: Int] = [:]
        for (index, option) in options.enumerated() {
            let kind = option.kind.kind.descriptor.name, name = option.kind.names[0]
            var context = board.context(option.id ?? "\(name)#\(index)", option.properties)
            context.number = counts[kind, default: 0]
            counts[kind, default: 0] += 1
            for property in option.kind.descriptor.properties {
                switch property.kind {
                case .drive: context.disk = try disks.take(option.properties.text(property.name))
                case .share: context.share = try shares.open(option.properties.text(property.name))
                case .network: context.network = try networks.take(option.properties.text(property.name))
                case .entropy: context.entropy = try objects.takeEntropy(option.properties.text(property.name))
                case .thread:
                    if let thread = try objects.thread(option.properties.text(property.name)) {
                        context.domain = thread.domain
                    }
                default: break
                }
            }
            switch option.place {
            case .memory(let number):
                // A slot and what is in it are accessed together, in the slot's domain.
                if context.domain.isThreaded {
                    throw CommandError(
                        "-device \(name),iothread=: wanted a device of the PCI bus, such as virtio-blk-pci")
                }
                let slot = try slot(number, name, machine)
                slot.plug(option.kind.kind.type.init(context))
                try noteBoot(option, "/virtio-mmio@\(address(of: slot))", name)
            case .pci(let address):
                guard let bus else { throw CommandError("-device \(name): machine \(machine) has no PCI bus") }
                let function = try add(context, option.kind.kind, to: bus, at: address, name)
                // The bridge has no address of its own.
                try noteBoot(option, "/pci@ffffffffffffffff/\(function.firmwareNode)", name)
            }
        }
    }

    private mutating func noteBoot(_ option: DeviceOption, _ path: String, _ name: String) throws(CommandError) {
        guard let own = option.kind.kind.type.bootName, let index = option.properties.numberOrNone("bootindex") else {
            return
        }
        if bootPaths[index] != nil { throw CommandError("-device \(name),bootindex=\(index): another device has it") }
        bootPaths[index] = "\(path)/\(own)"
    }

    private func address(of slot: VirtioMMIO) -> String {
        let digits = String(board.map.ranges.first { $0.name == slot.name }?.start ?? 0, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The contents of the file for firmware; nil: nothing is chosen.
    var bootOrder: [UInt8]? {
        if bootPaths.isEmpty { return nil }
        return Array(bootPaths.sorted { $0.key < $1.key }.map(\.value).joined(separator: "\n").utf8) + [0]
    }

    private func add(
        _ context: DeviceContext, _ kind: VirtioKind, to bus: PCIBus, at address: PCIAddress?, _ name: String
    ) throws -> VirtioPCI {
        do {
            return try board.add(VirtioPCI.self, context) { function, block in
                function.plug(kind.type.init(context), block)
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
