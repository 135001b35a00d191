// Devices that are plugged into a virtio device: ports of a console, disks of a SCSI adapter.

import SCSI
import SystemKit

/// A kind of bus that virtio devices have for others.
public enum VirtioBus: String, Sendable {
    case serial = "virtio-serial-bus"
    case scsi
}

/// Why a device does not fit on a bus.
public struct PlugError: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

public struct PluggedKind: Sendable {
    public let type: Device.Type
    public let bus: VirtioBus
    /// What is wrong with a combination of properties; nil: nothing.
    public let check: @Sendable (Properties) -> String?

    public static let all = [
        PluggedKind(type: VirtConsole.self, bus: .serial) { _ in nil },
        PluggedKind(type: VirtSerialPort.self, bus: .serial) { _ in nil },
        PluggedKind(type: SCSIDisk.self, bus: .scsi, check: SCSIDisk.check),
        PluggedKind(type: OpticalDisc.self, bus: .scsi, check: OpticalDisc.check),
    ]
}
