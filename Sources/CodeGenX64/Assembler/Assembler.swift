// The x86-64 assembler: writes instructions one after the other into a piece of a code buffer that is written through
// one mapping and executed through another.
//
// Every instruction is made by one of five routines from a packed row (Encoding.swift) and operand numbers:
// `legacy` and `vex` with a register or a memory operand in ModRM.rm, and `plain` without ModRM. The public methods, in
// the files beside this one, choose the row and nothing else. Baseline: x86-64-v3 and CMPXCHG16B.
//
// Invariants
// - One check per instruction: an instruction is written only if `slack` bytes are left, and then its stores, some of
//   them wider than what they keep, stay inside. So bytes just after `cursor` are scratch, and bytes from `end` on are
//   never touched.
// - After the first instruction that does not fit, `overflowed` is set, nothing is written and `cursor` stays. The
//   caller drops what it assembled and retries in a new buffer.

/// Assembles one piece of code at a time; `begin` starts a piece. Operands are in Intel's order, destination first.
public struct Assembler: ~Copyable {
    /// First byte of this piece of code, in the writable mapping.
    public private(set) var start: UnsafeMutableRawPointer
    /// Where the next instruction goes.
    public internal(set) var cursor: UnsafeMutableRawPointer
    /// The last position at which an instruction may start.
    private var lastStart: UInt
    /// Executable address minus writable address, of the same byte.
    public private(set) var rxDelta: Int
    /// Something did not fit; the code is incomplete.
    public private(set) var overflowed = false

    /// Registers that instructions may have changed since this was emptied, by number; all after a call or a label.
    var touched: UInt32 = 0
    /// The same of instructions with a VEX prefix: vector registers and general ones alike.
    var touchedByVector: UInt32 = 0

    /// One word per label: see Assembler+Labels.swift. Owned, grows on demand.
    var labels: UnsafeMutablePointer<Int32>
    var labelCount = 0
    var labelCapacity = 64

    /// What of this piece depends on where it lies: see Relocation.swift. Owned, grows on demand.
    var relocations: UnsafeMutablePointer<Relocation>
    var relocationCount = 0
    var relocationCapacity = 256

    /// What must be free for an instruction to be written: 15 bytes, and the reach of a wide store at its end.
    static let slack = 24

    /// An assembler for the bytes from `start` to `end`, which execute at `start + rxDelta`.
    public init(start: UnsafeMutableRawPointer, end: UnsafeMutableRawPointer, rxDelta: Int) {
        self.start = start
        self.cursor = start
        self.lastStart = UInt(bitPattern: end) &- UInt(Assembler.slack)
        self.rxDelta = rxDelta
        labels = .allocate(capacity: labelCapacity)
        relocations = .allocate(capacity: relocationCapacity)
    }

    deinit {
        labels.deallocate()
        relocations.deallocate()
    }

    /// Starts a new piece of code: forgets labels, relocations and a former overflow.
    public mutating func begin(start: UnsafeMutableRawPointer, end: UnsafeMutableRawPointer, rxDelta: Int) {
        self.start = start
        cursor = start
        lastStart = UInt(bitPattern: end) &- UInt(Assembler.slack)
        self.rxDelta = rxDelta
        overflowed = false
        labelCount = 0
        relocationCount = 0
    }

    /// Bytes written so far, and so the offset of the next instruction.
    @inline(__always)
    public var offset: Int { cursor - start }

    /// Executable address of the next instruction.
    @inline(__always)
    public var address: UInt { UInt(bitPattern: cursor) &+ UInt(bitPattern: rxDelta) }

    /// Whether a 32-bit displacement reaches `target` from anywhere in the next instruction.
    @inline(__always)
    public func reaches(_ target: UInt) -> Bool {
        let distance = Int(bitPattern: target &- address)
        return distance >= -0x8000_0000 && distance < 0x7FFF_FFF0
    }

    /// Notes an operand that an instruction may change. (None changes a register of its memory operand's address.)
    @inline(__always)
    mutating func touch(_ register: UInt8) { touched |= 1 &<< UInt32(register) }

    /// True if an instruction may be written at `cursor`.
    @inline(__always)
    mutating func reserve() -> Bool {
        if UInt(bitPattern: cursor) <= lastStart { return true }
        overflowed = true
        return false
    }
}

