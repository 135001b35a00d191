// An image for those who must not wait: requests go to threads, and their ends come back by a loop.

import EventLoop
import HostOS

/// What is asked of an image. Buffers stay where they are until the request has ended.
public enum BlockOperation: @unchecked Sendable {
    case read(offset: UInt64, [UnsafeMutableRawBufferPointer])
    case write(offset: UInt64, [UnsafeRawBufferPointer])
    case writeZeroes(offset: UInt64, count: UInt64, mayUnmap: Bool)
    case discard(offset: UInt64, count: UInt64)
    case flush

    var writes: Bool { if case .read = self { false } else { true } }

    /// The disk is another one after it.
    public var changes: Bool {
        switch self {
        case .read, .flush: false
        case .write, .writeZeroes, .discard: true
        }
    }

    /// Nil: it is about no bytes.
    var bytes: UInt64? {
        switch self {
        case .read(_, let buffers): buffers.reduce(0) { $0 + UInt64($1.count) }
        case .write(_, let buffers): buffers.reduce(0) { $0 + UInt64($1.count) }
        case .writeZeroes(_, let count, _), .discard(_, let count): count
        case .flush: nil
        }
    }
}

/// What becomes of a request that has failed.
public enum ErrorAction: String, CaseIterable, Sendable {
    /// The guest is told.
    case report
    /// It counts as done.
    case ignore
    /// The machine stops, and the request is tried again when it goes on.
    case stop
    /// As `stop` where there is no space left, else as `report`.
    case enospc
}

/// What has been done so far.
public struct BlockStatistics: Sendable {
    public struct Row: Sendable {
        public var operations: UInt64 = 0, bytes: UInt64 = 0
        /// That requests took, together.
        public var nanoseconds: UInt64 = 0
    }
    public var read = Row(), written = Row(), flushed = Row()
}

public final class BlockBackend: @unchecked Sendable {
    public typealias Ended = (BlockError?) -> Void

    private struct Request {
        let operation: BlockOperation
        let ended: Ended
        var start: UInt64 = 0
    }

    /// What it uses. It changes while no request is under way.
    public internal(set) var node: BlockNode {
        get { lock.withLock { nodeNow } }
        set { lock.withLock { nodeNow = newValue } }
    }
    public var image: any BlockImage { node }
    /// What the user calls it.
    public let name: String
    /// As its node knows it.
    public let user: String
    /// Nanoseconds in which a request is to end: before a reset, and before anything else.
    var resetPatience: UInt64 = 2_000_000_000, longestWait: UInt64 = 30_000_000_000
    /// More do not make a disk faster, and a queue of a device is rarely longer.
    private static let threadLimit = 8

    /// A leaf. Guards what follows.
    private let lock = Lock()
    private var nodeNow: BlockNode
    private var hasOpenTray = false
    private var waiting: [Request] = []
    /// Of `waiting`: those before it are taken.
    private var first = 0
    private var ended: [(Request, BlockError?)] = []
    /// Those that failed and wait for the machine to go on.
    private var held: [Request] = []
    private var isPaused = false
    private var counts = BlockStatistics()
    /// Limits of its requests.
    private var group: ThrottleGroup?
    private var threadCount = 0
    private var idleCount = 0
    private var running = 0
    private var isAwaited = false
    /// Changes when there is work for an idle thread, and when a request ends.
    private let workWord = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    private let endWord = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    private var report: BottomHalf?
    /// Of a disk whose file is asked for without threads.
    private var ring: RequestRing<Request>?
    private var ringSource: Source?

    // Set before there are requests, or by the loop's thread.
    public var onReadError = ErrorAction.report
    public var onWriteError = ErrorAction.enospc
    /// Has the machine stop.
    public var stopMachine: () -> Void = {}
    /// The disk has another size.
    public var sizeChanged: () -> Void = {}
    /// The device that has it.
    public var device: String?
    /// The device can give its medium back.
    public var door: MediumDoor?
    public var isTrayOpen: Bool {
        get { lock.withLock { hasOpenTray } }
        set { lock.withLock { hasOpenTray = newValue } }
    }
    /// Media are only read.
    public var readsOnly = false
    /// The node ends with its use here.
    public var ownsNode = false
    /// The device cannot have another size.
    public var hasFixedSize = false

    public convenience init(_ image: any BlockImage, name: String) {
        self.init(BlockNode(image, name: name), name: name)
    }

    public convenience init(_ node: BlockNode, name: String) { self.init(node, name: name, user: "a device") }

    public init(_ node: BlockNode, name: String, user: String) {
        nodeNow = node
        self.name = name
        self.user = user
        workWord.initialize(to: 0)
        endWord.initialize(to: 0)
    }

    /// Joins it with the one device that uses it: requests' ends are told by the loop's thread, with `lock` held.
    public func attach(_ loop: EventLoop, under lock: Lock?) {
        report = BottomHalf(loop, under: lock) { [unowned self] in
            let ends = self.lock.withLock {
                defer { ended = [] }
                return ended
            }
            for (request, error) in ends { tell(request, error) }
        }
        if node.ringFile != nil { openRing(loop) }
    }

