// Labels, jumps, calls, alignment and the jumps that are patched while the code runs.
//
// A label is one word: its offset once bound; before that, the complement of its newest reference. Unresolved
// references need no list: until the label is bound, each one's 32-bit displacement field holds the one before it.
// A reference is `offset of the field << 3 | immediate bytes after it`; 0 is none (no field is at offset 0). So a piece
// of code may have 256 MiB.

import Synchronization

/// A place in the code being assembled, valid until the assembler begins another piece.
public struct Label: BitwiseCopyable, Sendable {
    var index: Int32
}

/// A forward jump of two bytes that waits for its target.
public struct ShortJump: BitwiseCopyable, Sendable {
    /// Offset of its displacement byte; 0 if it was not written.
    var field: Int
}

/// The first `count` elements in a table of twice the capacity; the old one is freed.
@inline(never)
func doubled<Element: BitwiseCopyable>(
    _ table: UnsafeMutablePointer<Element>, _ count: Int, _ capacity: inout Int
) -> UnsafeMutablePointer<Element> {
    capacity *= 2
    let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
    larger.update(from: table, count: count)
    table.deallocate()
    return larger
}

extension Assembler {
    /// A new, unbound label.
    @inline(__always)
    public mutating func newLabel() -> Label {
        if labelCount == labelCapacity { labels = doubled(labels, labelCount, &labelCapacity) }
        labels[labelCount] = -1
        labelCount &+= 1
        return Label(index: Int32(truncatingIfNeeded: labelCount &- 1))
    }

    /// A label for here.
    @inline(__always)
    public mutating func here() -> Label {
        let label = newLabel()
        labels[Int(label.index)] = Int32(truncatingIfNeeded: offset)
        return label
    }

    /// A label for the instruction at an offset already written.
    @inline(__always)
    public mutating func label(at offset: Int) -> Label {
        let label = newLabel()
        labels[Int(label.index)] = Int32(truncatingIfNeeded: offset)
        return label
    }

    /// Puts the label here and resolves what referred to it. A label is bound once.
    public mutating func bind(_ label: Label) {
        touched = .max
        bindToOwnCode(label)
    }

    /// Binds a label that only code comes to which changes nothing that is relied upon here (`touched`).
    mutating func bindToOwnCode(_ label: Label) {
        var reference = ~labels[Int(label.index)]
        precondition(reference >= 0, "label bound twice")
        let target = Int32(truncatingIfNeeded: offset)
        labels[Int(label.index)] = target
        while reference != 0 {
            let field = reference &>> 3
            let end = field &+ 4 &+ (reference & 7)
            let next = start.loadUnaligned(fromByteOffset: Int(field), as: Int32.self)
            start.storeBytes(of: target &- end, toByteOffset: Int(field), as: Int32.self)
            reference = next
        }
    }

    /// The bound label's offset from `start`; nil before.
    public func offset(of label: Label) -> Int? {
        let value = labels[Int(label.index)]
        return value >= 0 ? Int(value) : nil
    }

    /// False while some label is referred to but not bound.
    public var allReferencesResolved: Bool {
        var i = 0
        while i < labelCount {
            if labels[i] < -1 { return false }
            i &+= 1
        }
        return true
    }

    /// What to write into the displacement field at `offset`, `tail` bytes before the end of its instruction.
    @inline(__always)
    mutating func reference(_ label: Label, at offset: Int, tail: Int) -> UInt32 {
        let value = labels[Int(label.index)]
        if value >= 0 { return UInt32(truncatingIfNeeded: Int(value) &- (offset &+ 4 &+ tail)) }
        labels[Int(label.index)] = ~Int32(truncatingIfNeeded: offset &<< 3 | tail)
        return UInt32(bitPattern: ~value)
    }

    /// Opcode and displacement of a jump to a label: short when the label is bound and near.
    @inline(__always)
    private mutating func branch(_ short: UInt8, _ long: UInt32, _ longLength: Int, _ label: Label) {
        guard reserve() else { return }
        let value = Int(labels[Int(label.index)])
        let distance = value &- (offset &+ 2)
        if value >= 0 && distance >= -128 {
            cursor = cursor.put8(short).put8(UInt8(truncatingIfNeeded: distance))
        } else {
            let p = cursor.put32(long, keep: longLength)
            cursor = p.put32(reference(label, at: p - start, tail: 0))
        }
    }

