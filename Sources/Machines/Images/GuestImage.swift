// What a file puts into a machine's memory, whatever its format.

/// Bytes for guest memory. What follows them up to `size` is zeros.
public struct ImagePiece: Sendable {
    public var address: UInt64
    public var bytes: ArraySlice<UInt8>
    /// At least as much as there are bytes; `address + size` does not wrap.
    public var size: UInt64
    public var end: UInt64 { address + size }
}

struct GuestImage {
    enum Format { case raw, linux, elf }
    let format: Format
    /// In ascending order of address, none over another; not empty. Those of a raw file begin at 0, and move as a whole.
    var pieces: [ImagePiece]
    var entry: UInt64
    /// Addresses of symbols, where the format has them.
    var symbols: [String: UInt64] = [:]

    var start: UInt64 { pieces[0].address }
    var end: UInt64 { pieces[pieces.count - 1].end }

    /// Everything `distance` farther up, modulo 2^64; the image fits there.
    func moved(by distance: UInt64) -> GuestImage {
        var image = self
        for index in pieces.indices { image.pieces[index].address &+= distance }
        image.entry &+= distance
        image.symbols = symbols.mapValues { $0 &+ distance }
        return image
    }

    /// The image with its first byte at `address`. The caller sees to it that it fits there.
    func moved(to address: UInt64) -> GuestImage { moved(by: address &- start) }

    /// A whole file as it is.
    init(raw file: ImageFile) {
        format = .raw
        pieces = [ImagePiece(address: 0, bytes: file.bytes[...], size: UInt64(file.bytes.count))]
        entry = 0
    }

    init(format: Format, pieces: [ImagePiece], entry: UInt64, symbols: [String: UInt64] = [:]) {
        self.format = format
        self.pieces = pieces
        self.entry = entry
        self.symbols = symbols
    }

    /// Tells the format from the file's first bytes. `limit`: bytes that it may have once decompressed.
    init(_ file: ImageFile, width: HartWidth, limit: UInt64) throws(MachineError) {
        let file = file.isCompressed ? try file.decompressed(limit: limit) : file
        if file.isELF {
            try self.init(elf: file, width: width)
        } else if file.isLinuxImage {
            try self.init(linux: file)
        } else {
            self.init(raw: file)
        }
    }
}
