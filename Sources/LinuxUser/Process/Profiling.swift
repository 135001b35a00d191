// A profile of the guest: what its threads and its end have to do with it.

import ExecutionEngine
import HostOS
import Profiling

extension GuestThread {
    /// The host records the signal whatever the guest's action.
    func recordsAlways(_ signal: Int32) -> Bool { (runsBeside || process.recordsAll) && signal != SignalNumber.chld }

    /// The host records a signal that the guest leaves alone.
    func catchesDefault(of signal: Int32) -> Bool { recordsAlways(signal) || process.catchesDefault(of: signal) }

    /// Takes samples of this thread from now on, where the process is profiled.
    func startProfiling() {
        guard let profile = process.profile else { return }
        let offset = process.registers.stackPointer
        guard let global = process.architecture.globals.firstIndex(where: { $0.offset == offset }) else { return }
        profiled = profile.start(vcpu, StackPointerPlace(global: global, offset: offset))
    }

    /// A system call with its time counted.
    func performProfiled(_ call: SystemCallArguments, _ profile: Profile) -> Int {
        let start = profile.beginSystemCall(call.number)
        vcpu.setActivity(.systemCall, detail: UInt32(truncatingIfNeeded: call.number))
        let result = performSystemCall(self, call)
        vcpu.setActivity(.engine)
        profile.endSystemCall(call.number, since: start, failed: Errno.isFailure(result))
        return result
    }
}

extension GuestProcess {
    /// Writes the profile's totals. The process is about to end, or to become another program.
    func finishProfile() {
        profile?.finish(engine.profileCounters) { self.guest.systemCall($0)?.name }
    }

    /// Signals whose default action ends the process and that are usual ways to end it: SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGPIPE,
    /// SIGALRM, SIGTERM.
    private static let terminating: UInt64 = [1, 2, 3, 6, 13, 14, 15].reduce(0) { $0 | HostSignals.bit($1) }

    /// Signals that the host catches even where the guest leaves them alone: those that leave a core file, which is Martlet's to write,
    /// and, so that a profile's totals get written, those that usually end a process.
    func catchesDefault(of signal: Int32) -> Bool {
        (profile == nil ? SignalNumber.dumpsCore : SignalNumber.dumpsCore | Self.terminating)
            & HostSignals.bit(signal) != 0
    }

    func catchDefaults() {
        for signal in Int32(1)...31 where catchesDefault(of: signal) && !HostSignals.isIgnored(signal) {
            HostSignals.set(signal, .record)
        }
    }
}
