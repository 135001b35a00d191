// What a network card's cable leads to. A card and a back end know each other; frames are Ethernet's, without preamble and check sequence.
//
// Everything is called with the lock of the card's domain held, but for `start`.

import EventLoop
import HostOS

/// What is wrong with a back end's options, or why it cannot be made.
public struct NetError: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// A card.
public protocol NetCard: AnyObject {
    /// A frame comes in. The card keeps what it has no room for, up to a limit, and loses the rest.
    /// `queue`: of several by which frames come.
    func receive(_ frame: UnsafeRawBufferPointer, queue: Int)
    /// The cable has been connected or disconnected.
    func linkHasChanged()
    var name: String { get }
    /// In one line, for the user: `type=nic` and what tells it from others.
    var summary: String { get }
}

/// A back end that loses all frames; the others inherit from it.
open class NetBackend: @unchecked Sendable {
    /// What the user calls it.
    public let name: String
    public private(set) weak var card: (any NetCard)?
    private var dumps: [PacketDump] = []
    /// Frames are lost, in both directions, while it is not.
    public private(set) var isLinkUp = true

    public init(name: String) { self.name = name }

    /// Joins it with its only card, before the machine runs.
    public final func attach(_ card: any NetCard) { self.card = card }

    public final func setLink(_ isUp: Bool) {
        guard isUp != isLinkUp else { return }
        isLinkUp = isUp
        card?.linkHasChanged()
    }

    public final func add(_ dump: PacketDump) { dumps.append(dump) }

    // MARK: for the card

    public final func transmit(_ frame: UnsafeRawBufferPointer, queue: Int = 0) {
        guard isLinkUp else { return }
        for dump in dumps where dump.directions.contains(.received) { dump.record(frame) }
        send(frame, queue: queue)
    }

    /// Pairs of queues that frames can go and come by, so that those of one flow stay together.
    open var queuePairs: Int { 1 }

    /// It takes TCP segments that are longer than a frame, up to `LongSegment.longest` bytes: it is no cable.
    open var takesLongSegments: Bool { false }

    /// It takes them as their drivers leave them, and cuts them itself.
    open var cutsSegments: Bool { false }

    /// A segment that is not finished, behind the header that its driver has given it: that of virtio, of which the count of buffers is no part.
    public final func transmit(segment: UnsafeRawBufferPointer, header: ArraySlice<UInt8>, queue: Int) {
        guard isLinkUp else { return }
        for dump in dumps where dump.directions.contains(.received) { dump.record(segment) }
        send(segment: segment, header: header, queue: queue)
    }

    /// All frames that the card has to send for now have been sent.
    open func hasSent() {}

    // MARK: for the back end

    /// Takes its place in the loop; `lock` is held around all that it does there.
    open func start(_ loop: EventLoop, under lock: Lock) throws(NetError) {}

    /// Ends what it has begun.
    open func stop() {}

    /// In one line, for the user: `type=TYPE` and what tells it from others.
    open var summary: String { "type=none" }

    /// The card sends a frame.
    open func send(_ frame: UnsafeRawBufferPointer) {}

    /// The same where there are several queues.
    open func send(_ frame: UnsafeRawBufferPointer, queue: Int) { send(frame) }

    /// The card sends a segment that the back end cuts.
    open func send(segment: UnsafeRawBufferPointer, header: ArraySlice<UInt8>, queue: Int) {}

    /// A frame for the card.
    public final func deliver(_ frame: UnsafeRawBufferPointer, queue: Int = 0) {
        guard isLinkUp else { return }
        for dump in dumps where dump.directions.contains(.sent) { dump.record(frame) }
        card?.receive(frame, queue: queue)
    }

    /// The longest frame: 1500 bytes of data, and what a virtual LAN adds to the header.
    public static let longestFrame = 1500 + longestHeader
    public static let longestHeader = 18
    /// Shorter ones are filled with zeros on a cable.
    public static let shortestFrame = 60
}
