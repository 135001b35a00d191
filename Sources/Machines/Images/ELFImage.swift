// ELF files for a machine without an operating system: firmware, kernels, tests. Segments go to their physical addresses.
//
// Source: System V gABI, chapters 4 and 5; the RISC-V ELF psABI.

extension ImageFile {
    var isELF: Bool { bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]) }
}

extension GuestImage {
    /// Symbols that a machine looks for: what a program and its host tell each other (HTIF).
    static let wantedSymbols: Set = ["tohost", "fromhost"]

    init(elf file: ImageFile, width: HartWidth) throws(MachineError) {
        let layout = ELFLayout(width)
        guard file.bytes.count >= 6, file.bytes[4] == layout.fileClass, file.bytes[5] == 1 else {
            throw file.refuse("is not a \(width.rawValue)-bit little-endian ELF file, which the machine's harts are")
        }
        guard file.contains(0, UInt64(layout.headerSize)) else { throw file.refuse("is cut off within its ELF header") }
        guard file.number(18, as: UInt16.self) == 243 else {
            throw file.refuse("is an ELF file for machine \(file.number(18, as: UInt16.self)); RISC-V is 243")
        }
        let type = file.number(16, as: UInt16.self)
        guard type == 2 || type == 3 else {
            throw file.refuse("is an ELF file of type \(type), not a program (2 or 3)")
        }
        let segments = try Self.segments(file, layout)
        if segments.isEmpty { throw file.refuse("has no segment to load") }
        let pieces = segments.map(\.piece).sorted { $0.address < $1.address }
        for (low, high) in zip(pieces, pieces.dropFirst()) where low.end > high.address {
            throw file.refuse("has segments over each other, at \(hexadecimal(high.address))")
        }
        // Entry and symbols are virtual addresses.
        func physical(_ address: UInt64) -> UInt64 {
            let segment = segments.first { address &- $0.virtual < $0.piece.size }
            return segment.map { $0.piece.address &+ (address &- $0.virtual) } ?? address
        }
        let symbols = Self.symbols(file, layout).mapValues { physical($0) }
        self.init(format: .elf, pieces: pieces, entry: physical(layout.word(file, at: 24)), symbols: symbols)
    }

    private static func segments(_ file: ImageFile, _ layout: ELFLayout) throws(MachineError) -> [(
        virtual: UInt64, piece: ImagePiece
    )] {
        let table = layout.word(file, at: layout.programTable)
        let count = file.number(layout.programCount, as: UInt16.self)
        guard file.number(layout.programCount - 2, as: UInt16.self) == layout.programSize || count == 0,
            file.contains(table, UInt64(count) * UInt64(layout.programSize))
        else { throw file.refuse("is cut off within its program headers") }
        var segments: [(virtual: UInt64, piece: ImagePiece)] = []
        for index in 0..<Int(count) {
            let row = Int(table) + index * Int(layout.programSize)
            let memorySize = layout.word(file, at: row + layout.memorySize)
            guard file.number(row, as: UInt32.self) == 1, memorySize > 0 else { continue }  // PT_LOAD
            let offset = layout.word(file, at: row + layout.offset)
            let fileSize = layout.word(file, at: row + layout.fileSize)
            let address = layout.word(file, at: row + layout.physical)
            guard file.contains(offset, fileSize) else {
                throw file.refuse("is cut off: segment \(index) reaches past the end of the file")
            }
            guard fileSize <= memorySize, !address.addingReportingOverflow(memorySize).overflow else {
                throw file.refuse("segment \(index) has impossible sizes")
            }
            let bytes = file.bytes[Int(offset)..<Int(offset + fileSize)]
            segments.append(
                (
                    layout.word(file, at: row + layout.virtual),
                    ImagePiece(address: address, bytes: bytes, size: memorySize)
                ))
        }
        return segments
    }

    /// The wanted symbols of the file's symbol table. A table that is not sound has none.
    private static func symbols(_ file: ImageFile, _ layout: ELFLayout) -> [String: UInt64] {
        let table = layout.word(file, at: layout.sectionTable)
        let count = Int(file.number(layout.sectionCount, as: UInt16.self))
        let size = layout.sectionSize
        guard file.contains(table, UInt64(count * size)), table > 0 else { return [:] }
        var found: [String: UInt64] = [:]
        for index in 0..<count {
            let section = Int(table) + index * size
            let link = Int(file.number(section + layout.sectionLink, as: UInt32.self))
            guard file.number(section + 4, as: UInt32.self) == 2, link < count else { continue }  // SHT_SYMTAB
            let start = layout.word(file, at: section + layout.sectionOffset)
            let length = layout.word(file, at: section + layout.sectionLength)
            let strings = Int(table) + link * size
            let names = layout.word(file, at: strings + layout.sectionOffset)
            let namesLength = layout.word(file, at: strings + layout.sectionLength)
            guard file.contains(start, length), file.contains(names, namesLength) else { continue }
            let text = file.bytes[Int(names)..<Int(names + namesLength)]
            for at in stride(from: Int(start), to: Int(start + length) - layout.symbolSize + 1, by: layout.symbolSize) {
                let name = UInt64(file.number(at, as: UInt32.self))
                guard name > 0, name < namesLength else { continue }
                let longest = 16
                let bytes = text[(text.startIndex + Int(name))...].prefix(longest).prefix { $0 != 0 }
                let symbol = String(decoding: bytes, as: UTF8.self)
                if wantedSymbols.contains(symbol) { found[symbol] = layout.word(file, at: at + layout.symbolValue) }
            }
        }
        return found
    }
}

/// Where the fields are, in files of each class.
private struct ELFLayout {
    let isWide: Bool
    let fileClass: UInt8, headerSize: Int
    let programTable: Int, sectionTable: Int, programCount: Int, sectionCount: Int
    let programSize: UInt16, offset: Int, virtual: Int, physical: Int, fileSize: Int, memorySize: Int
    let sectionSize: Int, sectionOffset: Int, sectionLength: Int, sectionLink: Int
    let symbolSize: Int, symbolValue: Int

    init(_ width: HartWidth) {
        let wide = width == .bits64
        isWide = wide
        (fileClass, headerSize) = wide ? (2, 64) : (1, 52)
        (programTable, sectionTable, programCount, sectionCount) = wide ? (32, 40, 56, 60) : (28, 32, 44, 48)
        (programSize, offset, virtual, physical, fileSize, memorySize) =
            wide ? (56, 8, 16, 24, 32, 40) : (32, 4, 8, 12, 16, 20)
        (sectionSize, sectionOffset, sectionLength, sectionLink) = wide ? (64, 24, 32, 40) : (40, 16, 20, 24)
        (symbolSize, symbolValue) = wide ? (24, 8) : (16, 4)
    }

    /// An address, offset or size.
    func word(_ file: ImageFile, at: Int) -> UInt64 {
        isWide ? file.number(at, as: UInt64.self) : UInt64(file.number(at, as: UInt32.self))
    }
}
