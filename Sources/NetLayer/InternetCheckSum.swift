// The sum that IP, TCP and UDP check their packets by. (RFC 1071)

public enum InternetCheckSum {
    /// The sum of bytes as 16-bit words, most significant byte first, folded to 16 bits and not inverted.
    public static func sum(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        var sum: UInt64 = 0
        bytes.withUnsafeBytes { bytes in
            var index = 0
            while index + 1 < bytes.count {
                sum &+= UInt64(bytes[index]) << 8 | UInt64(bytes[index + 1])
                index += 2
            }
            if index < bytes.count { sum &+= UInt64(bytes[index]) << 8 }
        }
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        return UInt16(sum)
    }

    /// Finishes a sum that a driver has begun: it has put that of the pseudo header at `start + offset`, and the rest is from `start` on. False: they do not lie
    /// in the frame.
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
