// What the translator owes: one function per name, with the text that the disassembler prints for it.

extension Resolver {
    /// One function per name; all rows that lead to it must agree about its argument set.
    mutating func resolveFunctions(_ patterns: [Pattern]) -> [Function] {
        var functions: [Function] = []
        var index: [String: Int] = [:]
        let byName = Dictionary(grouping: table.rows.indices) { table.rows[$0].name }
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
            // The row of the function's own name knows how to print it; each table may have one.
            let named = byName[name] ?? []
            let best = named.first { text(table.rows[$0]) != nil } ?? named.first
            let own = best.map { table.rows[$0] } ?? row
            let set = best.map { patterns[$0].extraction } ?? pattern.extraction
            let template = text(own)
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

    private func text(_ row: Row) -> String? { row.template ?? format(row)?.template }

    private func setText(_ name: String?) -> String { name.map { "'&\($0)'" } ?? "no arguments" }

    private mutating func checkTemplate(_ template: String, _ function: Function, _ location: Location) {
        for part in templateParts(template) {
            guard case .argument(let name, let kind) = part else { continue }
            let known = function.set?.arguments.contains { $0.name == name } ?? false
            if !known { complain(location, "the text prints '\(name)', which is no argument of '\(function.name)'") }
            if kind.isEmpty { complain(location, "the text does not say how to print '\(name)' ('{\(name):kind}')") }
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
