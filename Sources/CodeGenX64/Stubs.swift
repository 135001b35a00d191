// The code that exists once per code buffer: the way in, the ways out, and constants. It lies at the start of the buffer, in
// reach of every region.

import CodeGen
import IR
import SoftFloat

/// Displacements of the header's fields from rbp.
struct HeaderFields {
    let exitRequest = field(\.exitRequest)
    let exitReason = field(\.exitReason)
    let exitValue = field(\.exitValue)
    let jumpCache = field(\.jumpCache)
    let returnStack = field(\.returnStack)
    let returnStackTop = field(\.returnStackTop)
    let knownTranslations = field(\.knownTranslations)
    let delta = field(\.delta)
    let fpFlags = field(\.fpFlags)
    let fpRounding = field(\.fpRounding)
    let guestMXCSR = field(\.hostWords, at: HostWords.guestMXCSR)
    let hostMXCSR = field(\.hostWords, at: HostWords.hostMXCSR)
    let hostStack = field(\.hostWords, at: HostWords.stack)
    let faultIsWrite = field(\.faultIsWrite)
    let savedRegisters = field(\.savedRegisters)
    let softOperands = field(\.softOperands)
    let sideExitAddress = field(\.sideExitAddress)
    let lookupMisses = field(\.jumps.lookupMisses)
    let returnMisses = field(\.jumps.returnMisses)
    let directJumps = field(\.jumps.direct)
    let returns = field(\.jumps.returns)
    let cachedJumps = field(\.jumps.cached)
    let lookups = field(\.jumps.lookups)
    let views = field(\.views)
    let budget = field(\.budget)
    let charged = field(\.charged)
    let started = field(\.started)

    /// The table of an MMU index.
    func view(_ index: Int) -> (table: Address, mask: Address) {
        let base = Int32(truncatingIfNeeded: views.value) &+ Int32(MemoryLayout<TLBView>.stride) &* Int32(index)
        return (Address(.rbp, base), Address(.rbp, base &+ 8))
    }

    private static func field<T>(_ path: KeyPath<VCPUHeader, T>, at offset: Int = 0) -> Address {
        Address(.rbp, Int32(VCPUHeader.offset(of: path) + offset - StateRegister.bias))
    }
}

/// Byte offsets in `VCPUHeader.hostWords`.
enum HostWords {
    /// MXCSR while generated code runs, and outside of it.
    static let guestMXCSR = 0, hostMXCSR = 4
    /// The stack pointer inside generated code.
    static let stack = 8
    /// All exceptions masked, nearest even (SDM volume 1, 10.2.3).
    static let initialMXCSR: UInt32 = 0x1f80

    static func stack(_ state: UnsafeMutableRawPointer) -> UInt64 {
        (state + (VCPUHeader.offset(of: \.hostWords) + stack)).load(as: UInt64.self)
    }

    static func guestMXCSR(_ state: UnsafeMutableRawPointer) -> UnsafeMutablePointer<UInt32> {
        (state + (VCPUHeader.offset(of: \.hostWords) + guestMXCSR)).assumingMemoryBound(to: UInt32.self)
    }
}

/// Constants in the code buffer, 16 bytes each (a 64-byte table for the flags).
struct ConstantPool {
    /// Sign bits in the low element, zeros above.
    var sign32: UInt = 0, sign64: UInt = 0
    /// All but the sign bit in the low element.
    var magnitude32: UInt = 0, magnitude64: UInt = 0
    var ones: UInt = 0
    /// 0x7fc00000, 0x7ff8000000000000, 0x7e00
    var nan32: UInt = 0, nan64: UInt = 0, nan16: UInt = 0
    /// Shuffles that reverse the low 8 or 4 bytes.
    var reverse64: UInt = 0, reverse32: UInt = 0
    /// 2^63 and 2^64.
    var two63Double: UInt = 0
    var two63Single: UInt = 0
    var two64Double: UInt = 0
    var two64Single: UInt = 0
    /// The low 16 bits; ones above them in a 64-bit element.
    var low16: UInt = 0
    var onesAbove16: UInt = 0
    /// By the low six bits of MXCSR: the accrued flags in the guest's numbering.
    var flagTable: UInt = 0
    /// By flags in the IR's numbering: those of MXCSR that are not among them.
    var clearedFlagTable: UInt = 0
}

