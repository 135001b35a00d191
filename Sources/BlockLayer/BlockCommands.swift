// What can be done with a machine's disks while it runs. All of it is called by the loop's thread.

import EventLoop
import HostOS
import Options

public enum BlockCommandError: Error, Equatable, Sendable {
    case noDevice(String)
    case notRemovable(String)
    case locked(String)
    case noMedium(String)
    /// No image of that name is below the disk's.
    case noBase(String, device: String)
    case fixedSize(String)
    /// A copy there cannot be compressed.
    case notCompressible(String)
    case busy(device: String, BlockJob.Kind)
    case noJob(String)
    case notReady(job: String)
    case alreadyPaused(job: String)
    case notPaused(job: String)
    /// Only an image that lies on another one can be committed or streamed.
    case noBacking(device: String)
    case readOnly(device: String)
    case noFormat(String)
    case targetTooSmall(size: UInt64, wanted: UInt64)
    case failed(BlockError)
}

/// Where a copy goes.
public struct CopyTarget: Sendable {
    public var path: String
    /// Nil: the disk's own; of an image that is there, what it says.
    public var format: String?
    /// It is there already.
    public var isReused = false
    /// All of the disk, and not only what its topmost image holds.
    public var isFull = false
    /// Of a backup: what is copied is compressed.
    public var isCompressed = false

    public init(path: String, format: String? = nil, isReused: Bool = false, isFull: Bool = false) {
        self.path = path
        self.format = format
        self.isReused = isReused
        self.isFull = isFull
    }
}

public final class BlockCommands: @unchecked Sendable {
    public let graph: BlockGraph
    public private(set) var jobs: [BlockJob] = []
    private let loop: EventLoop
    private let devices: () -> [BlockBackend]
    /// Told of a job that has failed.
    public var failed: (BlockJob, BlockError) -> Void = { _, _ in }

    /// How a job gets its thread.
    var startThread: (@escaping () -> Void) throws(Errno) -> Void = { (body) throws(Errno) in
        try HostThread.start("job", blocksSignals: true, body)
    }

    public init(_ graph: BlockGraph, _ loop: EventLoop, devices: @escaping () -> [BlockBackend]) {
        self.graph = graph
        self.loop = loop
        self.devices = devices
    }

    public var backends: [BlockBackend] { devices() }

    public func backend(_ name: String) throws(BlockCommandError) -> BlockBackend {
        guard let backend = backends.first(where: { $0.name == name || $0.node.name == name }) else {
            throw .noDevice(name)
        }
        return backend
    }

    /// One with a medium that no job works on.
    private func idle(_ name: String) throws(BlockCommandError) -> BlockBackend {
        let backend = try backend(name)
        if backend.isEmpty { throw .noMedium(name) }
        if let job = jobs.first(where: { $0.backend === backend }) { throw .busy(device: name, job.kind) }
        return backend
    }

    private func trying<R>(_ body: () throws(BlockError) -> R) throws(BlockCommandError) -> R {
        do throws(BlockError) { return try body() } catch { throw .failed(error) }
    }

    // MARK: Media

    /// One whose medium can be taken out now. `forces`: also where the guest keeps it.
    private func removable(_ name: String, forces: Bool) throws(BlockCommandError) -> BlockBackend {
        let backend = try backend(name)
        if !backend.isRemovable { throw .notRemovable(name) }
        if !forces, backend.door?.isLocked() ?? false { throw .locked(name) }
        if let job = jobs.first(where: { $0.backend === backend }) { throw .busy(device: name, job.kind) }
        return backend
    }

    /// Takes the medium out. Nothing is wrong with taking out none.
    public func eject(_ name: String, forces: Bool = false) throws(BlockCommandError) {
        let backend = try removable(name, forces: forces)
        try takeOut(backend)
        backend.isTrayOpen = backend.door != nil
        backend.door?.changed()
    }

    private func takeOut(_ backend: BlockBackend) throws(BlockCommandError) {
        if backend.isEmpty { return }
        let old = backend.node
        try trying { () throws(BlockError) in
            try backend.paused { () throws(BlockError) in
                try old.flush()
                backend.node = BlockBackend.nothing
            }
        }
        old.release(backend.user)
        if backend.ownsNode { try trying { () throws(BlockError) in try graph.remove(old.name) } }
    }

