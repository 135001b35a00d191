// What a machine is put together on: addresses, devices in the order they were added, and what is done to all of them.

import Diagnostics
import EventLoop
import GuestMemory

public enum BoardError: Error, Equatable, CustomStringConvertible {
    case overlap(String)
    case sameName(String)

    public var description: String {
        switch self {
        case .overlap(let name): "\(name) lies over something else in the physical address space"
        case .sameName(let name): "there are two devices '\(name)'"
        }
    }
}

public final class Board {
    public let map: PhysicalMap
    public let loop: EventLoop
    public let control: RunControl
    public let dma: DMA
    /// The main loop's devices.
    public let domain: Domain
    public private(set) var blocks: [RegisterBlock] = []

    public init(
        _ control: RunControl, diagnostics: Diagnostics = .silent, written: @escaping DMA.Written = { _, _, _ in }
    ) {
        map = PhysicalMap()
        loop = control.loop
        self.control = control
        dma = DMA(map, written: written)
        domain = Domain(loop, diagnostics: diagnostics)
    }

    public func add(_ memory: RAMBlock, at address: UInt64) throws(BoardError) {
        let range = PhysicalRange(memory.name, start: address, size: memory.size, .memory(memory))
        if !map.add(range) { throw .overlap(memory.name) }
    }

    /// Makes a device and places its registers. It is in the state of a cold reset. `coversMemory`: they take the place of memory.
    @discardableResult
    public func add<D: RegisterDevice>(
        _ type: D.Type, _ name: String, at address: UInt64, lines: [IRQLine] = [], _ properties: String = "",
        coversMemory: Bool = false,
        _ adjust: (inout DeviceContext) -> Void = { _ in }
    ) throws -> D {
        var context = context(name, try Properties(D.descriptor, parsing: properties))
        context.lines = lines
        adjust(&context)
        return try add(type, context) { _, block throws(BoardError) in
            try place(block, name, at: address, size: block.size, coversMemory: coversMemory)
        }
    }

    /// The same for a device whose registers somebody else places, such as a bus: `place` is given them.
    @discardableResult
    public func add<D: RegisterDevice>(
        _ type: D.Type, _ context: DeviceContext, place: (D, RegisterBlock) throws -> Void
    ) throws -> D {
        try checkName(context.name)
        let device = D(context), block = Registers(device)
        try place(device, block)
        blocks.append(block)
        return device
    }

    /// Takes a device's registers over, which somebody else places.
    public func add(_ block: RegisterBlock) throws(BoardError) {
        try checkName(block.device.name)
        blocks.append(block)
    }

    private func checkName(_ name: String) throws(BoardError) {
        if blocks.contains(where: { $0.device.name == name }) { throw .sameName(name) }
    }

    /// Places what is no device of its own, such as a window to a bus.
    public func place(
        _ contents: any PhysicalDevice, _ name: String, at address: UInt64, size: UInt64, coversMemory: Bool = false
    ) throws(BoardError) {
        let range = PhysicalRange(name, start: address, size: size, .device(contents))
        if !(coversMemory ? map.cover(range) : map.add(range)) { throw BoardError.overlap(name) }
    }

    /// What a device is made with that is not connected to anything.
    public func context(_ name: String, _ properties: Properties) -> DeviceContext {
        DeviceContext(name, domain, properties, dma: dma, control: control)
    }

    /// In the order they were added. No vCPU runs meanwhile.
    public func reset(_ kind: ResetKind) {
        for block in blocks { block.reset(kind) }
    }

    /// The virtual clock and all devices. No vCPU runs meanwhile.
    public func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        try coder.section("clock") { coder, _ throws(SnapshotError) in
            var time = loop.clocks.now(.virtual)
            try coder.field(&time)
            if coder.isLoading { loop.clocks.set(time) }
        }
        for block in blocks { try block.snapshot(&coder) }
    }

    /// Lines for `info mtree`. `registers`: those of each device too.
    public func tree(registers: Bool = false) -> String {
        func hex(_ value: UInt64, _ digits: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        var text = ""
        for range in map.ranges {
            text += "\(hex(range.start, 16))-\(hex(range.start &+ (range.size &- 1), 16))  "
            switch range.content {
            case .memory(let block): text += "\(block.isReadOnly ? "rom" : "ram")  \(range.name)\n"
            case .device(let device):
                let block = device as? RegisterBlock
                text += "i/o  \(range.name)" + (block.map { " (\(type(of: $0.device).descriptor.name))" } ?? "") + "\n"
                guard registers, let block else { continue }
                for row in block.rows {
                    let many = row.count > 1 ? " x \(row.count), every 0x\(hex(row.stride, 1))" : ""
                    text +=
                        "    +0x\(hex(row.offset, 4))  \(row.name)  \(row.width) bytes, \(row.kind.rawValue)\(many)\n"
                }
            }
        }
        return text
    }
}
