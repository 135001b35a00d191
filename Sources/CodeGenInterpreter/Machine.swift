// The interpreter's machine: values, the loop over the ops, and leaving.
//
// A value is one 64-bit word. An i32 is kept sign-extended, an f32 zero-extended, everywhere: in the frame, in
// constants, and when a global is read; `put` makes it so. Conditions on i32 values can then be taken on the words
// (`Condition.holds`).

import CodeGen
import IR
import SoftFloat
import Synchronization

/// Where a value is, in 32 bits: three bits of kind, then an index or an offset.
struct Operand {
    enum Kind: UInt32 {
        case frame, constant
        /// A global, by the size and extension of its home.
        case global64, globalI32, globalF32
    }
    let bits: UInt32

    init(_ kind: Kind, _ index: Int) {
        precondition(index >= 0 && index < 1 << 29, "a value's place does not fit an operand")
        bits = kind.rawValue << 29 | UInt32(index)
    }
    init(global offset: Int, _ type: ValueType) {
        self.init(type == .i32 ? .globalI32 : type == .f32 ? .globalF32 : .global64, offset)
    }
}

/// An op as it is run: operands are `Operand`s, block targets are indices of ops.
struct Instruction {
    var op: Op
    /// Type of the result.
    var resultType: ValueType
    /// Type of the first source.
    var sourceType: ValueType

    init(_ source: Op, _ region: Region, _ operands: [Operand]) {
        op = source
        resultType = source.dst.i < region.tempCount ? region.type(source.dst) : source.type
        sourceType = source.a.i < region.tempCount ? region.type(source.a) : source.type
        let place = { (t: Temp) in t.i < operands.count ? Temp(operands[t.i].bits) : Temp.none }
        let target = { (t: Temp) in t.i < region.blockCount ? Temp(region.blocks[t.i].start) : Temp(0) }
        let isBranch = source.opcode == .br || source.opcode == .brcond
        op.dst = place(source.dst)
        op.a = place(source.a)
        op.b = place(source.b)
        op.c = isBranch ? target(source.c) : place(source.c)
        op.d = isBranch ? target(source.d) : place(source.d)
    }
}

/// One `enter`: a vCPU's state and the place in the code.
struct Machine: ~Copyable {
    let state: UnsafeMutableRawPointer
    let header: UnsafeMutablePointer<VCPUHeader>
    let pcOffset: Int
    let helpers: UnsafeMutablePointer<HelperDescriptor>
    let access: GuestAccess
    let floatRules: FloatRules
    /// Guest memory is reached through the vCPU's owner (`GuestAddressing.tables`).
    let usesTables: Bool
    /// The region that runs. Set by the caller before the first `run`.
    var region: UnsafePointer<RegionCode>
    var frame: UnsafeMutablePointer<UInt64>
    var constants: UnsafePointer<UInt64>
    var frameCapacity = 0
    var next: UnsafePointer<Instruction>
    /// Guest pc of the current instruction.
    var pc: UInt64 = 0
    /// Its word.
    var word: UInt16 = 0
    var exit = ExitValue(raw: 0)

    init(host: InterpreterHost, state: UnsafeMutableRawPointer) {
        self.state = state
        header = VCPUHeader.of(state)
        pcOffset = host.pcOffset
        helpers = host.helpers
        access = host.access
        floatRules = host.floatRules
        usesTables = host.usesTables
        // Replaced before use.
        region = UnsafePointer(bitPattern: 8)!
        frame = UnsafeMutablePointer(bitPattern: 8)!
        constants = UnsafePointer(bitPattern: 8)!
        next = UnsafePointer(bitPattern: 8)!
        header.pointee.exitReason = 0
    }

    /// The compiled region with this entry.
    @inline(__always)
    static func code(_ entry: UInt64) -> UnsafePointer<RegionCode> {
        // Entries come from `compile` by way of slots, the jump cache and the engine: they are never zero.
        UnsafePointer(bitPattern: UInt(truncatingIfNeeded: entry)).unsafelyUnwrapped
    }

    // MARK: Values

    @inline(__always)
    func get(_ operand: Temp) -> UInt64 {
        let index = Int(truncatingIfNeeded: operand.index & 0x1fff_ffff)
        switch Operand.Kind(rawValue: operand.index &>> 29) {
        case .frame: return frame[index]
        case .constant: return constants[index]
        case .global64: return state.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        case .globalI32: return sext32(UInt64(state.loadUnaligned(fromByteOffset: index, as: UInt32.self)))
        case .globalF32: return UInt64(state.loadUnaligned(fromByteOffset: index, as: UInt32.self))
        case nil: return 0
        }
    }

    /// Assigns the result, brought to the form of its type.
    @inline(__always)
    mutating func put(_ i: borrowing Instruction, _ value: UInt64) {
        let index = Int(truncatingIfNeeded: i.op.dst.index & 0x1fff_ffff)
        switch Operand.Kind(rawValue: i.op.dst.index &>> 29) {
        case .frame:
            switch i.resultType {
            case .i32: frame[index] = sext32(value)
            case .f32: frame[index] = UInt64(UInt32(truncatingIfNeeded: value))
            default: frame[index] = value
            }
        case .global64: state.storeBytes(of: value, toByteOffset: index, as: UInt64.self)
        case .globalI32, .globalF32:
            state.storeBytes(of: UInt32(truncatingIfNeeded: value), toByteOffset: index, as: UInt32.self)
        case .constant, nil: break
        }
    }

    // MARK: The loop

