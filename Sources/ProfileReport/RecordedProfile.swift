// Reading a profile (`ProfileFormat`). A file may be cut off or be no profile at all: lines that make no sense are counted and passed
// over, and nothing in a file is trusted.

import ExecutionEngine
import HostOS
import Profiling

/// One sample.
public struct RecordedSample: Sendable {
    public var thread: UInt64
    /// Periods of processor time that it stands for.
    public var periods: Int
    public var activity: Activity
    public var detail: UInt32
    public var pc: UInt64
    /// Return addresses, newest first.
    public var callers: [UInt64]
    /// How many of the profile's mappings were made before.
    public var mappings: Int
}

/// Guest memory [start, end) that is code of a file from `offset` on.
public struct RecordedMapping: Sendable, Equatable {
    public var start: UInt64
    public var end: UInt64
    public var offset: UInt64
    public var path: String
}

/// A system call's totals.
public struct RecordedCall: Sendable {
    public var name: String
    public var totals: SystemCallTotals
}

public struct ProfileError: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

public struct RecordedProfile: Sendable {
    public private(set) var process: Int = 0
    public private(set) var command = ""
    /// Nanoseconds per period.
    public private(set) var period = ProfileFormat.period
    public private(set) var mappings: [RecordedMapping] = []
    public private(set) var samples: [RecordedSample] = []
    public private(set) var counters: [String: UInt64] = [:]
    /// By number.
    public private(set) var calls: [UInt64: RecordedCall] = [:]
    /// Lines that were not understood.
    public private(set) var badLines = 0

    public init(contentsOf path: String) throws(ProfileError) {
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try HostFile.contents(path)
        } catch {
            throw ProfileError("\(path): \(error.message)")
        }
        do throws(ProfileError) { try self.init(bytes) } catch { throw ProfileError("\(path): \(error)") }
    }

    public init(_ bytes: [UInt8]) throws(ProfileError) {
        // The piece behind the last newline is empty, or a line that was cut off.
        var lines = bytes.split(separator: 10, omittingEmptySubsequences: false).dropLast()
        guard let first = lines.popFirst(), String(decoding: first, as: UTF8.self) == ProfileFormat.firstLine else {
            throw ProfileError("is no profile of this version; 'martlet run -profile FILE PROGRAM' writes one")
        }
        for line in lines where !read(line) { badLines += 1 }
    }

    /// Samples in periods.
    public var periods: Int { samples.reduce(0) { $0 + $1.periods } }
    public func nanoseconds(_ periods: Int) -> Double { Double(periods) * Double(period) }

    private mutating func read(_ line: ArraySlice<UInt8>) -> Bool {
        guard line.count > 2, line.dropFirst().first == UInt8(ascii: " ") else { return false }
        var fields = Fields(rest: line.dropFirst(2))
        switch line.first {
        case UInt8(ascii: "P"):
            guard let process = fields.decimal(), let period = fields.decimal(), period > 0, period <= 1 << 32 else {
                return false
            }
            self.process = Int(truncatingIfNeeded: process)
            self.period = Int(period)
            command = fields.text()
        case UInt8(ascii: "M"):
            guard let start = fields.hex(), let end = fields.hex(), let offset = fields.hex(), start < end else {
                return false
            }
            mappings.append(RecordedMapping(start: start, end: end, offset: offset, path: fields.text()))
        case UInt8(ascii: "S"): return readSample(&fields)
        case UInt8(ascii: "C"):
            guard let name = fields.next(), let value = fields.decimal() else { return false }
            counters[String(decoding: name, as: UTF8.self)] = value
        case UInt8(ascii: "Y"):
            guard let number = fields.decimal(), let name = fields.next(), let calls = fields.decimal(),
                let nanoseconds = fields.decimal(), let errors = fields.decimal()
            else { return false }
            let totals = SystemCallTotals(calls: calls, nanoseconds: nanoseconds, errors: errors)
            self.calls[number] = RecordedCall(name: String(decoding: name, as: UTF8.self), totals: totals)
        default: return false
        }
        return true
    }

    private mutating func readSample(_ fields: inout Fields) -> Bool {
        guard let thread = fields.hex(), let periods = fields.hex(), periods <= 1 << 20, let kind = fields.next(),
            let letter = kind.first, let activity = Activity(letter: letter), let pc = fields.hex()
        else { return false }
        let detail = kind.count > 1 ? Fields.number(kind.dropFirst(), radix: 16) : 0
        guard let detail, detail <= UInt64(UInt32.max) else { return false }
        var callers: [UInt64] = []
        while !fields.rest.isEmpty {
            guard let caller = fields.hex() else { return false }
            callers.append(caller)
        }
        samples.append(
            RecordedSample(
                thread: thread, periods: Int(periods), activity: activity, detail: UInt32(detail), pc: pc,
                callers: callers, mappings: mappings.count))
        return true
    }
}

/// The fields of a line, taken from the left.
private struct Fields {
    var rest: ArraySlice<UInt8>

    mutating func next() -> ArraySlice<UInt8>? {
        if rest.isEmpty { return nil }
        let field = rest.prefix { $0 != UInt8(ascii: " ") }
        rest = rest.dropFirst(field.count + 1)
        return field.isEmpty ? nil : field
    }

    mutating func decimal() -> UInt64? { next().flatMap { Self.number($0, radix: 10) } }
    mutating func hex() -> UInt64? { next().flatMap { Self.number($0, radix: 16) } }
    /// All that is left.
    mutating func text() -> String {
        defer { rest = [] }
        return ProfileFormat.unescaped(String(decoding: rest, as: UTF8.self))
    }

    static func number(_ digits: ArraySlice<UInt8>, radix: UInt64) -> UInt64? {
        var value: UInt64 = 0
        for byte in digits {
            let digit: UInt64
            switch byte {
            case 48...57: digit = UInt64(byte - 48)
            case 97...102 where radix == 16: digit = UInt64(byte - 87)
            default: return nil
            }
            let (product, overflow) = value.multipliedReportingOverflow(by: radix)
            let (sum, carry) = product.addingReportingOverflow(digit)
            if overflow || carry { return nil }
            value = sum
        }
        return value
    }
}
