// Where a function is on its bus.

/// A slot and a function in it. In requests both are one byte.
public struct PCIAddress: Hashable, Sendable, CustomStringConvertible {
    public let slot: Int
    public let function: Int

    public static let slots = 32, functions = 8

    /// Nil: there is no such place.
    public init?(slot: Int, function: Int = 0) {
        guard 0..<Self.slots ~= slot, 0..<Self.functions ~= function else { return nil }
        self.slot = slot
        self.function = function
    }

    /// `SLOT` or `SLOT.FUNCTION`, both in hexadecimal digits.
    public init?(_ text: String) {
        let numbers = text.split(separator: ".", omittingEmptySubsequences: false).map {
            Int($0.hasPrefix("0x") ? $0.dropFirst(2) : $0, radix: 16)
        }
        guard 1...2 ~= numbers.count, let slot = numbers[0], let function = numbers.count > 1 ? numbers[1] : 0 else {
            return nil
        }
        self.init(slot: slot, function: function)
    }

    init(byte: UInt8) {
        slot = Int(byte >> 3)
        function = Int(byte & 7)
    }

    public var byte: UInt8 { UInt8(slot << 3 | function) }

    public var description: String {
        let digits = String(slot, radix: 16)
        return "\(digits.count == 1 ? "0" : "")\(digits).\(function)"
    }
}
