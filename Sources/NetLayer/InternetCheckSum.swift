// The sum that IP, TCP and UDP check their packets by. (RFC 1071)

public enum InternetCheckSum {
    /// The sum of bytes as 16-bit words, most significant byte first, folded to 16 bits and not inverted.
    public static func sum(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        var sum: UInt64 = 0
        // The sum does not depend on the order of bytes but for the order of its own: words are added as the host reads them.
        bytes.withUnsafeBytes { bytes in
            var index = 0
            while index + 4 <= bytes.count {
                sum &+= UInt64(bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self))
                index += 4
            }
            var shift: UInt64 = 0
            while index < bytes.count {
                sum &+= UInt64(bytes[index]) << shift
                (index, shift) = (index + 1, shift + 8)
            }
        }
        return fold(sum).bigEndian
    }

    /// Adds what does not fit into 16 bits to the rest.
    static func fold(_ sum: UInt64) -> UInt16 {
        var sum = sum
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        return UInt16(sum)
    }

    /// Finishes a sum that a driver has begun: it has put that of the pseudo header at `start + offset`, and the rest is from `start` on.
    /// False: they do not lie in the frame.
    public static func complete(_ frame: inout [UInt8], from start: Int, at offset: Int) -> Bool {
        let place = start + offset
        guard start <= frame.count, place + 2 <= frame.count else { return false }
        let sum = ~sum(frame[start...])
        // Of UDP a sum of 0 says that there is none; all ones are the same number.
        let value = sum == 0 ? 0xffff : sum
        frame[place] = UInt8(value >> 8)
        frame[place + 1] = UInt8(value & 255)
        return true
    }
}
