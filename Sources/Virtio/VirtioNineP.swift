// A folder of the host's, by the protocol 9P2000.L. (Virtio 1.2, 5.13)
//
//     request: a message that the device reads | room for the answer

import EventLoop
import FileShare
import SystemKit

public final class VirtioNineP: VirtioDevice, @unchecked Sendable {
    public override class var kind: UInt32 { 9 }
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "virtio-9p-device", "a folder of the host's",
            [
                Property("fsdev", .share, "", "the folder: an identifier of -fsdev"),
                Property("mount_tag", .text, "", "what the guest mounts it by: 31 bytes at most"),
            ] + commonProperties)
    }
    public override class func queueLimits(_ properties: Properties) -> [UInt16] { [128] }

    private enum Bit { static let tag: UInt64 = 1 }
    private static let longestTag = 31

    private let session: Session
    private var thread: WorkThread!

    public required init(_ context: DeviceContext) {
        guard let share = context.share else { preconditionFailure("no folder to show") }
        session = Session(share)
        super.init(context)
        thread = WorkThread(domain.loop, under: domain.lock)
    }

    /// What is wrong with a combination of properties.
    public static func check(_ properties: Properties) -> String? {
        let tag = properties.text("mount_tag")
        return 1...longestTag ~= tag.utf8.count ? nil : "mount_tag=\(tag): wanted 1 to \(longestTag) bytes"
    }

    public override var kindFeatures: UInt64 { Bit.tag }

    public override var configuration: [UInt8] {
        var bytes = ByteWriter()
        let tag = Array(properties.text("mount_tag").utf8)
        bytes.add(UInt16(tag.count))
        for byte in tag { bytes.add(byte) }
        return bytes.bytes
    }

    public override func stopped() {
        thread.cancelAll()
        session.reset()
    }

    public override func notified(_ queue: VirtQueue) throws(RingFault) {
        try takeAll(queue) { chain throws(RingFault) in
            let count = chain.readableCount
            guard count <= Session.longestMessage, let request = chain.read(count: count) else {
                throw .badRequest("a message of \(count) bytes")
            }
            let room = min(chain.writableCount, Session.longestMessage)
            let session = session, answer = Answer()
            thread.submit({ answer.bytes = session.answer(request, room: room) }) { [unowned self] in
                guard let bytes = answer.bytes else {
                    return fail(.badRequest("a message of \(count) bytes, with room for \(room)"))
                }
                giveBack(chain, to: queue, written: chain.write(bytes))
            }
        }
    }

    /// Written by the thread, then read by the loop.
    private final class Answer: @unchecked Sendable { var bytes: [UInt8]? }
}
