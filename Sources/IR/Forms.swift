// What an op may look like: which types, which qualifiers in `aux`, what each operand field holds. One row per opcode.
// The printer, the parser and the verifier are all driven by these rows, so that they cannot disagree; a new op gets
// its text and its checks by its row here.

/// The types an op may compute in.
enum OpTypes: Equatable {
    case integer, float, any
    /// One type, which the text leaves out.
    case only(ValueType)
    /// f64 if the target format is binary64, else f32; the text leaves it out.
    case targetFormat

    func allows(_ op: Op) -> Bool {
        switch self {
        case .integer: op.type.isInteger
        case .float: op.type.isFloat && !op.type.isVector
        case .any: true
        case .only(let type): op.type == type
        case .targetFormat: op.type == op.targetFormat.carrier
        }
    }
    var isPrinted: Bool { self == .integer || self == .float || self == .any }
}

/// The type of a result.
enum ResultRule {
    case none
    /// The op's type.
    case op
    case i64
    /// i64 unless the text says otherwise.
    case integer
    /// Any type; the op's unless the text says otherwise.
    case free
    /// i64, or no result at all: the helper's descriptor says which.
    case helper

    func allows(_ type: ValueType, _ op: Op) -> Bool {
        switch self {
        case .none: false
        case .op: type == op.type
        case .i64, .helper: type == .i64
        case .integer: type.isInteger
        case .free: !type.isVector
        }
    }
    /// The type of a result that has no type in the text.
    func unwritten(_ op: Op) -> ValueType {
        switch self {
        case .op, .free: op.type
        case .none, .i64, .integer, .helper: .i64
        }
    }
}

/// The type of a source operand.
enum SourceRule {
    /// The op's type.
    case op
    case i32, i64, f32, f64
    /// The result's type.
    case result
    /// Any integer.
    case integer
    /// The op's size in the other register class.
    case otherClass
    /// What carries the source format of a conversion.
    case sourceFormat

    func allows(_ type: ValueType, _ op: Op, result: ValueType) -> Bool {
        self == .integer ? type.isInteger : type == unwritten(op, result: result)
    }
    /// The required type, or the one of a constant that has none in the text.
    func unwritten(_ op: Op, result: ValueType) -> ValueType {
        switch self {
        case .op: op.type
        case .i32: .i32
        case .i64, .integer: .i64
        case .f32: .f32
        case .f64: .f64
        case .result: result
        case .otherClass:
            switch op.type {
            case .i32: .f32
            case .i64: .f64
            case .f32: .i32
            default: .i64
            }
        case .sourceFormat: op.sourceFormat.carrier
        }
    }
}

/// One piece of an op's text after its name, and what it stands for. Numbers 0...3 are the fields `a`...`d`.
enum OperandForm {
    case value(Int, SourceRule)
    case block(Int)
    /// `[a + imm]`: a guest address, modulo 2 to the width of `a`.
    case address
    /// `[a]`: a guest address without displacement.
    case plainAddress
    /// `[imm]`: offset in the CPU state.
    case stateOffset
    /// `position, length` of a bit field.
    case field
    /// The chaining slot in `aux`.
    case slot
    /// A guest pc in `imm`.
    case guestPC
    /// A number in `imm`.
    case number
    /// `name(argument, ...)`.
    case helperCall
}

/// The row of one opcode.
struct OpForm {
    let types: OpTypes
    let result: ResultRule
    let qualifiers: [Qualifier]
    let operands: [OperandForm]

    init(_ types: OpTypes, _ result: ResultRule, _ qualifiers: [Qualifier] = [], _ operands: [OperandForm]) {
        self.types = types
        self.result = result
        self.qualifiers = qualifiers
        self.operands = operands
    }

    /// The rows by `Opcode.rawValue`.
    static let all: [OpForm] = Opcode.allCases.map(\.makeForm)
}

extension Opcode {
    var form: OpForm { OpForm.all[Int(rawValue)] }
    var text: String { "\(row.name)" }

