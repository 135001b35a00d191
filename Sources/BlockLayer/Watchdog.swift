// Does something when work takes too long.

import HostOS

final class Watchdog: @unchecked Sendable {
    /// 1: the work has ended.
    private let word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

    /// Without a thread it does nothing.
    init(nanoseconds: UInt64, _ bark: @escaping () -> Void) {
        word.initialize(to: 0)
        let end = HostClock.monotonic() + nanoseconds
        try? HostThread.start("watchdog", blocksSignals: true) { [self] in
            while publishedWord(word) == 0 {
                let now = HostClock.monotonic()
                if now >= end { return bark() }
                Futex.wait(word, while: 0, nanoseconds: end - now)
            }
        }
    }

    deinit { word.deallocate() }

    func end() {
        publishWord(word, 1)
        Futex.wake(UInt64(UInt(bitPattern: word)), isPrivate: true)
    }
}
