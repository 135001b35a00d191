// Filter programs of seccomp(2): classic BPF (Linux Documentation/networking/filter.rst), of which seccomp takes a part
// (Documentation/userspace-api/seccomp_filter.rst). A program is checked once and then cannot fail or go on for ever.

/// struct sock_filter.
struct SeccompInstruction: BitwiseCopyable, Sendable {
    var code: UInt16 = 0
    /// Instructions to skip where a comparison is true, and where it is false.
    var ifTrue: UInt8 = 0, ifFalse: UInt8 = 0
    var constant: UInt32 = 0

    static let size = 8
}

/// struct seccomp_data, in the words that programs load: the low half of each 64-bit number comes first, except with big-endian guests.
struct SeccompData {
    private var words: InlineArray<16, UInt32>

    init(number: UInt32, architecture: UInt32, pc: UInt64, arguments: InlineArray<6, UInt64>, isBigEndian: Bool) {
        words = .init(repeating: 0)
        words[0] = number
        words[1] = architecture
        let low = isBigEndian ? 1 : 0
        for index in 0..<7 {
            let value = index == 0 ? pc : arguments[index - 1]
            words[2 + 2 * index + low] = UInt32(truncatingIfNeeded: value)
            words[2 + 2 * index + 1 - low] = UInt32(truncatingIfNeeded: value >> 32)
        }
    }

    static let size: UInt32 = 64

    subscript(offset: UInt32) -> UInt32 { words[Int(offset / 4)] }
}

/// A checked filter program.
public struct SeccompProgram: Sendable {
    let instructions: [SeccompInstruction]

    /// BPF_MAXINSNS.
    static let most = 4096

    // Parts of instruction codes.
    private static let classMask: UInt16 = 7, jump: UInt16 = 5, ret: UInt16 = 6, fromX: UInt16 = 8

    /// Nil for a program that the kernel refuses (EINVAL).
    init?(_ instructions: [SeccompInstruction]) {
        guard !instructions.isEmpty, instructions.count <= Self.most else { return nil }
        self.instructions = instructions
        // The memory words that hold a value wherever an instruction is reached from.
        var stored = [UInt16](repeating: .max, count: instructions.count)
        stored[0] = 0
        for (index, instruction) in instructions.enumerated() {
            let left = instructions.count - index - 1, constant = instruction.constant
            var now = stored[index]
            func reach(_ distance: Int) { stored[index + distance] &= now }
            switch instruction.code {
            case 0x20: guard constant & 3 == 0, constant < SeccompData.size else { return nil }  // LD W ABS
            case 0x80, 0x81, 0x00, 0x01: break  // LD and LDX W LEN, LD and LDX IMM
            case 0x60, 0x61:  // LD and LDX MEM
                guard constant < 16, now & 1 << UInt16(constant) != 0 else { return nil }
            case 0x02, 0x03:  // ST, STX
                guard constant < 16 else { return nil }
                now |= 1 << UInt16(constant)
            // ADD, SUB, MUL, OR, AND, XOR with K and X; DIV X, LSH X, RSH X; NEG
            case 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x44, 0x4c, 0x54, 0x5c, 0xa4, 0xac, 0x3c, 0x6c, 0x7c, 0x84: break
            case 0x34: guard constant != 0 else { return nil }  // DIV K
            case 0x64, 0x74: guard constant < 32 else { return nil }  // LSH K, RSH K
            case 0x05:  // JA
                guard constant < UInt32(left) else { return nil }
                reach(Int(constant) + 1)
            case 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d:  // JEQ, JGT, JGE, JSET with K and X
                guard Int(instruction.ifTrue) < left, Int(instruction.ifFalse) < left else { return nil }
                reach(Int(instruction.ifTrue) + 1)
                reach(Int(instruction.ifFalse) + 1)
            case 0x06, 0x16: break  // RET K, RET A
            case 0x07, 0x87: break  // TAX, TXA
            default: return nil
            }
            let kind = instruction.code & Self.classMask
            if left > 0, kind != Self.jump, kind != Self.ret { reach(1) }
        }
        guard instructions[instructions.count - 1].code & Self.classMask == Self.ret else { return nil }
    }

    /// What the program returns for a call: an action and its data.
    func run(_ data: SeccompData) -> UInt32 {
        var a: UInt32 = 0, x: UInt32 = 0, at = 0
        var memory = InlineArray<16, UInt32>(repeating: 0)
        // Jumps go forwards only.
        while at < instructions.count {
            let instruction = instructions[at]
            at &+= 1
            let constant = instruction.constant
            let operand = instruction.code & Self.fromX != 0 ? x : constant
            switch instruction.code {
            case 0x20: a = data[constant]
            case 0x80: a = SeccompData.size
            case 0x81: x = SeccompData.size
            case 0x00: a = constant
            case 0x01: x = constant
            case 0x60: a = memory[Int(constant)]
            case 0x61: x = memory[Int(constant)]
            case 0x02: memory[Int(constant)] = a
            case 0x03: memory[Int(constant)] = x
            case 0x04, 0x0c: a = a &+ operand
            case 0x14, 0x1c: a = a &- operand
            case 0x24, 0x2c: a = a &* operand
            case 0x34, 0x3c:
                if operand == 0 { return 0 }
                a /= operand
            case 0x44, 0x4c: a |= operand
            case 0x54, 0x5c: a &= operand
            case 0xa4, 0xac: a ^= operand
            case 0x64, 0x6c: a = a &<< operand
            case 0x74, 0x7c: a = a &>> operand
            case 0x84: a = 0 &- a
            case 0x05: at &+= Int(constant)
            case 0x15, 0x1d: at &+= Int(a == operand ? instruction.ifTrue : instruction.ifFalse)
            case 0x25, 0x2d: at &+= Int(a > operand ? instruction.ifTrue : instruction.ifFalse)
            case 0x35, 0x3d: at &+= Int(a >= operand ? instruction.ifTrue : instruction.ifFalse)
            case 0x45, 0x4d: at &+= Int(a & operand != 0 ? instruction.ifTrue : instruction.ifFalse)
            case 0x06: return constant
            case 0x16: return a
            case 0x07: x = a
            default: a = x  // TXA
            }
        }
        return 0
    }
}
