// For libraries that wait for descriptors of their own, others each turn.

import HostOS

/// The descriptors of one turn.
public struct PollSet {
    private var entries: [PollEntry] = []

    public init() {}

    /// Returns the place to ask `found` for after the wait.
    public mutating func add(_ descriptor: Int32, _ wanted: PollEvents) -> Int {
        entries.append(PollEntry(descriptor, wanted))
        return entries.count - 1
    }

    public func found(_ place: Int) -> PollEvents { entries.indices.contains(place) ? entries[place].found : [] }

    mutating func removeAll() { entries.removeAll(keepingCapacity: true) }
    mutating func wait(_ limit: UInt64?) { _ = HostPoll.wait(&entries, nanoseconds: limit) }
}

public protocol PollHook: AnyObject {
    /// Adds descriptors before the wait, and shortens it: nanoseconds; nil is for ever.
    func fill(_ set: inout PollSet, _ limit: inout UInt64?)
    /// After each wait.
    func dispatch(_ set: PollSet)
}
