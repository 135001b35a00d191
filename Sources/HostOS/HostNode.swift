// Files, folders and links by a descriptor that only names them (O_PATH): what is done to one is done to it, wherever it is moved meanwhile, and a
// symbolic link is never followed.

import CLinux
import Glibc

/// One that is open; closed with the last reference.
public final class HostNode: @unchecked Sendable {
    public let descriptor: Int32

    // O_PATH, AT_EMPTY_PATH, AT_SYMLINK_FOLLOW
    private static let pathOnly: Int32 = 0o10000000, emptyPath = 0x1000, followsLink = 0x400

    private init(_ descriptor: Int) { self.descriptor = Int32(truncatingIfNeeded: descriptor) }

    deinit { _ = kernel(SYS_close, Int(descriptor)) }

    /// A folder, by a path of the user's.
    public convenience init(folder path: String) throws(Errno) {
        let flags = Int(Self.pathOnly | O_DIRECTORY | O_CLOEXEC)
        self.init(try Errno.check(withPath(path) { kernel(SYS_openat, Int(AT_FDCWD), $0, flags) }))
    }

    /// What a folder has under a name; `name` has no slash.
    public func child(_ name: String) throws(Errno) -> HostNode {
        let flags = Int(Self.pathOnly | O_NOFOLLOW | O_CLOEXEC)
        return HostNode(try call(name) { kernel(SYS_openat, Int(descriptor), $0, flags) })
    }

    private func call(_ name: String, _ body: (Int) -> Int) throws(Errno) -> Int {
        try Errno.check(withPath(name, body))
    }

    /// A path that names it in system calls that want one. It leads to the node itself, but for those of symbolic links.
    private var ownPath: String { "/proc/self/fd/\(descriptor)" }

    // MARK: what it is

