// A processor of a machine: a vCPU with the means to stop it, to wake it and to tell it of interrupts.

import ExecutionEngine
import HostOS
import Synchronization

/// One hart. Lines and `kick` are for any thread, the rest is for the thread that runs it.
public final class Hart: @unchecked Sendable {
    public let number: Int
    public let vcpu: VCPU
    /// Changes with each kick; the thread sleeps on it.
    private let signal: UnsafeMutablePointer<UInt32>
    /// Whose signal that is, if it is another's.
    private let sharing: Hart?
    /// When its own timer is due on the machine's clock in nanoseconds; `.max`: never.
    private let deadlineWord = Atomic<UInt64>(.max)
    /// It waits for an interrupt. Only where instructions are counted; its thread's.
    var isWaiting = false

    /// `other`: a hart that the same thread runs.
    init(_ number: Int, _ vcpu: VCPU, wokenWith other: Hart?) {
        self.number = number
        self.vcpu = vcpu
        sharing = other
        signal = other?.signal ?? .allocate(capacity: 1)
        if other == nil { signal.initialize(to: 0) }
    }

    deinit { if sharing == nil { signal.deallocate() } }

    /// Has it look at its interrupt lines, and at what its thread is asked to do.
    public func kick() {
        word.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
        vcpu.requestExit()
        Futex.wake(UInt64(UInt(bitPattern: signal)), isPrivate: true)
    }

    var kicks: UInt32 { word.pointee.load(ordering: .sequentiallyConsistent) }

    var deadline: UInt64 {
        get { deadlineWord.load(ordering: .sequentiallyConsistent) }
        set { deadlineWord.store(newValue, ordering: .sequentiallyConsistent) }
    }

    /// Takes a deadline back, unless it is another one by now.
    func clearDeadline(_ deadline: UInt64) {
        _ = deadlineWord.compareExchange(expected: deadline, desired: .max, ordering: .acquiringAndReleasing)
    }

    /// Sleeps until it is kicked again, or for so many nanoseconds.
    func sleep(since seen: UInt32, nanoseconds: UInt64) {
        if nanoseconds == .max {
            Futex.wait(signal, while: seen)
        } else {
            Futex.wait(signal, while: seen, nanoseconds: nanoseconds)
        }
    }

    private var word: UnsafePointer<Atomic<UInt32>> { UnsafePointer<Atomic<UInt32>>(OpaquePointer(signal)) }
}
