// Values of options, and what is wrong with them.

/// What is wrong with an option's value: what would be right.
public struct OptionError: Error {
    public var message: String
    public init(_ message: String) { self.message = message }
}

/// The size of a code cache, in bytes.
public func parseCacheSize(_ text: String) throws(OptionError) -> Int {
    guard let size = parseSize(text, unit: 1 << 20), size > 0 else {
        throw OptionError("wanted a size in MiB, or with a suffix such as 512K")
    }
    guard size >= 64 << 10 else { throw OptionError("too small: the code cache wants at least 64K") }
    guard size <= 1 << 30 else { throw OptionError("too large: the code cache may have at most 1G") }
    return Int(size)
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
