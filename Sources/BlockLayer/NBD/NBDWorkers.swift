// The threads that answer one client's requests, several at a time.

import HostOS

final class NBDWorkers: @unchecked Sendable {
    private static let threadLimit = 8
    /// Requests, and bytes of them, that are under way or wait for a thread. One alone may have more bytes.
    private static let mostRequests = 16, mostBytes = 64 << 20

    /// A leaf. Guards what follows.
    private let lock = Lock()
    private var waiting: [(bytes: Int, body: () -> Void)] = []
    private var requests = 0, bytes = 0
    private var threads = 0, idle = 0
    private var isOver = false
    /// Nanoseconds that a request takes, most of all those done last.
    private var average: UInt64 = 1_000_000
    /// What takes less than that is done sooner by who has read it than by a thread that is to be woken.
    private static let wakingTime: UInt64 = 30_000
    /// Changes when there is work or an end, and when a request or a thread has ended.
    private let workWord = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    private let endWord = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

    init() {
        workWord.initialize(to: 0)
        endWord.initialize(to: 0)
    }

    deinit {
        workWord.deallocate()
        endWord.deallocate()
    }

    private func signal(_ word: UnsafeMutablePointer<UInt32>, count: Int = 1) {
        lock.withLock { publishWord(word, word.pointee &+ 1) }
        Futex.wake(UInt64(UInt(bitPattern: word)), count: count, isPrivate: true)
    }

    private func wait(until isTrue: () -> Bool) {
        while true {
            let seen = publishedWord(endWord)
            if lock.withLock(isTrue) { return }
            Futex.wait(endWord, while: seen)
        }
    }

    /// Returns when there is room for a request of so many bytes, which has it then.
    func reserve(_ count: Int) {
        wait {
            let hasRoom = requests == 0 || requests < Self.mostRequests && bytes + count <= Self.mostBytes
            if hasRoom {
                requests += 1
                bytes += count
            }
            return hasRoom
        }
    }

    /// Has a request done that has its room: by a thread, or where requests are short by the caller.
    func submit(_ count: Int, _ body: @escaping () -> Void) {
        let isShort = lock.withLock { average < Self.wakingTime && waiting.isEmpty }
        if isShort { return perform((count, body)) }
        let starts = lock.withLock {
            waiting.append((count, body))
            let starts = idle < waiting.count && threads < Self.threadLimit
            if starts { threads += 1 }
            return starts
        }
        signal(workWord)
        if !starts { return }
        do throws(Errno) { try HostThread.start("nbd", blocksSignals: true) { self.run() } } catch {
            // Without a thread the caller does it.
            lock.withLock { threads -= 1 }
            while step() {}
        }
    }

    /// Returns when all has been done, and no thread is there any more.
    func end() {
        lock.withLock { isOver = true }
        signal(workWord, count: Int(Int32.max))
        wait { threads == 0 && requests == 0 }
    }

    private func run() {
        while true {
            let seen = publishedWord(workWord)
            if step() { continue }
            let (rests, isEnd) = lock.withLock {
                let rests = waiting.isEmpty && !isOver, isEnd = waiting.isEmpty && isOver
                if rests { idle += 1 }
                return (rests, isEnd)
            }
            if isEnd { break }
            if !rests { continue }
            Futex.wait(workWord, while: seen)
            lock.withLock { idle -= 1 }
        }
        lock.withLock { threads -= 1 }
        signal(endWord)
    }

    private func step() -> Bool {
        guard let work = lock.withLock({ waiting.isEmpty ? nil : waiting.removeFirst() }) else { return false }
        perform(work)
        signal(endWord)
        return true
    }

    private func perform(_ work: (bytes: Int, body: () -> Void)) {
        let start = HostClock.monotonic()
        work.body()
        let time = HostClock.monotonic() - start
        lock.withLock {
            requests -= 1
            bytes -= work.bytes
            average = (7 * average + time) / 8
        }
    }
}