    /// `jmp label`
    public mutating func jmp(_ label: Label) { branch(0xEB, 0xE9, 1, label) }

    /// `jcc label`
    public mutating func jcc(_ condition: ConditionCode, _ label: Label) {
        branch(0x70 | condition.rawValue, 0x800F | UInt32(condition.rawValue) &<< 8, 2, label)
    }

    /// `call label`
    public mutating func call(_ label: Label) {
        guard reserve() else { return }
        touched = .max
        let p = cursor.put8(0xE8)
        cursor = p.put32(reference(label, at: p - start, tail: 0))
    }

    /// `jcc` of two bytes over what follows, to the matching `land`, at most 127 bytes away.
    public mutating func jccShort(_ condition: ConditionCode) -> ShortJump { short(0x70 | condition.rawValue) }

    /// `jmp` of two bytes over what follows, to the matching `land`, at most 127 bytes away.
    public mutating func jmpShort() -> ShortJump { short(0xEB) }

    @inline(__always)
    private mutating func short(_ opcode: UInt8) -> ShortJump {
        guard reserve() else { return ShortJump(field: 0) }
        cursor = cursor.put8(opcode).put8(0)
        return ShortJump(field: offset &- 1)
    }

    /// Lets a short jump land here.
    public mutating func land(_ jump: ShortJump) {
        if jump.field == 0 { return }
        let distance = offset &- jump.field &- 1
        precondition(distance <= 127, "short jump too far")
        start.storeBytes(of: UInt8(truncatingIfNeeded: distance), toByteOffset: jump.field, as: UInt8.self)
    }

    /// `jmp rel32` to an executable address in reach.
    public mutating func jmp(to target: UInt) {
        guard reserve() else { return }
        cursor = cursor.put8(0xE9).put32(displacement(to: target, field: cursor + 1))
    }

    /// `jcc rel32` to an executable address in reach.
    public mutating func jcc(_ condition: ConditionCode, to target: UInt) {
        guard reserve() else { return }
        cursor = cursor.put32(0x800F | UInt32(condition.rawValue) &<< 8, keep: 2)
            .put32(displacement(to: target, field: cursor + 2))
    }

    /// Calls an executable address: `call rel32` in reach, else through `scratch`.
    public mutating func call(to target: UInt, scratch: GPR) {
        guard reaches(target) else {
            mov(scratch, imm: Int64(Int(bitPattern: target)))
            return call(scratch)
        }
        guard reserve() else { return }
        touched = .max
        cursor = cursor.put8(0xE8).put32(displacement(to: target, field: cursor + 1))
    }

    /// Jumps to an executable address: `jmp rel32` in reach, else through `scratch`.
    public mutating func jmp(to target: UInt, scratch: GPR) {
        if reaches(target) { return jmp(to: target) }
        mov(scratch, imm: Int64(Int(bitPattern: target)))
        jmp(scratch)
    }

    /// `call r64`
    public mutating func call(_ target: GPR) {
        legacy(Encoding(.none, .one, 0xFF), 2, target.rawValue)
        touched = .max
    }
    /// `call m64`
    public mutating func call(_ target: Address) {
        legacy(Encoding(.none, .one, 0xFF), 2, target)
        touched = .max
    }
    /// `jmp r64`
    public mutating func jmp(_ target: GPR) { legacy(Encoding(.none, .one, 0xFF), 4, target.rawValue) }
    /// `jmp m64`
    public mutating func jmp(_ target: Address) { legacy(Encoding(.none, .one, 0xFF), 4, target) }
    /// `ret`
    public mutating func ret() { plain(Encoding(.none, .one, 0xC3)) }

