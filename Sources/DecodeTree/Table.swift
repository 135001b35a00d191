// What a set of decode tables says, before any checking: the parser fills this in row by row, the resolver turns it
// into complete instruction patterns. Every entry remembers its line, because every complaint names one.

/// A line of a table file.
public struct Location: Hashable, Sendable, CustomStringConvertible {
    public let file: String
    public let line: Int

    public init(file: String, line: Int) {
        self.file = file
        self.line = line
    }

    public var description: String { "\(file):\(line)" }
}

/// One thing wrong with a table, printed as `file:line: message`.
public struct TableError: Error, Hashable, Sendable, CustomStringConvertible {
    public let location: Location
    public let message: String

    public var description: String { "\(location): \(message)" }
}

/// Everything wrong with a set of tables, in the order of discovery.
public struct TableErrors: Error, Sendable {
    public let errors: [TableError]
}

/// Bits `position ..< position + length` of a word, sign-extended when `signed`. Bit 0 is the least significant one,
/// or the most significant one where the field's table counts from there.
struct Piece: Hashable {
    var position: Int
    var length: Int
    var signed: Bool
}

/// `bits` behind the word, sign-extended when `signed`.
struct Trailing: Hashable {
    var bits: Int
    var signed: Bool

    var text: String { "+\(signed ? "i" : "u")\(bits)" }
}

/// `%name pieces <<shift +offset !function`: pieces are concatenated, the first one most significant, then shifted
/// left, then increased, then given to a function of the target's own. `%name +i32` has its bits behind the word.
struct Field {
    var name: String
    var pieces: [Piece]
    var trailing: Trailing?
    var shift = 0
    var offset = 0
    var function: String?
    /// The table that alone knows the field; nil: all do.
    var table: String?
    var location: Location
}

/// The Swift types an argument may have.
enum ArgumentType: String, CaseIterable {
    case Int32, Int64, UInt8, UInt32, UInt64, Bool

    /// The least and the greatest value; a Bool is whether the value is not zero.
    var range: (Int128, Int128)? {
        switch self {
        case .Int32: (Int128(Swift.Int32.min), Int128(Swift.Int32.max))
        case .Int64: (Int128(Swift.Int64.min), Int128(Swift.Int64.max))
        case .UInt8: (0, 255)
        case .UInt32: (0, Int128(Swift.UInt32.max))
        case .UInt64: (0, Int128(Swift.UInt64.max))
        case .Bool: nil
        }
    }
}

struct Argument: Equatable {
    var name: String
    var type: ArgumentType
}

/// `argument:kind.access`: what an operand is and what the instruction does with it.
struct Role: Hashable {
    var argument: String
    var kind: String
    var access: Access

    struct Access: OptionSet, Hashable {
        var rawValue: Int
        static let read = Access(rawValue: 1)
        static let write = Access(rawValue: 2)
        /// Read, and part of the address of a memory access.
        static let address = Access(rawValue: 4)
    }
}

/// `&Name argument argument:Type roles …`: becomes one structure.
struct ArgumentSet {
    var name: String
    var arguments: [Argument]
    var roles: [Role]
    var location: Location
}

/// Where an argument's value comes from.
enum ArgumentValue: Hashable {
    case field(String)
    case constant(Int)
}

struct Assignment {
    var argument: String
    var value: ArgumentValue
}

/// `@name &Set assignments class … roles … "template"`: what rows of one shape share.
struct Format {
    var name: String
    var argumentSet: String?
    var assignments: [Assignment]
    var classes: [String]?
    var roles: [Role]
    var template: String?
    /// The table that alone knows the format; nil: all do.
    var table: String?
    var location: Location
}

/// Extensions a row needs: every term must hold. A term holds when one of its names is enabled, or, with `!`, when its
/// only name is not.
struct Gate: Equatable {
    struct Term: Equatable {
        var names: [String]
        var isNegated = false
    }
    var terms: [Term] = []
}

/// One row: an instruction encoding.
struct Row {
    var name: String
    var width: Int
    var fixed: UInt64  // bits the row determines
    var match: UInt64  // their values
    var variable: UInt64  // bits written `.`: a field must read them
    var format: String?
    var argumentSet: String?
    var assignments: [Assignment]
    var classes: [String]?  // nil: the format's
    var roles: [Role]
    var gate: Gate
    var function: String
    var template: String?
    var over: [String]  // rows of other places that this one is more specific than
    var group: Int?  // rows of one brace group, earlier before later
    var table: String?  // nil: the only one
    var location: Location
}

/// `.alias function conditions "template"`: how the disassembler prints a function's special cases.
struct Alias {
    enum Condition {
        case constant(argument: String, Int)
        case equal(String, String)
    }
    var function: String
    var conditions: [Condition]
    var template: String
    var location: Location
}

/// `.extension name "summary" implies others`: one bit of the option set, in the order of the rows.
struct Extension {
    var name: String
    var summary: String
    var implies: [String]
    var location: Location
}

/// `.length position:length { value:bytes … }`: how long the word is that begins with a unit. Values that are not
/// listed mean one unit.
struct LengthRule {
    var position: Int
    var length: Int
    var bytes: [Int: Int]
    var location: Location
}

/// How the words of one table lie in memory.
struct Layout {
    enum Order: String { case little, big, data }
    enum Join: String { case low, high }

    /// Bits that are fetched at a time.
    var unit: Int?
    /// Byte order within a unit; `data`: that of the guest's loads and stores.
    var order: Order?
    /// Whether the first of several units is the low or the high part of the word.
    var join: Join?
    var length: LengthRule?
    var countsFromTop: Bool?
}

/// One table of encodings: a decoder of its own.
struct EncodingTable {
    var name: String
    var layout = Layout()
    var location: Location
}

/// Names of generated Swift declarations, given by the header.
struct Names {
    var instructionSet = ""
    var extensions = ""
    var arguments = ""
    var disassembler = ""
}

struct Table {
    var names = Names()
    var tables: [EncodingTable] = []
    /// What a table does not say for itself.
    var layout = Layout()
    var fields: [Field] = []
    var argumentSets: [ArgumentSet] = []
    var formats: [Format] = []
    var rows: [Row] = []
    var aliases: [Alias] = []
    var extensions: [Extension] = []
    var headerLocation = Location(file: "tables", line: 0)
}

/// A word with the low `length` (0...64) bits set.
func lowBits(_ length: Int) -> UInt64 { length >= 64 ? .max : (1 << UInt64(length)) - 1 }

/// What an instruction may do, in the order of the bits of `InstructionClasses` (GuestKit).
let classNames = [
    "load", "store", "atomic", "exclusive", "branch", "jump", "call", "return", "trap", "fp", "vector", "system",
    "privileged", "fence", "wait", "cache",
]
