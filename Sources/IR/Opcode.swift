// The op table: every opcode with its class, its operands and its effects, one row each.
//
// Adding an op: a case, a row, a builder function, one case in each host (the compiler finds them: no `default`).

/// What an op does. Operand roles are in `OpcodeRow`; type, condition, rounding and memory descriptor are fields of `Op`.
public enum Opcode: UInt8, CaseIterable, Sendable {
    // Moves
    case mov, bitcast
    // Logic
    case and, or, xor, andc, orc, eqv, not
    case shl, shr, sar, rotl, rotr
    case clz, ctz, popcnt, bswap
    case extract, sextract, deposit
    // Arithmetic
    case add, sub, neg, mul, mulhu, mulhs
    case divu, divs, remu, rems
    case clmul
    // Compare and select
    case setcond, select
    // Width changes between i32 and i64
    case trunc, zext, sext
    // Control flow inside the region
    case br, brcond
    // Helpers
    case call
    // Memory: host (relative to the CPU state) and guest
    case ld, st
    case gld, gst
    case grmw, gcas, gcas128, fence
    // Floating point
    case fadd, fsub, fmul, fdiv, fsqrt, fma
    case fmin, fmax, fminimum, fmaximum
    case fneg, fabs, fcopysign
    case fsetcond, fround
    case fcvt, ftoi, itof
    case boxf, unboxf
    case fpGetFlags, fpSetFlags, fpSetRounding
    // Engine
    case delta
    case insnStart, checkExit, countExecution, countInstructions, pushReturn, popReturn
    case gotoTB, exitTB, lookupAndGoto, gotoCached
}

/// What an op may do besides computing its result.
public struct OpEffects: OptionSet, Sendable {
    public let rawValue: UInt16
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }
    /// Ends a block.
    @inlinable public static var terminator: OpEffects { OpEffects(rawValue: 1 << 0) }
    /// Leaves the region: every dirty global must be in its home when it executes.
    @inlinable public static var exit: OpEffects { OpEffects(rawValue: 1 << 1) }
    /// May raise a guest exception from a host fault: carries a recovery record.
    @inlinable public static var fault: OpEffects { OpEffects(rawValue: 1 << 2) }
    /// Must stay even if its result is dead.
    @inlinable public static var sideEffect: OpEffects { OpEffects(rawValue: 1 << 3) }
    /// Reads memory (guest or CPU state) that other ops write.
    @inlinable public static var readsMemory: OpEffects { OpEffects(rawValue: 1 << 4) }
    /// Changes the accrued floating-point flags.
    @inlinable public static var fpFlags: OpEffects { OpEffects(rawValue: 1 << 5) }
    /// Result does not change when the two first sources are swapped.
    @inlinable public static var commutative: OpEffects { OpEffects(rawValue: 1 << 6) }
    /// May leave the region in its middle without being an exit: carries a recovery record, as what may fault does.
    @inlinable public static var stops: OpEffects { OpEffects(rawValue: 1 << 7) }
    /// Does what its helper does (`HelperDescriptor.effects`). The row says what holds of any helper.
    @inlinable public static var helper: OpEffects { OpEffects(rawValue: 1 << 8) }
    /// Changes CPU state that is no global's home.
    @inlinable public static var writesState: OpEffects { OpEffects(rawValue: 1 << 9) }
    /// Changes guest memory.
    @inlinable public static var writesMemory: OpEffects { OpEffects(rawValue: 1 << 10) }
    /// Orders guest accesses: what memory was found to hold before need not hold after it.
    @inlinable public static var orders: OpEffects { OpEffects(rawValue: 1 << 11) }
    /// Replaces the accrued floating-point flags or the rounding mode.
    @inlinable public static var fpControl: OpEffects { OpEffects(rawValue: 1 << 12) }

    /// Guest state must be exact at ops with one of these: in the homes of the globals, or by a recovery record. A helper may
    /// look at less (`HelperEffects.looksAtState`).
    @inlinable public static var needState: OpEffects {
        OpEffects(rawValue: fault.rawValue | exit.rawValue | stops.rawValue | helper.rawValue)
    }
    /// Ops with one of these carry a recovery record.
    @inlinable public static var recoverable: OpEffects { OpEffects(rawValue: fault.rawValue | stops.rawValue) }
    /// The result of ops with one of these depends on more than the sources and the floating-point modes.
    @inlinable public static var notComputed: OpEffects {
        OpEffects(rawValue: sideEffect.rawValue | readsMemory.rawValue)
    }
    /// Ops with one of these stay although nobody needs their result.
    @inlinable public static var kept: OpEffects { OpEffects(rawValue: sideEffect.rawValue | fpFlags.rawValue) }
}

/// One row of the op table.
public struct OpcodeRow: Sendable {
    public let name: StaticString
    /// True when `Op.dst` is written.
    public let hasResult: Bool
    /// How many of `a`, `b`, `c`, `d` are value operands (block targets and immediates are not).
    public let sources: UInt8
    public let effects: OpEffects