    /// Its inode's fields. (inode(7))
    public struct Status: Sendable {
        public var mode: UInt32 = 0, user: UInt32 = 0, group: UInt32 = 0
        public var device: UInt64 = 0, inode: UInt64 = 0, links: UInt64 = 0, special: UInt64 = 0
        public var size: UInt64 = 0, blockSize: UInt64 = 0, blocks: UInt64 = 0
        public var accessed = Time(), modified = Time(), changed = Time()
    }
    public struct Time: Sendable, Equatable {
        public var seconds: Int64 = 0, nanoseconds: Int64 = 0
        public init(seconds: Int64 = 0, nanoseconds: Int64 = 0) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }
    }

    public func status() throws(Errno) -> Status {
        var raw = stat()
        let flags = Self.emptyPath
        _ = try call("") { path in
            withUnsafeMutablePointer(to: &raw) {
                kernel(SYS_newfstatat, Int(descriptor), path, Int(bitPattern: $0), flags)
            }
        }
        func time(_ value: timespec) -> Time { Time(seconds: Int64(value.tv_sec), nanoseconds: Int64(value.tv_nsec)) }
        return Status(
            mode: raw.st_mode, user: raw.st_uid, group: raw.st_gid, device: UInt64(raw.st_dev),
            inode: UInt64(raw.st_ino),
            links: UInt64(raw.st_nlink), special: UInt64(raw.st_rdev), size: UInt64(bitPattern: Int64(raw.st_size)),
            blockSize: UInt64(raw.st_blksize), blocks: UInt64(bitPattern: Int64(raw.st_blocks)),
            accessed: time(raw.st_atim),
            modified: time(raw.st_mtim), changed: time(raw.st_ctim))
    }

    /// Its file system's numbers. (statfs(2))
    public struct FileSystem: Sendable {
        public var kind: UInt64 = 0, blockSize: UInt64 = 0, blocks: UInt64 = 0, free: UInt64 = 0, available: UInt64 = 0
        public var files: UInt64 = 0, freeFiles: UInt64 = 0, identity: UInt64 = 0, longestName: UInt64 = 0
    }

    public func fileSystem() throws(Errno) -> FileSystem {
        // struct statfs: 15 words of 64 bits; the seventh is two of 32.
        var raw: InlineArray<15, UInt64> = .init(repeating: 0)
        _ = try Errno.check(
            withUnsafeMutablePointer(to: &raw) { kernel(SYS_fstatfs, Int(descriptor), Int(bitPattern: $0)) })
        return FileSystem(
            kind: raw[0], blockSize: raw[1], blocks: raw[2], free: raw[3], available: raw[4], files: raw[5],
            freeFiles: raw[6],
            identity: raw[7], longestName: raw[8])
    }

    /// Where a symbolic link leads.
    public func target() throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = try call("") { path in
            bytes.withUnsafeMutableBytes {
                kernel(SYS_readlinkat, Int(descriptor), path, Int(bitPattern: $0.baseAddress), $0.count)
            }
        }
        return Array(bytes.prefix(count))
    }

    // MARK: what is in a folder

    public func makeFolder(_ name: String, mode: UInt32) throws(Errno) {
        _ = try call(name) { kernel(SYS_mkdirat, Int(descriptor), $0, Int(mode)) }
    }

    public func makeNode(_ name: String, mode: UInt32, special: UInt64) throws(Errno) {
        _ = try call(name) { kernel(SYS_mknodat, Int(descriptor), $0, Int(mode), Int(truncatingIfNeeded: special)) }
    }

    public func makeLink(_ name: String, to target: String) throws(Errno) {
        _ = try call(target) { target in withPath(name) { kernel(SYS_symlinkat, target, Int(descriptor), $0) } }
    }

    /// Another name of what `node` is.
    public func link(_ name: String, to node: HostNode) throws(Errno) {
        let isLink = try node.status().mode & UInt32(S_IFMT) == UInt32(S_IFLNK)
        // Of a symbolic link its own path leads on.
        if isLink {
            let flags = Self.emptyPath
            _ = try call(name) { name in
                withPath("") { kernel(SYS_linkat, Int(node.descriptor), $0, Int(descriptor), name, flags) }
            }
        } else {
            let flags = Self.followsLink
            _ = try call(name) { name in
                withPath(node.ownPath) { kernel(SYS_linkat, Int(AT_FDCWD), $0, Int(descriptor), name, flags) }
            }
        }
    }

    public func move(_ name: String, to folder: HostNode, as newName: String) throws(Errno) {
        _ = try call(name) { name in
            withPath(newName) { kernel(SYS_renameat, Int(descriptor), name, Int(folder.descriptor), $0) }
        }
    }

    /// `isFolder`: it is an empty folder that goes.
    public func remove(_ name: String, isFolder: Bool) throws(Errno) {
        _ = try call(name) { kernel(SYS_unlinkat, Int(descriptor), $0, isFolder ? 0x200 : 0) }  // AT_REMOVEDIR
    }

    // MARK: what can be changed

    public func setMode(_ mode: UInt32) throws(Errno) {
        _ = try call(ownPath) { kernel(SYS_fchmodat, Int(AT_FDCWD), $0, Int(mode)) }
    }

    /// Nil: it stays.
    public func setOwner(user: UInt32?, group: UInt32?) throws(Errno) {
        let flags = Self.emptyPath
        _ = try call("") {
            kernel(SYS_fchownat, Int(descriptor), $0, user.map(Int.init) ?? -1, group.map(Int.init) ?? -1, flags)
        }
    }

    public func setSize(_ size: UInt64) throws(Errno) {
        _ = try call(ownPath) { path in
            HostLimits.withoutSizeSignal { kernel(SYS_truncate, path, Int(clamping: size)) }
        }
    }

    public enum NewTime: Sendable { case kept, now, at(Time) }

    public func setTimes(accessed: NewTime, modified: NewTime) throws(Errno) {
        let now = (1 << 30) - 1, kept = (1 << 30) - 2  // UTIME_NOW, UTIME_OMIT
        func value(_ time: NewTime) -> timespec {
            switch time {
            case .kept: timespec(tv_sec: 0, tv_nsec: kept)
            case .now: timespec(tv_sec: 0, tv_nsec: now)
            case .at(let time): timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds))
            }
        }
        let times = [value(accessed), value(modified)]
        _ = try call(ownPath) { path in
            times.withUnsafeBufferPointer {
                kernel(SYS_utimensat, Int(AT_FDCWD), path, Int(bitPattern: $0.baseAddress), 0)
            }
        }
    }

    // MARK: extended attributes (xattr(7))

    /// The names of all: each ends with a zero.
    public func attributeNames() throws(Errno) -> [UInt8] {
        try attributeBytes { path, buffer, count in kernel(SYS_listxattr, path, buffer, count) }
    }

    public func attribute(_ name: String) throws(Errno) -> [UInt8] {
        try attributeBytes { path, buffer, count in withPath(name) { kernel(SYS_getxattr, path, $0, buffer, count) } }
    }

    private func attributeBytes(_ body: (Int, Int, Int) -> Int) throws(Errno) -> [UInt8] {
        // XATTR_SIZE_MAX and XATTR_LIST_MAX
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = try call(ownPath) { path in
            bytes.withUnsafeMutableBytes { body(path, Int(bitPattern: $0.baseAddress), $0.count) }
        }
        return Array(bytes.prefix(count))
    }

    /// `flags`: XATTR_CREATE, XATTR_REPLACE.
    public func setAttribute(_ name: String, _ value: [UInt8], flags: UInt32 = 0) throws(Errno) {
        _ = try call(ownPath) { path in
            withPath(name) { name in
                value.withUnsafeBytes {
                    kernel(SYS_setxattr, path, name, Int(bitPattern: $0.baseAddress), $0.count, Int(flags))
                }
            }
        }
    }

    public func removeAttribute(_ name: String) throws(Errno) {
        _ = try call(ownPath) { path in withPath(name) { kernel(SYS_removexattr, path, $0) } }
    }

    // MARK: contents

    /// Opens a file or a folder for its contents. What is neither is not opened: a pipe could keep the caller waiting, a device does something.
    public func open(_ flags: HostContents.Flags) throws(Errno) -> HostContents {
        let kind = try status().mode & UInt32(S_IFMT)
        guard kind == UInt32(S_IFREG) || kind == UInt32(S_IFDIR) else { throw .nxio }
        let wanted = Int(flags.rawValue | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        return HostContents(try call(ownPath) { kernel(SYS_openat, Int(AT_FDCWD), $0, wanted) })
    }

    /// Makes a file in a folder, which must not be there, and opens it.
    public func create(_ name: String, _ flags: HostContents.Flags, mode: UInt32) throws(Errno) -> HostContents {
        let wanted = Int(flags.rawValue | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY)
        return HostContents(try call(name) { kernel(SYS_openat, Int(descriptor), $0, wanted, Int(mode)) })
    }
}

