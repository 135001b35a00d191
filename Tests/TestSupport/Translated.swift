// What the translation tests of all guests share: guest code in, IR out.

import GuestKit
import IR

/// Where test code stands.
public let testPC: UInt64 = 0x10000

/// What a translation made.
public struct Translated {
    public let instructions: Int
    /// One past the last guest byte of the first block.
    public let end: UInt64
    public let ops: [Op]
    public let text: String
    /// What the verifier says.
    public let problems: [String]
    public let overflowed: Bool
    public let hasLeftOutCalls: Bool

    /// Translates `code` for the mode `flags`.
    public init(
        _ code: [UInt8], guest: any GuestArchitecture, flags: UInt64 = 0, plan: RegionPlan = RegionPlan(),
        profile: (any ExecutionProfile)? = nil
    ) {
        let region = Region.allocate(globals: guest.globals)
        defer { region.deallocate() }
        region.reset(pc: testPC, flags: flags)
        let storage = PlanStorage.allocate()
        defer { storage.deallocate() }
        var hasLeftOutCalls = false
        (instructions, end) = code.withUnsafeBytes { bytes in
            var unit = TranslationUnit(
                region: region, pc: testPC, flags: flags, plan: plan, code: bytes, guest: GuestLayout(guest),
                storage: storage, profile: profile)
            while unit.beginNextBlock() {
                guest.translateBlock(&unit)
                unit.endBlock()
            }
            hasLeftOutCalls = unit.hasLeftOutCalls
            return (unit.instructionCount, storage.blocks[0].end)
        }
        ops = (0..<region.opCount).map { region.ops[$0] }
        text = region.print(globals: guest.globals, helpers: guest.helpers)
        problems = region.verify(globals: guest.globals, helpers: guest.helpers)
        overflowed = region.s.pointee.overflowed
        self.hasLeftOutCalls = hasLeftOutCalls
    }

    /// Whether some path leaves for this reason.
    public func exits(with reason: GuestExit) -> Bool {
        ops.contains { $0.opcode == .exitTB && $0.imm == Int64(bitPattern: reason.word) }
    }

    public func contains(_ opcode: Opcode) -> Bool { ops.contains { $0.opcode == opcode } }
}
