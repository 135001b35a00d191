// Ranges of bytes that requests under way keep others from.

import HostOS

/// A range is shared by those that need what it is to stay as it is, and held alone by one that changes that.
final class RangeLocks: @unchecked Sendable {
    private struct Held {
        let range: Range<UInt64>
        let isAlone: Bool
        let id: UInt64
    }

    /// A leaf. Guards what follows.
    private let lock = Lock()
    private var held: [Held] = []
    private var lastID: UInt64 = 0
    private var waiterCount = 0
    /// Changes when a range is let go.
    private let word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

    init() { word.initialize(to: 0) }
    deinit { word.deallocate() }

    func take(_ range: Range<UInt64>, alone: Bool) -> UInt64 {
        lock.lock()
        while held.contains(where: { ($0.isAlone || alone) && $0.range.overlaps(range) }) {
            let seen = word.pointee
            waiterCount += 1
            lock.unlock()
            Futex.wait(word, while: seen)
            lock.lock()
            waiterCount -= 1
        }
        lastID += 1
        held.append(Held(range: range, isAlone: alone, id: lastID))
        defer { lock.unlock() }
        return lastID
    }

    func release(_ id: UInt64) {
        lock.lock()
        held.removeAll { $0.id == id }
        word.pointee &+= 1
        let wakes = waiterCount > 0
        lock.unlock()
        if wakes { Futex.wake(UInt64(UInt(bitPattern: word)), count: Int(Int32.max), isPrivate: true) }
    }

    func with<R>(_ range: Range<UInt64>, alone: Bool, _ body: () throws(BlockError) -> R) throws(BlockError) -> R {
        let id = take(range, alone: alone)
        defer { release(id) }
        return try body()
    }
}
