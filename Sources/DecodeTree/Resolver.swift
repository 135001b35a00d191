// Turns the rows of a table into complete instruction patterns and finds everything that is wrong with them: unknown
// or duplicate names, arguments without a value, bits that nothing reads, rows that overlap by accident and rows that
// can never be reached. Afterwards the patterns are in an order in which the first that matches is the right one.

/// Where a row's arguments come from, in the order of its argument set.
struct Extraction: Hashable {
    var set: String
    var values: [ArgumentValue]
}

/// One encoding, ready for the decision tree.
struct Pattern {
    var name: String
    var width: Int
    var mask: UInt32
    var match: UInt32
    var extraction: Extraction?  // nil: the function has no arguments
    var allOf: UInt64  // extension bits, all needed
    var anyOf: UInt64  // extension bits, one needed; 0: none
    var function: String?  // nil: explicitly illegal
    var location: Location

    var isGated: Bool { allOf | anyOf != 0 }

    func overlaps(_ other: Pattern) -> Bool {
        width == other.width && mask & other.mask & (match ^ other.match) == 0
    }
}

/// A function that the translator owes: one per distinct instruction meaning.
struct Function {
    var name: String
    var mnemonic: String
    var set: ArgumentSet?
    var template: String
    var aliases: [Alias]
}

/// A checked table.
struct ResolvedTable {
    var names: Names
    var extensions: [Extension]
    var fields: [String: Field]
    var argumentSets: [ArgumentSet]
    var patterns: [Pattern]
    var functions: [Function]
}

/// The row function that means "this encoding is reserved".
let illegalFunction = "illegal"

struct Resolver {
    private let table: Table
    private var errors: [TableError] = []
    private var fields: [String: Field] = [:]
    private var sets: [String: ArgumentSet] = [:]
    private var formats: [String: Format] = [:]
    private var extensionBits: [String: UInt64] = [:]

    private init(_ table: Table) { self.table = table }

    static func resolve(_ table: Table) throws(TableErrors) -> ResolvedTable {
        var resolver = Resolver(table)
        resolver.collectNames()
        let patterns = resolver.resolveRows()
        let functions = resolver.resolveFunctions(patterns)
        let ordered = resolver.order(patterns)
        resolver.checkReachable(ordered)
        guard resolver.errors.isEmpty else { throw TableErrors(errors: resolver.errors) }
        return ResolvedTable(
            names: table.names, extensions: table.extensions, fields: resolver.fields,
            argumentSets: table.argumentSets, patterns: ordered, functions: functions)
    }

    private mutating func complain(_ location: Location, _ message: String) {
        errors.append(TableError(location: location, message: message))
    }

    // MARK: Names

    private mutating func collectNames() {
        let names = table.names
        for (value, directive) in [
            (names.instructionSet, ".protocol"), (names.extensions, ".extensions"), (names.arguments, ".arguments"),
            (names.disassembler, ".disassembler"), (names.table, ".table"),
        ] where value.isEmpty {
            complain(table.headerLocation, "no table says '\(directive)'")
        }
        for field in table.fields {
            if let first = fields[field.name] { duplicate("field '%\(field.name)'", field.location, first.location) }
            fields[field.name] = field
        }
        for set in table.argumentSets {
            if let first = sets[set.name] { duplicate("argument set '&\(set.name)'", set.location, first.location) }
            sets[set.name] = set
        }
        for format in table.formats {
            if let first = formats[format.name] {
                duplicate("format '@\(format.name)'", format.location, first.location)
            }
            formats[format.name] = format
        }
        for (bit, entry) in table.extensions.enumerated() {
            if bit >= 64 { complain(entry.location, "an extension set has at most 64 extensions") }
            if extensionBits[entry.name] != nil {
                complain(entry.location, "duplicate extension '\(entry.name)'")
            }
            extensionBits[entry.name] = 1 << UInt64(bit & 63)
        }
        for entry in table.extensions {
            for other in entry.implies where extensionBits[other] == nil {
                complain(entry.location, "unknown extension '\(other)'")
            }
        }
    }

    private mutating func duplicate(_ what: String, _ location: Location, _ first: Location) {
        complain(location, "duplicate \(what), first defined at \(first)")
    }

    // MARK: Rows

    private mutating func resolveRows() -> [Pattern] {
        var seen: [String: Location] = [:]
        return table.rows.map { row in
            if let first = seen[row.name] { duplicate("instruction '\(row.name)'", row.location, first) }
            seen[row.name] = row.location
            let gate = resolveGate(row)
            return Pattern(
                name: row.name, width: row.width, mask: row.fixed, match: row.match,
                extraction: resolveArguments(row), allOf: gate.all, anyOf: gate.any,
                function: row.function == illegalFunction ? nil : row.function, location: row.location)
        }
    }

