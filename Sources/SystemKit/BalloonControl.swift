// How much of its RAM the guest has, for who asks it to do with less.

/// Called with the lock of the device's domain held.
public protocol BalloonControl: AnyObject {
    /// Bytes that the guest has now.
    var size: UInt64 { get }
    /// Has the guest come to that, sooner or later. More than the machine has is all of it.
    func setTarget(_ size: UInt64)
    /// What the guest has said last of its memory, where it is asked.
    var statistics: [(name: String, value: UInt64)] { get }
}
