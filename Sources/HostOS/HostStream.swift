// Files that bytes come from and go to while nobody waits: terminals, pipes, sockets.

import CLinux
import Glibc

/// An open file that is read and written without waiting. It leaves alone what other processes share with us: the file that standard
/// input refers to is the shell's too, so that its flags stay as they are.
public struct HostStream: Sendable {
    public let descriptor: Int32
    private let isOwn: Bool
    private let isSocket: Bool
    /// How many bytes poll(2) vouches for where the file itself waits when it is full.
    private let largestWrite: Int

    /// For a descriptor that somebody else closes.
    public init(sharing fd: Int32, forReading: Bool) {
        let mode = (try? HostFile.status(fd))?.mode ?? 0
        let kind = mode & 0o170000
        isSocket = kind == 0o140000
        let isTerminal = kind == 0o020000, isPipe = kind == 0o010000
        // A regular file that is opened again would start at its beginning, and it never makes anybody wait.
        if isTerminal || isPipe, let again = Self.open("/proc/self/fd/\(fd)", forReading: forReading) {
            descriptor = again
            isOwn = true
            largestWrite = .max
        } else {
            descriptor = fd
            isOwn = false
            largestWrite = isTerminal ? 1 : isPipe ? 4096 : .max
        }
    }

    /// For a descriptor that becomes this stream's own.
    public init(owning fd: Int32) {
        descriptor = fd
        isOwn = true
        // One whose peer has gone would end the process by a signal.
        isSocket = ((try? HostFile.status(fd))?.mode ?? 0) & 0o170000 == 0o140000
        largestWrite = .max
    }

    private static func open(_ path: String, forReading: Bool) -> Int32? {
        let flags = (forReading ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
        let fd = withPath(path) { kernel(SYS_openat, Int(AT_FDCWD), $0, Int(flags)) }
        return fd < 0 ? nil : Int32(truncatingIfNeeded: fd)
    }

    /// Opens a pipe or a device both ways, without waiting for who is at its other end.
    public static func open(_ path: String) throws(Errno) -> Int32 {
        let flags = O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
        return Int32(
            truncatingIfNeeded: try Errno.check(withPath(path) { kernel(SYS_openat, Int(AT_FDCWD), $0, Int(flags)) }))
    }

    public func close() { if isOwn { HostFile.close(descriptor) } }

    /// Reads what is there, after poll(2) has found something. 0 is the end. `Errno.again`: there is nothing yet.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        let count = kernel(SYS_read, Int(descriptor), Int(bitPattern: buffer.baseAddress), buffer.count)
        if count == Errno.intr.negated { throw .again }
        return try Errno.check(count)
    }

    /// Writes what there is room for, after poll(2) has found some. `Errno.again`: there is none.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        let start = Int(bitPattern: bytes.baseAddress), count = min(bytes.count, largestWrite)
        let done = HostLimits.withoutSizeSignal {
            isSocket
                ? kernel(SYS_sendto, Int(descriptor), start, count, Int(MSG_DONTWAIT) | Int(MSG_NOSIGNAL))
                : kernel(SYS_write, Int(descriptor), start, count)
        }
        if done == Errno.intr.negated { throw .again }
        return try Errno.check(done)
    }
}

extension HostFile {
    /// Two ends: what is written to the second is read from the first. Reading and writing do not wait.
    public static func pipe() throws(Errno) -> (reading: Int32, writing: Int32) {
        var ends: InlineArray<2, Int32> = [-1, -1]
        let status = withUnsafeMutablePointer(to: &ends) {
            kernel(SYS_pipe2, Int(bitPattern: $0), Int(O_CLOEXEC | O_NONBLOCK))
        }
        _ = try Errno.check(status)
        return (ends[0], ends[1])
    }
}
