// The ROM at which harts begin: it hands firmware the hart's number, the device tree and what is to be booted.

/// Words of the ROM, little-endian. Source: for what is handed over, OpenSBI, docs/firmware/fw_dynamic.md; for the code, the Unprivileged
/// ISA, chapters 2 and 34.
public struct ResetROM: Sendable {
    public let base: UInt64
    public let size: UInt64

    /// What the code at the ROM's base loads, by its distance from there.
    private enum Offset {
        static let start = 0x18, tree = 0x20, information = 0x28
    }

    /// `start`: where harts go; `tree`: the device tree; `next`: what firmware starts, 0 for nothing.
    public func contents(width: HartWidth, start: UInt64, tree: UInt64, next: UInt64) -> [UInt8] {
        let wide = width == .bits64
        let load: UInt32 = wide ? 3 : 2  // funct3 of LD, LW
        let code: [UInt32] = [
            0x0000_0297,  // auipc t0, 0
            0x0002_8613 | UInt32(Offset.information) << 20,  // addi a2, t0, information
            0xf140_2573,  // csrr a0, mhartid
            0x0002_8583 | UInt32(Offset.tree) << 20 | load << 12,  // l a1, tree(t0)
            0x0002_8283 | UInt32(Offset.start) << 20 | load << 12,  // l t0, start(t0)
            0x0002_8067,  // jr t0
        ]
        var bytes = code.flatMap { littleEndian(UInt64($0), 4) }
        bytes += littleEndian(start, 8) + littleEndian(tree, 8)
        // struct fw_dynamic_info, in words of the harts' width: magic, version, next address, its privilege, options, boot hart.
        let magic: UInt64 = 0x4942_534f, supervisor: UInt64 = 1
        for word in [magic, 2, next, supervisor, 0, 0] { bytes += littleEndian(word, wide ? 8 : 4) }
        return bytes
    }

    private func littleEndian(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }
}
