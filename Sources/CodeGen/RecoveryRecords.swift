// Recovery records: for a host address at which generated code can stop in the middle of a guest instruction, the guest pc and
// where each global's value is whose home is stale; also the instruction's own word, where the guest gave it one.
//
// A region's records are one byte string, a log of changes replayed from the region's start:
//
//     point := 0x00, SLEB(host offset - previous), SLEB(guest pc - previous), count, change * count
//     change := global index (1 byte), source (1 byte), and what `RecoverySource` says that follows
//     mark := 0x01, SLEB(host offset - previous), SLEB(guest pc - previous)
//     end := 0x02
//     word := 0x03, two bytes, the low one first: the word of the points that follow, 0 at the start
//
// Without a point for it, offset 0 is the region's start: every home is current, and the guest pc is the region's.
//
// The host offset is from the region's entry and is the address of the instruction that faults, or, for a side exit, of
// the check that led to it. Points are in ascending order of emission, not necessarily of address. A mark says where the code of
// a guest instruction starts; only translations made for a profile have marks.

/// Where the value of a global is.
public struct RecoverySource: Equatable, Sendable {
    /// 0: in the global's home. 1...64: in register `kind - 1`. 65: it is the constant `payload`; SLEB(payload) follows. 66: it is
    /// the value that global `payload` has at the same point; one byte follows.
    @usableFromInline let kind: UInt8
    @usableFromInline let payload: Int64

    @inlinable @inline(__always) init(kind: UInt8, payload: Int64 = 0) {
        self.kind = kind
        self.payload = payload
    }
    @inlinable @inline(__always) public static var home: RecoverySource { RecoverySource(kind: 0) }
    @inlinable @inline(__always) public static func register(_ r: UInt8) -> RecoverySource {
        RecoverySource(kind: r &+ 1)
    }
    @inlinable @inline(__always) public static func constant(_ value: Int64) -> RecoverySource {
        RecoverySource(kind: 65, payload: value)
    }
    @inlinable @inline(__always) public static func global(_ index: Int) -> RecoverySource {
        RecoverySource(kind: 66, payload: Int64(truncatingIfNeeded: index))
    }

    @inlinable @inline(__always) public var isHome: Bool { kind == 0 }
    @inlinable @inline(__always) public var register: Int? { kind != 0 && kind <= 64 ? Int(kind) &- 1 : nil }
    @inlinable @inline(__always) public var constant: Int64? { kind == 65 ? payload : nil }
    @inlinable @inline(__always) public var global: Int? { kind == 66 ? Int(truncatingIfNeeded: payload) : nil }
}

/// Writes a region's records while a host emits code.
public struct RecoveryWriter: ~Copyable {
    private let bytes: UnsafeMutablePointer<UInt8>
    private let capacity: Int
    public private(set) var count = 0
    /// By global: its source as the log has it, and as it is now. They count only where the sets below have the global.
    private let logged: UnsafeMutablePointer<RecoverySource>
    private let current: UnsafeMutablePointer<RecoverySource>
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
        bytes = .allocate(capacity: capacity + 64 + 12 * globalCount)
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
    public mutating func dirty(_ global: Int, _ source: RecoverySource) {
        current[global] = source
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
        changes.pointee = 0
        at += 1
        for i in 0..<setCount where sets[i].touched != 0 { at = logChanges(i, at, &changes.pointee) }
        count = at - bytes
    }

