// Function names of an ELF-64 file: from .symtab, else .dynsym; and where functions start at all, from the table that exception
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

    /// Nothing at all for what is no ELF-64 file of the little-endian kind.
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
        let file = Reader(size: size, read: read)
        let header = file.piece(0, 64)
        guard header.count == 64, header[0] == 0x7f, header[1] == 0x45, header[2] == 0x4c, header[3] == 0x46,
            header[4] == 2, header[5] == 1
        else { return }
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

    private mutating func readSegments(_ file: Reader, _ header: [UInt8]) {
        let offset = header.word64(32)
        let entrySize = 56
        guard Int(header.word16(54)) == entrySize else { return }
        let table = file.piece(offset, Int(header.word16(56)) * entrySize)
        for at in stride(from: 0, to: table.count - entrySize + 1, by: entrySize) {
            let fileOffset = table.word64(at + 8)
            let address = table.word64(at + 16)
            let fileSize = table.word64(at + 32)
            switch table.word32(at) {
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
        let count = min(UInt64(head.word32(8)), (size - 12) / 8, UInt64(Self.symbolLimit))
        let table = file.piece(offset &+ 12, Int(count) * 8)
        for at in stride(from: 0, to: table.count - 7, by: 8) {
            starts.append(address &+ UInt64(bitPattern: Int64(Int32(bitPattern: table.word32(at)))))
        }
    }

    private mutating func readSections(_ file: Reader, _ header: [UInt8]) {
        let entrySize = 64
        guard Int(header.word16(58)) == entrySize else { return }
        let table = file.piece(header.word64(40), Int(header.word16(60)) * entrySize)
        let count = table.count / entrySize
        func sections(_ type: UInt32) -> [Int] {
            (0..<count).map { $0 * entrySize }.filter { table.word32($0 + 4) == type }
        }
        let symbolTable: UInt32 = 2
        let dynamicSymbols: UInt32 = 11
        for type in [symbolTable, dynamicSymbols] {
            for at in sections(type) {
                let link = Int(table.word32(at + 40))
                guard link < count, functions.isEmpty else { continue }
                let strings = link * entrySize
                readSymbols(
                    file, (table.word64(at + 24), table.word64(at + 32)),
                    (table.word64(strings + 24), table.word64(strings + 32)))
            }
        }
    }

    private mutating func readSymbols(
        _ file: Reader, _ symbols: (offset: UInt64, size: UInt64), _ strings: (offset: UInt64, size: UInt64)
    ) {
        let entrySize = 24
        let names = file.piece(strings.offset, Int(clamping: strings.size))
        let limit = Self.symbolLimit * entrySize
        let table = file.piece(symbols.offset, min(Int(clamping: symbols.size), limit))
        for at in stride(from: 0, to: table.count - entrySize + 1, by: entrySize) {
            let type = table[at + 4] & 15
            let isFunction = type == 2 || type == 10  // STT_FUNC, STT_GNU_IFUNC
            let nameAt = Int(table.word32(at))
            guard isFunction, table.word16(at + 6) != 0, nameAt < names.count else { continue }
            let bytes = names[nameAt...].prefix(Self.nameLimit).prefix { $0 != 0 }
            if bytes.isEmpty { continue }
            functions.append(
                ELFFunction(
                    start: table.word64(at + 8), size: table.word64(at + 16),
                    name: String(decoding: bytes, as: UTF8.self)))
        }
    }

    /// The file, with what lies outside of it as empty pieces.
    private struct Reader {
        let size: UInt64
        let read: (Int, Int) -> [UInt8]

        func piece(_ offset: UInt64, _ count: Int) -> [UInt8] {
            guard count > 0, offset <= size, UInt64(count) <= size - offset else { return [] }
            return read(Int(offset), count)
        }
    }
}

extension [UInt8] {
    fileprivate func word16(_ at: Int) -> UInt16 { UInt16(self[at]) | UInt16(self[at + 1]) << 8 }
    fileprivate func word32(_ at: Int) -> UInt32 { UInt32(word16(at)) | UInt32(word16(at + 2)) << 16 }
    fileprivate func word64(_ at: Int) -> UInt64 { UInt64(word32(at)) | UInt64(word32(at + 4)) << 32 }
}