/// Unaligned stores that return what follows them. The pointer has at least `Assembler.slack` bytes at the start of an
/// instruction, and no instruction is longer than 15 bytes, so even the widest store after the last byte is inside.
extension UnsafeMutableRawPointer {
    @inline(__always)
    func put8(_ value: UInt8) -> UnsafeMutableRawPointer {
        storeBytes(of: value, as: UInt8.self)
        return self + 1
    }

    /// Writes four bytes, keeps `length`.
    @inline(__always)
    func put32(_ value: UInt32, keep length: Int = 4) -> UnsafeMutableRawPointer {
        storeBytes(of: value, as: UInt32.self)
        return self + length
    }

    /// Writes eight bytes, keeps `length`.
    @inline(__always)
    func put64(_ value: UInt64, keep length: Int = 8) -> UnsafeMutableRawPointer {
        storeBytes(of: value, as: UInt64.self)
        return self + length
    }
}

extension Assembler {
    /// Legacy prefixes, REX, escape bytes and opcode (SDM volume 2, 2.2.1).
    @inline(__always)
    private static func head(
        _ at: UnsafeMutableRawPointer, _ row: Encoding, _ reg: UInt8, _ index: UInt8, _ rm: UInt8
    ) -> UnsafeMutableRawPointer {
        var p = at
        let bits = row.bits
        if bits & Encoding.prefixes != 0 {
            p.storeBytes(of: 0x66, as: UInt8.self)
            p += Int(truncatingIfNeeded: bits &>> 14 & 1)
            p.storeBytes(of: 0xF0, as: UInt8.self)
            p += Int(truncatingIfNeeded: bits &>> 15 & 1)
            let pp = bits &>> 10 & 3
            p.storeBytes(of: UInt8(truncatingIfNeeded: 0xF2F3_6600 as UInt32 &>> (pp &* 8)), as: UInt8.self)
            p += pp != 0 ? 1 : 0
        }
        let w = UInt8(truncatingIfNeeded: bits &>> 9) & 8
        let rex = w | reg &>> 1 & 4 | index &>> 2 & 2 | rm &>> 3
        // Registers 4 to 7 as bytes exist only with REX. With bit 3 set too, REX is there anyway.
        let flags = UInt8(truncatingIfNeeded: bits &>> 16)
        let byte = flags & reg &>> 2 | flags &>> 1 & rm &>> 2
        p.storeBytes(of: 0x40 | rex, as: UInt8.self)
        p += rex | byte & 1 != 0 ? 1 : 0
        let map = bits &>> 8 & 3
        let escape = UInt32(truncatingIfNeeded: 0x3A0F_380F_000F_0000 as UInt64 &>> UInt64(map &* 16)) & 0xFFFF
        let escapeLength = 0b10_10_01_00 &>> (map &* 2) & 3
        return p.put32(escape | (bits & 0xFF) &<< (escapeLength &* 8), keep: Int(escapeLength &+ 1))
    }

    /// A one-byte opcode without prefixes, what most instructions are: REX if needed, opcode, `tail` (ModRM and displacement, of
    /// `length` bytes), immediate.
    @inline(__always)
    private static func short(
        _ at: UnsafeMutableRawPointer, _ row: Encoding, _ reg: UInt8, _ rm: UInt8, _ tail: UInt64, _ length: Int,
        _ imm: Int32, _ immLength: Int
    ) -> UnsafeMutableRawPointer {
        let bits = row.bits
        let rex = UInt8(truncatingIfNeeded: bits &>> 9) & 8 | reg &>> 1 & 4 | rm &>> 3
        let flags = UInt8(truncatingIfNeeded: bits &>> 16)
        let byte = (flags & reg &>> 2 | flags &>> 1 & rm &>> 2) & 1
        let rexLength = rex | byte != 0 ? 1 : 0
        at.storeBytes(of: 0x40 | rex, as: UInt8.self)
        return (at + rexLength).put64(UInt64(bits & 0xFF) | tail &<< 8, keep: 1 &+ length)
            .put32(UInt32(bitPattern: imm), keep: immLength)
    }

