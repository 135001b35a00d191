// Who may be in a device's code at one time.

import Diagnostics
import EventLoop
import HostOS

/// Devices that share a lock and a loop. The framework takes the lock around everything that it calls in a device: registers, timers, bottom
/// halves, back ends. So a device's code holds no lock of its own, and knows that it is alone.
///
/// A thread is in one domain at most, and beside that in leaf domains: those of interrupt controllers, whose code calls nothing but the
/// interrupt lines of harts.
public final class Domain: Sendable {
    public let lock = Lock()
    public let loop: EventLoop
    public let diagnostics: Diagnostics
    /// Its registers may be accessed where nothing may be waited for.
    public let isLeaf: Bool
    /// The loop is not the main one: what a vCPU asks for is done there, and the vCPU goes on.
    public let isThreaded: Bool

    public init(
        _ loop: EventLoop, diagnostics: Diagnostics = .silent, isLeaf: Bool = false, isThreaded: Bool = false
    ) {
        self.loop = loop
        self.diagnostics = diagnostics
        self.isLeaf = isLeaf
        self.isThreaded = isThreaded
    }

    public var clocks: Clocks { loop.clocks }

    func leaf() -> Domain { Domain(loop, diagnostics: diagnostics, isLeaf: true) }
}