    /// Puts another medium into the place of the one that is there. When it cannot be opened, that one stays.
    public func change(
        _ name: String, to file: String, format: String? = nil, access: MediumAccess = .retain, forces: Bool = false
    ) throws(BlockCommandError) {
        let backend = try removable(name, forces: forces)
        if let format, !imageFormats.contains(format) { throw .noFormat(format) }
        let readsOnly = access == .retain ? backend.readsOnly : access == .readOnly
        let node = try trying { () throws(BlockError) in try open(file, format, readsOnly: readsOnly) }
        do throws(BlockCommandError) {
            try trying { () throws(BlockError) in try node.use(readsOnly ? .reads : .writes, by: backend.user) }
            try takeOut(backend)
        } catch {
            node.release(backend.user)
            try? graph.remove(node.name)
            throw error
        }
        backend.ownsNode = true
        backend.readsOnly = readsOnly
        try trying { () throws(BlockError) in try backend.paused { backend.node = node } }
        backend.isTrayOpen = false
        backend.door?.changed()
    }

    private func open(_ file: String, _ format: String?, readsOnly: Bool) throws(BlockError) -> BlockNode {
        var spec: BlockSpec
        do throws(OptionError) { spec = try BlockSpec(name: file) } catch {
            throw BlockError(.inval, error.message)
        }
        if spec.isStorage {
            let child = BlockSpec.Child.made(spec)
            spec = BlockSpec(format == "qcow2" ? .qcow2(child, .named) : format == nil ? .probed(child) : .raw(child))
        }
        spec.isReadOnly = readsOnly
        return try graph.open(spec)
    }

    // MARK: Size

    /// In whole sectors.
    public func resize(_ name: String, to size: UInt64) throws(BlockCommandError) {
        let backend = try idle(name)
        if backend.hasFixedSize { throw .fixedSize(name) }
        try trying { () throws(BlockError) in
            try backend.paused { () throws(BlockError) in try backend.node.resize(to: (size &+ 511) & ~511) }
        }
        backend.sizeChanged()
    }

    // MARK: Commit and stream

    private func image(_ backend: BlockBackend) throws(BlockCommandError) -> QCOW2Image {
        guard let image = storedImage(backend.node) as? QCOW2Image, image.backing != nil else {
            throw .noBacking(device: backend.name)
        }
        if image.isReadOnly { throw .readOnly(device: backend.name) }
        return image
    }

    /// Writes what an image holds into the one below it. The guest waits meanwhile.
    public func commit(_ name: String) throws(BlockCommandError) {
        let backend = try idle(name), image = try image(backend)
        try trying { () throws(BlockError) in
            try backend.paused { () throws(BlockError) in try image.commitToBacking() }
        }
    }

    public func commitAll() throws(BlockCommandError) {
        for backend in backends {
            do throws(BlockCommandError) { try commit(backend.name) } catch {
                switch error {
                case .noBacking, .readOnly: continue
                default: throw error
                }
            }
        }
    }

    /// `base`: an image below that stays there; nil: none does.
    public func stream(_ name: String, to base: String? = nil, speed: UInt64 = 0) throws(BlockCommandError) {
        let backend = try idle(name), image = try image(backend)
        let place = base.flatMap { image.base(named: $0) }
        if let base, place == nil { throw .noBase(base, device: name) }
        try start(StreamJob(backend.name, backend, image, to: place, speed: speed))
    }

    // MARK: Copies

    public func mirror(_ name: String, to target: CopyTarget, speed: UInt64 = 0) throws(BlockCommandError) {
        try copy(name, .mirror, target, speed)
    }

    public func backup(_ name: String, to target: CopyTarget, speed: UInt64 = 0) throws(BlockCommandError) {
        try copy(name, .backup, target, speed)
    }

