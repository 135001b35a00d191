// Chaining slots: what generated code leaves open for the engine to patch, and the other ways into a region.
//
// A `goto_tb` or `push_return` has one patchable displacement. A `goto_cached` has two and a word of data:
//
//            cmp  target, [word]        word: the pc that the cache is for, at first one that no jump has
//            jne  -> stub, once linked -> miss
//            jmp  -> stub, once linked -> translation of that pc
//     miss:  the jump cache
//     stub:  to the cpu loop, which links the slot

import CodeGen
import Synchronization

/// What an unlinked `goto_tb` or `push_return` leads to, 17 bytes: a call that never returns, and behind it what the common code reads.
///
///     call slotExit
///     .long translation << 8 | slot
///     .quad pc
enum SlotStub {
    static let payload: Int32 = 5
    static let pc: Int32 = 9
    static let size = 17

    /// The pc of the stub at an address.
    static func pc(_ stub: UnsafeRawPointer) -> UInt64 {
        stub.loadUnaligned(fromByteOffset: Int(pc), as: UInt64.self)
    }

    /// `distance`: from the end of the call to the common code.
    @inline(__always)
    static func write(_ stub: UnsafeMutableRawPointer, distance: UInt32, payload: UInt32, pc: UInt64) {
        _ = stub.put8(0xE8).put32(distance).put32(payload).put64(pc)
    }
}

extension Assembler {
    /// `cmp` or `sub` of a small number with a doubleword of the header, and a jump to the head's exit: nine bytes that every
    /// translation begins with, so they are put together here.
    mutating func headTest(_ op: ALU, _ field: Address, _ imm: UInt8, _ condition: ConditionCode) {
        guard reserve() else { return }
        let distance = -HeadExit.size &- (offset &+ 9)
        precondition(distance >= -128, "short jump too far")
        let modRM = 0x85 | op.rawValue &<< 3
        cursor = cursor.put8(0x83).put8(modRM).put32(UInt32(truncatingIfNeeded: field.value)).put8(imm)
            .put8(0x70 | condition.rawValue).put8(UInt8(truncatingIfNeeded: distance))
    }

    mutating func slotStub(_ target: UInt, payload: UInt32, pc: UInt64) {
        guard reserve() else { return }
        let end = address &+ UInt(SlotStub.payload)
        SlotStub.write(cursor, distance: UInt32(truncatingIfNeeded: target &- end), payload: payload, pc: pc)
        cursor += SlotStub.size
    }
}

/// The way out of a region's first checks, directly before its entry: a call, so that the return address is the entry. There
/// recovery needs no record: everything is at home, and the pc is the region's.
enum HeadExit {
    static let size = 5

    /// `distance`: from the entry to the common code.
    @inline(__always)
    static func write(_ entry: UnsafeMutableRawPointer, distance: UInt32) {
        _ = (entry - size).put8(0xE8).put32(distance)
    }
}

/// The way into relative code by the pc (`CompiledRegion.movingEntry`), before `HeadExit`:
///
///     mov r11, -pc        the address that the code was made for
///     add r11, [pc global]
///     mov [delta], r11
///     jmp entry
enum MovingEntry {
    static let size = 26

    /// `pcHome`, `delta`: displacements from rbp.
    @inline(__always)
    static func write(_ entry: UnsafeMutableRawPointer, pc: UInt64, pcHome: Address, delta: Address) {
        func field(_ address: Address) -> UInt32 { UInt32(truncatingIfNeeded: address.value) }
        _ = (entry - HeadExit.size - size).put8(0x49).put8(0xBB).put64(0 &- pc)
            .put8(0x4C).put8(0x03).put8(0x9D).put32(field(pcHome))
            .put8(0x4C).put8(0x89).put8(0x9D).put32(field(delta))
            .put8(0xEB).put8(UInt8(HeadExit.size))
    }

    /// The pc that the code behind one was made for; nil: there is none.
    static func pc(_ movingEntry: UInt64) -> UInt64? {
        UnsafeRawPointer(bitPattern: UInt(movingEntry)).map {
            0 &- $0.loadUnaligned(fromByteOffset: 2, as: UInt64.self)
        }
    }
}

/// What is where a slot leads to while it is not linked.
enum SlotKind: UInt32 {
    /// The slot has a pc of its own, or, of an in-line cache, says where the target is.
    case fixed
    /// The pc is `delta` behind that of the slot.
    case moving
    /// The pc global holds the pc: a `push_return` of relative code.
    case movingReturn
}

/// A slot of the region being lowered. Offsets are from the region's entry.
struct SlotUse {
    var kind = SlotKind.fixed
    /// The patchable displacement of the jump, and the stub.
    var field: Int
    var stub = 0
    /// Guest pc that the slot leads to; of an in-line cache, the pc of the jump, if it is noted.
    var pc: UInt64
    var isUsed = true
    /// In-line cache: the patchable displacement of `jne`, the code behind it, the word of data, and the register with the target.
    var missField = 0
    var miss = 0
    var label = Label(index: 0)
    var word = 0
    var register = GPR.rax

    var isCache: Bool { missField != 0 }
    static var unused: SlotUse { SlotUse(field: 0, pc: 0, isUsed: false) }
}

/// A slot of a compiled region. Offsets are from the start of the code buffer.
struct SlotPatch: BitwiseCopyable {
    var pc: UInt64
    /// 0: the slot is not used.
    var field: UInt32
    var stub: UInt32
    var missField: UInt32
    var miss: UInt32
    var word: UInt32
    /// A `SlotKind`.
    var kind: UInt32

    var isCache: Bool { missField != 0 }

    /// No in-line cache.
    init(pc: UInt64, field: UInt32, stub: UInt32, kind: UInt32) {
        self.pc = pc
        self.field = field
        self.stub = stub
        self.kind = kind
        missField = 0
        miss = 0
        word = 0
    }

    init(_ use: SlotUse, at start: Int) {
        func place(_ offset: Int) -> UInt32 { UInt32(truncatingIfNeeded: start &+ offset) }
        pc = use.pc
        field = use.isUsed ? place(use.field) : 0
        stub = place(use.stub)
        missField = use.isCache ? place(use.missField) : 0
        miss = place(use.miss)
        word = place(use.word)
        kind = use.kind.rawValue
    }
}

/// The word of an in-line cache, read by generated code at any time.
struct InlineCacheWord {
    private let word: UnsafePointer<Atomic<UInt64>>
    /// `address`: in the writable view to set it, in either to read it.
    init(_ address: UnsafeRawPointer) { word = UnsafePointer(OpaquePointer(address)) }
    var pc: UInt64 { word.pointee.load(ordering: .relaxed) }
    func set(_ pc: UInt64) { word.pointee.store(pc, ordering: .releasing) }
}
