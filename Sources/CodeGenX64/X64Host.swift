// x86-64 machine code as a host of the translator: the host contract on top of `Lowering`.
//
// The code buffer starts with the common stubs; regions follow, each at a multiple of 8 bytes, with a `HeadExit` before it, and, where it is
// relative, a `MovingEntry` before that. Between them lie guards and the ways to the jump cache.

import CodeGen
import IR

public final class X64Host: HostBackEnd, @unchecked Sendable {
    public let name = "x86-64"
    public private(set) var description: HostDescription? = .x64()
    public let stateRegister = Int(StateRegister.register.rawValue)
    public let stateBias = StateRegister.bias

    // Set once by `configure`. `lowering` is used under the engine's translation lock.
    private(set) var code: CodeBuffer?
    private var configuration: HostConfiguration?
    /// Where `code` lies: patching needs no more.
    private var writable = UnsafeMutableRawPointer(bitPattern: 8)!
    private var executable = UnsafeRawPointer(bitPattern: 8)!
    /// Offset in the code buffer behind the stubs.
    private(set) var stubsEnd = 0
    private var lowering: UnsafeMutablePointer<Lowering>?
    private var stubs = Stubs()
    private var prologue: Prologue?
    private let tally = LookUpTally()
    public var lookUpCounts: LookUpCounts? { tally.counts }
    /// The slots and relocations of all compiled regions, used under the engine's translation lock.
    var patches = SlotTable(code: UnsafeRawPointer(bitPattern: 8)!)
    var relocations: [Relocation] = []

    /// (CPU state, entry) -> exit value
    private typealias Prologue = @convention(c) (UnsafeMutableRawPointer, UInt64) -> UInt64

    public let makesMovingCode = true

    public init() {}

    /// Extensions of the instruction set that generated code uses without asking: x86-64-v3 and what two ops need besides.
    public static let requiredFeatures = [
        "AVX2", "FMA", "BMI1", "BMI2", "LZCNT", "MOVBE", "F16C", "PCLMULQDQ", "CMPXCHG16B",
    ]

    deinit {
        lowering?.deinitialize(count: 1)
        lowering?.deallocate()
    }

    public func configure(_ configuration: HostConfiguration, code: CodeBuffer) {
        self.code = code
        self.configuration = configuration
        description = .x64(usesTables: configuration.usesTables)
        writable = code.writable
        executable = code.executable
        patches = SlotTable(code: code.executable)
        // Room for those of most programs: growing copies all of them.
        relocations.reserveCapacity(1 << 18)
        precondition(code.size < 1 << 31, "the code buffer must be in reach of a 32-bit displacement")
        var asm = Assembler(
            start: code.writable + code.used, end: code.writable + code.size, rxDelta: code.executableDelta)
        stubs = Stubs.emit(
            &asm, HeaderFields(), pcHome: Address(.rbp, Int32(configuration.pcOffset - StateRegister.bias)),
            configuration)
        precondition(!asm.overflowed, "the code buffer is too small for the host's stubs")
        code.used += asm.offset
        stubsEnd = code.used
        let p = UnsafeMutablePointer<Lowering>.allocate(capacity: 1)
        p.initialize(to: Lowering(configuration, stubs, tally, asm: asm))
        lowering?.deinitialize(count: 1)
        lowering?.deallocate()
        lowering = p
        prologue = unsafeBitCast(stubs.prologue, to: Prologue.self)
    }

    public func compile(_ region: Region, _ allocation: Allocation, translation: Int) -> CompiledRegion? {
        guard let code, let lowering else { return nil }
        let isRelative = region.s.pointee.guestFlags & CodeMode.relative != 0
        let start = nextStart(code, isRelative: isRelative)
        guard start < code.size else { return nil }
        lowering.pointee.asm.begin(
            start: code.writable + start, end: code.writable + code.size, rxDelta: code.executableDelta)
        guard lowering.pointee.run(region, allocation, translation: translation) else { return nil }
        let size = lowering.pointee.asm.offset
        code.used = start + size
        let movingEntry = writeHead(code, start, movingPC: isRelative ? region.s.pointee.guestPC : nil)
        let firstSlot = patches.count
        for i in 0..<region.slotCount { patches.append(SlotPatch(lowering.pointee.slots[i], at: start)) }
        let firstRelocation = relocations.count
        let noted = lowering.pointee.asm.relocationCount
        for i in 0..<noted { relocations.append(lowering.pointee.asm.relocations[i]) }
        return CompiledRegion(
            entry: UInt64(UInt(bitPattern: code.executable + start)), movingEntry: movingEntry, codeSize: size,
            firstSlot: firstSlot, slotCount: region.slotCount, firstRelocation: firstRelocation, relocationCount: noted,
            records: lowering.pointee.writer.finish())
    }

