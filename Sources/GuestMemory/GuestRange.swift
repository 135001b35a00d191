/// Guest bytes by location, [start, end), such as those that a translation was made from.
public struct GuestRange: BitwiseCopyable, Equatable, Sendable {
    public var start: GuestLocation
    public var end: GuestLocation

    @inlinable public init(start: GuestLocation, end: GuestLocation) {
        self.start = start
        self.end = end
    }
}
