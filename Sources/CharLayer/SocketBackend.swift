// A back end on a socket: one peer at a time, and the next when that has gone. What is said while nobody listens is lost.

import EventLoop
import HostOS

public final class SocketBackend: CharBackend, @unchecked Sendable {
    private let loop: EventLoop
    private let options: SocketOptions
    /// A leaf; guards `stream`.
    private let lock = Lock()
    private var stream: StreamBackend?
    private var door: SocketDoor!

    public init(_ loop: EventLoop, _ options: SocketOptions) throws(CharSpecError) {
        self.loop = loop
        self.options = options
        super.init()
        door = try SocketDoor(loop, options) { [unowned self] in use($0) }
        try door.open()
    }

    deinit {
        door?.close()
        stream?.close()
    }

    public override var isOpen: Bool { lock.withLock { stream != nil } }

    public override var awaited: String? { options.waits && !isOpen ? options.address.description : nil }

    /// The port that it waits at.
    var port: UInt16? { door.port }

    private func use(_ fd: Int32) {
        let file = HostStream(owning: fd)
        let stream = StreamBackend(loop, input: file, output: file)
        lock.withLock { self.stream = stream }
        deliver(.connected)
        stream.attach(self)
    }

    private func drop() {
        let old = lock.withLock {
            defer { stream = nil }
            return stream
        }
        old?.close()
        // Who waits for room would wait for ever.
        tellOutputHasRoom()
        door.peerHasGone()
        deliver(options.isServer || options.reconnects != nil ? .disconnected : .ended)
    }

    public override func send(_ byte: UInt8) -> Bool { lock.withLock { stream }?.send(byte) ?? true }
    public override func inputHasRoom() { lock.withLock { stream }?.inputHasRoom() }
    public override func flush() { stream?.flush() }
}

extension SocketBackend: CharFrontEnd {
    public func receive(_ bytes: ArraySlice<UInt8>) { deliver(bytes) }
    public func outputHasRoom() { tellOutputHasRoom() }
    public func receive(_ event: CharEvent) { if event == .ended { drop() } }
}
