// x86-64 machine code as a host of the translator: the host contract on top of `Lowering`.
//
// The code buffer starts with the common stubs; regions follow, each at a multiple of 16 bytes. A region's `slots` are pairs of
// offsets in the code buffer: slot n's patchable displacement at 2n, its stub at 2n + 1.

import CodeGen
import IR

public final class X64Host: HostBackEnd, @unchecked Sendable {
    public let name = "x86-64"
    public let description: HostDescription? = .x64()
    public let stateRegister = Int(StateRegister.register.rawValue)
    public let stateBias = StateRegister.bias

    // Set once by `configure`. `lowering` is used under the engine's translation lock.
    private var code: CodeBuffer?
    private var lowering: UnsafeMutablePointer<Lowering>?
    private var stubs = Stubs()
    private var prologue: Prologue?

    /// (CPU state, entry) -> exit value
    private typealias Prologue = @convention(c) (UnsafeMutableRawPointer, UInt64) -> UInt64

    public init() {}

    deinit {
        lowering?.deinitialize(count: 1)
        lowering?.deallocate()
    }

    public func configure(_ configuration: HostConfiguration, code: CodeBuffer) {
        self.code = code
        precondition(code.size < 1 << 31, "the code buffer must be in reach of a 32-bit displacement")
        var asm = Assembler(
            start: code.writable + code.used, end: code.writable + code.size, rxDelta: code.executableDelta)
        stubs = Stubs.emit(&asm, HeaderFields())
        precondition(!asm.overflowed, "the code buffer is too small for the host's stubs")
        code.used += asm.offset
        let p = UnsafeMutablePointer<Lowering>.allocate(capacity: 1)
        p.initialize(to: Lowering(configuration, asm: asm))
        p.pointee.stubs = stubs
        lowering?.deinitialize(count: 1)
        lowering?.deallocate()
        lowering = p
        prologue = unsafeBitCast(stubs.prologue, to: Prologue.self)
    }

    public func compile(_ region: Region, _ allocation: Allocation, translation: Int) -> CompiledRegion? {
        guard let code, let lowering else { return nil }
        let start = (code.used + 15) & ~15
        guard start < code.size else { return nil }
        lowering.pointee.asm.begin(
            start: code.writable + start, end: code.writable + code.size, rxDelta: code.executableDelta)
        guard lowering.pointee.run(region, allocation, translation: translation) else { return nil }
        let size = lowering.pointee.asm.offset
        code.used = start + size
        let slotCount = region.slotCount
        let slots = lowering.pointee.slots
        let table = [UInt32](unsafeUninitializedCapacity: 2 * slotCount) { buffer, count in
            for i in 0..<slotCount {
                buffer[2 * i] = slots[i].isUsed ? UInt32(truncatingIfNeeded: start + slots[i].field) : 0
                buffer[2 * i + 1] = slots[i].isUsed ? UInt32(truncatingIfNeeded: start + slots[i].stub) : 0
            }
            count = 2 * slotCount
        }
        return CompiledRegion(
            entry: UInt64(UInt(bitPattern: code.executable + start)), codeSize: size, slots: table,
            records: lowering.pointee.writer.finish())
    }

    public func enter(_ state: UnsafeMutableRawPointer, _ entry: UInt64) -> ExitValue {
        guard let prologue else { fatalError("the host is not configured") }
        return ExitValue(raw: prologue(state, entry))
    }

    public func link(_ compiled: CompiledRegion, slot: Int, to target: UInt64) {
        patch(compiled, slot, to: UInt(target))
    }

    public func unlink(_ compiled: CompiledRegion, slot: Int) {
        guard let code, 2 * slot + 1 < compiled.slots.count else { return }
        patch(compiled, slot, to: UInt(bitPattern: code.executable + Int(compiled.slots[2 * slot + 1])))
    }

    private func patch(_ compiled: CompiledRegion, _ slot: Int, to target: UInt) {
        guard let code, 2 * slot + 1 < compiled.slots.count, compiled.slots[2 * slot] != 0 else { return }
        Assembler.patchJump(code.writable + Int(compiled.slots[2 * slot]), rxDelta: code.executableDelta, to: target)
    }

    /// Regions own nothing outside the code buffer.
    public func flush() {}

    // MARK: Floating-point environment outside generated code

    public func floatFlags(_ state: UnsafeMutableRawPointer) -> UInt32 {
        let header = VCPUHeader.of(state)
        return guestFlags(header.pointee.guestMXCSR) | header.pointee.fpFlags
    }

    public func setFloatFlags(_ state: UnsafeMutableRawPointer, _ flags: UInt32) {
        let header = VCPUHeader.of(state)
        header.pointee.fpFlags = flags & 31
        header.pointee.guestMXCSR &= ~63
    }

    public func setRounding(_ state: UnsafeMutableRawPointer, _ mode: UInt32) {
        let header = VCPUHeader.of(state)
        header.pointee.fpRounding = mode <= 4 ? mode : 0
        header.pointee.guestMXCSR = header.pointee.guestMXCSR & ~RoundingControl.mask | RoundingControl.bits(mode)
    }

    public var faultExitAddress: UInt64 { UInt64(stubs.faultExit) }
}
