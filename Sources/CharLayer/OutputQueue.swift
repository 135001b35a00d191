// Output on its way to the host: a bounded queue between the threads that write and the loop that drains it.

import EventLoop
import HostOS

/// When it is full a writer is told so, and waits in the guest's own way. But nobody waits for a reader that has gone to sleep: when nothing
/// has moved for the time of `patience`, bytes are dropped until something moves.
final class OutputQueue: @unchecked Sendable {
    static let capacity = 1 << 20
    static let patience: UInt64 = 1_000_000_000

    /// A leaf; guards what follows.
    private let lock = Lock()
    private var filling: [UInt8] = []
    /// Bytes in the queue, those that are being drained included.
    private var count = 0
    private var isDropping = false
    private var isClosed = false
    private var hasRefused = false
    /// How often something has moved.
    private var moves: UInt64 = 0
    /// `moves` when the patience began.
    private var movesBefore: UInt64 = 0
    private(set) var dropped: UInt64 = 0
    // The loop's thread's.
    private var draining: [UInt8] = []
    private var drained = 0

    private let capacity: Int
    private let patience: UInt64
    private let loop: EventLoop
    private var timer: Timer!
    private let roomAgain: () -> Void

    /// `roomAgain`: called by the loop's thread when `append` would succeed again, after it has failed.
    init(
        _ loop: EventLoop, capacity: Int = OutputQueue.capacity, patience: UInt64 = OutputQueue.patience,
        roomAgain: @escaping () -> Void
    ) {
        self.loop = loop
        self.capacity = capacity
        self.patience = patience
        self.roomAgain = roomAgain
        timer = loop.timer(.realtime) { [weak self] in self?.patienceIsOver() }
    }

    var isEmpty: Bool { lock.withLock { count == 0 } }

    /// `append`, and `drain` has something to do. False: refused.
    func append(_ byte: UInt8, waking drain: BottomHalf) -> Bool {
        let answer = append(byte)
        if answer == .takenIntoEmpty { drain.schedule() }
        return answer != .refused
    }

    enum Answer { case taken, takenIntoEmpty, refused }

    func append(_ byte: UInt8) -> Answer {
        lock.lock()
        if isClosed {
            lock.unlock()
            return .taken
        }
        if count < capacity {
            filling.append(byte)
            count += 1
            let wasEmpty = count == 1
            lock.unlock()
            return wasEmpty ? .takenIntoEmpty : .taken
        }
        if isDropping {
            dropped += 1
            lock.unlock()
            return .taken
        }
        let isFirst = !hasRefused
        hasRefused = true
        movesBefore = moves
        lock.unlock()
        if isFirst { timer.arm(at: loop.clocks.now(.realtime) + patience) }
        return .refused
    }

    /// The loop's thread: offers the oldest bytes to `write`, which says how many it has taken. False: the queue is empty.
    func drain(_ write: (UnsafeRawBufferPointer) -> Int) -> Bool {
        if drained == draining.count {
            draining.removeAll(keepingCapacity: true)
            drained = 0
            lock.withLock { swap(&filling, &draining) }
            if draining.isEmpty { return false }
        }
        let done = draining.withUnsafeBytes { write(UnsafeRawBufferPointer(rebasing: $0[drained...])) }
        drained += done
        if done > 0 { moved(done) }
        return true
    }

    /// Nobody will take these bytes.
    func discard() {
        while drain({ $0.count }) {}
    }

    /// Nothing will be drained any more: what comes is lost.
    func close() {
        lock.withLock { isClosed = true }
        timer.disarm()
    }

    private func moved(_ done: Int) {
        let hadRefused = lock.withLock {
            count -= done
            moves &+= 1
            isDropping = false
            defer { hasRefused = false }
            return hasRefused
        }
        if hadRefused {
            timer.disarm()
            roomAgain()
        }
    }

    private func patienceIsOver() {
        let hasStalled = lock.withLock {
            guard hasRefused, moves == movesBefore else { return false }
            hasRefused = false
            isDropping = true
            return true
        }
        if hasStalled { roomAgain() }
    }
}
