// Function names of an ELF file of either class and byte order: from .symtab, else .dynsym; and where functions start at all, from the table that exception
// handling has (.eh_frame_hdr), which stripped files keep. A file may be anything: every offset is checked against the file's size,
// every count against what the file can hold, and what is wrong is left out.
//
// Sources: System V gABI, chapters 4 and 5; Linux Standard Base, 10.6 (.eh_frame_hdr).

import HostOS

/// A function of a file. Addresses are the file's own.
struct ELFFunction: Equatable {
    var start: UInt64
    /// 0: unknown.
    var size: UInt64
    var name: String
}

struct ELFSymbols {
    /// In ascending order of address, one for each.
    private(set) var functions: [ELFFunction] = []
    /// Starts of functions with and without a name, ascending.
    private(set) var starts: [UInt64] = []
    private var segments: [(offset: UInt64, address: UInt64, size: UInt64)] = []

    /// Names longer than this are cut.
    private static let nameLimit = 256
    private static let symbolLimit = 4 << 20

    /// Nothing at all for what is no ELF file.
    init(path: String) {
        let fd = (try? HostFile.openForReading(path)) ?? -1
        defer { if fd >= 0 { HostFile.close(fd) } }
        let size = (try? HostFile.status(fd))?.size ?? 0
        self.init(size: UInt64(max(0, size))) { offset, count in
            [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                let bytes = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count)
                filled = (try? HostFile.read(fd, into: bytes, at: offset)) ?? 0
            }
        }
    }

    init(_ bytes: [UInt8]) {
        self.init(size: UInt64(bytes.count)) { Array(bytes[$0..<$0 + $1]) }
    }

    /// `read`: bytes at an offset, both within `size`.
    private init(size: UInt64, read: @escaping (Int, Int) -> [UInt8]) {
        let mark = size < 16 ? [] : read(0, 16)
        guard mark.count == 16, mark.starts(with: [0x7f, 0x45, 0x4c, 0x46]), 1...2 ~= mark[4], 1...2 ~= mark[5] else {
            return
        }
        let file = Reader(isWide: mark[4] == 2, isBig: mark[5] == 2, size: size, read: read)
        let header = file.piece(0, file.isWide ? 64 : 52)
        if header.count == 0 { return }
        readSegments(file, header)
        readSections(file, header)
        functions.sort { ($0.start, $1.size, $0.name) < ($1.start, $0.size, $1.name) }
        var last: UInt64?
        functions.removeAll { function in
            defer { last = function.start }
            return function.start == last
        }
        starts = Set(starts + functions.map(\.start)).sorted()
    }

    // MARK: Looking up

    /// The file's address of the byte at `offset`.
    func address(ofOffset offset: UInt64) -> UInt64? {
        for segment in segments where offset >= segment.offset && offset - segment.offset < segment.size {
            return segment.address &+ (offset - segment.offset)
        }
        return nil
    }

    /// The function that contains `address`: one with a name, or only its start; nil when nothing is known.
    func function(at address: UInt64) -> (start: UInt64, name: String?)? {
        guard let start = Self.last(starts.count, { starts[$0] <= address }).map({ starts[$0] }) else { return nil }
        guard let index = Self.last(functions.count, { functions[$0].start <= address }) else { return (start, nil) }
        let function = functions[index]
        let isInside = function.size == 0 ? function.start == start : address - function.start < function.size
        return isInside ? (function.start, function.name) : (start, nil)
    }

    /// The last of 0..<count for which `holds`, which holds for none after the first for which it does not.
    private static func last(_ count: Int, _ holds: (Int) -> Bool) -> Int? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if holds(middle) { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? low - 1 : nil
    }

    // MARK: Reading

    private mutating func readSegments(_ file: Reader, _ header: Fields) {
        let entrySize = file.isWide ? 56 : 32
        guard Int(header.half(42, 54)) == entrySize else { return }
        let table = file.piece(header.word(28, 32), Int(header.half(44, 56)) * entrySize)
        for at in stride(from: 0, to: table.count - entrySize + 1, by: entrySize) {
            let entry = table.from(at)
            let fileOffset = entry.word(4, 8), address = entry.word(8, 16), fileSize = entry.word(16, 32)
            switch entry.int(0) {
            case 1: segments.append((fileOffset, address, fileSize))  // PT_LOAD
            case 0x6474_e550: readFrameTable(file, fileOffset, fileSize, address)  // PT_GNU_EH_FRAME
            default: break
            }
        }
    }

    /// .eh_frame_hdr as linkers make it: count as udata4, table of sdata4 pairs relative to the header.
    private mutating func readFrameTable(_ file: Reader, _ offset: UInt64, _ size: UInt64, _ address: UInt64) {
        let head = file.piece(offset, 12)
        guard head.count == 12, head[0] == 1, head[2] == 0x03, head[3] == 0x3b, size >= 12 else { return }
        let count = min(UInt64(head.int(8)), (size - 12) / 8, UInt64(Self.symbolLimit))
        let table = file.piece(offset &+ 12, Int(count) * 8)
        for at in stride(from: 0, to: table.count - 7, by: 8) {
            let start = address &+ UInt64(bitPattern: Int64(Int32(bitPattern: table.int(at))))
            starts.append(file.isWide ? start : start & 0xffff_ffff)
        }
    }

    private mutating func readSections(_ file: Reader, _ header: Fields) {
        let entrySize = file.isWide ? 64 : 40
        guard Int(header.half(46, 58)) == entrySize else { return }
        let table = file.piece(header.word(32, 40), Int(header.half(48, 60)) * entrySize)
        let sections = stride(from: 0, to: table.count - entrySize + 1, by: entrySize).map { table.from($0) }
        func content(_ section: Fields) -> (offset: UInt64, size: UInt64) {
            (section.word(16, 24), section.word(20, 32))
        }
        let symbolTable: UInt32 = 2
        let dynamicSymbols: UInt32 = 11
        for type in [symbolTable, dynamicSymbols] {
            for section in sections where section.int(4) == type {
                let link = Int(section.int(24, 40))
                guard link < sections.count, functions.isEmpty else { continue }
                readSymbols(file, content(section), content(sections[link]))
            }
        }
    }

    private mutating func readSymbols(
        _ file: Reader, _ symbols: (offset: UInt64, size: UInt64), _ strings: (offset: UInt64, size: UInt64)
    ) {
        let entrySize = file.isWide ? 24 : 16
        let names = file.piece(strings.offset, Int(clamping: strings.size)).bytes
        let limit = Self.symbolLimit * entrySize
        let table = file.piece(symbols.offset, min(Int(clamping: symbols.size), limit))
        for at in stride(from: 0, to: table.count - entrySize + 1, by: entrySize) {
            let symbol = table.from(at)
            let type = symbol[file.isWide ? 4 : 12] & 15
            let isFunction = type == 2 || type == 10  // STT_FUNC, STT_GNU_IFUNC
            let nameAt = Int(symbol.int(0))
            guard isFunction, symbol.half(14, 6) != 0, nameAt < names.count else { continue }
            let bytes = names[nameAt...].prefix(Self.nameLimit).prefix { $0 != 0 }
            if bytes.isEmpty { continue }
            functions.append(
                ELFFunction(
                    start: symbol.word(4, 8), size: symbol.word(8, 16), name: String(decoding: bytes, as: UTF8.self)))
        }
    }

    /// The file, with what lies outside of it as empty pieces.
    private struct Reader {
        /// ELFCLASS64, ELFDATA2MSB.
        let isWide: Bool, isBig: Bool
        let size: UInt64
        let read: (Int, Int) -> [UInt8]

        func piece(_ offset: UInt64, _ count: Int) -> Fields {
            let isInside = count > 0 && offset <= size && UInt64(count) <= size - offset
            return Fields(bytes: isInside ? read(Int(offset), count) : [], start: 0, isWide: isWide, isBig: isBig)
        }
    }

    /// Fields of a record, by their offsets in files of 32 and of 64 bits.
    private struct Fields {
        let bytes: [UInt8]
        let start: Int
        let isWide: Bool, isBig: Bool

        var count: Int { bytes.count - start }
        func from(_ offset: Int) -> Fields {
            Fields(bytes: bytes, start: start + offset, isWide: isWide, isBig: isBig)
        }
        subscript(_ offset: Int) -> UInt8 { bytes[start + offset] }

        private func number(_ offset: Int, _ size: Int) -> UInt64 {
            (0..<size).reduce(0) { $0 << 8 | UInt64(self[offset + (isBig ? $1 : size - 1 - $1)]) }
        }
        func half(_ narrow: Int, _ wide: Int) -> UInt16 { UInt16(number(isWide ? wide : narrow, 2)) }
        func int(_ offset: Int) -> UInt32 { UInt32(number(offset, 4)) }
        func int(_ narrow: Int, _ wide: Int) -> UInt32 { int(isWide ? wide : narrow) }
        /// An address, offset or size: 4 or 8 bytes.
        func word(_ narrow: Int, _ wide: Int) -> UInt64 { isWide ? number(wide, 8) : number(narrow, 4) }
    }
}
