// A device's registers as rows. From the rows come dispatch, reset, saved state, the list for `info mtree`, the conformance test and the
// documentation.

/// How many bytes an access may have: bits 0 to 3 stand for 1, 2, 4 and 8.
public struct AccessSizes: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let byte = AccessSizes(rawValue: 1), half = AccessSizes(rawValue: 2)
    public static let word = AccessSizes(rawValue: 4), double = AccessSizes(rawValue: 8)
    public static let any: AccessSizes = [.byte, .half, .word, .double]

    public func contains(size: Int) -> Bool { size > 0 && size <= 8 && Int(rawValue) & size != 0 }
}

/// What a register does when it is accessed, besides what its row's closures say.
public enum RegisterKind: String, Sendable {
    /// Writable bits keep what is written.
    case plain
    /// Writable bits that are written as 1 become 0.
    case write1ToClear
    /// Reading it sets its writable bits to 0.
    case readClears
    case readOnly
    /// Reads as 0.
    case writeOnly
    /// Reads as its reset value. Nothing may be written.
    case reserved
}

/// One register, or an array of equal ones.
public struct RegisterRow<D>: Sendable {
    public let offset: UInt64
    public let name: String
    /// Bytes of the register: 1, 2, 4 or 8.
    public let width: Int
    public let kind: RegisterKind
    public let reset: UInt64
    /// Bits that a write changes.
    public let mask: UInt64
    public let count: Int
    /// Bytes from one register of the array to the next.
    public let stride: UInt64
    /// The value kept in the device. Nil: the closures know.
    let get: (@Sendable (D, Int) -> UInt64)?
    let set: (@Sendable (D, Int, UInt64) -> Void)?
    /// Reading and writing by closures; for a kept value what follows a write.
    let read: (@Sendable (D, Int) -> UInt64)?
    let write: (@Sendable (D, Int, UInt64) -> Void)?
    let changed: (@Sendable (D, Int) -> Void)?

    public var isStored: Bool { self.get != nil }
    public var isReadable: Bool { kind != .writeOnly }
    public var isWritable: Bool { kind != .readOnly && kind != .reserved }
}

public struct RegisterMap<D>: Sendable {
    public private(set) var rows: [RegisterRow<D>] = []
    /// Accesses of other sizes are errors of the bus.
    public var sizes: AccessSizes = .word
    /// An access that is wider than its register is one of all registers that it covers. Else of the first alone, as where a bus has only
    /// so many wires.
    public var splits = true

    public init() {}

    /// A register whose value the device keeps in a property.
    public mutating func stored<T: FixedWidthInteger & Sendable>(
        _ offset: UInt64, _ name: String, _ place: ReferenceWritableKeyPath<D, T> & Sendable,
        _ kind: RegisterKind = .plain, reset: UInt64 = 0, mask: UInt64 = .max,
        changed: (@Sendable (D) -> Void)? = nil
    ) {
        rows.append(
            RegisterRow(
                offset: offset, name: name, width: T.bitWidth / 8, kind: kind, reset: reset,
                mask: mask & UInt64(truncatingIfNeeded: T.Magnitude.max), count: 1, stride: UInt64(T.bitWidth / 8),
                get: { device, _ in UInt64(truncatingIfNeeded: T.Magnitude(truncatingIfNeeded: device[keyPath: place]))
                },
                set: { device, _, value in device[keyPath: place] = T(truncatingIfNeeded: value) },
                read: nil, write: nil, changed: changed.map { changed in { device, _ in changed(device) } }))
    }

    /// Equal registers whose values the device keeps in an array, which has as many elements.
    public mutating func stored<T: FixedWidthInteger & Sendable>(
        _ offset: UInt64, _ name: String, _ place: ReferenceWritableKeyPath<D, [T]> & Sendable, count: Int,
        stride: UInt64? = nil, _ kind: RegisterKind = .plain, reset: UInt64 = 0, mask: UInt64 = .max,
        changed: (@Sendable (D, Int) -> Void)? = nil
    ) {
        rows.append(
            RegisterRow(
                offset: offset, name: name, width: T.bitWidth / 8, kind: kind, reset: reset,
                mask: mask & UInt64(truncatingIfNeeded: T.Magnitude.max), count: count,
                stride: stride ?? UInt64(T.bitWidth / 8),
                get: { device, index in
                    UInt64(truncatingIfNeeded: T.Magnitude(truncatingIfNeeded: device[keyPath: place][index]))
                },
                set: { device, index, value in device[keyPath: place][index] = T(truncatingIfNeeded: value) },
                read: nil, write: nil, changed: changed))
    }

    /// A register that the device computes. Without `read` it reads as 0, without `write` it cannot be written.
    public mutating func computed(
        _ offset: UInt64, _ name: String, width: Int = 4, count: Int = 1, stride: UInt64? = nil,
        read: (@Sendable (D, Int) -> UInt64)? = nil, write: (@Sendable (D, Int, UInt64) -> Void)? = nil
    ) {
        let kind: RegisterKind = write == nil ? .readOnly : read == nil ? .writeOnly : .plain
        rows.append(
            RegisterRow(
                offset: offset, name: name, width: width, kind: kind, reset: 0, mask: write == nil ? 0 : .max,
                count: count, stride: stride ?? UInt64(width), get: nil, set: nil, read: read, write: write,
                changed: nil))
    }

    /// Registers that read as one value, and that nobody writes.
    public mutating func reserved(_ offset: UInt64, _ name: String, width: Int = 4, count: Int = 1, value: UInt64 = 0) {
        rows.append(
            RegisterRow(
                offset: offset, name: name, width: width, kind: .reserved, reset: value, mask: 0, count: count,
                stride: UInt64(width), get: nil, set: nil, read: nil, write: nil, changed: nil))
    }
}
