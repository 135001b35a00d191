// A function of a device on a PCI bus: its configuration, the addresses at which it answers, its interrupt.
//
// Source: PCI Local Bus Specification 3.0, chapter 6.

import GuestMemory
import HostOS
import SystemKit

/// What software knows a function by.
public struct PCIIdentity: Sendable {
    public var vendor: UInt16
    public var device: UInt16
    public var revision: UInt8
    /// Base class and subclass.
    public var classCode: UInt16
    public var subsystemVendor: UInt16
    public var subsystem: UInt16
    /// It has an interrupt, by the first pin.
    public var hasInterrupt: Bool

    public init(
        vendor: UInt16, device: UInt16, revision: UInt8 = 0, classCode: UInt16, subsystemVendor: UInt16 = 0,
        subsystem: UInt16 = 0, hasInterrupt: Bool = false
    ) {
        self.vendor = vendor
        self.device = device
        self.revision = revision
        self.classCode = classCode
        self.subsystemVendor = subsystemVendor
        self.subsystem = subsystem
        self.hasInterrupt = hasInterrupt
    }
}

public enum PCISpace: Sendable { case memory, io }

/// A range of addresses that software places, by a base address register or two. (6.2.5)
public struct PCIRegion: Sendable {
    public enum Kind: Sendable { case io, memory32, memory64Prefetchable }
    /// Of its first register.
    public let bar: Int
    public let kind: Kind
    /// Bytes, a power of two.
    public let size: UInt64
    public let contents: any PhysicalDevice

    public init(bar: Int, _ kind: Kind, size: UInt64, _ contents: any PhysicalDevice) {
        self.bar = bar
        self.kind = kind
        self.size = size
        self.contents = contents
    }

    var space: PCISpace { kind == .io ? .io : .memory }
    var isWide: Bool { kind == .memory64Prefetchable }
    var offset: Int { ConfigurationSpace.Offset.bars + 4 * bar }
    /// Bits of the register that say what kind it is.
    var kindBits: UInt32 {
        switch kind {
        case .io: 1
        case .memory32: 0
        case .memory64Prefetchable: 0b1100
        }
    }
}

open class PCIFunction: Device, @unchecked Sendable {
    public private(set) final var configuration = ConfigurationSpace()
    public private(set) final var regions: [PCIRegion] = []
    private(set) final var bus: PCIBus?
    public private(set) final var address = PCIAddress(byte: 0)
    /// The function wants to interrupt.
    private var wantsInterrupt = false
    /// It does: nothing holds it back.
    private var interrupts = false

    private typealias Offset = ConfigurationSpace.Offset
    private typealias Command = ConfigurationSpace.Command
    private typealias Status = ConfigurationSpace.Status

    // MARK: while it is made

    /// Makes the header. Once, before anything else is added.
    public final func identify(_ identity: PCIIdentity, isMultifunction: Bool = false) {
        configuration.add(Offset.vendor, "Vendor ID", identity.vendor)
        configuration.add(Offset.device, "Device ID", identity.device)
        configuration.add(Offset.command, "Command", UInt16(0), mask: Command.mask)
        configuration.add(Offset.status, "Status", UInt16(0))
        configuration.add(Offset.revision, "Revision ID", identity.revision)
        configuration.add(Offset.interface, "Interface", UInt8(0))
        configuration.add(Offset.classCode, "Class Code", identity.classCode)
        configuration.add(Offset.cacheLine, "Cache Line Size", UInt8(0), mask: 0xff)
        configuration.add(Offset.latency, "Latency Timer", UInt8(0), mask: 0xff)
        configuration.add(Offset.headerType, "Header Type", UInt8(isMultifunction ? 0x80 : 0))
        configuration.add(Offset.subsystemVendor, "Subsystem Vendor ID", identity.subsystemVendor)
        configuration.add(Offset.subsystem, "Subsystem ID", identity.subsystem)
        configuration.add(Offset.capabilities, "Capabilities Pointer", UInt8(0))
        configuration.add(
            Offset.interruptLine, "Interrupt Line", UInt8(0), mask: identity.hasInterrupt ? 0xff : 0)
        configuration.add(Offset.interruptPin, "Interrupt Pin", UInt8(identity.hasInterrupt ? 1 : 0))
    }

