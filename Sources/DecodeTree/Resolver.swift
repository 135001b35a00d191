// Turns the rows of a table into complete instruction patterns and finds everything that is wrong with them: unknown
// or duplicate names, arguments without a value, bits that nothing reads, rows that overlap by accident and rows that
// can never be reached. Afterwards the patterns are in an order in which the first that matches is the right one.

/// A field as it is in words of one width, bit 0 the least significant one.
struct FieldUse: Hashable {
    var name: String
    var pieces: [Piece]
    var trailing: Trailing?
    var shift: Int
    var offset: Int
    var function: String?

    /// The bits of the word that the field reads.
    var bits: UInt64 { pieces.reduce(0) { $0 | (lowBits($1.length) << UInt64($1.position)) } }

    /// The least and the greatest value, before the function.
    var range: (Int128, Int128) {
        let length = trailing?.bits ?? pieces.reduce(0) { $0 + $1.length }
        let isSigned = trailing?.signed ?? pieces.first?.signed ?? false
        let one: Int128 = 1
        let least = isSigned ? -(one << Int128(length - 1)) : 0
        let greatest = (one << Int128(isSigned ? length - 1 : length)) - 1
        return (least << Int128(shift) + Int128(offset), greatest << Int128(shift) + Int128(offset))
    }

    /// The value takes more than an Int32.
    var isWide: Bool { trailing != nil || range.0 < Int128(Int32.min) || range.1 > Int128(Int32.max) }
}

/// Where a row's arguments come from, in the order of its argument set.
struct Extraction: Hashable {
    enum Value: Hashable {
        case field(FieldUse)
        case constant(Int)
    }
    var set: String
    var values: [Value]
    /// Fields behind the word, in the order in which they lie there.
    var trailing: [FieldUse]

    var trailingBytes: Int { trailing.reduce(0) { $0 + ($1.trailing?.bits ?? 0) / 8 } }
}

/// One encoding, ready for the decision tree.
struct Pattern {
    var name: String
    var table: Int
    var width: Int
    var mask: UInt64
    var match: UInt64
    var extraction: Extraction?  // nil: the function has no arguments
    var roles: [Role?]  // of the arguments
    var classes: UInt32  // bits in the order of `classNames`
    var gate: GateBits
    var function: String?  // nil: explicitly illegal
    var location: Location

    var isGated: Bool { !gate.isEmpty }

