// `-dfilter`: the guest addresses whose translation and execution are logged.

/// A set of inclusive address ranges; empty means everything.
public struct AddressFilter: Equatable, Sendable {
    public var ranges: [ClosedRange<UInt64>] = []

    public init() {}

    /// Parses `RANGE,RANGE,...`: `0x1000..0x2000`, `0x1000+0x100` (start and length) or `0x1000-0x100` (the length
    /// before and up to the start).
    public init(parsing text: String) throws(DiagnosticsError) {
        for item in text.split(separator: ",") {
            guard let range = Self.range(item) else { throw .badFilter(String(item)) }
            ranges.append(range)
        }
    }

    public func contains(_ address: UInt64) -> Bool {
        if ranges.isEmpty { return true }
        for range in ranges where range.contains(address) { return true }
        return false
    }

    private static func range(_ text: Substring) -> ClosedRange<UInt64>? {
        let bytes = Array(text.utf8)
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "+"), UInt8(ascii: "-"):
                guard let start = parseNumber(bytes[..<index]), let length = parseNumber(bytes[(index + 1)...]),
                    length > 0
                else { return nil }
                if byte == UInt8(ascii: "+") {
                    let (end, wrapped) = start.addingReportingOverflow(length - 1)
                    return start...(wrapped ? UInt64.max : end)
                }
                return (start >= length - 1 ? start - (length - 1) : 0)...start
            case UInt8(ascii: "."):
                guard index + 1 < bytes.count, bytes[index + 1] == byte, let start = parseNumber(bytes[..<index]),
                    let end = parseNumber(bytes[(index + 2)...]), start <= end
                else { return nil }
                return start...end
            default: continue
            }
        }
        return nil
    }
}

/// An unsigned number as C writes it: 0x hexadecimal, 0 octal, else decimal. Nil when malformed or above 64 bits.
public func parseNumber(_ text: some Collection<UInt8>) -> UInt64? {
    var digits = ArraySlice(Array(text))
    var radix: UInt64 = 10
    if digits.first == UInt8(ascii: "0"), digits.count > 1 {
        digits.removeFirst()
        radix = 8
        if digits.first == UInt8(ascii: "x") || digits.first == UInt8(ascii: "X") {
            digits.removeFirst()
            radix = 16
        }
    }
    if digits.isEmpty { return nil }
    var value: UInt64 = 0
    for byte in digits {
        let digit: UInt64
        switch byte {
        case 48...57: digit = UInt64(byte) - 48
        case 97...102: digit = UInt64(byte) - 87
        case 65...70: digit = UInt64(byte) - 55
        default: return nil
        }
        if digit >= radix { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: radix)
        let (sum, carry) = product.addingReportingOverflow(digit)
        if overflow || carry { return nil }
        value = sum
    }
    return value
}
