// The transport in memory: a page of registers that connects one virtio device to the machine. (Virtio 1.2, 4.2; version 2 of its registers)

import EventLoop
import SystemKit

public final class VirtioMMIO: Device, RegisterDevice, VirtioTransport, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor("virtio-mmio", "registers of a virtio device in memory")
    }

    private static let magic: UInt64 = 0x7472_6976  // "virt"
    private static let vendor: UInt64 = 0x554d_4551  // As drivers know it from other machines.
    private static let configurationStart: UInt64 = 0x100
    private enum Cause { static let queue: UInt32 = 1, configuration: UInt32 = 2 }

    /// What is plugged in; nil: nothing, which drivers see by a kind of 0.
    private(set) var device: VirtioDevice?
    private(set) var selection = DriverSelection()
    private var causes: UInt32 = 0

    public required init(_ context: DeviceContext) { super.init(context) }

    public var isFree: Bool { device == nil }

    /// Connects a device of the same domain, before the machine runs.
    public func plug(_ device: VirtioDevice) {
        self.device = device
        device.transport = self
    }

    public var span: UInt64 { 0x1000 }

    public func registers(_ map: inout RegisterMap<VirtioMMIO>) {
        map.sizes = .any
        map.reserved(0x000, "MagicValue", value: Self.magic)
        map.reserved(0x004, "Version", value: 2)
        map.computed(0x008, "DeviceID", read: { d, _ in d.device.map { UInt64(type(of: $0).kind) } ?? 0 })
        map.reserved(0x00c, "VendorID", value: Self.vendor)
        map.computed(0x010, "DeviceFeatures", read: { d, _ in d.offeredFeatures })
        map.stored(0x014, "DeviceFeaturesSel", \.selection.deviceFeatures, .writeOnly)
        map.computed(0x020, "DriverFeatures", write: { d, _, v in d.acceptFeatures(v) })
        map.stored(0x024, "DriverFeaturesSel", \.selection.driverFeatures, .writeOnly)
        map.stored(0x030, "QueueSel", \.selection.queue, .writeOnly)
        map.computed(0x034, "QueueNumMax", read: { d, _ in UInt64(d.queue?.limit ?? 0) })
        map.computed(0x038, "QueueNum", write: { d, _, v in d.withQueue { $0.setSize($1, v) } })
        map.computed(
            0x044, "QueueReady", read: { d, _ in d.queue?.isReady == true ? 1 : 0 },
            write: { d, _, v in d.withQueue { v & 1 != 0 ? $0.enable($1) : $1.stop() } })
        map.computed(0x050, "QueueNotify", write: { d, _, v in d.device?.notify(Int(v & 0xffff)) })
        map.computed(0x060, "InterruptStatus", read: { d, _ in UInt64(d.causes) })
        map.computed(0x064, "InterruptACK", write: { d, _, v in d.acknowledge(UInt32(truncatingIfNeeded: v)) })
        map.computed(
            0x070, "Status", read: { d, _ in UInt64(d.device?.status.rawValue ?? 0) },
            write: { d, _, v in d.setStatus(UInt8(truncatingIfNeeded: v)) })
        address(&map, 0x080, "QueueDesc", \.descriptors)
        address(&map, 0x090, "QueueDriver", \.driver)
        address(&map, 0x0a0, "QueueDevice", \.device)
        // There is no shared memory.
        map.computed(0x0ac, "SHMSel", write: { _, _, _ in })
        map.reserved(0x0b0, "SHMLenLow", value: 0xffff_ffff)
        map.reserved(0x0b4, "SHMLenHigh", value: 0xffff_ffff)
        map.reserved(0x0b8, "SHMBaseLow", value: 0xffff_ffff)
        map.reserved(0x0bc, "SHMBaseHigh", value: 0xffff_ffff)
        map.computed(0x0fc, "ConfigGeneration", read: { d, _ in UInt64(d.device?.generation ?? 0) })
        map.computed(
            Self.configurationStart, "Config", width: 1, count: 0x100,
            read: { d, index in
                let bytes = d.device?.configuration ?? []
                return index < bytes.count ? UInt64(bytes[index]) : 0
            }, write: { d, index, v in d.device?.configure(index, UInt8(truncatingIfNeeded: v)) })
    }

    /// The two halves of an address of the selected queue.
    private func address(
        _ map: inout RegisterMap<VirtioMMIO>, _ offset: UInt64, _ name: String,
        _ field: WritableKeyPath<RingPlace, UInt64> & Sendable
    ) {
        for (half, suffix) in ["Low", "High"].enumerated() {
            let shift = UInt64(32 * half)
            map.computed(
                offset + UInt64(4 * half), name + suffix,
                write: { d, _, v in
                    guard let queue = d.queue, !queue.isReady else { return }
                    queue.place[keyPath: field] =
                        queue.place[keyPath: field] & ~(0xffff_ffff &<< shift) | (v & 0xffff_ffff) &<< shift
                })
        }
    }

    private func setStatus(_ value: UInt8) {
        if value == 0 {
            causes = 0
            line(0).set(false)
        }
        device?.setStatus(value)
    }

    private func acknowledge(_ bits: UInt32) {
        causes &= ~bits
        line(0).set(causes != 0)
    }

    // MARK: for the device

    func interrupt(_ queue: VirtQueue) { raise(Cause.queue) }
    func configurationChanged() { raise(Cause.configuration) }

    private func raise(_ cause: UInt32) {
        causes |= cause
        line(0).set(true)
    }

    public override func reset(_ kind: ResetKind) {
        device?.resetDevice()
        causes = 0
        line(0).set(false)
    }

    public override func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        try coder.field(&causes, in: 0...3)
        if let device {
            var kind = type(of: device).kind
            try coder.field(&kind, in: kind...kind)
            try device.snapshot(&coder)
        }
    }

    public override func hasLoaded() { line(0).set(causes != 0) }
}
