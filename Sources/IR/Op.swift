// One IR op: 32 bytes, plain data, kept in a flat array per region.

/// Index of a value in its region: first the guest's globals, then everything else in order of creation.
public struct Temp: Hashable, Sendable {
    public var index: UInt32
    @inlinable @inline(__always) public init(_ index: UInt32) { self.index = index }
    @inlinable @inline(__always) public init(_ index: Int) { self.index = UInt32(truncatingIfNeeded: index) }
    /// "No operand".
    @inlinable public static var none: Temp { Temp(UInt32.max) }
    @inlinable @inline(__always) public var isNone: Bool { index == .max }
    @inlinable @inline(__always) public var i: Int { Int(truncatingIfNeeded: index) }
}

/// Index of a block in its region. Block 0 is the entry.
public struct BlockID: Hashable, Sendable {
    public var index: UInt32
    @inlinable @inline(__always) public init(_ index: UInt32) { self.index = index }
    @inlinable @inline(__always) public init(_ index: Int) { self.index = UInt32(truncatingIfNeeded: index) }
    @inlinable @inline(__always) public var i: Int { Int(truncatingIfNeeded: index) }
}

/// One operation.
///
///     opcode  type  aux   dst  a  b  c  d   imm
///       1      1     2     4   4  4  4  4    8     bytes
///
/// - `type` is the type the op computes in: of the result, or of the operands where the result's type differs (compares,
///   conversions, stores). The result's own type is its temp's.
/// - `a`...`d` are sources. `select`: result = cond(a, b) ? c : d. `brcond`: blocks in `c` (holds) and `d` (does not).
///   `br`: block in `c`.
/// - `aux`: condition, memory descriptor (`MemOp`), rounding and kinds; see the accessors below.
/// - `imm`: displacement of `ld`/`st`/`gcas128` (from the CPU state) and `gld`/`gst` (added to `a`); shift/field position and
///   length of `extract`, `sextract`, `deposit` (position | length << 8); guest pc of `insn_start`, `goto_tb`,
///   `push_return`; helper index of `call`; value of `exit_tb`; pc under which `goto_cached` notes its misses (-1: not).
public struct Op: Sendable {
    public var opcode: Opcode
    public var type: ValueType
    public var aux: UInt16
    public var dst: Temp
    public var a: Temp
    public var b: Temp
    public var c: Temp
    public var d: Temp
    public var imm: Int64

    @inlinable @inline(__always)
    public init(
        _ opcode: Opcode, _ type: ValueType, aux: UInt16 = 0, dst: Temp = .none, a: Temp = .none, b: Temp = .none,
        c: Temp = .none, d: Temp = .none, imm: Int64 = 0
    ) {
        self.opcode = opcode
        self.type = type
        self.aux = aux
        self.dst = dst
        self.a = a
        self.b = b
        self.c = c
        self.d = d
        self.imm = imm
    }

    /// `setcond`, `select`, `brcond`: the comparison.
    @inlinable public var condition: Condition { Condition(rawValue: UInt8(truncatingIfNeeded: aux)) ?? .eq }
    /// `fsetcond`: the comparison.
    @inlinable public var floatCondition: FloatCondition {
        FloatCondition(rawValue: UInt8(truncatingIfNeeded: aux)) ?? .eq
    }
    /// `gld`, `gst`, `gcas128`, `ld`, `st`: the whole of `aux`. `grmw`, `gcas`: its low 12 bits.
    @inlinable public var memOp: MemOp { MemOp(rawValue: aux & 0xfff) }
    /// `grmw`: bits 12-15 of `aux`.
    @inlinable public var atomicOp: AtomicOp { AtomicOp(rawValue: UInt8(truncatingIfNeeded: aux &>> 12)) ?? .swap }
    /// Floating point: bits 0-2 of `aux`.
    @inlinable public var rounding: Rounding { Rounding(rawValue: UInt8(truncatingIfNeeded: aux & 7)) ?? .dynamic }
    /// `fma`: result = ±(a × b) ± c. Bit 3 of `aux` negates the product, bit 4 the addend.
    @inlinable public var negatesProduct: Bool { aux & 8 != 0 }
    @inlinable public var negatesAddend: Bool { aux & 16 != 0 }
    /// `fadd`, `fsub`, `fmul`, `fdiv`, `fsqrt`, `fma`: bit 5 of `aux`: where the result is a NaN, any quiet one will do.
    @inlinable public var allowsAnyNaN: Bool {
        get { aux & 32 != 0 }
        set { aux = newValue ? aux | 32 : aux & ~32 }
    }
    /// `fround`: bit 3 of `aux`: raise inexact when the value changes.
    @inlinable public var raisesInexact: Bool { aux & 8 != 0 }
    /// `ftoi`, `itof`: bit 3 of `aux`: the integer is unsigned. Its width is its temp's type.
    @inlinable public var isUnsigned: Bool { aux & 8 != 0 }
    /// `fcvt` bits 8-9 of `aux`: source format as log2 of its bytes (1: binary16 in an f32-class temp's low bits).
    @inlinable public var sourceFormat: FloatFormat {
        FloatFormat(rawValue: UInt8(truncatingIfNeeded: aux &>> 8) & 3) ?? .binary64
    }
    /// `fcvt`, `boxf`, `unboxf`: bits 10-11 of `aux`: destination (or boxed) format.
    @inlinable public var targetFormat: FloatFormat {
        FloatFormat(rawValue: UInt8(truncatingIfNeeded: aux &>> 10) & 3) ?? .binary64
    }
    /// `fcopysign`: the kind.
    @inlinable public var signOp: SignOp { SignOp(rawValue: UInt8(truncatingIfNeeded: aux & 3)) ?? .copy }
    /// `lookup_and_goto`: the hint.
    @inlinable public var jumpHint: JumpHint { JumpHint(rawValue: UInt8(truncatingIfNeeded: aux & 3)) ?? .indirect }
    /// `gotoTB`, `pushReturn`, `gotoCached`: which of the region's chaining slots. `countExecution`: which counter.
    @inlinable public var slot: Int { Int(aux) }
    /// The op has a chaining slot.
    @inlinable public var usesSlot: Bool { opcode == .gotoTB || opcode == .pushReturn || opcode == .gotoCached }
    /// `call`: number of arguments (0...4).
    @inlinable public var callArguments: Int { Int(aux & 7) }
    /// `extract`, `sextract`, `deposit`: lowest bit and length of the field.
    @inlinable public var fieldPosition: Int { Int(truncatingIfNeeded: imm & 0xff) }
    @inlinable public var fieldLength: Int { Int(truncatingIfNeeded: (imm &>> 8) & 0xff) }
}

/// A floating-point interchange format as `fcvt`, `boxf` and `unboxf` see it. A binary16 value travels in the low 16 bits
/// of an f32-typed temp whose upper bits are unspecified.
public enum FloatFormat: UInt8, CaseIterable, Sendable { case binary16 = 1, binary32 = 2, binary64 = 3 }