    private mutating func resolveGate(_ row: Row) -> (all: UInt64, any: UInt64) {
        var all: UInt64 = 0
        var any: UInt64 = 0
        for term in row.gate.terms {
            var bits: UInt64 = 0
            for name in term {
                guard let bit = extensionBits[name] else {
                    complain(row.location, "unknown extension '\(name)'")
                    continue
                }
                bits |= bit
            }
            if term.count == 1 {
                all |= bits
            } else {
                if any != 0 { complain(row.location, "a gate can have only one alternative 'a|b'") }
                any = bits
            }
        }
        return (all, any)
    }

    private mutating func resolveArguments(_ row: Row) -> Extraction? {
        var format: Format?
        if let name = row.format {
            format = formats[name]
            if format == nil { complain(row.location, "unknown format '@\(name)'") }
        }
        var values: [String: ArgumentValue] = [:]
        for assignment in (format?.assignments ?? []) + row.assignments {
            values[assignment.argument] = assignment.value
        }
        var read: UInt32 = 0
        for value in values.values {
            guard case .field(let name) = value else { continue }
            guard let field = fields[name] else {
                complain(row.location, "unknown field '%\(name)'")
                continue
            }
            if field.bits & ~lowBits(row.width) != 0 {
                complain(row.location, "field '%\(name)' reads beyond the \(row.width) bits of the instruction")
            }
            read |= field.bits
        }
        if row.function == illegalFunction { return nil }
        let left = row.variable & ~read
        if left != 0 {
            let bits = (0..<32).filter { left >> UInt32($0) & 1 != 0 }.map(String.init).joined(separator: " ")
            complain(row.location, "no field of '\(row.name)' reads bits \(bits) (write '-' for bits without meaning)")
        }
        guard let setName = row.argumentSet ?? format?.argumentSet else {
            for argument in values.keys.sorted() {
                complain(row.location, "'\(row.name)' has no argument set for '\(argument)'")
            }
            return nil
        }
        guard let set = sets[setName] else {
            complain(row.location, "unknown argument set '&\(setName)'")
            return nil
        }
        for argument in values.keys.sorted() where !set.arguments.contains(where: { $0.name == argument }) {
            complain(row.location, "'&\(setName)' has no argument '\(argument)'")
        }
        var ordered: [ArgumentValue] = []
        for argument in set.arguments {
            guard let value = values[argument.name] else {
                complain(row.location, "'\(row.name)' gives no value to argument '\(argument.name)' of '&\(setName)'")
                continue
            }
            ordered.append(value)
        }
        return set.arguments.isEmpty ? nil : Extraction(set: setName, values: ordered)
    }

    // MARK: Functions

    /// One function per name; all rows that lead to it must agree about its argument set.
    private mutating func resolveFunctions(_ patterns: [Pattern]) -> [Function] {
        var functions: [Function] = []
        var index: [String: Int] = [:]
        let byName = Dictionary(zip(patterns.map(\.name), table.rows.indices), uniquingKeysWith: { first, _ in first })
        for (row, pattern) in zip(table.rows, patterns) {
            guard let name = pattern.function else { continue }
            if let known = index[name] {
                if functions[known].set?.name != pattern.extraction?.set {
                    complain(
                        row.location,
                        "'\(row.name)' calls '\(name)' with \(setText(pattern.extraction?.set)), other rows with "
                            + setText(functions[known].set?.name))
                }
                continue
            }
            // The row of the function's own name knows how to print it.
            let own = byName[name].map { table.rows[$0] } ?? row
            let set = byName[name].map { patterns[$0].extraction } ?? pattern.extraction
            let template = own.template ?? own.format.flatMap { formats[$0]?.template }
            if template == nil { complain(own.location, "'\(own.name)' has no disassembly text") }
            index[name] = functions.count
            functions.append(
                Function(
                    name: name, mnemonic: name.replacing("_", with: "."), set: set.flatMap { sets[$0.set] },
                    template: template ?? "", aliases: []))
            if set?.set != pattern.extraction?.set {
                complain(
                    row.location,
                    "'\(row.name)' calls '\(name)' with \(setText(pattern.extraction?.set)), other rows with "
                        + setText(set?.set))
            }
            checkTemplate(template ?? "", functions[functions.count - 1], own.location)
        }
        for alias in table.aliases {
            guard let known = index[alias.function] else {
                complain(alias.location, "unknown instruction '\(alias.function)'")
                continue
            }
            let arguments = functions[known].set?.arguments.map(\.name) ?? []
            for condition in alias.conditions {
                let used: [String]
                switch condition {
                case .constant(let argument, _): used = [argument]
                case .equal(let one, let other): used = [one, other]
                }
                for argument in used where !arguments.contains(argument) {
                    complain(alias.location, "'\(alias.function)' has no argument '\(argument)'")
                }
            }
            checkTemplate(alias.template, functions[known], alias.location)
            functions[known].aliases.append(alias)
        }
        return functions
    }

