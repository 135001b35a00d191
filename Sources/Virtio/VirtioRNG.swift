// Entropy: the device fills buffers with random bytes. (Virtio 1.2, 5.4)

import EventLoop
import SystemKit

public final class VirtioRNG: VirtioDevice, @unchecked Sendable {
    public override class var kind: UInt32 { 4 }
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "virtio-rng-device", "random bytes of the host",
            [
                Property("rng", .entropy, "", "where they come from: an identifier of -object rng-...; none: the host"),
                Property("max-bytes", .number(1...noLimit), "\(noLimit)", "bytes that the guest gets in a period"),
                Property("period", .number(1...UInt64(UInt32.max)), "65536", "milliseconds of a period"),
            ] + commonProperties)
    }
    public override class func queueLimits(_ properties: Properties) -> [UInt16] { [8] }

    /// Most bytes for one buffer: a guest that asks for more asks again.
    private static let mostBytes = 1 << 16

    private static let noLimit = UInt64(Int64.max)

    private let entropy: any EntropySource
    /// Bytes that are left of the period, which begins with the first of them.
    private var left: UInt64
    private var period: Timer!
    /// A buffer that nothing is there for yet.
    private var waiting: Chain?

    public required init(_ context: DeviceContext) {
        entropy = context.entropy ?? HostEntropy()
        left = context.properties.number("max-bytes")
        super.init(context)
        period = timer(.virtual) { [unowned self] in
            left = properties.number("max-bytes")
            notify(0)
        }
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
        let limit = Int(min(UInt64(Self.mostBytes), left))
        var written = 0
        defer { count(written) }
        for window in chain.writable where written < limit {
            let part = UnsafeMutableRawBufferPointer(rebasing: window.bytes.prefix(limit - written))
            let count = entropy.fill(part)
            window.wrote(0..<count)
            written += count
            if count < part.count { break }
        }
        return written
    }

    private func count(_ written: Int) {
        guard properties.number("max-bytes") < Self.noLimit, written > 0 else { return }
        left -= UInt64(written)
        if !period.isArmed { period.arm(at: now(.virtual) + properties.number("period") * 1_000_000) }
    }
}
