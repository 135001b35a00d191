// The nodes of a machine's disks, by their names, and how they are made.

import HostOS
import Options

public final class BlockGraph {
    /// In the order in which they were made: one lies on those before it.
    public private(set) var nodes: [BlockNode] = []
    public private(set) var groups: [ThrottleGroup] = []
    private var lastNumber = 0

    public init() {}

    public func node(_ name: String) -> BlockNode? { nodes.first { $0.name == name } }
    public func group(_ name: String) -> ThrottleGroup? { groups.first { $0.name == name } }

    public func add(_ group: ThrottleGroup) throws(BlockError) {
        if self.group(group.name) != nil {
            throw BlockError(.exist, "throttle-group id=\(group.name): there are two of them")
        }
        groups.append(group)
    }

    /// Makes a node, and those below it that are not there yet. Of one that fails nothing is left.
    @discardableResult
    public func open(_ spec: BlockSpec) throws(BlockError) -> BlockNode {
        let before = nodes.count
        do throws(BlockError) { return try make(spec) } catch {
            while nodes.count > before { drop(nodes[nodes.count - 1]) }
            throw error
        }
    }

    private func make(_ spec: BlockSpec) throws(BlockError) -> BlockNode {
        if let name = spec.name, node(name) != nil {
            throw BlockError(.exist, "node-name=\(name): there is a node of that name; wanted another one")
        }
        let name = spec.name ?? freshName()
        let isReadOnly = spec.isReadOnly ?? false
        switch spec.kind {
        case .file(let path):
            let file = try openFile(path, spec)
            return add(try RawImage(file, format: "file"), name, spec, path, storage: file)
        case .null(let null):
            return add(NullImage(null, isReadOnly: isReadOnly), name, spec, null.driver + "://")
        case .nbd(let address):
            return add(try openNBD(address, spec), name, spec, address.description)
        case .raw(let child):
            let below = try use(child, of: spec, by: name)
            let image = try RawImage(below.storage, start: spec.start, length: spec.length)
            return add(image, name, spec, below.fileName, on: [below])
        case .probed(let child):
            let below = try use(child, of: spec, by: name)
            guard try probedFormat(below.storage) == "qcow2" else {
                return add(try RawImage(below.storage), name, spec, below.fileName, on: [below])
            }
            var options = options(spec)
            options.opensBacking = false
            let image = try QCOW2Image(below.storage, options)
            // A guest that writes to a raw image could make it one that shows another file of the host's.
            if image.header.backingFile != nil {
                throw BlockError(.inval, "\(below.fileName): it has a backing file; wanted format=qcow2 with it")
            }
            return add(image, name, spec, below.fileName, on: [below])
        case .qcow2(let child, let backing):
            let below = try use(child, of: spec, by: name)
            var options = options(spec), children = [below], base: BlockNode?
            switch backing {
            case .named: break
            case .nothing: options.opensBacking = false
            case .child(let child):
                var below = BlockSpec(.null(NullSpec()))
                below.isReadOnly = true
                below.cache = spec.cache
                let node = try use(child, of: below, by: name)
                base = node
                children.append(node)
            }
            let image = try QCOW2Image(below.storage, options, backing: base)
            return add(image, name, spec, below.fileName, on: children)
        case .throttle(let child, let group):
            guard let group = self.group(group) else {
                throw BlockError(.noent, "throttle-group=\(group): there is no -object throttle-group with id=\(group)")
            }
            let below = try use(child, of: spec, by: name)
            return add(ThrottledImage(below, group), name, spec, below.fileName, on: [below])
        case .copyOnRead(let child):
            let below = try use(child, of: spec, by: name)
            return add(CopyOnReadImage(below), name, spec, below.fileName, on: [below])
        }
    }

    private func options(_ spec: BlockSpec) -> ImageOptions {
        var options = ImageOptions(isReadOnly: spec.isReadOnly ?? false, cache: spec.cache)
        options.believesProbes = false
        options.isLocked = spec.isLocked
        options.hasLazyRefcounts = spec.hasLazyRefcounts
        return options
    }

