// What options' values are made of, and what is wrong with them.

/// What is wrong with an option's value: what would be right.
public struct OptionError: Error, Equatable {
    public var message: String
    public init(_ message: String) { self.message = message }
}

/// A number, decimal or 0x..., with an optional suffix K, M, G or T (powers of 1024); without one it counts `unit`s.
public func parseSize(_ text: String, unit: UInt64) -> UInt64? {
    var digits = Substring(text)
    var scale = unit
    if let last = digits.last, let power = ["B": 0, "K": 10, "M": 20, "G": 30, "T": 40][last.uppercased()],
        !digits.hasPrefix("0x") || last.uppercased() != "B"
    {
        scale = 1 << UInt64(power)
        digits = digits.dropLast()
    }
    let value = digits.hasPrefix("0x") ? UInt64(digits.dropFirst(2), radix: 16) : UInt64(digits, radix: 10)
    guard let value else { return nil }
    let (result, overflow) = value.multipliedReportingOverflow(by: scale)
    return overflow ? nil : result
}

/// Two commas are one of a value; one separates.
public func splitAtCommas(_ text: String) -> [String] {
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
    return parts.map { String(decoding: $0, as: UTF8.self) }
}

public func isOn(_ value: String, of key: String) throws(OptionError) -> Bool {
    guard value == "on" || value == "off" else { throw OptionError("\(key) wants on or off") }
    return value == "on"
}
