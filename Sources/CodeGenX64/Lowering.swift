// Lowering: one pass over an allocation's steps, each turned into machine code as it comes. Rare code (exits, NaN results, ...)
// is noted as a cold stub and emitted after the region's last step.
//
// Invariants
// - A step's code uses the registers in its places, r11 and xmm15, and the clobbers of the op's row; nothing else.
// - Flags carry from one step to the next only what `flags` says.
// - Before an instruction that can fault, the state of `writer` is what recovery needs, and `point()` has been called.
// - The stubs and all regions are in one buffer of less than 2 GiB: rel32 reaches everything.
// - Code names nothing of this process except by its distance in that buffer: a region can be moved (Portable.swift).

import CodeGen
import IR
import SoftFloat

/// What the lowering needs of a helper.
struct HelperEntry {
    /// Where its address lies in the code buffer.
    var address: UInt
    var mayExit: Bool
}

/// Code to be emitted at the region's end.
struct ColdStub {
    enum Kind: UInt8 { case sideExit, hot, misalignedRead, misalignedWrite, float, slowRead, slowWrite, lookUp }
    var kind: Kind
    /// Where the hot code jumps to, and where the stub comes back.
    var label: Label
    var back: Label
    /// `sideExit`, `misaligned...`: offset of the recovery point. `float`, `slow...`: index of the op's step.
    var value: Int
    /// `misaligned...`: the register that holds the address, perhaps in its low half only.
    var register: GPR
    var isNarrow: Bool
    /// `slow...`, `lookUp`: offset of the recovery point.
    var point = 0
    /// `lookUp`: where hot code goes on with the page.
    var found = Label(index: -1)
}

/// What the host's flags are known to tell.
struct FlagsContent {
    /// The zero flag is that of this register's value, of this size. 255: nothing is known.
    var register: UInt8
    var size: OperandSize
    /// It is also that of `x & y`.
    var x = Temp.none
    var y = Temp.none
    static let none = FlagsContent(register: 255, size: .qword)
}

/// A sum of a register and another one shifted by 1 to 3, which is one address calculation.
struct ScaledSum {
    /// The step of the addition; none when nil.
    var step: UnsafeMutablePointer<Step>?
    var base = GPR.rax
    var index = GPR.rax
    var scale = Scale.x1
}

struct Lowering: ~Copyable {
    var asm: Assembler
    var writer: RecoveryWriter
    let header: HeaderFields
    let stubs: Stubs

    // The region being lowered.
    var ops: UnsafeMutablePointer<Op>
    var temps: UnsafeMutablePointer<TempInfo>
    var homeSlots: UnsafeMutablePointer<Int16>
    var steps: UnsafeMutablePointer<Step>
    var blocks: UnsafeMutablePointer<Block>
    var blockCount = 0
    var globalCount = 0
    /// Guest pc of the region, and of the current instruction.
    var regionPC: UInt64 = 0
    /// By which a target's key differs from its pc, in the region's mode (`KeyedPC`).
    var salt: UInt64 = 0
    /// The region is relative (`CodeMode.relative`).
    var isRelative = false
    var pc: UInt64 = 0
    /// Its word.
    var word: UInt16 = 0
    /// What the flags tell after the steps so far.
    var flags = FlagsContent.none
    /// An addition that does a shift before it, too (`scalesSum`).
    var scaled = ScaledSum()
    /// The region is one block and its exits.
    var isFlat = false
    /// Steps after the current one that were lowered together with it.
    var stepsTaken = 0
    /// The region counts its executions: it is not hot yet.
    var isCounted = false
    /// The index of the translation being made.
    var translation = 0
    /// Where the checks at the region's entry end so far.
    var headEnd = 0
    /// Where the cold part of the access being emitted comes back.
    var madeAccess: Label?
    /// What r10 and r11 tell of the last access.
    var known = KnownPage.none
    /// Of the region.
    var lookUps = LookUpCounts()

    // Fixed by `configure`.
    /// By opcode.
    let emitters: UnsafeMutablePointer<Emitter>
    let helpers: UnsafeMutablePointer<HelperEntry>
    let pcHome: Address
    let isProfiled: Bool
    let countsInstructions: Bool
    let floatRules: FloatRules
    /// The FPU computes by the guest's rules.
    let usesFPU: Bool
    /// Guest addresses are looked up.
    let usesTables: Bool
    private let tally: LookUpTally

