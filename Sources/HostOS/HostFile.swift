// The few file operations that Martlet needs for itself. Guest file system calls do not come here.

import CLinux
import Glibc

public enum HostFile {
    /// Flags of open(2), as the kernel takes them. `createNew` is O_CREAT | O_EXCL.
    public static let closeOnExec = Int(O_CLOEXEC), noFollow = Int(O_NOFOLLOW), directoryOnly = Int(O_DIRECTORY)
    public static let createNew = Int(O_CREAT | O_EXCL), pathOnly = 0x20_0000, withoutWaiting = Int(O_NONBLOCK)

    /// AT_FDCWD: relative paths begin in the current folder.
    public static let currentFolder: Int32 = -100

    /// Opens for reading, close-on-exec. `folder`: where relative paths begin.
    public static func openForReading(
        _ path: String, in folder: Int32 = currentFolder, flags: Int = 0
    ) throws(Errno) -> Int32 {
        let fd = withPath(path) { path in
            HostLimits.opening { kernel(SYS_openat, Int(folder), path, Int(O_RDONLY | O_CLOEXEC) | flags) }
        }
        return Int32(truncatingIfNeeded: try Errno.check(fd))
    }

    /// Creates a log file, or empties it unless `appending`; every write goes to its end. The descriptor is out of the way of the descriptors that guests expect to be low.
    public static func openLog(_ path: String, appending: Bool = false) throws(Errno) -> Int32 {
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (appending ? 0 : O_TRUNC)
        let fd = withPath(path) { path in
            HostLimits.opening { kernel(SYS_openat, Int(AT_FDCWD), path, Int(flags), 0o666) }
        }
        return moveHigh(Int32(truncatingIfNeeded: try Errno.check(fd)))
    }

    /// Where descriptors of ours begin.
    public static let lowestHigh: Int32 = 200

    /// Moves a descriptor of ours to a number that guests do not meet; the old number is closed. Stays when it cannot
    /// move.
    public static func moveHigh(_ fd: Int32) -> Int32 {
        for floor in [900, Int(lowestHigh)] {
            let moved = kernel(SYS_fcntl, Int(fd), Int(F_DUPFD_CLOEXEC), floor)
            if moved >= 0 {
                close(fd)
                return Int32(truncatingIfNeeded: moved)
            }
        }
        return fd
    }

    /// Another descriptor for the same open file, close-on-exec; negative when there is none left.
    public static func duplicate(_ fd: Int32) -> Int32 {
        Int32(truncatingIfNeeded: kernel(SYS_fcntl, Int(fd), Int(F_DUPFD_CLOEXEC), 3))
    }

    public static func closeOnExec(_ fd: Int32) { setClosesOnExec(fd, true) }

    static func setClosesOnExec(_ fd: Int32, _ closes: Bool) {
        _ = kernel(SYS_fcntl, Int(fd), Int(F_SETFD), closes ? Int(FD_CLOEXEC) : 0)
    }

    public static func close(_ fd: Int32) { _ = kernel(SYS_close, Int(fd)) }

