// Entropy: the device fills buffers with random bytes. (Virtio 1.2, 5.4)

import SystemKit

public final class VirtioRNG: VirtioDevice, @unchecked Sendable {
    public override class var kind: UInt32 { 4 }
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "virtio-rng-device", "random bytes of the host",
            [Property("rng", .entropy, "", "where they come from: an identifier of -object rng-...; none: the host")]
                + commonProperties)
    }
    public override class func queueLimits(_ properties: Properties) -> [UInt16] { [8] }

    /// Most bytes for one buffer: a guest that asks for more asks again.
    private static let mostBytes = 1 << 16

    private let entropy: any EntropySource
    /// A buffer that nothing is there for yet.
    private var waiting: Chain?

    public required init(_ context: DeviceContext) {
        entropy = context.entropy ?? HostEntropy()
        super.init(context)
        entropy.more = { [unowned self] in notify(0) }
    }

    public override func stopped() { waiting = nil }

    public override func notified(_ queue: VirtQueue) throws(RingFault) {
        queue.quiet()
        while let chain = try next(queue) {
            let written = fill(chain)
            if chain.writableCount == 0 { throw .badRequest("no place for random bytes") }
            if written == 0 {
                waiting = chain
                break
            }
            queue.giveBack(chain, written: written)
        }
        tell(queue)
    }

    private func next(_ queue: VirtQueue) throws(RingFault) -> Chain? {
        defer { waiting = nil }
        if let waiting { return waiting }
        return try queue.next()
    }

    private func fill(_ chain: Chain) -> Int {
        var written = 0
        for window in chain.writable where written < Self.mostBytes {
            let part = UnsafeMutableRawBufferPointer(rebasing: window.bytes.prefix(Self.mostBytes - written))
            let count = entropy.fill(part)
            window.wrote(0..<count)
            written += count
            if count < part.count { break }
        }
        return written
    }
}
