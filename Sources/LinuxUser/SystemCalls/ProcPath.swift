// How a path is known to lead into /proc: by its spelling where that is plain, else by what the kernel makes of it.

import CLinux
import HostOS

/// The components of a path that begins with a slash, one after the other.
struct ProcPath {
    typealias Text = UnsafeBufferPointer<UInt8>
    private var rest: Text
    private static let slash = UInt8(ascii: "/")

    init(_ path: Text) { rest = path }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func next() -> Text? {
        guard rest.first == Self.slash else { return nil }
        let after = rest.dropFirst()
        let component = after.prefix { $0 != Self.slash }
        rest = Text(rebasing: after.dropFirst(component.count))
        return component.isEmpty ? nil : Text(rebasing: component)
    }

    mutating func next(_ name: StaticString) -> Bool { next().map { Self.equal($0, name) } ?? false }

    static func equal(_ text: Text, _ name: StaticString) -> Bool {
        guard text.count == name.utf8CodeUnitCount else { return false }
        for index in 0..<text.count where text[index] != name.utf8Start[index] { return false }
        return true
    }

    /// What follows the last slash: empty when nothing does.
    static func lastComponent(_ path: Text) -> Text {
        var start = path.count
        while start > 0, path[start &- 1] != slash { start &-= 1 }
        return Text(rebasing: path[start...])
    }

    static func lastComponent(ignoringSlashes path: HostPath) -> Text {
        var count = GuestPaths.length(path)
        while count > 1, path.bytes[count &- 1] == slash { count &-= 1 }
        return lastComponent(Text(start: path.bytes, count: count))
    }

    static func isNumber(_ text: Text) -> Bool { !text.isEmpty && text.allSatisfy { $0 &- UInt8(ascii: "0") < 10 } }

    /// ".../fd/N"
    static func endsInDescriptor(_ path: Text) -> Bool {
        let folder = Text(rebasing: path.dropLast(lastComponent(path).count &+ 1))
        return equal(lastComponent(folder), "fd")
    }

    /// Begins with "/proc/", and no component is empty, ".", or "..": so nothing but links below /proc/PID can make the
    /// path mean something else than it says.
    static func isPlain(_ path: Text) -> Bool {
        var parts = ProcPath(path)
        guard parts.next("proc") else { return false }
        while !parts.isAtEnd {
            guard let part = parts.next() else { return false }
            if equal(part, ".") || equal(part, "..") { return false }
            // Links out of the process's folder.
            if equal(part, "root") || equal(part, "cwd") || equal(part, "fd") { return false }
        }
        return true
    }

    /// True for the number of this process or of one of its threads.
    static func isOwn(_ number: Text) -> Bool {
        guard isNumber(number), number.count < 10 else { return false }
        var id = 0
        for digit in number { id = id &* 10 &+ Int(digit &- UInt8(ascii: "0")) }
        if id == Int(HostProcess.processID) { return true }
        return withPath("/proc/self/task/\(id)") { kernel(SYS_faccessat, AT.currentDirectory, $0, 0) } == 0
    }

    /// Gives `body` the kernel's own name for the file of /proc that a path leads to; nil when it leads elsewhere.
    static func resolve<R>(
        _ path: HostPath, from directory: Int32, followLink: Bool, _ body: (Text) -> R?
    ) -> R? {
        withFile(path, from: directory, followLink: followLink) { fd in isInProc(fd) ? withName(fd, body) : nil }
    }

    /// Gives `body` a descriptor that only names the file of a path; nil when there is none.
    static func withFile<R>(
        _ path: HostPath, from directory: Int32, followLink: Bool, _ body: (Int) -> R?
    ) -> R? {
        let flags = HostFile.pathOnly | HostFile.closeOnExec | (followLink ? 0 : HostFile.noFollow)
        let fd = kernel(SYS_openat, Int(directory), path.address, flags)
        guard fd >= 0 else { return nil }
        defer { _ = kernel(SYS_close, fd) }
        return body(fd)
    }

    // MARK: Links to the program

    /// Martlet's own file, which the kernel takes for the program.
    private static let program = OwnFile.status

    static func isOwnProgram(_ device: UInt64, _ inode: UInt64) -> Bool {
        inode == program?.inode && device == program?.device
    }

    static func isOwnProgram(_ fd: Int) -> Bool {
        guard let status = try? HostFile.status(Int32(truncatingIfNeeded: fd)) else { return false }
        return isOwnProgram(status.device, status.inode)
    }

    /// RESOLVE_NO_MAGICLINKS.
    static let noMagicLinks = 2

    /// Whether a path that leads somewhere leads there by a link that names no path, like /proc/self/exe.
    static func hasMagicLink(_ path: HostPath, from directory: Int32) -> Bool {
        let how = SIMD4(HostFile.pathOnly | HostFile.closeOnExec, 0, noMagicLinks, 0)
        let fd = withUnsafePointer(to: how) {
            kernel(SYS_openat2, Int(directory), path.address, Int(bitPattern: $0), 24)
        }
        if fd >= 0 { _ = kernel(SYS_close, fd) }
        return fd == Errno.loop.negated
    }

    /// The file system is procfs (fstatfs(2), PROC_SUPER_MAGIC).
    static func isInProc(_ fd: Int) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 256, alignment: 16) { buffer in
            guard kernel(SYS_fstatfs, fd, Int(bitPattern: buffer.baseAddress)) == 0 else { return false }
            return buffer.load(as: UInt64.self) == 0x9fa0
        }
    }

    /// Gives `body` the kernel's name for an open file.
    static func withName<R>(_ fd: Int, _ body: (Text) -> R?) -> R? {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: HostFile.longestPath) { buffer -> R? in
            let count = withPath("/proc/self/fd/\(fd)") {
                kernel(SYS_readlinkat, AT.currentDirectory, $0, Int(bitPattern: buffer.baseAddress), buffer.count)
            }
            return count > 0 ? body(Text(rebasing: buffer[..<count])) : nil
        }
    }

    /// All bytes of a file whose size the kernel does not know before it is read.
    static func contents(_ path: String) -> [UInt8] {
        guard let fd = try? HostFile.openForReading(path) else { return [] }
        defer { HostFile.close(fd) }
        var bytes: [UInt8] = []
        var capacity = 1 << 16, isComplete = false
        while !isComplete {
            let start = bytes
            bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                count = start.count
                buffer.baseAddress?.update(from: start, count: count)
                while count < capacity {
                    let read = kernel(
                        SYS_read, Int(fd), Int(bitPattern: buffer.baseAddress) &+ count, capacity &- count)
                    if read == Errno.intr.negated { continue }
                    if read <= 0 {
                        isComplete = true
                        return
                    }
                    count += read
                }
            }
            capacity *= 4
        }
        return bytes
    }
}
