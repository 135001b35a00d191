// Recovery records: for a host address at which generated code can stop in the middle of a guest instruction, the guest pc and
// the registers that hold the only copy of a global; also the instruction's own word, where the guest gave it one.
//
// A region's records are one byte string, a log of changes replayed from the region's start:
//
//     point := 0x00, SLEB(host offset - previous), SLEB(guest pc - previous), count, change * count
//     change := global index (1 byte), register + 1 (1 byte; 0 = the home is current)
//     mark := 0x01, SLEB(host offset - previous), SLEB(guest pc - previous)
//     end := 0x02
//     word := 0x03, two bytes, the low one first: the word of the points that follow, 0 at the start
//
// Without a point for it, offset 0 is the region's start: every home is current, and the guest pc is the region's.
//
// The host offset is from the region's entry and is the address of the instruction that faults, or, for a side exit, of
// the check that led to it. Points are in ascending order of emission, not necessarily of address. A mark says where the code of
// a guest instruction starts; only translations made for a profile have marks.

/// Writes a region's records while a host emits code.
public struct RecoveryWriter: ~Copyable {
    private let bytes: UnsafeMutablePointer<UInt8>
    private let capacity: Int
    public private(set) var count = 0
    /// By global: register + 1 as the log has it, and as it is now. They count only where the sets below have the global.
    private let logged: UnsafeMutablePointer<UInt8>
    private let current: UnsafeMutablePointer<UInt8>
    /// By 64 globals: those dirty in the log, those dirty now, and those that may differ between the two.
    private let sets: UnsafeMutablePointer<GlobalSets>
    private let setCount: Int
    private var lastOffset = 0
    private var lastPC: UInt64 = 0
    private var lastWord: UInt16 = 0
    public private(set) var overflowed = false

    private struct GlobalSets {
        var inLog: UInt64 = 0
        var dirty: UInt64 = 0
        var touched: UInt64 = 0
    }

    public init(capacity: Int, globalCount: Int) {
        precondition(globalCount <= 256)
        self.capacity = capacity
        bytes = .allocate(capacity: capacity + 64 + 2 * globalCount)
        logged = .allocate(capacity: globalCount)
        current = .allocate(capacity: globalCount)
        setCount = (globalCount + 63) / 64
        sets = .allocate(capacity: setCount)
        sets.initialize(repeating: GlobalSets(), count: setCount)
    }

    deinit {
        bytes.deallocate()
        logged.deallocate()
        current.deallocate()
        sets.deallocate()
    }

    /// Starts the records of a region at guest `pc`.
    public mutating func begin(pc: UInt64) {
        count = 0
        lastOffset = 0
        lastPC = pc
        lastWord = 0
        overflowed = false
        for i in 0..<setCount { sets[i] = GlobalSets() }
    }

    /// Steps `resetState`, `dirty`, `clean`.
    public mutating func resetState() {
        for i in 0..<setCount {
            sets[i].touched |= sets[i].dirty
            sets[i].dirty = 0
        }
    }
    public mutating func dirty(_ global: Int, register: UInt8) {
        current[global] = register &+ 1
        let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: global & 63)
        sets[global &>> 6].dirty |= bit
        sets[global &>> 6].touched |= bit
    }
    public mutating func clean(_ global: Int) {
        let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: global & 63)
        sets[global &>> 6].dirty &= ~bit
        sets[global &>> 6].touched |= bit
    }

    /// The instruction at `offset` may stop at guest `pc` with the current state and the instruction's word.
    public mutating func point(offset: Int, pc: UInt64, word: UInt16 = 0) {
        if count > capacity {
            overflowed = true
            return
        }
        if word != lastWord {
            bytes[count] = 3
            bytes[count &+ 1] = UInt8(truncatingIfNeeded: word)
            bytes[count &+ 2] = UInt8(truncatingIfNeeded: word &>> 8)
            count &+= 3
            lastWord = word
        }
        var at = place(0, offset, pc)
        let changes = at
        at += 1
        for i in 0..<setCount where sets[i].touched != 0 { at = logChanges(i, at) }
        changes.pointee = UInt8(truncatingIfNeeded: (at - changes) &>> 1)
        count = at - bytes
    }

    /// Appends what has changed among 64 globals.
    private func logChanges(_ i: Int, _ start: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
        var at = start
        let set = sets[i]
        var left = set.touched
        while left != 0 {
            let bit = left & (0 &- left)
            let global = i &<< 6 | left.trailingZeroBitCount
            left ^= bit
            let was = set.inLog & bit != 0 ? logged[global] : 0
            let now = set.dirty & bit != 0 ? current[global] : 0
            if was == now { continue }
            at[0] = UInt8(truncatingIfNeeded: global)
            at[1] = now
            at += 2
            logged[global] = now
        }
        sets[i].inLog = set.dirty
        sets[i].touched = 0
        return at
    }

    /// The code of the instruction at guest `pc` starts at `offset`.
    public mutating func mark(offset: Int, pc: UInt64) {
        if count > capacity {
            overflowed = true
            return
        }
        count = place(1, offset, pc) - bytes
    }

    /// Appends what points and marks have in common; returns where the log goes on.
    @inline(__always)
    private mutating func place(_ tag: UInt8, _ offset: Int, _ pc: UInt64) -> UnsafeMutablePointer<UInt8> {
        var at = bytes + count
        at.pointee = tag
        at = Self.append(offset &- lastOffset, at + 1)
        at = Self.append(Int(truncatingIfNeeded: pc &- lastPC), at)
        lastOffset = offset
        lastPC = pc
        return at
    }

    /// Ends the log; the bytes stay valid until the next `begin`.
    public mutating func finish() -> UnsafeRawBufferPointer {
        bytes[count] = 2
        count &+= 1
        return UnsafeRawBufferPointer(start: bytes, count: count)
    }

    /// Appends a number as SLEB128; returns what follows.
    @inline(__always)
    private static func append(_ value: Int, _ start: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
        var at = start
        var v = value
        while v != (v &<< 57) &>> 57 {
            at.pointee = UInt8(truncatingIfNeeded: v) | 0x80
            at += 1
            v = v &>> 7
        }
        at.pointee = UInt8(truncatingIfNeeded: v) & 0x7f
        return at + 1
    }
}

