// A thread with a loop of its own, for devices that are not to share the main loop. (QEMU's -object iothread)

import Diagnostics
import EventLoop
import HostOS
import Synchronization

public final class IOThread: @unchecked Sendable {
    public let name: String
    /// Of the devices that it serves.
    public let domain: Domain
    private let isOver = Atomic<Bool>(false)
    /// The kernel's number of the thread; 0 before it runs, and when it has ended.
    private let number = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

    public init(_ name: String, clocks: Clocks, diagnostics: Diagnostics = .silent) throws(Errno) {
        self.name = name
        domain = Domain(try EventLoop(clocks: clocks), diagnostics: diagnostics, isThreaded: true)
        number.initialize(to: 0)
        try HostThread.start(blocksSignals: true) { self.run() }
        while publishedWord(number) == 0 { Futex.wait(number, while: 0) }
    }

    private func run() {
        HostThread.setName(name)
        set(UInt32(HostProcess.threadID))
        domain.loop.run { isOver.load(ordering: .acquiring) }
        set(0)
    }

    private func set(_ value: UInt32) {
        publishWord(number, value)
        Futex.wake(UInt64(UInt(bitPattern: number)), count: .max, isPrivate: true)
    }

    public var threadID: UInt32 { publishedWord(number) }

    /// Returns when the thread has ended: nothing is done for its devices any more.
    public func end() {
        isOver.store(true, ordering: .releasing)
        domain.loop.wake()
        while true {
            let running = threadID
            if running == 0 { return }
            Futex.wait(number, while: running, nanoseconds: 1_000_000_000)
        }
    }
}
