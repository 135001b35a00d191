// A thread for what a device must not wait for: one piece of work after the other, whose ends are told by the loop.

import HostOS

public final class WorkThread: @unchecked Sendable {
    private struct Work {
        let body: () -> Void
        let ended: () -> Void
    }

    /// A leaf. Guards what follows.
    private let lock = Lock()
    private var waiting: [Work] = []
    private var done: [() -> Void] = []
    private var hasThread = false
    private var isBusy = false
    /// Changes when there is work, and when there is none any more.
    private let workWord = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    private let endWord = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    private var report: BottomHalf!

    /// Ends are told by the loop's thread, with `lock` held.
    public init(_ loop: EventLoop, under lock: Lock?) {
        workWord.initialize(to: 0)
        endWord.initialize(to: 0)
        report = BottomHalf(loop, under: lock) { [unowned self] in
            let ends = self.lock.withLock {
                defer { done = [] }
                return done
            }
            for end in ends { end() }
        }
    }

    /// Any thread. `body` runs on the thread, then `ended` in the loop.
    public func submit(_ body: @escaping () -> Void, ended: @escaping () -> Void) {
        lock.lock()
        waiting.append(Work(body: body, ended: ended))
        let starts = !hasThread, wakes = !isBusy
        hasThread = true
        isBusy = true
        lock.unlock()
        if starts {
            do throws(Errno) { try HostThread.start("worker", blocksSignals: true) { self.run() } } catch {
                // Without threads the caller does it.
                lock.withLock { hasThread = false }
                while step() {}
            }
        } else if wakes {
            signal(workWord)
        }
    }

    private func signal(_ word: UnsafeMutablePointer<UInt32>) {
        lock.withLock { publishWord(word, word.pointee &+ 1) }
        Futex.wake(UInt64(UInt(bitPattern: word)), isPrivate: true)
    }

    /// Returns when no work is under way. What did not begin, and ends that have not been told, are forgotten.
    public func cancelAll() {
        while true {
            let seen = publishedWord(endWord)
            let isBusy = lock.withLock {
                waiting = []
                done = []
                return self.isBusy
            }
            if !isBusy { return }
            Futex.wait(endWord, while: seen, nanoseconds: 1_000_000_000)
        }
    }

    private func run() {
        while true {
            let seen = publishedWord(workWord)
            if !step() { Futex.wait(workWord, while: seen) }
        }
    }

    /// Does the next piece of work; false: there is none.
    private func step() -> Bool {
        let work: Work? = lock.withLock {
            if waiting.isEmpty {
                isBusy = false
                return nil
            }
            return waiting.removeFirst()
        }
        guard let work else {
            signal(endWord)
            return false
        }
        work.body()
        lock.withLock { done.append(work.ended) }
        report.schedule()
        return true
    }
}
