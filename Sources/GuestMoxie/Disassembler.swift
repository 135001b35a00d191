// Instructions to text in the syntax of GNU objdump. The texts come from the decode table: the generated half of
// MoxieDisassembler has one function per instruction, which calls `show`.

import GuestKit

/// The instruction set whose functions write their own text.
struct MoxieDisassembler: InstructionText {
    let pc: UInt64
    let extensions: MoxieExtensions = []
    var text = ""

    init(pc: UInt64) { self.pc = pc }

    /// How the table's kinds of operand look.
    func operand(_ kind: Substring, _ value: Int64, after previous: Int64) -> String {
        switch kind {
        case "r": "$" + registerNames[Int(value)]
        case "x": "0x" + String(value, radix: 16)
        case "h": "0x" + String(value & 0xffff, radix: 16)
        case "near": "0x" + String((pc &+ 2 &+ UInt64(bitPattern: value)) & 0xffff_ffff, radix: 16)
        default: "{\(kind)?}"
        }
    }
}
