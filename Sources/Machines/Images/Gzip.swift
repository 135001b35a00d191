// Compressed kernels (Image.gz). Source: RFC 1952; zlib.h.

import CZ

extension ImageFile {
    var isCompressed: Bool { bytes.starts(with: [0x1f, 0x8b]) }

    /// What a gzip file holds, at most `limit` bytes of it.
    func decompressed(limit: UInt64) throws(MachineError) -> ImageFile {
        // The last four bytes say how much there is, modulo 2^32: a hint that is not believed.
        let hint = bytes.count >= 18 ? UInt64(number(bytes.count - 4, as: UInt32.self)) : 0
        var output = [UInt8]()
        output.reserveCapacity(Int(min(hint, limit, 256 << 20)))
        var stream = z_stream()
        // 16: a gzip header and trailer, whose checksum zlib compares.
        guard
            inflateInit2_(&stream, MAX_WBITS + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { throw refuse("zlib has no memory") }
        defer { inflateEnd(&stream) }
        var status = Z_OK
        var isTooLarge = false
        bytes.withUnsafeBytes { input in
            stream.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
            withUnsafeTemporaryAllocation(byteCount: 256 << 10, alignment: 16) { part in
                let start = part.bindMemory(to: UInt8.self)
                // avail_in is of 32 bits.
                var left = input.count
                repeat {
                    if stream.avail_in == 0 {
                        let next = min(left, 1 << 30)
                        stream.avail_in = UInt32(next)
                        left -= next
                    }
                    stream.next_out = start.baseAddress
                    stream.avail_out = UInt32(part.count)
                    status = inflate(&stream, Z_NO_FLUSH)
                    let made = part.count - Int(stream.avail_out)
                    if UInt64(output.count + made) > limit {
                        isTooLarge = true
                        return
                    }
                    output.append(contentsOf: start[..<made])
                    if made == 0 && stream.avail_in == 0 && left == 0 { return }
                } while status == Z_OK
            }
        }
        if isTooLarge {
            throw refuse("decompressed it is larger than the \(readableSize(limit)) that there are for it")
        }
        switch status {
        case Z_STREAM_END: return ImageFile(path, role: role, bytes: output)
        case Z_OK, Z_BUF_ERROR: throw refuse("the compressed data is cut off")
        default: throw refuse("the compressed data is damaged")
        }
    }
}