    func overlaps(_ other: Pattern) -> Bool {
        width == other.width && table == other.table && mask & other.mask & (match ^ other.match) == 0
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

/// How the words of a table lie in memory.
struct ResolvedLayout {
    var unit = 8
    var order = Layout.Order.little
    var joinsHigh = false
    var rule: LengthRule?
    var countsFromTop = false

    /// The low bit of `length` bits at `position` of a word of `width` bits, as the table counts.
    func lowBit(_ position: Int, _ length: Int, in width: Int) -> Int {
        countsFromTop ? width - position - length : position
    }
}

struct ResolvedEncodingTable {
    var name: String
    var layout: ResolvedLayout
}

/// A checked table.
struct ResolvedTable {
    var names: Names
    var extensions: [Extension]
    var tables: [ResolvedEncodingTable]
    var argumentSets: [ArgumentSet]
    var patterns: [Pattern]
    var functions: [Function]
}

/// The row function that means "this encoding is reserved".
let illegalFunction = "illegal"

struct Resolver {
    let table: Table
    private(set) var errors: [TableError] = []
    private var fields: [Scoped: Field] = [:]
    var sets: [String: ArgumentSet] = [:]
    private(set) var formats: [Scoped: Format] = [:]
    private var extensionBits: [String: Int] = [:]
    var layouts: [ResolvedLayout] = []

    /// A name that one table knows, or all.
    struct Scoped: Hashable {
        var table: String?
        var name: String
    }

    private init(_ table: Table) { self.table = table }

    static func resolve(_ table: Table) throws(TableErrors) -> ResolvedTable {
        var resolver = Resolver(table)
        resolver.collectNames()
        resolver.resolveLayouts()
        let patterns = resolver.resolveRows()
        resolver.checkWords(patterns)
        let functions = resolver.resolveFunctions(patterns)
        let ordered = resolver.order(patterns)
        resolver.checkReachable(ordered)
        guard resolver.errors.isEmpty else { throw TableErrors(errors: resolver.errors) }
        return ResolvedTable(
            names: table.names, extensions: table.extensions,
            tables: zip(table.tables, resolver.layouts).map { ResolvedEncodingTable(name: $0.name, layout: $1) },
            argumentSets: table.argumentSets, patterns: ordered, functions: functions)
    }

    /// The same complaint about the same line is made once.
    mutating func complain(_ location: Location, _ message: String) {
        let error = TableError(location: location, message: message)
        if !errors.contains(error) { errors.append(error) }
    }

    // MARK: Names

    private mutating func collectNames() {
        let names = table.names
        for (value, directive) in [
            (names.instructionSet, ".protocol"), (names.extensions, ".extensions"), (names.arguments, ".arguments"),
            (names.disassembler, ".disassembler"), (table.tables.first?.name ?? "", ".table"),
        ] where value.isEmpty {
            complain(table.headerLocation, "no table says '\(directive)'")
        }
        for field in table.fields {
            if let first = clash(fields, field.name, field.table) {
                duplicate("field '%\(field.name)'", field.location, first.location)
            }
            fields[Scoped(table: field.table, name: field.name)] = field
        }
        for set in table.argumentSets {
            if let first = sets[set.name] { duplicate("argument set '&\(set.name)'", set.location, first.location) }
            sets[set.name] = set
            for role in set.roles where !set.arguments.contains(where: { $0.name == role.argument }) {
                complain(set.location, "'&\(set.name)' has no argument '\(role.argument)'")
            }
            for argument in set.arguments
            where !set.roles.isEmpty && !set.roles.contains(where: { $0.argument == argument.name }) {
                complain(set.location, "argument '\(argument.name)' of '&\(set.name)' has no role")
            }
        }
        for format in table.formats {
            if let first = clash(formats, format.name, format.table) {
                duplicate("format '@\(format.name)'", format.location, first.location)
            }
            formats[Scoped(table: format.table, name: format.name)] = format
        }
        for (bit, entry) in table.extensions.enumerated() {
            if bit == ExtensionBits.limit {
                complain(entry.location, "an extension set has at most \(ExtensionBits.limit) extensions")
            }
            if extensionBits[entry.name] != nil {
                complain(entry.location, "duplicate extension '\(entry.name)'")
            }
            extensionBits[entry.name] = min(bit, ExtensionBits.limit - 1)
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

    /// What a table knows by a name: its own, or everybody's.
    private func find<Entry>(_ entries: [Scoped: Entry], _ name: String, _ table: String?) -> Entry? {
        entries[Scoped(table: table, name: name)] ?? entries[Scoped(table: nil, name: name)]
    }

    /// What keeps a name from being defined: a table's names are no other table's, but everybody's are everybody's.
    private func clash<Entry>(_ entries: [Scoped: Entry], _ name: String, _ table: String?) -> Entry? {
        find(entries, name, table) ?? (table == nil ? entries.first { $0.key.name == name }?.value : nil)
    }

    func format(_ row: Row) -> Format? { row.format.flatMap { find(formats, $0, tableName(row)) } }

    /// The row's table; nil after a complaint, or where there is none at all.
    private func tableName(_ row: Row) -> String? {
        row.table ?? (table.tables.count == 1 ? table.tables[0].name : nil)
    }

    // MARK: Rows

    private mutating func resolveRows() -> [Pattern] {
        var seen: [Scoped: Location] = [:]
        return table.rows.map { row in
            let name = tableName(row)
            if name == nil, table.tables.count > 1 {
                complain(row.location, "'.table' must say which table '\(row.name)' belongs to")
            }
            let key = Scoped(table: name, name: row.name)
            if let first = seen[key] { duplicate("instruction '\(row.name)'", row.location, first) }
            seen[key] = row.location
            let index = table.tables.firstIndex { $0.name == name } ?? 0
            let extraction = resolveArguments(row, index)
            return Pattern(
                name: row.name, table: index, width: row.width, mask: row.fixed, match: row.match,
                extraction: extraction, roles: resolveRoles(row, extraction), classes: resolveClasses(row),
                gate: resolveGate(row), function: row.function == illegalFunction ? nil : row.function,
                location: row.location)
        }
    }

    private func resolveClasses(_ row: Row) -> UInt32 {
        (row.classes ?? format(row)?.classes ?? []).reduce(0) { bits, name in
            bits | 1 << UInt32(classNames.firstIndex(of: name) ?? 0)
        }
    }

    private mutating func resolveGate(_ row: Row) -> GateBits {
        var gate = GateBits()
        for term in row.gate.terms {
            var bits = ExtensionBits()
            for name in term.names {
                if let bit = extensionBits[name] {
                    bits.insert(bit)
                } else {
                    complain(row.location, "unknown extension '\(name)'")
                }
            }
            if term.isNegated {
                gate.noneOf.formUnion(bits)
            } else if term.names.count == 1 {
                gate.allOf.formUnion(bits)
            } else {
                if !gate.anyOf.isEmpty { complain(row.location, "a gate can have only one alternative 'a|b'") }
                gate.anyOf = bits
            }
        }
        if gate.noneOf.intersects(gate.allOf) || gate.noneOf.intersects(gate.anyOf) {
            complain(row.location, "the gate of '\(row.name)' contradicts itself")
        }
        return gate
    }

    private mutating func resolveArguments(_ row: Row, _ index: Int) -> Extraction? {
        let format = format(row)
        if let name = row.format, format == nil { complain(row.location, "unknown format '@\(name)'") }
        // In the order in which they are written; the row's own take the place of the format's.
        var assignments: [Assignment] = []
        for assignment in (format?.assignments ?? []) + row.assignments {
            if let known = assignments.firstIndex(where: { $0.argument == assignment.argument }) {
                assignments[known] = assignment
            } else {
                assignments.append(assignment)
            }
        }
        var values: [String: Extraction.Value] = [:]
        var trailing: [FieldUse] = []
        var read: UInt64 = 0
        var isComplete = true
        for assignment in assignments {
            switch assignment.value {
            case .constant(let number): values[assignment.argument] = .constant(number)
            case .field(let name):
                guard let field = find(fields, name, tableName(row)) else {
                    complain(row.location, "unknown field '%\(name)'")
                    isComplete = false
                    continue
                }
                guard let use = use(field, row, index) else {
                    isComplete = false
                    continue
                }
                values[assignment.argument] = .field(use)
                read |= use.bits
                if use.trailing != nil, !trailing.contains(use) { trailing.append(use) }
            }
        }
        if row.function == illegalFunction { return nil }
        let left = row.variable & ~read
        if left != 0, isComplete {
            let bits = (0..<64).filter { left >> UInt64($0) & 1 != 0 }
            let numbers = bits.map { String(layouts.isEmpty ? $0 : layouts[index].lowBit($0, 1, in: row.width)) }
            complain(
                row.location,
                "no field of '\(row.name)' reads bits \(numbers.joined(separator: " ")) "
                    + "(write '-' for bits without meaning)")
        }
        let names = Set(assignments.map(\.argument)).sorted()
        guard let setName = row.argumentSet ?? format?.argumentSet else {
            for argument in names {
                complain(row.location, "'\(row.name)' has no argument set for '\(argument)'")
            }
            return nil
        }
        guard let set = sets[setName] else {
            complain(row.location, "unknown argument set '&\(setName)'")
            return nil
        }
        for argument in names where !set.arguments.contains(where: { $0.name == argument }) {
            complain(row.location, "'&\(setName)' has no argument '\(argument)'")
        }
        var ordered: [Extraction.Value] = []
        for argument in set.arguments {
            guard let value = values[argument.name] else {
                if !names.contains(argument.name) {
                    complain(
                        row.location,
                        "'\(row.name)' gives no value to argument '\(argument.name)' of '&\(setName)'")
                }
                continue
            }
            checkFit(value, argument, row)
            ordered.append(value)
        }
        return set.arguments.isEmpty ? nil : Extraction(set: setName, values: ordered, trailing: trailing)
    }

    /// The field in a word of the row; nil after a complaint.
    private mutating func use(_ field: Field, _ row: Row, _ index: Int) -> FieldUse? {
        if field.pieces.contains(where: { $0.position + $0.length > row.width }) {
            complain(row.location, "field '%\(field.name)' reads beyond the \(row.width) bits of the instruction")
            return nil
        }
        var use = FieldUse(
            name: field.name, pieces: field.pieces, trailing: field.trailing, shift: field.shift,
            offset: field.offset, function: field.function)
        guard index < layouts.count else { return use }
        for piece in use.pieces.indices {
            let (position, length) = (use.pieces[piece].position, use.pieces[piece].length)
            use.pieces[piece].position = layouts[index].lowBit(position, length, in: row.width)
        }
        return use
    }

    /// No value of the field is lost in the argument's type.
    private mutating func checkFit(_ value: Extraction.Value, _ argument: Argument, _ row: Row) {
        guard let (least, greatest) = argument.type.range else { return }
        switch value {
        case .constant(let number):
            if Int128(number) < least || Int128(number) > greatest {
                complain(row.location, "\(number) does not fit argument '\(argument.name)' of type \(argument.type)")
            }
        case .field(let use):
            if use.function == nil, use.range.0 < least || use.range.1 > greatest {
                complain(
                    row.location,
                    "field '%\(use.name)' does not fit argument '\(argument.name)' of type \(argument.type)")
            }
        }
    }

    /// The roles of the row's arguments: the row's own, else the format's, else the argument set's.
    private mutating func resolveRoles(_ row: Row, _ extraction: Extraction?) -> [Role?] {
        let format = format(row)
        let arguments = extraction.flatMap { sets[$0.set]?.arguments } ?? []
        func check(_ roles: [Role], _ location: Location, _ what: String) {
            for role in roles where !arguments.contains(where: { $0.name == role.argument }) {
                complain(location, "\(what) has no argument '\(role.argument)' for a role")
            }
        }
        if row.function != illegalFunction {
            check(row.roles, row.location, "'\(row.name)'")
            check(format?.roles ?? [], format?.location ?? row.location, "'\(row.name)'")
        }
        return arguments.map { argument in
            let choices = [row.roles, format?.roles ?? [], extraction.flatMap { sets[$0.set]?.roles } ?? []]
            return choices.lazy.compactMap { $0.first { $0.argument == argument.name } }.first
        }
    }
}
