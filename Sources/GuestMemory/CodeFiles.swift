// The files that guest code comes from, and where they go in the address space.
//
// Translated code has guest addresses in it. So that translations of a library are good for every program that maps it, a library
// lies at the same place in all of them: one that follows from its name. The guest cannot rely on any place, since it has left the
// choice to the kernel.

import HostOS

struct CodeFiles {
    /// By number - 1.
    private(set) var names: [String] = []

    /// The number of an open file, a new one when it has none; 0 when it has no name that a later run could know it by.
    mutating func number(of fd: Int32) -> UInt32 {
        guard let name = Self.name(of: fd) else { return 0 }
        if let known = names.firstIndex(of: name) { return UInt32(known + 1) }
        names.append(name)
        return UInt32(names.count)
    }

    /// The path of an open file; nil when that leads to it no more.
    static func name(of fd: Int32) -> String? {
        guard let path = try? HostFile.readLink("/proc/self/fd/\(fd)"), path.hasPrefix("/"),
            !path.hasSuffix(" (deleted)")
        else { return nil }
        return path
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
