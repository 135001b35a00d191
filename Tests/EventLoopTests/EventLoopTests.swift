@testable import EventLoop
import HostOS
import Synchronization
import TestSupport
import Testing

/// A clock that the test moves.
final class TestTime: Sendable {
    let time = Atomic<UInt64>(0)
    func set(_ value: UInt64) { time.store(value, ordering: .relaxed) }
}

@Suite struct EventLoopTests {
    @Test func whatIsPostedRunsInOrderAndOncePerTurn() throws {
        let loop = try EventLoop(clocks: Clocks())
        var seen: [Int] = []
        loop.post {
            seen.append(1)
            loop.post { seen.append(3) }
        }
        loop.post { seen.append(2) }
        loop.turn()
        #expect(seen == [1, 2], "what is posted meanwhile is for the next turn")
        loop.turn()
        #expect(seen == [1, 2, 3])
    }

    @Test func bottomHalvesCoalesce() throws {
        let loop = try EventLoop(clocks: Clocks())
        var count = 0
        let half = BottomHalf(loop) { count += 1 }
        for _ in 0..<5 { half.schedule() }
        loop.turn()
        #expect(count == 1)
        half.schedule()
        loop.turn()
        #expect(count == 2)
    }

    /// A wake-up that is lost would make this wait for ever.
    @Test func otherThreadsWakeTheLoop() throws {
        let loop = try EventLoop(clocks: Clocks())
        let threads = 3, rounds = 3000
        nonisolated(unsafe) var seen = 0
        for _ in 0..<threads {
            try HostThread.start {
                for _ in 0..<rounds { loop.post { seen += 1 } }
            }
        }
        loop.run { seen == threads * rounds }
        #expect(seen == threads * rounds)
    }

    @Test func oneWakeUpForEachAnswer() throws {
        let loop = try EventLoop(clocks: Clocks())
        let ball = Atomic<Int>(0)
        try HostThread.start {
            var spin = SpinWait()
            for round in 0..<2000 {
                while ball.load(ordering: .acquiring) != 2 * round { spin.wait() }
                loop.post { ball.store(2 * round + 1, ordering: .releasing) }
                while ball.load(ordering: .acquiring) != 2 * round + 1 { spin.wait() }
                ball.store(2 * round + 2, ordering: .releasing)
            }
            loop.wake()
        }
        loop.run { ball.load(ordering: .acquiring) == 4000 }
    }

    /// What the condition of `run` depends on may change after it was looked at and before the loop waits.
    @Test func aWakeUpBeforeTheWaitIsNotLost() throws {
        let loop = try EventLoop(clocks: Clocks())
        var looks = 0
        loop.run {
            looks += 1
            if looks < 4 { loop.wake() }
            return looks == 4
        }
        #expect(looks == 4)
    }

    @Test func sourcesAreAskedForWhatTheyWant() throws {
        let loop = try EventLoop(clocks: Clocks())
        let (reading, writing) = try HostFile.pipe()
        defer { HostFile.close(reading) }
        var found: [PollEvents] = []
        let source = loop.watch(reading, []) { found.append($0) }
        writeAll(writing, "x")
        HostFile.close(writing)
        loop.turn(waits: false)
        #expect(found.isEmpty, "nothing, not even the end, is found where nothing is wanted")
        source.interest = .readable
        loop.turn()
        #expect(found == [[.readable, .hangUp]])
        source.cancel()
        loop.turn(waits: false)
        #expect(found.count == 1)
    }

    private final class Hook: PollHook {
        let descriptor: Int32
        var place = 0, found: [PollEvents] = []
        init(_ descriptor: Int32) { self.descriptor = descriptor }
        func fill(_ set: inout PollSet, _ limit: inout UInt64?) {
            place = set.add(descriptor, .readable)
            limit = min(limit ?? .max, 1_000_000)
        }
        func dispatch(_ set: PollSet) { found.append(set.found(place)) }
    }

    @Test func hooksAddDescriptorsAndShortenTheWait() throws {
        let loop = try EventLoop(clocks: Clocks())
        let (reading, writing) = try HostFile.pipe()
        defer {
            HostFile.close(reading)
            HostFile.close(writing)
        }
        let hook = Hook(reading)
        loop.add(hook)
        loop.turn()
        writeAll(writing, "x")
        loop.turn()
        #expect(hook.found == [[], .readable])
    }
}

