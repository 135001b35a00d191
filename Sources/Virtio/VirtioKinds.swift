// The kinds of virtio devices that there are.

import SystemKit

public struct VirtioKind: Sendable {
    public let type: VirtioDevice.Type
    /// What is wrong with a combination of properties; nil: nothing.
    public let check: @Sendable (Properties) -> String?

    init(_ type: VirtioDevice.Type, check: @escaping @Sendable (Properties) -> String? = { _ in nil }) {
        self.type = type
        self.check = check
    }

    public var descriptor: DeviceDescriptor { type.descriptor }

    public static let all = [
        VirtioKind(VirtioBlock.self, check: VirtioBlock.check), VirtioKind(VirtioNet.self, check: VirtioNet.check),
        VirtioKind(VirtioRNG.self), VirtioKind(VirtioNineP.self, check: VirtioNineP.check),
        VirtioKind(VirtioSerial.self), VirtioKind(VirtioBalloon.self),
        VirtioKind(VirtioSCSI.self, check: VirtioSCSI.check),
    ]
}
