// The IR builder: what a guest front end calls. Values are `Temp`s; functions append one op to the current block and
// return its result. `into:` forms write a given temp (usually a global) instead of a new one.

/// Appends ops to a region. One builder works on one region at a time.
public struct IRBuilder {
    public let region: Region
    /// The block being built.
    public private(set) var currentBlock = BlockID(UInt32.max)
    @usableFromInline var isOpen = false

    public init(region: Region) { self.region = region }

    // MARK: Blocks

    /// Declares a block to be filled later with `begin`.
    public mutating func newBlock(guestPC: UInt64 = 0, isCold: Bool = false, weight: UInt32 = 0) -> BlockID {
        let s = region.s
        let n = s.pointee.blockCount
        if n >= s.pointee.blockCapacity {
            s.pointee.overflowed = true
            return BlockID(0)
        }
        s.pointee.blocks[n] = Block(start: 0, end: 0, guestPC: guestPC, isCold: isCold, weight: weight)
        s.pointee.blockCount = n &+ 1
        return BlockID(n)
    }

    /// Starts filling `block`. The block before must have ended with a terminator.
    public mutating func begin(_ block: BlockID) {
        currentBlock = block
        isOpen = true
        region.blocks[block.i].start = UInt32(truncatingIfNeeded: region.opCount)
        region.blocks[block.i].end = UInt32(truncatingIfNeeded: region.opCount)
        // Blocks are not lowered in the order in which they are built: each one marks the instruction itself.
        region.s.pointee.isMarkPending = region.s.pointee.instructionPC != Region.noInstruction
    }

    /// True while the current block has no terminator yet.
    @inlinable public var isBlockOpen: Bool { isOpen }

    @inlinable @inline(__always) mutating func terminate(_ op: Op) {
        region.append(op)
        region.blocks[currentBlock.i].end = UInt32(truncatingIfNeeded: region.opCount)
        isOpen = false
    }

    // MARK: Values

    @inlinable public func const(_ value: Int64, _ type: ValueType = .i64) -> Temp { region.const(value, type) }
    @inlinable public func temp(_ type: ValueType) -> Temp { region.newTemp(.temp, type) }
    /// A variable that may be assigned in several places.
    @inlinable public func local(_ type: ValueType) -> Temp { region.newTemp(.local, type) }

    @inlinable @inline(__always)
    func emit(
        _ opcode: Opcode, _ type: ValueType, _ result: ValueType, into: Temp?, aux: UInt16 = 0, _ a: Temp = .none,
        _ b: Temp = .none,
        _ c: Temp = .none, _ d: Temp = .none, imm: Int64 = 0
    ) -> Temp {
        let dst = into ?? region.newTemp(.temp, result)
        region.append(Op(opcode, type, aux: aux, dst: dst, a: a, b: b, c: c, d: d, imm: imm))
        return dst
    }

    /// Copies `value` into `dst` (same type).
    @inlinable public func mov(_ dst: Temp, _ value: Temp) {
        region.append(Op(.mov, region.type(dst), dst: dst, a: value))
    }
    /// Reinterprets the bits of `a` as `to` (same size; integer to float class or back).
    @inlinable @discardableResult public func bitcast(_ a: Temp, to: ValueType, into: Temp? = nil) -> Temp {
        emit(.bitcast, to, to, into: into, a)
    }

    /// Any two-operand integer op: `type` comes from `a`.
    @inlinable @discardableResult public func binary(_ opcode: Opcode, _ a: Temp, _ b: Temp, into: Temp? = nil) -> Temp
    {
        let type = region.type(a)
        return emit(opcode, type, type, into: into, a, b)
    }
    /// Any one-operand integer op.
    @inlinable @discardableResult public func unary(_ opcode: Opcode, _ a: Temp, into: Temp? = nil) -> Temp {
        let type = region.type(a)
        return emit(opcode, type, type, into: into, a)
    }