/// Executable addresses of the common code.
struct Stubs {
    var prologue: UInt = 0
    /// rax: the exit value.
    var epilogue: UInt = 0
    /// eax: translation << 8 | slot.
    var chainExit: UInt = 0
    /// Called by the stub of a slot: see `SlotStub`, and `SlotKind` for the three.
    var slotExit: UInt = 0
    var movingSlotExit: UInt = 0
    var movingReturnExit: UInt = 0
    /// Called from before a region's entry: see `HeadExit`.
    var headExit: UInt = 0
    /// r11: the recovery point.
    var sideExit: UInt = 0
    var hot: UInt = 0
    var misaligned: UInt = 0
    var helperExit: UInt = 0
    /// By the register that holds the target: what missed the first level of the jump cache.
    var lookupMiss: InlineArray<16, UInt> = .init(repeating: 0)
    /// By the register that holds the target: through the jump cache.
    var jumpCache: InlineArray<16, UInt> = .init(repeating: 0)
    /// By the register that holds the target: notes that an in-line cache missed, then goes through the jump cache. The number
    /// of the jump is in `missNumber(target)`.
    var missedCache: InlineArray<16, UInt> = .init(repeating: 0)
    /// r11: a `FloatOperation`; operands and result in the header. Keeps every other register.
    var softFloat: UInt = 0
    var faultExit: UInt = 0
    /// See `SlowDescriptor`.
    var slowAccess: UInt = 0
    var pool = ConstantPool()
    /// The addresses of the guest's helpers, 8 bytes each.
    var helperTable: UInt = 0

    static let pushed: [GPR] = [.rbp, .rbx, .r12, .r13, .r14, .r15]

    /// Emits everything at the assembler's position.
    static func emit(
        _ asm: inout Assembler, _ header: HeaderFields, pcHome: Address, _ configuration: HostConfiguration
    ) -> Stubs {
        var stubs = Stubs()
        asm.align(16)
        // (rdi: CPU state, rsi: entry) -> rax
        stubs.prologue = asm.address
        for r in pushed { asm.push(r) }
        asm.alu(.sub, .qword, .rsp, imm: FrameLayout.size)
        asm.lea(.qword, .rbp, Address(.rdi, Int32(StateRegister.bias)))
        asm.mov(.qword, header.hostStack, .rsp)
        asm.vstmxcsr(header.hostMXCSR)
        asm.vldmxcsr(header.guestMXCSR)
        asm.jmp(.rsi)

        stubs.faultExit = asm.address
        asm.mov(.qword, .rsp, header.hostStack)
        asm.mov(.rax, imm: Int64(ExitReason.fault))
        stubs.epilogue = asm.address
        asm.vstmxcsr(header.guestMXCSR)
        asm.vldmxcsr(header.hostMXCSR)
        asm.alu(.add, .qword, .rsp, imm: FrameLayout.size)
        for r in pushed.reversed() { asm.pop(r) }
        asm.ret()

        // The value has reason `chain`, which is 0, below its payload.
        stubs.chainExit = asm.address
        asm.shift(.shl, .qword, .rax, imm: 32)
        asm.jmp(to: stubs.epilogue)

        stubs.slotExit = asm.address
        asm.pop(.r11)
        asm.mov(.dword, .rax, Address(.r11))
        asm.mov(.qword, .r11, Address(.r11, SlotStub.pc - SlotStub.payload))
        asm.mov(.qword, pcHome, .r11)
        asm.jmp(to: stubs.chainExit)
        stubs.movingSlotExit = asm.address
        asm.pop(.r11)
        asm.mov(.dword, .rax, Address(.r11))
        asm.mov(.qword, .r11, Address(.r11, SlotStub.pc - SlotStub.payload))
        asm.alu(.add, .qword, .r11, header.delta)
        asm.mov(.qword, pcHome, .r11)
        asm.jmp(to: stubs.chainExit)
        stubs.movingReturnExit = asm.address
        asm.pop(.r11)
        asm.mov(.dword, .rax, Address(.r11))
        asm.jmp(to: stubs.chainExit)

        stubs.headExit = asm.address
        asm.pop(.r11)
        saveRegisters(&asm, header)
        asm.mov(.rax, imm: Int64(ExitReason.sideExit))
        asm.alu(.cmp, .dword, header.exitRequest, imm: 0)
        asm.jcc(.ne, to: stubs.epilogue)
        asm.mov(.rax, imm: Int64(ExitReason.hot))
        asm.jmp(to: stubs.epilogue)

        stubs.sideExit = asm.address
        saveRegisters(&asm, header)
        asm.mov(.rax, imm: Int64(ExitReason.sideExit))
        asm.jmp(to: stubs.epilogue)
        stubs.hot = asm.address
        saveRegisters(&asm, header)
        asm.mov(.rax, imm: Int64(ExitReason.hot))
        asm.jmp(to: stubs.epilogue)
        stubs.misaligned = asm.address
        saveRegisters(&asm, header)
        asm.mov(.rax, imm: Int64(ExitReason.misaligned))
        asm.jmp(to: stubs.epilogue)

        stubs.helperExit = asm.address
        asm.mov(.qword, .rax, header.exitReason)
        asm.jmp(to: stubs.epilogue)
        let lookup = asm.address
        asm.unary(.inc, .qword, header.lookupMisses)
        asm.mov(.rax, imm: Int64(ExitReason.lookup))
        asm.jmp(to: stubs.epilogue)
        for r in GPR.allCases where r != .r11 && r != .rsp && r != .rbp {
            stubs.lookupMiss[Int(r.rawValue)] = asm.address
            asm.goThroughSecondLevel(r, header, miss: lookup)
            stubs.jumpCache[Int(r.rawValue)] = asm.address
            asm.goThroughJumpCache(r, header, miss: stubs.lookupMiss[Int(r.rawValue)])
            stubs.missedCache[Int(r.rawValue)] = asm.address
            asm.noteTarget(r, number: missNumber(r), pcHome: pcHome)
            asm.jmp(to: stubs.jumpCache[Int(r.rawValue)])
        }
        if configuration.usesTables {
            stubs.slowAccess = emitSlowAccess(&asm, header)
            asm.mov(.rax, imm: Int64(ExitReason.fault))
            asm.jmp(to: stubs.epilogue)
        }
        stubs.softFloat = asm.address
        emitSoftFloat(&asm)
        stubs.pool = emitPool(&asm, configuration.floatRules.nan)
        stubs.helperTable = asm.address
        for helper in configuration.helpers { asm.data(UInt64(unsafeBitCast(helper.function, to: UInt.self))) }
        return stubs
    }

