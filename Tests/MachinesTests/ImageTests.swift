// Files that a machine is started with: what each format means, and one clear line for each way in which a file can be wrong.

import CZ
import TestSupport
import Testing

@testable import Machines

private func file(_ bytes: [UInt8]) -> ImageFile { ImageFile("it", role: "kernel", bytes: bytes) }

private func parsed(_ bytes: [UInt8], _ width: HartWidth = .bits64, limit: UInt64 = 64 << 20) throws -> GuestImage {
    try GuestImage(file(bytes), width: width, limit: limit)
}

/// The error's line; nil when there is none.
private func refusal(_ bytes: [UInt8], _ width: HartWidth = .bits64, limit: UInt64 = 64 << 20) -> String? {
    do throws(MachineError) {
        _ = try GuestImage(file(bytes), width: width, limit: limit)
        return nil
    } catch { return error.description }
}

extension [UInt8] {
    mutating func put<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        for index in 0..<T.bitWidth / 8 { self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * T(index))) }
    }
}

/// An Image with a PE section that ends at `end`.
private func linuxImage(size: Int, imageSize: UInt64, end: UInt32, flags: UInt64 = 0) -> [UInt8] {
    var bytes = [UInt8](repeating: 0x13, count: size)
    bytes.put(UInt64(0x20_0000), at: 8)
    bytes.put(imageSize, at: 16)
    bytes.put(flags, at: 24)
    bytes.put(UInt32(0x0543_5352), at: 56)
    bytes.put(UInt32(0x40), at: 60)
    bytes.put(UInt32(0x4550), at: 0x40)
    bytes.put(UInt16(1), at: 0x46)
    bytes.put(UInt16(0), at: 0x54)
    bytes.put(end - 0x80, at: 0x58 + 16)
    bytes.put(UInt32(0x80), at: 0x58 + 20)
    return bytes
}

/// A program with two segments: 16 bytes of file in 32 of memory at `address`, and 8 bytes 0x1000 behind it; with the symbol `tohost`.
func elf(_ width: HartWidth = .bits64, address: UInt64 = 0x8000_0000, virtual: UInt64? = nil) -> [UInt8] {
    let wide = width == .bits64
    let header = wide ? 64 : 52, row = wide ? 56 : 32, section = wide ? 64 : 40, symbol = wide ? 24 : 16
    let data = header + 2 * row, symbols = data + 24, strings = symbols + 2 * symbol, sections = strings + 8
    var bytes = [UInt8](repeating: 0, count: sections + 3 * section)
    func word(_ value: UInt64, at offset: Int) {
        if wide { bytes.put(value, at: offset) } else { bytes.put(UInt32(truncatingIfNeeded: value), at: offset) }
    }
    let word32 = { (value: Int, at: Int) in bytes.put(UInt32(value), at: at) }
    bytes.replaceSubrange(0..<7, with: [0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1])
    bytes.put(UInt16(2), at: 16)
    bytes.put(UInt16(243), at: 18)
    let virtual = virtual ?? address
    word(virtual &+ 4, at: 24)
    word(UInt64(header), at: wide ? 32 : 28)
    word(UInt64(sections), at: wide ? 40 : 32)
    bytes.put(UInt16(row), at: wide ? 54 : 42)
    bytes.put(UInt16(2), at: wide ? 56 : 44)
    bytes.put(UInt16(section), at: wide ? 58 : 46)
    bytes.put(UInt16(3), at: wide ? 60 : 48)
    for (index, size, memory) in [(0, 16, 32), (1, 8, 8)] {
        let at = header + index * row
        word32(1, at)
        word(UInt64(data + 16 * index), at: at + (wide ? 8 : 4))
        word(virtual &+ UInt64(0x1000 * index), at: at + (wide ? 16 : 8))
        word(address &+ UInt64(0x1000 * index), at: at + (wide ? 24 : 12))
        word(UInt64(size), at: at + (wide ? 32 : 16))
        word(UInt64(memory), at: at + (wide ? 40 : 20))
    }
    for index in 0..<24 { bytes[data + index] = UInt8(index + 1) }
    word32(1, symbols + symbol)
    word(virtual &+ 0x1000, at: symbols + symbol + (wide ? 8 : 4))
    bytes.replaceSubrange(strings..<strings + 8, with: Array("\0tohost\0".utf8))
    for (index, type, offset, size) in [(1, 2, symbols, 2 * symbol), (2, 3, strings, 8)] {
        let at = sections + index * section
        word32(type, at + 4)
        word(UInt64(offset), at: at + (wide ? 24 : 16))
        word(UInt64(size), at: at + (wide ? 32 : 20))
        word32(2, at + (wide ? 40 : 24))
    }
    return bytes
}

