// Chaining slots: what generated code leaves open for the engine to patch.
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

/// A slot of the region being lowered. Offsets are from the region's entry.
struct SlotUse {
    /// The patchable displacement of the jump, and the stub.
    var field: Int
    var stub = 0
    /// Guest pc that the slot leads to; of an in-line cache, the pc of the jump.
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

    var isCache: Bool { missField != 0 }

    init(_ use: SlotUse, at start: Int) {
        func place(_ offset: Int) -> UInt32 { UInt32(truncatingIfNeeded: start &+ offset) }
        pc = use.pc
        field = use.isUsed ? place(use.field) : 0
        stub = place(use.stub)
        missField = use.isCache ? place(use.missField) : 0
        miss = place(use.miss)
        word = place(use.word)
    }
}

/// The word of an in-line cache, read by generated code at any time.
struct InlineCacheWord {
    private let word: UnsafePointer<Atomic<UInt64>>
    init(_ address: UnsafeMutableRawPointer) { word = UnsafePointer(OpaquePointer(address)) }
    var pc: UInt64 { word.pointee.load(ordering: .relaxed) }
    func set(_ pc: UInt64) { word.pointee.store(pc, ordering: .releasing) }
}
