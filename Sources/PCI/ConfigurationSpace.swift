// What a PCI function says of itself, and how software sets it up: 256 bytes. A field is a row, with the bits that a write changes.
//
// Source: PCI Local Bus Specification 3.0, chapter 6.

import SystemKit

public struct ConfigurationSpace: Sendable {
    public static let size = 256

    /// Where the fields of a header of type 0 are. (6.1)
    public enum Offset {
        public static let vendor = 0x00, device = 0x02, command = 0x04, status = 0x06, revision = 0x08
        public static let interface = 0x09, classCode = 0x0a, cacheLine = 0x0c, latency = 0x0d, headerType = 0x0e
        public static let bars = 0x10, subsystemVendor = 0x2c, subsystem = 0x2e, capabilities = 0x34
        public static let interruptLine = 0x3c, interruptPin = 0x3d
    }
    public enum Command {
        public static let io: UInt16 = 1, memory: UInt16 = 2, busMaster: UInt16 = 4, reportsErrors: UInt16 = 1 << 8
        public static let noInterrupt: UInt16 = 1 << 10
        static let mask = io | memory | busMaster | reportsErrors | noInterrupt
    }
    public enum Status { public static let interrupt: UInt16 = 1 << 3, hasCapabilities: UInt16 = 1 << 4 }

    public struct Field: Sendable, Equatable {
        public let offset: Int
        public let name: String
        /// Bytes.
        public let width: Int
    }

    public private(set) var fields: [Field] = []
    private var bytes = [UInt8](repeating: 0, count: size)
    private var initial = [UInt8](repeating: 0, count: size)
    private var writable = [UInt8](repeating: 0, count: size)
    /// Where the next capability goes, and where its offset is noted.
    private var end = 0x40
    private var link = Offset.capabilities

    public init() {}

    /// Adds a field with its value at a reset.
    public mutating func add<T: FixedWidthInteger & UnsignedInteger>(
        _ offset: Int, _ name: String, _ value: T, mask: T = 0
    ) {
        let width = T.bitWidth / 8
        fields.append(Field(offset: offset, name: name, width: width))
        for index in 0..<width {
            initial[offset + index] = UInt8(truncatingIfNeeded: value >> T(8 * index))
            writable[offset + index] = UInt8(truncatingIfNeeded: mask >> T(8 * index))
            bytes[offset + index] = initial[offset + index]
        }
    }

    /// Adds a capability, and returns where it begins. (6.7) `contents`: what follows its identifier and the link to the next one.
    public mutating func addCapability(_ identifier: UInt8, _ name: String, _ contents: [UInt8]) -> Int {
        let start = end
        add(start, "\(name) ID", identifier)
        add(start + 1, "\(name) Next", UInt8(0))
        for (index, byte) in contents.enumerated() { add(start + 2 + index, "\(name) \(2 + index)", byte) }
        initial[link] = UInt8(start)
        bytes[link] = UInt8(start)
        store(Offset.status, load(Offset.status, as: UInt16.self) | Status.hasCapabilities)
        initial[Offset.status] = bytes[Offset.status]
        link = start + 1
        end = (start + 2 + contents.count + 3) & ~3
        return start
    }

    /// Other bits of a field can be written from now on.
    public mutating func setMask<T: FixedWidthInteger>(_ offset: Int, _ mask: T) {
        for index in 0..<T.bitWidth / 8 { writable[offset + index] = UInt8(truncatingIfNeeded: mask >> T(8 * index)) }
    }

    /// Bits of a field that a write changes.
    public func mask(of field: Field) -> UInt64 {
        (0..<field.width).reduce(0) { $0 | UInt64(writable[field.offset + $1]) &<< UInt64(8 * $1) }
    }

    // MARK: for the function

    public func load<T: FixedWidthInteger>(_ offset: Int, as type: T.Type) -> T {
        T(truncatingIfNeeded: read(offset, size: T.bitWidth / 8))
    }

    /// Sets bits whether software can write them or not.
    public mutating func store<T: FixedWidthInteger>(_ offset: Int, _ value: T) {
        for index in 0..<T.bitWidth / 8 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> T(8 * index)) }
    }

    // MARK: for software

    /// Bytes where there is no configuration are ones.
    public func read(_ offset: Int, size: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<size {
            let at = offset + index
            value |= UInt64(at < Self.size ? bytes[at] : 0xff) &<< UInt64(8 * index)
        }
        return value
    }

    public mutating func write(_ offset: Int, size: Int, _ value: UInt64) {
        for at in offset..<offset + size where at < Self.size {
            let new = UInt8(truncatingIfNeeded: value &>> UInt64(8 * (at - offset)))
            bytes[at] = bytes[at] & ~writable[at] | new & writable[at]
        }
    }

    public mutating func reset() { bytes = initial }

    /// What no write can set, a saved state does not set either.
    mutating func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        var saved = bytes
        try coder.field(&saved)
        for at in saved.indices where coder.isLoading {
            bytes[at] = initial[at] & ~writable[at] | saved[at] & writable[at]
        }
    }
}
