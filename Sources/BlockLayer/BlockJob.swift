// Work on a disk that goes on beside the machine: a thread of its own does it, and the loop's thread ends it.

import EventLoop
import HostOS

public class BlockJob: @unchecked Sendable {
    public enum Kind: String, Sendable { case stream, mirror, backup }

    public struct Progress: Sendable, Equatable {
        /// Bytes.
        public var done: UInt64 = 0, all: UInt64 = 0
    }

    /// What has been asked of it.
    enum Wish { case nothing, cancel, complete }

    public final let id: String
    public final let kind: Kind
    public final let backend: BlockBackend

    /// A leaf. Guards what follows.
    private final let lock = Lock()
    private final var progressNow = Progress()
    private final var isPausedNow = false
    private final var isReadyNow = false
    private final var wishNow = Wish.nothing
    private final var isPrepared = false
    /// Changes when the thread is to look again.
    private final let word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    private final let group: ThrottleGroup

    init(_ id: String, _ kind: Kind, _ backend: BlockBackend, speed: UInt64) {
        self.id = id
        self.kind = kind
        self.backend = backend
        group = ThrottleGroup(id, ThrottleLimits(bytes: speed))
        word.initialize(to: 0)
        progressNow.all = backend.image.size
    }

    deinit { word.deallocate() }

    // MARK: Any thread

    public final var progress: Progress { lock.withLock { progressNow } }
    public final var isPaused: Bool { lock.withLock { isPausedNow } }
    /// The copy is the same, and stays so until the job is completed or cancelled.
    public final var isReady: Bool { lock.withLock { isReadyNow } }
    /// Bytes in a second; 0: as many as there can be.
    public final var speed: UInt64 {
        get { group.limits[.bytes].average }
        set { group.set(ThrottleLimits(bytes: newValue)) }
    }
    final var wish: Wish { lock.withLock { wishNow } }

    final func setPaused(_ isPaused: Bool) { change { $0.isPausedNow = isPaused } }

    final func wish(for wish: Wish) {
        change {
            $0.wishNow = wish
            $0.isPausedNow = false
        }
        group.lift(true)
    }

    private final func change(_ body: (BlockJob) -> Void) {
        lock.withLock {
            body(self)
            publishWord(word, word.pointee &+ 1)
        }
        Futex.wake(UInt64(UInt(bitPattern: word)), isPrivate: true)
    }

    /// Something has come up for the thread.
    final func wake() { change { _ in } }

    final func note(done: UInt64) { lock.withLock { progressNow.done = min(done, progressNow.all) } }
    final func noteReady(_ isReady: Bool) { lock.withLock { isReadyNow = isReady } }

    // MARK: The job's thread

    /// Waits until the next bytes may be done. False: it is to end.
    final func mayGoOn(_ bytes: UInt64) -> Bool {
        while true {
            let seen = publishedWord(word)
            let (wish, isPaused) = lock.withLock { (wishNow, isPausedNow) }
            if wish == .cancel { return false }
            if !isPaused { break }
            Futex.wait(word, while: seen, nanoseconds: 1_000_000_000)
        }
        group.wait(bytes: bytes, writes: true)
        return wish != .cancel
    }

    /// Waits until there is a wish, or `hasWork`.
    final func waitForWish(orWork hasWork: () -> Bool) {
        while true {
            let seen = publishedWord(word)
            if wish != .nothing || hasWork() { return }
            Futex.wait(word, while: seen, nanoseconds: 1_000_000_000)
        }
    }

    /// Begins with `prepare`, if there is a thread. `ended` is told by the loop's thread.
    final func start(
        _ loop: EventLoop, on startThread: (@escaping () -> Void) throws(Errno) -> Void,
        _ ended: @escaping @Sendable (BlockError?) -> Void
    ) throws(BlockError) {
        do throws(Errno) {
            try startThread { [self] in
                var failure: BlockError?
                waitForWish { lock.withLock { isPrepared } }
                do throws(BlockError) { try work() } catch { failure = error }
                loop.post { [failure] in ended(failure) }
            }
        } catch { throw BlockError(error, "job '\(id)': no thread for it: \(error.message)") }
        defer { change { $0.isPrepared = true } }
        do throws(BlockError) { try prepare() } catch {
            // The thread ends at once.
            wish(for: .cancel)
            throw error
        }
    }

    /// What is to be done before the work begins, by the loop's thread.
    func prepare() throws(BlockError) {}
    /// All that can be done beside the machine.
    func work() throws(BlockError) {}
    /// The rest, by the loop's thread, while the disk's requests wait. `failure`: what came of the work.
    func finish(_ failure: BlockError?) throws(BlockError) { if let failure { throw failure } }
}

/// What an image shows from below becomes its own, and then nothing is below it, or an image that was deeper.
final class StreamJob: BlockJob, @unchecked Sendable {
    private static let copySize: UInt64 = 1 << 19
    private let image: QCOW2Image
    private let base: QCOW2Image.Base?

    init(_ id: String, _ backend: BlockBackend, _ image: QCOW2Image, to base: QCOW2Image.Base?, speed: UInt64) {
        self.image = image
        self.base = base
        super.init(id, .stream, backend, speed: speed)
    }

    override func work() throws(BlockError) {
        var at: UInt64 = 0
        let size = image.size
        while at < size {
            let own = try image.ownStatus(at: at, count: size - at)
            let source =
                own.isAllocated ? (own.count, false) : try image.source(at: at, count: own.count, within: base?.levels)
            let copies = source.1, count = copies ? min(source.0, Self.copySize) : source.0
            guard mayGoOn(copies ? count : 0) else { return }
            if copies { try image.copyUp(at: at, count: count, from: base?.levels) }
            at += count
            note(done: at)
        }
    }

    override func finish(_ failure: BlockError?) throws(BlockError) {
        if let failure { throw failure }
        if progress.done < progress.all { return }
        try image.flush()
        try image.dropBacking(to: base)
    }
}
