// The images of a run, and the back ends that devices use them by.

import BlockLayer
import EngineSetup
import HostOS
import Options

/// What the command line says of nodes.
struct BlockLine: Sendable {
    var nodes: [BlockSpec] = []
    var groups: [(id: String, limits: ThrottleLimits)] = []
    var drives: [DriveOption] = []
    /// What drives' images are not told: it is gone when the machine ends.
    var isTemporary = false
}

final class Disks {
    let graph = BlockGraph()
    private(set) var backends: [(drive: DriveOption?, backend: BlockBackend)] = []
    private var taken: Set<String> = []
    /// Drives that have an identifier of their own.
    private let named: Set<String>

    init(_ line: BlockLine) throws(CommandError) {
        for (id, limits) in line.groups {
            do throws(BlockError) { try graph.add(ThrottleGroup(id, limits)) } catch {
                throw CommandError("-object \(error)")
            }
        }
        named = Set(line.drives.compactMap(\.id))
        for spec in line.nodes {
            tell(spec.notes, "-blockdev")
            do throws(BlockError) { try graph.open(spec) } catch { throw CommandError("-blockdev \(error)") }
        }
        for drive in line.drives { try open(drive, isTemporary: drive.isTemporary || line.isTemporary) }
    }

    /// That of a drive without an identifier.
    static func name(_ interface: DriveOption.Interface, _ index: Int) -> String { "\(interface.rawValue)\(index)" }

    private func tell(_ notes: [String], _ origin: String) {
        for note in notes { writeStandardError("martlet: \(origin): \(note)\n") }
    }

    private func open(_ drive: DriveOption, isTemporary: Bool) throws(CommandError) {
        var index = 0
        while named.contains(Self.name(drive.interface, index)) || indices.contains("\(drive.interface) \(index)") {
            index += 1
        }
        if let given = drive.index {
            guard !indices.contains("\(drive.interface) \(given)") else {
                throw CommandError("-drive index=\(given): there is a drive with that number; wanted another one")
            }
            index = given
        }
        indices.insert("\(drive.interface) \(index)")
        let name = drive.id ?? Self.name(drive.interface, index)
        let user = "drive '\(name)'"
        guard let spec = drive.spec else {
            let backend = BlockBackend(emptyNamed: name, user: user)
            backend.readsOnly = drive.readsOnly
            return backends.append((drive, backend))
        }
        tell(spec.notes, "-drive")
        do throws(BlockError) {
            var node = try openNode(spec, isTemporary)
            if drive.copiesOnRead {
                var filter = BlockSpec(.copyOnRead(.node(node.name)))
                filter.unmaps = node.unmaps
                node = try graph.open(filter)
            }
            try node.use(node.isReadOnly ? .reads : .writes, by: user)
            let backend = BlockBackend(node, name: name, user: user)
            backend.ownsNode = true
            backend.readsOnly = drive.readsOnly
            backend.onWriteError = drive.onWriteError ?? .enospc
            backend.onReadError = drive.onReadError ?? .report
            backend.throttleGroup = try group(drive, name)
            backends.append((drive, backend))
        } catch { throw CommandError("\(drive.origin)\(error)") }
    }

    private var indices: Set<String> = []

    private func openNode(_ spec: BlockSpec, _ isTemporary: Bool) throws(BlockError) -> BlockNode {
        if !isTemporary || spec.isReadOnly == true { return try graph.open(spec) }
        var base = spec
        base.isReadOnly = true
        base.name = nil
        return try graph.openOverlay(on: graph.open(base), named: spec.name)
    }

    private func group(_ drive: DriveOption, _ name: String) throws(BlockError) -> ThrottleGroup? {
        if drive.limits.isEmpty { return nil }
        let name = drive.group ?? name
        if let group = graph.group(name) {
            // As with QEMU, the last one's limits are the group's.
            group.set(drive.limits)
            return group
        }
        let group = ThrottleGroup(name, drive.limits)
        try graph.add(group)
        return group
    }

    /// The back end for one device, and no other: of a drive, or of a node by its name. `wantsMedium`: the device is nothing without one.
    func take(_ name: String, wantsMedium: Bool = true) throws(CommandError) -> BlockBackend {
        if let row = backends.first(where: { $0.backend.name == name }) {
            if wantsMedium, row.backend.isEmpty {
                throw CommandError("drive=\(name): the drive is empty, and the device needs a medium; wanted file=FILE")
            }
            guard taken.insert(name).inserted else { throw CommandError("drive=\(name): another device has it") }
            return row.backend
        }
        guard let node = graph.node(name) else {
            throw CommandError(
                name.isEmpty
                    ? "a disk wants drive=ID, of a -drive with if=none,id=ID or of a -blockdev with node-name=ID"
                    : "drive=\(name): there is no -drive with id=\(name), and no -blockdev with node-name=\(name)")
        }
        do throws(BlockError) {
            try node.use(node.isReadOnly && !node.mayBeWritten ? .reads : .writes, by: "a device")
        } catch { throw CommandError("drive=\(name): \(error)") }
        let backend = BlockBackend(node, name: name)
        backends.append((nil, backend))
        taken.insert(name)
        return backend
    }

    /// The machine goes on.
    func retry() { for (_, backend) in backends { backend.retry() } }

    /// Writes what is kept. No device asks for anything any more.
    func close() {
        for group in graph.groups { group.lift(true) }
        for (_, backend) in backends { backend.finishAll() }
        graph.close { writeStandardError("martlet: \($0)\n") }
    }
}
