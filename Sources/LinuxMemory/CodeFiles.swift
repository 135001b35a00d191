// The files that guest code comes from, and where they go in the address space.
//
// Translated code has guest addresses in it. So that translations of a library are good for every program that maps it, a library
// lies at the same place in all of them: one that follows from its name. The guest cannot rely on any place, since it has left the
// choice to the kernel.

import HostOS

struct CodeFiles {
    /// By number - 1.
    private(set) var files: [CodeFile] = []

    /// The number of an open file, a new one when it has none; 0 when it has no name that a later run could know it by.
    mutating func number(of fd: Int32) -> UInt32 {
        guard let name = Self.name(of: fd), let status = try? HostFile.status(fd) else { return 0 }
        // They are few.
        if let known = files.lastIndex(where: { $0.name == name }), files[known].isSame(status) {
            return UInt32(known + 1)
        }
        files.append(CodeFile(name: name, status: status, isDated: CodeFile.keepsDates(fd)))
        return UInt32(files.count)
    }

    func name(_ number: Int) -> String { files[number - 1].name }

    /// Is the contents of a file another than when it was seen last, or may it be?
    mutating func mayHaveChanged(_ number: Int) -> Bool { files[number - 1].mayHaveChanged() }

    /// A shared mapping that may be written is made of a file.
    mutating func noteWritable(_ status: HostFile.Status) {
        for i in files.indices where files[i].isSame(status) { files[i].watchAlways() }
    }

    /// The path of an open file; nil when that leads to it no more. Where nothing tells paths (there is no /proc) it is a name that
    /// leads nowhere, by the file's place on its file system: so the file cannot be watched.
    static func name(of fd: Int32) -> String? {
        guard let path = try? HostFile.readLink("/proc/self/fd/\(fd)") else {
            guard let status = try? HostFile.status(fd), status.isRegular, status.links > 0 else { return nil }
            return "\(status.device):\(status.inode)"
        }
        return path.hasPrefix("/") && !path.hasSuffix(" (deleted)") ? path : nil
    }

    /// Starts like an ELF file. (The first segment of a library need not be executable.)
    static func isProgram(_ fd: Int32) -> Bool {
        var start: UInt32 = 0
        let count = withUnsafeMutableBytes(of: &start) { bytes in (try? HostFile.read(fd, into: bytes, at: 0)) ?? 0 }
        return count == 4 && start == 0x464c_457f
    }

    private static let slot: UInt64 = 2 << 20
    private static let tries: UInt64 = 4

    /// Where a file goes, the first place that is free: in a 32nd of the address space near its top, in slots of 2 MiB, so that few
    /// page tables are needed. Large files have none.
    static func usualPlaces(of name: String, size: UInt64, limit: UInt64) -> [UInt64] {
        let start = limit / 64 * 61, slots = limit / 32 / slot, count = (size + slot - 1) / slot
        guard count > 0, count <= slots / 16 else { return [] }
        // FNV-1a.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return (0..<tries).map { n in
            let mixed = (hash &+ n) &* 0x9E37_79B9_7F4A_7C15
            return (start & ~(slot - 1)) + mixed.multipliedFullWidth(by: slots - count + 1).high * slot
        }
    }
}

/// One file of guest code, and how its changes are noticed.
///
/// A private mapping shows what others write to the file, until the guest writes to the page itself. The kernel notes every write(2) in
/// the file's times, and of the stores through a shared mapping the first to each page that is clean. So a file whose times are old and
/// the same as before has not changed. One that was written to not long ago is live: pages of it may be dirty, and its code is compared
/// at every fence.
struct CodeFile {
    let name: String
    private let device: UInt64, inode: UInt64
    private var modified: Int64, changed: Int64, size: Int64
    /// Until then, in nanoseconds of the real-time clock, its times say nothing.
    private var liveUntil: Int64

    /// Pages that were dirty longer ago than this have been written back, and are noted again when they change: 30 s until they are due
    /// and 5 s until that is looked at, unless the administrator has made it longer (Linux Documentation/admin-guide/sysctl/vm.rst,
    /// dirty_expire_centisecs and dirty_writeback_centisecs).
    private static let settlingTime: Int64 = 60_000_000_000

    init(name: String, status: HostFile.Status, isDated: Bool) {
        self.name = name
        device = status.device
        inode = status.inode
        modified = status.modified
        changed = status.changed
        size = status.size
        liveUntil = isDated ? max(modified, changed) &+ Self.settlingTime : .max
    }

    func isSame(_ status: HostFile.Status) -> Bool { device == status.device && inode == status.inode }

    /// Its times say nothing from now on.
    mutating func watchAlways() { liveUntil = .max }

    /// Has it changed since this was asked last, as far as one can know?
    mutating func mayHaveChanged() -> Bool {
        if liveUntil == .max { return true }
        // Without its name it cannot be watched any more.
        guard let status = try? HostFile.status(path: name), isSame(status) else {
            watchAlways()
            return true
        }
        if status.modified != modified || status.changed != changed || status.size != size {
            modified = status.modified
            changed = status.changed
            size = status.size
            liveUntil = max(modified, changed) &+ Self.settlingTime
            return true
        }
        if liveUntil == .min { return false }
        // The last comparison of a file that was live comes after it has settled.
        if liveUntil < Int64(truncatingIfNeeded: HostClock.realtime()) { liveUntil = .min }
        return true
    }

    /// File systems that note stores through shared mappings in a file's times: those on disks, and overlays of them. Files in memory
    /// have no writeback, so nothing notes a second store; others may not tell in time.
    static func keepsDates(_ fd: Int32) -> Bool {
        switch HostFile.fileSystem(fd) {
        case 0xef53,  // ext2, ext3, ext4
            0x5846_5342,  // xfs
            0x9123_683e,  // btrfs
            0xf2f5_2010,  // f2fs
            0x794c_7630,  // overlayfs
            0x7371_7368,  // squashfs
            0xe0f5_e1e2,  // erofs
            0x9660:  // iso9660
            true
        default: false
        }
    }
}
