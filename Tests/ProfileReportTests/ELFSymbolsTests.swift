import TestSupport
import Testing

@testable import ProfileReport

/// An ELF file with two functions in a symbol table, and a table of function starts.
private struct TinyELF {
    var isWide = true, isBig = false
    /// SHT_SYMTAB or SHT_DYNSYM.
    var symbolType: UInt32 = 2
    /// (name, address, size, type)
    var symbols: [(String, UInt64, UInt64, UInt8)] = [
        ("first", 0x1_0100, 0x40, 2), ("second@@V1", 0x1_0200, 0, 2), ("data", 0x1_0300, 8, 1),
    ]
    var starts: [UInt64] = [0x1_0100, 0x1_0180, 0x1_0200, 0x1_0280]

    static let address: UInt64 = 0x1_0000

    var bytes: [UInt8] {
        var file = [UInt8](repeating: 0, count: 0x1000)
        func put(_ value: some FixedWidthInteger, at offset: Int) {
            let size = value.bitWidth / 8
            for i in 0..<size {
                file[offset + (isBig ? size - 1 - i : i)] = UInt8(truncatingIfNeeded: value >> (8 * i))
            }
        }
        /// A field by its offsets in both classes, which differ for `word` in size too.
        func put(_ value: some FixedWidthInteger, _ base: Int, _ narrow: Int, _ wide: Int) {
            put(value, at: base + (isWide ? wide : narrow))
        }
        func word(_ value: UInt64, _ base: Int, _ narrow: Int, _ wide: Int) {
            if isWide { put(value, at: base + wide) } else { put(UInt32(value), at: base + narrow) }
        }
        let segmentSize = isWide ? 56 : 32, sectionSize = isWide ? 64 : 40, symbolSize = isWide ? 24 : 16
        file.replaceSubrange(0..<6, with: [0x7f, 0x45, 0x4c, 0x46, isWide ? 2 : 1, isBig ? 2 : 1])
        word(64, 0, 28, 32)  // program headers
        word(0x800, 0, 32, 40)  // section headers
        put(UInt16(segmentSize), 0, 42, 54)
        put(UInt16(2), 0, 44, 56)
        put(UInt16(sectionSize), 0, 46, 58)
        put(UInt16(3), 0, 48, 60)
        func segment(_ index: Int, _ type: UInt32, _ offset: UInt64, _ size: UInt64) {
            let at = 64 + segmentSize * index
            put(type, at: at)
            word(offset, at, 4, 8)
            word(Self.address + offset, at, 8, 16)
            word(size, at, 16, 32)
        }
        segment(0, 1, 0, 0x1000)
        segment(1, 0x6474_e550, 0x400, UInt64(12 + 8 * starts.count))
        // .eh_frame_hdr
        for (i, byte) in [1, 0x1b, 0x03, 0x3b].enumerated() { file[0x400 + i] = UInt8(byte) }
        put(UInt32(starts.count), at: 0x408)
        for (i, start) in starts.enumerated() {
            put(Int32(truncatingIfNeeded: Int64(start) - Int64(Self.address) - 0x400), at: 0x40c + 8 * i)
        }
        // Symbols at 0x500, their names at 0x600.
        var name = 1
        for (i, symbol) in symbols.enumerated() {
            let at = 0x500 + symbolSize * i
            put(UInt32(name), at: at)
            file[at + (isWide ? 4 : 12)] = symbol.3
            put(UInt16(1), at, 14, 6)
            word(symbol.1, at, 4, 8)
            word(symbol.2, at, 8, 16)
            for byte in symbol.0.utf8 {
                file[0x600 + name] = byte
                name += 1
            }
            name += 1
        }
        func section(_ index: Int, _ type: UInt32, _ offset: UInt64, _ size: UInt64, link: UInt32) {
            let at = 0x800 + sectionSize * index
            put(type, at: at + 4)
            word(offset, at, 16, 24)
            word(size, at, 20, 32)
            put(link, at, 24, 40)
        }
        section(1, symbolType, 0x500, UInt64(symbolSize * symbols.count), link: 2)
        section(2, 3, 0x600, 0x100, link: 0)
        return file
    }
}

