// What the transports have in common: a driver selects words of features and a queue, and speaks of these from then on.

import SystemKit

/// What connects a device to the machine.
protocol VirtioTransport: Device {
    var device: VirtioDevice? { get }
    var selection: DriverSelection { get }
    /// Buffers of a queue have been given back, and the driver wants to know.
    func interrupt(_ queue: VirtQueue)
    /// The configuration has changed, or the device needs a reset.
    func configurationChanged()
}

struct DriverSelection {
    /// Words of features.
    var deviceFeatures: UInt32 = 0, driverFeatures: UInt32 = 0
    var queue: UInt32 = 0
}

extension VirtioTransport {
    private static func shift(_ word: UInt32) -> UInt64? { word < 2 ? 32 * UInt64(word) : nil }

    /// The selected word of what the device offers.
    var offeredFeatures: UInt64 {
        guard let shift = Self.shift(selection.deviceFeatures) else { return 0 }
        return (device?.features ?? 0) &>> shift & 0xffff_ffff
    }

    /// The selected word of what the driver has accepted.
    var acceptedFeatures: UInt64 {
        guard let shift = Self.shift(selection.driverFeatures) else { return 0 }
        return (device?.acceptedFeatures ?? 0) &>> shift & 0xffff_ffff
    }

    func acceptFeatures(_ value: UInt64) {
        guard let device, let shift = Self.shift(selection.driverFeatures) else {
            if value != 0 { guestError("features of word \(selection.driverFeatures) are accepted") }
            return
        }
        device.accept(device.acceptedFeatures & ~(0xffff_ffff &<< shift) | (value & 0xffff_ffff) &<< shift)
    }

    var queue: VirtQueue? {
        guard let device, device.queues.indices.contains(Int(selection.queue)) else { return nil }
        return device.queues[Int(selection.queue)]
    }

    func withQueue(_ body: (VirtioDevice, VirtQueue) -> Void) {
        guard let device, let queue else { return guestError("there is no queue \(selection.queue)") }
        body(device, queue)
    }
}