    /// The VEX prefix and the opcode (SDM volume 2, 2.3.5), two-byte where it can be.
    @inline(__always)
    private static func vexHead(
        _ at: UnsafeMutableRawPointer, _ row: Encoding, _ reg: UInt8, _ vvvv: UInt8, _ index: UInt8, _ rm: UInt8
    ) -> UnsafeMutableRawPointer {
        let bits = row.bits
        let r = ~UInt32(reg) &<< 4 & 0x80
        let last = (~UInt32(vvvv) & 15) &<< 3 | bits &>> 11 & 4 | bits &>> 10 & 3
        let xb = UInt32(index &>> 2 & 2 | rm &>> 3)
        if xb == 0, bits & (Encoding.w | 3 &<< 8) == 1 &<< 8 {
            return at.put32(0xC5 | (r | last) &<< 8 | (bits & 0xFF) &<< 16, keep: 3)
        }
        let second = r | (~xb & 3) &<< 5 | bits &>> 8 & 3
        let third = bits &>> 5 & 0x80 | last
        return at.put32(0xC4 | second &<< 8 | third &<< 16 | (bits & 0xFF) &<< 24)
    }

    /// Where the instruction goes on, behind the prefix for addresses of 32 bits if the operand has one.
    @inline(__always)
    private func addressSize(_ m: Address) -> UnsafeMutableRawPointer {
        m.form == .narrow ? cursor.put8(0x67) : cursor
    }

    /// ModRM, SIB and displacement (SDM volume 2, 2.1.5). `tail` bytes of immediate follow: rip counts them too.
    @inline(__always)
    private mutating func memory(
        _ at: UnsafeMutableRawPointer, _ reg: UInt8, _ m: Address, tail: Int
    ) -> UnsafeMutableRawPointer {
        let field = (reg & 7) &<< 3
        guard m.form.rawValue <= Address.Form.narrow.rawValue else { return farMemory(at, field, m, tail: tail) }
        let displacement = Int32(truncatingIfNeeded: m.value)
        let low = m.base & 7
        let mod: UInt8
        let length: Int
        if displacement == 0 && low != 5 {  // base 5 without a displacement means something else
            (mod, length) = (0x00, 0)
        } else if displacement == Int32(Int8(truncatingIfNeeded: displacement)) {
            (mod, length) = (0x40, 1)
        } else {
            (mod, length) = (0x80, 4)
        }
        let p: UnsafeMutableRawPointer
        if m.index == 4 && low != 4 {
            p = at.put8(mod | field | low)
        } else {
            p = at.put8(mod | field | 4).put8(m.scale &<< 6 | (m.index & 7) &<< 3 | low)
        }
        return p.put32(UInt32(bitPattern: displacement), keep: length)
    }

    /// The forms without a base register.
    @inline(never)
    private mutating func farMemory(
        _ at: UnsafeMutableRawPointer, _ field: UInt8, _ m: Address, tail: Int
    ) -> UnsafeMutableRawPointer {
        switch m.form {
        case .base, .narrow, .noBase:
            return at.put8(field | 4).put8(m.scale &<< 6 | (m.index & 7) &<< 3 | 5)
                .put32(UInt32(truncatingIfNeeded: m.value))
        case .label:
            let p = at.put8(field | 5)
            return p.put32(reference(Label(index: Int32(truncatingIfNeeded: m.value)), at: p - start, tail: tail))
        case .absolute:
            let p = at.put8(field | 5)
            return p.put32(displacement(to: UInt(truncatingIfNeeded: m.value), field: p, tail: tail))
        }
    }

    /// What to write into the displacement `field`, `tail` bytes before the end of its instruction, for a target outside of
    /// this piece of code. Out of reach is a bug of the caller, who had `reaches` to ask.
    @inline(__always)
    mutating func displacement(to target: UInt, field: UnsafeMutableRawPointer, tail: Int = 0) -> UInt32 {
        let next = UInt(bitPattern: field + (4 &+ tail)) &+ UInt(bitPattern: rxDelta)
        let distance = Int(bitPattern: target &- next)
        precondition(distance == Int(Int32(truncatingIfNeeded: distance)), "target out of reach of rel32")
        note(.displacement, at: field - start)
        return UInt32(truncatingIfNeeded: distance)
    }

