// How harts reach a bus: by windows in the physical address space. A window stays where it is; what software moves is what answers in it.

import GuestMemory
import SystemKit

/// What nobody answers to.
private func ones(_ size: Int) -> UInt64 { size >= 8 ? .max : 1 &<< UInt64(8 * size) &- 1 }

/// Configuration, a page for each function. (PCI Express Base Specification 3.0, 7.2.2)
public final class ECAMWindow: PhysicalDevice {
    private let bus: PCIBus

    public init(_ bus: PCIBus) { self.bus = bus }

    /// Of the 256 buses only the first is there.
    private func find(_ offset: UInt64) -> (PCIFunction, Int)? {
        let number = offset &>> 12
        guard number < bus.functions.count, let function = bus.functions[Int(number)] else { return nil }
        return (function, Int(offset & 0xfff))
    }

    public func read(_ offset: UInt64, size: Int) -> UInt64? {
        guard let (function, at) = find(offset) else { return ones(size) }
        return function.readConfiguration(at, size: size)
    }

    public func write(_ offset: UInt64, size: Int, _ value: UInt64) -> Bool {
        if let (function, at) = find(offset) { function.writeConfiguration(at, size: size, value) }
        return true
    }
}

/// Addresses of the bus from `base` on.
public final class PCIWindow: PhysicalDevice {
    private let bus: PCIBus
    private let space: PCISpace
    private let base: UInt64

    public init(_ bus: PCIBus, _ space: PCISpace, base: UInt64) {
        self.bus = bus
        self.space = space
        self.base = base
    }

    public func read(_ offset: UInt64, size: Int) -> UInt64? {
        guard let (contents, at) = bus.find(space, base &+ offset, size: size) else { return ones(size) }
        return contents.read(at, size: size) ?? ones(size)
    }

    public func write(_ offset: UInt64, size: Int, _ value: UInt64) -> Bool {
        if let (contents, at) = bus.find(space, base &+ offset, size: size) {
            _ = contents.write(at, size: size, value)
        }
        return true
    }
}
