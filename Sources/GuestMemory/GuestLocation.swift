// Where bytes of guest memory lie, told apart from the addresses at which they are seen: those are words of the guest, `UInt64`.

/// Where a byte of guest memory lies, wherever it is seen (`CodeMemory`). Arithmetic wraps.
@frozen public struct GuestLocation: RawRepresentable, Hashable, Comparable, BitwiseCopyable, Sendable {
    public var rawValue: UInt64
    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    @inlinable public static func < (a: GuestLocation, b: GuestLocation) -> Bool { a.rawValue < b.rawValue }
    @inlinable public static func &+ (location: GuestLocation, count: UInt64) -> GuestLocation {
        GuestLocation(location.rawValue &+ count)
    }
    /// Bytes from `b` to `a`.
    @inlinable public static func &- (a: GuestLocation, b: GuestLocation) -> UInt64 { a.rawValue &- b.rawValue }
    @inlinable public static func &+= (location: inout GuestLocation, count: UInt64) { location = location &+ count }
}

/// How far behind an address the bytes lie that are seen there (`AddressSpace.place`).
@frozen public struct GuestPlace: RawRepresentable, Hashable, BitwiseCopyable, Sendable {
    public var rawValue: UInt64
    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// That of bytes which are seen where they lie.
    @inlinable public static var same: GuestPlace { GuestPlace(0) }

    @inlinable public func location(of address: UInt64) -> GuestLocation { GuestLocation(address &+ rawValue) }
    @inlinable public func address(of location: GuestLocation) -> UInt64 { location.rawValue &- rawValue }
}
