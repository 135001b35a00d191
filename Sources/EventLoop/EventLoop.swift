// One thread's loop: it waits for descriptors, deadlines and what other threads ask for, and does a bounded share of each per turn.
//
// A turn: poll hooks say what they wait for, poll(2) with the soonest deadline, then sources, hooks, bottom halves and timers.

import HostOS
import Synchronization

public final class EventLoop: @unchecked Sendable {
    public let clocks: Clocks
    let timers = Timers()
    private let wakeFile: WakeFile
    /// The loop waits, or is about to: only then need it be woken by a system call.
    private let isSleeping = Atomic<Bool>(false)
    /// Somebody wants another turn: the next wait is none.
    private let isWoken = Atomic<Bool>(false)
    /// A leaf; guards `posted`.
    private let postLock = Lock()
    private var posted: [() -> Void] = []
    // The loop's own thread's.
    private var sources: [Source] = []
    private var hooks: [any PollHook] = []
    private let wallAlarm: WallAlarm
    private var wallDeadline: UInt64?
    private var set = PollSet()

    public init(clocks: Clocks) throws(Errno) {
        self.clocks = clocks
        wakeFile = try WakeFile()
        wallAlarm = try WallAlarm()
        clocks.observe { [weak self] in self?.wake() }
    }

    /// Turns until `isOver` says so between two turns.
    public func run(until isOver: () -> Bool) {
        HostPoll.wakePunctually()
        while !isOver() { turn() }
    }

    /// One turn. `waits`: until there is something to do.
    public func turn(waits: Bool = true) {
        set.removeAll()
        let wake = set.add(wakeFile.descriptor, .readable)
        let alarm = set.add(wallAlarm.descriptor, .readable)
        setWallAlarm()
        for source in sources {
            source.place = source.interest.isEmpty ? nil : set.add(source.descriptor, source.interest)
        }
        var limit: UInt64? = waits ? nil : 0
        for hook in hooks { hook.fill(&set, &limit) }
        // Who posts or arms after this wakes us; what was there before is seen by the lines that follow.
        isSleeping.store(true, ordering: .sequentiallyConsistent)
        if isWoken.exchange(false, ordering: .sequentiallyConsistent) { limit = 0 }
        if limit != 0, let time = timeToDeadline { limit = min(limit ?? .max, time) }
        set.wait(limit)
        isSleeping.store(false, ordering: .sequentiallyConsistent)
        if !set.found(wake).isEmpty { wakeFile.clear() }
        if !set.found(alarm).isEmpty {
            wallAlarm.clear()
            wallDeadline = nil
        }
        for source in sources {
            guard let place = source.place, !source.isCancelled else { continue }
            let found = set.found(place)
            if !found.isEmpty { source.action(found) }
        }
        sources.removeAll { $0.isCancelled }
        for hook in hooks { hook.dispatch(set) }
        for body in takePosted() { body() }
        for clock in ClockKind.allCases where clock != .virtual || !clocks.isCounted { runTimers(clock) }
    }

    private func setWallAlarm() {
        let deadline = deadline(.host)
        if deadline == wallDeadline { return }
        wallDeadline = deadline
        wallAlarm.set(deadline)
    }

    private func takePosted() -> [() -> Void] {
        postLock.withLock {
            let taken = posted
            posted = []
            return taken
        }
    }

    /// Makes the loop take another turn, and ask whether it is over before that. Any thread.
    public func wake() {
        isWoken.store(true, ordering: .sequentiallyConsistent)
        if isSleeping.exchange(false, ordering: .sequentiallyConsistent) { wakeFile.set() }
    }

    /// Has `body` run once by the loop's thread, after what was posted before. Any thread.
    public func post(_ body: @escaping () -> Void) {
        postLock.withLock { posted.append(body) }
        wake()
    }

    /// Watches a descriptor, from the next turn on. The loop's thread.
    public func watch(_ descriptor: Int32, _ interest: PollEvents, _ action: @escaping (PollEvents) -> Void) -> Source {
        let source = Source(descriptor, interest, action)
        sources.append(source)
        return source
    }

    public func add(_ hook: any PollHook) { hooks.append(hook) }
    /// The loop's thread.
    public func remove(_ hook: any PollHook) { hooks.removeAll { $0 === hook } }
}

/// A watched descriptor. It belongs to the loop's thread.
public final class Source {
    public let descriptor: Int32
    /// Without any, nothing is found: not even the end, which would be found again each turn.
    public var interest: PollEvents
    fileprivate let action: (PollEvents) -> Void
    fileprivate var place: Int?
    fileprivate private(set) var isCancelled = false

    fileprivate init(_ descriptor: Int32, _ interest: PollEvents, _ action: @escaping (PollEvents) -> Void) {
        self.descriptor = descriptor
        self.interest = interest
        self.action = action
    }

    /// The action is not called again.
    public func cancel() { isCancelled = true }
}

/// Work that any thread asks for and the loop's thread does: once, however often it was asked for before that.
public final class BottomHalf: @unchecked Sendable {
    private unowned let loop: EventLoop
    private let lock: Lock?
    private let action: () -> Void
    private let isScheduled = Atomic<Bool>(false)

    /// `lock` is held while `action` runs.
    public init(_ loop: EventLoop, under lock: Lock? = nil, _ action: @escaping () -> Void) {
        self.loop = loop
        self.lock = lock
        self.action = action
    }

    public func schedule() {
        if isScheduled.exchange(true, ordering: .sequentiallyConsistent) { return }
        loop.post { [self] in
            isScheduled.store(false, ordering: .sequentiallyConsistent)
            if let lock { lock.withLock(action) } else { action() }
        }
    }
}
