// The terminal that Martlet runs in. While a machine has it every key is the machine's; it is put back when the process ends, however it
// ends, and while the process is stopped.

import CLinux
import Glibc

/// termios(3), as the kernel has it: four words of flags, the line discipline, and 19 control characters.
private typealias TerminalWords = InlineArray<9, UInt32>

// Read by signal handlers. Written by one thread, and complete before `isRaw` is set.
nonisolated(unsafe) private var terminal: Int32 = -1
nonisolated(unsafe) private var saved: TerminalWords = .init(repeating: 0)
nonisolated(unsafe) private var raw: TerminalWords = .init(repeating: 0)
nonisolated(unsafe) private var isRaw = false

public enum HostTerminal {
    private static let getAttributes = 0x5401, setAttributes = 0x5402  // TCGETS, TCSETS

    public static func isTerminal(_ fd: Int32) -> Bool { attributes(fd) != nil }

    private static func attributes(_ fd: Int32) -> TerminalWords? {
        var words = TerminalWords(repeating: 0)
        let status = withUnsafeMutablePointer(to: &words) {
            kernel(SYS_ioctl, Int(fd), getAttributes, Int(bitPattern: $0))
        }
        return status == 0 ? words : nil
    }

    /// Gives all keys to whoever reads `fd`, without echo. `keepsSignals`: but for those that send a signal, such as Ctrl-C. False: it is
    /// no terminal.
    @discardableResult
    public static func makeRaw(_ fd: Int32, keepsSignals: Bool) -> Bool {
        guard let words = attributes(fd) else { return false }
        restore()
        saved = words
        raw = words
        raw[0] &= ~UInt32(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON)
        raw[1] |= UInt32(OPOST)
        raw[2] = raw[2] & ~UInt32(CSIZE | PARENB) | UInt32(CS8)
        raw[3] &= ~UInt32(ECHO | ECHONL | ICANON | IEXTEN | (keepsSignals ? 0 : ISIG))
        // Control characters start at byte 17: VTIME is the sixth, VMIN the seventh.
        withUnsafeMutableBytes(of: &raw) {
            $0[17 + 5] = 0
            $0[17 + 6] = 1
        }
        terminal = fd
        HostSignals.start()
        for signal in endings where !HostSignals.isIgnored(signal) { HostSignals.catchRaw(signal, ended) }
        HostSignals.catchRaw(SIGTSTP, stopped)
        HostSignals.catchRaw(SIGCONT, continued)
        enter()
        return true
    }

    /// Puts the terminal back as it was. May be called at any time, also by signal handlers.
    public static func restore() {
        if !isRaw { return }
        isRaw = false
        set(saved)
    }

    fileprivate static func enter() {
        isRaw = true
        set(raw)
    }

    private static func set(_ words: TerminalWords) {
        // A process in the background would be stopped for it.
        let old = HostSignals.setHostMask(HostSignals.mask | HostSignals.bit(SIGTTOU))
        _ = withUnsafePointer(to: words) { kernel(SYS_ioctl, Int(terminal), setAttributes, Int(bitPattern: $0)) }
        HostSignals.setHostMask(old)
    }

    /// Signals that end the process. Memory faults that do so put the terminal back themselves (`HostSignals`).
    private static var endings: [Int32] {
        [SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGTERM, SIGXCPU, SIGALRM, SIGUSR1, SIGUSR2]
    }
}

@c private func ended(_ signal: Int32, _ info: UnsafeMutableRawPointer?, _ context: UnsafeMutableRawPointer?) {
    HostTerminal.restore()
    HostSignals.dieBy(signal)
}

@c private func stopped(_ signal: Int32, _ info: UnsafeMutableRawPointer?, _ context: UnsafeMutableRawPointer?) {
    let wasRaw = isRaw
    HostTerminal.restore()
    _ = kernel(SYS_kill, Int(HostProcess.processID), Int(SIGSTOP))
    if wasRaw { HostTerminal.enter() }
}

@c private func continued(_ signal: Int32, _ info: UnsafeMutableRawPointer?, _ context: UnsafeMutableRawPointer?) {
    // The shell has used the terminal meanwhile.
    if isRaw { HostTerminal.enter() }
}
