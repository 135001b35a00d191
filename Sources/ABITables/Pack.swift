// One ABI against the host's as flat lists of numbers, the form in which LinuxABI has it. What is the same on both sides
// is an empty list: nothing is translated then.

/// A table without names, in the order of a vocabulary. LinuxABI's `LinuxTable` says what each list means.
public struct Packed: Equatable, Sendable {
    public var name: String
    public var word: Int
    public var isBigEndian: Bool
    public var firstCall: Int
    /// By number from `firstCall`: index of the call in the vocabulary plus one; 0: not assigned.
    public var calls: [UInt16] = []
    /// By the host's number: the ABI's.
    public var errors: [UInt16] = []
    public var signals: [UInt16] = []
    /// By set: start in `maps`; 0: the same as on the host.
    public var maps: [UInt32] = []
    /// By structure: start, 0 when there is none; there its size, and three numbers for each field.
    public var structures: [UInt16] = []
}

/// Fields of several bits: a value of such a field is one name, not several. MASK: the names that lie within it.
private let enumerations: [(set: String, mask: String, members: @Sendable (String) -> Bool)] = [
    ("open", "O_ACCMODE", { ["O_RDONLY", "O_WRONLY", "O_RDWR"].contains($0) }),
    ("map", "MAP_TYPE", { ["MAP_SHARED", "MAP_PRIVATE", "MAP_SHARED_VALIDATE"].contains($0) }),
    ("cflag", "CBAUD", { $0.hasPrefix("B") }),
    ("cflag", "CSIZE", { ["CS5", "CS6", "CS7", "CS8"].contains($0) }),
    ("oflag", "NLDLY", { ["NL0", "NL1", "NL2", "NL3"].contains($0) }),
    ("oflag", "CRDLY", { ["CR0", "CR1", "CR2", "CR3"].contains($0) }),
    ("oflag", "TABDLY", { ["TAB0", "TAB1", "TAB2", "TAB3"].contains($0) }),
    ("oflag", "BSDLY", { ["BS0", "BS1"].contains($0) }),
    ("oflag", "VTDLY", { ["VT0", "VT1"].contains($0) }),
    ("oflag", "FFDLY", { ["FF0", "FF1"].contains($0) }),
]

extension Vocabulary {
    /// `table` for a host whose table is `host`.
    public func pack(_ table: Table, host: Table) -> Packed {
        var packed = Packed(
            name: table.name, word: table.word, isBigEndian: table.isBigEndian,
            firstCall: table.calls.first?.number ?? 0)
        packed.calls = numbering(table, from: packed.firstCall)
        packed.errors = Self.byHostNumber(table.errors, host.errors)
        packed.signals = Self.byHostNumber(table.signals, host.signals)
        packed.maps = maps(table, host)
        packed.structures = layouts(table)
        return packed
    }

    private func numbering(_ table: Table, from first: Int) -> [UInt16] {
        var list = [UInt16](repeating: 0, count: (table.calls.last?.number ?? -1) - first + 1)
        for call in table.calls { list[call.number - first] = UInt16((callIndex[meaning(call)] ?? -1) + 1) }
        return list
    }

    /// The number of each call on `table`'s ABI, by its index; nil where it has no such call. The highest where it has
    /// several.
    public func numbers(_ table: Table) -> [Int?] {
        var list = [Int?](repeating: nil, count: calls.count)
        for call in table.calls { if let index = callIndex[meaning(call)] { list[index] = call.number } }
        return list
    }

    /// Second names of errors and signals, which some ABIs have given a number of its own.
    private static let aliases: Set<String> = [
        "EDEADLOCK", "EWOULDBLOCK", "ENOTSUP", "SIGIOT", "SIGPOLL", "SIGCLD", "SIGLOST", "SIGUNUSED",
    ]