    @inlinable @discardableResult public func add(_ a: Temp, _ b: Temp, into: Temp? = nil) -> Temp {
        binary(.add, a, b, into: into)
    }
    @inlinable @discardableResult public func sub(_ a: Temp, _ b: Temp, into: Temp? = nil) -> Temp {
        binary(.sub, a, b, into: into)
    }
    @inlinable @discardableResult public func mul(_ a: Temp, _ b: Temp, into: Temp? = nil) -> Temp {
        binary(.mul, a, b, into: into)
    }
    @inlinable @discardableResult public func and(_ a: Temp, _ b: Temp, into: Temp? = nil) -> Temp {
        binary(.and, a, b, into: into)
    }
    @inlinable @discardableResult public func or(_ a: Temp, _ b: Temp, into: Temp? = nil) -> Temp {
        binary(.or, a, b, into: into)
    }
    @inlinable @discardableResult public func xor(_ a: Temp, _ b: Temp, into: Temp? = nil) -> Temp {
        binary(.xor, a, b, into: into)
    }
    @inlinable @discardableResult public func shl(_ a: Temp, _ b: Temp, into: Temp? = nil) -> Temp {
        binary(.shl, a, b, into: into)
    }
    @inlinable @discardableResult public func shr(_ a: Temp, _ b: Temp, into: Temp? = nil) -> Temp {
        binary(.shr, a, b, into: into)
    }
    @inlinable @discardableResult public func sar(_ a: Temp, _ b: Temp, into: Temp? = nil) -> Temp {
        binary(.sar, a, b, into: into)
    }

    /// Bits `position ..< position + length` of `a`, zero-extended.
    @inlinable @discardableResult public func extract(_ a: Temp, _ position: Int, _ length: Int, into: Temp? = nil)
        -> Temp
    {
        let type = region.type(a)
        return emit(.extract, type, type, into: into, a, imm: Int64(position | length &<< 8))
    }
    /// The same, sign-extended.
    @inlinable @discardableResult public func sextract(_ a: Temp, _ position: Int, _ length: Int, into: Temp? = nil)
        -> Temp
    {
        let type = region.type(a)
        return emit(.sextract, type, type, into: into, a, imm: Int64(position | length &<< 8))
    }
    /// `a` with bits `position ..< position + length` replaced by the low bits of `b`.
    @inlinable @discardableResult public func deposit(
        _ a: Temp, _ b: Temp, _ position: Int, _ length: Int, into: Temp? = nil
    ) -> Temp {
        let type = region.type(a)
        return emit(.deposit, type, type, into: into, a, b, imm: Int64(position | length &<< 8))
    }

    /// 1 or 0 as a value of `result` type.
    @inlinable @discardableResult
    public func setcond(_ cond: Condition, _ a: Temp, _ b: Temp, result: ValueType = .i64, into: Temp? = nil) -> Temp {
        emit(.setcond, region.type(a), result, into: into, aux: UInt16(cond.rawValue), a, b)
    }
    /// cond(a, b) ? x : y
    @inlinable @discardableResult
    public func select(_ cond: Condition, _ a: Temp, _ b: Temp, _ x: Temp, _ y: Temp, into: Temp? = nil) -> Temp {
        emit(.select, region.type(a), region.type(x), into: into, aux: UInt16(cond.rawValue), a, b, x, y)
    }

    /// i64 -> i32.
    @inlinable @discardableResult public func trunc(_ a: Temp, into: Temp? = nil) -> Temp {
        emit(.trunc, .i32, .i32, into: into, a)
    }
    /// i32 -> i64.
    @inlinable @discardableResult public func zext(_ a: Temp, into: Temp? = nil) -> Temp {
        emit(.zext, .i64, .i64, into: into, a)
    }
    @inlinable @discardableResult public func sext(_ a: Temp, into: Temp? = nil) -> Temp {
        emit(.sext, .i64, .i64, into: into, a)
    }

    // MARK: Control flow

    public mutating func br(_ target: BlockID) { terminate(Op(.br, .i64, c: Temp(target.index))) }
    /// cond(a, b) ? taken : notTaken
    public mutating func brcond(_ cond: Condition, _ a: Temp, _ b: Temp, _ taken: BlockID, _ notTaken: BlockID) {
        terminate(
            Op(
                .brcond, region.type(a), aux: UInt16(cond.rawValue), a: a, b: b, c: Temp(taken.index),
                d: Temp(notTaken.index)))
    }

    // MARK: Helpers

