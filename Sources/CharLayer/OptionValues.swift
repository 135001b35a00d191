// A first word, and options behind it: of names that are known, each given once.

import Options

struct OptionValues {
    let first: String
    private let given: OptionList
    private var values: [String: String] = [:]

    init(_ text: String) {
        let parts = splitAtCommas(text)
        first = parts[0]
        given = OptionList(Array(parts.dropFirst()))
    }

    /// Names are to be among `known`. A name alone means on; with "no" before it, off.
    mutating func check(_ known: [String], of backend: String) throws(CharSpecError) {
        for pair in given.pairs {
            let means = pair.name.hasPrefix("no") ? String(pair.name.dropFirst(2)) : pair.name
            let isOff = pair.value == nil && !known.contains(pair.name) && known.contains(means)
            let name = isOff ? means : pair.name
            guard known.contains(name) else {
                throw .wrong("'\(name)' is no option of \(backend); there are \(known.joined(separator: ", "))")
            }
            if values[name] != nil { throw .wrong("\(name) is given twice") }
            values[name] = pair.value ?? (isOff ? "off" : "on")
        }
    }

    func has(_ name: String) -> Bool { values[name] != nil }

    func value(_ name: String) -> String? { values[name] }

    func bool(_ name: String) throws(CharSpecError) -> Bool? {
        guard let value = value(name) else { return nil }
        guard value == "on" || value == "off" else { throw .wrong("\(name)=\(value): wanted on or off") }
        return value == "on"
    }

    func number(_ name: String) throws(CharSpecError) -> UInt64? {
        guard let value = value(name) else { return nil }
        guard let number = UInt32(value) else { throw .wrong("\(name)=\(value): wanted a number") }
        return UInt64(number)
    }

    func path(_ backend: String) throws(CharSpecError) -> String {
        guard let path = value("path"), !path.isEmpty else { throw .wrong("\(backend) wants path=PATH") }
        return path
    }

    func port(_ name: String, of backend: String) throws(CharSpecError) -> String {
        guard let port = value(name), !port.isEmpty else { throw .wrong("\(backend) wants \(name)=PORT") }
        return port
    }
}