    /// Offset of the next region's entry in the code buffer.
    func nextStart(_ code: CodeBuffer, isRelative: Bool) -> Int {
        (code.used + HeadExit.size + (isRelative ? MovingEntry.size : 0) + 7) & ~7
    }

    /// The way out of the region at `start`, and, of relative code made for `movingPC`, the way in by the pc, whose address it returns, or 0.
    func writeHead(_ code: CodeBuffer, _ start: Int, movingPC: UInt64?) -> UInt64 {
        HeadExit.write(code.writable + start, distance: distance(code, from: start, to: stubs.headExit))
        guard let movingPC, let lowering else { return 0 }
        MovingEntry.write(
            code.writable + start, pc: movingPC, pcHome: lowering.pointee.pcHome, delta: lowering.pointee.header.delta)
        return UInt64(UInt(bitPattern: code.executable + (start - HeadExit.size - MovingEntry.size)))
    }

    /// The stub of a slot of translation `translation`, at an offset in the code buffer, for a region that has moved.
    func writeSlotStub(_ code: CodeBuffer, _ patch: SlotPatch, translation: Int, slot: Int) {
        let stub = Int(patch.stub), target = stubs.exit(of: SlotKind(rawValue: patch.kind) ?? .fixed)
        SlotStub.write(
            code.writable + stub, distance: distance(code, from: stub + Int(SlotStub.payload), to: target),
            payload: UInt32(truncatingIfNeeded: translation &<< 8 | slot), pc: patch.pc)
    }

    private func distance(_ code: CodeBuffer, from offset: Int, to target: UInt) -> UInt32 {
        UInt32(truncatingIfNeeded: target &- UInt(bitPattern: code.executable) &- UInt(bitPattern: offset))
    }

    public func makeCompiler() -> (any RegionCompiler)? {
        guard let code, let configuration else { return nil }
        return X64Compiler(configuration, stubs, tally, code)
    }

    public func discard(_ compiled: CompiledRegion) {
        guard let code, compiled.firstSlot + compiled.slotCount == patches.count else { return }
        // Nor if something else has come behind it, which is longer than what aligns regions.
        let end = Int(compiled.entry &- UInt64(UInt(bitPattern: code.executable))) + compiled.codeSize
        guard code.used < end &+ 8 else { return }
        patches.removeLast(compiled.slotCount)
        relocations.removeLast(compiled.relocationCount)
        let first = compiled.movingEntry != 0 ? compiled.movingEntry : compiled.entry &- UInt64(HeadExit.size)
        code.used = Int(first &- UInt64(UInt(bitPattern: code.executable)))
    }

    public func enter(_ state: UnsafeMutableRawPointer, _ entry: UInt64) -> ExitValue {
        guard let prologue else { fatalError("the host is not configured") }
        return ExitValue(raw: prologue(state, entry))
    }

    // MARK: Slots

    public func link(_ compiled: CompiledRegion, slot: Int, to target: UInt64, pc: UInt64) -> Bool {
        guard let patch = patch(compiled, slot) else { return false }
        if !patch.isCache {
            setJump(patch.field, to: UInt(target))
            return true
        }
        // The jump first: it is taken once the word holds the pc, which then stays, because a thread may be between the two.
        let word = InlineCacheWord(writable + Int(patch.word))
        guard word.pc == JumpCache.noPC || word.pc == pc else { return false }
        setJump(patch.field, to: UInt(target))
        setJump(patch.missField, to: UInt(bitPattern: executable + Int(patch.miss)))
        word.set(pc)
        return true
    }

    public func guardedEntry(
        _ compiled: CompiledRegion, translation: Int, pc: UInt64, mode: UInt64, sets: Bool
    ) -> UInt64? {
        emit { $0.emitGuard(to: UInt(compiled.entry), translation: translation, pc: pc, mode: mode, sets: sets) }
    }

