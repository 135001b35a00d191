// A hub: a frame that comes in at one port goes out at all others.

import EventLoop
import HostOS

/// Everything is called with the lock of the ports' domain held.
public final class NetHub {
    public let number: Int
    fileprivate(set) var ports: [HubPort] = []

    public init(_ number: Int) { self.number = number }

    fileprivate func pass(_ frame: UnsafeRawBufferPointer, from port: HubPort) {
        for other in ports where other !== port { other.passOut(frame) }
    }
}

/// A port. A card's cable leads to it, or that of another back end, whose card it is then.
public final class HubPort: NetBackend, NetCard, @unchecked Sendable {
    private let hub: NetHub
    private let peer: NetBackend?

    public init(name: String, _ hub: NetHub, to peer: NetBackend?) {
        self.hub = hub
        self.peer = peer
        super.init(name: name)
        peer?.attach(self)
        hub.ports.append(self)
    }

    public override func stop() { hub.ports.removeAll { $0 === self } }

    public override var summary: String {
        "type=hubport,hubid=\(hub.number)" + (peer.map { ",netdev=\($0.name)" } ?? "")
    }

    public override func send(_ frame: UnsafeRawBufferPointer) { hub.pass(frame, from: self) }
    public override func hasSent() { for port in hub.ports where port !== self { port.peer?.hasSent() } }

    public func receive(_ frame: UnsafeRawBufferPointer, queue: Int) {
        hub.pass(frame, from: self)
        hasSent()
    }

    public func linkHasChanged() {}

    fileprivate func passOut(_ frame: UnsafeRawBufferPointer) {
        if let peer { peer.transmit(frame) } else { deliver(frame) }
    }
}
