// Signals that end a process end a machine first.

import CLinux
import HostOS

extension EventLoop {
    /// Calls `action` when one of the signals comes: its number, and the process that sent it (0: the kernel). To be called before other
    /// threads are started, which would take the signals otherwise.
    public func watch(
        signals: [Int32], _ action: @escaping (_ signal: Int32, _ sender: UInt32) -> Void
    ) throws(Errno) {
        let file = KeptSignals(try SignalFile(signals))
        _ = watch(file.signals.descriptor, .readable) { _ in
            while let (signal, sender) = file.signals.next() { action(signal, sender) }
        }
    }

    private final class KeptSignals {
        let signals: SignalFile
        init(_ signals: consuming SignalFile) { self.signals = signals }
    }
}

extension RunControl {
    /// Ends the machine when a signal asks the process to end, unless the process was started with that signal ignored. A second signal
    /// ends the process at once.
    public func endAtSignals() throws(Errno) {
        let signals = [SIGINT, SIGTERM, SIGHUP].filter { !HostSignals.isIgnored($0) }
        try loop.watch(signals: signals) { [unowned self] signal, _ in
            SignalFile.unblock(signals)
            requestShutdown(.signal(signal))
        }
    }
}