    /// Calls a helper. Arguments are integers (`bitcast` floating-point values). Returns an i64; `.none` when the helper
    /// has no result.
    @inlinable @discardableResult
    public func call(
        _ helper: HelperID, _ descriptor: HelperDescriptor, _ a: Temp = .none, _ b: Temp = .none, _ c: Temp = .none,
        _ d: Temp = .none, into: Temp? = nil
    ) -> Temp {
        region.markInstruction()
        let dst = descriptor.hasResult ? (into ?? region.newTemp(.temp, .i64)) : Temp.none
        region.append(
            Op(
                .call, .i64, aux: UInt16(descriptor.arguments), dst: dst, a: a, b: b, c: c, d: d,
                imm: Int64(helper.index)))
        return dst
    }

    // MARK: Memory

    /// Loads from the CPU state at `offset`, into a value of `type`.
    @inlinable @discardableResult public func ld(
        _ offset: Int, _ memOp: MemOp, _ type: ValueType = .i64, into: Temp? = nil
    ) -> Temp {
        emit(.ld, type, type, into: into, aux: memOp.rawValue, imm: Int64(offset))
    }
    /// Stores the low bytes of `value` to the CPU state at `offset`.
    @inlinable public func st(_ value: Temp, _ offset: Int, _ memOp: MemOp) {
        region.append(Op(.st, region.type(value), aux: memOp.rawValue, a: value, imm: Int64(offset)))
    }
    /// Guest load from `address + displacement` into a value of `type` (integers extend as `memOp` says; f32/f64 load the bits).
    @inlinable @discardableResult
    public func gld(_ address: Temp, _ displacement: Int64, _ memOp: MemOp, _ type: ValueType = .i64, into: Temp? = nil)
        -> Temp
    {
        region.markInstruction()
        return emit(.gld, type, type, into: into, aux: memOp.rawValue, address, imm: displacement)
    }
    /// Guest store of the low bytes of `value` to `address + displacement`.
    @inlinable public func gst(_ value: Temp, _ address: Temp, _ displacement: Int64, _ memOp: MemOp) {
        region.markInstruction()
        region.append(Op(.gst, region.type(value), aux: memOp.rawValue, a: address, b: value, imm: displacement))
    }
    /// Guest atomic read-modify-write (sequentially consistent, naturally aligned): returns the old value, extended as
    /// `memOp` says.
    @inlinable @discardableResult
    public func grmw(_ kind: AtomicOp, _ address: Temp, _ value: Temp, _ memOp: MemOp, into: Temp? = nil) -> Temp {
        region.markInstruction()
        let type = region.type(value)
        return emit(
            .grmw, type, type, into: into, aux: memOp.rawValue & 0xfff | UInt16(kind.rawValue) &<< 12, address, value)
    }
    /// Guest compare-and-swap (sequentially consistent): stores `new` if memory equals the low bytes of `expected`;
    /// returns the old value, extended as `memOp` says.
    @inlinable @discardableResult
    public func gcas(_ address: Temp, expected: Temp, new: Temp, _ memOp: MemOp, into: Temp? = nil) -> Temp {
        region.markInstruction()
        let type = region.type(new)
        return emit(.gcas, type, type, into: into, aux: memOp.rawValue & 0xfff, address, expected, new)
    }
    /// Guest compare-and-swap of 16 aligned bytes (sequentially consistent), whose operands are in the CPU state: at `offset`
    /// the expected pair of words, low word first, then the new pair. The old pair is written over the expected one.
    @inlinable public func gcas128(_ address: Temp, operands offset: Int, mmuIndex: UInt8 = 0) {
        region.markInstruction()
        let memOp = MemOp(log2Size: 4, aligned: true, mmuIndex: mmuIndex)
        region.append(Op(.gcas128, .i64, aux: memOp.rawValue, a: address, imm: Int64(offset)))
    }
    @inlinable public func fence(_ order: FenceOrder) { region.append(Op(.fence, .i64, aux: UInt16(order.rawValue))) }

    // MARK: Floating point

