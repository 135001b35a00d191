// Stopping all threads of a process that is about to end, each at an instruction boundary, so that one of them can say what all of them
// were doing.

import ExecutionEngine
import HostOS
import Synchronization

extension GuestProcess {
    /// Stops all guest threads but the calling one for good, and returns them. What does not come to rest in a second is returned as it
    /// is: a host call that takes long, or a bug. Only one thread of a process returns from this. A shared child has no other threads.
    func stopOtherThreads(of caller: GuestThread) -> [GuestThread] {
        if caller.isSharedChild { return [] }
        if stopper.compareExchange(expected: 0, desired: caller.tid, ordering: .sequentiallyConsistent).original != 0 {
            caller.stop()
        }
        let deadline = HostClock.monotonic() + 1_000_000_000
        var asked = -1
        var spin = SpinWait()
        while true {
            // The lock also orders the requests of the last round before the looks of this one: a thread that seems to stand still, and
            // is just about to go on, sees its request. Threads may have started meanwhile.
            let others = lock.withLock { threads.filter { $0 !== caller } }
            let isQuiet = others.count == asked && others.allSatisfy { $0.isStill.load(ordering: .acquiring) }
            if isQuiet || HostClock.monotonic() > deadline { return others }
            for thread in others { thread.vcpu.requestExit() }
            asked = others.count
            spin.wait()
        }
    }
}

extension GuestThread {
    /// Another thread stops this one, which is about to go on with guest code.
    var isToStop: Bool { process.stopper.load(ordering: .relaxed) != 0 && !isSharedChild }

    /// Stays here until the process ends. The guest's state is exact, and no lock is held.
    func stop() -> Never {
        HostSignals.setMask(.max)
        isStill.store(true, ordering: .releasing)
        while true { HostThread.waitForSignal() }
    }

    /// Does something that waits and leaves the guest's state alone: others may read it meanwhile.
    @inline(__always)
    func still<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        isStill.store(true, ordering: .releasing)
        defer { isStill.store(false, ordering: .releasing) }
        return try body()
    }
}
