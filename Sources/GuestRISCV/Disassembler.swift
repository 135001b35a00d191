// Instruction words to text in the syntax of GNU objdump, with its register names and aliases. The texts come from
// the decode tables: the generated half of RISCVDisassembler has one function per instruction, which calls `show`.
// Reserved and disabled encodings have no text.

import GuestKit

/// The text of the instruction in the low bits of `word` (`addi a0,a0,1`); nil when it does not decode.
///
/// - Parameters:
///   - word: 32 bits from memory, least significant byte first; a compressed instruction is in the low half.
///   - pc: its address: branch targets are printed as absolute addresses.
///   - extensions: what decodes.
public func disassemble(
    _ word: UInt32, pc: UInt64 = 0, extensions: RISCVExtensions = .everything64
) -> String? {
    var disassembler = RISCVDisassembler(extensions: extensions, pc: pc)
    let known =
        word & 3 == 3
        ? decode32(word, into: &disassembler)
        : decode16(UInt16(truncatingIfNeeded: word), into: &disassembler)
    return known ? disassembler.text : nil
}

/// The instruction set whose functions write their own text.
struct RISCVDisassembler: InstructionText {
    let extensions: RISCVExtensions
    let pc: UInt64
    var text = ""

    init(extensions: RISCVExtensions, pc: UInt64) {
        self.extensions = extensions
        self.pc = pc
    }

    /// How the tables' kinds of operand look.
    func operand(_ kind: Substring, _ value: Int64, after previous: Int64) -> String {
        switch kind {
        case "x": integerRegisterName(value)
        case "f": floatingRegisterName(value)
        case "d": String(value)
        case "hex": hex(UInt64(bitPattern: value))
        case "upper": hex(UInt64(bitPattern: (value >> 12) & 0xf_ffff))
        case "target": hex(wrapped(pc &+ UInt64(bitPattern: value)))
        case "csr": csrName(value)
        case "rm": value == 7 ? "" : "," + roundingModeName(value)
        case "exact": value == 0 ? "" : "," + roundingModeName(value)  // conversions that never round
        case "aq": value != 0 ? ".aq" : ""
        case "rl": value == 0 ? "" : previous != 0 ? "rl" : ".rl"
        case "fence": fenceSet(value)
        case "fli": floatConstantName(value)
        case "rlist": registerListName(value)
        case "push": String(-stackAdjustment(list: previous, extra: value))
        case "pop": String(stackAdjustment(list: previous, extra: value))
        default: "{\(kind)?}"
        }
    }

    private func wrapped(_ address: UInt64) -> UInt64 { extensions.contains(.rv32) ? address & 0xffff_ffff : address }

    /// Bytes that cm.push takes: the list's registers rounded up to 16 bytes, and 16 for each unit of `extra`.
    private func stackAdjustment(list: Int64, extra: Int64) -> Int64 {
        let count: Int64 = list == 15 ? 13 : list < 4 ? 0 : list - 3
        let size: Int64 = extensions.contains(.rv32) ? 4 : 8
        return ((count * size + 15) & ~15) + extra * 16
    }
}

private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
