// A device's registers as rows. From the rows come dispatch, reset, saved state, the list for `info mtree`, the conformance test and the
// documentation.

/// How many bytes an access may have: bits 0 to 3 stand for 1, 2, 4 and 8.
public struct AccessSizes: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let byte = AccessSizes(rawValue: 1), half = AccessSizes(rawValue: 2)
    public static let word = AccessSizes(rawValue: 4), double = AccessSizes(rawValue: 8)
    public static let any: AccessSizes = [.byte, .half, .word, .double]

    public func contains(size: Int) -> Bool { size.nonzeroBitCount == 1 && Int(rawValue) & size != 0 }
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

/// One register, or an array of equal ones, without what it does in its device.
public struct RegisterInfo: Sendable, Equatable {
    public var offset: UInt64
    public var name: String
    /// Bytes of the register: 1, 2, 4 or 8.
    public var width: Int
    public var kind: RegisterKind
    public var reset: UInt64 = 0
    /// Bits that a write changes.
    public var mask: UInt64 = 0
    public var count = 1
    /// Bytes from one register of the array to the next.
    public var stride: UInt64
    /// The device keeps its value, and nothing but the row decides over it.
    public var isStored = false

    public var isWritable: Bool { kind != .readOnly && kind != .reserved }
}

/// A row: what there is, and how a device of class D is reached.
final class RegisterRow<D>: Sendable {
    let info: RegisterInfo
    /// The value kept in the device. Nil: the closures know.
    let get: (@Sendable (D, Int) -> UInt64)?
    let set: (@Sendable (D, Int, UInt64) -> Void)?
    /// Reading and writing by closures.
    let read: (@Sendable (D, Int) -> UInt64)?
    let write: (@Sendable (D, Int, UInt64) -> Void)?
    /// What follows a change of a kept value.
    let changed: (@Sendable (D, Int) -> Void)?

    init(
        _ info: RegisterInfo, get: (@Sendable (D, Int) -> UInt64)? = nil,
        set: (@Sendable (D, Int, UInt64) -> Void)? = nil,
        read: (@Sendable (D, Int) -> UInt64)? = nil, write: (@Sendable (D, Int, UInt64) -> Void)? = nil,
        changed: (@Sendable (D, Int) -> Void)? = nil
    ) {
        self.info = info
        self.get = get
        self.set = set
        self.read = read
        self.write = write
        self.changed = changed
    }
}

public struct RegisterMap<D>: Sendable {
    private(set) var rows: [RegisterRow<D>] = []
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
        var after: (@Sendable (D, Int) -> Void)?
        if let changed { after = { device, _ in changed(device) } }
        add(
            T.self, offset, name, kind, reset, mask, 1, nil, { device, _ in device[keyPath: place] },
            { device, _, value in device[keyPath: place] = value }, after)
    }

    /// Equal registers whose values the device keeps in an array, which has as many elements.
    public mutating func stored<T: FixedWidthInteger & Sendable>(
        _ offset: UInt64, _ name: String, _ place: ReferenceWritableKeyPath<D, [T]> & Sendable, count: Int,
        stride: UInt64? = nil, _ kind: RegisterKind = .plain, reset: UInt64 = 0, mask: UInt64 = .max,
        changed: (@Sendable (D, Int) -> Void)? = nil
    ) {
        add(
            T.self, offset, name, kind, reset, mask, count, stride, { device, index in device[keyPath: place][index] },
            { device, index, value in device[keyPath: place][index] = value }, changed)
    }

    private mutating func add<T: FixedWidthInteger & Sendable>(
        _ type: T.Type, _ offset: UInt64, _ name: String, _ kind: RegisterKind, _ reset: UInt64, _ mask: UInt64,
        _ count: Int, _ stride: UInt64?, _ get: @escaping @Sendable (D, Int) -> T,
        _ set: @escaping @Sendable (D, Int, T) -> Void, _ changed: (@Sendable (D, Int) -> Void)?
    ) {
        let width = T.bitWidth / 8, all = UInt64(truncatingIfNeeded: T.Magnitude.max)
        let info = RegisterInfo(
            offset: offset, name: name, width: width, kind: kind, reset: reset & all, mask: mask & all, count: count,
            stride: stride ?? UInt64(width), isStored: true)
        rows.append(
            RegisterRow(
                info, get: { UInt64(truncatingIfNeeded: T.Magnitude(truncatingIfNeeded: get($0, $1))) },
                set: { set($0, $1, T(truncatingIfNeeded: $2)) }, changed: changed))
    }

    /// A register that the device computes. Without `read` it reads as 0, without `write` it cannot be written.
    public mutating func computed(
        _ offset: UInt64, _ name: String, width: Int = 4, count: Int = 1, stride: UInt64? = nil,
        read: (@Sendable (D, Int) -> UInt64)? = nil, write: (@Sendable (D, Int, UInt64) -> Void)? = nil
    ) {
        let kind: RegisterKind = write == nil ? .readOnly : read == nil ? .writeOnly : .plain
        let info = RegisterInfo(
            offset: offset, name: name, width: width, kind: kind, mask: write == nil ? 0 : .max, count: count,
            stride: stride ?? UInt64(width))
        rows.append(RegisterRow(info, read: read, write: write))
    }

    /// Registers that read as one value, and that nobody writes.
    public mutating func reserved(_ offset: UInt64, _ name: String, width: Int = 4, count: Int = 1, value: UInt64 = 0) {
        let info = RegisterInfo(
            offset: offset, name: name, width: width, kind: .reserved, reset: value, count: count, stride: UInt64(width)
        )
        rows.append(RegisterRow(info))
    }
}