private func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    deflateInit2_(
        &stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    defer { deflateEnd(&stream) }
    var input = bytes
    var output = [UInt8](repeating: 0, count: bytes.count + 1024)
    input.withUnsafeMutableBufferPointer { input in
        output.withUnsafeMutableBufferPointer { output in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(output.count)
            deflate(&stream, Z_FINISH)
        }
    }
    return Array(output[..<Int(stream.total_out)])
}

@Suite struct ImageTests {
    @Test func anythingElseIsRaw() throws {
        let image = try parsed([1, 2, 3])
        #expect(image.format == .raw && image.start == 0 && image.end == 3)
        #expect(image.moved(to: 0x8000_0000).pieces[0].address == 0x8000_0000)
    }

    @Test func aKernelsHeaderSaysHowMuchMemoryItNeeds() throws {
        let image = try parsed(linuxImage(size: 0x400, imageSize: 0x5000, end: 0x400))
        #expect(image.format == .linux && image.pieces[0].bytes.count == 0x400 && image.end == 0x5000)
        // A size of 0 was allowed once.
        #expect(try parsed(linuxImage(size: 0x400, imageSize: 0, end: 0x400)).end == 0x400)
    }

    @Test func kernelsThatAreCutOffOrOfTheWrongOrderAreRefused() {
        #expect(refusal(linuxImage(size: 0x400, imageSize: 0x5000, end: 0x401))?.contains("cut off") == true)
        #expect(
            refusal(linuxImage(size: 0x400, imageSize: 0x400, end: 0x400, flags: 1))?.contains("big-endian") == true)
        #expect(refusal(linuxImage(size: 0x400, imageSize: 1 << 63, end: 0x400))?.contains("memory") == true)
        for count in 0x58..<0x400 {
            #expect(refusal(Array(linuxImage(size: 0x400, imageSize: 0x5000, end: 0x400)[..<count])) != nil)
        }
    }

    @Test(arguments: [HartWidth.bits32, .bits64]) func anELFFilesSegmentsGoToTheirPhysicalAddresses(width: HartWidth)
        throws
    {
        let virtual: UInt64 = width == .bits64 ? 0xffff_ffff_8000_0000 : 0xc000_0000
        let image = try parsed(elf(width, virtual: virtual), width)
        #expect(image.format == .elf && image.entry == 0x8000_0004)
        #expect(image.pieces.map(\.address) == [0x8000_0000, 0x8000_1000])
        #expect(image.pieces.map(\.size) == [32, 8])
        #expect(Array(image.pieces[0].bytes) == Array(1...16) && Array(image.pieces[1].bytes) == Array(17...24))
        #expect(image.symbols == ["tohost": 0x8000_1000])
        let moved = image.moved(to: 0x100)
        #expect(moved.entry == 0x104 && moved.symbols == ["tohost": 0x1100] && moved.end == 0x1108)
    }

    @Test func anELFFileForOtherHartsIsRefused() {
        #expect(refusal(elf(.bits32))?.contains("64-bit") == true)
        #expect(refusal(elf(), .bits32)?.contains("32-bit") == true)
        var bytes = elf()
        bytes.put(UInt16(62), at: 18)
        #expect(refusal(bytes)?.contains("RISC-V is 243") == true)
        bytes = elf()
        bytes[5] = 2
        #expect(refusal(bytes)?.contains("little-endian") == true)
        bytes = elf()
        bytes.put(UInt16(1), at: 16)
        #expect(refusal(bytes)?.contains("type 1") == true)
    }

    @Test func impossibleSegmentsAreRefused() {
        func changed(_ field: Int, _ value: UInt64) -> String? {
            var bytes = elf()
            bytes.put(value, at: 64 + field)
            return refusal(bytes)
        }
        #expect(changed(8, .max)?.contains("past the end") == true)
        #expect(changed(32, 1 << 40)?.contains("past the end") == true)
        #expect(changed(24, .max)?.contains("impossible") == true)
        #expect(changed(40, 8)?.contains("impossible") == true)
        #expect(changed(24, 0x8000_0ff0)?.contains("over each other") == true)
        var bytes = elf()
        bytes.put(UInt16(0), at: 56)
        #expect(refusal(bytes)?.contains("no segment") == true)
    }

    @Test func aCutELFFileIsRefusedOrWhole() throws {
        let bytes = elf()
        let whole = try parsed(bytes)
        for count in 4..<bytes.count {
            guard let cut = try? parsed(Array(bytes[..<count])) else { continue }
            #expect(count >= 64 + 2 * 56 + 24)
            #expect(cut.pieces.map { Array($0.bytes) } == whole.pieces.map { Array($0.bytes) })
        }
    }

    @Test(.seeded(5)) func randomChangesOfAnELFFileAreRefusedOrSound() {
        var random = SeededRandom(seed: Seed.current)
        for _ in 0..<Rounds.count(5000) {
            var bytes = elf(random.below(2) == 0 ? .bits32 : .bits64)
            let width: HartWidth = bytes[4] == 1 ? .bits32 : .bits64
            for _ in 0...random.below(4) { bytes[16 + random.below(bytes.count - 16)] = UInt8(random.below(256)) }
            guard let image = try? GuestImage(file(bytes), width: width, limit: 1 << 20) else { continue }
            for piece in image.pieces { #expect(piece.bytes.count <= piece.size) }
            for (low, high) in zip(image.pieces, image.pieces.dropFirst()) { #expect(low.end <= high.address) }
        }
    }

    @Test func compressedKernelsAreKernels() throws {
        let kernel = linuxImage(size: 0x9_0000, imageSize: 0x10_0000, end: 0x9_0000)
        let compressed = gzip(kernel)
        #expect(compressed.count < kernel.count)
        let image = try parsed(compressed)
        #expect(image.format == .linux && Array(image.pieces[0].bytes) == kernel)
        #expect(refusal(compressed, limit: 0x8_0000)?.contains("larger than the 512 KiB") == true)
        for count in [2, 3, 10, 18, 100, compressed.count - 1] {
            #expect(refusal(Array(compressed[..<count]))?.contains("cut off") == true)
        }
        var damaged = compressed
        damaged[damaged.count - 5] ^= 1
        #expect(refusal(damaged)?.contains("damaged") == true)
    }

    @Test func filesThatCannotBeReadAreOneLineEach() throws {
        let folder = try TemporaryFolder("images")
        func line(_ path: String, limit: UInt64 = 1 << 20) -> String? {
            do throws(MachineError) {
                _ = try ImageFile(path, role: "kernel", limit: limit)
                return nil
            } catch { return error.description }
        }
        #expect(line(folder.path + "/none") == "kernel \(folder.path)/none: No such file or directory")
        #expect(line(folder.path) == "kernel \(folder.path): Is a directory")
        #expect(line("/dev/null")?.contains("no regular file") == true)
        try writeFile(folder.path + "/empty", [])
        #expect(line(folder.path + "/empty")?.hasSuffix("the file is empty") == true)
        try writeFile(folder.path + "/large", [UInt8](repeating: 0, count: 4097))
        #expect(line(folder.path + "/large", limit: 4096)?.contains("more than the 4 KiB") == true)
    }
}