    private func openNBD(_ address: NBDAddress, _ spec: BlockSpec) throws(BlockError) -> NBDImage {
        do throws(BlockError) { return try NBDImage(address, isReadOnly: spec.isReadOnly ?? false) } catch {
            if error.errno != .rofs || !spec.mayBeReadOnly { throw error }
            return try NBDImage(address, isReadOnly: true)
        }
    }

    private func openFile(_ path: String, _ spec: BlockSpec) throws(BlockError) -> BlockFile {
        let startsReadOnly = spec.isReadOnly ?? false || spec.mayBeReadOnly
        return try BlockFile(
            path, isReadOnly: startsReadOnly, cache: spec.cache, isLocked: spec.isLocked, usesRing: spec.usesRing)
    }

    /// What holds for the one above holds for what is made for it and says nothing else.
    private func use(_ child: BlockSpec.Child, of above: BlockSpec, by who: String) throws(BlockError) -> BlockNode {
        let isReadOnly = above.isReadOnly ?? false
        let below: BlockNode
        switch child {
        case .made(let made):
            var spec = made
            spec.inherit(above)
            if isReadOnly { spec.isReadOnly = true }
            below = try make(spec)
        case .node(let name):
            guard let node = node(name) else {
                throw BlockError(.noent, "there is no node '\(name)'; wanted the node-name= of a -blockdev before it")
            }
            below = node
        }
        try below.use(isReadOnly ? .reads : .writes, by: "node '\(who)'")
        return below
    }

    private func add(
        _ image: any BlockImage, _ name: String, _ spec: BlockSpec, _ fileName: String,
        storage: (any BlockStorage)? = nil, on children: [BlockNode] = []
    ) -> BlockNode {
        let node = BlockNode(
            image, name: name, spec: spec, fileName: fileName, storage: storage, children: children)
        nodes.append(node)
        return node
    }

    /// Adds what somebody else has made.
    public func add(_ image: any BlockImage, _ spec: BlockSpec, fileName: String, on children: [BlockNode] = [])
        throws(BlockError) -> BlockNode
    {
        let name = spec.name ?? freshName()
        for child in children { try child.use(image.isReadOnly ? .reads : .writes, by: "node '\(name)'") }
        return add(image, name, spec, fileName, on: children)
    }

    private func freshName() -> String {
        lastNumber += 1
        let digits = "\(lastNumber)"
        return "#block" + String(repeating: "0", count: max(0, 3 - digits.utf8.count)) + digits
    }

    private func drop(_ node: BlockNode) {
        for child in node.children { child.release("node '\(node.name)'") }
        // It failed already, or has been told.
        try? node.close()
        nodes.removeAll { $0 === node }
    }

    /// Takes away a node that nobody uses, and those below it that were made for it alone.
    public func remove(_ name: String) throws(BlockError) {
        guard let node = node(name) else { throw BlockError(.noent, "there is no node '\(name)'") }
        if let user = node.users.first { throw BlockError(.busy, "node '\(name)' is in use: \(user.who) has it") }
        try node.close()
        nodes.removeAll { $0 === node }
        for child in node.children {
            child.release("node '\(node.name)'")
            if child.name.hasPrefix("#"), child.users.isEmpty { try remove(child.name) }
        }
    }

    /// Writes what is kept, those above before those below. `report` gets what could not be done. `patience`: nanoseconds that servers have for it.
    public func close(patience: UInt64 = 30_000_000_000, _ report: (BlockError) -> Void) {
        for group in groups { group.lift(true) }
        // A server that does not answer is given up.
        let remote = nodes.filter { $0.driver == "nbd" }
        let watchdog =
            remote.isEmpty ? nil : Watchdog(nanoseconds: patience) { for node in remote { node.abort() } }
        defer { watchdog?.end() }
        for node in nodes.reversed() {
            do throws(BlockError) { try node.close() } catch { report(error) }
        }
        nodes = []
    }
}
