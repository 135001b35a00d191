// The harts' thread where instructions are counted. Who runs, for how long, and what happens when follow from the instructions executed so
// far and from what comes from outside: all runs are the same run.

import ExecutionEngine

extension HartSet {
    /// Instructions until the next hart's turn. Harts that wait for each other in loops cost that much each time.
    private static let turn = 100_000
    private static let unlimited = 1 << 30
    /// Nanoseconds until somebody who waits for a request to be served looks again.
    private static let patience: UInt64 = 100_000

    func runCounted(_ time: CountedTime) {
        var next = 0, rest = Self.turn, ahead: UInt64 = 0, pace = Pace()
        while true {
            if mustStop {
                waitForResume()
                // They may have begun anew.
                for hart in harts { hart.isWaiting = false }
            }
            let seen = harts[0].kicks
            if time.isHeld() {
                harts[0].sleep(since: seen, nanoseconds: Self.patience)
                continue
            }
            time.runTimers()
            followTime(harts, &ahead)
            clearDeadlines(until: time.clock.now)
            guard let number = awake(from: next) else {
                wait(time, &pace, since: seen)
                continue
            }
            var limit = Self.unlimited, host: UInt64 = 0
            if time.isPaced {
                let machine = time.clock.now
                host = time.hostTime()
                if time.followsHost, let shift = pace.shift(time.clock.shift, machine: machine, host: host) {
                    time.clock.set(shift: shift)
                }
                let lead = time.isAligned ? pace.wait(machine: machine, host: host) : 0
                if lead > 0 {
                    harts[0].sleep(since: seen, nanoseconds: lead)
                    continue
                }
                limit = Int(Pace.step >> time.clock.shift)
            }
            if number != next { (next, rest) = (number, Self.turn) }
            let vcpu = harts[next].vcpu
            vcpu.takeInterrupt()
            let (exit, executed) = time.clock.run(
                vcpu, limit: harts.count > 1 ? min(rest, limit) : limit, until: soonest(time))
            if time.isPaced { pace.executed(executed, host: time.hostTime() - host) }
            rest -= executed
            switch exit {
            case .wait: harts[next].isWaiting = true
            case .interrupted: if vcpu.takesGivingWay() { rest = 0 }
            default: give(up: exit)
            }
            if rest <= 0 || harts[next].isWaiting { (next, rest) = ((next + 1) % harts.count, Self.turn) }
        }
    }

    /// The first hart from `first` on that does not wait.
    private func awake(from first: Int) -> Int? {
        for i in 0..<harts.count {
            let number = (first + i) % harts.count, hart = harts[number]
            if hart.isWaiting, hart.vcpu.isAwake { hart.isWaiting = false }
            if !hart.isWaiting { return number }
        }
        return nil
    }

    /// When something happens of itself; `.max`: never.
    private func soonest(_ time: CountedTime) -> UInt64 {
        harts.reduce(time.deadline() ?? .max) { min($0, $1.deadline) }
    }

    private func clearDeadlines(until now: UInt64) {
        for hart in harts where hart.deadline <= now { hart.clearDeadline(hart.deadline) }
    }

    /// All harts wait: time goes on to what happens next, or, where something comes from outside before that, as far as the host's has.
    private func wait(_ time: CountedTime, _ pace: inout Pace, since kicks: UInt32) {
        let deadline = soonest(time), now = time.clock.now
        if deadline <= now { return }
        if !time.sleeps, deadline != .max {
            pace.waited(machine: deadline - now, host: 0)
            return time.clock.advance(by: deadline - now)
        }
        var start = time.hostTime()
        // While it waits, a machine that is behind the host catches up.
        if time.isPaced, deadline != .max { start -= min(pace.lag(machine: now, host: start), deadline - now) }
        var seen = kicks, passed: UInt64 = 0
        while !mustStop, !harts.contains(where: \.vcpu.isAwake) {
            passed = time.hostTime() - start
            if deadline != .max, passed >= deadline - now { break }
            harts[0].sleep(since: seen, nanoseconds: deadline == .max ? .max : deadline - now - passed)
            seen = harts[0].kicks
        }
        passed = time.hostTime() - start
        let gone = deadline == .max ? 0 : min(passed, deadline - now)
        time.clock.advance(by: gone)
        if deadline == .max { pace.waited(machine: 0, host: passed) }
    }
}
