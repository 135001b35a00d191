// Raw entry to the host kernel, and the few typed calls the lower layers share.

import CLinux
import Glibc

/// Enters the host kernel. Returns its result: a value, or -errno.
@inlinable @inline(__always)
public func kernel(
    _ number: Int32, _ a0: Int = 0, _ a1: Int = 0, _ a2: Int = 0, _ a3: Int = 0, _ a4: Int = 0, _ a5: Int = 0
) -> Int {
    clx_syscall(Int(number), a0, a1, a2, a3, a4, a5)
}

/// Identity of the calling process and thread, and how they end.
public enum HostProcess {
    public static var processID: Int32 { Int32(truncatingIfNeeded: kernel(SYS_getpid)) }
    public static var threadID: Int32 { Int32(truncatingIfNeeded: kernel(SYS_gettid)) }
    /// Is that the id of one of this process's threads?
    public static func hasThread(_ id: Int32) -> Bool {
        id == processID || id > 0 && kernel(SYS_tgkill, Int(processID), Int(id), 0) == 0
    }
    public static var effectiveUserID: UInt32 { UInt32(truncatingIfNeeded: kernel(SYS_geteuid)) }
    /// Bytes of a page: those of x86-64.
    @inlinable public static var pageSize: UInt64 { 4096 }

    /// Ends every thread of the process at once; nothing is flushed.
    public static func exitGroup(_ status: Int32) -> Never {
        while true { _ = kernel(SYS_exit_group, Int(status)) }
    }

    /// Host fork(2) through the C library, so that its allocator's locks are consistent in the child. 0 in the child.
    public static func fork() throws(Errno) -> Int32 {
        let pid = HostLimits.withDescriptorLimit { Glibc.fork() }
        if pid < 0 { throw Errno(errno) }
        return pid
    }

    /// Runs this program again with other arguments, and waits for its end. Its exit status, or 128 and the signal's number.
    /// Meanwhile SIGINT and SIGQUIT are the other's business.
    public static func runAgain(_ arguments: [[UInt8]]) throws(Errno) -> Int32 {
        var pointers = arguments.map { bytes in
            (bytes + [0]).withUnsafeBytes { strdup($0.bindMemory(to: CChar.self).baseAddress!) }
        }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        let pid = try fork()
        if pid == 0 {
            let emptyPath = 0x1000  // AT_EMPTY_PATH
            _ = pointers.withUnsafeBufferPointer { list in
                withPath("") {
                    kernel(
                        SYS_execveat, Int(OwnFile.descriptor), $0, Int(bitPattern: list.baseAddress),
                        Int(bitPattern: environ), emptyPath)
                }
            }
            exitGroup(127)
        }
        HostSignals.set(SIGINT, .ignore)
        HostSignals.set(SIGQUIT, .ignore)
        return wait(for: pid)
    }

    /// Waits for the end of a child: its exit status, or 128 and the signal's number.
    static func wait(for pid: Int32) -> Int32 {
        var status: Int32 = 0
        while true {
            let result = withUnsafeMutablePointer(to: &status) {
                kernel(SYS_wait4, Int(pid), Int(bitPattern: $0), 0, 0)
            }
            if result != Errno.intr.negated { break }
        }
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }

    /// Waits for SIGTERM, SIGINT or SIGHUP, also as the first process of a container, which these do not end by themselves.
    public static func awaitEnd() {
        var signals = sigset_t(), received: Int32 = 0
        sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, signal) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        _ = sigwait(&signals, &received)
    }

    /// A value of the host's auxiliary vector (getauxval(3)); nil when it has none of that type.
    public static func auxiliaryValue(_ type: UInt) -> UInt? {
        errno = 0
        let value = getauxval(type)
        return value == 0 && errno == ENOENT ? nil : value
    }

    /// The program has rights that who started it has not, or others (AT_SECURE): what comes from there, as the environment, is not trusted.
    public static var isSecure: Bool { auxiliaryValue(23) ?? 0 != 0 }

    /// The process's arguments and environment as raw bytes without their NULs: they need not be valid text.
    public static var arguments: [[UInt8]] { strings(startArguments) }
    public static var environment: [[UInt8]] {
        let all = strings(environ)
        return all.first == quietStart.withUTF8Buffer { Array($0) } ? Array(all.dropFirst()) : all
    }

    /// A variable of Martlet's own environment; nil when it is not set, or empty.
    public static func variable(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    private static func strings(_ list: StringVector?) -> [[UInt8]] {
        var result: [[UInt8]] = []
        guard let list else { return result }
        var index = 0
        while let string = list[index] {
            let bytes = UnsafeRawBufferPointer(start: string, count: strlen(string))
            result.append(Array(bytes))
            index += 1
        }
        return result
    }

    /// Fills `buffer` with random bytes from the kernel.
    public static func fillRandom(_ buffer: UnsafeMutableRawBufferPointer) {
        var done = 0
        while done < buffer.count, let base = buffer.baseAddress {
            let got = kernel(SYS_getrandom, Int(bitPattern: base + done), buffer.count - done)
            if got <= 0 { return }
            done += got
        }
    }
}

/// Writes all of `text` to standard error, in one call when the kernel takes it in one.
public func writeStandardError(_ text: String) { writeAll(2, text) }

/// Writes all of `text` to standard output.
public func writeStandardOutput(_ text: String) { writeAll(1, text) }

/// Writes all of `text` to a file descriptor; false when the kernel refuses.
@discardableResult
public func writeAll(_ fd: Int32, _ text: String) -> Bool {
    var text = text
    return text.withUTF8 { writeAll(fd, UnsafeRawBufferPointer($0)) }
}

@discardableResult
public func writeAll(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) -> Bool {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
        let n = HostLimits.withoutSizeSignal {
            kernel(SYS_write, Int(fd), Int(bitPattern: base + done), bytes.count - done)
        }
        if n == -Int(EINTR) { continue }
        if n <= 0 { return false }
        done += n
    }
    return true
}

/// Calls `body` with the path as a C string's address.
@inlinable
public func withPath<R>(_ path: String, _ body: (Int) -> R) -> R {
    path.withCString { body(Int(bitPattern: $0)) }
}
