// The op table as the passes ask it: one word per opcode. Made from IR's rows, whose option sets cost calls from
// another module.

import IR

struct OpTraits {
    /// Bits 0-2: number of sources; then one bit per question.
    let word: UInt16

    init(_ row: OpcodeRow, _ opcode: Opcode) {
        let e = row.effects
        var w = UInt16(row.sources)
        if row.hasResult { w |= 1 << 3 }
        if e.isDisjoint(with: [.sideEffect, .readsMemory]) { w |= 1 << 4 }
        if e.contains(.fpFlags) { w |= 1 << 5 }
        if e.contains(.commutative) { w |= 1 << 6 }
        if !e.isDisjoint(with: [.sideEffect, .fpFlags]) { w |= 1 << 7 }
        if !e.isDisjoint(with: .needState) || opcode == .call { w |= 1 << 8 }
        if e.contains(.exit) { w |= 1 << 9 }
        word = w
    }

    @inline(__always) var sources: Int { Int(word & 7) }
    @inline(__always) var hasResult: Bool { word & 1 << 3 != 0 }
    /// The result depends on the sources alone (and on floating-point modes).
    @inline(__always) var isComputed: Bool { word & 1 << 4 != 0 }
    @inline(__always) var setsFlags: Bool { word & 1 << 5 != 0 }
    @inline(__always) var isCommutative: Bool { word & 1 << 6 != 0 }
    /// Does more than give a result.
    @inline(__always) var hasEffects: Bool { word & 1 << 7 != 0 }
    /// Guest state must be exact at the op: it may fault or leave, or a helper may look.
    @inline(__always) var looksAtState: Bool { word & 1 << 8 != 0 }
    @inline(__always) var isExit: Bool { word & 1 << 9 != 0 }
}

/// The traits by opcode.
struct OpTraitsTable {
    let rows: UnsafeMutablePointer<OpTraits>

    init() {
        rows = .allocate(capacity: Opcode.allCases.count)
        for opcode in Opcode.allCases { (rows + Int(opcode.rawValue)).initialize(to: OpTraits(opcode.row, opcode)) }
    }
    func deallocate() { rows.deallocate() }

    @inline(__always) subscript(_ opcode: Opcode) -> OpTraits { rows[Int(opcode.rawValue)] }
    @inline(__always) func sources(_ op: Op) -> Int { op.opcode == .call ? op.callArguments : self[op.opcode].sources }
}