    /// Empty when every name has the host's number.
    private static func byHostNumber(_ ours: [Table.Constant], _ theirs: [Table.Constant]) -> [UInt16] {
        let host = Dictionary(theirs.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        var list = [UInt16](repeating: 0, count: Int(theirs.map(\.value).max() ?? 0) + 1)
        for index in list.indices { list[index] = UInt16(index) }
        for constant in ours where !aliases.contains(constant.name) {
            if let at = host[constant.name] { list[Int(at)] = UInt16(constant.value) }
        }
        return list.indices.allSatisfy { Int(list[$0]) == $0 } ? [] : list
    }

    // MARK: Masks and values

    private func maps(_ table: Table, _ host: Table) -> [UInt32] {
        var list = [UInt32](repeating: 0, count: bits.count + values.count)
        for (index, set) in bits.enumerated() {
            let rows = Self.masks(set, Self.names(table.bits, set), Self.names(host.bits, set))
            if rows.isEmpty { continue }
            list[index] = UInt32(list.count)
            list.append(UInt32(rows.count))
            for row in rows { list += row }
        }
        for (index, set) in values.enumerated() {
            let rows = Self.pairs(Self.names(table.values, set), Self.names(host.values, set))
            if rows.isEmpty { continue }
            list[bits.count + index] = UInt32(list.count)
            list.append(UInt32(rows.count))
            for row in rows { list += row }
        }
        return list.allSatisfy { $0 == 0 } ? [] : list
    }

    private static func names(_ sets: [(set: String, names: [Table.Constant])], _ set: String) -> [Table.Constant] {
        sets.first { $0.set == set }?.names ?? []
    }

    /// Rows of mask, value, host's mask, host's value; none when all names that both have are the same.
    private static func masks(_ set: String, _ ours: [Table.Constant], _ theirs: [Table.Constant]) -> [[UInt32]] {
        let host = Dictionary(theirs.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        let own = Dictionary(ours.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        var rows: [[UInt32]] = []
        var isSame = true
        for constant in ours {
            guard let value = host[constant.name] else { continue }
            if value != constant.value { isSame = false }
            if enumerations.contains(where: { $0.set == set && $0.mask == constant.name }) { continue }
            var masks = (constant.value, value)
            if let field = enumerations.first(where: { $0.set == set && $0.members(constant.name) }) {
                masks = (own[field.mask] ?? masks.0, host[field.mask] ?? masks.1)
            }
            if masks.0 == 0 || masks.1 == 0 { continue }
            rows.append([masks.0, constant.value, masks.1, value].map { UInt32(truncatingIfNeeded: $0) })
        }
        return isSame ? [] : rows
    }

    /// Rows of value, host's value.
    private static func pairs(_ ours: [Table.Constant], _ theirs: [Table.Constant]) -> [[UInt32]] {
        let host = Dictionary(theirs.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        let common = ours.compactMap { constant in host[constant.name].map { (constant.value, $0) } }
        if common.allSatisfy({ $0.0 == $0.1 }) { return [] }
        return common.map { [UInt32(truncatingIfNeeded: $0.0), UInt32(truncatingIfNeeded: $0.1)] }
    }

    // MARK: Structures

    /// Kinds by their raw value in LinuxABI's `StructField.Kind`.
    private static let kinds: [Character] = ["u", "s", "U", "S", "W", "p", "g", "r", "o"]

    private func layouts(_ table: Table) -> [UInt16] {
        var list = [UInt16](repeating: 0, count: structures.count)
        for (index, wanted) in structures.enumerated() {
            guard let structure = table.structures.first(where: { $0.name == wanted.name }), let size = structure.size
            else { continue }
            list[index] = UInt16(list.count)
            list += [UInt16(size), UInt16(structure.fields.count)]
            for field in structure.fields {
                guard let offset = field.offset, let kind = Self.kinds.firstIndex(of: field.kind) else {
                    list += [0, 0, 0]
                    continue
                }
                list += [UInt16(offset), UInt16(field.size), UInt16(kind)]
            }
        }
        return list
    }
}
