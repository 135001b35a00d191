// Machines as data: what is where, which interrupts it has and what the device tree says of it.

/// A whole board. What a run chooses is in `MachineShape`.
public struct MachineDescription: Sendable {
    public let name: String
    public let summary: String
    public let hartLimit: Int
    public let ramBase: UInt64
    /// What `-m` is when it is not given.
    public let usualRAM: UInt64
    /// Ticks of the harts' timer in a second.
    public let timerFrequency: UInt32
    /// Names of the board in its device tree.
    public let model: String, compatible: String
    /// What harts do first; nil: they are started by `-device loader` alone.
    public let reset: ResetROM?
    /// Widest paging that the board's tree offers harts, as the number in `riscv,sv57`.
    public let widestPaging: Int
    /// In the order in which their nodes are in the tree.
    public var parts: [Part]

    /// A program says where the two words of the host-target interface are, in memory of its own: the device is there, a page around them.
    public mutating func moveHostInterface(to words: (to: UInt64, from: UInt64?)) {
        guard let index = parts.firstIndex(where: { $0.device == "htif" }) else { return }
        let page = words.to & ~(Self.pageSize - 1)
        let from = words.from.flatMap { $0 & ~(Self.pageSize - 1) == page ? $0 : nil } ?? words.to ^ 8
        parts[index] = Part(
            "htif", at: page, size: Self.pageSize,
            properties: [("tohost", words.to - page), ("fromhost", from - page)], nodes: parts[index].nodes)
    }

    /// Where the first bank of flash memory is; nil: there is none.
    public var flashBase: UInt64? { part("cfi-flash")?.base }

    public func part(_ device: String) -> Part? { parts.first { $0.device == device } }
}

/// A device of a board.
public struct Part: Sendable {
    /// The device's name.
    public let device: String
    public let base: UInt64
    public let size: UInt64
    /// Its input of the interrupt controller.
    public let interrupt: UInt32?
    /// Numbers that make it this board's, by the names of the device's properties.
    public let properties: [(name: String, value: UInt64)]
    /// Its nodes in the device tree; none: software finds it by itself.
    public let nodes: [TreeRow]

    public init(
        _ device: String, at base: UInt64, size: UInt64, interrupt: UInt32? = nil,
        properties: [(name: String, value: UInt64)] = [], nodes: [TreeRow] = []
    ) {
        self.device = device
        self.base = base
        self.size = size
        self.interrupt = interrupt
        self.properties = properties
        self.nodes = nodes
    }
}

/// A node of the device tree.
public struct TreeRow: Sendable {
    public enum Place: Sendable { case root, soc }
    public enum Content: Sendable {
        case compatible([String])
        /// `reg`: the part's own range.
        case registers
        /// `reg`: starts and sizes in turn.
        case otherRegisters([UInt64])
        /// `interrupts` and `interrupt-parent`.
        case interrupt
        /// `interrupts-extended`: for each hart, each of these inputs of its own controller.
        case hartInterrupts([UInt32])
        case cell(String, UInt32)
        case cells(String, [UInt32])
        case text(String, String)
        case empty(String)
        /// `interrupt-controller` with these cells an interrupt.
        case interruptController(cells: UInt32)
        /// A reference to the first node of a part, by the device's name.
        case reference(String, to: String)
        /// `interrupt-map` and its mask, of a bus whose first interrupt is the part's.
        case pciInterrupts
        /// `ranges`: the windows to a bus.
        case pciWindows
    }
    public enum Unit: Sendable { case none, part, address(UInt64) }
    public let place: Place
    /// Without the unit address.
    public let name: String
    public let unit: Unit
    public let contents: [Content]

    /// The unit address is the part's, where the node has registers.
    public init(_ name: String, in place: Place = .soc, unit: Unit? = nil, _ contents: [Content]) {
        let hasRegisters = contents.contains { if case .registers = $0 { true } else { false } }
        self.place = place
        self.name = name
        self.unit = unit ?? (hasRegisters ? .part : .none)
        self.contents = contents
    }
}

/// XLEN of a machine's harts.
public enum HartWidth: Int, Sendable {
    case bits32 = 32
    case bits64 = 64
}

/// A hart as its node tells of it. All harts are alike.
public struct HartShape: Sendable {
    public var width: HartWidth
    /// Extensions in the canonical order, single letters first: `i`, `m`, ..., `zicsr`.
    public var extensions: [String]
    /// The widest paging mode that it has: 32, 39, 48, 57; nil: none.
    public var paging: Int?
    /// Cache blocks in bytes, for the extensions that work on them: (`cbom`, 64).
    public var cacheBlocks: [(name: String, size: UInt32)]

    public init(
        width: HartWidth, extensions: [String], paging: Int?, cacheBlocks: [(name: String, size: UInt32)] = []
    ) {
        self.width = width
        self.extensions = extensions
        self.paging = paging
        self.cacheBlocks = cacheBlocks
    }
}

/// What a run chooses of its machine.
public struct MachineShape: Sendable {
    public var hart: HartShape
    public var hartCount: Int
    /// Bytes.
    public var ramSize: UInt64

    public init(hart: HartShape, hartCount: Int, ramSize: UInt64) {
        self.hart = hart
        self.hartCount = hartCount
        self.ramSize = ramSize
    }
}

extension MachineDescription {
    public static let pageSize: UInt64 = 4096

    /// Refuses shapes that the machine cannot have.
    public func check(_ shape: MachineShape) throws(MachineError) {
        guard 1...hartLimit ~= shape.hartCount else {
            throw MachineError("-smp \(shape.hartCount): machine \(name) has 1 to \(hartLimit) harts")
        }
        let size = shape.ramSize
        guard size >= Self.pageSize, size % Self.pageSize == 0 else {
            throw MachineError(
                "-m: \(readableSize(size)) are no RAM for machine \(name): it has whole pages of \(Self.pageSize) bytes, usually \(readableSize(usualRAM))"
            )
        }
        // What the widest page-table entries can name.
        let addressBits: UInt64 = shape.hart.width == .bits32 ? 34 : 56
        guard size <= 1 << addressBits - ramBase else {
            throw MachineError(
                "-m: \(readableSize(size)) of RAM do not fit: machine \(name) has \(addressBits) bits of physical addresses, and RAM from \(hexadecimal(ramBase)) on"
            )
        }
        if let window = pciWindows(for: shape).first(where: { $0.base > ramBase && $0.base - ramBase < size }) {
            throw MachineError(
                "-m: \(readableSize(size)) of RAM do not fit: from \(hexadecimal(window.base)) on machine \(name) has its PCI bus"
            )
        }
    }
}
