// Small ELF files, good and broken, made byte by byte for the tests of what the loader refuses.

import Testing

/// What a guest's executables are, and the smallest program: it exits with status 7. A new guest adds its row.
struct ElfGuest: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var machine: UInt16
    var isNarrow = false, isBig = false
    var flags: UInt32 = 0
    var code: [UInt32]

    static let riscv64 = ElfGuest(
        testDescription: "riscv64", machine: 243, flags: 5, code: ElfImage.exit(7))  // RVC, double-float ABI
    static let all = [
        riscv64,
        ElfGuest(testDescription: "riscv32", machine: 243, isNarrow: true, flags: 5, code: ElfImage.exit(7)),
        // ldi.l $r0, 7; swi 1
        ElfGuest(
            testDescription: "moxie", machine: 223, isNarrow: true, isBig: true,
            code: [0x0120_0000, 0x0007_3000, 0x0000_0001]),
    ]
}

/// An ELF executable as its fields, of 64 bits unless `makeNarrow` is called; every test changes what it wants broken, then asks for the bytes.
struct ElfImage {
    var magic: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]
    var elfClass: UInt8 = 2  // ELFCLASS64
    /// The first byte of what says the order; the numbers themselves are in the guest's.
    var byteOrder: UInt8
    var type: UInt16 = 2  // ET_EXEC
    var machine: UInt16
    var flags: UInt32
    var entry: UInt64 = 0x10000 + 0x1000
    var headersAt: UInt64 = 64
    var headerSize: UInt16 = 56
    var headerCount: UInt16?
    var segments: [Segment] = [Segment()]
    /// Addresses and offsets have 32 bits.
    private(set) var isNarrow = false
    private let isBig: Bool
    var interpreter: String?
    /// Code at file offset 0x1000.
    var code: [UInt32]
    var length = 0x2000

    struct Segment {
        var type: UInt32 = 1  // PT_LOAD
        var flags: UInt32 = 5  // read and execute
        var offset: UInt64 = 0
        var address: UInt64 = 0x10000
        var fileSize: UInt64 = 0x2000
        var memorySize: UInt64 = 0x2000
        var alignment: UInt64 = 0x1000
    }

    init(_ guest: ElfGuest = .riscv64) {
        machine = guest.machine
        flags = guest.flags
        code = guest.code
        isBig = guest.isBig
        byteOrder = isBig ? 2 : 1
        if guest.isNarrow { makeNarrow() }
    }

    mutating func makeNarrow() {
        isNarrow = true
        elfClass = 1  // ELFCLASS32
        headersAt = 52
        headerSize = 32
    }

    /// `li a7, 93; li a0, code; ecall`: the smallest program.
    static func exit(_ code: UInt32) -> [UInt32] { [0x05d0_0893, 0x0000_0513 | code << 20, 0x0000_0073] }

    var bytes: [UInt8] {
        var file = [UInt8](repeating: 0, count: max(length, 0x2000))
        func put<T: FixedWidthInteger>(_ value: T, at offset: Int) {
            let size = T.bitWidth / 8
            for index in 0..<size where offset + index < file.count {
                let byte = isBig ? size - 1 - index : index
                file[offset + index] = UInt8(truncatingIfNeeded: value >> T(truncatingIfNeeded: byte * 8))
            }
        }
        for (index, byte) in (magic + [elfClass, byteOrder, 1, 0]).enumerated() { file[index] = byte }
        put(type, at: 16)
        put(machine, at: 18)
        /// Puts words of the class one after another, and returns where they end.
        func putWords(_ values: [UInt64], at offset: Int) -> Int {
            for (index, value) in values.enumerated() {
                isNarrow
                    ? put(UInt32(truncatingIfNeeded: value), at: offset + 4 * index)
                    : put(value, at: offset + 8 * index)
            }
            return offset + values.count * (isNarrow ? 4 : 8)
        }
        put(UInt32(1), at: 20)
        let rest = putWords([entry, headersAt, 0], at: 24)
        put(flags, at: rest)
        put(UInt16(isNarrow ? 52 : 64), at: rest + 4)
        put(headerSize, at: rest + 6)
        var all = segments
        if let interpreter {
            let text = Array(interpreter.utf8) + [0]
            for (index, byte) in text.enumerated() { file[0x800 + index] = byte }
            all.insert(
                Segment(
                    type: 3, flags: 4, offset: 0x800, address: 0x10800, fileSize: UInt64(text.count),
                    memorySize: UInt64(text.count), alignment: 1), at: 0)
        }
        put(headerCount ?? UInt16(all.count), at: rest + 8)
        for (index, segment) in all.enumerated() where headersAt < 0x700 {
            let at = Int(headersAt) + index * (isNarrow ? 32 : 56)
            put(segment.type, at: at)
            put(segment.flags, at: isNarrow ? at + 24 : at + 4)
            let sizes = [segment.offset, segment.address, segment.address, segment.fileSize, segment.memorySize]
            let end = putWords(sizes, at: isNarrow ? at + 4 : at + 8)
            _ = putWords([segment.alignment], at: isNarrow ? end + 4 : end)
        }
        for (index, word) in code.enumerated() { put(word, at: 0x1000 + index * 4) }
        return Array(file.prefix(length))
    }
}
