// The harts of a machine and the threads that run them.
//
//   one thread per hart (`.multi`), or one for all of them in turn (`.single`), 10 ms each
//   one thread for the harts' own timers: it kicks a hart whose timer is due while it runs
//   where instructions are counted, one thread in all (`HartSet+Counted.swift`)

import ExecutionEngine
import HostOS
import Synchronization

public enum HartThreads: String, CaseIterable, Sendable { case single, multi }

public final class HartSet: VCPUSurroundings, @unchecked Sendable {
    public private(set) var harts: [Hart] = []
    private let threads: HartThreads
    /// Nanoseconds of the machine's clock, which stands still while the machine is stopped.
    private let now: @Sendable () -> UInt64
    /// Ticks of the machine's timer per nanosecond, as a divisor.
    private let nanosecondsPerTick: UInt64
    /// Told when the harts cannot go on: one line for the user.
    private let failed: @Sendable (String) -> Void
    private let counted: CountedTime?

    /// What the machine's timer is ahead of its clock by, in ticks.
    private let ahead = Atomic<UInt64>(0)

    // What the threads are asked to do, and whether they have.
    private let stoppedCount = Atomic<Int>(0)
    private let resumeWord: UnsafeMutablePointer<UInt32>
    private let wantsStop = Atomic<Bool>(true)
    private var threadCount = 0
    private let timerWord: UnsafeMutablePointer<UInt32>
    /// When the timers' thread wakes up next.
    private let timerTarget = Atomic<UInt64>(.max)
    /// Of the hart that `.single` runs.
    private let sliceEnd = Atomic<UInt64>(.max)
    private let inTurn = Atomic<Int>(0)
    private static let slice: UInt64 = 10_000_000

    /// `counted`: with that there is one thread, and the vCPUs' engine counts instructions.
    public init(
        threads: HartThreads, nanosecondsPerTick: UInt64, counted: CountedTime? = nil,
        now: @escaping @Sendable () -> UInt64, failed: @escaping @Sendable (String) -> Void
    ) {
        self.threads = counted == nil ? threads : .single
        self.counted = counted
        self.nanosecondsPerTick = nanosecondsPerTick
        self.now = now
        self.failed = failed
        resumeWord = .allocate(capacity: 1)
        resumeWord.initialize(to: 0)
        timerWord = .allocate(capacity: 1)
        timerWord.initialize(to: 0)
    }

    /// Before anything runs.
    public func add(_ vcpu: VCPU) -> Hart {
        // The harts of one thread are woken as one.
        let hart = Hart(harts.count, vcpu, wokenWith: threads == .single ? harts.first : nil)
        vcpu.surroundings = self
        harts.append(hart)
        return hart
    }

    // MARK: For vCPUs

    public var time: UInt64 { ticks &+ ahead.load(ordering: .acquiring) }

    /// Ticks of the machine's clock.
    private var ticks: UInt64 { now() / nanosecondsPerTick }

    public func deadlineChanged(of vcpu: VCPU) {
        guard let hart = harts.first(where: { $0.vcpu === vcpu }) else { return }
        let deadline = clockTime(of: vcpu.deadline)
        hart.deadline = deadline
        if counted == nil { wakeTimers(by: deadline) }
    }

    /// When the clock shows what the timer's `deadline` is: 0 where that is past, `.max` for never.
    private func clockTime(of deadline: UInt64) -> UInt64 {
        if deadline == .max { return .max }
        let ticks = ticks, time = ticks &+ ahead.load(ordering: .acquiring)
        if deadline <= time { return 0 }
        let (due, isLate) = ticks.addingReportingOverflow(deadline - time)
        let (nanoseconds, overflow) = due.multipliedReportingOverflow(by: nanosecondsPerTick)
        return isLate || overflow ? .max : nanoseconds
    }

    private func wakeTimers(by deadline: UInt64) {
        // A later deadline needs no wake-up: the thread looks again when it wakes.
        if deadline >= timerTarget.load(ordering: .sequentiallyConsistent) { return }
        publishWord(timerWord, timerWord.pointee &+ 1)
        Futex.wake(UInt64(UInt(bitPattern: timerWord)), isPrivate: true)
    }

    // MARK: For the machine

    /// Somebody has set the machine's timer: it is so many ticks ahead of the clock. Any thread. Harts see it with their next interrupt at
    /// the latest.
    public func moveTime(ahead ticks: UInt64) {
        if ahead.exchange(ticks, ordering: .acquiringAndReleasing) == ticks { return }
        for hart in harts { hart.kick() }
    }

    /// Has the harts of a thread count their deadlines anew where the timer has been set since it was `seen`.
    func followTime(_ mine: [Hart], _ seen: inout UInt64) {
        let now = ahead.load(ordering: .acquiring)
        if now == seen { return }
        seen = now
        for hart in mine { deadlineChanged(of: hart.vcpu) }
    }

