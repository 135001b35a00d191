// Mappings of files of which only what was used last stays mapped: what is mapped counts as memory of the process, also what the page
// cache holds anyway, and what is mapped elsewhere too.

import CLinux

/// Keeps some pieces of a mapping and lets go of the others. Their bytes stay in the file: the next access maps the piece again.
struct MappedPieces {
    private let start: UnsafeRawPointer
    private let length: Int
    private let pieceSize: Int
    private let limit: Int
    /// Those that may be mapped, the one used last first.
    private var pieces: [Int] = []

    /// A mapping of `size` bytes, of which `limit` pieces stay.
    init(_ start: UnsafeRawPointer, size: Int, pieceSize: Int, limit: Int) {
        self.start = start
        length = size
        self.pieceSize = pieceSize
        self.limit = limit
    }

    /// Call before the bytes at an offset are used.
    @inline(__always) mutating func use(at offset: Int) {
        let piece = offset / pieceSize
        if pieces.first != piece { select(piece) }
    }

    @inline(never) private mutating func select(_ piece: Int) {
        if let known = pieces.firstIndex(of: piece) {
            pieces.remove(at: known)
        } else if pieces.count == limit {
            let offset = pieces.removeLast() * pieceSize
            HostMemory.letGo(start + offset, min(pieceSize, length - offset))
        }
        pieces.insert(piece, at: 0)
    }
}
