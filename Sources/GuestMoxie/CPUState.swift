// The state of a Moxie core, as generated code and tables of registers see it.
//
//     offset 0   $fp $sp $r0 ... $r13
//            64  what the last cmp compared, pc, special registers
//
// Offsets come from `MemoryLayout.offset(of:)`, never from this drawing.

import GuestKit
import IR

public struct MoxieState {
    /// In the numbering of instructions: $fp, $sp, $r0 ... $r13.
    public var registers: InlineArray<16, UInt32> = .init(repeating: 0)
    /// The operands of the last `cmp`: the five conditions that branches test are worked out where one asks.
    public var compared: InlineArray<2, UInt32> = .init(repeating: 0)
    public var pc: UInt64 = 0
    public var special: InlineArray<256, UInt32> = .init(repeating: 0)

    public init() {}

    /// Byte offset of a field.
    static func offset<T>(_ field: KeyPath<MoxieState, T>) -> Int {
        guard let offset = MemoryLayout<MoxieState>.offset(of: field) else { fatalError("field without offset") }
        return offset
    }
}

/// Byte offsets that translation uses.
enum StateOffset {
    static let registers = MoxieState.offset(\.registers)
    static let compared = MoxieState.offset(\.compared)
    static let pc = MoxieState.offset(\.pc)
    static let special = MoxieState.offset(\.special)
}

/// The registers by number, as the assembler names them.
let registerNames = ["fp", "sp"] + (0...13).map { "r\($0)" }

/// Special registers that the core itself sets (GDB's simulator, `interp.c`).
enum SpecialRegister {
    /// Why the last exception was raised.
    static let exception = 2
    /// The number of the last `swi`.
    static let interrupt = 3
}

/// The IR globals, in temp order: the registers, then what was compared.
enum Global {
    static let framePointer = Temp(0)
    static let stackPointer = Temp(1)
    @inline(__always) static func register(_ i: Int32) -> Temp { Temp(UInt32(bitPattern: i)) }
    static let compared = (Temp(16), Temp(17))

    static let descriptors: [GlobalDescriptor] =
        registerNames.enumerated().map {
            GlobalDescriptor(name: $1, type: .i32, offset: StateOffset.registers + 4 * $0)
        }
        + (0...1).map { GlobalDescriptor(name: "cmp\($0)", type: .i32, offset: StateOffset.compared + 4 * $0) }
}
