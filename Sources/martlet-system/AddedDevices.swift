// What `-drive` and `-device` add to a board.

import BlockLayer
import EngineSetup
import HostOS
import SystemKit
import Virtio

/// The images of a run, by the identifiers that devices name them by.
final class Disks {
    private(set) var backends: [(drive: DriveOption, backend: BlockBackend)] = []
    private var taken: Set<String> = []

    init(_ drives: [DriveOption]) throws(CommandError) {
        for (index, drive) in drives.enumerated() {
            let name = drive.id ?? "drive\(index)"
            if backends.contains(where: { $0.backend.name == name }) {
                throw CommandError("-drive id=\(name): there are two of them")
            }
            do throws(BlockError) {
                let image = try RawImage(BlockFile(drive.file, isReadOnly: drive.isReadOnly, cache: drive.cache))
                backends.append((drive, BlockBackend(image, name: name)))
            } catch { throw CommandError("-drive file=\(error)") }
        }
    }

    /// The image for one device, and no other.
    func take(_ name: String) throws(CommandError) -> BlockBackend {
        guard let row = backends.first(where: { $0.backend.name == name }) else {
            throw CommandError(
                name.isEmpty
                    ? "a disk wants drive=ID, of a -drive with if=none,id=ID"
                    : "drive=\(name): there is no -drive with id=\(name)")
        }
        guard taken.insert(name).inserted else { throw CommandError("drive=\(name): another device has it") }
        return row.backend
    }

    /// Writes what is kept. No device asks for anything any more.
    func close() {
        for (_, backend) in backends {
            backend.finishAll()
            do throws(BlockError) { try backend.image.close() } catch {
                writeStandardError("martlet: \(error)\n")
            }
        }
    }
}

struct AddedDevices {
    private let board: Board
    private let slots: [VirtioMMIO]
    private let disks: Disks

    init(_ board: Board, slots: [VirtioMMIO], disks: Disks) {
        self.board = board
        self.slots = slots
        self.disks = disks
    }

    func add(_ options: [DeviceOption], machine: String) throws {
        guard let disk = VirtioKind.all.first(where: { $0.type == VirtioBlock.self }) else { return }
        var options = options
        // What the guest sees a drive as, where it is no device's.
        for (drive, backend) in disks.backends where drive.interface == .virtio {
            options.append(
                DeviceOption(disk, id: nil, slot: nil, try DeviceOption.properties(disk, "drive=\(backend.name)")))
        }
        for (index, option) in options.enumerated() {
            let name = option.kind.descriptor.name
            let slot = try slot(option, machine)
            var context = board.context(option.id ?? "\(name)#\(index)", option.properties)
            if name == disk.descriptor.name { context.disk = try disks.take(option.properties.text("drive")) }
            slot.plug(option.kind.type.init(context))
        }
    }
    private func slot(_ option: DeviceOption, _ machine: String) throws(CommandError) -> VirtioMMIO {
        let name = option.kind.descriptor.name
        if slots.isEmpty { throw CommandError("-device \(name): machine \(machine) has no place for virtio devices") }
        if let number = option.slot {
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