    // Owned, reused.
    var cold: UnsafeMutablePointer<ColdStub>
    var coldCount = 0
    var coldCapacity = 64
    let slots: UnsafeMutablePointer<SlotUse>
    static let slotLimit = 256

    /// Bytes of recovery records that one region may have.
    static let recordCapacity = 1 << 20

    init(_ configuration: HostConfiguration, _ stubs: Stubs, _ tally: LookUpTally, asm: consuming Assembler) {
        self.tally = tally
        self.asm = asm
        self.stubs = stubs
        writer = RecoveryWriter(capacity: Lowering.recordCapacity, globalCount: configuration.globals.count)
        header = HeaderFields()
        emitters = .allocate(capacity: Opcode.allCases.count)
        for opcode in Opcode.allCases { (emitters + Int(opcode.rawValue)).initialize(to: opcode.x64.emit) }
        helpers = .allocate(capacity: max(configuration.helpers.count, 1))
        for (i, helper) in configuration.helpers.enumerated() {
            let address = stubs.helperTable &+ UInt(8 &* i)
            (helpers + i).initialize(to: HelperEntry(address: address, mayExit: helper.mayExit))
        }
        pcHome = Address(.rbp, Int32(configuration.pcOffset - StateRegister.bias))
        isProfiled = configuration.isProfiled
        countsInstructions = configuration.countsInstructions
        floatRules = configuration.floatRules
        usesFPU = floatRules == .canonical
        usesTables = configuration.usesTables
        cold = .allocate(capacity: coldCapacity)
        slots = .allocate(capacity: Lowering.slotLimit)
        // Placeholders until the first region.
        ops = UnsafeMutablePointer(bitPattern: 8)!
        temps = UnsafeMutablePointer(bitPattern: 8)!
        homeSlots = UnsafeMutablePointer(bitPattern: 8)!
        steps = UnsafeMutablePointer(bitPattern: 8)!
        blocks = UnsafeMutablePointer(bitPattern: 8)!
    }

    deinit {
        emitters.deinitialize(count: Opcode.allCases.count)
        emitters.deallocate()
        helpers.deallocate()
        cold.deallocate()
        slots.deallocate()
    }

    // MARK: Pipeline

    /// Lowers a region at the assembler's position, which is its entry. False: it did not fit.
    mutating func run(_ region: Region, _ allocation: Allocation, translation: Int) -> Bool {
        ops = region.ops
        temps = region.temps
        homeSlots = allocation.s.pointee.homeSlot
        steps = allocation.steps
        blocks = region.blocks
        blockCount = region.blockCount
        globalCount = region.globalCount
        regionPC = region.s.pointee.guestPC
        salt = KeyedPC.salt(region.s.pointee.guestFlags)
        isRelative = region.s.pointee.guestFlags & CodeMode.relative != 0
        pc = regionPC
        headEnd = 0
        isFlat = allocation.s.pointee.isFlat
        isCounted = false
        self.translation = translation
        coldCount = 0
        flags = .none
        known = .none
        lookUps = LookUpCounts()
        scaled.step = nil
        guard region.slotCount <= Lowering.slotLimit else { return false }
        for i in 0..<region.slotCount { slots[i] = .unused }
        writer.begin(pc: pc)
        // Label n of the allocation is label n of the assembler.
        for _ in 0..<allocation.s.pointee.labelCount { _ = asm.newLabel() }

        let end = steps + allocation.stepCount
        var step = steps
        while step < end {
            lower(step, end)
            // What a page is known by is of interest only where addresses are looked up.
            for i in 0...stepsTaken where usesTables && step[i].dst < UInt8(GPR.allCases.count) {
                asm.touch(step[i].dst)
            }
            step += 1 + stepsTaken
            stepsTaken = 0
        }
        emitColdStubs()
        emitSlotStubs(region.slotCount)
        if asm.overflowed || writer.overflowed { return false }
        for i in 0..<region.slotCount where slots[i].isUsed {
            let stub = entryAddress &+ UInt(bitPattern: slots[i].stub)
            asm.patchJump(at: slots[i].field, to: stub)
            if slots[i].isCache { asm.patchJump(at: slots[i].missField, to: stub) }
        }
        if usesTables { tally.add(lookUps) }
        return true
    }

    var entryAddress: UInt { asm.address &- UInt(bitPattern: asm.offset) }

