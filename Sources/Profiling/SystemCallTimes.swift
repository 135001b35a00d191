// How often each system call was made and how long it took: one row per number, added to by all threads without a lock.

import Synchronization

public struct SystemCallTotals: Sendable, Equatable {
    public var calls: UInt64 = 0
    public var nanoseconds: UInt64 = 0
    public var errors: UInt64 = 0
    public init(calls: UInt64 = 0, nanoseconds: UInt64 = 0, errors: UInt64 = 0) {
        self.calls = calls
        self.nanoseconds = nanoseconds
        self.errors = errors
    }

    /// Sums wrap: they come from files.
    public mutating func add(_ other: SystemCallTotals) {
        calls &+= other.calls
        nanoseconds &+= other.nanoseconds
        errors &+= other.errors
    }
}

/// Rows for the numbers 0..<512; what lies beyond is no system call of any guest and is not counted.
struct SystemCallTimes {
    static let count = 512
    private let words: UnsafeMutablePointer<UInt64>

    init() {
        words = .allocate(capacity: 3 * Self.count)
        words.initialize(repeating: 0, count: 3 * Self.count)
    }

    private func word(_ number: Int, _ field: Int) -> UnsafePointer<Atomic<UInt64>> {
        UnsafeRawPointer(words + (3 * number + field)).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// A call begins: one that never returns counts too.
    func addCall(_ number: UInt64) {
        if number < UInt64(Self.count) { word(Int(number), 0).pointee.wrappingAdd(1, ordering: .relaxed) }
    }

    /// It has returned.
    func addTime(_ number: UInt64, nanoseconds: UInt64, failed: Bool) {
        guard number < UInt64(Self.count) else { return }
        let number = Int(number)
        word(number, 1).pointee.wrappingAdd(nanoseconds, ordering: .relaxed)
        if failed { word(number, 2).pointee.wrappingAdd(1, ordering: .relaxed) }
    }

    func totals(_ number: Int) -> SystemCallTotals {
        SystemCallTotals(
            calls: word(number, 0).pointee.load(ordering: .relaxed),
            nanoseconds: word(number, 1).pointee.load(ordering: .relaxed),
            errors: word(number, 2).pointee.load(ordering: .relaxed))
    }

    func reset() { words.update(repeating: 0, count: 3 * Self.count) }
}
