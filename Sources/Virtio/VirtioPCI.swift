// The transport on a PCI bus: a function that connects one virtio device to the machine. Modern drivers alone can use it. (Virtio 1.2, 4.1)
//
//     region 4: common configuration at 0, interrupt status at 0x1000, the kind's configuration at 0x2000, notifications from 0x3000 on
//
// Interrupts are by pin. Where a machine has something that takes messages, MSI-X gets a capability and a region of its own; until then all
// vectors are read as none.

import EventLoop
import PCI
import SystemKit

public final class VirtioPCI: PCIFunction, RegisterDevice, VirtioTransport, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "virtio-pci", "a virtio device on a PCI bus",
            [
                Property(
                    "addr", .text, "", "SLOT or SLOT.FUNCTION, in hexadecimal digits; the first free slot unless given"),
                Property("multifunction", .flag, "off", "its slot may have other functions"),
                Property("disable-legacy", .choice(["auto", "on"]), "auto", "there is no interface of drafts anyway"),
                Property("disable-modern", .choice(["off"]), "off", "the interface of the standard is there"),
                Property("romfile", .choice([""]), "", "there is no ROM"),
            ])
    }

    private enum Region {
        static let bar = 4, part: UInt64 = 0x1000, size: UInt64 = 0x4000
        static let common: UInt64 = 0, interrupt: UInt64 = 0x1000, kind: UInt64 = 0x2000, notify: UInt64 = 0x3000
        /// Bytes from one queue's place for notifications to the next one's.
        static let notifyStride: UInt64 = 4
    }
    /// `cfg_type` of a capability. (4.1.4)
    private enum CapabilityType {
        static let common: UInt8 = 1, notify: UInt8 = 2, interrupt: UInt8 = 3, kind: UInt8 = 4, access: UInt8 = 5
    }
    private enum Cause { static let queue: UInt8 = 1, configuration: UInt8 = 2 }
    private static let vendorCapability: UInt8 = 9
    private static let noVector: UInt64 = 0xffff
    private static let identity = (vendor: UInt16(0x1af4), first: UInt16(0x1040), subsystem: UInt16(0x1100))
    /// Of kinds of devices; others are of none.
    private static let classCodes: [UInt32: UInt16] = [1: 0x0200, 2: 0x0100, 3: 0x0780, 8: 0x0100]
    private static let otherClass: UInt16 = 0x00ff

    /// What is plugged in: set before the machine runs.
    private(set) var device: VirtioDevice?
    private(set) var selection = DriverSelection()
    private var causes: UInt8 = 0
    private weak var block: RegisterBlock?
    /// Where the capability is by which the region is accessed through the configuration.
    private var access = 0

    public required init(_ context: DeviceContext) { super.init(context) }

    /// Connects a device of the same domain, before the machine runs. `block`: the registers of the transport.
    public func plug(_ device: VirtioDevice, _ block: RegisterBlock) {
        self.device = device
        self.block = block
        device.transport = self
        let kind = type(of: device).kind
        identify(
            PCIIdentity(
                vendor: Self.identity.vendor, device: Self.identity.first + UInt16(kind), revision: 1,
                classCode: Self.classCodes[kind] ?? Self.otherClass, subsystemVendor: Self.identity.vendor,
                subsystem: Self.identity.subsystem, hasInterrupt: true),
            isMultifunction: properties.flag("multifunction"))
        add(PCIRegion(bar: Region.bar, .memory64Prefetchable, size: Region.size, block))
        addCapability(CapabilityType.common, "Common", Region.common)
        addCapability(CapabilityType.interrupt, "ISR", Region.interrupt)
        addCapability(CapabilityType.kind, "Device", Region.kind)
        addCapability(CapabilityType.notify, "Notify", Region.notify, [UInt8(Region.notifyStride), 0, 0, 0])
        access = addCapability(CapabilityType.access, "Access", 0, length: 0, [0, 0, 0, 0])
        setMask(access + AccessField.bar, UInt8.max)
        setMask(access + AccessField.offset, UInt32.max)
        setMask(access + AccessField.length, UInt32.max)
        setMask(access + AccessField.data, UInt32.max)
    }

    /// `struct virtio_pci_cap`, and what follows it.
    @discardableResult
    private func addCapability(
        _ type: UInt8, _ name: String, _ offset: UInt64, length: UInt64 = Region.part, _ more: [UInt8] = []
    ) -> Int {
        var bytes = ByteWriter()
        bytes.add(UInt8(16 + more.count))
        bytes.add(type)
        bytes.add(UInt8(type == CapabilityType.access ? 0 : Region.bar))
        bytes.add(UInt8(0))
        bytes.add(UInt16(0))
        bytes.add(UInt32(offset))
        bytes.add(UInt32(length))
        return addCapability(Self.vendorCapability, name, bytes.bytes + more)
    }

    // MARK: registers

    public var span: UInt64 { Region.size }

    public func registers(_ map: inout RegisterMap<VirtioPCI>) {
        map.sizes = .any
        map.computed(
            Region.notify, "queue_notify", width: 4, count: Int(Region.part / Region.notifyStride),
            write: { d, index, _ in d.notify(index) })
        map.computed(Region.interrupt, "isr", width: 1, read: { d, _ in d.takeCauses() })
        map.computed(
            Region.kind, "device", width: 1, count: Int(Region.part),
            read: { d, index in
                let bytes = d.device?.configuration ?? []
                return index < bytes.count ? UInt64(bytes[index]) : 0
            }, write: { d, index, v in d.device?.configure(index, UInt8(truncatingIfNeeded: v)) })
        // struct virtio_pci_common_cfg (4.1.4.3)
        map.stored(0x00, "device_feature_select", \.selection.deviceFeatures)
        map.computed(0x04, "device_feature", read: { d, _ in d.offeredFeatures })
        map.stored(0x08, "driver_feature_select", \.selection.driverFeatures)
        map.computed(
            0x0c, "driver_feature", read: { d, _ in d.acceptedFeatures }, write: { d, _, v in d.acceptFeatures(v) })
        map.computed(0x10, "config_msix_vector", width: 2, read: { _, _ in Self.noVector }, write: { _, _, _ in })
        map.computed(0x12, "num_queues", width: 2, read: { d, _ in UInt64(d.device?.queues.count ?? 0) })
        map.computed(
            0x14, "device_status", width: 1, read: { d, _ in UInt64(d.device?.status.rawValue ?? 0) },
            write: { d, _, v in d.setStatus(UInt8(truncatingIfNeeded: v)) })
        map.computed(0x15, "config_generation", width: 1, read: { d, _ in UInt64(d.device?.generation ?? 0) })
        map.computed(
            0x16, "queue_select", width: 2, read: { d, _ in UInt64(d.selection.queue) },
            write: { d, _, v in d.selection.queue = UInt32(truncatingIfNeeded: v & 0xffff) })
        map.computed(
            0x18, "queue_size", width: 2, read: { d, _ in UInt64(d.queue?.place.size ?? 0) },
            write: { d, _, v in d.withQueue { $0.setSize($1, v & 0xffff) } })
        map.computed(0x1a, "queue_msix_vector", width: 2, read: { _, _ in Self.noVector }, write: { _, _, _ in })
        map.computed(
            0x1c, "queue_enable", width: 2, read: { d, _ in d.queue?.isReady == true ? 1 : 0 },
            write: { d, _, v in if v & 0xffff == 1 { d.withQueue { $0.enable($1) } } })
        map.computed(0x1e, "queue_notify_off", width: 2, read: { d, _ in UInt64(d.queue?.index ?? 0) })
        address(&map, 0x20, "queue_desc", \.descriptors)
        address(&map, 0x28, "queue_driver", \.driver)
        address(&map, 0x30, "queue_device", \.device)
    }

    /// An address of the selected queue.
    private func address(
        _ map: inout RegisterMap<VirtioPCI>, _ offset: UInt64, _ name: String,
        _ field: WritableKeyPath<RingPlace, UInt64> & Sendable
    ) {
        map.computed(
            offset, name, width: 8, read: { d, _ in d.queue?.place[keyPath: field] ?? 0 },
            write: { d, _, v in
                guard let queue = d.queue, !queue.isReady else { return }
                queue.place[keyPath: field] = v
            })
    }

    private func notify(_ index: Int) {
        guard isBusMaster else {
            return guestError("queue \(index) is notified, but the function may not access memory")
        }
        device?.notify(index)
    }

    /// Reading the causes takes them back. (4.1.4.5)
    private func takeCauses() -> UInt64 {
        defer {
            causes = 0
            setInterrupt(false)
        }
        return UInt64(causes)
    }

    private func setStatus(_ value: UInt8) {
        if value == 0 {
            causes = 0
            setInterrupt(false)
        }
        device?.setStatus(value)
    }

    // MARK: for the device

    func interrupt(_ queue: VirtQueue) { raise(Cause.queue) }
    func configurationChanged() { raise(Cause.configuration) }

    private func raise(_ cause: UInt8) {
        causes |= cause
        setInterrupt(true)
    }

    // MARK: the region through the configuration (4.1.4.9)

    /// Fields of the capability, from its beginning on.
    private enum AccessField { static let bar = 4, offset = 8, length = 12, data = 16 }

    /// Where in the region an access leads that touches the data; nil: it touches none, or what is set up leads nowhere.
    private func accessed(_ offset: Int, _ size: Int) -> (offset: UInt64, size: Int)? {
        guard access > 0, offset < access + AccessField.data + 4, access + AccessField.data < offset + size else {
            return nil
        }
        return domain.lock.withLock {
            let length = load(access + AccessField.length, as: UInt32.self)
            let at = UInt64(load(access + AccessField.offset, as: UInt32.self))
            guard load(access + AccessField.bar, as: UInt8.self) == Region.bar, [1, 2, 4].contains(length),
                at & UInt64(length - 1) == 0, at < Region.size
            else { return nil }
            return (at, Int(length))
        }
    }

    public override func readConfiguration(_ offset: Int, size: Int) -> UInt64 {
        if let (at, length) = accessed(offset, size), let value = block?.read(at, size: length) {
            domain.lock.withLock { store(access + AccessField.data, UInt32(truncatingIfNeeded: value)) }
        }
        return super.readConfiguration(offset, size: size)
    }

    public override func writeConfiguration(_ offset: Int, size: Int, _ value: UInt64) {
        super.writeConfiguration(offset, size: size, value)
        if let (at, length) = accessed(offset, size) {
            let data = domain.lock.withLock { load(access + AccessField.data, as: UInt32.self) }
            _ = block?.write(at, size: length, UInt64(data))
        }
    }

    // MARK: state

    public override func reset(_ kind: ResetKind) {
        device?.resetDevice()
        selection = DriverSelection()
        causes = 0
        super.reset(kind)
    }

    public override func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        try super.snapshot(&coder)
        try coder.field(&causes, in: 0...3)
        try coder.field(&selection.queue, in: 0...0xffff)
        if let device {
            var kind = type(of: device).kind
            try coder.field(&kind, in: kind...kind)
            try device.snapshot(&coder)
        }
    }

    public override func hasLoaded() {
        super.hasLoaded()
        setInterrupt(causes != 0)
    }
}
