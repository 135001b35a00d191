// How harts reach a board's PCI bus.
//
// Source: IEEE 1275, PCI Bus Binding 2.1; Devicetree Specification 0.4, 2.4.3.

import DeviceTree

/// Physical addresses that lead to addresses of the bus.
public struct PCIWindowPlace: Sendable {
    public enum Kind: UInt32, Sendable { case io = 0x0100_0000, memory32 = 0x0200_0000, memory64 = 0x0300_0000 }
    public let kind: Kind
    /// On the bus.
    public let target: UInt64
    public let base: UInt64
    public let size: UInt64

    /// A row of `ranges`.
    var cells: [UInt32] {
        [kind.rawValue] + [target, base, size].flatMap { [UInt32($0 >> 32), UInt32(truncatingIfNeeded: $0)] }
    }
}

extension MachineDescription {
    /// Windows to the board's bus; none: it has none.
    public func pciWindows(for shape: MachineShape) -> [PCIWindowPlace] {
        guard let part = part("pcie-host") else { return [] }
        func value(_ name: String) -> UInt64 { part.properties.first { $0.name == name }?.value ?? 0 }
        let low = value("memory")
        // As large as it is aligned: behind RAM, or where 34 bits of addresses end.
        let highSize: UInt64 = shape.hart.width == .bits64 ? 16 << 30 : 4 << 30
        let ramEnd = ramBase + shape.ramSize
        let high = shape.hart.width == .bits64 ? (ramEnd + highSize - 1) / highSize * highSize : 12 << 30
        return [
            PCIWindowPlace(kind: .io, target: 0, base: value("io"), size: value("io-size")),
            PCIWindowPlace(kind: .memory32, target: low, base: low, size: value("memory-size")),
            PCIWindowPlace(kind: .memory64, target: high, base: high, size: highSize),
        ]
    }
}

enum PCIHost {
    /// The interrupts of a bus: the pins of four neighbours lead to four inputs, each time from the next one on; then it begins again.
    static func describeInterrupts(_ node: DeviceTreeNode, first: UInt32, _ controller: DeviceTreeNode) {
        let pins: UInt32 = 4, slotShift: UInt32 = 11
        node["interrupt-map-mask"] = .cells([.value((pins - 1) << slotShift), 0, 0, 7])
        node["interrupt-map"] = .cells(
            (0..<pins).flatMap { slot in
                (0..<pins).flatMap { pin -> [DeviceTreeCell] in
                    [
                        .value(slot << slotShift), 0, 0, .value(pin + 1), .phandle(controller),
                        .value(first + (slot + pin) % pins),
                    ]
                }
            })
    }
}