    /// fadd, fsub, fmul, fdiv, fmin, fmax, fminimum, fmaximum.
    @inlinable @discardableResult
    public func fbinary(_ opcode: Opcode, _ a: Temp, _ b: Temp, _ rounding: Rounding = .dynamic, into: Temp? = nil)
        -> Temp
    {
        let type = region.type(a)
        return emit(opcode, type, type, into: into, aux: UInt16(rounding.rawValue), a, b)
    }
    /// fsqrt, fneg, fabs.
    @inlinable @discardableResult
    public func funary(_ opcode: Opcode, _ a: Temp, _ rounding: Rounding = .dynamic, into: Temp? = nil) -> Temp {
        let type = region.type(a)
        return emit(opcode, type, type, into: into, aux: UInt16(rounding.rawValue), a)
    }
    /// ±(a × b) ± c with one rounding.
    @inlinable @discardableResult
    public func fma(
        _ a: Temp, _ b: Temp, _ c: Temp, negateProduct: Bool = false, negateAddend: Bool = false,
        _ rounding: Rounding = .dynamic, into: Temp? = nil
    ) -> Temp {
        let type = region.type(a)
        let aux = UInt16(rounding.rawValue) | (negateProduct ? 8 : 0) | (negateAddend ? 16 : 0)
        return emit(.fma, type, type, into: into, aux: aux, a, b, c)
    }
    @inlinable @discardableResult public func fcopysign(_ kind: SignOp, _ a: Temp, _ b: Temp, into: Temp? = nil) -> Temp
    {
        let type = region.type(a)
        return emit(.fcopysign, type, type, into: into, aux: UInt16(kind.rawValue), a, b)
    }
    /// 1 or 0 as an i64.
    @inlinable @discardableResult public func fsetcond(_ cond: FloatCondition, _ a: Temp, _ b: Temp, into: Temp? = nil)
        -> Temp
    {
        emit(.fsetcond, region.type(a), .i64, into: into, aux: UInt16(cond.rawValue), a, b)
    }
    /// Rounds to an integral value in the same format.
    @inlinable @discardableResult
    public func fround(_ a: Temp, _ rounding: Rounding, raisesInexact: Bool, into: Temp? = nil) -> Temp {
        let type = region.type(a)
        return emit(.fround, type, type, into: into, aux: UInt16(rounding.rawValue) | (raisesInexact ? 8 : 0), a)
    }
    /// Converts between floating-point formats.
    @inlinable @discardableResult
    public func fcvt(_ a: Temp, from: FloatFormat, to: FloatFormat, _ rounding: Rounding = .dynamic, into: Temp? = nil)
        -> Temp
    {
        let result: ValueType = to == .binary64 ? .f64 : .f32
        let aux = UInt16(rounding.rawValue) | UInt16(from.rawValue) &<< 8 | UInt16(to.rawValue) &<< 10
        return emit(.fcvt, result, result, into: into, aux: aux, a)
    }
    /// Float to integer of type `to`, saturating: NaN gives the largest value; out of range raises invalid only.
    @inlinable @discardableResult
    public func ftoi(_ a: Temp, to: ValueType, unsigned: Bool, _ rounding: Rounding, into: Temp? = nil) -> Temp {
        emit(.ftoi, region.type(a), to, into: into, aux: UInt16(rounding.rawValue) | (unsigned ? 8 : 0), a)
    }
    /// Integer to float of type `to`.
    @inlinable @discardableResult
    public func itof(_ a: Temp, to: ValueType, unsigned: Bool, _ rounding: Rounding = .dynamic, into: Temp? = nil)
        -> Temp
    {
        emit(.itof, to, to, into: into, aux: UInt16(rounding.rawValue) | (unsigned ? 8 : 0), a)
    }
    /// NaN-boxes a narrower value in an f64: all upper bits are ones.
    @inlinable @discardableResult public func boxf(_ a: Temp, _ format: FloatFormat, into: Temp? = nil) -> Temp {
        emit(.boxf, .f64, .f64, into: into, aux: UInt16(format.rawValue) &<< 10, a)
    }
    /// The narrower value in NaN-boxed `a` (f64); the format's default NaN when `a` is not properly boxed.
    @inlinable @discardableResult public func unboxf(_ a: Temp, _ format: FloatFormat, into: Temp? = nil) -> Temp {
        emit(.unboxf, .f32, .f32, into: into, aux: UInt16(format.rawValue) &<< 10, a)
    }
    /// How far behind its own addresses relative code is seen: a multiple of 4096, the same for the whole region.
    @inlinable @discardableResult public func delta(into: Temp? = nil) -> Temp { emit(.delta, .i64, .i64, into: into) }
    /// The accrued exception flags: inexact 1, underflow 2, overflow 4, divide by zero 8, invalid 16.
    @inlinable @discardableResult public func fpGetFlags(into: Temp? = nil) -> Temp {
        emit(.fpGetFlags, .i64, .i64, into: into)
    }
    /// Replaces the accrued flags by the low five bits of `flags`.
    @inlinable public func fpSetFlags(_ flags: Temp) { region.append(Op(.fpSetFlags, .i64, a: flags)) }
    /// Sets the dynamic rounding mode: 0...4 as in `Rounding`. Other values leave it at nearest-even: the front end must not
    /// emit dynamic ops then.
    @inlinable public func fpSetRounding(_ mode: Temp) { region.append(Op(.fpSetRounding, .i64, a: mode)) }