    /// `jmp rel32` to the next instruction, its displacement aligned so that `patchJump` can retarget it while other
    /// threads run it. Returns the offset of the displacement from `start` (meaningless after an overflow).
    public mutating func patchableJump() -> Int {
        nop(bytes: Int(3 &- address & 3))
        guard reserve() else { return 0 }
        cursor = cursor.put8(0xE9).put32(0)
        return offset &- 4
    }

    /// `jcc rel32` to the next instruction, with a field as `patchableJump` makes it.
    public mutating func patchableJump(_ condition: ConditionCode) -> Int {
        nop(bytes: Int((2 &- address) & 3))
        guard reserve() else { return 0 }
        cursor = cursor.put32(0x800F | UInt32(condition.rawValue) &<< 8, keep: 2).put32(0)
        return offset &- 4
    }

    /// Retargets a patchable jump of this piece of code: see the static function.
    public func patchJump(at offset: Int, to target: UInt) {
        Assembler.patchJump(start + offset, rxDelta: rxDelta, to: target)
    }

    /// Retargets a patchable jump by one atomic store (release: the target's code is visible first). Other threads jump
    /// to the old or to the new target (SDM volume 3, 9.1.1: an aligned doubleword is written atomically).
    /// - Parameters:
    ///   - field: the displacement, in the writable mapping, 4-byte aligned
    ///   - target: executable address in reach
    public static func patchJump(_ field: UnsafeMutableRawPointer, rxDelta: Int, to target: UInt) {
        precondition(UInt(bitPattern: field) & 3 == 0, "not the field of a patchable jump")
        let distance = Int(bitPattern: target &- UInt(bitPattern: field) &- UInt(bitPattern: rxDelta) &- 4)
        precondition(distance == Int(Int32(truncatingIfNeeded: distance)), "target out of reach of rel32")
        // An Atomic<UInt32> is its four bytes, and the field is aligned as one.
        UnsafePointer<Atomic<UInt32>>(OpaquePointer(field)).pointee
            .store(UInt32(truncatingIfNeeded: distance), ordering: .releasing)
    }

    /// The executable address a patchable jump goes to.
    public static func jumpTarget(_ field: UnsafeMutableRawPointer, rxDelta: Int) -> UInt {
        let distance = UnsafePointer<Atomic<UInt32>>(OpaquePointer(field)).pointee.load(ordering: .acquiring)
        let next = UInt(bitPattern: field) &+ UInt(bitPattern: rxDelta) &+ 4
        return next &+ UInt(bitPattern: Int(Int32(bitPattern: distance)))
    }

    /// No-operations of `bytes` bytes in all, as few as possible (SDM volume 2, NOP, table 4-12).
    public mutating func nop(bytes: Int = 1) {
        var left = bytes
        while left > 0 {
            let length = min(left, 9)
            left &-= length
            guard reserve() else { return }
            switch length {
            case 1: cursor = cursor.put8(0x90)
            case 2: cursor = cursor.put32(0x9066, keep: 2)
            case 3: cursor = cursor.put32(0x001F_0F, keep: 3)
            case 4: cursor = cursor.put32(0x0040_1F0F)
            case 5: cursor = cursor.put64(0x00_0044_1F0F, keep: 5)
            case 6: cursor = cursor.put64(0x0000_441F_0F66, keep: 6)
            case 7: cursor = cursor.put64(0x0000_0000_801F_0F, keep: 7)
            case 8: cursor = cursor.put64(0x0000_0000_0084_1F0F)
            default: cursor = cursor.put8(0x66).put64(0x0000_0000_0084_1F0F)
            }
        }
    }

    /// No-operations up to the next executable address that is a multiple of `boundary`, a power of two.
    public mutating func align(_ boundary: Int) {
        nop(bytes: Int(bitPattern: (0 &- address) & UInt(bitPattern: boundary &- 1)))
    }

    /// Eight bytes of data, for literal pools.
    public mutating func data(_ value: UInt64) {
        guard reserve() else { return }
        cursor = cursor.put64(value)
    }

    /// Four bytes of data.
    public mutating func data32(_ value: UInt32) {
        guard reserve() else { return }
        cursor = cursor.put32(value)
    }
}