    /// Runs from the start of `region` until generated code would return (true: `exit` is set), or until control is at
    /// the start of a region whose values do not fit in `room` (false: `region` is that one).
    mutating func run(_ room: UnsafeMutableBufferPointer<UInt64>) -> Bool {
        guard let base = room.baseAddress else { return false }
        frame = base
        frameCapacity = room.count
        if !start(region) { return false }
        while true {
            let i = next
            next += 1
            switch step(i) {
            case .goOn: break
            case .leave: return true
            case .grow: return false
            }
        }
    }

    enum Outcome { case goOn, leave, grow }

    @inline(__always)
    private mutating func step(_ p: UnsafePointer<Instruction>) -> Outcome {
        let i = p.pointee
        switch i.op.opcode {
        // Moves
        case .mov, .bitcast: put(i, get(i.op.a))
        // Logic
        case .and: binary(i, (&), (&))
        case .or: binary(i, (|), (|))
        case .xor: binary(i, (^), (^))
        case .andc: binary(i, Integer.andc, Integer.andc)
        case .orc: binary(i, Integer.orc, Integer.orc)
        case .eqv: binary(i, Integer.eqv, Integer.eqv)
        case .not: unary(i, (~), (~))
        case .shl: binary(i, (&<<), (&<<))
        case .shr: binary(i, (&>>), (&>>))
        case .sar: binary(i, Integer.sar, Integer.sar)
        case .rotl: binary(i, Integer.rotl, Integer.rotl)
        case .rotr: binary(i, Integer.rotr, Integer.rotr)
        case .clz: unary(i, Integer.clz, Integer.clz)
        case .ctz: unary(i, Integer.ctz, Integer.ctz)
        case .popcnt: unary(i, Integer.popcnt, Integer.popcnt)
        case .bswap: unary(i, Integer.bswap, Integer.bswap)
        case .extract: put(i, Integer.extract(get(i.op.a), i.op.fieldPosition, i.op.fieldLength))
        case .sextract: put(i, Integer.sextract(get(i.op.a), i.op.fieldPosition, i.op.fieldLength))
        case .deposit: put(i, Integer.deposit(get(i.op.a), get(i.op.b), i.op.fieldPosition, i.op.fieldLength))
        // Arithmetic
        case .add: binary(i, (&+), (&+))
        case .sub: binary(i, (&-), (&-))
        case .neg: unary(i, Integer.neg, Integer.neg)
        case .mul: binary(i, (&*), (&*))
        case .mulhu: binary(i, Integer.mulhu, Integer.mulhu)
        case .mulhs: binary(i, Integer.mulhs, Integer.mulhs)
        case .divu: binary(i, Integer.divu, Integer.divu)
        case .divs: binary(i, Integer.divs, Integer.divs)
        case .remu: binary(i, Integer.remu, Integer.remu)
        case .rems: binary(i, Integer.rems, Integer.rems)
        case .clmul: binary(i, Integer.clmul, Integer.clmul)
        // Compare and select
        case .setcond: put(i, holds(i) ? 1 : 0)
        case .select: put(i, holds(i) ? get(i.op.c) : get(i.op.d))
        // Width changes
        case .trunc, .sext: put(i, get(i.op.a))
        case .zext: put(i, UInt64(UInt32(truncatingIfNeeded: get(i.op.a))))
        // Control flow and helpers
        case .br: jump(i.op.c)
        case .brcond: jump(holds(i) ? i.op.c : i.op.d)
        case .call: return call(i)
        // Memory
        case .ld: loadState(i)
        case .st: storeState(i)
        case .gld: return load(i)
        case .gst: return store(i)
        case .grmw: return readModifyWrite(i)
        case .gcas: return compareAndSwap(i)
        case .gcas128: return compareAndSwapPair(i)
        case .fence: fence(i)
        // Floating point
        case .fadd, .fsub, .fmul, .fdiv, .fsqrt, .fma, .fmin, .fmax, .fminimum, .fmaximum: evaluateFloat(i)
        case .fneg: put(i, get(i.op.a) ^ signMask(i.op.type))
        case .fabs: put(i, get(i.op.a) & ~signMask(i.op.type))
        case .fcopysign: copySign(i)
        case .fsetcond: compare(i)
        case .fround, .fcvt, .ftoi, .itof: evaluateFloat(i)
        case .boxf: box(i)
        case .unboxf: unbox(i)
        case .fpGetFlags: put(i, UInt64(header.pointee.fpFlags))
        case .fpSetFlags: header.pointee.fpFlags = UInt32(truncatingIfNeeded: get(i.op.a) & 31)
        case .fpSetRounding:
            let mode = get(i.op.a)
            header.pointee.fpRounding = mode <= 4 ? UInt32(truncatingIfNeeded: mode) : 0
        // Engine
        case .delta: put(i, header.pointee.delta)
        case .insnStart:
            pc = UInt64(bitPattern: i.op.imm)
            word = i.op.aux
            header.pointee.exitPC = pc
            header.pointee.exitWord = UInt32(word)
            // Where nobody counts instructions, nobody looks.
            header.pointee.started = UInt32(word)
        case .checkExit: return checkExit(i)
        case .countExecution: return countExecution(i)
        case .countInstructions: return countInstructions(i)
        case .pushReturn, .popReturn: break  // returns are looked up in the jump cache
        case .gotoTB: return goto(i)
        case .exitTB: return leave(ExitValue(raw: UInt64(bitPattern: i.op.imm)))
        case .lookupAndGoto, .gotoCached: return lookup(i)
        }
        return .goOn
    }
}
