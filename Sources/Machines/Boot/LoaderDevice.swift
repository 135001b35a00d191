// -device loader: files, words and entry points that are put into a machine before it starts.

/// One of them. Source: QEMU, docs/system/generic-loader.rst.
public struct LoaderDevice: Sendable {
    public enum Content: Sendable, Equatable {
        /// `data`, its low `count` bytes, in the order of a little-endian machine unless `isBig`.
        case data(UInt64, count: Int, isBig: Bool)
        /// Raw where `isRaw`, or where the format is not known.
        case file(String, isRaw: Bool)
        /// An entry point only.
        case nothing
    }
    public var content: Content
    public var address: UInt64?
    /// The hart that starts at the address, or at the file's entry.
    public var hart: Int?

    /// What `-device loader,` is followed by. The error is what is wrong with that.
    public init(parsing options: String) throws(MachineError) {
        func refuse(_ reason: String) -> MachineError { MachineError(reason) }
        var values: [String: String] = [:]
        for (name, value) in Self.split(options) {
            guard Self.names.contains(name) else {
                throw refuse("there is no '\(name)'; there are \(Self.names.joined(separator: ", "))")
            }
            values[name] = value
        }
        func number(_ name: String) throws(MachineError) -> UInt64? {
            guard let text = values[name] else { return nil }
            let isHexadecimal = text.hasPrefix("0x") || text.hasPrefix("0X")
            guard let value = isHexadecimal ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text) else {
                throw refuse("'\(name)=\(text)' is no number of 64 bits")
            }
            return value
        }
        func flag(_ name: String) throws(MachineError) -> Bool {
            switch values[name] {
            case nil, "off", "false": return false
            case "on", "true": return true
            case let text?: throw refuse("'\(name)=\(text)' is neither on nor off")
            }
        }
        address = try number("addr")
        hart = try number("cpu-num").map { Int(clamping: $0) }
        let data = try number("data"), length = try number("data-len")
        let isBig = try flag("data-be"), isRaw = try flag("force-raw")
        switch (values["file"], data) {
        case (_?, _?): throw refuse("it has both a file and data")
        case (let file?, nil):
            if file.isEmpty { throw refuse("the file has no name") }
            if length != nil || isBig { throw refuse("data-len and data-be go with data") }
            content = .file(file, isRaw: isRaw)
        case (nil, let data?):
            guard let length, 1...8 ~= length else { throw refuse("data needs data-len=1 to 8") }
            guard address != nil else { throw refuse("data needs addr=") }
            if length < 8, data >> (8 * length) != 0 { throw refuse("data has more than \(length) bytes") }
            if hart != nil { throw refuse("cpu-num goes with a file, or with addr= alone") }
            content = .data(data, count: Int(length), isBig: isBig)
        case (nil, nil):
            guard address != nil, hart != nil else { throw refuse("it needs file=, data=, or addr= and cpu-num=") }
            content = .nothing
        }
    }

    private static let names = ["file", "addr", "cpu-num", "data", "data-len", "data-be", "force-raw"]

    /// `name=value` between commas. Two commas are one of a value's; a name without a value is on.
    private static func split(_ options: String) -> [(String, String)] {
        var parts: [String] = []
        var part = ""
        var rest = Substring(options)
        while let character = rest.popFirst() {
            if character != "," {
                part.append(character)
            } else if rest.first == "," {
                part.append(rest.removeFirst())
            } else {
                parts.append(part)
                part = ""
            }
        }
        parts.append(part)
        return parts.filter { !$0.isEmpty }.map { part in
            guard let sign = part.firstIndex(of: "=") else { return (part, "on") }
            return (String(part[..<sign]), String(part[part.index(after: sign)...]))
        }
    }
}