@Suite struct TimerTests {
    @Test func timersFireInOrderOfTheirDeadlines() throws {
        let time = TestTime()
        let loop = try EventLoop(clocks: Clocks(counted: { time.time.load(ordering: .relaxed) }))
        var fired: [UInt64] = []
        let timers = (0..<5).map { number in loop.timer(.virtual) { fired.append(UInt64(number)) } }
        for (number, timer) in timers.enumerated() { timer.arm(at: UInt64(100 - 10 * number)) }
        #expect(loop.deadline(.virtual) == 60)
        timers[4].arm(at: 95)
        timers[1].disarm()
        time.set(59)
        loop.runTimers(.virtual)
        #expect(fired.isEmpty && loop.deadline(.virtual) == 70)
        time.set(95)
        loop.runTimers(.virtual)
        #expect(fired == [3, 2, 4] && timers[0].isArmed && !timers[3].isArmed)
        time.set(1000)
        loop.runTimers(.virtual)
        loop.runTimers(.virtual)
        #expect(fired == [3, 2, 4, 0] && loop.deadline(.virtual) == nil)
    }

    @Test(arguments: [.max, .max - 1, 1 << 63, 1 << 63 + 5] as [UInt64])
    func deadlinesThatNoClockReachesNeverCome(_ deadline: UInt64) throws {
        let loop = try EventLoop(clocks: Clocks())
        for clock in ClockKind.allCases {
            var hasFired = false
            let timer = loop.timer(clock) { hasFired = true }
            timer.arm(at: 0)
            timer.arm(at: deadline)
            loop.turn(waits: false)
            #expect(!hasFired && !timer.isArmed && loop.deadline(clock) == nil, "\(clock)")
        }
    }

    @Test func aTimerThatArmsItselfForThePastRunsOncePerTurn() throws {
        let loop = try EventLoop(clocks: Clocks())
        var count = 0
        var timer: Timer?
        timer = loop.timer(.realtime) {
            count += 1
            timer?.arm(at: 0)
        }
        timer?.arm(at: 0)
        for turn in 1...3 {
            loop.turn()
            #expect(count == turn)
        }
        timer = nil
    }

    @Test func theLoopSleepsUntilTheSoonestDeadline() throws {
        let loop = try EventLoop(clocks: Clocks())
        loop.clocks.start()
        for clock in ClockKind.allCases {
            var firedAt: UInt64 = 0
            let timer = loop.timer(clock) { firedAt = loop.clocks.now(clock) }
            let deadline = loop.clocks.now(clock) + 5_000_000
            timer.arm(at: deadline)
            var turns = 0
            loop.run {
                turns += 1
                return firedAt != 0
            }
            #expect(firedAt >= deadline, "\(clock)")
            #expect(turns < 20, "\(clock): it sleeps")
        }
    }

    @Test func theVirtualClockStandsStillAndSoDoItsTimers() throws {
        let loop = try EventLoop(clocks: Clocks())
        let clocks = loop.clocks
        var fired = 0
        let timer = loop.timer(.virtual) { fired += 1 }
        timer.arm(at: 2_000_000)
        #expect(clocks.now(.virtual) == 0)
        clocks.start()
        let before = clocks.now(.virtual)
        clocks.stop()
        let stopped = clocks.now(.virtual)
        let end = loop.clocks.now(.realtime) + 4_000_000
        let other = loop.timer(.realtime) {}
        other.arm(at: end)
        loop.run { loop.clocks.now(.realtime) >= end }
        #expect(clocks.now(.virtual) == stopped && stopped >= before && fired == 0)
        clocks.set(1_999_999)
        clocks.start()
        loop.run { fired > 0 }
        #expect(clocks.now(.virtual) >= 2_000_000)
        clocks.stop()
        clocks.set(42)
        #expect(clocks.now(.virtual) == 42 && clocks.now(.virtualRealtime) == 42)
    }

    /// Who arms a timer with its lock held never sees an older deadline come through.
    @Test func armingUnderTheLockIsExact() throws {
        let loop = try EventLoop(clocks: Clocks())
        let lock = Lock()
        nonisolated(unsafe) var armedAt: UInt64 = .max
        nonisolated(unsafe) var wrong = 0
        let timer = loop.timer(.realtime, under: lock) {
            if loop.clocks.now(.realtime) < armedAt { wrong += 1 }
            armedAt = .max
        }
        nonisolated(unsafe) var isOver = false
        try HostThread.start {
            for round in 0..<3000 {
                lock.withLock {
                    armedAt = loop.clocks.now(.realtime) + (round % 2 == 0 ? 0 : 1_000_000_000)
                    timer.arm(at: armedAt)
                }
            }
            loop.post { isOver = true }
        }
        loop.run { isOver }
        #expect(wrong == 0)
    }
}

