// Compressed clusters.

import CZ
import CZstd
import HostOS

enum Compression: UInt8 {
    /// Deflate without a header. (RFC 1951)
    case zlib = 0
    case zstd = 1

    /// The window of QEMU's clusters has 2^12 bytes.
    private static let windowBits: Int32 = -12

    /// Fills `output`; false when the input does not give that much.
    func decompress(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Bool {
        switch self {
        case .zlib: Self.inflate(input, output)
        case .zstd: Self.decompressZstd(input, output)
        }
    }

    /// Nil: it does not get smaller than `limit` bytes.
    func compress(_ input: UnsafeRawBufferPointer, limit: Int) -> [UInt8]? {
        switch self {
        case .zlib: Self.deflate(input, limit)
        case .zstd: Self.compressZstd(input, limit)
        }
    }

    private static func inflate(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> Bool {
        var stream = z_stream()
        guard inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return false
        }
        defer { inflateEnd(&stream) }
        stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(input.count)
        stream.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(output.count)
        let status = CZ.inflate(&stream, Z_FINISH)
        return stream.avail_out == 0 && (status == Z_STREAM_END || status == Z_BUF_ERROR || status == Z_OK)
    }

    private static func deflate(_ input: UnsafeRawBufferPointer, _ limit: Int) -> [UInt8]? {
        var stream = z_stream()
        guard
            deflateInit2_(
                &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, windowBits, 9, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        var isWhole = false
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { output, count in
            stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.avail_in = UInt32(input.count)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(limit)
            isWhole = CZ.deflate(&stream, Z_FINISH) == Z_STREAM_END
            count = limit - Int(stream.avail_out)
        }
        return isWhole ? bytes : nil
    }

    private static func decompressZstd(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> Bool
    {
        guard let stream = ZSTD_createDStream() else { return false }
        defer { ZSTD_freeDStream(stream) }
        var from = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var to = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        while to.pos < to.size {
            let before = (from.pos, to.pos)
            let status = ZSTD_decompressStream(stream, &to, &from)
            if ZSTD_isError(status) != 0 || (from.pos, to.pos) == before { return false }
        }
        return true
    }

    private static func compressZstd(_ input: UnsafeRawBufferPointer, _ limit: Int) -> [UInt8]? {
        var isWhole = false
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { output, count in
            let size = ZSTD_compress(output.baseAddress, limit, input.baseAddress, input.count, 3)
            isWhole = ZSTD_isError(size) == 0
            count = isWhole ? size : 0
        }
        return isWhole ? bytes : nil
    }
}
