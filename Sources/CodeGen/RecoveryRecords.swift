// Recovery records: for a host address at which generated code can stop in the middle of a guest instruction, the guest pc and
// the registers that hold the only copy of a global.
//
// A region's records are one byte string, a log of changes replayed from the region's start:
//
//     point := 0x00, SLEB(host offset - previous), SLEB(guest pc - previous), count, change * count
//     change := global index (1 byte), register + 1 (1 byte; 0 = the home is current)
//     end := 0x02
//
// The host offset is from the region's entry and is the address of the instruction that faults, or, for a side exit, of
// the check that led to it. Points are in ascending order of emission, not necessarily of address.

/// Writes a region's records while a host emits code.
public struct RecoveryWriter: ~Copyable {
    private let bytes: UnsafeMutablePointer<UInt8>
    private let capacity: Int
    public private(set) var count = 0
    /// State known to the log, and state now, by global: register + 1, or 0.
    private let logged: UnsafeMutablePointer<UInt8>
    private let current: UnsafeMutablePointer<UInt8>
    private let globalCount: Int
    private var changed: Bool = false
    private var lastOffset = 0
    private var lastPC: UInt64 = 0
    public private(set) var overflowed = false

    public init(capacity: Int, globalCount: Int) {
        precondition(globalCount <= 256)
        self.capacity = capacity
        self.globalCount = globalCount
        bytes = .allocate(capacity: capacity + 64 + 2 * globalCount)
        logged = .allocate(capacity: globalCount)
        current = .allocate(capacity: globalCount)
    }

    deinit {
        bytes.deallocate()
        logged.deallocate()
        current.deallocate()
    }

    /// Starts the records of a region at guest `pc`.
    public mutating func begin(pc: UInt64) {
        count = 0
        lastOffset = 0
        lastPC = pc
        overflowed = false
        changed = false
        logged.update(repeating: 0, count: globalCount)
        current.update(repeating: 0, count: globalCount)
    }

    /// Steps `resetState`, `dirty`, `clean`.
    @inlinable @inline(__always) public mutating func resetState() { resetAll() }
    @usableFromInline mutating func resetAll() {
        current.update(repeating: 0, count: globalCount)
        changed = true
    }
    public mutating func dirty(_ global: Int, register: UInt8) {
        current[global] = register &+ 1
        changed = true
    }
    public mutating func clean(_ global: Int) {
        current[global] = 0
        changed = true
    }

    /// State now, to be given back to `point(saved:)` by out-of-line code emitted later. One byte per global.
    public func saveState(to buffer: UnsafeMutablePointer<UInt8>) {
        buffer.update(from: current, count: globalCount)
    }
    /// Replaces the current state (before out-of-line code of an earlier op is emitted).
    public mutating func restoreState(from buffer: UnsafePointer<UInt8>) {
        current.update(from: buffer, count: globalCount)
        changed = true
    }

    /// The instruction at `offset` may stop at guest `pc` with the current state.
    public mutating func point(offset: Int, pc: UInt64) {
        if count > capacity {
            overflowed = true
            return
        }
        bytes[count] = 0
        count &+= 1
        append(signed: offset &- lastOffset)
        append(signed: Int(truncatingIfNeeded: pc &- lastPC))
        lastOffset = offset
        lastPC = pc
        let countAt = count
        count &+= 1
        var changes: UInt8 = 0
        if changed {
            for i in 0..<globalCount where logged[i] != current[i] {
                bytes[count] = UInt8(truncatingIfNeeded: i)
                bytes[count &+ 1] = current[i]
                logged[i] = current[i]
                count &+= 2
                changes &+= 1
            }
            changed = false
        }
        bytes[countAt] = changes
    }

    /// Ends the log; the bytes stay valid until the next `begin`.
    public mutating func finish() -> UnsafeRawBufferPointer {
        bytes[count] = 2
        count &+= 1
        return UnsafeRawBufferPointer(start: bytes, count: count)
    }

    private mutating func append(signed value: Int) {
        var v = value
        while true {
            let byte = UInt8(truncatingIfNeeded: v & 0x7f)
            v >>= 7
            if (v == 0 && byte & 0x40 == 0) || (v == -1 && byte & 0x40 != 0) {
                bytes[count] = byte
                count &+= 1
                return
            }
            bytes[count] = byte | 0x80
            count &+= 1
        }
    }
}

/// Reads a region's records. Async-signal-safe: no allocation, no reference counting.
public enum RecoveryReader {
    /// Finds the point at `offset`. Fills `registers` (one byte per global: register + 1, or 0) and returns the guest pc.
    public static func find(
        _ records: UnsafeRawBufferPointer, pc: UInt64, offset: Int, globalCount: Int,
        registers: UnsafeMutablePointer<UInt8>
    ) -> UInt64? {
        for i in 0..<globalCount { registers[i] = 0 }
        var at = 0
        var pointOffset = 0
        var pointPC = pc
        while at < records.count, records[at] == 0 {
            at &+= 1
            pointOffset &+= readSigned(records, &at)
            pointPC = pointPC &+ UInt64(bitPattern: Int64(readSigned(records, &at)))
            if at >= records.count { return nil }
            let changes = Int(records[at])
            at &+= 1
            if at &+ 2 &* changes > records.count { return nil }
            for _ in 0..<changes {
                registers[Int(records[at])] = records[at &+ 1]
                at &+= 2
            }
            if pointOffset == offset { return pointPC }
        }
        return nil
    }

    private static func readSigned(_ records: UnsafeRawBufferPointer, _ at: inout Int) -> Int {
        var result = 0
        var shift = 0
        while at < records.count, shift < 64 {
            let byte = Int(records[at])
            at &+= 1
            result |= (byte & 0x7f) &<< shift
            shift &+= 7
            if byte & 0x80 == 0 {
                if byte & 0x40 != 0, shift < 64 { result |= -1 &<< shift }
                break
            }
        }
        return result
    }
}
