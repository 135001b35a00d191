// One ABI's generated table (Tables/*.abi) as flat lists of numbers. The lists are data of the program: nothing is built
// at start. The plugin LinuxTables packs them; Documentation/LinuxABI.md says where they come from.

import HostOS

/// Numbers and layouts of one ABI, and how they differ from the host's.
public struct LinuxTable: Sendable {
    public let name: String
    /// Bytes of a long and of a pointer.
    public let word: Int
    public let order: ByteOrder
    /// The number of the first system call: 0 but for MIPS and x32.
    @usableFromInline let firstCall: UInt64
    /// By number from `firstCall`: the call's `SystemCallID` plus one; 0: not assigned.
    @usableFromInline let calls: [UInt16]
    /// By the host's number: the ABI's. Empty: the same.
    private let errors: [UInt16], signals: [UInt16]
    /// By set: where its rows start, 0 when it is as on the host. There their number, then for a mask: mask, value, host's
    /// mask, host's value; for a value: value, host's value. Empty: all sets are as on the host.
    private let maps: [UInt32]
    /// By `StructID`: where it starts, 0 when there is none. There its size and the number of its fields, then for each
    /// field offset, size and kind.
    public let structures: [UInt16]

    public init(
        name: String, word: Int, isBigEndian: Bool, firstCall: Int, calls: [UInt16], errors: [UInt16],
        signals: [UInt16],
        maps: [UInt32], structures: [UInt16]
    ) {
        self.name = name
        self.word = word
        order = isBigEndian ? .big : .little
        self.firstCall = UInt64(firstCall)
        self.calls = calls
        self.errors = errors
        self.signals = signals
        self.maps = maps
        self.structures = structures
    }

    // MARK: System calls

    /// The meaning of a system call number; nil when the kernel has not assigned it.
    @inlinable public func call(_ number: UInt64) -> SystemCallID? {
        let index = number &- firstCall
        guard index < UInt64(calls.count) else { return nil }
        let code = calls[Int(truncatingIfNeeded: index)]
        return code == 0 ? nil : SystemCallID(rawValue: code &- 1)
    }

    /// The number of a call; nil when the ABI does not have it. The lowest where it has several.
    public func number(of call: SystemCallID) -> UInt64? {
        calls.firstIndex(of: call.rawValue + 1).map { firstCall + UInt64($0) }
    }

    // MARK: Errors and signals

    /// The ABI's number of one of the host's errors.
    public func error(_ error: Errno) -> Int32 {
        let number = Int(error.rawValue)
        return errors.indices.contains(number) ? Int32(errors[number]) : error.rawValue
    }

    /// The ABI's number of one of the host's signals. Real-time signals begin at 32 everywhere.
    public func signal(_ host: Int32) -> Int32 {
        signals.indices.contains(Int(host)) ? Int32(signals[Int(host)]) : host
    }

    /// The host's number of one of the ABI's signals; nil when the host does not have it.
    public func hostSignal(_ signal: Int32) -> Int32? {
        if signals.isEmpty || signal >= 32 { return signal }
        return signals.firstIndex { Int32($0) == signal }.map { Int32($0) }
    }

    /// A set of the host's signals in the ABI's numbers, bit n - 1 for signal n, and back.
    public func signals(_ host: UInt64) -> UInt64 { mapped(host) { signal($0) } }
    public func hostSignals(_ set: UInt64) -> UInt64 { mapped(set) { hostSignal($0) } }

    private func mapped(_ set: UInt64, _ number: (Int32) -> Int32?) -> UInt64 {
        if signals.isEmpty { return set }
        var result = set & ~(1 << 31 - 1)
        for signal: Int32 in 1...31 where set >> UInt64(signal - 1) & 1 != 0 {
            if let other = number(signal), other > 0 { result |= 1 << UInt64(other - 1) }
        }
        return result
    }

    /// Errors are numbered as on the host.
    public var hasHostErrors: Bool { errors.isEmpty }
    public var hasHostSignals: Bool { signals.isEmpty }

    // MARK: Masks and values

    /// True when every name of the set that the host has too has the same value there.
    public func isHosts(_ set: MaskSet) -> Bool { start(set.rawValue) == 0 }
    public func isHosts(_ set: ValueSet) -> Bool { start(set.rawValue) == 0 }

    private func start(_ set: Int) -> Int { maps.isEmpty ? 0 : Int(maps[set]) }

    /// The host's mask for one of the ABI's. Bits that have no name on both sides are lost.
    public func toHost(_ mask: UInt32, _ set: MaskSet) -> UInt32 {
        translate(mask, start(set.rawValue), from: 0, to: 2)
    }

    /// The ABI's mask for one of the host's.
    public func fromHost(_ mask: UInt32, _ set: MaskSet) -> UInt32 {
        translate(mask, start(set.rawValue), from: 2, to: 0)
    }

    /// A name counts when all its bits are as it says: a name of several bits implies those of fewer.
    private func translate(_ mask: UInt32, _ start: Int, from: Int, to: Int) -> UInt32 {
        if start == 0 { return mask }
        var result: UInt32 = 0
        for row in 0..<Int(maps[start]) {
            let at = start + 1 + 4 * row
            if mask & maps[at + from] == maps[at + from + 1] { result |= maps[at + to + 1] }
        }
        return result
    }

    /// The host's number for one of the ABI's; nil when the host has no such name.
    public func toHost(_ value: UInt32, _ set: ValueSet) -> UInt32? { find(value, start(set.rawValue), in: 0, give: 1) }
    public func fromHost(_ value: UInt32, _ set: ValueSet) -> UInt32? {
        find(value, start(set.rawValue), in: 1, give: 0)
    }

    private func find(_ value: UInt32, _ start: Int, in column: Int, give other: Int) -> UInt32? {
        if start == 0 { return value }
        for row in 0..<Int(maps[start]) where maps[start + 1 + 2 * row + column] == value {
            return maps[start + 1 + 2 * row + other]
        }
        return nil
    }

    // MARK: Structures

    /// The layout of a structure; nil when the ABI does not have it.
    public func layout(_ id: StructID) -> StructLayout? {
        let start = Int(structures[id.rawValue])
        return start == 0 ? nil : StructLayout(structures, at: start, word: word, order: order)
    }
}
