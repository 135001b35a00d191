// The allocator's result: a flat list of steps in emission order, which a host lowers one by one. Ops carry the places of
// their operands; between them stand the moves, loads and stores that the allocation needs.

import IR

/// Where an operand is, in one byte: a register number 0...63, or one of these.
public enum Place {
    /// The operand's home: CPU state for a global, a spill slot for others (`Allocation.homeSlot`).
    @inlinable public static var memory: UInt8 { 253 }
    @inlinable public static var constant: UInt8 { 254 }
    @inlinable public static var none: UInt8 { 255 }
}

public enum StepKind: UInt8, Sendable {
    /// Lower `ops[index]` with the places below. `label` and `label2` are the targets of `br`/`brcond`.
    case op
    /// A label is here: `label`. Block labels are block ids; edge labels follow from `Region.blockCount`.
    case label
    /// dst <- a, registers of one class; `index` is the temp (only its type matters).
    case move
    /// dst <- home of temp `index`.
    case load
    /// home of temp `index` <- a (register), or <- constant when `a` is `Place.constant` (`index2`: the constant's temp).
    case store
    /// dst <- value of constant temp `index`.
    case constant
    /// Jump to `label` (end of an edge's fix-ups).
    case jump
    /// No code. From here on the home of global `index` is stale, and recovery must write it back. Its value is in register `a`; or is
    /// that of the constant `index2` when `a` is `Place.constant`, or of the global `index2` when `a` is `Place.memory`.
    case dirty
    /// No code. Global `index`'s home is current again, or the value does not matter any more.
    case clean
    /// No code. Start of a label's range: forget all dirty globals (`dirty` steps for the new state follow).
    case resetState
}

/// One step: 24 bytes.
public struct Step: Sendable {
    public var kind: StepKind
    public var dst: UInt8
    public var a: UInt8
    public var b: UInt8
    public var c: UInt8
    public var d: UInt8
    public var index: UInt32
    public var index2: UInt32
    public var label: UInt32
    public var label2: UInt32

    @inlinable @inline(__always)
    public init(
        _ kind: StepKind, dst: UInt8 = Place.none, a: UInt8 = Place.none, b: UInt8 = Place.none, c: UInt8 = Place.none,
        d: UInt8 = Place.none, index: UInt32 = 0, index2: UInt32 = 0, label: UInt32 = 0, label2: UInt32 = 0
    ) {
        self.kind = kind
        self.dst = dst
        self.a = a
        self.b = b
        self.c = c
        self.d = d
        self.index = index
        self.index2 = index2
        self.label = label
        self.label2 = label2
    }
}

/// The storage of an allocation, reused from region to region. Owned by one vCPU (or compiler thread).
public struct AllocationStorage {
    public var steps: UnsafeMutablePointer<Step>
    public var stepCount: Int
    public var stepCapacity: Int
    /// By temp: 8-byte spill slot of a non-global temp's home, or -1.
    public var homeSlot: UnsafeMutablePointer<Int16>
    public var labelCount: Int
    /// One block and the exits of its last op, directly behind it: nothing else leads to them.
    public var isFlat: Bool
    /// Ran out of steps, slots or registers that can be freed: build a smaller region.
    public var failed: Bool
}

/// A handle on an allocation.
public struct Allocation: @unchecked Sendable {
    public let s: UnsafeMutablePointer<AllocationStorage>
    @inlinable @inline(__always) public var steps: UnsafeMutablePointer<Step> { s.pointee.steps }
    @inlinable @inline(__always) public var stepCount: Int { s.pointee.stepCount }
    @inlinable @inline(__always) public func homeSlot(_ t: Temp) -> Int { Int(s.pointee.homeSlot[t.i]) }

    public static func allocate(stepCapacity: Int, tempCapacity: Int) -> Allocation {
        let p = UnsafeMutablePointer<AllocationStorage>.allocate(capacity: 1)
        p.initialize(
            to: AllocationStorage(
                steps: .allocate(capacity: stepCapacity), stepCount: 0, stepCapacity: stepCapacity,
                homeSlot: .allocate(capacity: tempCapacity), labelCount: 0, isFlat: false, failed: false))
        return Allocation(s: p)
    }

    public func deallocate() {
        s.pointee.steps.deallocate()
        s.pointee.homeSlot.deallocate()
        s.deallocate()
    }

    @inlinable @inline(__always) public func append(_ step: Step) {
        let n = s.pointee.stepCount
        if n >= s.pointee.stepCapacity {
            s.pointee.failed = true
            return
        }
        s.pointee.steps[n] = step
        s.pointee.stepCount = n &+ 1
    }
}
