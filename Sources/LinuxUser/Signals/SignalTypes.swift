// Guest signals as data, in the numbers and with the siginfo_t of the host.

import HostOS

/// What the guest asked to happen for a signal (struct sigaction).
struct SignalAction: Sendable {
    static let byDefault: UInt64 = 0, ignore: UInt64 = 1

    var handler: UInt64 = SignalAction.byDefault
    var flags: UInt64 = 0
    var mask: UInt64 = 0
    var restorer: UInt64 = 0
    /// False until the guest has set it: then the host knows the inherited disposition.
    var isSet = false

    /// Flags of sigaction(2).
    static let onStack: UInt64 = 0x0800_0000, restart: UInt64 = 0x1000_0000, noDefer: UInt64 = 0x4000_0000
    static let resetHandler: UInt64 = 0x8000_0000, noChildStop: UInt64 = 1, noChildWait: UInt64 = 2, siginfo: UInt64 = 4
}

enum SignalNumber {
    static let trap: Int32 = 5, kill: Int32 = 9, bus: Int32 = 7, segv: Int32 = 11, ill: Int32 = 4, chld: Int32 = 17
    static let fpe: Int32 = 8, stop: Int32 = 19, cont: Int32 = 18, sys: Int32 = 31
    static let count: Int32 = 64
    /// SIGKILL and SIGSTOP: cannot be caught, ignored or blocked.
    static let untouchable = HostSignals.bit(9) | HostSignals.bit(19)
    /// The default action is to stop the process: SIGTSTP, SIGTTIN, SIGTTOU.
    static let stopsByDefault = HostSignals.bit(20) | HostSignals.bit(21) | HostSignals.bit(22)
    /// The default action is to do nothing: SIGCHLD, SIGCONT, SIGURG, SIGWINCH.
    static let ignoredByDefault = HostSignals.bit(17) | HostSignals.bit(18) | HostSignals.bit(23) | HostSignals.bit(28)
}

/// siginfo_t: 128 bytes; signo, errno and code, then a union at 16.
struct SignalInfo {
    /// SI_KERNEL.
    static let byKernel: Int32 = 0x80

    var words: InlineArray<16, UInt64> = .init(repeating: 0)

    init(words: InlineArray<16, UInt64>) { self.words = words }

    /// A synchronous fault: si_addr is the union's first word.
    init(signal: Int32, code: Int32, address: UInt64) {
        words[0] = UInt64(UInt32(bitPattern: signal))
        words[1] = UInt64(UInt32(bitPattern: code))
        words[2] = address
    }

    var signal: Int32 { Int32(truncatingIfNeeded: words[0]) }
}
