/// Guest bytes by location, [start, end), such as those that a translation was made from.
public struct GuestRange: BitwiseCopyable, Equatable, Sendable {
    public var start: UInt64
    public var end: UInt64

    @inlinable public init(start: UInt64, end: UInt64) {
        self.start = start
        self.end = end
    }
}
