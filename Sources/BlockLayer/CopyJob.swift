// Copies a disk that is in use: as it is, until somebody takes the copy (mirror), or as it was at the start (backup).

import HostOS

final class CopyJob: BlockJob, @unchecked Sendable {
    private let filter: CopyFilter
    let source: BlockNode
    let target: BlockNode
    /// The copy has taken the disk's place.
    private(set) var hasTaken = false

    init(
        _ id: String, _ kind: Kind, _ backend: BlockBackend, to target: BlockNode, isNew: Bool, isTop: Bool,
        packs: Bool = false, speed: UInt64
    ) {
        source = backend.node
        self.target = target
        filter = CopyFilter(
            source.image, to: target, keepsOld: kind == .backup, isNew: isNew, isTop: isTop, packs: packs)
        super.init(id, kind, backend, speed: speed)
        filter.hasMore = { [weak self] in self?.wake() }
    }

    /// Requests go through the filter from now on.
    override func prepare() throws(BlockError) {
        try backend.paused { () throws(BlockError) in source.image = filter }
    }

    override func work() throws(BlockError) {
        try copyAll()
        if kind == .backup || wish == .cancel { return }
        // A mirror stays one until somebody takes it.
        while true {
            noteReady(true)
            waitForWish { filter.failure != nil || !filter.isComplete }
            if let failure = filter.failure { throw failure }
            if wish != .nothing { return }
            try copyAll()
        }
    }

    private func copyAll() throws(BlockError) {
        var next = 0
        repeat {
            next = 0
            while true {
                guard mayGoOn(filter.isComplete ? 0 : CopyFilter.step) else { return }
                if let failure = filter.failure { throw failure }
                guard let after = try filter.copyNext(from: next) else { break }
                next = after
                if !isReady { note(done: UInt64(next) * CopyFilter.chunk) }
            }
        } while !filter.isComplete
        note(done: .max)
    }

    override func finish(_ failure: BlockError?) throws(BlockError) {
        defer { source.image = filter.below }
        if let failure { throw failure }
        guard isReady || kind == .backup && wish != .cancel else { return }
        if kind == .mirror { while try filter.copyNext(from: 0) != nil {} }
        if let failure = filter.failure { throw failure }
        try target.flush()
        if kind == .mirror, wish == .complete { try take() }
    }

    /// The copy takes the place of what the disk's users have.
    private func take() throws(BlockError) {
        let users = source.users
        target.release("job '\(id)'")
        do throws(BlockError) { for user in users { try target.use(user.use, by: user.who) } } catch {
            for user in users { target.release(user.who) }
            throw error
        }
        for user in users { source.release(user.who) }
        backend.node = target
        hasTaken = true
    }
}