    private func openRing(_ loop: EventLoop) {
        do throws(Errno) {
            let ring = try RequestRing<Request>()
            self.ring = ring
            loop.post { [weak self] in
                self?.ringSource = loop.watch(ring.descriptor, .readable) { _ in self?.takeFromRing() }
            }
        } catch { writeStandardError("martlet: \(name): io_uring: \(error.message); threads do its requests\n") }
    }

    private func tell(_ request: Request, _ error: BlockError?) {
        guard let error else { return request.ended(nil) }
        switch request.operation.writes ? onWriteError : onReadError {
        case .ignore: request.ended(nil)
        case .stop: hold(request)
        case .enospc where error.errno == .nospc: hold(request)
        case .report, .enospc: request.ended(error)
        }
    }

    private func hold(_ request: Request) {
        lock.withLock { held.append(request) }
        stopMachine()
    }

    /// The machine goes on: what has failed is tried again.
    public func retry() {
        let requests = lock.withLock {
            defer { held = [] }
            return held
        }
        for request in requests { submit(request.operation, request.ended) }
    }

    public var throttleGroup: ThrottleGroup? {
        get { lock.withLock { group } }
        set { lock.withLock { group = newValue } }
    }

    public var statistics: BlockStatistics { lock.withLock { counts } }

    /// While `body` runs, no request is under way. Those that come wait.
    public func paused<R>(_ body: () throws(BlockError) -> R) throws(BlockError) -> R {
        lock.withLock { isPaused = true }
        let lifted = liftLimits()
        defer {
            lifted()
            lock.withLock { isPaused = false }
            resume()
        }
        let node = node
        wait(patience: longestWait) {
            running == 0
        } impatient: {
            node.abort()
        }
        return try body()
    }

    /// No request waits for a limit, until the function that this returns is called.
    private func liftLimits() -> () -> Void {
        let group = throttleGroup, node = node
        group?.lift(true)
        node.lift(true)
        return {
            group?.lift(false)
            node.lift(false)
        }
    }

    private func resume() {
        signal(workWord, count: Int(Int32.max))
        let startsThread = lock.withLock {
            let starts = waiting.count > first && threadCount == 0
            if starts { threadCount += 1 }
            return starts
        }
        if startsThread { startThread() }
    }

    /// Any thread. Requests that are under way at the same time are done in any order.
    public func submit(_ operation: BlockOperation, _ ended: @escaping Ended) {
        let request = Request(operation: operation, ended: ended)
        if !beginInRing(request) { submitToThreads(request) }
    }

    /// False: it is not for the ring.
    private func beginInRing(_ request: Request) -> Bool {
        guard ring != nil else { return false }
        let node = node, operation = request.operation
        guard let file = node.ringFile, node.contains(operation), !(operation.changes && HostLimits.limitsFiles)
        else { return false }
        return lock.withLock {
            // What came before and waits is done first.
            guard let ring, !isPaused, group == nil, first == waiting.count else { return false }
            var request = request
            request.start = HostClock.monotonic()
            guard ring.begin(operation, file, request) else { return false }
            running += 1
            return true
        }
    }

    /// Ends what the kernel has done. Threads do again what it has not done all of: they know what went wrong.
    private func takeFromRing() {
        let ends = lock.withLock { ring?.take() ?? [] }
        for (request, isDone) in ends {
            if isDone {
                count(request.operation, nanoseconds: HostClock.monotonic() &- request.start)
                finish(request, nil)
            } else {
                submitToThreads(request)
                leave()
            }
        }
    }

    private func submitToThreads(_ request: Request) {
        lock.lock()
        waiting.append(request)
        let startsThread = waiting.count - first > idleCount && threadCount < Self.threadLimit
        if startsThread { threadCount += 1 }
        let wakes = idleCount > 0
        lock.unlock()
        if wakes { signal(workWord) }
        if startsThread { startThread() }
    }

    /// Does it at once, for who must wait, and tells the error to nobody else. While requests wait, so does this.
    public func perform(now operation: BlockOperation) throws(BlockError) {
        while true {
            let seen = publishedWord(workWord)
            let mayBegin = lock.withLock {
                if !isPaused { running += 1 }
                return !isPaused
            }
            if mayBegin { break }
            Futex.wait(workWord, while: seen, nanoseconds: 1_000_000_000)
        }
        let error = perform(operation)
        leave()
        if let error { throw error }
    }

    private func leave() {
        let tells = lock.withLock {
            running -= 1
            return isAwaited
        }
        if tells { signal(endWord) }
    }