    init(_ name: StaticString, _ result: Int, _ sources: UInt8, _ effects: OpEffects = []) {
        self.name = name
        self.hasResult = result != 0
        self.sources = sources
        self.effects = effects
    }
}

extension Opcode {
    /// The op's row. A call's source count is in the op itself (`Op.callArguments`).
    public var row: OpcodeRow {
        //                                  name         results sources effects
        switch self {
        case .mov: OpcodeRow("mov", 1, 1)
        case .bitcast: OpcodeRow("bitcast", 1, 1)
        case .and: OpcodeRow("and", 1, 2, .commutative)
        case .or: OpcodeRow("or", 1, 2, .commutative)
        case .xor: OpcodeRow("xor", 1, 2, .commutative)
        case .andc: OpcodeRow("andc", 1, 2)
        case .orc: OpcodeRow("orc", 1, 2)
        case .eqv: OpcodeRow("eqv", 1, 2, .commutative)
        case .not: OpcodeRow("not", 1, 1)
        case .shl: OpcodeRow("shl", 1, 2)
        case .shr: OpcodeRow("shr", 1, 2)
        case .sar: OpcodeRow("sar", 1, 2)
        case .rotl: OpcodeRow("rotl", 1, 2)
        case .rotr: OpcodeRow("rotr", 1, 2)
        case .clz: OpcodeRow("clz", 1, 1)
        case .ctz: OpcodeRow("ctz", 1, 1)
        case .popcnt: OpcodeRow("popcnt", 1, 1)
        case .bswap: OpcodeRow("bswap", 1, 1)
        case .extract: OpcodeRow("extract", 1, 1)
        case .sextract: OpcodeRow("sextract", 1, 1)
        case .deposit: OpcodeRow("deposit", 1, 2)
        case .add: OpcodeRow("add", 1, 2, .commutative)
        case .sub: OpcodeRow("sub", 1, 2)
        case .neg: OpcodeRow("neg", 1, 1)
        case .mul: OpcodeRow("mul", 1, 2, .commutative)
        case .mulhu: OpcodeRow("mulhu", 1, 2, .commutative)
        case .mulhs: OpcodeRow("mulhs", 1, 2, .commutative)
        case .divu: OpcodeRow("divu", 1, 2)
        case .divs: OpcodeRow("divs", 1, 2)
        case .remu: OpcodeRow("remu", 1, 2)
        case .rems: OpcodeRow("rems", 1, 2)
        case .clmul: OpcodeRow("clmul", 1, 2, .commutative)
        case .setcond: OpcodeRow("setcond", 1, 2)
        case .select: OpcodeRow("select", 1, 4)
        case .trunc: OpcodeRow("trunc", 1, 1)
        case .zext: OpcodeRow("zext", 1, 1)
        case .sext: OpcodeRow("sext", 1, 1)
        case .br: OpcodeRow("br", 0, 0, .terminator)
        case .brcond: OpcodeRow("brcond", 0, 2, .terminator)
        case .call:
            OpcodeRow("call", 1, 4, [.helper, .sideEffect, .writesState, .writesMemory, .orders, .fpControl])
        case .ld: OpcodeRow("ld", 1, 0, .readsMemory)
        case .st: OpcodeRow("st", 0, 1, [.sideEffect, .writesState])
        case .gld: OpcodeRow("gld", 1, 1, [.fault, .readsMemory, .sideEffect])
        case .gst: OpcodeRow("gst", 0, 2, [.fault, .sideEffect, .writesMemory])
        case .grmw: OpcodeRow("grmw", 1, 2, [.fault, .sideEffect, .readsMemory, .writesMemory, .orders])
        case .gcas: OpcodeRow("gcas", 1, 3, [.fault, .sideEffect, .readsMemory, .writesMemory, .orders])
        case .gcas128:
            OpcodeRow("gcas128", 0, 1, [.fault, .sideEffect, .readsMemory, .writesState, .writesMemory, .orders])
        case .fence: OpcodeRow("fence", 0, 0, [.sideEffect, .orders])
        case .fadd: OpcodeRow("fadd", 1, 2, .fpFlags)
        case .fsub: OpcodeRow("fsub", 1, 2, .fpFlags)
        case .fmul: OpcodeRow("fmul", 1, 2, .fpFlags)
        case .fdiv: OpcodeRow("fdiv", 1, 2, .fpFlags)
        case .fsqrt: OpcodeRow("fsqrt", 1, 1, .fpFlags)
        case .fma: OpcodeRow("fma", 1, 3, .fpFlags)
        case .fmin: OpcodeRow("fmin", 1, 2, .fpFlags)
        case .fmax: OpcodeRow("fmax", 1, 2, .fpFlags)
        case .fminimum: OpcodeRow("fminimum", 1, 2, .fpFlags)
        case .fmaximum: OpcodeRow("fmaximum", 1, 2, .fpFlags)
        case .fneg: OpcodeRow("fneg", 1, 1)
        case .fabs: OpcodeRow("fabs", 1, 1)
        case .fcopysign: OpcodeRow("fcopysign", 1, 2)
        case .fsetcond: OpcodeRow("fsetcond", 1, 2, .fpFlags)
        case .fround: OpcodeRow("fround", 1, 1, .fpFlags)
        case .fcvt: OpcodeRow("fcvt", 1, 1, .fpFlags)
        case .ftoi: OpcodeRow("ftoi", 1, 1, .fpFlags)
        case .itof: OpcodeRow("itof", 1, 1, .fpFlags)
        case .boxf: OpcodeRow("boxf", 1, 1)
        case .unboxf: OpcodeRow("unboxf", 1, 1)
        case .fpGetFlags: OpcodeRow("fp_get_flags", 1, 0, .readsMemory)
        case .fpSetFlags: OpcodeRow("fp_set_flags", 0, 1, [.sideEffect, .fpControl])
        case .fpSetRounding: OpcodeRow("fp_set_rounding", 0, 1, [.sideEffect, .fpControl])
        case .delta: OpcodeRow("delta", 1, 0)
        case .insnStart: OpcodeRow("insn_start", 0, 0, .sideEffect)
        case .checkExit: OpcodeRow("check_exit", 0, 0, [.stops, .sideEffect])
        case .countExecution: OpcodeRow("count_execution", 0, 0, [.stops, .sideEffect])
        case .countInstructions: OpcodeRow("count_insns", 0, 0, [.stops, .sideEffect])
        case .pushReturn: OpcodeRow("push_return", 0, 0, .sideEffect)
        case .popReturn: OpcodeRow("pop_return", 0, 1, .sideEffect)
        case .gotoTB: OpcodeRow("goto_tb", 0, 0, [.terminator, .exit])
        case .exitTB: OpcodeRow("exit_tb", 0, 0, [.terminator, .exit])
        case .lookupAndGoto: OpcodeRow("lookup_and_goto", 0, 1, [.terminator, .exit])
        case .gotoCached: OpcodeRow("goto_cached", 0, 1, [.terminator, .exit])
        }
    }
}