@Suite struct RunControlTests {
    private final class Log {
        var lines: [String] = []
    }

    private static func make(_ log: Log) throws -> RunControl {
        let control = RunControl(try EventLoop(clocks: Clocks()))
        control.actions = RunActions(
            start: { log.lines.append("start") }, stop: { log.lines.append("stop") },
            reset: { _ in log.lines.append("reset") }, powerdown: { log.lines.append("powerdown") })
        return control
    }

    @Test func onlyLegalChangesHappen() throws {
        for state in RunState.allCases {
            #expect(!state.successors.contains(state))
            if state != .shutdown { #expect(state.successors.contains(.shutdown), "\(state)") }
        }
        let log = Log(), control = try Self.make(log)
        control.stop(.suspended)
        #expect(control.state == .prelaunch, "a machine that has not run is not suspended")
        #expect(control.start() && control.clockRuns)
        control.stop()
        #expect(control.state == .paused && !control.clockRuns)
        control.stop(.shutdown)
        #expect(!control.start() && control.state == .shutdown, "it is off")
        #expect(log.lines == ["start", "stop"])
    }

    @Test func requestsComeFromAnyThreadAndAreServedByTheLoop() throws {
        let log = Log(), control = try Self.make(log)
        var events: [RunEvent] = []
        control.observe { event in
            events.append(event)
            if event == .powerdown { control.requestShutdown(.guest(status: 7)) }
        }
        control.start()
        try HostThread.start {
            control.requestReset(.guest(status: 0))
            control.requestPowerdown()
        }
        #expect(control.run() == .guest(status: 7))
        #expect(log.lines == ["start", "stop", "reset", "start", "powerdown", "stop"])
        #expect(
            events == [
                .resume, .reset(.guest(status: 0)), .powerdown, .stop(.shutdown), .shutdown(.guest(status: 7)),
            ])
        #expect(control.end?.status == 7)
    }

    /// Who runs vCPUs can wait for what has been requested.
    @Test func aRequestIsThereUntilItHasBeenServed() throws {
        let control = try Self.make(Log())
        var during: [Bool] = []
        control.actions.reset = { _ in
            during.append(control.hasRequest)
            if during.count == 1 { control.requestReset(.monitor) }
        }
        control.start()
        #expect(!control.hasRequest)
        control.requestReset(.monitor)
        #expect(control.hasRequest)
        control.serve()
        #expect(control.hasRequest, "the one that came meanwhile")
        control.serve()
        #expect(during == [true, true] && !control.hasRequest)
    }

    @Test func aResetMayEndTheMachine() throws {
        let log = Log(), control = try Self.make(log)
        control.endsAtReset = true
        control.start()
        control.requestReset(.guest(status: 0))
        #expect(control.run() == .guest(status: 0))
        #expect(log.lines == ["start", "stop"])
    }

    @Test func aMachineThatIsOffCanStillBeLookedAt() throws {
        let log = Log(), control = try Self.make(log)
        control.staysAtShutdown = true
        control.start()
        control.requestShutdown(.guest(status: 1))
        control.loop.post {}
        control.loop.run {
            control.serve()
            return control.state == .shutdown
        }
        #expect(control.end == nil)
        control.requestReset(.monitor)
        control.serve()
        #expect(control.state == .prelaunch && control.start())
        control.requestShutdown(.signal(15))
        #expect(control.run() == .signal(15), "the host's wish ends it")
    }

    @Test func suspendAndWakeup() throws {
        let log = Log(), control = try Self.make(log)
        control.requestWakeup()
        control.start()
        control.serve()
        control.requestSuspend()
        control.serve()
        #expect(control.state == .suspended)
        control.requestWakeup()
        control.serve()
        #expect(control.state == .running)
        control.requestDebugStop()
        control.serve()
        #expect(control.state == .debug && log.lines == ["start", "stop", "start", "stop"])
    }
}

extension RunControl {
    fileprivate var clockRuns: Bool { loop.clocks.isRunning }
}
