// Entropy: the device fills buffers with random bytes. (Virtio 1.2, 5.4)

import HostOS
import SystemKit

public final class VirtioRNG: VirtioDevice, @unchecked Sendable {
    public override class var kind: UInt32 { 4 }
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor("virtio-rng-device", "random bytes of the host", commonProperties)
    }
    public override class func queueLimits(_ properties: Properties) -> [UInt16] { [8] }

    /// Most bytes for one buffer: a guest that asks for more asks again.
    private static let mostBytes = 1 << 16

    public override func notified(_ queue: VirtQueue) throws(RingFault) {
        try takeAll(queue) { chain throws(RingFault) in
            var written = 0
            for window in chain.writable where written < Self.mostBytes {
                let part = UnsafeMutableRawBufferPointer(rebasing: window.bytes.prefix(Self.mostBytes - written))
                HostProcess.fillRandom(part)
                window.wrote(0..<part.count)
                written += part.count
            }
            if written == 0 { throw .badRequest("no place for random bytes") }
            queue.giveBack(chain, written: written)
        }
        tell(queue)
    }
}
