// Reads an ELF core file by the gABI and the kernel's headers, independently of what writes it.

import Glibc
import TestSupport

final class CoreReader {
    struct Segment {
        var type: UInt32, flags: UInt32
        var offset, address, fileSize, memorySize: UInt64
    }
    struct Note {
        var type: UInt32
        var content: [UInt8]
        func word(_ offset: Int) -> UInt64 { load(content, offset) }
        func half(_ offset: Int) -> UInt32 { load(content, offset) }
        func text(_ offset: Int) -> String { String(decoding: content[offset...].prefix { $0 != 0 }, as: UTF8.self) }
    }

    let size: Int, blocks: Int, mode: mode_t
    let machine: UInt16
    private(set) var segments: [Segment] = []
    private(set) var notes: [Note] = []
    private let descriptor: Int32

    /// The program headers and the notes must be there; pages may be missing.
    init(_ path: String) throws {
        let descriptor = open(path, O_RDONLY)
        self.descriptor = descriptor
        guard descriptor >= 0 else { throw SpawnError(description: "no core file \(path)") }
        var information = stat()
        fstat(descriptor, &information)
        size = Int(information.st_size)
        blocks = Int(information.st_blocks)
        mode = information.st_mode & 0o7777
        let header = CoreReader.bytes(descriptor, 0, 64)
        guard header.count == 64, header.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]), load(header, 16) == UInt16(4)
        else { throw SpawnError(description: "\(path) is no core file") }
        machine = load(header, 18)
        let first: UInt64 = load(header, 32), count: UInt16 = load(header, 56)
        for index in 0..<Int(count) {
            let row = CoreReader.bytes(descriptor, Int(first) + 56 * index, 56)
            guard row.count == 56 else { throw SpawnError(description: "a header is missing") }
            segments.append(
                Segment(
                    type: load(row, 0), flags: load(row, 4), offset: load(row, 8), address: load(row, 16),
                    fileSize: load(row, 32), memorySize: load(row, 40)))
        }
        for segment in segments where segment.type == 4 {
            let bytes = CoreReader.bytes(descriptor, Int(segment.offset), Int(segment.fileSize))
            var at = 0
            while at + 12 <= bytes.count {
                let nameSize: UInt32 = load(bytes, at), size: UInt32 = load(bytes, at + 4)
                let start = at + 12 + (Int(nameSize) + 3) & ~3
                guard start + Int(size) <= bytes.count, bytes[(at + 12)...].starts(with: Array("CORE\0".utf8)) else {
                    throw SpawnError(description: "a note is cut off")
                }
                notes.append(Note(type: load(bytes, at + 8), content: Array(bytes[start..<start + Int(size)])))
                at = start + (Int(size) + 3) & ~3
            }
        }
    }

    deinit { close(descriptor) }

    func notes(_ type: UInt32) -> [Note] { notes.filter { $0.type == type } }

    func segment(at address: UInt64) -> Segment? {
        segments.first { $0.type == 1 && address >= $0.address && address < $0.address + $0.memorySize }
    }

    /// Memory as the file has it; nil where it holds none.
    func memory(_ address: UInt64, _ count: Int) -> [UInt8]? {
        guard let segment = segment(at: address), address - segment.address + UInt64(count) <= segment.fileSize else {
            return nil
        }
        let bytes = Self.bytes(descriptor, Int(segment.offset + address - segment.address), count)
        return bytes.count == count ? bytes : nil
    }

    func text(_ address: UInt64) -> String? {
        guard let segment = segment(at: address), address - segment.address < segment.fileSize else { return nil }
        let bytes = memory(address, Int(min(256, segment.fileSize - (address - segment.address))))
        return bytes.map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    func word(_ address: UInt64) -> UInt64? { memory(address, 8).map { load($0, 0) } }

    private static func bytes(_ descriptor: Int32, _ offset: Int, _ count: Int) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        let got = pread(descriptor, &buffer, count, offset)
        return got < 0 ? [] : Array(buffer[..<got])
    }
}

private func load<T: FixedWidthInteger>(_ bytes: [UInt8], _ offset: Int) -> T {
    bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: T.self) }
}