    /// Appends what has changed among 64 globals, and counts it.
    private func logChanges(_ i: Int, _ start: UnsafeMutablePointer<UInt8>, _ changes: inout UInt8)
        -> UnsafeMutablePointer<UInt8>
    {
        var at = start
        let set = sets[i]
        var left = set.touched
        while left != 0 {
            let bit = left & (0 &- left)
            let global = i &<< 6 | left.trailingZeroBitCount
            left ^= bit
            let was = set.inLog & bit != 0 ? logged[global] : .home
            let now = set.dirty & bit != 0 ? current[global] : .home
            if was == now { continue }
            at[0] = UInt8(truncatingIfNeeded: global)
            at[1] = now.kind
            at += 2
            if let value = now.constant {
                at = Self.append(Int(value), at)
            } else if let other = now.global {
                at[0] = UInt8(truncatingIfNeeded: other)
                at += 1
            }
            changes &+= 1
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
    /// Finds the point at `offset`. Fills `sources` (one per global) and returns the guest pc and the instruction's word.
    public static func find(
        _ records: UnsafeRawBufferPointer, pc: UInt64, offset: Int, globalCount: Int,
        sources: UnsafeMutablePointer<RecoverySource>
    ) -> (pc: UInt64, word: UInt16)? {
        sources.update(repeating: .home, count: globalCount)
        var cursor = Cursor(pc: pc)
        while cursor.next(records) {
            while let change = cursor.change(records) { sources[change.global] = change.source }
            if cursor.offset == offset, cursor.isPoint { return (cursor.pc, cursor.word) }
        }
        if offset != 0 { return nil }
        sources.update(repeating: .home, count: globalCount)
        return (pc, 0)
    }

    /// The value of `global` at a point that `find` has found: nil where its home has it. `home` reads the home of a global.
    @inlinable @inline(__always)
    public static func value(
        of global: Int, in sources: UnsafePointer<RecoverySource>, registers: (Int) -> UInt64, home: (Int) -> UInt64
    ) -> UInt64? {
        var source = sources[global]
        if source.isHome { return nil }
        while let other = source.global {
            source = sources[other]
            if source.isHome { return home(other) }
        }
        if let value = source.constant { return UInt64(bitPattern: value) }
        return registers(source.register ?? 0)
    }

    /// The instruction whose code is at `offset`, as far as the records tell: the point or mark with the highest offset that is not
    /// beyond it; and where the value of `global` is there: its home, a register, a constant, or the home of another global.
    public static func nearest(
        _ records: UnsafeRawBufferPointer, pc: UInt64, offset: Int, global: Int
    ) -> (pc: UInt64, global: Int, source: RecoverySource) {
        var cursor = Cursor(pc: pc)
        var best = (pc: pc, global: global, source: RecoverySource.home)
        var bestOffset = -1
        var source = RecoverySource.home
        while cursor.next(records) {
            while let change = cursor.change(records) { if change.global == global { source = change.source } }
            if cursor.offset <= offset, cursor.offset >= bestOffset {
                bestOffset = cursor.offset
                best = (cursor.pc, global, source)
            }
        }
        if let other = best.source.global { return nearest(records, pc: pc, offset: offset, global: other) }
        return best
    }

    /// A place in the log.
    private struct Cursor {
        var offset = 0
        var pc: UInt64
        var word: UInt16 = 0
        var isPoint = false
        /// Where the log goes on, and how many changes of the current point come first.
        var at = 0
        var changes = 0

        init(pc: UInt64) { self.pc = pc }

        /// Goes on to the next point or mark; false at the end.
        @inline(__always) mutating func next(_ records: UnsafeRawBufferPointer) -> Bool {
            while change(records) != nil {}
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
            return true
        }

        /// The current point's next change; nil after its last.
        @inline(__always)
        mutating func change(_ records: UnsafeRawBufferPointer) -> (global: Int, source: RecoverySource)? {
            guard changes > 0, at &+ 1 < records.count else { return nil }
            changes &-= 1
            let global = Int(records[at])
            let kind = records[at &+ 1]
            at &+= 2
            if kind == 65 { return (global, .constant(Int64(RecoveryReader.readSigned(records, &at)))) }
            guard kind == 66, at < records.count else { return (global, RecoverySource(kind: kind)) }
            at &+= 1
            return (global, .global(Int(records[at &- 1])))
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