    /// Reads at `offset` until `buffer` is full or the file ends. Returns the count.
    public static func read(_ fd: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(Errno)
        -> Int
    {
        var done = 0
        while done < buffer.count, let base = buffer.baseAddress {
            let n = kernel(SYS_pread64, Int(fd), Int(bitPattern: base + done), buffer.count - done, offset + done)
            if n == Errno.intr.negated { continue }
            if try Errno.check(n) == 0 { break }
            done += n
        }
        return done
    }

    /// All bytes of a file.
    public static func contents(_ path: String) throws(Errno) -> [UInt8] {
        let fd = try openForReading(path)
        defer { close(fd) }
        let status = try status(fd)
        if status.isDirectory { throw .isdir }
        var bytes = [UInt8](repeating: 0, count: Int(max(0, status.size)))
        var failure: Errno?
        let count = bytes.withUnsafeMutableBytes { buffer -> Int in
            do throws(Errno) { return try read(fd, into: buffer, at: 0) } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        bytes.removeSubrange(count...)
        return bytes
    }

    /// All text of a file whose size is not known, as those of /proc. One that does not end at `most` bytes is refused.
    public static func text(_ path: String, most: Int = .max) throws(Errno) -> String {
        let fd = try openForReading(path)
        defer { close(fd) }
        var text: [UInt8] = []
        let part = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
        defer { part.deallocate() }
        while true {
            let count = try Errno.check(kernel(SYS_read, Int(fd), Int(bitPattern: part.baseAddress), part.count))
            if count == 0 { return String(decoding: text, as: UTF8.self) }
            if text.count > most - count { throw .fbig }
            text.append(contentsOf: part[..<count])
        }
    }

    /// Opens what may be a program for reading. Only a regular file is one, but a folder is left to others; nothing is waited for.
    public static func openProgram(_ path: String) throws(Errno) -> Int32 {
        let status = try status(path: path)
        if !status.isRegular && !status.isDirectory { throw .acces }
        return try openForReading(path, flags: Int(O_NONBLOCK))
    }

    /// Somebody has the file open for writing: then no program is made of it. `fd` is open for reading only.
    public static func isBeingWritten(_ path: String, _ fd: Int32) -> Bool {
        let checkOnly = 0x10000  // AT_EXECVE_CHECK, since Linux 6.14
        let checked = withPath(path) { name in
            let arguments: InlineArray<2, Int> = [name, 0]
            return withUnsafePointer(to: arguments) {
                let list = Int(bitPattern: $0)
                return kernel(SYS_execveat, Int(AT_FDCWD), name, list, list + 8, checkOnly)
            }
        }
        if checked != Errno.inval.negated { return checked == Errno.txtbsy.negated }
        // Before: then a lease for reading is refused. (Who opens the file in this moment is told to wait, by a signal that does nothing.)
        let setSignal = 10, setLease = 1024
        _ = kernel(SYS_fcntl, Int(fd), setSignal, Int(SIGURG))
        let result = kernel(SYS_fcntl, Int(fd), setLease, Int(F_RDLCK))
        if result == 0 { _ = kernel(SYS_fcntl, Int(fd), setLease, Int(F_UNLCK)) }
        return result == Errno.again.negated
    }

    /// Creates or replaces a file.
    public static func write(_ text: String, to path: String) throws(Errno) { try write(Array(text.utf8), to: path) }

    public static func write(_ bytes: [UInt8], to path: String) throws(Errno) {
        let flags = Int(O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC)
        let fd = try Errno.check(withPath(path) { kernel(SYS_openat, Int(AT_FDCWD), $0, flags, 0o666) })
        defer { close(Int32(truncatingIfNeeded: fd)) }
        if !bytes.withUnsafeBytes({ writeAll(Int32(truncatingIfNeeded: fd), $0) }) { throw .io }
    }

    /// Writes to a file that exists, in one call, as the kernel's own files want it.
    public static func send(_ text: String, to path: String) throws(Errno) {
        let flags = Int(O_WRONLY | O_CLOEXEC)
        let fd = try Errno.check(withPath(path) { kernel(SYS_openat, Int(AT_FDCWD), $0, flags) })
        defer { close(Int32(truncatingIfNeeded: fd)) }
        var text = text
        _ = try Errno.check(text.withUTF8 { kernel(SYS_write, fd, Int(bitPattern: $0.baseAddress), $0.count) })
    }

    /// Mounts a file system of the kernel's that needs no device.
    public static func mount(_ type: String, at path: String) throws(Errno) {
        _ = try Errno.check(
            withPath(type) { type in withPath(path) { kernel(SYS_mount, type, $0, type, 0, 0) } })
    }

    /// A new folder that only its owner can look into.
    public static func makeFolder(_ path: String) throws(Errno) {
        _ = try Errno.check(withPath(path) { kernel(SYS_mkdirat, Int(AT_FDCWD), $0, 0o700) })
    }

    /// Removes an empty folder.
    public static func removeFolder(_ path: String) {
        let folder = 0x200  // AT_REMOVEDIR
        _ = withPath(path) { kernel(SYS_unlinkat, Int(AT_FDCWD), $0, folder) }
    }

    public struct Status: Sendable {
        public var mode: UInt32, size: Int64, userID: UInt32, groupID: UInt32, links: UInt64
        public var device: UInt64, inode: UInt64
        /// Times of the last change of the contents and of anything, in nanoseconds.
        public var modified: Int64, changed: Int64
        /// The user owns it and nobody else may write to it.
        public var isPrivateToUser: Bool { mode & 0o022 == 0 && Int(userID) == kernel(SYS_geteuid) }
        public var isDirectory: Bool { mode & 0o170000 == 0o040000 }
        public var isRegular: Bool { mode & 0o170000 == 0o100000 }
    }

    public static func status(_ fd: Int32) throws(Errno) -> Status {
        var raw = stat()
        _ = try Errno.check(withUnsafeMutablePointer(to: &raw) { kernel(SYS_fstat, Int(fd), Int(bitPattern: $0)) })
        return Status(raw)
    }

    /// The type of the file system that a file is on (statfs(2), f_type); nil when the kernel does not say.
    public static func fileSystem(_ fd: Int32) -> UInt32? { fileSystem { kernel(SYS_fstatfs, Int(fd), $0) } }
    public static func fileSystem(_ path: String) -> UInt32? {
        fileSystem { status in withPath(path) { kernel(SYS_statfs, $0, status) } }
    }
    /// PROC_SUPER_MAGIC, TMPFS_MAGIC.
    public static let procfs: UInt32 = 0x9fa0, tmpfs: UInt32 = 0x0102_1994

    private static func fileSystem(_ call: (Int) -> Int) -> UInt32? {
        fileSystemStatus(call).map { UInt32(truncatingIfNeeded: $0[0]) }
    }

    /// Bytes of the file system that a path is on.
    public static func fileSystemSize(_ path: String) -> UInt64? {
        fileSystemStatus { status in withPath(path) { kernel(SYS_statfs, $0, status) } }.map { $0[1] &* $0[2] }
    }

    /// struct statfs has 120 bytes and starts with f_type, f_bsize and f_blocks.
    private static func fileSystemStatus(_ call: (Int) -> Int) -> InlineArray<16, UInt64>? {
        var raw: InlineArray<16, UInt64> = .init(repeating: 0)
        let result = withUnsafeMutablePointer(to: &raw) { call(Int(bitPattern: $0)) }
        return result == 0 ? raw : nil
    }

    /// The file that a path leads to.
    public static func status(path: String, in folder: Int32 = currentFolder) throws(Errno) -> Status {
        var raw = stat()
        _ = try Errno.check(
            withPath(path) { name in
                withUnsafeMutablePointer(to: &raw) {
                    kernel(SYS_newfstatat, Int(folder), name, Int(bitPattern: $0), 0)
                }
            })
        return Status(raw)
    }

    /// access(2) with X_OK for the effective ids.
    public static func isExecutable(_ path: String) -> Bool {
        withPath(path) { kernel(SYS_faccessat2, Int(AT_FDCWD), $0, Int(X_OK), 0x200) } == 0
            || withPath(path) { kernel(SYS_faccessat, Int(AT_FDCWD), $0, Int(X_OK)) } == 0
    }

    public static func exists(_ path: String) -> Bool {
        withPath(path) { kernel(SYS_faccessat, Int(AT_FDCWD), $0, 0) } == 0
    }

    /// PATH_MAX: bytes of a path for the kernel, its NUL included.
    @inlinable public static var longestPath: Int { 4096 }

    /// The target of a symbolic link.
    public static func readLink(_ path: String) throws(Errno) -> String {
        try withUnsafeTemporaryAllocation(byteCount: longestPath, alignment: 1) { buffer throws(Errno) in
            let n = try Errno.check(
                withPath(path) {
                    kernel(SYS_readlinkat, Int(AT_FDCWD), $0, Int(bitPattern: buffer.baseAddress), buffer.count)
                })
            return String(decoding: buffer[..<n], as: UTF8.self)
        }
    }

    /// Of a struct stat that the kernel has written.
    public static func identity(ofStatus raw: UnsafeRawPointer) -> (device: UInt64, inode: UInt64) {
        let status = raw.assumingMemoryBound(to: stat.self)
        return (UInt64(status.pointee.st_dev), UInt64(status.pointee.st_ino))
    }

    /// The absolute name of an existing file without symbolic links; nil when there is none.
    public static func realPath(_ path: String) -> String? {
        let fd = withPath(path) { path in
            HostLimits.opening { kernel(SYS_openat, Int(AT_FDCWD), path, pathOnly | closeOnExec) }
        }
        if fd < 0 { return nil }
        defer { close(Int32(truncatingIfNeeded: fd)) }
        if let known = try? readLink("/proc/self/fd/\(fd)") { return known }
        // Step by step, where there is no /proc.
        guard let found = realpath(path, nil) else { return nil }
        defer { free(found) }
        return String(cString: found)
    }

    public static func currentDirectory() throws(Errno) -> String {
        try withUnsafeTemporaryAllocation(byteCount: longestPath, alignment: 1) { buffer throws(Errno) in
            let n = try Errno.check(kernel(SYS_getcwd, Int(bitPattern: buffer.baseAddress), buffer.count))
            return String(decoding: buffer[..<max(0, n - 1)], as: UTF8.self)
        }
    }
}

extension HostFile.Status {
    fileprivate init(_ raw: stat) {
        func nanoseconds(_ time: timespec) -> Int64 { Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec) }
        self.init(
            mode: raw.st_mode, size: Int64(raw.st_size), userID: raw.st_uid, groupID: raw.st_gid,
            links: UInt64(raw.st_nlink),
            device: UInt64(raw.st_dev), inode: UInt64(raw.st_ino), modified: nanoseconds(raw.st_mtim),
            changed: nanoseconds(raw.st_ctim))
    }
}
