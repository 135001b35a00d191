// What the monitor shows of a bus.

extension PCIBus {
    /// By class: for people, and for firmware. (IEEE 1275, PCI Bus Binding 2.1, 2.5)
    fileprivate static let classNames: [UInt16: (shown: String, firmware: String)] = [
        0x0100: ("SCSI controller", "scsi"), 0x0200: ("Ethernet controller", "ethernet"),
        0x0600: ("Host bridge", "host"), 0x0780: ("Communication controller", "communication"),
    ]

    /// Lines for `info pci`.
    public var text: String { functions.compactMap { $0.map(text) }.joined() }

    private func text(_ function: PCIFunction) -> String {
        typealias Offset = ConfigurationSpace.Offset
        func hex(_ value: UInt64, _ digits: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        func pad(_ number: Int, _ width: Int, with filling: String) -> String {
            String(repeating: filling, count: max(0, width - "\(number)".count)) + "\(number)"
        }
        return function.domain.lock.withLock {
            func identifier(_ offset: Int) -> String {
                hex(UInt64(function.load(offset, as: UInt16.self)), 4)
                    + ":" + hex(UInt64(function.load(offset + 2, as: UInt16.self)), 4)
            }
            let code = function.load(Offset.classCode, as: UInt16.self)
            var lines = [
                "  Bus  0, device \(pad(function.address.slot, 3, with: " ")), function \(function.address.function):",
                "    \(Self.classNames[code]?.shown ?? "Class \(pad(Int(code), 4, with: "0"))"): PCI device \(identifier(Offset.vendor))",
                "      PCI subsystem \(identifier(Offset.subsystemVendor))",
            ]
            let pin = function.load(Offset.interruptPin, as: UInt8.self)
            if pin > 0 {
                let letter = Character(Unicode.Scalar(UInt8(ascii: "A") + pin - 1))
                lines.append("      IRQ \(function.load(Offset.interruptLine, as: UInt8.self)), pin \(letter)")
            }
            for region in function.regions {
                let kind =
                    switch region.kind {
                    case .io: "I/O"
                    case .memory32: "32 bit memory"
                    case .memory64Prefetchable: "64 bit prefetchable memory"
                    }
                let digits = region.kind == .io ? 4 : 8
                let place = function.place(of: region).map {
                    "at 0x\(hex($0, digits)) [0x\(hex($0 &+ (region.size - 1), digits))]."
                }
                lines.append("      BAR\(region.bar): \(kind) \(place ?? "(not mapped)")")
            }
            return lines.map { $0 + "\n" }.joined() + "      id \"\(function.name)\"\n"
        }
    }
}

extension PCIFunction {
    /// Its node in paths of firmware: of its class, slot and function.
    public var firmwareNode: String {
        typealias Offset = ConfigurationSpace.Offset
        let name =
            PCIBus.classNames[load(Offset.classCode, as: UInt16.self)]?.firmware
            ?? "pci" + String(load(Offset.vendor, as: UInt16.self), radix: 16) + ","
            + String(load(Offset.device, as: UInt16.self), radix: 16)
        let function = address.function == 0 ? "" : ",\(address.function)"
        return "\(name)@\(String(address.slot, radix: 16))\(function)"
    }
}