    @inline(__always)
    private mutating func lower(_ s: UnsafeMutablePointer<Step>, _ end: UnsafeMutablePointer<Step>) {
        switch s.pointee.kind {
        case .op: lowerOp(s, ops + Int(s.pointee.index), end)
        case .label:
            flags = .none
            label(Int(s.pointee.label))
        case .move:
            if flags.register == s.pointee.dst { flags = .none }
            move(s.pointee.dst, s.pointee.a, type(s.pointee.index))
        case .load:
            if flags.register == s.pointee.dst { flags = .none }
            load(s.pointee.dst, Temp(s.pointee.index))
        case .store: store(s)
        case .constant:
            flags = .none
            constant(gpr(s.pointee.dst), temps[Int(s.pointee.index)])
        case .jump: jump(s.pointee.label, from: s, end)
        case .dirty: dirty(s)
        case .clean: writer.clean(Int(s.pointee.index))
        case .resetState: writer.resetState()
        }
    }

    // MARK: Steps

    /// A label is here. What heads a loop is aligned.
    private mutating func label(_ index: Int) {
        if index < blockCount, blocks[index].isLoopHeader, asm.offset != headEnd { asm.align(16) }
        asm.bind(Label(index: Int32(truncatingIfNeeded: index)))
    }

    @inline(__always) func type(_ temp: UInt32) -> ValueType { temps[Int(temp)].type }

    /// The home of a temp: in the CPU state or in the frame.
    @inline(__always) func home(_ t: Temp) -> Address {
        if t.i < globalCount {
            return Address(.rbp, Int32(truncatingIfNeeded: temps[t.i].value &- Int64(StateRegister.bias)))
        }
        return Address(.rsp, Int32(homeSlots[t.i]) &* 8)
    }

    mutating func move(_ dst: UInt8, _ a: UInt8, _ type: ValueType) {
        if dst == a { return }
        if type.isFloat {
            asm.vmov(.vmovaps, xmm(dst), xmm(a))
        } else {
            asm.mov(type.operandSize, gpr(dst), gpr(a))
        }
    }

    mutating func load(_ dst: UInt8, _ t: Temp) {
        if moveGlobal(0x8B, dst, t) { return }
        let type = temps[t.i].type
        if type.isFloat {
            asm.vmov(type.vectorMove, xmm(dst), home(t))
        } else {
            asm.mov(type.operandSize, gpr(dst), home(t))
        }
    }

    @inline(__always) private mutating func dirty(_ s: UnsafeMutablePointer<Step>) {
        let source: RecoverySource
        switch s.pointee.a {
        case Place.constant: source = .constant(temps[Int(s.pointee.index2)].value)
        case Place.memory: source = .global(Int(s.pointee.index2))
        case let r: source = .register(r)
        }
        writer.dirty(Int(s.pointee.index), source)
    }

    private mutating func store(_ s: UnsafeMutablePointer<Step>) {
        let t = Temp(s.pointee.index)
        let type = temps[t.i].type
        if s.pointee.a == Place.constant {
            let value = temps[Int(s.pointee.index2)].value
            asm.mov(type.operandSize, home(t), imm: Int32(truncatingIfNeeded: value))
        } else if type.isFloat {
            asm.vmov(type.vectorMove, home(t), xmm(s.pointee.a))
        } else if !moveGlobal(0x89, s.pointee.a, t) {
            asm.mov(type.operandSize, home(t), gpr(s.pointee.a))
        }
        if t.i < globalCount { writer.clean(t.i) }
    }

    /// Moves a 64-bit global from or to its home in the commonest way. False: not of that kind.
    @inline(__always)
    private mutating func moveGlobal(_ opcode: UInt8, _ register: UInt8, _ t: Temp) -> Bool {
        guard t.i < globalCount, temps[t.i].type == .i64 else { return false }
        let displacement = temps[t.i].value &- Int64(StateRegister.bias)
        guard displacement == Int64(Int8(truncatingIfNeeded: displacement)) else { return false }
        asm.movState(opcode, gpr(register), Int8(truncatingIfNeeded: displacement))
        return true
    }

    /// A constant into a register. An i32's upper half does not matter.
    mutating func constant(_ d: GPR, _ info: TempInfo) {
        if info.value == 0 {
            asm.zero(d)
        } else if info.type == .i32 {
            asm.mov(d, imm: Int64(UInt32(truncatingIfNeeded: info.value)))
        } else {
            asm.mov(d, imm: info.value)
        }
    }

