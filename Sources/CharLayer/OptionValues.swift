// NAME=VALUE pairs behind a first word, separated by commas. Two commas are one of a value.

struct OptionValues {
    let first: String
    private var pairs: [(name: String, value: String?)] = []

    init(_ text: String) {
        var parts: [[UInt8]] = [[]], bytes = Array(text.utf8)[...]
        while let byte = bytes.popFirst() {
            if byte != UInt8(ascii: ",") {
                parts[parts.count - 1].append(byte)
            } else if bytes.first == byte {
                parts[parts.count - 1].append(bytes.removeFirst())
            } else {
                parts.append([])
            }
        }
        let texts = parts.map { String(decoding: $0, as: UTF8.self) }
        first = texts[0]
        for text in texts.dropFirst() {
            let halves = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            pairs.append((halves[0], halves.count == 2 ? halves[1] : nil))
        }
    }

    /// Names are to be among `known`. A name alone means on; with "no" before it, off.
    mutating func check(_ known: [String], of backend: String) throws(CharSpecError) {
        for index in pairs.indices {
            var (name, value) = pairs[index]
            if value == nil, !known.contains(name), name.hasPrefix("no"), known.contains(String(name.dropFirst(2))) {
                name = String(name.dropFirst(2))
                value = "off"
            }
            guard known.contains(name) else {
                throw .wrong("'\(name)' is no option of \(backend); there are \(known.joined(separator: ", "))")
            }
            if pairs[..<index].contains(where: { $0.name == name }) { throw .wrong("\(name) is given twice") }
            pairs[index] = (name, value ?? "on")
        }
    }

    func has(_ name: String) -> Bool { pairs.contains { $0.name == name } }

    func value(_ name: String) -> String? { pairs.first { $0.name == name }?.value }

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
