// Loads, stores and the stack. Bytes and halfwords are zero-extended; any alignment is allowed.

import GuestKit
import IR

extension MoxieTranslator {
    /// Sizes of accesses, in the order of bytes that all have.
    private static let byte = MemOp(log2Size: 0, bigEndian: true)
    private static let short = MemOp(log2Size: 1, bigEndian: true)
    private static let long = MemOp(log2Size: 2, bigEndian: true)

    @inline(__always) private func load(_ a: Args.ABO, _ access: MemOp) -> Bool {
        ir.gld(x(a.b), a.offset, access, .i32, into: x(a.a))
        return true
    }
    @inline(__always) private func store(_ a: Args.ABO, _ access: MemOp) -> Bool {
        ir.gst(x(a.b), x(a.a), a.offset, access)
        return true
    }
    @inline(__always) private func load(_ a: Args.M, _ access: MemOp) -> Bool {
        ir.gld(word(a.address), 0, access, .i32, into: x(a.a))
        return true
    }
    @inline(__always) private func store(_ a: Args.M, _ access: MemOp) -> Bool {
        ir.gst(x(a.a), word(a.address), 0, access)
        return true
    }

    mutating func ld_b(_ a: Args.ABO) -> Bool { load(a, Self.byte) }
    mutating func ld_s(_ a: Args.ABO) -> Bool { load(a, Self.short) }
    mutating func ld_l(_ a: Args.ABO) -> Bool { load(a, Self.long) }
    mutating func ldo_b(_ a: Args.ABO) -> Bool { load(a, Self.byte) }
    mutating func ldo_s(_ a: Args.ABO) -> Bool { load(a, Self.short) }
    mutating func ldo_l(_ a: Args.ABO) -> Bool { load(a, Self.long) }
    mutating func lda_b(_ a: Args.M) -> Bool { load(a, Self.byte) }
    mutating func lda_s(_ a: Args.M) -> Bool { load(a, Self.short) }
    mutating func lda_l(_ a: Args.M) -> Bool { load(a, Self.long) }
    mutating func st_b(_ a: Args.ABO) -> Bool { store(a, Self.byte) }
    mutating func st_s(_ a: Args.ABO) -> Bool { store(a, Self.short) }
    mutating func st_l(_ a: Args.ABO) -> Bool { store(a, Self.long) }
    mutating func sto_b(_ a: Args.ABO) -> Bool { store(a, Self.byte) }
    mutating func sto_s(_ a: Args.ABO) -> Bool { store(a, Self.short) }
    mutating func sto_l(_ a: Args.ABO) -> Bool { store(a, Self.long) }
    mutating func sta_b(_ a: Args.M) -> Bool { store(a, Self.byte) }
    mutating func sta_s(_ a: Args.M) -> Bool { store(a, Self.short) }
    mutating func sta_l(_ a: Args.M) -> Bool { store(a, Self.long) }

    // MARK: The stack

    /// The word below a stack pointer. The pointer moves after the access, which may fault.
    mutating func push(_ a: Args.AB) -> Bool {
        ir.gst(x(a.b), x(a.a), -4, Self.long)
        ir.add(x(a.a), ir.const(-4, .i32), into: x(a.a))
        return true
    }
    /// A pointer that is popped from itself is moved.
    mutating func pop(_ a: Args.AB) -> Bool {
        ir.gld(x(a.a), 0, Self.long, .i32, into: a.a == a.b ? nil : x(a.b))
        ir.add(x(a.a), ir.const(4, .i32), into: x(a.a))
        return true
    }

    /// What a call leaves on the stack: the caller's frame pointer, the return address, room for the static chain. Both
    /// pointers then point at it.
    func pushFrame(returnTo: UInt64) {
        let stack = Global.stackPointer
        ir.gst(word(UInt32(truncatingIfNeeded: returnTo)), stack, -8, Self.long)
        ir.gst(Global.framePointer, stack, -12, Self.long)
        ir.add(stack, ir.const(-12, .i32), into: stack)
        ir.mov(Global.framePointer, stack)
    }
    /// Takes it off again; the return address.
    func popFrame() -> Temp {
        let frame = Global.framePointer
        let caller = ir.gld(frame, 0, Self.long, .i32)
        let returnTo = ir.gld(frame, 4, Self.long, .i32)
        ir.add(frame, ir.const(12, .i32), into: Global.stackPointer)
        ir.mov(frame, caller)
        return ir.zext(returnTo)
    }
}
