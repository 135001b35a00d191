// One instruction's encoding as one packed word, the row of which all tables of the assembler are made (SDM volume 2,
// chapter 2). The same word serves legacy (REX) and VEX encodings: maps and mandatory prefixes are numbered as VEX
// numbers them, and a legacy row is spelt out with escape bytes when it is emitted.
//
//    31      24 23   21 20   18   17     16     15    14   13  12  11 10  9 8  7      0
//   | opcode 2 |       | digit | byteRM byteReg lock | 66 | L | W |  pp  | map | opcode |

/// The packed row.
struct Encoding: BitwiseCopyable, Sendable {
    var bits: UInt32

    /// Opcode map: none (one byte), 0F, 0F 38, 0F 3A.
    enum Map: UInt32 { case one, m0F, m0F38, m0F3A }

    /// Mandatory prefix.
    enum Prefix: UInt32 { case none, p66, pF3, pF2 }

    static let w: UInt32 = 1 << 12
    static let l: UInt32 = 1 << 13
    static let operandSize: UInt32 = 1 << 14
    static let lock: UInt32 = 1 << 15
    static let byteReg: UInt32 = 1 << 16
    static let byteRM: UInt32 = 1 << 17
    /// What makes a legacy instruction start with something before REX.
    static let prefixes: UInt32 = 3 << 10 | operandSize | lock

    /// What makes one not simply REX, a one-byte opcode and operands.
    static let isLong: UInt32 = prefixes | 3 << 8

    @inline(__always)
    init(bits: UInt32) { self.bits = bits }

    @inline(__always)
    init(_ prefix: Prefix, _ map: Map, _ opcode: UInt32, digit: UInt32 = 0, w: UInt32 = 0, store: UInt32 = 0) {
        bits = opcode | map.rawValue &<< 8 | prefix.rawValue &<< 10 | w &<< 12 | digit &<< 18 | store &<< 24
    }

    @inline(__always) var opcode: UInt32 { bits & 0xFF }
    @inline(__always) var digit: UInt8 { UInt8(truncatingIfNeeded: bits &>> 18) & 7 }

    @inline(__always)
    func with(_ flags: UInt32) -> Encoding { Encoding(bits: bits | flags) }

    /// The row with a register or condition number in the low bits of its opcode.
    @inline(__always)
    func plus(_ number: UInt8) -> Encoding { Encoding(bits: bits &+ UInt32(truncatingIfNeeded: number)) }

    /// The row with its second opcode, the store form, as its opcode.
    @inline(__always)
    var store: Encoding { Encoding(bits: bits & 0x00FF_FF00 | bits &>> 24) }

    /// For the instructions whose opcode is even for bytes and odd for the other sizes. With `digit`, ModRM.reg holds
    /// one and no byte register.
    @inline(__always)
    func sized(_ size: OperandSize, digit: Bool = false) -> Encoding {
        switch size {
        case .byte: with(digit ? Encoding.byteRM : Encoding.byteReg | Encoding.byteRM)
        case .word: with(Encoding.operandSize | 1)
        case .dword: with(1)
        case .qword: with(Encoding.w | 1)
        }
    }

    /// For the instructions that have word, dword and qword forms under one opcode.
    @inline(__always)
    func wide(_ size: OperandSize) -> Encoding {
        assert(size != .byte, "no byte form")
        return switch size {
        case .byte, .dword: self
        case .word: with(Encoding.operandSize)
        case .qword: with(Encoding.w)
        }
    }
}
