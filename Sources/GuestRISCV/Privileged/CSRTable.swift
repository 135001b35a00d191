// The control and status registers of a machine's hart as a table: a row per register says who may access it, where it is kept and what
// a write does. The lists are in `CSRTable+Rows`.

import GuestKit
import IR

/// One control and status register. Who may read and write it at all is part of its number (Privileged ISA, "CSR Address Mapping
/// Conventions").
struct CSR {
    /// Which bits of the 64 that are kept a register shows.
    enum Part {
        /// XLEN bits.
        case word
        /// The low ones on RV32, where another register shows the rest; on RV64 all.
        case low
        /// The upper half: on RV32 alone.
        case high
    }
    /// What follows a write.
    enum Effect {
        case none
        /// An interrupt may have become deliverable.
        case interrupts
        /// Interrupts may have been enabled altogether: those that are known to be pending count.
        case interruptEnables
        /// Fetches may find other code.
        case fetches
    }

    let number: UInt16
    let name: StaticString
    var part = Part.word
    /// Where in the state it is kept; -1: nowhere.
    var home = -1
    /// Bits that a write to its home changes.
    var mask: UInt64 = 0
    /// Its value, where it is not what is at its home.
    var read: (@Sendable (Hart) -> UInt64)?
    /// Writes it, where that is more than to change bits at its home.
    var write: (@Sendable (Hart, UInt64) -> Void)?
    /// What csrrs and csrrc start from, where it is not what they read.
    var modified: (@Sendable (Hart, _ read: UInt64) -> UInt64)?
    /// Whether an access is legal in the hart's mode, where more decides than the number.
    var isLegal: (@Sendable (Hart) -> Bool)?
    var effect = Effect.none

    var lowestPrivilege: UInt64 { Self.lowestPrivilege(number) }
    var isReadOnly: Bool { Self.isReadOnly(number) }
    /// Loads and stores of the state are all that accesses are: translated code makes them itself.
    var isPlain: Bool { home >= 0 && read == nil && write == nil && isLegal == nil && effect == .none && part == .word }

    static func lowestPrivilege(_ number: UInt16) -> UInt64 { UInt64(number >> 8 & 3) }
    static func isReadOnly(_ number: UInt16) -> Bool { number >> 10 == 3 }
}

/// How an instruction changes a register.
enum CSRChange: UInt64 { case write, setBits, clearBits, none }

/// The registers that a model has. The owner frees it.
struct CSRTable: @unchecked Sendable {
    private let rows: UnsafeMutablePointer<CSR>
    let count: Int
    /// By number: which row; `absent`: no such register.
    private let index: UnsafeMutablePointer<UInt16>
    private static let absent = UInt16.max

    init(_ list: [CSR]) {
        count = list.count
        rows = .allocate(capacity: max(1, list.count))
        _ = UnsafeMutableBufferPointer(start: rows, count: list.count).initialize(from: list)
        index = .allocate(capacity: 4096)
        index.initialize(repeating: Self.absent, count: 4096)
        for (i, row) in list.enumerated() {
            precondition(index[Int(row.number)] == Self.absent, "two rows for a register")
            index[Int(row.number)] = UInt16(i)
        }
    }

    func deallocate() {
        rows.deinitialize(count: count)
        rows.deallocate()
        index.deallocate()
    }

    /// The register with a number; nil: there is none.
    func row(_ number: Int) -> UnsafePointer<CSR>? {
        let i = index[number & 4095]
        return i == Self.absent ? nil : UnsafePointer(rows + Int(i))
    }
    subscript(_ i: Int) -> CSR { rows[i] }
}

extension Hart {
    func value(of row: UnsafePointer<CSR>) -> UInt64 {
        if let read = row.pointee.read { return read(self) }
        return row.pointee.home >= 0 ? state.load(fromByteOffset: row.pointee.home, as: UInt64.self) : 0
    }

    private func shown(_ value: UInt64, _ part: CSR.Part) -> UInt64 {
        part == .high ? value >> 32 : value & configuration.pointee.wordMask
    }

    /// What a program reads.
    func shownValue(of row: UnsafePointer<CSR>) -> UInt64 { shown(value(of: row), row.pointee.part) }

    /// An instruction's access to a register that the hart's mode may access so, as far as the number tells. Returns what it read.
    func access(_ row: UnsafePointer<CSR>, _ change: CSRChange, _ operand: UInt64) -> UInt64 {
        p.outcome = Outcome.goOn
        if let isLegal = row.pointee.isLegal, !isLegal(self) {
            p.outcome = Outcome.illegal
            return 0
        }
        let whole = value(of: row)
        let part = row.pointee.part
        let old = shown(whole, part)
        if change == .none { return old }
        let base = row.pointee.modified.map { $0(self, old) } ?? old
        let new =
            switch change {
            case .write: operand
            case .setBits: base | operand
            case .clearBits: base & ~operand
            case .none: base
            }
        write(row, part, whole, new & configuration.pointee.wordMask)
        switch row.pointee.effect {
        case .none: break
        case .interrupts: if deliverable != nil { p.outcome = Outcome.leave }
        case .interruptEnables: if deliverable(of: knownPending) != nil { p.outcome = Outcome.leave }
        case .fetches: p.outcome = Outcome.leave
        }
        return old
    }

    /// Sets a register from outside: nothing follows from it but what belongs to the register.
    func set(_ row: UnsafePointer<CSR>, _ value: UInt64) {
        write(row, row.pointee.part, self.value(of: row), value & configuration.pointee.wordMask)
    }

    private func write(_ row: UnsafePointer<CSR>, _ part: CSR.Part, _ old: UInt64, _ new: UInt64) {
        let value =
            switch part {
            case .word: new
            case .low: configuration.pointee.isNarrow ? (old & ~0xffff_ffff) | new : new
            case .high: old & 0xffff_ffff | new << 32
            }
        if let write = row.pointee.write { return write(self, value) }
        let home = row.pointee.home
        if home < 0 { return }
        let mask = row.pointee.mask
        let kept = state.load(fromByteOffset: home, as: UInt64.self) & ~mask
        state.storeBytes(of: kept | value & mask, toByteOffset: home, as: UInt64.self)
    }
}