    private mutating func jump(_ label: UInt32, from s: UnsafeMutablePointer<Step>, _ end: UnsafeMutablePointer<Step>) {
        if follows(label, s, end) { return }
        asm.jmp(Label(index: Int32(truncatingIfNeeded: label)))
    }

    /// The label stands directly after step `s`.
    @inline(__always)
    func follows(_ label: UInt32, _ s: UnsafeMutablePointer<Step>, _ end: UnsafeMutablePointer<Step>) -> Bool {
        let next = s + 1
        return next < end && next.pointee.kind == .label && next.pointee.label == label
    }

    // MARK: Ops

    private mutating func lowerOp(
        _ s: UnsafeMutablePointer<Step>, _ op: UnsafeMutablePointer<Op>, _ end: UnsafeMutablePointer<Step>
    ) {
        // Only a comparison looks at them, and only the functions that say so leave something in them.
        switch op.pointee.opcode {
        case .insnStart, .brcond, .select: break
        default: flags = .none
        }
        emitters[Int(op.pointee.opcode.rawValue)](&self, s, op, end)
    }

    // MARK: Recovery and cold stubs

    /// The next instruction may fault.
    @inline(__always) mutating func point() { writer.point(offset: asm.offset, pc: pc, word: word) }

    mutating func addCold(
        _ kind: ColdStub.Kind, value: Int, register: GPR = .r11, isNarrow: Bool = false
    ) -> ColdStub {
        if coldCount == coldCapacity { cold = doubled(cold, coldCount, &coldCapacity) }
        let stub = ColdStub(
            kind: kind, label: asm.newLabel(), back: asm.newLabel(), value: value, register: register,
            isNarrow: isNarrow)
        cold[coldCount] = stub
        coldCount &+= 1
        return stub
    }

    private mutating func emitColdStubs() {
        var i = 0
        while i < coldCount {
            let stub = cold[i]
            i &+= 1
            asm.bind(stub.label)
            switch stub.kind {
            case .sideExit:
                asm.lea(.qword, .r11, .rip(asm.label(at: stub.value)))
                asm.jmp(to: stubs.sideExit)
            case .hot:
                asm.lea(.qword, .r11, .rip(asm.label(at: stub.value)))
                asm.jmp(to: stubs.hot)
            case .misalignedRead, .misalignedWrite:
                asm.mov(.dword, header.faultIsWrite, imm: stub.kind == .misalignedWrite ? 1 : 0)
                if stub.isNarrow { asm.mov(.dword, .r11, stub.register) }
                asm.mov(.qword, header.exitValue, stub.isNarrow ? .r11 : stub.register)
                asm.lea(.qword, .r11, .rip(asm.label(at: stub.value)))
                asm.jmp(to: stubs.misaligned)
            case .float:
                let s = steps + stub.value
                coldFloat(stub, s, ops + Int(s.pointee.index))
            case .slowRead, .slowWrite, .lookUp:
                let s = steps + stub.value
                slowAccess(stub, s, ops + Int(s.pointee.index))
            }
        }
    }

    @inline(__always) func fits(_ value: Int64) -> Bool { value == Int64(Int32(truncatingIfNeeded: value)) }
}

extension ValueType {
    /// The operand size of an integer type.
    @inline(__always) var operandSize: OperandSize { self == .i64 ? .qword : .dword }
    @inline(__always) var vectorMove: VectorMove { self == .f32 ? .vmovss : .vmovsd }
    /// Scalar and packed type suffix of a floating-point type.
    @inline(__always) var fp: FPType { self == .f32 ? .ss : .sd }
    @inline(__always) var packed: FPType { self == .f32 ? .ps : .pd }
}

extension ConstantPool {
    @inline(__always) func sign(_ type: ValueType) -> UInt { type == .f32 ? sign32 : sign64 }
    @inline(__always) func magnitude(_ type: ValueType) -> UInt { type == .f32 ? magnitude32 : magnitude64 }
    @inline(__always) func nan(_ type: ValueType) -> UInt { type == .f32 ? nan32 : nan64 }
    @inline(__always) func two63(_ type: ValueType) -> UInt { type == .f32 ? two63Single : two63Double }
    @inline(__always) func two64(_ type: ValueType) -> UInt { type == .f32 ? two64Single : two64Double }
}
