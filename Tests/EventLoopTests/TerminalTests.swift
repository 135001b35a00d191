import CharLayer
import EventLoop
import Glibc
import HostOS
import TestSupport
import Testing

@Suite(.serialized) struct TerminalTests {
    /// The two ends of a terminal of the test's own.
    private static func open() throws -> (master: Int32, terminal: Int32) {
        let master = Glibc.open("/dev/ptmx", O_RDWR | O_NOCTTY)
        let lock: UInt = 0x4004_5431, getNumber: UInt = 0x8004_5430  // TIOCSPTLCK, TIOCGPTN
        var isLocked: Int32 = 0, number: Int32 = 0
        try #require(master >= 0)
        try #require(ioctl(master, lock, &isLocked) == 0)
        try #require(ioctl(master, getNumber, &number) == 0)
        let name = "/dev/pts/\(number)"
        let terminal = Glibc.open(name, O_RDWR | O_NOCTTY)
        try #require(terminal >= 0)
        return (master, terminal)
    }

    private static func flags(_ fd: Int32) -> [UInt32] {
        var state = termios()
        tcgetattr(fd, &state)
        return [state.c_iflag, state.c_oflag, state.c_cflag, state.c_lflag]
    }

    @Test(arguments: [true, false])
    func aRawTerminalIsPutBack(_ keepsSignals: Bool) throws {
        let (master, terminal) = try Self.open()
        defer {
            close(master)
            close(terminal)
        }
        let before = Self.flags(terminal)
        #expect(HostTerminal.isTerminal(terminal) && HostTerminal.makeRaw(terminal, keepsSignals: keepsSignals))
        let raw = Self.flags(terminal)
        #expect(raw[3] & UInt32(ECHO | ICANON) == 0 && raw[0] & UInt32(ICRNL | IXON) == 0)
        #expect((raw[3] & UInt32(ISIG) != 0) == keepsSignals)
        HostTerminal.restore()
        #expect(Self.flags(terminal) == before)
        HostTerminal.restore()
        #expect(Self.flags(terminal) == before)
    }

    @Test func whatIsNoTerminalStaysAsItIs() throws {
        let (reading, writing) = try HostFile.pipe()
        defer {
            HostFile.close(reading)
            HostFile.close(writing)
        }
        #expect(!HostTerminal.isTerminal(reading) && !HostTerminal.makeRaw(reading, keepsSignals: false))
    }

    /// The flags of an open file are those of all who share it: a shell that finds its terminal non-blocking fails.
    @Test func sharedFilesKeepTheirFlags() throws {
        let (master, terminal) = try Self.open()
        defer {
            close(master)
            close(terminal)
        }
        let before = fcntl(terminal, F_GETFL)
        let loop = try EventLoop(clocks: Clocks())
        let backend = StreamBackend(
            loop, input: HostStream(sharing: terminal, forReading: true),
            output: HostStream(sharing: terminal, forReading: false))
        // More than the terminal takes while nobody reads: that must not make the loop wait.
        for _ in 0..<100_000 { _ = backend.send(65) }
        for _ in 0..<5 { loop.turn(waits: false) }
        #expect(fcntl(terminal, F_GETFL) == before && before & O_NONBLOCK == 0)
        var buffer = [UInt8](repeating: 0, count: 1000)
        #expect(read(master, &buffer, 1000) > 0 && buffer[0] == 65)
    }

    @Test func signalsComeToTheLoop() throws {
        let loop = try EventLoop(clocks: Clocks())
        var seen: [Int32] = []
        try loop.watch(signals: [SIGWINCH]) { signal, _ in seen.append(signal) }
        loop.turn(waits: false)
        #expect(seen.isEmpty)
        pthread_kill(pthread_self(), SIGWINCH)
        loop.run { !seen.isEmpty }
        #expect(seen == [SIGWINCH])
        HostSignals.setMask(HostSignals.mask & ~HostSignals.bit(SIGWINCH))
    }
}