/// The op table flattened for hot loops: static data indexed by `Opcode.rawValue`.
public struct OpcodeTable: @unchecked Sendable {
    public static let count = Opcode.allCases.count
    /// Bits 0...15 effects, bits 16...18 sources, bit 19 result.
    @usableFromInline let words: UnsafeMutablePointer<UInt32>

    init() {
        words = .allocate(capacity: Self.count)
        for opcode in Opcode.allCases {
            let row = opcode.row
            words[Int(opcode.rawValue)] =
                UInt32(row.effects.rawValue) | UInt32(row.sources) << 16 | (row.hasResult ? 1 << 19 : 0)
        }
    }

    /// The process's one table. Immutable after construction. Hot code copies it into a local or a field once.
    public static let shared = OpcodeTable()

    /// One op's word, to be read once. The questions that passes ask of an op have their names here.
    public struct Word {
        @usableFromInline let bits: UInt32
        @inlinable @inline(__always) init(_ bits: UInt32) { self.bits = bits }
        @inlinable @inline(__always) public var effects: OpEffects {
            OpEffects(rawValue: UInt16(truncatingIfNeeded: bits))
        }
        @inlinable @inline(__always) public var sources: Int { Int(truncatingIfNeeded: bits &>> 16) & 7 }
        @inlinable @inline(__always) public var hasResult: Bool { bits & (1 << 19) != 0 }
        /// Has any of these effects.
        @inlinable @inline(__always) public func has(_ effects: OpEffects) -> Bool {
            bits & UInt32(truncatingIfNeeded: effects.rawValue) != 0
        }
        /// Guest state must be exact at the op: it may fault or leave, or a helper may look.
        @inlinable @inline(__always) public var looksAtState: Bool { has(.needState) }
        /// The result depends on the sources alone (and on floating-point modes).
        @inlinable @inline(__always) public var isComputed: Bool { !has(.notComputed) }
        /// Does more than give a result.
        @inlinable @inline(__always) public var hasEffects: Bool { has(.kept) }
        @inlinable @inline(__always) public var setsFlags: Bool { has(.fpFlags) }
        @inlinable @inline(__always) public var isCommutative: Bool { has(.commutative) }
        @inlinable @inline(__always) public var isExit: Bool { has(.exit) }
        /// Has neither operands nor a result, and stays in the region.
        @inlinable @inline(__always) public var isBare: Bool { bits & (15 << 16) == 0 && !has(.exit) }
    }
    @inlinable @inline(__always) public subscript(_ o: Opcode) -> Word { Word(words[Int(o.rawValue)]) }

    /// How many sources the op has; a call says it itself.
    @inlinable @inline(__always) public func sources(_ op: Op) -> Int {
        op.opcode == .call ? op.callArguments : self[op.opcode].sources
    }
}
