// The value of `-rtc`: what the real-time clock shows at the start, and what drives it.

import Devices
import EngineSetup
import HostOS
import Options

struct ClockOption: Sendable {
    private enum Base: Equatable {
        case utc, localTime
        /// Seconds since 1970.
        case date(UInt64)
    }

    private var base = Base.utc
    private var clock: String?

    /// What it shows at the start where instructions drive it: 2026-01-01, in seconds since 1970.
    private static let countedRunsBegin: UInt64 = 1_767_225_600

    mutating func parse(_ text: String) throws(OptionError) {
        let wanted = "base=utc|localtime|DATE, clock=host|rt|vm"
        for (key, value) in try keyedValues(text, wanted: wanted) {
            switch key {
            case "base":
                switch value {
                case "utc": base = .utc
                case "localtime": base = .localTime
                default: base = .date(try Self.seconds(value))
                }
            case "clock":
                guard ["host", "rt", "vm"].contains(value) else { throw OptionError("clock wants host, rt or vm") }
                clock = value
            case "driftfix":
                guard value == "none" else {
                    throw OptionError(
                        "driftfix=\(value): no ticks are lost that could be made up for; wanted driftfix=none")
                }
            default: throw OptionError("'\(key)' is not known; wanted \(wanted)")
            }
        }
    }

    /// Properties of the real-time clock. Where instructions are counted and no clock is chosen, the machine's drives it, from a fixed date on.
    func start(isCounted: Bool) -> String {
        let clock = clock ?? (isCounted ? "vm" : "host")
        if case .date(let seconds) = base { return "clock=\(clock),base=\(seconds)" }
        if isCounted, self.clock == nil { return "clock=\(clock),base=\(Self.countedRunsBegin)" }
        if base == .utc { return "clock=\(clock)" }
        return "clock=\(clock),base=\(HostClock.localSeconds())"
    }

    /// The wall clock's time at the start in nanoseconds since 1970, for what the host keeps of a run.
    func startTime(isCounted: Bool) -> UInt64 {
        if case .date(let seconds) = base { return seconds * 1_000_000_000 }
        return isCounted && clock == nil ? Self.countedRunsBegin * 1_000_000_000 : HostClock.realtime()
    }

    /// YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS, in the proleptic Gregorian calendar.
    private static func seconds(_ text: String) throws(OptionError) -> UInt64 {
        let halves = text.split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
        guard let date = numbers(halves[0], "-"), let time = halves.count == 1 ? [0, 0, 0] : numbers(halves[1], ":"),
            (1...12).contains(date[1]), (1...days(date[0], date[1])).contains(date[2]),
            time[0] < 24, time[1] < 60, time[2] < 60
        else {
            throw OptionError("'\(text)' is no time: wanted utc, localtime, YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS")
        }
        // The clock's register counts nanoseconds since 1970 in 64 bits.
        guard (1970...2553).contains(date[0]) else {
            throw OptionError("\(date[0]): the clock shows years from 1970 to 2553; wanted one of these")
        }
        let years = (1970..<date[0]).reduce(0) { $0 + (days($1, 2) == 29 ? 366 : 365) }
        let months = (1..<date[1]).reduce(0) { $0 + days(date[0], $1) }
        let day = years + months + date[2] - 1
        return UInt64(((day * 24 + time[0]) * 60 + time[1]) * 60 + time[2])
    }

    /// Three numbers without a sign.
    private static func numbers(_ text: Substring, _ separator: Character) -> [Int]? {
        let parts = text.split(separator: separator, omittingEmptySubsequences: false)
        let numbers = parts.compactMap { $0.count <= 4 && $0.allSatisfy(\.isNumber) ? Int($0) : nil }
        return parts.count == 3 && numbers.count == 3 ? numbers : nil
    }

    private static func days(_ year: Int, _ month: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}