    /// `mov` of 64 bits with `[rbp + displacement]`, from it (opcode 8B) or to it (89): what translations do most.
    @inline(__always)
    mutating func movState(_ opcode: UInt8, _ r: GPR, _ displacement: Int8) {
        guard reserve() else { return }
        touch(r.rawValue)
        let rex = 0x48 | UInt32(r.rawValue &>> 1) & 4
        let modRM = 0x45 | UInt32(r.rawValue & 7) &<< 3
        let low = rex | UInt32(opcode) &<< 8
        let high = modRM | UInt32(UInt8(bitPattern: displacement)) &<< 8
        cursor = cursor.put32(low | high &<< 16)
    }

    /// `opcode ModRM(reg, rm) imm`
    @inline(never)
    mutating func legacy(_ row: Encoding, _ reg: UInt8, _ rm: UInt8, _ imm: Int32 = 0, _ immLength: Int = 0) {
        guard reserve() else { return }
        touch(reg)
        touch(rm)
        if row.bits & Encoding.isLong == 0 {
            cursor = Assembler.short(
                cursor, row, reg, rm, UInt64(0xC0 | (reg & 7) &<< 3 | rm & 7), 1, imm, immLength)
            return
        }
        let p = Assembler.head(cursor, row, reg, 0, rm)
        cursor = p.put8(0xC0 | (reg & 7) &<< 3 | rm & 7).put32(UInt32(bitPattern: imm), keep: immLength)
    }

    /// `opcode ModRM(reg, memory) imm`
    @inline(never)
    mutating func legacy(_ row: Encoding, _ reg: UInt8, _ m: Address, _ imm: Int32 = 0, _ immLength: Int = 0) {
        guard reserve() else { return }
        touch(reg)
        if row.bits & Encoding.isLong == 0, m.form == .base, m.index == 4, m.base & 7 != 4 {
            let displacement = Int32(truncatingIfNeeded: m.value)
            let isByte = displacement == Int32(Int8(truncatingIfNeeded: displacement))
            let isNone = displacement == 0 && m.base & 7 != 5  // base 5 without a displacement means something else
            let mod: UInt8 = isNone ? 0x00 : isByte ? 0x40 : 0x80
            let tail = UInt64(mod | (reg & 7) &<< 3 | m.base & 7) | UInt64(UInt32(bitPattern: displacement)) &<< 8
            cursor = Assembler.short(
                cursor, Encoding(bits: row.bits & ~Encoding.byteRM), reg, m.base, tail, isNone ? 1 : isByte ? 2 : 5,
                imm, immLength)
            return
        }
        let p = Assembler.head(addressSize(m), Encoding(bits: row.bits & ~Encoding.byteRM), reg, m.index, m.base)
        cursor = memory(p, reg, m, tail: immLength).put32(UInt32(bitPattern: imm), keep: immLength)
    }

    /// `opcode imm`, with REX.B and the byte rules from `rm` where the opcode holds a register.
    @inline(never)
    mutating func plain(_ row: Encoding, _ rm: UInt8 = 0, _ imm: Int64 = 0, _ immLength: Int = 0) {
        guard reserve() else { return }
        touch(rm)
        cursor = Assembler.head(cursor, row, 0, 0, rm).put64(UInt64(bitPattern: imm), keep: immLength)
    }

    /// `VEX opcode ModRM(reg, rm) imm8`
    @inline(never)
    mutating func vex(
        _ row: Encoding, _ reg: UInt8, _ vvvv: UInt8, _ rm: UInt8, _ imm: UInt8 = 0, _ immLength: Int = 0
    ) {
        guard reserve() else { return }
        touchedByVector |= 1 &<< UInt32(reg) | 1 &<< UInt32(vvvv) | 1 &<< UInt32(rm)
        let p = Assembler.vexHead(cursor, row, reg, vvvv, 0, rm)
        cursor = p.put8(0xC0 | (reg & 7) &<< 3 | rm & 7).put32(UInt32(imm), keep: immLength)
    }

    /// `VEX opcode ModRM(reg, memory) imm8`
    @inline(never)
    mutating func vex(
        _ row: Encoding, _ reg: UInt8, _ vvvv: UInt8, _ m: Address, _ imm: UInt8 = 0, _ immLength: Int = 0
    ) {
        guard reserve() else { return }
        touchedByVector |= 1 &<< UInt32(reg) | 1 &<< UInt32(vvvv)
        let p = Assembler.vexHead(addressSize(m), row, reg, vvvv, m.index, m.base)
        cursor = memory(p, reg, m, tail: immLength).put32(UInt32(imm), keep: immLength)
    }
}
