// From files to a machine that is ready to start: everything is read and checked first, then has its place, and is written into memory at
// each reset.

import DeviceTree
import GuestMemory

/// What the user has asked to boot.
public struct BootRequest: Sendable {
    public var firmware = Firmware.usual
    public var kernel: String?
    public var initrd: String?
    /// -append.
    public var arguments: String?
    /// -dtb: a tree in place of the machine's own.
    public var tree: String?
    public var loaders: [LoaderDevice] = []
    /// The first bank of the machine's flash memory holds firmware.
    public var startsInFlash = false
    /// Where the usual firmware is looked for (`Firmware.usualFiles`).
    public var firmwareFiles: [String] = []

    public init() {}
}

/// A kernel that is left to firmware in flash memory, which asks for it.
public struct HandedKernel: Sendable {
    public var kernel: [UInt8]
    public var initrd: [UInt8]?
    public var arguments: String?
}

/// What there is to be written, and where harts begin. It holds the files' bytes: a reset reads no file.
public struct BootPlan: Sendable {
    public let machine: MachineDescription
    public let placement: Placement
    /// Everything but the device tree and the reset ROM.
    public let pieces: [ImagePiece]
    /// Where the device tree is, on a machine with a reset ROM.
    public let treeAddress: UInt64
    /// Where harts begin: in the ROM, where the machine has one.
    public let start: UInt64
    /// Harts that begin elsewhere (-device loader).
    public let starts: [Int: UInt64]
    /// Symbols `tohost` and `fromhost` of what is loaded: where a program and its host talk to each other.
    public let hostWords: (to: UInt64, from: UInt64?)?
    public let handed: HandedKernel?
    private let rom: [UInt8]
    /// The device tree with a seed of zeros.
    private let tree: [UInt8]

    /// Reads and places everything. `shape` is one that the machine can have (`MachineDescription.check`).
    public init(_ machine: MachineDescription, _ shape: MachineShape, _ request: BootRequest) throws(MachineError) {
        try machine.check(shape)
        self.machine = machine
        let images = try BootImages(machine, shape, request)
        let contents = images.contents
        let layout: BootLayout
        do throws(Placement.Conflict) {
            layout = try BootLayout(contents, ramBase: machine.ramBase, ramSize: shape.ramSize)
        } catch {
            let least = BootLayout.leastRAM(for: contents, ramBase: machine.ramBase, above: shape.ramSize)
            throw error.message(shape.ramSize, least: least)
        }
        placement = layout.placement
        pieces = images.pieces(layout)
        treeAddress = layout.tree
        tree = try images.flattenedTree(initrd: layout.initrd)
        handed = images.handed
        let flash = request.startsInFlash ? machine.flashBase : nil
        let next = images.kernel.map { $0.format == .elf ? $0.entry : layout.kernel } ?? flash
        let first = images.firmware?.entry ?? flash ?? next ?? machine.ramBase
        start = machine.reset?.base ?? first
        starts = images.starts
        hostWords = images.hostWords
        rom =
            machine.reset?.contents(width: shape.hart.width, start: first, tree: layout.tree, next: next ?? 0) ?? []
    }

    /// The tree as the machine has it after a reset with this seed, of `Chosen.seedSize` bytes.
    public func treeBlob(seed: [UInt8]) -> [UInt8] {
        var blob = tree
        let isReplaced = FlatTree.replace("rng-seed", of: "/chosen", in: &blob, with: seed)
        precondition(isReplaced, "a seed has \(Chosen.seedSize) bytes")
        return blob
    }

    /// Writes ROM and RAM as they are when harts begin, but for RAM that nothing was loaded into. No vCPU runs.
    public func write(to memory: PhysicalMap, seed: [UInt8]) throws(MachineError) {
        for piece in pieces { try Self.write(piece, to: memory) }
        guard let reset = machine.reset else { return }
        let blob = treeBlob(seed: seed)
        try Self.write(ImagePiece(address: treeAddress, bytes: blob[...], size: UInt64(blob.count)), to: memory)
        try Self.write(ImagePiece(address: reset.base, bytes: rom[...], size: reset.size), to: memory)
    }

    private static func write(_ piece: ImagePiece, to memory: PhysicalMap) throws(MachineError) {
        guard let place = memory.memory(piece.address, count: piece.size) else {
            throw MachineError("no memory at \(hexadecimal(piece.address)), where something is to be loaded")
        }
        piece.bytes.withUnsafeBytes { bytes in
            if let start = bytes.baseAddress { place.host.copyMemory(from: start, byteCount: bytes.count) }
        }
        let rest = Int(piece.size) - piece.bytes.count
        (place.host + piece.bytes.count).initializeMemory(as: UInt8.self, repeating: 0, count: rest)
    }
}
