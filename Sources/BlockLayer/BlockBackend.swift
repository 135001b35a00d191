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
}

public final class BlockBackend: @unchecked Sendable {
    public typealias Ended = (BlockError?) -> Void

    private struct Request {
        let operation: BlockOperation
        let ended: Ended
    }

    public let image: any BlockImage
    /// What the user calls it.
    public let name: String
    /// More do not make a disk faster, and a queue of a device is rarely longer.
    private static let threadLimit = 8

    /// A leaf. Guards what follows.
    private let lock = Lock()
    private var waiting: [Request] = []
    /// Of `waiting`: those before it are taken.
    private var first = 0
    private var ended: [(Ended, BlockError?)] = []
    private var threadCount = 0
    private var idleCount = 0
    private var running = 0
    private var isAwaited = false
    /// Changes when there is work for an idle thread, and when a request ends.
    private let workWord = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    private let endWord = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    private var report: BottomHalf?

    public init(_ image: any BlockImage, name: String) {
        self.image = image
        self.name = name
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
            for (body, error) in ends { body(error) }
        }
    }

    /// Any thread. Requests that are under way at the same time are done in any order.
    public func submit(_ operation: BlockOperation, _ ended: @escaping Ended) {
        lock.lock()
        waiting.append(Request(operation: operation, ended: ended))
        let startsThread = waiting.count - first > idleCount && threadCount < Self.threadLimit
        if startsThread { threadCount += 1 }
        let wakes = idleCount > 0
        lock.unlock()
        if wakes { signal(workWord) }
        if startsThread { startThread() }
    }

    /// Returns when no request is under way. Those that did not begin, and those whose end has not been told, are forgotten.
    public func cancelAll() {
        wait {
            waiting = []
            first = 0
            ended = []
            return running == 0
        }
    }

    /// Returns when everything that was asked for has been done, told or not.
    public func finishAll() { wait { running == 0 && first == waiting.count } }

    /// Asks, with the lock held, at first and whenever a request has ended.
    private func wait(until isOver: () -> Bool) {
        while true {
            let seen = publishedWord(endWord)
            let goesOn = lock.withLock {
                isAwaited = !isOver()
                return isAwaited
            }
            if !goesOn { return }
            Futex.wait(endWord, while: seen, nanoseconds: 1_000_000_000)
        }
    }

    private func signal(_ word: UnsafeMutablePointer<UInt32>) {
        lock.withLock { publishWord(word, word.pointee &+ 1) }
        Futex.wake(UInt64(UInt(bitPattern: word)), isPrivate: true)
    }

    private func startThread() {
        do throws(Errno) { try HostThread.start(blocksSignals: true) { self.work() } } catch {
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
                if first < waiting.count { return true }
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
            guard first < waiting.count else { return nil }
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
        lock.withLock { ended.append((request.ended, error)) }
        // Before the request is over: who waits for that may end the loop.
        report?.schedule()
        let tells = lock.withLock {
            running -= 1
            return isAwaited
        }
        if tells { signal(endWord) }
    }

    private func perform(_ operation: BlockOperation) -> BlockError? {
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
}
