// The device tree of a machine, from its rows and the shape that a run has chosen.
//
// Sources: Devicetree Specification 0.4, chapter 3; Linux, Documentation/devicetree/bindings/riscv.

import DeviceTree

extension MachineDescription {
    /// A new tree, without what a boot adds to `/chosen`.
    public func deviceTree(for shape: MachineShape) -> DeviceTreeNode {
        let root = DeviceTreeNode()
        root["#address-cells"] = .cell(2)
        root["#size-cells"] = .cell(2)
        root["compatible"] = .string(compatible)
        root["model"] = .string(model)
        root.add(DeviceTreeNode("chosen"))
        let memory = root.add(DeviceTreeNode("memory", at: ramBase))
        memory["device_type"] = .string("memory")
        memory["reg"] = .quads([ramBase, shape.ramSize])
        let controllers = addHarts(to: root, shape)
        let soc = root.add(DeviceTreeNode("soc"))
        soc["#address-cells"] = .cell(2)
        soc["#size-cells"] = .cell(2)
        soc["compatible"] = .string("simple-bus")
        soc["ranges"] = .empty
        addParts(root: root, soc: soc, controllers, shape)
        return root
    }

    /// Returns the harts' interrupt controllers.
    private func addHarts(to root: DeviceTreeNode, _ shape: MachineShape) -> [DeviceTreeNode] {
        let hart = shape.hart
        let harts = root.add(DeviceTreeNode("cpus"))
        harts["#address-cells"] = .cell(1)
        harts["#size-cells"] = .cell(0)
        harts["timebase-frequency"] = .cell(timerFrequency)
        let cluster = DeviceTreeNode("cluster0")
        let controllers = (0..<shape.hartCount).map { index in
            let node = harts.add(DeviceTreeNode("cpu", at: UInt64(index)))
            node["device_type"] = .string("cpu")
            node["reg"] = .cell(UInt32(index))
            node["status"] = .string("okay")
            node["compatible"] = .string("riscv")
            for block in hart.cacheBlocks { node["riscv,\(block.name)-block-size"] = .cell(block.size) }
            node["riscv,isa-extensions"] = .strings(hart.extensions)
            node["riscv,isa-base"] = .string(hart.base)
            node["riscv,isa"] = .string(hart.isa)
            if let paging = hart.paging { node["mmu-type"] = .string("riscv,sv\(min(paging, widestPaging))") }
            let controller = node.add(DeviceTreeNode("interrupt-controller"))
            controller["#interrupt-cells"] = .cell(1)
            controller["interrupt-controller"] = .empty
            controller["compatible"] = .string("riscv,cpu-intc")
            cluster.add(DeviceTreeNode("core\(index)"))["cpu"] = .phandle(node)
            return controller
        }
        harts.add(DeviceTreeNode("cpu-map")).add(cluster)
        return controllers
    }

    private func addParts(
        root: DeviceTreeNode, soc: DeviceTreeNode, _ harts: [DeviceTreeNode], _ shape: MachineShape
    ) {
        // First all nodes, since they refer to each other.
        var made: [(part: Part, row: TreeRow, node: DeviceTreeNode)] = []
        for part in parts {
            for row in part.nodes {
                let node =
                    switch row.unit {
                    case .none: DeviceTreeNode(row.name)
                    case .part: DeviceTreeNode(row.name, at: part.base)
                    case .address(let address): DeviceTreeNode(row.name, at: address)
                    }
                (row.place == .soc ? soc : root).add(node)
                made.append((part, row, node))
            }
        }
        func node(of device: String) -> DeviceTreeNode? { made.first { $0.part.device == device }?.node }
        for (part, row, made) in made {
            for content in row.contents {
                switch content {
                case .compatible(let names): made["compatible"] = .strings(names)
                case .registers: made["reg"] = .quads([part.base, part.size])
                case .otherRegisters(let ranges): made["reg"] = .quads(ranges)
                case .interrupt:
                    guard let interrupt = part.interrupt, let controller = node(of: "plic") else { continue }
                    made["interrupts"] = .cell(interrupt)
                    made["interrupt-parent"] = .phandle(controller)
                case .hartInterrupts(let inputs):
                    made["interrupts-extended"] = .cells(
                        harts.flatMap { hart in inputs.flatMap { [.phandle(hart), .value($0)] } })
                case .cell(let name, let value): made[name] = .cell(value)
                case .cells(let name, let values): made[name] = .cells(values.map { .value($0) })
                case .text(let name, let text): made[name] = .string(text)
                case .empty(let name): made[name] = .empty
                case .interruptController(let cells):
                    made["interrupt-controller"] = .empty
                    made["#interrupt-cells"] = .cell(cells)
                case .reference(let name, let device): made[name] = node(of: device).map { .phandle($0) }
                case .pciInterrupts:
                    guard let interrupt = part.interrupt, let controller = node(of: "plic") else { continue }
                    PCIHost.describeInterrupts(made, first: interrupt, controller)
                case .pciWindows:
                    made["ranges"] = .cells(pciWindows(for: shape).flatMap(\.cells).map { .value($0) })
                }
            }
        }
        addConsole(root)
    }

