// The two classes of ELF files, in either byte order: where the fields of their headers are.
//
// Source: System V gABI, chapters 4 and 5; elf(5).

import LinuxABI

/// How one class of ELF files has its headers.
struct ELFFormat {
    let words: Words
    private var is32: Bool { words.size == 4 }

    init(_ words: Words) { self.words = words }

    /// The first four bytes of every ELF file, as a number of the host's.
    static let magic: UInt32 = 0x464c_457f

    /// Bytes of the file's header.
    var headerSize: Int { is32 ? 52 : 64 }
    var programHeaderSize: Int { is32 ? 32 : 56 }

    /// What the loader reads of a file's header.
    struct Header {
        var type: UInt16
        var entry: UInt64
        var tableOffset: UInt64
        var programHeaderSize: Int
        var count: Int
    }

    /// - Precondition: `base` has `headerSize` bytes.
    func header(_ base: UnsafeRawPointer) -> Header {
        func half(_ offset: Int) -> UInt16 { words.load(base, at: offset, as: UInt16.self) }
        return Header(
            type: half(16), entry: words.loadWord(base, at: 24), tableOffset: words.loadWord(base, at: 24 + words.size),
            programHeaderSize: Int(half(is32 ? 42 : 54)), count: Int(half(is32 ? 44 : 56)))
    }

    struct ProgramHeader {
        var type: UInt32
        var flags: UInt32
        var offset: UInt64
        var address: UInt64
        var fileSize: UInt64
        var memorySize: UInt64
        var alignment: UInt64
    }

    /// - Precondition: `table` has `programHeaderSize` bytes at `start`.
    func programHeader(_ table: UnsafeRawPointer, at start: Int) -> ProgramHeader {
        func word(_ index: Int) -> UInt64 { words.loadWord(table, at: start + (is32 ? 4 : 8) + index * words.size) }
        return ProgramHeader(
            type: words.load(table, at: start, as: UInt32.self),
            flags: words.load(table, at: start + (is32 ? 24 : 4), as: UInt32.self), offset: word(0), address: word(1),
            fileSize: word(3), memorySize: word(4), alignment: words.loadWord(table, at: start + (is32 ? 28 : 48)))
    }

    // MARK: Writing

    /// A file's header without sections.
    func bytes(type: UInt16, machine: ELFTarget, count: Int) -> [UInt8] {
        var bytes: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, is32 ? 1 : 2, words.order == .little ? 1 : 2, 1, 0]
        bytes += [UInt8](repeating: 0, count: 8)
        for half in [type, machine.machine] { append(half, to: &bytes) }
        append(UInt32(1), to: &bytes)  // EV_CURRENT
        // No entry, program headers, no sections.
        for word in [0, UInt64(headerSize), 0] { append(word: word, to: &bytes) }
        append(machine.flags, to: &bytes)
        for half in [headerSize, programHeaderSize, count, 0, 0, 0] { append(UInt16(half), to: &bytes) }
        return bytes
    }

    func bytes(_ header: ProgramHeader) -> [UInt8] {
        var bytes: [UInt8] = []
        append(header.type, to: &bytes)
        if !is32 { append(header.flags, to: &bytes) }
        for word in [header.offset, header.address, 0, header.fileSize, header.memorySize] {
            append(word: word, to: &bytes)
        }
        if is32 { append(header.flags, to: &bytes) }
        append(word: header.alignment, to: &bytes)
        return bytes
    }

    func append(_ value: some FixedWidthInteger & BitwiseCopyable, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: words.order.swapping(value)) { bytes.append(contentsOf: $0) }
    }

    func append(word: UInt64, to bytes: inout [UInt8]) {
        if is32 { append(UInt32(truncatingIfNeeded: word), to: &bytes) } else { append(word, to: &bytes) }
    }
}