    // MARK: Engine

    /// Marks the start of the guest instruction at `pc`: what recovery and helper exits report.
    @inlinable public func insnStart(_ pc: UInt64) {
        region.append(Op(.insnStart, .i64, imm: Int64(bitPattern: pc)))
    }
    /// Leaves generated code with `.interrupted` at guest `pc` if the vCPU's exit flag is set.
    @inlinable public func checkExit(_ pc: UInt64) { region.append(Op(.checkExit, .i64, imm: Int64(bitPattern: pc))) }
    /// Decrements an execution counter of the vCPU; when it reaches zero, leaves generated code as hot at guest `pc`.
    @inlinable public func countExecution(_ pc: UInt64, counter: Int) {
        region.append(Op(.countExecution, .i64, aux: UInt16(truncatingIfNeeded: counter), imm: Int64(bitPattern: pc)))
    }
    /// Takes instructions from the vCPU's budget; leaves generated code at guest `pc` if it has not that many. How many is said later
    /// (`Region.setInstructions`): returns where the op is.
    @inlinable public func countInstructions(_ pc: UInt64) -> Int {
        region.append(Op(.countInstructions, .i64, imm: Int64(bitPattern: pc)))
        return region.opCount &- 1
    }
    /// Pushes guest address `pc` on the shadow return stack; `slot` is the chaining slot of the code there.
    public mutating func pushReturn(_ pc: UInt64) {
        region.append(Op(.pushReturn, .i64, aux: UInt16(takeSlot()), imm: Int64(bitPattern: pc)))
    }
    /// Takes the newest entry off the shadow return stack if it is for `target`.
    @inlinable public func popReturn(_ target: Temp) { region.append(Op(.popReturn, .i64, a: target)) }
    /// Goes to the translation of guest `pc`, chained after the first time.
    public mutating func gotoTB(_ pc: UInt64) {
        terminate(Op(.gotoTB, .i64, aux: UInt16(takeSlot()), imm: Int64(bitPattern: pc)))
    }
    /// Returns `reason` to the cpu loop; the guest pc has been stored to the pc global.
    public mutating func exitTB(_ reason: Int) { terminate(Op(.exitTB, .i64, imm: Int64(reason))) }
    /// Stores `target` to the pc global's home and goes to its translation.
    public mutating func lookupAndGoto(_ target: Temp, _ hint: JumpHint) {
        terminate(Op(.lookupAndGoto, .i64, aux: UInt16(hint.rawValue), a: target))
    }

    /// As `lookupAndGoto`, behind an in-line cache: its first target is compared with and then chained. `slot` of the op is the
    /// cache's; its misses are counted in the vCPU's counter `counter` (nil: nowhere).
    public mutating func gotoCached(_ target: Temp, notedAs site: UInt64?) {
        terminate(
            Op(.gotoCached, .i64, aux: UInt16(takeSlot()), a: target, imm: site.map { Int64(bitPattern: $0) } ?? -1))
    }

    mutating func takeSlot() -> Int {
        let n = region.s.pointee.slotCount
        region.s.pointee.slotCount = n &+ 1
        if n >= Region.slotLimit { region.s.pointee.overflowed = true }
        return n
    }
}
