// Requests to a machine, from any thread, and the one place that serves them: the main loop, between two turns.

import HostOS
import Synchronization

/// What a machine does when it is told to. Called by the main loop's thread.
public struct RunActions {
    /// Lets the vCPUs run.
    public var start: () -> Void
    /// Returns when no vCPU runs any more.
    public var stop: () -> Void
    /// Brings all devices and vCPUs to their first state. No vCPU runs meanwhile.
    public var reset: (RunCause) -> Void
    /// Tells the guest that somebody has pressed the power button; nil: the machine has none.
    public var powerdown: (() -> Void)?

    public init(
        start: @escaping () -> Void, stop: @escaping () -> Void, reset: @escaping (RunCause) -> Void,
        powerdown: (() -> Void)? = nil
    ) {
        self.start = start
        self.stop = stop
        self.reset = reset
        self.powerdown = powerdown
    }
}

public final class RunControl: @unchecked Sendable {
    /// Requests that wait for the loop. Of two of a kind the first counts.
    private struct Requests {
        var shutdown: RunCause?, reset: RunCause?
        var stop: RunState?
        var suspends = false, wakes = false, powersDown = false
    }

    public let loop: EventLoop
    /// Set before the machine runs.
    public var actions: RunActions
    /// A reset by the guest ends the machine (-no-reboot).
    public var endsAtReset = false
    /// A shutdown stops the machine, and it can still be looked at (-no-shutdown).
    public var staysAtShutdown = false

    public private(set) var state = RunState.prelaunch
    /// Why the main loop is to end.
    public private(set) var end: RunCause?
    private let requests = Mutex(Requests())
    /// Requests made so far, and of those the ones that have been served.
    private let made = Atomic<Int>(0)
    private let served = Atomic<Int>(0)
    private var observers: [(RunEvent) -> Void] = []

    public init(_ loop: EventLoop, actions: RunActions? = nil) {
        self.loop = loop
        self.actions = actions ?? RunActions(start: {}, stop: {}, reset: { _ in })
    }

    // MARK: from any thread

    public func requestShutdown(_ cause: RunCause) { request { $0.shutdown = $0.shutdown ?? cause } }
    public func requestReset(_ cause: RunCause) { request { $0.reset = $0.reset ?? cause } }
    public func requestPowerdown() { request { $0.powersDown = true } }
    public func requestSuspend() { request { $0.suspends = true } }
    public func requestWakeup() { request { $0.wakes = true } }
    public func requestStop(_ state: RunState = .paused) { request { $0.stop = $0.stop ?? state } }
    public func requestDebugStop() { request { $0.stop = .debug } }

    private func request(_ body: (inout Requests) -> Void) {
        requests.withLock { body(&$0) }
        made.wrappingAdd(1, ordering: .sequentiallyConsistent)
        loop.wake()
    }

    /// Something has been requested that has not been done.
    public var hasRequest: Bool {
        served.load(ordering: .sequentiallyConsistent) != made.load(ordering: .sequentiallyConsistent)
    }

    // MARK: from the main loop's thread

    public func observe(_ body: @escaping (RunEvent) -> Void) { observers.append(body) }

    /// Turns the loop until the machine has come to its end.
    public func run() -> RunCause {
        loop.run {
            serve()
            return end != nil
        }
        return end ?? .user
    }

    /// Lets the machine run. False: it cannot from this state.
    @discardableResult
    public func start() -> Bool {
        if state == .running { return true }
        guard move(to: .running) else { return false }
        loop.clocks.start()
        actions.start()
        tell(.resume)
        return true
    }

    /// Stops a machine that runs.
    public func stop(_ next: RunState = .paused) {
        if state == .running {
            actions.stop()
            loop.clocks.stop()
            move(to: next)
            tell(.stop(next))
        } else {
            move(to: next)
        }
    }

    /// Ends the main loop.
    public func finish(_ cause: RunCause) { end = end ?? cause }

    /// Serves what has been requested. The order is that of what must not be lost behind what.
    func serve() {
        let seen = made.load(ordering: .sequentiallyConsistent)
        if served.load(ordering: .sequentiallyConsistent) == seen { return }
        defer { served.store(seen, ordering: .sequentiallyConsistent) }
        var wanted = requests.withLock { requests in
            defer { requests = Requests() }
            return requests
        }
        if wanted.stop == .debug { stop(.debug) }
        if wanted.suspends, state == .running {
            stop(.suspended)
            tell(.suspend)
        }
        if let cause = wanted.reset, endsAtReset, cause.isGuest, wanted.shutdown == nil { wanted.shutdown = cause }
        if let cause = wanted.shutdown { return shutDown(cause) }
        if let cause = wanted.reset { reset(cause) }
        if wanted.wakes, state == .suspended {
            tell(.wakeup)
            start()
        }
        if wanted.powersDown {
            tell(.powerdown)
            actions.powerdown?()
        }
        if let state = wanted.stop, state != .debug { stop(state) }
    }

    private func shutDown(_ cause: RunCause) {
        stop(.shutdown)
        tell(.shutdown(cause))
        if !staysAtShutdown || !cause.isGuest { finish(cause) }
    }

    private func reset(_ cause: RunCause) {
        let wasRunning = state == .running || state == .suspended
        if state == .running { actions.stop() }
        loop.clocks.stop()
        actions.reset(cause)
        tell(.reset(cause))
        if wasRunning {
            state = .running
            loop.clocks.start()
            actions.start()
        } else if state != .paused, state != .debug, state != .ioError {
            move(to: .prelaunch)
        }
    }

    @discardableResult
    private func move(to next: RunState) -> Bool {
        guard state.successors.contains(next) else { return false }
        state = next
        return true
    }

    private func tell(_ event: RunEvent) {
        for observer in observers { observer(event) }
    }
}
