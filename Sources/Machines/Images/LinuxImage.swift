// The kernel as `Image`: a raw program with a header in its first 64 bytes.
//
// Sources: Linux, Documentation/arch/riscv/boot-image-header.rst; for the sections, the PE/COFF specification, which the header is
// laid over.

extension ImageFile {
    private static let magic: UInt32 = 0x0543_5352  // "RSC\x05" at 56
    private static let peMagic: UInt32 = 0x4550  // "PE\0\0"

    var isLinuxImage: Bool { bytes.count >= 64 && number(56, as: UInt32.self) == Self.magic }

    /// Where the file ends by its own account; 0 where it has no table of sections.
    fileprivate var sectionsEnd: UInt64 {
        let header = UInt64(number(60, as: UInt32.self))
        guard header > 0, contains(header, 24), number(Int(header), as: UInt32.self) == Self.peMagic else { return 0 }
        let count = UInt64(number(Int(header) + 6, as: UInt16.self))
        let table = header + 24 + UInt64(number(Int(header) + 20, as: UInt16.self))
        guard contains(table, count * 40) else { return .max }
        return (0..<Int(count)).reduce(0) { end, index in
            let section = Int(table) + index * 40
            let size = number(section + 16, as: UInt32.self), offset = number(section + 20, as: UInt32.self)
            return max(end, UInt64(size) + UInt64(offset))
        }
    }
}

extension GuestImage {
    /// `image_size` counts what the kernel needs behind the file's end.
    init(linux file: ImageFile) throws(MachineError) {
        let imageSize = file.number(16, as: UInt64.self), flags = file.number(24, as: UInt64.self)
        if flags & 1 != 0 { throw file.refuse("is a big-endian kernel; the machine is little-endian") }
        if file.sectionsEnd > UInt64(file.bytes.count) {
            throw file.refuse("is cut off: its header names more than its \(file.bytes.count) bytes")
        }
        let size = max(imageSize, UInt64(file.bytes.count))
        if size >= 1 << 56 { throw file.refuse("its header asks for \(hexadecimal(imageSize)) bytes of memory") }
        self.init(format: .linux, pieces: [ImagePiece(address: 0, bytes: file.bytes[...], size: size)], entry: 0)
    }
}
