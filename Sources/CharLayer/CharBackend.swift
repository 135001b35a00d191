// What a serial port, or a monitor, talks to: a stream of bytes in both directions.
//
// A front end (the device) and a back end (the host's side) know each other. Output never waits: a back end takes a byte or says that it
// has no room, and tells when it has. Input comes only as fast as the front end takes it.

import HostOS

public enum CharEvent: Equatable, Sendable {
    /// The line was held low for longer than a byte.
    case lineBreak
    /// No more input will come. Output goes on.
    case ended
    /// What is typed comes here from now on, or no more.
    case focused, unfocused
    /// There is a peer, a new one perhaps.
    case connected
    /// The peer has gone, and another may come.
    case disconnected
}

/// Called by the loop's thread, with the lock held that it was attached under.
public protocol CharFrontEnd: AnyObject {
    /// How many bytes it can take now.
    var inputRoom: Int { get }
    /// Takes bytes, at most `inputRoom`.
    func receive(_ bytes: ArraySlice<UInt8>)
    func receive(_ event: CharEvent)
    /// There is room for output again, after `send` has said there is none.
    func outputHasRoom()
}

/// A back end that loses all output and never has input; the others inherit from it.
open class CharBackend: @unchecked Sendable {
    private weak var frontEnd: (any CharFrontEnd)?
    private var lock: Lock?

    public init() {}

    /// Joins it with its only front end, before the loop runs.
    public final func attach(_ frontEnd: any CharFrontEnd, under lock: Lock? = nil) {
        self.frontEnd = frontEnd
        self.lock = lock
        inputHasRoom()
    }

    // MARK: for the front end, from any thread

    /// Takes a byte. False: there is no room, and `outputHasRoom` follows.
    open func send(_ byte: UInt8) -> Bool { true }

    /// The front end can take more than when it was last asked.
    open func inputHasRoom() {}

    /// Whose peer the machine is to wait for before it starts; nil: nobody's.
    open var awaited: String? { nil }

    /// There is somebody who hears what is said.
    open var isOpen: Bool { true }

    /// What is typed comes here now.
    open var hasFocus: Bool { true }

    /// Writes what waits, when the loop turns no more, for a bounded time.
    open func flush() {}

    /// Takes what there is room for; the rest is lost.
    public final func send(_ text: String) {
        for byte in text.utf8 where !send(byte) { return }
    }

    // MARK: for the back end, from the loop's thread

    public final var inputRoom: Int { ask { $0.inputRoom } ?? 0 }
    public final func deliver(_ bytes: ArraySlice<UInt8>) { _ = ask { $0.receive(bytes) } }
    public final func deliver(_ event: CharEvent) { _ = ask { $0.receive(event) } }
    public final func tellOutputHasRoom() { _ = ask { $0.outputHasRoom() } }

    private func ask<R>(_ body: (any CharFrontEnd) -> R) -> R? {
        guard let frontEnd else { return nil }
        lock?.lock()
        defer { lock?.unlock() }
        return body(frontEnd)
    }
}