    /// What the stub of a slot calls.
    func exit(of kind: SlotKind) -> UInt {
        switch kind {
        case .fixed: slotExit
        case .moving: movingSlotExit
        case .movingReturn: movingReturnExit
        }
    }

    /// The register in which `missedCache` of a target expects the jump's number.
    static func missNumber(_ target: GPR) -> GPR { target == .rax ? .rcx : .rax }

    /// All registers and the recovery point into the header. (r11 and rsp are no guest state.)
    private static func saveRegisters(_ asm: inout Assembler, _ header: HeaderFields) {
        let base = Int32(truncatingIfNeeded: header.savedRegisters.value)
        for r in GPR.allCases { asm.mov(.qword, Address(.rbp, base + 8 * Int32(r.rawValue)), r) }
        for x in XMM.allCases { asm.vmov(.qword, Address(.rbp, base + 8 * Int32(floatRegisterBase + x.rawValue)), x) }
        asm.mov(.qword, header.sideExitAddress, .r11)
    }

    private static func emitPool(_ asm: inout Assembler, _ nan: NaNRule) -> ConstantPool {
        var pool = ConstantPool()
        asm.align(16)
        func pair(_ low: UInt64, _ high: UInt64) -> UInt {
            let address = asm.address
            asm.data(low)
            asm.data(high)
            return address
        }
        pool.sign32 = pair(0x8000_0000, 0)
        pool.sign64 = pair(1 << 63, 0)
        pool.magnitude32 = pair(0x7fff_ffff, 0)
        pool.magnitude64 = pair(~(1 << 63), 0)
        pool.ones = pair(.max, .max)
        pool.nan32 = pair(UInt64(Binary32.defaultNaN(nan)), 0)
        pool.nan64 = pair(Binary64.defaultNaN(nan), 0)
        pool.nan16 = pair(UInt64(Binary16.defaultNaN(nan)), 0)
        pool.reverse64 = pair(0x0001_0203_0405_0607, 0x8080_8080_8080_8080)
        pool.reverse32 = pair(0x8080_8080_0001_0203, 0x8080_8080_8080_8080)
        pool.two63Double = pair(0x43e0_0000_0000_0000, 0)
        pool.two63Single = pair(0x5f00_0000, 0)
        pool.two64Double = pair(0x43f0_0000_0000_0000, 0)
        pool.two64Single = pair(0x5f80_0000, 0)
        pool.low16 = pair(0xffff, 0)
        pool.onesAbove16 = pair(0xffff_ffff_ffff_0000, 0)
        func table(_ count: Int, _ entry: (UInt32) -> UInt32) -> UInt {
            let address = asm.address
            for word in 0..<count / 8 {
                var bytes: UInt64 = 0
                for byte in 0..<8 { bytes |= UInt64(entry(UInt32(word * 8 + byte)) & 0xff) << UInt64(8 * byte) }
                asm.data(bytes)
            }
            return address
        }
        pool.flagTable = table(64, guestFlags)
        pool.clearedFlagTable = table(32) { ~hostFlags($0) & hostFlags(31) }
        return pool
    }
}