    private func copy(_ name: String, _ kind: BlockJob.Kind, _ target: CopyTarget, _ speed: UInt64)
        throws(BlockCommandError)
    {
        let backend = try idle(name), top = try? image(backend)
        let backing = target.isFull ? nil : top?.backingName
        let format = target.format ?? (target.isReused ? nil : storedImage(backend.node).format)
        if let format, !imageFormats.contains(format) { throw .noFormat(format) }
        if target.isCompressed, format == "raw" { throw .notCompressible(target.path) }
        let size = backend.image.size
        let node = try trying { () throws(BlockError) in
            if !target.isReused, let format { try create(target.path, format, size, backing) }
            let file = BlockSpec.Child.made(BlockSpec(.file(path: try localPath(target.path))))
            var spec = BlockSpec(format == "qcow2" ? .qcow2(file, .named) : format == nil ? .probed(file) : .raw(file))
            spec.unmaps = true
            return try graph.open(spec)
        }
        do throws(BlockCommandError) {
            if target.isCompressed, !CopyFilter.canPack(node) { throw .notCompressible(target.path) }
            if node.size < size { throw .targetTooSmall(size: node.size, wanted: size) }
            try trying { () throws(BlockError) in try node.use(.writes, by: "job '\(backend.name)'") }
            let isTop = backing != nil && format == "qcow2" || target.isReused && !target.isFull && top != nil
            try start(
                CopyJob(
                    backend.name, kind, backend, to: node, isNew: !target.isReused || isTop, isTop: isTop,
                    packs: target.isCompressed, speed: speed))
        } catch {
            node.release("job '\(backend.name)'")
            try? graph.remove(node.name)
            throw error
        }
    }

    private func create(_ path: String, _ format: String, _ size: UInt64, _ backing: (name: String, format: String?)?)
        throws(BlockError)
    {
        let file = try BlockFile.create(try localPath(path)), whole = (size + 511) & ~511
        defer { file.unlock() }
        if format == "raw" { return try file.truncate(to: whole) }
        var creation = QCOW2Creation(size: whole)
        creation.backingFile = backing?.name
        creation.backingFormat = backing?.format
        try QCOW2Image.create(file, creation)
    }

    // MARK: Jobs

    private func start(_ job: BlockJob) throws(BlockCommandError) {
        try trying { () throws(BlockError) in try job.start(loop, on: startThread) { [unowned self] in end(job, $0) } }
        jobs.append(job)
    }

    private func end(_ job: BlockJob, _ failure: BlockError?) {
        guard jobs.contains(where: { $0 === job }) else { return }
        jobs.removeAll { $0 === job }
        let size = job.backend.image.size
        defer { if job.backend.image.size != size { job.backend.sizeChanged() } }
        do throws(BlockError) {
            // What a mirror gets last and the disk's new place belong together: no request comes between.
            try job.backend.paused { () throws(BlockError) in
                defer { (job as? CopyJob)?.target.release("job '\(job.id)'") }
                try job.finish(failure)
            }
        } catch { failed(job, error) }
        guard let copy = job as? CopyJob else { return }
        // What the user has named stays.
        let rest = copy.hasTaken ? copy.source : copy.target
        if rest.name.hasPrefix("#") {
            do throws(BlockError) { try graph.remove(rest.name) } catch { failed(job, error) }
        }
    }

    public func job(_ id: String) throws(BlockCommandError) -> BlockJob {
        guard let job = jobs.first(where: { $0.id == id }) else { throw .noJob(id) }
        return job
    }

    /// A mirror that is ready stays a copy; other work is given up.
    public func cancel(_ id: String) throws(BlockCommandError) { try job(id).wish(for: .cancel) }

    /// The mirror takes the disk's place.
    public func complete(_ id: String) throws(BlockCommandError) {
        let job = try job(id)
        guard job.kind == .mirror, job.isReady else { throw .notReady(job: id) }
        job.wish(for: .complete)
    }

    public func pause(_ id: String) throws(BlockCommandError) {
        let job = try job(id)
        if job.isPaused { throw .alreadyPaused(job: id) }
        job.setPaused(true)
    }

    public func resume(_ id: String) throws(BlockCommandError) {
        let job = try job(id)
        if !job.isPaused { throw .notPaused(job: id) }
        job.setPaused(false)
    }

    public func setSpeed(_ id: String, _ speed: UInt64) throws(BlockCommandError) { try job(id).speed = speed }

    /// Gives up all jobs, and waits until they have ended. The loop turns here.
    public func endAll() {
        for job in jobs { job.wish(for: .cancel) }
        while !jobs.isEmpty { loop.turn() }
    }
}