    /// Where messages go, and the number that Linux gives the serial line.
    private func addConsole(_ root: DeviceTreeNode) {
        let console = [("ns16550a", "/soc/serial@"), ("htif", "/htif")].first { part($0.0) != nil }
        guard let console, let part = part(console.0) else { return }
        let path = console.1.hasSuffix("@") ? console.1 + String(part.base, radix: 16) : console.1
        root.childMade("chosen")["stdout-path"] = .string(path)
        if console.0 == "ns16550a" { root.childMade("aliases")["serial0"] = .string(path) }
    }
}

extension HartShape {
    /// `riscv,isa-base`.
    public var base: String { "rv\(width.rawValue)i" }

    /// `riscv,isa`: single letters run together, the others behind underscores.
    public var isa: String {
        let letters = extensions.filter { $0.count == 1 }.joined()
        return (["rv\(width.rawValue)" + letters] + extensions.filter { $0.count > 1 }).joined(separator: "_")
    }
}

// MARK: What a boot changes, in a tree of ours or of the user's

/// What a kernel is told in `/chosen`.
public struct Chosen: Sendable {
    public var arguments: String?
    /// The initial RAM disk: [start, end).
    public var initrd: Range<UInt64>?
    /// Random bytes for the kernel's generator, new at each reset.
    public var seed: [UInt8]?

    public init(arguments: String? = nil, initrd: Range<UInt64>? = nil, seed: [UInt8]? = nil) {
        self.arguments = arguments
        self.initrd = initrd
        self.seed = seed
    }

    /// Bytes of a seed.
    public static let seedSize = 32
}

extension DeviceTreeNode {
    /// Sets what is given, leaves the rest of a root's `/chosen` as it is.
    public func choose(_ chosen: Chosen) {
        let node = childMade("chosen")
        if let arguments = chosen.arguments { node["bootargs"] = .string(arguments) }
        if let initrd = chosen.initrd {
            node["linux,initrd-start"] = .quads([initrd.lowerBound])
            node["linux,initrd-end"] = .quads([initrd.upperBound])
        }
        if let seed = chosen.seed { node["rng-seed"] = .bytes(seed) }
    }

    /// Makes a root's memory [start, start + size), in cells as wide as the root has them: nodes for other memory go.
    public func setMemory(start: UInt64, size: UInt64) throws(DeviceTreeError) {
        func cells(_ value: UInt64, _ property: String) throws(DeviceTreeError) -> [DeviceTreeCell] {
            switch cellsProperty(property) {
            case 1 where value <= UInt64(UInt32.max): return [.value(UInt32(value))]
            case 2: return [.value(UInt32(value >> 32)), .value(UInt32(truncatingIfNeeded: value))]
            default: throw DeviceTreeError("the root's \(property) does not hold \(hexadecimal(value)); 2 does")
            }
        }
        let reg = try cells(start, "#address-cells") + cells(size, "#size-cells")
        removeChildren { $0.text("device_type") == "memory" }
        let memory = add(DeviceTreeNode("memory", at: start))
        memory["device_type"] = .string("memory")
        memory["reg"] = .cells(reg)
    }

    /// #address-cells or #size-cells; what a tree without them means (chapter 2.3.5).
    private func cellsProperty(_ name: String) -> UInt32 {
        cells(name)?.first ?? (name == "#address-cells" ? 2 : 1)
    }
}
