// The state of the made-up machine.

import GuestKit
import IR

struct ToyState {
    /// r0 to r7; r6 is where calls return to, r7 the stack pointer.
    var registers: InlineArray<8, UInt32> = .init(repeating: 0)
    /// What the last `cmp` compared: flags and conditions are worked out where they are asked for.
    var compared: InlineArray<2, UInt32> = .init(repeating: 0)
    /// 1: the system call has failed, and its result is the error.
    var failed: UInt32 = 0
    /// 1: the instruction that stopped is in the delay slot of the one at the pc.
    var inSlot: UInt16 = 0
    var pc: UInt64 = 0

    static func offset<T>(_ field: KeyPath<ToyState, T>) -> Int { MemoryLayout<ToyState>.offset(of: field)! }
}

enum ToyRegister {
    static let link = Temp(6)
    static let compared = (Temp(8), Temp(9))
    static let globals =
        (0..<8).map { GlobalDescriptor(name: "r\($0)", type: .i32, offset: 4 * $0) }
        + (0..<2).map {
            GlobalDescriptor(name: "cmp\($0)", type: .i32, offset: ToyState.offset(\.compared) + 4 * $0)
        }
    static let descriptors =
        globals.map { RegisterDescriptor(name: $0.name, offset: Int($0.offset), size: 4, group: .general) } + [
            RegisterDescriptor(name: "failed", offset: ToyState.offset(\.failed), size: 4, group: .system),
            RegisterDescriptor(name: "inslot", offset: ToyState.offset(\.inSlot), size: 2, group: .system),
            RegisterDescriptor(name: "pc", offset: ToyState.offset(\.pc), size: 8, group: .system),
        ]
}

/// Exceptions, by numbers that no other guest has.
public enum ToyException {
    public static let illegalInstruction: UInt32 = 70
    public static let breakpoint: UInt32 = 71
}
