// A region: the unit of translation. A control-flow graph of blocks over one flat array of ops, from one guest basic block
// up to a whole loop nest.
//
// Storage is raw memory behind one pointer, owned by whoever called `allocate` and reused from region to region: the
// translator's hot path neither counts references nor allocates. Invariants, proved by `verify`:
// - a block's ops are `ops[start ..< end]`; exactly its last op is a terminator; blocks are disjoint.
// - globals are temps 0 ..< globalCount, the same in every region of a guest; they may be assigned anywhere.
// - a `.temp` is assigned once, before its uses in every path; a `.local` may be assigned several times; a constant never.

/// What a temp is.
public enum TempKind: UInt8, Sendable {
    /// Guest state at a fixed offset from the CPU-state pointer.
    case global
    /// Assigned exactly once.
    case temp
    /// A region-local variable: may be assigned several times.
    case local
    /// An integer constant (floating-point constants are bitcasts of these).
    case const
}

/// One temp.
public struct TempInfo: Sendable {
    public var kind: TempKind
    public var type: ValueType
    /// `.global`: byte offset of its home from the CPU-state pointer. `.const`: the value (an i32's is sign-extended).
    public var value: Int64

    @inlinable public init(kind: TempKind, type: ValueType, value: Int64) {
        self.kind = kind
        self.type = type
        self.value = value
    }
}

/// One block.
public struct Block: Sendable {
    /// First op and one past the last, in the region's op array.
    public var start: UInt32
    public var end: UInt32
    /// Guest address the block begins at; 0 for blocks inside one instruction.
    public var guestPC: UInt64
    /// Rarely executed: placed out of line, last to get registers.
    public var isCold: Bool
    /// A loop header: it has an incoming back edge, holds a `check_exit`.
    public var isLoopHeader: Bool
    /// How often it is expected to run, beside the other blocks of the region; 0 when that is not known.
    public var weight: UInt32

    @inlinable public init(
        start: UInt32, end: UInt32, guestPC: UInt64, isCold: Bool = false, isLoopHeader: Bool = false,
        weight: UInt32 = 0
    ) {
        self.start = start
        self.end = end
        self.guestPC = guestPC
        self.isCold = isCold
        self.isLoopHeader = isLoopHeader
        self.weight = weight
    }
}

/// A guest global as the guest describes it to the engine.
public struct GlobalDescriptor: Sendable {
    public let name: String
    public let type: ValueType
    /// Byte offset from the CPU-state pointer.
    public let offset: Int
    public init(name: String, type: ValueType, offset: Int) {
        self.name = name
        self.type = type
        self.offset = offset
    }
}

/// The storage behind `Region`.
public struct RegionStorage {
    public var ops: UnsafeMutablePointer<Op>
    public var opCount: Int
    public var opCapacity: Int
    public var temps: UnsafeMutablePointer<TempInfo>
    public var tempCount: Int
    public var tempCapacity: Int
    public var blocks: UnsafeMutablePointer<Block>
    public var blockCount: Int
    public var blockCapacity: Int
    public var globalCount: Int
    /// Chaining slots used by `goto_tb`, `push_return` and `goto_cached`.
    public var slotCount: Int
    public var guestPC: UInt64
    public var guestFlags: UInt64
    /// Guest instructions translated, and bytes they cover (from `guestPC` for a one-block region).
    public var guestInstructions: Int
    public var guestLength: Int
    /// Guest address of the instruction being built, and whether its mark has yet to be set in the block being built.
    @usableFromInline var instructionPC: UInt64
    @usableFromInline var instructionWord: UInt16 = 0
    @usableFromInline var isMarkPending: Bool
    /// Marks every instruction, for dumps; otherwise only those with ops that report their pc.
    public var marksEachInstruction = false
    /// Set when a fixed capacity ran out; the region must be built again, smaller.
    public var overflowed: Bool
    /// Constants by hash of value and type: index of the newest temp + 1, 0 = none. 64 entries, direct mapped.
    @usableFromInline var constCache: UnsafeMutablePointer<UInt32>
}

/// A handle on a region's storage. Copies refer to the same region.
public struct Region: @unchecked Sendable {
    /// Owned by the vCPU (or test) that allocated it; one thread at a time.
    public let s: UnsafeMutablePointer<RegionStorage>

    public static let constCacheSize = 64
    /// Chaining slots a region may have.
    public static let slotLimit = 256
    /// An odd address that no instruction has.
    @usableFromInline static var noInstruction: UInt64 { .max }

    /// Allocates storage for regions of a guest with these globals.
    public static func allocate(
        globals: [GlobalDescriptor], opCapacity: Int = 8192, tempCapacity: Int = 8192, blockCapacity: Int = 512
    ) -> Region {
        let region = Region(s: .allocate(capacity: 1))
        let constCache = UnsafeMutablePointer<UInt32>.allocate(capacity: constCacheSize)
        constCache.initialize(repeating: 0, count: constCacheSize)
        region.s.initialize(
            to: RegionStorage(
                ops: .allocate(capacity: opCapacity), opCount: 0, opCapacity: opCapacity,
                temps: .allocate(capacity: tempCapacity), tempCount: globals.count, tempCapacity: tempCapacity,
                blocks: .allocate(capacity: blockCapacity), blockCount: 0, blockCapacity: blockCapacity,
                globalCount: globals.count, slotCount: 0, guestPC: 0, guestFlags: 0, guestInstructions: 0,
                guestLength: 0, instructionPC: noInstruction, isMarkPending: false,
                overflowed: false, constCache: constCache))
        for (i, global) in globals.enumerated() {
            region.s.pointee.temps[i] = TempInfo(kind: .global, type: global.type, value: Int64(global.offset))
        }
        return region
    }

