// The finisher of SiFive's test device: a word that ends the machine, or begins it anew.

import EventLoop
import SystemKit

public final class TestFinisher: Device, RegisterDevice, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor("sifive-test", "power off and reset by a word", isLeaf: true)
    }

    /// The low half of what is written; the high half is the status of a failure.
    private enum Command { static let fail: UInt64 = 0x3333, pass: UInt64 = 0x5555, reset: UInt64 = 0x7777 }

    private let control: RunControl?

    public required init(_ context: DeviceContext) {
        control = context.control
        super.init(context)
    }

    public var span: UInt64 { 0x1000 }

    public func registers(_ map: inout RegisterMap<TestFinisher>) {
        map.sizes = [.half, .word]
        map.computed(0, "FINISH", write: { device, _, value in device.finish(value) })
    }

    private func finish(_ value: UInt64) {
        switch value & 0xffff {
        case Command.pass: control?.requestShutdown(.guest(status: 0))
        case Command.fail: control?.requestShutdown(.guest(status: Int32(truncatingIfNeeded: value &>> 16 & 0xffff)))
        case Command.reset: control?.requestReset(.guest(status: 0))
        default: guestError("0x\(String(value, radix: 16)) is no command")
        }
    }
}
