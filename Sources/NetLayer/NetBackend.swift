// What a network card's cable leads to. A card and a back end know each other; frames are Ethernet's, without preamble and check sequence.
//
// Everything is called with the lock of the card's domain held.

import EventLoop
import HostOS

/// A card.
public protocol NetCard: AnyObject {
    /// A frame comes in. The card keeps what it has no room for, up to a limit, and loses the rest.
    func receive(_ frame: UnsafeRawBufferPointer)
}

/// A back end that loses all frames; the others inherit from it.
open class NetBackend: @unchecked Sendable {
    /// What the user calls it.
    public let name: String
    public private(set) weak var card: (any NetCard)?

    public init(name: String) { self.name = name }

    /// Joins it with its only card, before the machine runs.
    open func attach(_ card: any NetCard, _ loop: EventLoop, under lock: Lock) { self.card = card }

    /// It takes TCP segments that are longer than a frame, up to `LongSegment.longest` bytes: it is no cable.
    open var takesLongSegments: Bool { false }

    /// The card sends a frame.
    open func send(_ frame: UnsafeRawBufferPointer) {}

    /// All frames that the card has to send for now have been sent.
    open func hasSent() {}

    /// The longest frame: 1500 bytes of data, and what a virtual LAN adds to the header.
    public static let longestFrame = 1518
    /// Shorter ones are filled with zeros on a cable.
    public static let shortestFrame = 60
}