    /// Frees the storage.
    public func deallocate() {
        s.pointee.ops.deallocate()
        s.pointee.temps.deallocate()
        s.pointee.blocks.deallocate()
        s.pointee.constCache.deallocate()
        s.deallocate()
    }

    /// Empties the region for a new translation at `pc`.
    public func reset(pc: UInt64, flags: UInt64 = 0) {
        s.pointee.opCount = 0
        s.pointee.tempCount = s.pointee.globalCount
        s.pointee.blockCount = 0
        s.pointee.slotCount = 0
        s.pointee.guestPC = pc
        s.pointee.guestFlags = flags
        s.pointee.guestInstructions = 0
        s.pointee.guestLength = 0
        s.pointee.instructionPC = Self.noInstruction
        s.pointee.isMarkPending = false
        s.pointee.overflowed = false
        s.pointee.constCache.update(repeating: 0, count: Self.constCacheSize)
    }

    @inlinable @inline(__always) public init(s: UnsafeMutablePointer<RegionStorage>) { self.s = s }

    @inlinable @inline(__always) public var ops: UnsafeMutablePointer<Op> { s.pointee.ops }
    @inlinable @inline(__always) public var temps: UnsafeMutablePointer<TempInfo> { s.pointee.temps }
    @inlinable @inline(__always) public var blocks: UnsafeMutablePointer<Block> { s.pointee.blocks }
    @inlinable @inline(__always) public var opCount: Int { s.pointee.opCount }
    @inlinable @inline(__always) public var tempCount: Int { s.pointee.tempCount }
    @inlinable @inline(__always) public var blockCount: Int { s.pointee.blockCount }
    @inlinable @inline(__always) public var globalCount: Int { s.pointee.globalCount }
    @inlinable @inline(__always) public var slotCount: Int { s.pointee.slotCount }

    @inlinable @inline(__always) public func isConst(_ t: Temp) -> Bool {
        !t.isNone && s.pointee.temps[t.i].kind == .const
    }
    @inlinable @inline(__always) public func isGlobal(_ t: Temp) -> Bool { t.i < s.pointee.globalCount }
    @inlinable @inline(__always) public func constValue(_ t: Temp) -> Int64 { s.pointee.temps[t.i].value }
    @inlinable @inline(__always) public func type(_ t: Temp) -> ValueType { s.pointee.temps[t.i].type }

    /// A new temp of this kind. When capacity is exhausted the region is marked overflowed and temp 0 is returned, so that
    /// building can go on safely to its end; the result is thrown away.
    @inlinable public func newTemp(_ kind: TempKind, _ type: ValueType, value: Int64 = 0) -> Temp {
        let n = s.pointee.tempCount
        if n >= s.pointee.tempCapacity {
            s.pointee.overflowed = true
            return Temp(0)
        }
        s.pointee.temps[n] = TempInfo(kind: kind, type: type, value: value)
        s.pointee.tempCount = n &+ 1
        return Temp(n)
    }

    /// The constant `value` of an integer type; equal constants usually share one temp.
    @inlinable public func const(_ value: Int64, _ type: ValueType) -> Temp {
        let v = type == .i32 ? Int64(Int32(truncatingIfNeeded: value)) : value
        let h = Int(truncatingIfNeeded: (UInt64(bitPattern: v) &* 0x9E37_79B9_7F4A_7C15) &>> 58)
        let cached = Int(s.pointee.constCache[h])
        if cached != 0 {
            let info = s.pointee.temps[cached &- 1]
            if info.value == v && info.type == type { return Temp(cached &- 1) }
        }
        let t = newTemp(.const, type, value: v)
        if !s.pointee.overflowed { s.pointee.constCache[h] = t.index &+ 1 }
        return t
    }

    /// Starts the guest instruction at `pc`. Its mark is set before its first op that reports the pc: most need none. `word`: what
    /// else is to be known where it stops (`GuestArchitecture.instructionWord`).
    @inlinable public func beginInstruction(_ pc: UInt64, word: UInt16 = 0) {
        s.pointee.instructionPC = pc
        s.pointee.instructionWord = word
        s.pointee.isMarkPending = true
        if s.pointee.marksEachInstruction { markInstruction() }
    }

    /// The op to come reports the pc of its instruction (a fault, a helper's exit).
    @inlinable @inline(__always) public func markInstruction() {
        if !s.pointee.isMarkPending { return }
        s.pointee.isMarkPending = false
        append(
            Op(
                .insnStart, .i64, aux: s.pointee.instructionWord,
                imm: Int64(bitPattern: s.pointee.instructionPC)))
    }

    /// Appends an op to the op array (and so to the block being built).
    @inlinable @inline(__always) public func append(_ op: Op) {
        let n = s.pointee.opCount
        if n >= s.pointee.opCapacity {
            s.pointee.overflowed = true
            return
        }
        s.pointee.ops[n] = op
        s.pointee.opCount = n &+ 1
    }
}