extension Assembler {
    /// Of an indirect jump whose in-line cache missed: stores the target as the pc, counts, and notes where it went
    /// (`ExecutionCounters`). The jump's number is in a register, which changes.
    fileprivate mutating func noteTarget(_ target: GPR, number: GPR, pcHome: Address) {
        let misses = Address(.rbp, index: number, .x4, fromBase(ExecutionCounters.offset(missesOfJump: 0)))
        mov(.qword, pcHome, target)
        mov(.dword, .r11, misses)
        unary(.inc, .dword, misses)
        findTargetRow(.r11)
        alu(.add, .dword, .r11, number)
        storeTarget(target, index: .r11, number: 0)
    }

    /// The same for a jump whose number is known, and a pc that is stored.
    mutating func noteTarget(_ target: GPR, number: Int) {
        let misses = Address(.rbp, fromBase(ExecutionCounters.offset(missesOfJump: number)))
        mov(.dword, .r11, misses)
        unary(.inc, .dword, misses)
        findTargetRow(.r11)
        storeTarget(target, index: .r11, number: number)
    }

    /// The number of a miss becomes the index of the first target in its row.
    private mutating func findTargetRow(_ miss: GPR) {
        alu(.and, .dword, miss, imm: Int32(ExecutionCounters.targetCount - 1))
        shift(.shl, .dword, miss, imm: UInt8(ExecutionCounters.count.trailingZeroBitCount))
    }

    private mutating func storeTarget(_ target: GPR, index: GPR, number: Int) {
        let first = ExecutionCounters.offset(targetOfJump: number, miss: 0)
        mov(.qword, Address(.rbp, index: index, .x8, fromBase(first)), target)
    }

    /// The displacement from rbp of what lies at an offset from the CPU-state pointer.
    private func fromBase(_ offset: Int) -> Int32 { Int32(truncatingIfNeeded: offset &- StateRegister.bias) }

    /// Goes to the translation of a key (`KeyedPC`) if the first level of the jump cache knows it, or else to `miss`.
    mutating func goThroughJumpCache(_ target: GPR, _ header: HeaderFields, miss: UInt) {
        findEntry(target, header, .r11)
        alu(.cmp, .qword, target, Address(.r11))
        jcc(.ne, to: miss)
        jmp(Address(.r11, 8))
    }

    /// The place of a key in the first level of the jump cache: entry (pc >> 1) & (count - 1), 16 bytes each.
    private mutating func findEntry(_ target: GPR, _ header: HeaderFields, _ place: GPR) {
        lea(.dword, place, Address(index: target, .x8))
        alu(.and, .dword, place, imm: Int32((JumpCache.count - 1) * 16))
        alu(.add, .qword, place, header.jumpCache)
    }

    /// The same with the second level, which the first learns from (`JumpCache.secondIndex`). All guest state is home.
    fileprivate mutating func goThroughSecondLevel(_ target: GPR, _ header: HeaderFields, miss: UInt) {
        let place: GPR = target == .rcx ? .rdx : .rcx
        mov(.qword, .r11, target)
        shift(.shr, .qword, .r11, imm: UInt8(JumpCache.secondShift))
        alu(.xor, .dword, .r11, target)
        lea(.dword, .r11, Address(index: .r11, .x8))
        alu(.and, .dword, .r11, imm: Int32((JumpCache.secondCount - 1) * 16))
        alu(.add, .qword, .r11, header.jumpCache)
        let second = Int32(JumpCache.count * 16)
        alu(.cmp, .qword, target, Address(.r11, second))
        jcc(.ne, to: miss)
        mov(.qword, .r11, Address(.r11, second &+ 8))
        findEntry(target, header, place)
        mov(.qword, Address(place), target)
        mov(.qword, Address(place, 8), .r11)
        jmp(.r11)
    }
}

/// Accrued flags in the numbering of the IR (inexact 1, underflow 2, overflow 4, divide by zero 8, invalid 16) from MXCSR
/// (SDM volume 1, 10.2.3: IE 0, DE 1, ZE 2, OE 3, UE 4, PE 5). The denormal flag has no counterpart.
func guestFlags(_ mxcsr: UInt32) -> UInt32 {
    mxcsr &>> 5 & 1 | mxcsr &>> 3 & 2 | mxcsr &>> 1 & 4 | mxcsr &<< 1 & 8 | mxcsr &<< 4 & 16
}

/// The reverse.
func hostFlags(_ flags: UInt32) -> UInt32 {
    flags &<< 5 & 32 | flags &<< 3 & 16 | flags &<< 1 & 8 | flags &>> 1 & 4 | flags &>> 4 & 1
}

/// MXCSR's rounding control (bits 13-14) by the IR's rounding modes; modes the host lacks are nearest-even.
enum RoundingControl {
    static let mask: UInt32 = 3 << 13
    /// Two bits per mode: 0, 3 (to zero), 1 (down), 2 (up), 0.
    static let table: UInt32 = 0b10_01_11_00
    static func bits(_ mode: UInt32) -> UInt32 { mode <= 4 ? (table &>> (mode &* 2) & 3) &<< 13 : 0 }
}