    private func setText(_ name: String?) -> String { name.map { "'&\($0)'" } ?? "no arguments" }

    private mutating func checkTemplate(_ template: String, _ function: Function, _ location: Location) {
        for part in templateParts(template) {
            guard case .argument(let name, let kind) = part else { continue }
            let known = function.set?.arguments.contains { $0.name == name } ?? false
            if !known { complain(location, "the text prints '\(name)', which is no argument of '\(function.name)'") }
            if kind.isEmpty { complain(location, "the text does not say how to print '\(name)' ('{\(name):kind}')") }
        }
    }

    // MARK: Order

    /// Sorts the patterns so that more specific ones come first, and complains about overlaps nobody asked for.
    private mutating func order(_ patterns: [Pattern]) -> [Pattern] {
        let rows = table.rows
        let byName = Dictionary(zip(patterns.map(\.name), patterns.indices), uniquingKeysWith: { first, _ in first })
        var later: [[Int]] = Array(repeating: [], count: patterns.count)  // patterns that must come after
        for (index, row) in rows.enumerated() {
            for name in row.over {
                guard let other = byName[name] else {
                    complain(row.location, "unknown instruction '\(name)' after 'over'")
                    continue
                }
                if !patterns[index].overlaps(patterns[other]) {
                    complain(row.location, "'\(row.name)' and '\(name)' do not overlap")
                }
                later[index].append(other)
            }
        }
        for first in patterns.indices {
            for second in patterns.indices.dropFirst(first + 1) where patterns[first].overlaps(patterns[second]) {
                if rows[first].over.contains(patterns[second].name) || rows[second].over.contains(patterns[first].name)
                {
                    continue
                }
                if let group = rows[first].group, group == rows[second].group {
                    later[first].append(second)
                } else {
                    complain(
                        patterns[second].location,
                        "'\(patterns[second].name)' overlaps '\(patterns[first].name)' at \(patterns[first].location)")
                }
            }
        }
        // Depth first, last row first, each row put before everything that must follow it.
        var result: [Pattern] = []
        var state = [UInt8](repeating: 0, count: patterns.count)  // 1: being visited, 2: placed
        func place(_ index: Int) -> Bool {
            if state[index] == 2 { return true }
            if state[index] == 1 { return false }
            state[index] = 1
            for next in later[index].sorted().reversed() where !place(next) { return false }
            state[index] = 2
            result.append(patterns[index])
            return true
        }
        for index in patterns.indices.reversed() where state[index] == 0 && !place(index) {
            complain(patterns[index].location, "'\(patterns[index].name)' goes before itself ('over' makes a circle)")
        }
        return result.reversed()
    }

    /// A row behind an ungated row that takes all its words would be dead.
    private mutating func checkReachable(_ patterns: [Pattern]) {
        for (index, pattern) in patterns.enumerated() {
            for earlier in patterns[..<index]
            where !earlier.isGated && earlier.overlaps(pattern) && earlier.mask & ~pattern.mask == 0 {
                complain(
                    pattern.location,
                    "'\(pattern.name)' is never reached: '\(earlier.name)' at \(earlier.location) takes all")
            }
        }
    }
}

/// A disassembly text in pieces: `{name}` is the mnemonic, `{argument:kind}` an operand.
enum TemplatePart: Equatable {
    case literal(String)
    case mnemonic
    case argument(name: String, kind: String)
}

func templateParts(_ template: String) -> [TemplatePart] {
    var parts: [TemplatePart] = []
    var rest = template[...]
    while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
        if open > rest.startIndex { parts.append(.literal(String(rest[..<open]))) }
        let inside = rest[rest.index(after: open)..<close]
        if inside == "name" {
            parts.append(.mnemonic)
        } else {
            let sides = inside.split(separator: ":", maxSplits: 1).map(String.init)
            parts.append(.argument(name: sides.first ?? "", kind: sides.count == 2 ? sides[1] : ""))
        }
        rest = rest[rest.index(after: close)...]
    }
    if !rest.isEmpty { parts.append(.literal(String(rest))) }
    return parts
}