@Suite struct ELFSymbolsTests {
    @Test(arguments: [UInt32(2), 11], [(true, false), (false, false), (false, true), (true, true)])
    func namesAndStartsAreFound(_ type: UInt32, _ format: (isWide: Bool, isBig: Bool)) {
        let symbols = ELFSymbols(TinyELF(isWide: format.isWide, isBig: format.isBig, symbolType: type).bytes)
        #expect(symbols.functions.map(\.name) == ["first", "second@@V1"])
        #expect(symbols.address(ofOffset: 0x123) == TinyELF.address + 0x123)
        #expect(symbols.address(ofOffset: 0x1000) == nil)
        func name(_ address: UInt64) -> String? { symbols.function(at: address)?.name }
        func start(_ address: UInt64) -> UInt64? { symbols.function(at: address)?.start }
        #expect(start(0x1_00ff) == nil)
        #expect(name(0x1_0100) == "first")
        #expect(name(0x1_013f) == "first")
        // Behind its end there is a function without a name, or the gap before the next start.
        #expect(name(0x1_0140) == nil)
        #expect(name(0x1_0190) == nil)
        #expect(start(0x1_0190) == 0x1_0180)
        // A symbol without a size reaches to the next start.
        #expect(name(0x1_0210) == "second@@V1")
        #expect(name(0x1_0290) == nil)
        #expect(start(0x1_0290) == 0x1_0280)
    }

    @Test func aStrippedFileStillHasFunctions() {
        let symbols = ELFSymbols(TinyELF(symbols: []).bytes)
        #expect(symbols.functions.isEmpty)
        #expect(symbols.starts == TinyELF().starts)
    }

    @Test func noELFFileHasNothing() {
        #expect(ELFSymbols([]).starts.isEmpty)
        #expect(ELFSymbols(Array("#!/bin/sh\n".utf8)).starts.isEmpty)
        #expect(ELFSymbols(path: "/no/such/file").starts.isEmpty)
        #expect(ELFSymbols(path: "/tmp").starts.isEmpty)
    }

    @Test func everyTruncationIsRead() {
        let bytes = TinyELF().bytes
        for count in 0..<bytes.count {
            let symbols = ELFSymbols(Array(bytes.prefix(count)))
            #expect(inconsistency(symbols, fileSize: count) == nil, "\(count) bytes")
            // The sections are at the end, so that without the last of them there are no names; the starts are in the middle.
            #expect(symbols.functions.isEmpty == (count < 0x800 + 3 * 64), "\(count) bytes")
            #expect((symbols.starts.count == 4) == (count >= 0x40c + 8 * 4), "\(count) bytes")
        }
    }

    /// What holds of the symbols of any file at all, or else what does not.
    private func inconsistency(_ symbols: ELFSymbols, fileSize: Int) -> String? {
        let (functions, starts) = (symbols.functions, symbols.starts)
        func isAscending(_ list: [UInt64]) -> Bool { zip(list, list.dropFirst()).allSatisfy { $0 < $1 } }
        if !isAscending(functions.map(\.start)) { return "functions out of order" }
        if !isAscending(starts) { return "starts out of order" }
        // A symbol takes 24 bytes, a start 8.
        if functions.count > fileSize / 24 || starts.count > functions.count + fileSize / 8 { return "too many" }
        for function in functions {
            if function.name.isEmpty { return "a function without a name" }
            let found = symbols.function(at: function.start)
            if found?.start != function.start || found?.name != function.name { return "\(function.name) is not found" }
        }
        for address in [0, 0x1_0150, UInt64.max] + starts {
            guard let found = symbols.function(at: address) else {
                if let first = starts.first, first <= address { return "nothing at \(address)" }
                continue
            }
            if found.start > address { return "\(address) is in a function behind it" }
        }
        return nil
    }

    /// Random bytes, and extreme words, in the places that say where and how much: whatever is found is in order, and answers
    /// agree with the lists.
    @Test(.seeded(1)) func randomlyChangedFilesAreRead() {
        var random = SeededRandom(seed: Seed.current)
        let bytes = TinyELF().bytes
        let places = Array(0..<0xb0) + Array(0x400..<0x430) + Array(0x500..<0x548) + Array(0x840..<0x8c0)
        for round in 0..<Rounds.count(20_000) {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let at = places.randomElement(using: &random) ?? 0
                let count = [1, 2, 4, 8].randomElement(using: &random) ?? 1
                let filler: UInt8? = Bool.random(using: &random) ? 0xff : nil
                for i in at..<min(at + count, changed.count) {
                    changed[i] = filler ?? UInt8.random(in: 0...255, using: &random)
                }
            }
            let symbols = ELFSymbols(changed)
            if let wrong = inconsistency(symbols, fileSize: changed.count) {
                Issue.record("round \(round): \(wrong)")
                return
            }
        }
    }
}
