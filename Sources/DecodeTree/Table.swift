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

/// Bits `position ..< position + length` of the instruction word, sign-extended when `signed`.
struct Piece: Hashable {
    var position: Int
    var length: Int
    var signed: Bool
}

/// `%name pieces <<shift +offset !function`: pieces are concatenated, the first one most significant, then shifted
/// left, then increased, then given to a function of the target's own.
struct Field {
    var name: String
    var pieces: [Piece]
    var shift = 0
    var offset = 0
    var function: String?
    var location: Location

    /// The instruction bits the field reads.
    var bits: UInt32 { pieces.reduce(0) { $0 | (lowBits($1.length) << UInt32($1.position)) } }
}

/// The Swift types an argument may have.
enum ArgumentType: String, CaseIterable {
    case Int32, Int64, UInt8, Bool
}

struct Argument: Equatable {
    var name: String
    var type: ArgumentType
}

/// `&Name argument argument:Type`: becomes one structure.
struct ArgumentSet {
    var name: String
    var arguments: [Argument]
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

/// `@name &Set assignments "template"`: what rows of one shape share.
struct Format {
    var name: String
    var argumentSet: String?
    var assignments: [Assignment]
    var template: String?
    var location: Location
}

/// Extensions a row needs: every term must hold, a term holds when one of its names is enabled.
struct Gate: Equatable {
    var terms: [[String]] = []
}

/// One row: an instruction encoding.
struct Row {
    var name: String
    var width: Int
    var fixed: UInt32  // bits the row determines
    var match: UInt32  // their values
    var variable: UInt32  // bits written `.`: a field must read them
    var format: String?
    var argumentSet: String?
    var assignments: [Assignment]
    var gate: Gate
    var function: String
    var template: String?
    var over: [String]  // rows of other places that this one is more specific than
    var group: Int?  // rows of one brace group, earlier before later
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

/// Names of generated Swift declarations, given by the table's header.
struct Names {
    var instructionSet = ""
    var extensions = ""
    var arguments = ""
    var disassembler = ""
    var table = ""
}

struct Table {
    var names = Names()
    var fields: [Field] = []
    var argumentSets: [ArgumentSet] = []
    var formats: [Format] = []
    var rows: [Row] = []
    var aliases: [Alias] = []
    var extensions: [Extension] = []
    var headerLocation = Location(file: "tables", line: 0)
}

/// A word with the low `length` (0...32) bits set.
func lowBits(_ length: Int) -> UInt32 { length >= 32 ? .max : (1 << UInt32(length)) - 1 }