    /// Starts the threads, stopped.
    public func start() throws(Errno) {
        threadCount = threads == .single ? 1 : harts.count
        for hart in harts { hart.vcpu.givesWay = threads == .single && harts.count > 1 }
        if let counted {
            return try HostThread.start("ALL CPUs/TCG", stackSize: 4 << 20, blocksSignals: true) {
                self.runCounted(counted)
            }
        }
        for i in 0..<threadCount {
            let mine = threads == .single ? harts : [harts[i]]
            let name = threads == .single ? "ALL CPUs/TCG" : "CPU \(i)/TCG"
            try HostThread.start(name, stackSize: 4 << 20, blocksSignals: true) { self.run(mine) }
        }
        try HostThread.start("timers", blocksSignals: true) { self.runTimers() }
    }

    /// Lets the harts run.
    public func resume() {
        wantsStop.store(false, ordering: .sequentiallyConsistent)
        publishWord(resumeWord, resumeWord.pointee &+ 1)
        Futex.wake(UInt64(UInt(bitPattern: resumeWord)), count: .max >> 33, isPrivate: true)
    }

    /// Returns once no hart runs. Not from a hart's thread.
    public func stop() {
        wantsStop.store(true, ordering: .sequentiallyConsistent)
        var spin = SpinWait()
        while stoppedCount.load(ordering: .sequentiallyConsistent) < threadCount {
            for hart in harts { hart.kick() }
            spin.wait()
        }
    }

    // MARK: Threads

    var mustStop: Bool { wantsStop.load(ordering: .sequentiallyConsistent) }

    func waitForResume() {
        let seen = publishedWord(resumeWord)
        guard mustStop else { return }
        stoppedCount.wrappingAdd(1, ordering: .sequentiallyConsistent)
        while mustStop { Futex.wait(resumeWord, while: seen, nanoseconds: 1_000_000_000) }
        stoppedCount.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }

    private func run(_ mine: [Hart]) {
        var next = 0, ahead: UInt64 = 0
        while true {
            if mustStop { waitForResume() }
            let hart = mine[next]
            let seen = hart.kicks
            followTime(mine, &ahead)
            if mine.count > 1 { beginSlice(hart) }
            hart.vcpu.takeInterrupt()
            let exit = hart.vcpu.run()
            switch exit {
            case .interrupted: break
            case .wait: sleep(mine, since: seen)
            case .debug, .outOfCodeMemory, .systemCall, .exception, .memoryFault: give(up: exit)
            }
            next = (next + 1) % mine.count
        }
    }

    /// The harts cannot go on. Where a debugger looks at one, all stand still.
    func give(up exit: VCPUExit) {
        switch exit {
        case .debug: break
        case .outOfCodeMemory:
            failed("the code cache cannot hold even one instruction: give it more by -accel tcg,tb-size=MIB")
        default: fatalError("a machine's vCPU has left for a process's reason")
        }
        wantsStop.store(true, ordering: .sequentiallyConsistent)
    }

    /// Where all harts of a thread wait: until one of them is kicked, or has a timer that is due.
    private func sleep(_ mine: [Hart], since seen: UInt32) {
        if mine.contains(where: \.vcpu.isAwake) { return }
        let deadline = mine.map(\.deadline).min() ?? .max, time = now()
        if deadline <= time { return }
        mine[0].sleep(since: seen, nanoseconds: deadline == .max ? .max : deadline - time)
    }

    private func beginSlice(_ hart: Hart) {
        inTurn.store(hart.number, ordering: .releasing)
        let end = now() &+ Self.slice
        sliceEnd.store(end, ordering: .sequentiallyConsistent)
        wakeTimers(by: end)
    }

    private func runTimers() {
        while true {
            let seen = publishedWord(timerWord)
            timerTarget.store(0, ordering: .sequentiallyConsistent)
            let time = now()
            var target = UInt64.max
            for hart in harts {
                let deadline = hart.deadline
                if deadline <= time {
                    hart.clearDeadline(deadline)
                    hart.kick()
                } else {
                    target = min(target, deadline)
                }
            }
            if threads == .single, harts.count > 1 {
                let end = sliceEnd.load(ordering: .acquiring)
                if end > time {
                    target = min(target, end)
                } else if sliceEnd.compareExchange(expected: end, desired: .max, ordering: .sequentiallyConsistent)
                    .exchanged
                {
                    harts[inTurn.load(ordering: .acquiring)].kick()
                }
            }
            timerTarget.store(target, ordering: .sequentiallyConsistent)
            // Who has set a deadline since it was looked at has seen the target of before, and woken nobody. Both sides store their own word
            // before they look at the other's, sequentially consistent: one of them sees the other's.
            let end = sliceEnd.load(ordering: .sequentiallyConsistent)
            if end < target || harts.contains(where: { $0.deadline < target }) { continue }
            if target == .max {
                Futex.wait(timerWord, while: seen)
            } else {
                let time = now()
                if target > time { Futex.wait(timerWord, while: seen, nanoseconds: target - time) }
            }
        }
    }
}
