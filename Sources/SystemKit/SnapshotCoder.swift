// State as bytes, and back. A device says once what its state is; the same function saves and loads it.
//
// What is loaded may come from anybody: lengths and ranges are checked, and what does not fit is an error before anything is used.
//
//     section: length of name (1), name, version (2), bytes of payload (4), payload

public enum SnapshotError: Error, Equatable, CustomStringConvertible {
    case ends
    case otherSection(wanted: String, found: String)
    case newerVersion(section: String, Int)
    case badValue(section: String)
    case rest(section: String)

    public var description: String {
        switch self {
        case .ends: "the saved state ends too early"
        case .otherSection(let wanted, let found): "the saved state has '\(found)' where '\(wanted)' should be"
        case .newerVersion(let section, let version): "version \(version) of '\(section)' is not known"
        case .badValue(let section): "the saved state of '\(section)' holds a value that cannot be"
        case .rest(let section): "the saved state of '\(section)' is too long"
        }
    }
}

public struct SnapshotCoder {
    public let isLoading: Bool
    /// What has been saved, or is being loaded.
    public private(set) var bytes: [UInt8]
    private var at = 0
    private var end = 0
    private var name = ""

    /// Saves.
    public init() {
        isLoading = false
        bytes = []
    }

    /// Loads.
    public init(loading bytes: [UInt8]) {
        isLoading = true
        self.bytes = bytes
        end = bytes.count
    }

    /// One part of the state, with a name and a version of its layout. `body` gets the version: that which was saved.
    public mutating func section(
        _ name: String, version: Int = 1, _ body: (inout SnapshotCoder, Int) throws(SnapshotError) -> Void
    ) throws(SnapshotError) {
        let outer = (self.name, end)
        self.name = name
        if isLoading {
            var length: UInt8 = 0
            try field(&length)
            let found = String(decoding: try take(Int(length)), as: UTF8.self)
            if found != name { throw .otherSection(wanted: name, found: found) }
            var saved: UInt16 = 0, count: UInt32 = 0
            try field(&saved)
            if saved == 0 || Int(saved) > version { throw .newerVersion(section: name, Int(saved)) }
            try field(&count)
            guard Int(count) <= end - at else { throw .ends }
            end = at + Int(count)
            try body(&self, Int(saved))
            if at != end { throw .rest(section: name) }
        } else {
            let text = Array(name.utf8.prefix(255))
            bytes.append(UInt8(text.count))
            bytes += text
            append(UInt16(version))
            let place = bytes.count
            append(UInt32(0))
            try body(&self, version)
            let count = UInt32(bytes.count - place - 4)
            for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: count &>> UInt32(8 * index)) }
        }
        (self.name, end) = outer
    }

    /// All of a loaded state has been used.
    public func finish() throws(SnapshotError) {
        if isLoading, at != bytes.count { throw .rest(section: name) }
    }

    public mutating func field<T: FixedWidthInteger>(_ value: inout T) throws(SnapshotError) {
        if isLoading {
            var read: T = 0
            for (index, byte) in try take(T.bitWidth / 8).enumerated() {
                read |= T(truncatingIfNeeded: byte) &<< T(8 * index)
            }
            value = read
        } else {
            append(value)
        }
    }

    /// A number that must lie in a range.
    public mutating func field<T: FixedWidthInteger>(_ value: inout T, in range: ClosedRange<T>) throws(SnapshotError) {
        var read = value
        try field(&read)
        guard range.contains(read) else { throw .badValue(section: name) }
        value = read
    }

    public mutating func field(_ value: inout Bool) throws(SnapshotError) {
        var bit: UInt8 = value ? 1 : 0
        try field(&bit, in: 0...1)
        value = bit != 0
    }

    /// A list of a fixed length.
    public mutating func field<T: FixedWidthInteger>(_ values: inout [T]) throws(SnapshotError) {
        for index in values.indices { try field(&values[index]) }
    }

    public mutating func field(_ values: inout [Bool]) throws(SnapshotError) {
        for index in values.indices { try field(&values[index]) }
    }

    /// A list of any length up to a limit.
    public mutating func list<T: FixedWidthInteger>(_ values: inout [T], atMost limit: Int) throws(SnapshotError) {
        var count = UInt32(values.count)
        try field(&count, in: 0...UInt32(limit))
        if isLoading { values = Array(repeating: 0, count: Int(count)) }
        try field(&values)
    }

    private mutating func take(_ count: Int) throws(SnapshotError) -> ArraySlice<UInt8> {
        guard count <= end - at else { throw .ends }
        defer { at += count }
        return bytes[at..<at + count]
    }

    private mutating func append<T: FixedWidthInteger>(_ value: T) {
        for index in 0..<T.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: value &>> T(8 * index))) }
    }
}
