// Walking and changing a region: an op's sources, a block's ops, the blocks it leads to. Passes come through here, so that what an op
// or a region consists of is known in one place.

/// The blocks that a block leads to: none, one, or two, which may be the same one.
public struct Successors: Sequence, IteratorProtocol, Sendable {
    @usableFromInline var first: Temp
    @usableFromInline var second: Temp

    @inlinable @inline(__always) init(_ first: Temp, _ second: Temp) {
        self.first = first
        self.second = second
    }

    @inlinable @inline(__always) public var isEmpty: Bool { first.isNone }
    @inlinable @inline(__always) public func contains(_ block: Int) -> Bool { first.i == block || second.i == block }
    @inlinable @inline(__always) public mutating func next() -> Int? {
        if first.isNone { return nil }
        let block = first.i
        first = second
        second = .none
        return block
    }
}

extension Op {
    /// Calls `body` with each of the op's `count` sources (`OpcodeTable.sources`).
    @inlinable @inline(__always) public func forEachSource(_ count: Int, _ body: (Temp) -> Void) {
        if count > 0 { body(a) }
        if count > 1 { body(b) }
        if count > 2 { body(c) }
        if count > 3 { body(d) }
    }

    /// The same with the sources' numbers.
    @inlinable @inline(__always) public func enumerateSources(_ count: Int, _ body: (Int, Temp) -> Void) {
        if count > 0 { body(0, a) }
        if count > 1 { body(1, b) }
        if count > 2 { body(2, c) }
        if count > 3 { body(3, d) }
    }

    /// Replaces each of the op's `count` sources.
    @inlinable @inline(__always) public mutating func mapSources(_ count: Int, _ change: (Temp) -> Temp) {
        if count > 0 { a = change(a) }
        if count > 1 { b = change(b) }
        if count > 2 { c = change(c) }
        if count > 3 { d = change(d) }
    }

    /// Of the last op of a block: where it leads inside the region.
    @inlinable @inline(__always) public var successors: Successors {
        switch opcode {
        case .br: Successors(c, .none)
        case .brcond: Successors(c, d)
        default: Successors(.none, .none)
        }
    }

    /// Sends a block's last op to other blocks.
    @inlinable @inline(__always) public mutating func mapSuccessors(_ change: (Temp) -> Temp) {
        if opcode == .br || opcode == .brcond { c = change(c) }
        if opcode == .brcond { d = change(d) }
    }
}

extension Region {
    /// The indices of a block's ops.
    @inlinable @inline(__always) public func ops(of block: Int) -> Range<Int> {
        let b = blocks[block]
        return Range(uncheckedBounds: (Int(truncatingIfNeeded: b.start), Int(truncatingIfNeeded: b.end)))
    }

    /// The last op of a block, to be changed in place.
    @inlinable @inline(__always) public func end(of block: Int) -> UnsafeMutablePointer<Op> {
        ops + (Int(truncatingIfNeeded: blocks[block].end) &- 1)
    }
    @inlinable @inline(__always) public func lastOp(_ block: Int) -> Op { end(of: block).pointee }
    @inlinable @inline(__always) public func successors(of block: Int) -> Successors { lastOp(block).successors }

    // MARK: Changes

    @inlinable public var opCapacity: Int { s.pointee.opCapacity }
    @inlinable public var tempCapacity: Int { s.pointee.tempCapacity }
    @inlinable public var blockCapacity: Int { s.pointee.blockCapacity }
    /// A capacity has run out: what the region holds is not complete.
    @inlinable public var isOverflowed: Bool { s.pointee.overflowed }
    public func markOverflowed() { s.pointee.overflowed = true }

    /// Appends a block, whose ops are there or will be. There must be room.
    @discardableResult public func addBlock(_ block: Block) -> Int {
        let new = s.pointee.blockCount
        precondition(new < s.pointee.blockCapacity)
        s.pointee.blocks[new] = block
        s.pointee.blockCount = new + 1
        return new
    }

    /// Forgets the blocks from `count` on.
    public func truncate(blocks count: Int) {
        precondition(count <= s.pointee.blockCount)
        s.pointee.blockCount = count
    }

    /// Sets how many ops there are: the first `count` that lie in `ops`, which the caller has put there.
    public func setOpCount(_ count: Int) {
        precondition(count <= s.pointee.opCapacity)
        s.pointee.opCount = count
    }

    /// Every guest instruction gets its mark, whether something reports its pc or not.
    public func markEachInstruction(_ marks: Bool) { s.pointee.marksEachInstruction = marks }

    /// The pc of the instruction that has been begun last.
    public var instructionPC: UInt64 { s.pointee.instructionPC }

    /// Says how many instructions the `count_insns` at an index counts.
    public func setInstructions(_ count: Int, at op: Int) {
        if isOverflowed { return }
        precondition(s.pointee.ops[op].opcode == .countInstructions)
        s.pointee.ops[op].aux = UInt16(count)
    }

    /// Notes what guest code the region was made from.
    public func setGuest(instructions: Int, length: Int) {
        s.pointee.guestInstructions = instructions
        s.pointee.guestLength = length
    }
}
