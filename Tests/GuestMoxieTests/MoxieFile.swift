// 32-bit big-endian ELF files as programs for the simulator are: read for the tests' own loader, written for generated ones.

import Glibc
import TestSupport

struct MoxieFile {
    struct Segment {
        var address: UInt32
        /// execute 1, write 2, read 4
        var flags: UInt32
        var bytes: [UInt8]
        var memorySize: Int
    }
    var entry: UInt32
    var segments: [Segment]

    private static let machine: UInt16 = 223

    init(entry: UInt32, segments: [Segment]) {
        self.entry = entry
        self.segments = segments
    }

    /// Nil for any other file.
    init?(_ file: [UInt8]) {
        func half(_ at: Int) -> Int { at + 2 <= file.count ? Int(file[at]) << 8 | Int(file[at + 1]) : 0 }
        func word(_ at: Int) -> Int { half(at) << 16 | half(at + 2) }
        guard file.starts(with: [0x7f, 0x45, 0x4c, 0x46, 1, 2]), half(18) == Int(Self.machine) else { return nil }
        entry = UInt32(word(24))
        segments = []
        for number in 0..<half(44) {
            let header = word(28) + number * half(42)
            guard word(header) == 1 else { continue }
            let offset = word(header + 4), size = word(header + 16)
            guard offset + size <= file.count else { return nil }
            segments.append(
                Segment(
                    address: UInt32(word(header + 8)), flags: UInt32(word(header + 24)),
                    bytes: Array(file[offset..<offset + size]), memorySize: word(header + 20)))
        }
    }

    init?(path: String) {
        guard let bytes = readFile(path) else { return nil }
        self.init(bytes)
    }

    /// With the section headers that the simulator loads by: one for each segment that has bytes, and their names.
    var bytes: [UInt8] {
        let filled = segments.filter { !$0.bytes.isEmpty }
        let names: [UInt8] = [0] + Array(".data\0.names\0".utf8)
        var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 1, 2, 1] + [UInt8](repeating: 0, count: 9)
        func half(_ value: Int) { file += [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)] }
        func words(_ values: [Int]) {
            for value in values {
                half(value >> 16)
                half(value)
            }
        }
        let sections = 52 + 32 * segments.count, namesOffset = sections + 40 * (filled.count + 2)
        half(2)
        half(Int(Self.machine))
        words([1, Int(entry), 52, sections, 0])
        for value in [52, 32, segments.count, 40, filled.count + 2, filled.count + 1] { half(value) }
        var offsets: [Int] = []
        var end = 0x1000
        for segment in segments {
            offsets.append(end)
            let address = Int(segment.address)
            words([1, end, address, address, segment.bytes.count, segment.memorySize, Int(segment.flags), 0x1000])
            end += (segment.bytes.count + 0xfff) & ~0xfff
        }
        words(Array(repeating: 0, count: 10))
        for (segment, offset) in zip(segments, offsets) where !segment.bytes.isEmpty {
            let flags = 2 | (segment.flags & 1 != 0 ? 4 : 0) | (segment.flags & 2 != 0 ? 1 : 0)
            words([1, 1, flags, Int(segment.address), offset, segment.bytes.count, 0, 0, 4, 0])
        }
        words([7, 3, 0, 0, namesOffset, names.count, 0, 0, 1, 0])
        file += names
        for segment in filled {
            file += [UInt8](repeating: 0, count: -file.count & 0xfff)
            file += segment.bytes
        }
        return file
    }
}

extension MoxieFile {
    /// What a shell command with the file's path prints.
    func run(_ command: (String) -> String) throws -> [UInt8] {
        let folder = try TemporaryFolder("moxie")
        let path = folder.path + "/program"
        try writeFile(path, bytes, mode: 0o700)
        return try runProcess("/bin/sh", ["-c", command(path)]).output
    }
}

/// What `./devtool toolchain moxie` has made in the cache.
enum MoxieToolchain {
    /// Results of its tools that are kept.
    static let kept = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/Guest/moxie"

    /// The path of `moxie-elf-NAME`, nil where it is not.
    static func tool(_ name: String) -> String? {
        let cache =
            getenv("XDG_CACHE_HOME").map { String(cString: $0) }
            ?? (getenv("HOME").map { String(cString: $0) } ?? "/root") + "/.cache"
        let path = cache + "/martlet/toolchain-moxie/bin/moxie-elf-" + name
        return access(path, X_OK) == 0 ? path : nil
    }
}
