// Value numbers. Each thing computed in a region gets a number; temps, globals and locals are names that hold a number
// at a time. An assignment changes which number a name holds, never what is known of a number: that is how a changed
// global does not disturb what was computed from it.
//
// A number may have several names over time. `name` finds one that holds it *here*: still holding it, and assigned on
// the way to here.

import IR

/// What a number stands for: the op that computes it from other numbers (its `key`), and what is known of its bits.
struct Value {
    var facts: Facts
    var imm: Int64
    /// opcode | type << 8 | result type << 16 | aux << 32; `opaque` when the value is just some value.
    var key: UInt64
    var a: UInt32
    var b: UInt32
    var c: UInt32
    var d: UInt32
    /// Version of what else the op reads: CPU state, floating-point modes.
    var epoch: UInt32
    /// Names that held it: the first, and the newest of the others.
    var first: Temp
    var other: Temp

    static let opaque = UInt64.max

    /// Does it compute `opcode`, on any type?
    @inline(__always) func `is`(_ opcode: Opcode) -> Bool {
        UInt8(truncatingIfNeeded: key) == opcode.rawValue && key != Value.opaque
    }
    @inline(__always) var aux: UInt16 { UInt16(truncatingIfNeeded: key &>> 32) }
    @inline(__always) var condition: Condition { Condition(rawValue: UInt8(truncatingIfNeeded: key &>> 32)) ?? .eq }

    @inline(__always) static func key(_ opcode: Opcode, _ type: ValueType, _ result: ValueType, _ aux: UInt16) -> UInt64
    {
        UInt64(opcode.rawValue) | UInt64(type.rawValue) &<< 8 | UInt64(result.rawValue) &<< 16 | UInt64(aux) &<< 32
    }
    /// Does it compute `opcode` on `type`?
    @inline(__always) func `is`(_ opcode: Opcode, _ type: ValueType) -> Bool {
        key & 0xffff == UInt64(opcode.rawValue) | UInt64(type.rawValue) &<< 8 && key != Value.opaque
    }
}

/// The table that finds a value by its key: direct mapped, never cleared: an entry is believed only if the value it
/// names, which is of this region, has the key looked for.
enum ValueHash {
    static let count = 512

    @inline(__always) static func index(_ v: Value) -> Int {
        var h = v.key &+ UInt64(bitPattern: v.imm) &* 0x9E37_79B9_7F4A_7C15
        h = (h ^ UInt64(v.a) &<< 7 ^ UInt64(v.b) &<< 21 ^ UInt64(v.c) &<< 35 ^ UInt64(v.epoch)) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: h &>> 55)
    }
}

/// Versions of what ops read besides their operands. Numbers are given once per run: equal numbers mean nothing has
/// changed.
struct Epochs {
    var state: UInt32
    var float: UInt32
}

/// What the end of a block leaves to the blocks it alone leads to (besides `snapshotGlobals`).
struct Snapshot {
    var epochs: Epochs
    var root: UInt32
    var usesEntryFacts: Bool
    // Memory.swift
    var memoryBase: UInt32 = 0
    var knownCount = 0
}