    public final func add(_ region: PCIRegion) {
        precondition(region.size.nonzeroBitCount == 1 && region.size >= 16)
        regions.append(region)
        let mask = ~(region.size - 1)
        configuration.add(
            region.offset, "BAR\(region.bar)", region.kindBits, mask: UInt32(truncatingIfNeeded: mask))
        if region.isWide {
            configuration.add(region.offset + 4, "BAR\(region.bar + 1)", UInt32(0), mask: UInt32(mask >> 32))
        }
    }

    /// Returns where it begins.
    @discardableResult
    public final func addCapability(_ identifier: UInt8, _ name: String, _ contents: [UInt8]) -> Int {
        configuration.addCapability(identifier, name, contents)
    }

    /// Bits of a capability that software writes.
    public final func setMask<T: FixedWidthInteger>(_ offset: Int, _ mask: T) { configuration.setMask(offset, mask) }

    func join(_ bus: PCIBus, at address: PCIAddress) {
        self.bus = bus
        self.address = address
    }

    // MARK: for the function

    public final func load<T: FixedWidthInteger>(_ offset: Int, as type: T.Type) -> T {
        configuration.load(offset, as: type)
    }
    public final func store<T: FixedWidthInteger>(_ offset: Int, _ value: T) { configuration.store(offset, value) }

    /// It may access memory.
    public final var isBusMaster: Bool { command & Command.busMaster != 0 }
    public final var isMultifunction: Bool { load(Offset.headerType, as: UInt8.self) & 0x80 != 0 }

    private var command: UInt16 { load(Offset.command, as: UInt16.self) }

    /// The level of the interrupt pin, as far as the function is concerned.
    public final func setInterrupt(_ level: Bool) {
        wantsInterrupt = level
        let status = load(Offset.status, as: UInt16.self)
        store(Offset.status, level ? status | Status.interrupt : status & ~Status.interrupt)
        let now = level && command & Command.noInterrupt == 0
        if now == interrupts { return }
        interrupts = now
        bus?.interruptChanged(slot: address.slot, pin: Int(load(Offset.interruptPin, as: UInt8.self)), now)
    }

    /// Where a region is; nil: software has not enabled it.
    final func place(of region: PCIRegion) -> UInt64? {
        guard command & (region.space == .io ? Command.io : Command.memory) != 0 else { return nil }
        var base = UInt64(load(region.offset, as: UInt32.self))
        if region.isWide { base |= UInt64(load(region.offset + 4, as: UInt32.self)) &<< 32 }
        return base & ~(region.size - 1)
    }

    private func follow() {
        bus?.place(
            regions.compactMap { region in
                place(of: region).map { PCIBus.Mapping(region.space, $0, region.size, region.contents) }
            }, of: self)
        setInterrupt(wantsInterrupt)
    }

    // MARK: for software. Unlike everything else, called without the domain's lock.

    open func readConfiguration(_ offset: Int, size: Int) -> UInt64 {
        domain.lock.withLock { configuration.read(offset, size: size) }
    }

    open func writeConfiguration(_ offset: Int, size: Int, _ value: UInt64) {
        domain.lock.withLock {
            configuration.write(offset, size: size, value)
            follow()
        }
    }

    // MARK: state

    open override func reset(_ kind: ResetKind) {
        configuration.reset()
        wantsInterrupt = false
        follow()
    }

    open override func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        try configuration.snapshot(&coder)
    }

    /// Who overrides it sets the interrupt after this.
    open override func hasLoaded() { follow() }
}
