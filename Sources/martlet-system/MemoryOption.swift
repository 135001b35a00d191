// The value of `-m`.

import EngineSetup
import Machines
import Options

struct MemoryOption: Sendable {
    /// Nil: what the machine usually has.
    private(set) var size: UInt64?
    /// Of memory that might be added while the machine runs. No board lets it be added: it is checked, and no more.
    private var slots: UInt64?
    private var largest: UInt64?

    init() {}

    init(parsing text: String) throws(OptionError) {
        let wanted = "SIZE[,slots=N,maxmem=SIZE]"
        for (key, value) in try keyedValues(text, implied: "size", wanted: wanted) {
            switch key {
            case "size": size = try Self.size(value, unit: 1 << 20, such: "512M or 2G")
            case "maxmem": largest = try Self.size(value, unit: 1, such: "2G")
            case "slots":
                guard let count = UInt64(value) else { throw OptionError("slots wants a number") }
                slots = count
            default: throw OptionError("'\(key)' is not known; wanted \(wanted)")
            }
        }
        if slots != nil, largest == nil { throw OptionError("slots wants maxmem beside it: slots=N,maxmem=SIZE") }
    }

    private static func size(_ text: String, unit: UInt64, such: String) throws(OptionError) -> UInt64 {
        guard let size = parseSize(text, unit: unit) else { throw OptionError("wanted a size such as \(such)") }
        return size
    }

    func check(_ size: UInt64) throws(MachineError) {
        guard let largest else { return }
        if largest < size {
            throw MachineError("-m maxmem=\(largest): it is less than the RAM, \(size) bytes; wanted at least as much")
        }
        if largest == size, slots ?? 0 > 0 {
            throw MachineError("-m maxmem=\(largest): it is no more than the RAM, which leaves nothing for slots")
        }
    }
}
