// What all ABIs together name: system calls, structures and their fields, sets of constants. One name means one thing,
// whatever number an ABI gives it.

/// The names that the tables have in common.
public struct Vocabulary: Sendable {
    /// The ABI whose names of system calls count.
    public static let reference = "riscv64"

    /// System calls; a call's index is its number in Martlet.
    public let calls: [String]
    /// Structures and their fields.
    public let structures: [(name: String, fields: [String])]
    /// Sets of masks and of values.
    public let bits: [String]
    public let values: [String]
    let callIndex: [String: Int]
    private let referenceNames: Set<String>
    private let entryNames: [String: String]

    /// Of these tables, one of which must be the reference's.
    public init(_ tables: [Table]) throws(TableError) {
        guard let first = tables.first(where: { $0.name == Self.reference }) else {
            throw TableError(description: "there is no table of \(Self.reference), whose names count")
        }
        referenceNames = Set(first.calls.map(\.name))
        var entries: [String: String] = [:]
        for call in first.calls where call.entry != Self.noEntry { entries[Self.function(call)] = call.name }
        entryNames = entries
        var calls = first.calls.map(\.name)
        var seen = Set(calls)
        var others: [String] = []
        for table in tables {
            for call in table.calls {
                let name = Self.meaning(call, referenceNames, entries)
                if seen.insert(name).inserted { others.append(name) }
            }
        }
        calls += others.sorted()
        self.calls = calls
        callIndex = Dictionary(uniqueKeysWithValues: calls.enumerated().map { ($1, $0) })
        var structures: [(name: String, fields: [String])] = []
        for structure in tables.flatMap(\.structures) {
            let fields = structure.fields.map(\.name)
            if let at = structures.firstIndex(where: { $0.name == structure.name }) {
                if structures[at].fields.isEmpty { structures[at].fields = fields }
                if !fields.isEmpty && structures[at].fields != fields {
                    throw TableError(description: "struct \(structure.name): two tables have other fields")
                }
            } else {
                structures.append((structure.name, fields))
            }
        }
        self.structures = structures
        bits = Self.union(tables.map { $0.bits.map(\.set) })
        values = Self.union(tables.map { $0.values.map(\.set) })
    }

    private static func union(_ lists: [[String]]) -> [String] {
        var names: [String] = []
        for name in lists.joined() where !names.contains(name) { names.append(name) }
        return names
    }

    /// The name of what a call does: of its entry point where the reference has that entry point, else its own, unless the
    /// reference calls something else so: then the entry point's (`old_mmap`, `getuid16`, `clock_gettime32`).
    func meaning(_ call: Table.Call) -> String { Self.meaning(call, referenceNames, entryNames) }

    private static let noEntry = "sys_ni_syscall"

    private static func meaning(_ call: Table.Call, _ names: Set<String>, _ entries: [String: String]) -> String {
        if call.entry == noEntry { return call.name }
        let function = function(call)
        if let name = entries[function] { return name }
        if !names.contains(call.name) { return call.name }
        return function
    }

    /// The entry point without "sys_" or "__sys_": some architectures wrap a call to save registers.
    private static func function(_ call: Table.Call) -> String {
        var entry = call.entry[...]
        if entry.hasPrefix("__") { entry = entry.dropFirst(2) }
        if entry.hasPrefix("sys_") { entry = entry.dropFirst(4) }
        return String(entry)
    }
}