    /// Returns when no request is under way. Those that did not begin, and those whose end has not been told, are forgotten.
    public func cancelAll() {
        // A request that a limit keeps waiting could take minutes, and one that a server does not answer has no end.
        let lifted = liftLimits(), node = node
        defer { lifted() }
        wait(patience: resetPatience) {
            waiting = []
            first = 0
            ended = []
            held = []
            return running == 0
        } impatient: {
            node.abort()
        }
    }

    /// Returns when everything that was asked for has been done, told or not. What does not end is given up.
    public func finishAll() {
        let node = node
        wait(patience: longestWait) {
            running == 0 && first == waiting.count
        } impatient: {
            node.abort()
        }
    }

    /// Asks, with the lock held, at first and whenever a request has ended. `impatient`: when none has ended for a time.
    private func wait(patience: UInt64, until isOver: () -> Bool, impatient: () -> Void) {
        var last = publishedWord(endWord), end = HostClock.monotonic() + patience
        while true {
            let seen = publishedWord(endWord)
            let goesOn = lock.withLock {
                isAwaited = !isOver()
                return isAwaited
            }
            if !goesOn { return }
            // Who waits may be whom the ring's ends would be told.
            if let ring, lock.withLock({ ring.count > 0 }) {
                var entries = [PollEntry(ring.descriptor, .readable)]
                _ = HostPoll.wait(&entries, nanoseconds: 10_000_000)
                takeFromRing()
                continue
            }
            let now = HostClock.monotonic()
            if seen != last || now >= end {
                if seen == last { impatient() }
                last = seen
                end = now + patience
                continue
            }
            Futex.wait(endWord, while: seen, nanoseconds: end - now)
        }
    }

    private func signal(_ word: UnsafeMutablePointer<UInt32>, count: Int = 1) {
        lock.withLock { publishWord(word, word.pointee &+ 1) }
        Futex.wake(UInt64(UInt(bitPattern: word)), count: count, isPrivate: true)
    }

    private func startThread() {
        do throws(Errno) { try HostThread.start("worker", blocksSignals: true) { self.work() } } catch {
            // Without threads the caller does it.
            lock.withLock { threadCount -= 1 }
            while let request = take() { finish(request, perform(request.operation)) }
        }
    }

    private func work() {
        while true {
            let seen = publishedWord(workWord)
            if let request = take() {
                finish(request, perform(request.operation))
                continue
            }
            let hasWork = lock.withLock {
                if first < waiting.count, !isPaused { return true }
                idleCount += 1
                return false
            }
            if hasWork { continue }
            Futex.wait(workWord, while: seen, nanoseconds: 60_000_000_000)
            lock.withLock { idleCount -= 1 }
        }
    }

    private func take() -> Request? {
        lock.withLock {
            guard first < waiting.count, !isPaused else { return nil }
            defer {
                first += 1
                running += 1
                if first == waiting.count {
                    waiting.removeAll(keepingCapacity: true)
                    first = 0
                }
            }
            return waiting[first]
        }
    }

    private func finish(_ request: Request, _ error: BlockError?) {
        lock.withLock { ended.append((request, error)) }
        // Before the request is over: who waits for that may end the loop.
        report?.schedule()
        leave()
    }

    private func perform(_ operation: BlockOperation) -> BlockError? {
        let start = HostClock.monotonic()
        defer { count(operation, nanoseconds: HostClock.monotonic() &- start) }
        if let group = throttleGroup, let bytes = operation.bytes {
            group.wait(bytes: bytes, writes: operation.writes)
        }
        let image = node
        do throws(BlockError) {
            switch operation {
            case .read(let offset, let buffers): try image.read(at: offset, into: buffers)
            case .write(let offset, let buffers): try image.write(at: offset, from: buffers)
            case .writeZeroes(let offset, let count, let mayUnmap):
                try image.writeZeroes(at: offset, count: count, mayUnmap: mayUnmap)
            case .discard(let offset, let count): try image.discard(at: offset, count: count)
            case .flush: try image.flush()
            }
            return nil
        } catch {
            return error
        }
    }

    private func count(_ operation: BlockOperation, nanoseconds: UInt64) {
        let path: WritableKeyPath<BlockStatistics, BlockStatistics.Row>
        switch operation {
        case .read: path = \.read
        case .write, .writeZeroes: path = \.written
        case .flush: path = \.flushed
        case .discard: return
        }
        lock.withLock {
            counts[keyPath: path].operations += 1
            counts[keyPath: path].bytes += operation.bytes ?? 0
            counts[keyPath: path].nanoseconds += nanoseconds
        }
    }
}

extension BlockImage {
    /// The operation is about bytes that there are, and may be done.
    fileprivate func contains(_ operation: BlockOperation) -> Bool {
        let offset: UInt64
        switch operation {
        case .read(let at, _): offset = at
        case .write(let at, _): offset = at
        case .flush: return !isReadOnly
        case .writeZeroes, .discard: return false
        }
        let bytes = operation.bytes ?? 0
        return offset <= size && bytes <= size - offset && !(operation.writes && isReadOnly)
    }
}