/// Reads a region's records. Async-signal-safe: no allocation, no reference counting.
public enum RecoveryReader {
    /// Finds the point at `offset`. Fills `registers` (one byte per global: register + 1, or 0) and returns the guest pc and the
    /// instruction's word.
    public static func find(
        _ records: UnsafeRawBufferPointer, pc: UInt64, offset: Int, globalCount: Int,
        registers: UnsafeMutablePointer<UInt8>
    ) -> (pc: UInt64, word: UInt16)? {
        for i in 0..<globalCount { registers[i] = 0 }
        var cursor = Cursor(pc: pc)
        while cursor.next(records) {
            for i in 0..<cursor.changes {
                let change = cursor.at &+ 2 &* i
                registers[Int(records[change])] = records[change &+ 1]
            }
            if cursor.offset == offset, cursor.isPoint { return (cursor.pc, cursor.word) }
        }
        if offset != 0 { return nil }
        for i in 0..<globalCount { registers[i] = 0 }
        return (pc, 0)
    }

    /// The instruction whose code is at `offset`, as far as the records tell: the point or mark with the highest offset that is not
    /// beyond it. `register` holds `global` there: register + 1, or 0 where its home is current.
    public static func nearest(
        _ records: UnsafeRawBufferPointer, pc: UInt64, offset: Int, global: Int
    ) -> (pc: UInt64, register: UInt8) {
        var cursor = Cursor(pc: pc)
        var best = (pc: pc, register: UInt8(0))
        var bestOffset = -1
        var register: UInt8 = 0
        while cursor.next(records) {
            for i in 0..<cursor.changes where Int(records[cursor.at &+ 2 &* i]) == global {
                register = records[cursor.at &+ 2 &* i &+ 1]
            }
            if cursor.offset <= offset, cursor.offset >= bestOffset {
                bestOffset = cursor.offset
                best = (cursor.pc, register)
            }
        }
        return best
    }

    /// A place in the log.
    private struct Cursor {
        var offset = 0
        var pc: UInt64
        var word: UInt16 = 0
        var isPoint = false
        /// Where the current point's changes are, and their number.
        var at = 0
        var changes = 0

        init(pc: UInt64) { self.pc = pc }

        /// Goes on to the next point or mark; false at the end.
        @inline(__always) mutating func next(_ records: UnsafeRawBufferPointer) -> Bool {
            at &+= 2 &* changes
            changes = 0
            if at &+ 3 < records.count, records[at] == 3 {
                word = UInt16(records[at &+ 1]) | UInt16(records[at &+ 2]) &<< 8
                at &+= 3
            }
            guard at < records.count, records[at] <= 1 else { return false }
            isPoint = records[at] == 0
            at &+= 1
            offset &+= RecoveryReader.readSigned(records, &at)
            pc = pc &+ UInt64(bitPattern: Int64(RecoveryReader.readSigned(records, &at)))
            if !isPoint { return true }
            guard at < records.count else { return false }
            changes = Int(records[at])
            at &+= 1
            return at &+ 2 &* changes <= records.count
        }
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