/// The contents of a file or a folder; closed with the last reference.
public final class HostContents: @unchecked Sendable {
    public let descriptor: Int32

    /// As open(2) has them.
    public struct Flags: OptionSet, Sendable {
        public let rawValue: Int32
        public init(rawValue: Int32) { self.rawValue = rawValue }
        public static let accessMode = Flags(rawValue: O_ACCMODE), truncate = Flags(rawValue: O_TRUNC)
        public static let synchronous = Flags(rawValue: O_SYNC)
        /// What a guest may ask for.
        public static let known: Flags = [.accessMode, .truncate, .synchronous]
    }

    fileprivate init(_ descriptor: Int) { self.descriptor = Int32(truncatingIfNeeded: descriptor) }

    deinit { _ = kernel(SYS_close, Int(descriptor)) }

    /// Up to `count` bytes; fewer at the end.
    public func read(at offset: UInt64, count: Int) throws(Errno) -> ArraySlice<UInt8> {
        guard offset <= UInt64(Int64.max) else { throw .inval }
        var bytes = [UInt8](repeating: 0, count: count)
        let done = try Errno.check(
            bytes.withUnsafeMutableBytes {
                kernel(SYS_pread64, Int(descriptor), Int(bitPattern: $0.baseAddress), $0.count, Int(offset))
            })
        return bytes.prefix(done)
    }

    public func write(at offset: UInt64, _ bytes: ArraySlice<UInt8>) throws(Errno) -> Int {
        guard offset <= UInt64(Int64.max) else { throw .fbig }
        return try Errno.check(
            HostLimits.withoutSizeSignal {
                bytes.withUnsafeBytes {
                    kernel(SYS_pwrite64, Int(descriptor), Int(bitPattern: $0.baseAddress), $0.count, Int(offset))
                }
            })
    }

    public func flush(dataOnly: Bool) throws(Errno) {
        _ = try Errno.check(kernel(dataOnly ? SYS_fdatasync : SYS_fsync, Int(descriptor)))
    }

    public struct Entry: Sendable {
        public var inode: UInt64
        /// Where the next one is, for `entries(from:)`.
        public var next: UInt64
        /// DT_*
        public var kind: UInt8
        public var name: [UInt8]
    }

    /// Some entries of a folder, from a place on; none at the end.
    public func entries(from place: UInt64) throws(Errno) -> [Entry] {
        _ = try Errno.check(kernel(SYS_lseek, Int(descriptor), Int(bitPattern: UInt(place)), Int(SEEK_SET)))
        var bytes = [UInt8](repeating: 0, count: 1 << 15)
        let count = try Errno.check(
            bytes.withUnsafeMutableBytes {
                kernel(SYS_getdents64, Int(descriptor), Int(bitPattern: $0.baseAddress), $0.count)
            })
        // struct linux_dirent64: inode (8), next (8), length (2), kind (1), name and a zero
        var entries: [Entry] = [], at = 0
        bytes.withUnsafeBytes { bytes in
            while at + 19 <= count {
                let length = Int(bytes.loadUnaligned(fromByteOffset: at + 16, as: UInt16.self))
                guard length >= 19, at + length <= count else { break }
                entries.append(
                    Entry(
                        inode: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self),
                        next: bytes.loadUnaligned(fromByteOffset: at + 8, as: UInt64.self), kind: bytes[at + 18],
                        name: Array(bytes[(at + 19)..<(at + length)].prefix { $0 != 0 })))
                at += length
            }
        }
        return entries
    }
}