    public func leaveToLookUp(_ compiled: CompiledRegion, slot: Int, mode: UInt64) {
        guard let patch = patch(compiled, slot) else { return }
        if patch.isCache {
            // A target that it was for once counts as another one, too.
            for field in [patch.missField, patch.field] {
                setJump(field, to: UInt(bitPattern: executable + Int(patch.miss)))
            }
            return
        }
        let pc = patch.kind == SlotKind.movingReturn.rawValue ? nil : patch.pc
        if let code = emit({ $0.emitLookUp(pc, mode: mode) }) { setJump(patch.field, to: UInt(code)) }
    }

    public func isMovingReturn(_ compiled: CompiledRegion, slot: Int) -> Bool {
        patch(compiled, slot)?.kind == SlotKind.movingReturn.rawValue
    }

    /// Code between regions; nil when the code buffer is full.
    private func emit(_ body: (inout Lowering) -> Void) -> UInt64? {
        guard let code, let lowering else { return nil }
        let start = (code.used + 7) & ~7
        guard start < code.size else { return nil }
        lowering.pointee.asm.begin(
            start: code.writable + start, end: code.writable + code.size, rxDelta: code.executableDelta)
        body(&lowering.pointee)
        if lowering.pointee.asm.overflowed { return nil }
        code.used = start + lowering.pointee.asm.offset
        return UInt64(UInt(bitPattern: code.executable + start))
    }

    public func unlink(_ compiled: CompiledRegion, slot: Int) {
        guard let patch = patch(compiled, slot) else { return }
        setJump(patch.field, to: UInt(bitPattern: executable + Int(patch.stub)))
    }

    public func inlineCache(_ compiled: CompiledRegion) -> (site: UInt64, target: UInt64?)? {
        for slot in 0..<compiled.slotCount {
            guard let patch = patch(compiled, slot), patch.isCache else { continue }
            let pc = InlineCacheWord(executable + Int(patch.word)).pc
            return (patch.pc, pc == JumpCache.noPC ? nil : pc)
        }
        return nil
    }

    public func target(_ compiled: CompiledRegion, slot: Int) -> UInt64? {
        guard let patch = patch(compiled, slot), !patch.isCache else { return nil }
        return patch.pc
    }

    private func patch(_ compiled: CompiledRegion, _ slot: Int) -> SlotPatch? {
        guard slot >= 0, slot < compiled.slotCount else { return nil }
        let patch = patches[compiled.firstSlot + slot]
        return patch.field != 0 ? patch : nil
    }

    private func setJump(_ field: UInt32, to target: UInt) {
        let delta = Int(bitPattern: executable) - Int(bitPattern: UnsafeRawPointer(writable))
        Assembler.patchJump(writable + Int(field), rxDelta: delta, to: target)
    }

    public func flush() {
        patches.removeAll()
        relocations.removeAll(keepingCapacity: true)
    }

    // MARK: Floating-point environment outside generated code

    public func prepare(_ state: UnsafeMutableRawPointer) {
        HostWords.guestMXCSR(state).pointee = HostWords.initialMXCSR
    }

    public func floatFlags(_ state: UnsafeMutableRawPointer) -> UInt32 {
        let header = VCPUHeader.of(state)
        return guestFlags(HostWords.guestMXCSR(state).pointee) | header.pointee.fpFlags
    }

    public func setFloatFlags(_ state: UnsafeMutableRawPointer, _ flags: UInt32) {
        let header = VCPUHeader.of(state)
        header.pointee.fpFlags = flags & 31
        HostWords.guestMXCSR(state).pointee &= ~63
    }

    public func setRounding(_ state: UnsafeMutableRawPointer, _ mode: UInt32) {
        let header = VCPUHeader.of(state)
        header.pointee.fpRounding = mode <= 4 ? mode : 0
        let word = HostWords.guestMXCSR(state)
        word.pointee = word.pointee & ~RoundingControl.mask | RoundingControl.bits(mode)
    }

    public var registerCounts: RegisterCounts { RegisterCounts(general: 16, float: 16) }
    public var faultExitAddress: UInt64 { UInt64(stubs.faultExit) }

    /// Generated code never moves its stack pointer: a call's return address is just below it.
    public func callReturnAddress(_ state: UnsafeMutableRawPointer) -> UInt64 {
        let stack = UnsafeRawPointer(bitPattern: UInt(HostWords.stack(state)))
        return stack.map { ($0 - 8).load(as: UInt64.self) } ?? 0
    }
}
