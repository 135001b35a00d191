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

    /// Has a terminal that is a machine's alone give and take bytes as they are. False: it is no terminal.
    @discardableResult
    public static func passBytes(_ fd: Int32) -> Bool {
        guard var words = attributes(fd) else { return false }
        words[0] &= ~UInt32(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXOFF)
        words[1] &= ~UInt32(OPOST)
        words[2] = words[2] & ~UInt32(CSIZE | PARENB) | UInt32(CS8 | CREAD | CLOCAL)
        words[3] &= ~UInt32(ECHO | ECHONL | ICANON | IEXTEN | ISIG)
        return withUnsafePointer(to: words) { kernel(SYS_ioctl, Int(fd), setAttributes, Int(bitPattern: $0)) } == 0
    }

    /// A new pseudo-terminal: its two ends, and the name of the second.
    public static func openPair() throws(Errno) -> (master: Int32, terminal: Int32, name: String) {
        let setLock = 0x4004_5431, getNumber = 0x8004_5430  // TIOCSPTLCK, TIOCGPTN
        let master = try HostStream.open("/dev/ptmx")
        do throws(Errno) {
            var isLocked: Int32 = 0, number: Int32 = 0
            _ = try Errno.check(
                withUnsafeMutablePointer(to: &isLocked) {
                    kernel(SYS_ioctl, Int(master), setLock, Int(bitPattern: $0))
                })
            _ = try Errno.check(
                withUnsafeMutablePointer(to: &number) {
                    kernel(SYS_ioctl, Int(master), getNumber, Int(bitPattern: $0))
                })
            let name = "/dev/pts/\(number)"
            return (master, try HostStream.open(name), name)
        } catch {
            HostFile.close(master)
            throw error
        }
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
