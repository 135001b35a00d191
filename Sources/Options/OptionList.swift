// Lists of NAME=VALUE, in QEMU's three forms: `a=b,c.d=e`, where dots lead into what is nested and two commas are one of a value;
// `{"a": "b", "c": {"d": "e"}}`; and a mixture, where a value is JSON (`json:{...}`). All become the first.

public struct OptionList: Sendable {
    public struct Pair: Equatable, Sendable {
        public let name: String
        /// Nil: the name stands alone.
        public let value: String?
    }

    public private(set) var pairs: [Pair] = []
    /// Names that have been asked for.
    private var known: [String] = []
    /// What stands before each name in what the user has said.
    private var path = ""

    public init(_ parts: [String] = []) {
        for part in parts {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            pairs.append(Pair(name: halves[0], value: halves.count == 2 ? halves[1] : nil))
        }
    }

    /// `implied`: the name of a first part that is a value alone.
    public init(parsing text: String, implied: String? = nil) throws(OptionError) {
        if text.first == "{" {
            try self.init(JSON(parsing: text))
            return
        }
        var parts = splitAtCommas(text)
        if let implied, !parts[0].contains("="), !parts[0].isEmpty { parts[0] = "\(implied)=\(parts[0])" }
        self.init(parts)
    }

    public init(_ json: JSON) throws(OptionError) {
        guard case .object(let pairs) = json else { throw OptionError("JSON: an object is wanted: {\"NAME\": VALUE}") }
        for (name, value) in pairs { add(name, value) }
    }

    private mutating func add(_ name: String, _ value: JSON) {
        switch value {
        case .object(let pairs): for (inner, value) in pairs { add("\(name).\(inner)", value) }
        case .list(let values): for (index, value) in values.enumerated() { add("\(name).\(index)", value) }
        case .string(let text), .otherNumber(let text): add(name, text)
        case .number(let number): add(name, "\(number)")
        case .bool(let isOn): add(name, isOn ? "on" : "off")
        // QEMU takes an empty reference for none.
        case .null: add(name, "")
        }
    }

    public mutating func add(_ name: String, _ value: String) { pairs.append(Pair(name: name, value: value)) }

    /// All of it, where the reader knows the names. A name alone is refused.
    public func given(wanted: String) throws(OptionError) -> [(key: String, value: String)] {
        var all: [(key: String, value: String)] = []
        for pair in pairs {
            guard let value = pair.value else { throw OptionError("'\(pair.name)' is not known; wanted \(wanted)") }
            all.append((pair.name, value))
        }
        return all
    }

    // MARK: Taking: what has been taken is known, and what is left at the end is not

    /// The value of a name; of several the last counts. A name alone means on, with "no" before it off.
    public mutating func take(_ name: String) -> String? {
        known.append(name)
        var value: String?
        pairs.removeAll { pair in
            if pair.name == name {
                value = pair.value ?? "on"
                return true
            }
            if pair.value == nil, pair.name == "no" + name {
                value = "off"
                return true
            }
            return false
        }
        return value
    }

    public mutating func takeFlag(_ name: String) throws(OptionError) -> Bool? {
        try take(name, ["on": true, "yes": true, "true": true, "off": false, "no": false, "false": false], "on or off")
    }

    public mutating func take<T>(_ name: String, _ values: [String: T], _ wanted: String) throws(OptionError) -> T? {
        guard let text = take(name) else { return nil }
        guard let value = values[text] else { throw OptionError("\(path)\(name)=\(text): wanted \(wanted)") }
        return value
    }

    public mutating func takeChoice<T: RawRepresentable & CaseIterable>(
        _ name: String, _ type: T.Type
    ) throws(OptionError) -> T? where T.RawValue == String {
        guard let text = take(name) else { return nil }
        guard let value = T(rawValue: text) else {
            throw OptionError("\(path)\(name)=\(text): wanted \(T.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return value
    }

    public mutating func takeNumber(_ name: String, _ range: ClosedRange<Int>) throws(OptionError) -> Int? {
        guard let text = take(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            let wanted = range.count == 2 ? "\(range.lowerBound) or" : "a number from \(range.lowerBound) to"
            throw OptionError("\(path)\(name)=\(text): wanted \(wanted) \(range.upperBound)")
        }
        return number
    }

    /// A number of bytes or of anything else, with K, M, G or T.
    public mutating func takeSize(_ name: String) throws(OptionError) -> UInt64? {
        guard let text = take(name) else { return nil }
        guard let size = parseSize(text, unit: 1) else {
            throw OptionError("\(path)\(name)=\(text): wanted a number, such as 4096 or 64K")
        }
        return size
    }

    /// What lies below a name: of `file.driver=raw` the `driver=raw`.
    public mutating func takeNested(_ name: String) -> OptionList {
        var nested = OptionList()
        nested.path = "\(path)\(name)."
        known.append("\(name).")
        pairs.removeAll { pair in
            guard pair.name.hasPrefix("\(name).") else { return false }
            nested.pairs.append(Pair(name: String(pair.name.dropFirst(name.utf8.count + 1)), value: pair.value))
            return true
        }
        return nested
    }

    public var isEmpty: Bool { pairs.isEmpty }

    /// Refuses what nobody has asked for.
    public func end(_ what: String) throws(OptionError) {
        guard let first = pairs.first else { return }
        var names: [String] = []
        for name in known where !names.contains(name) { names.append(name) }
        throw OptionError("'\(path)\(first.name)' is no option of \(what); there are \(names.joined(separator: ", "))")
    }

    public func has(_ name: String) -> Bool { pairs.contains { $0.name == name } }
    public func value(_ name: String) -> String? { pairs.last { $0.name == name }?.value }
}

/// The pairs of a value. `implied`: the key of a first part that is a value alone.
public func keyedValues(
    _ text: String, implied: String? = nil, wanted: String
) throws(OptionError) -> [(key: String, value: String)] {
    try OptionList(parsing: text, implied: implied).given(wanted: wanted)
}
