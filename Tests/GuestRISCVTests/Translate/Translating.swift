// What the translation tests share: guest words in, IR out.

import GuestKit
import GuestRISCV
import IR

/// Where test code stands.
let testPC: UInt64 = 0x10000

/// What a translation made.
struct Translated {
    let instructions: Int
    /// One past the last guest byte of the first block.
    let end: UInt64
    let ops: [Op]
    let text: String
    /// What the verifier says.
    let problems: [String]
    let overflowed: Bool
    let hasLeftOutCalls: Bool

    /// Translates `code` for rounding class `flags`.
    init(
        _ code: [UInt8], guest: RISCVGuest = RISCVGuest(cpu: .standard), flags: UInt64 = 0,
        plan: RegionPlan = RegionPlan(), profile: (any ExecutionProfile)? = nil
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
    func exits(with reason: GuestExit) -> Bool {
        ops.contains { $0.opcode == .exitTB && $0.imm == Int64(reason.rawValue) }
    }

    func contains(_ opcode: Opcode) -> Bool { ops.contains { $0.opcode == opcode } }
}

/// Instructions to bytes: two for a compressed one, else four.
func bytes(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in
        (0..<(word & 3 == 3 ? 4 : 2)).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) }
    }
}
