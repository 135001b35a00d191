// Integers in bytes, least significant byte first.

struct ByteReader {
    let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The integer at an offset; all of it has to be there.
    func value<T: FixedWidthInteger>(_ offset: Int, as type: T.Type) -> T {
        (0..<T.bitWidth / 8).reduce(0) { $0 | T(truncatingIfNeeded: bytes[offset + $1]) &<< T(8 * $1) }
    }
}

struct ByteWriter {
    private(set) var bytes: [UInt8] = []
    mutating func add<T: FixedWidthInteger>(_ value: T) {
        for index in 0..<T.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: value &>> T(8 * index))) }
    }
}
