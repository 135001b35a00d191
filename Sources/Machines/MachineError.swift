// Why a machine cannot be made or booted.

/// One line for the user: it names the file or the option, what is wrong with it and, where there is one choice, what would be right.
public struct MachineError: Error, Equatable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

func hexadecimal(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }

/// As `-m` takes it: in the largest unit that leaves no remainder.
func readableSize(_ bytes: UInt64) -> String {
    let units: [(UInt64, String)] = [(1 << 40, " TiB"), (1 << 30, " GiB"), (1 << 20, " MiB"), (1 << 10, " KiB")]
    for (unit, name) in units where bytes >= unit && bytes % unit == 0 { return "\(bytes / unit)\(name)" }
    return "\(bytes) bytes"
}
