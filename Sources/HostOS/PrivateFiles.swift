// Files that Martlet keeps for itself in a folder of the user's.

import CLinux
import Glibc

extension HostFile {
    /// Makes a folder and what is missing above it, for the user alone.
    public static func makeFolders(_ path: String) throws(Errno) {
        if exists(path) { return }
        if let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash != path.startIndex {
            try makeFolders(String(path[..<slash]))
        }
        let result = withPath(path) { kernel(SYS_mkdirat, Int(AT_FDCWD), $0, 0o700) }
        if result != Errno.exist.negated { _ = try Errno.check(result) }
    }

    /// Creates a file for the user alone; an error when there is one.
    public static func createPrivate(_ path: String, in folder: Int32 = currentFolder) throws(Errno) -> Int32 {
        let flags = Int(O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)
        let fd = withPath(path) { path in HostLimits.opening { kernel(SYS_openat, Int(folder), path, flags, 0o600) } }
        return Int32(truncatingIfNeeded: try Errno.check(fd))
    }

    /// A descriptor for the guest, from which it reads these bytes; or -errno. A memory file, or a pipe where RLIMIT_FSIZE forbids that.
    public static func inMemory(_ bytes: UnsafeRawBufferPointer, closesOnExec: Bool) -> Int {
        let flags = closesOnExec ? Int(O_CLOEXEC) : 0
        if HostLimits.get(HostLimits.fileSize).soft < UInt64(bytes.count) {
            var ends: InlineArray<2, Int32> = [-1, -1]
            let status = withUnsafeMutablePointer(to: &ends) { kernel(SYS_pipe2, Int(bitPattern: $0), flags) }
            if status != 0 { return status }
            defer { close(ends[1]) }
            let setPipeSize = 1031
            if bytes.count > 65536 { _ = kernel(SYS_fcntl, Int(ends[1]), setPipeSize, bytes.count) }
            // A pipe that is too small must not make the writer wait.
            _ = kernel(SYS_fcntl, Int(ends[1]), Int(F_SETFL), Int(O_NONBLOCK))
            if writeAll(ends[1], bytes) { return Int(ends[0]) }
            close(ends[0])
            return Errno.nomem.negated
        }
        let fd = withPath("proc") { kernel(SYS_memfd_create, $0, closesOnExec ? Int(CLX_MFD_CLOEXEC) : 0) }
        if fd < 0 { return fd }
        if !writeAll(Int32(truncatingIfNeeded: fd), bytes) {
            _ = kernel(SYS_close, fd)
            return Errno.nomem.negated
        }
        _ = kernel(SYS_lseek, fd, 0, 0)
        return fd
    }

    /// Writes all bytes at `offset`.
    public static func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(Errno) {
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
            let n = HostLimits.withoutSizeSignal {
                kernel(SYS_pwrite64, Int(fd), Int(bitPattern: base + done), bytes.count - done, offset + done)
            }
            if n == Errno.intr.negated { continue }
            done += try Errno.check(n)
        }
    }

    /// Removes a file; nothing happens when that is not possible.
    public static func remove(_ path: String, in folder: Int32 = currentFolder) {
        _ = withPath(path) { kernel(SYS_unlinkat, Int(folder), $0, 0) }
    }

    /// Gives a file another name, replacing what had it.
    public static func rename(_ path: String, _ new: String, in folder: Int32 = currentFolder) throws(Errno) {
        _ = try Errno.check(
            withPath(path) { old in withPath(new) { kernel(SYS_renameat2, Int(folder), old, Int(folder), $0, 0) } })
    }

    /// Sets the time of the last change to now.
    public static func touch(_ path: String, in folder: Int32 = currentFolder) {
        _ = withPath(path) { kernel(SYS_utimensat, Int(folder), $0, 0, 0) }
    }

    /// What is in a folder, without "." and ".."; nothing when it cannot be read.
    public static func names(in path: String, from folder: Int32 = currentFolder) -> [String] {
        guard let fd = try? openForReading(path, in: folder, flags: directoryOnly), let stream = fdopendir(fd) else {
            return []
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