    fileprivate var makeForm: OpForm {
        let a = OperandForm.value(0, .op), b = OperandForm.value(1, .op), c = OperandForm.value(2, .op)
        return switch self {
        //                 types           result    qualifiers                    operands
        case .mov: OpForm(.any, .op, [], [a])
        case .bitcast: OpForm(.any, .op, [], [.value(0, .otherClass)])
        case .and, .or, .xor, .andc, .orc, .eqv: OpForm(.integer, .op, [], [a, b])
        case .not, .neg, .clz, .ctz, .popcnt, .bswap: OpForm(.integer, .op, [], [a])
        case .shl, .shr, .sar, .rotl, .rotr: OpForm(.integer, .op, [], [a, b])
        case .add, .sub, .mul, .mulhu, .mulhs, .clmul: OpForm(.integer, .op, [], [a, b])
        case .divu, .divs, .remu, .rems: OpForm(.integer, .op, [], [a, b])
        case .extract, .sextract: OpForm(.integer, .op, [], [a, .field])
        case .deposit: OpForm(.integer, .op, [], [a, b, .field])
        case .setcond: OpForm(.integer, .integer, [.condition], [a, b])
        case .select: OpForm(.integer, .free, [.condition], [a, b, .value(2, .result), .value(3, .result)])
        case .trunc: OpForm(.only(.i32), .op, [], [.value(0, .i64)])
        case .zext, .sext: OpForm(.only(.i64), .op, [], [.value(0, .i32)])
        case .br: OpForm(.only(.i64), .none, [], [.block(2)])
        case .brcond: OpForm(.integer, .none, [.condition], [a, b, .block(2), .block(3)])
        case .call: OpForm(.only(.i64), .helper, [], [.helperCall])
        case .ld: OpForm(.any, .op, [.memory, .memoryFlags], [.stateOffset])
        case .st: OpForm(.any, .none, [.memory, .memoryFlags], [.stateOffset, a])
        case .gld: OpForm(.any, .op, [.memory, .memoryFlags], [.address])
        case .gst: OpForm(.any, .none, [.memory, .memoryFlags], [.address, b])
        case .grmw: OpForm(.integer, .op, [.atomic, .memory, .memoryFlags], [.plainAddress, b])
        case .gcas: OpForm(.integer, .op, [.memory, .memoryFlags], [.plainAddress, b, c])
        case .gcas128: OpForm(.only(.i64), .none, [.memory, .memoryFlags], [.plainAddress, .stateOffset])
        case .fence: OpForm(.only(.i64), .none, [.order], [])
        case .fadd, .fsub, .fmul, .fdiv: OpForm(.float, .op, [.rounding, .anyNaN], [a, b])
        case .fmin, .fmax, .fminimum, .fmaximum: OpForm(.float, .op, [.rounding], [a, b])
        case .fsqrt: OpForm(.float, .op, [.rounding, .anyNaN], [a])
        case .fneg, .fabs: OpForm(.float, .op, [.rounding], [a])
        case .fma: OpForm(.float, .op, [.negations, .rounding, .anyNaN], [a, b, c])
        case .fcopysign: OpForm(.float, .op, [.sign], [a, b])
        case .fsetcond: OpForm(.float, .i64, [.floatCondition], [a, b])
        case .fround: OpForm(.float, .op, [.inexact, .rounding], [a])
        case .fcvt: OpForm(.targetFormat, .op, [.source, .target, .rounding], [.value(0, .sourceFormat)])
        case .ftoi: OpForm(.float, .integer, [.unsigned, .rounding], [a])
        case .itof: OpForm(.float, .op, [.unsigned, .rounding], [.value(0, .integer)])
        case .boxf: OpForm(.only(.f64), .op, [.boxed], [.value(0, .f32)])
        case .unboxf: OpForm(.only(.f32), .op, [.boxed], [.value(0, .f64)])
        case .fpGetFlags: OpForm(.only(.i64), .op, [], [])
        case .fpSetFlags, .fpSetRounding: OpForm(.only(.i64), .none, [], [a])
        case .delta: OpForm(.only(.i64), .op, [], [])
        case .insnStart: OpForm(.only(.i64), .none, [.word], [.guestPC])
        case .checkExit: OpForm(.only(.i64), .none, [], [.guestPC])
        case .pushReturn, .gotoTB, .countExecution, .countInstructions:
            OpForm(.only(.i64), .none, [], [.slot, .guestPC])
        case .popReturn: OpForm(.only(.i64), .none, [], [a])
        case .exitTB: OpForm(.only(.i64), .none, [], [.number])
        case .lookupAndGoto: OpForm(.only(.i64), .none, [.hint], [a])
        case .gotoCached: OpForm(.only(.i64), .none, [], [.slot, .number, a])
        }
    }
}

extension Op {
    /// Fields `a`...`d` by number.
    subscript(field: Int) -> Temp {
        get {
            switch field {
            case 0: a
            case 1: b
            case 2: c
            default: d
            }
        }
        set {
            switch field {
            case 0: a = newValue
            case 1: b = newValue
            case 2: c = newValue
            default: d = newValue
            }
        }
    }
}

extension FloatFormat {
    /// The type of the temps that carry values of this format.
    var carrier: ValueType { self == .binary64 ? .f64 : .f32 }
    var bits: Int { 8 << Int(rawValue) }
}

extension ValueType {
    init?(text: some StringProtocol) {
        guard let type = ValueType.allCases.first(where: { "\($0.name)" == text }) else { return nil }
        self = type
    }
}
