// Profiles counted up: which functions, files, activities and system calls the time went to. `ReportTable`s are what text and HTML
// show alike.

import ExecutionEngine
import Profiling

/// A table with its heading. Cells are text already.
struct ReportTable {
    struct Column {
        var name: String
        var isNumber = true
        static func text(_ name: String) -> Column { Column(name: name, isNumber: false) }
        static func number(_ name: String) -> Column { Column(name: name) }
    }
    var title: String
    var note = ""
    var columns: [Column]
    var rows: [[String]] = []
}

public struct Report {
    /// Of one process, or of several that belong together.
    let profiles: [RecordedProfile]
    /// Calls, with what Martlet did for a function as its innermost frame, in brackets. The outermost frame is the program.
    private(set) var tree: CallTree
    private var functions: [GuestFunction: FunctionTotals] = [:]
    private var activities: [Activity: Int] = [:]
    private var calls: [String: CallTotals] = [:]
    /// Sums of the profiles' counters.
    private var counters: [String: UInt64] = [:]
    private var periods = 0

    private struct FunctionTotals {
        var own = 0
        var total = 0
        var byActivity: [Activity: Int] = [:]
        var addresses: [UInt64: Int] = [:]

        /// A sample in the function's own code.
        mutating func add(_ sample: RecordedSample) {
            own += sample.periods
            byActivity[sample.activity, default: 0] += sample.periods
            addresses[sample.pc, default: 0] += sample.periods
        }
    }

    private struct CallTotals {
        var totals = SystemCallTotals()
        var periods = 0
    }

    /// Functions and the like that a table shows at most.
    private static let rowLimit = 30
    private static let callLimit = 15

    /// The profiles have the same period (`RecordedProfile.period`).
    public init(_ profiles: [RecordedProfile]) {
        self.profiles = profiles
        tree = CallTree(root: profiles.count == 1 ? Self.program(profiles[0]) : "all processes")
        let files = SymbolFiles()
        for profile in profiles {
            add(profile, Symbolizer(profile.mappings, files))
            counters.merge(profile.counters) { $0 &+ $1 }
            for call in profile.calls.values {
                calls[call.name, default: CallTotals()].totals.add(call.totals)
            }
        }
    }

    private static func program(_ profile: RecordedProfile) -> String {
        String(profile.command.prefix { $0 != " " }.split(separator: "/").last ?? "?")
    }

    private mutating func add(_ profile: RecordedProfile, _ symbols: Symbolizer) {
        let names = profile.calls.mapValues(\.name)
        let program = GuestFunction(file: "", name: Self.program(profile))
        for sample in profile.samples {
            var stack: [GuestFunction] = profiles.count == 1 ? [] : [program]
            for caller in sample.callers.reversed() {
                stack.append(symbols.function(at: caller &- 1, sample.mappings))
            }
            let innermost = symbols.function(at: sample.pc, sample.mappings)
            stack.append(innermost)
            for function in Set(stack) { functions[function, default: FunctionTotals()].total += sample.periods }
            if sample.activity.isGuestCode { functions[innermost, default: FunctionTotals()].add(sample) }
            activities[sample.activity, default: 0] += sample.periods
            periods += sample.periods
            if let frame = Self.frame(of: sample, names) { stack.append(GuestFunction(file: "", name: frame)) }
            if sample.activity == .systemCall, let name = names[UInt64(sample.detail)] {
                calls[name, default: CallTotals()].periods += sample.periods
            }
            tree.add(stack, periods: sample.periods)
        }
    }

    /// The frame that shows what Martlet did; nil for the function's own code.
    private static func frame(of sample: RecordedSample, _ names: [UInt64: String]) -> String? {
        switch sample.activity {
        case .baselineCode, .optimizedCode, .interpreter, .generatedCode: nil
        case .systemCall: "[\(names[UInt64(sample.detail)] ?? "system call \(sample.detail)")]"
        default: "[\(sample.activity.title)]"
        }
    }

    /// Stacks and their periods, one a line, as flame graph tools read them.
    public var folded: String { tree.folded }

    // MARK: Tables

    var headline: String {
        var lines: [String] = []
        for profile in profiles.prefix(Self.rowLimit) {
            var text = "process \(profile.process): \(profile.command)\n  "
            if let wall = profile.counters["wall-nanoseconds"], let used = profile.counters["cpu-nanoseconds"] {
                text += "\(seconds(Double(wall))) s, \(seconds(Double(used))) s of processor time; "
            } else {
                text += "no totals: killed, or still running; "
            }
            text += "\(profile.samples.count) samples for \(seconds(profile.nanoseconds(profile.periods))) s"
            if profile.badLines > 0 { text += "; \(profile.badLines) lines make no sense" }
            lines.append(text)
        }
        if profiles.count > Self.rowLimit { lines.append("and \(profiles.count - Self.rowLimit) more") }
        return lines.joined(separator: "\n")
    }

    var tables: [ReportTable] { [activityTable, functionTable, fileTable, callTable, jumpTable, translationTable] }

    /// Nanoseconds of a period: the same in all profiles.
    var period: Double { Double(profiles.first?.period ?? ProfileFormat.period) }
    private func share(_ periods: Int) -> String { percent(Double(periods), of: Double(self.periods)) }
    private func time(_ periods: Int) -> String { seconds(Double(periods) * period) }

    private var activityTable: ReportTable {
        var table = ReportTable(
            title: "Where the time goes", columns: [.number("%"), .number("seconds"), .text("")])
        for (activity, periods) in activities.sorted(by: { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) })
        {
            table.rows.append([share(periods), time(periods), activity.title])
        }
        let inCalls = calls.values.reduce(0.0) { $0 + Double($1.totals.nanoseconds) }
        let waited = inCalls - Double(activities[.systemCall] ?? 0) * period
        if waited > 0 {
            table.rows.append(["", seconds(waited), "waiting in system calls (all threads; not in the sum)"])
        }
        return table
    }

    private var functionTable: ReportTable {
        var table = ReportTable(
            title: "Hottest functions",
            note:
                "self: in the function's own code and helpers; total: with all it calls. The address is the hottest one: "
                + "-d in_asm,op_opt,out_asm -dfilter ADDRESS shows its code.",
            columns: [
                .number("self %"), .number("total %"), .number("self s"), .text("function"), .text("file"),
                .number("optimized %"), .number("helpers %"), .text("address"),
            ])
        let hottest = functions.sorted {
            ($1.value.own, $1.value.total, $0.key.name) < ($0.value.own, $0.value.total, $1.key.name)
        }
        for (function, totals) in hottest.prefix(Self.rowLimit) where totals.own > 0 {
            let address = totals.addresses.min { ($1.value, $0.key) < ($0.value, $1.key) }?.key ?? 0
            func part(_ activity: Activity) -> String {
                percent(Double(totals.byActivity[activity] ?? 0), of: Double(totals.own))
            }
            table.rows.append([
                share(totals.own), share(totals.total), time(totals.own), function.name, function.file,
                part(.optimizedCode), part(.helper), hex(address),
            ])
        }
        return table
    }

    private var fileTable: ReportTable {
        var table = ReportTable(
            title: "Files", columns: [.number("self %"), .number("self s"), .text("file")])
        var files: [String: Int] = [:]
        for (function, totals) in functions where totals.own > 0 { files[function.file, default: 0] += totals.own }
        for (file, periods) in files.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }).prefix(Self.rowLimit) {
            table.rows.append([share(periods), time(periods), file.isEmpty ? "(no file)" : file])
        }
        return table
    }

    private var callTable: ReportTable {
        var table = ReportTable(
            title: "System calls", note: "seconds: until the call returned, waiting included",
            columns: [
                .number("seconds"), .number("calls"), .number("errors"), .number("us each"), .number("processor s"),
                .text("call"),
            ])
        let slowest = calls.sorted { ($1.value.totals.nanoseconds, $0.key) < ($0.value.totals.nanoseconds, $1.key) }
        for (name, call) in slowest.prefix(Self.callLimit) where call.totals.calls > 0 {
            table.rows.append([
                seconds(Double(call.totals.nanoseconds)), grouped(call.totals.calls), grouped(call.totals.errors),
                fixed(Double(call.totals.nanoseconds) / Double(call.totals.calls) / 1000, 1), time(call.periods), name,
            ])
        }
        return table
    }

    private func counter(_ name: String) -> UInt64 { counters[name] ?? 0 }

    private var jumpTable: ReportTable {
        var table = ReportTable(
            title: "Jumps between translations",
            note: "counted by the generated code; what misses is found by the cpu loop",
            columns: [.number("count"), .number("hit %"), .text("")])
        func add(_ name: String, _ count: UInt64, misses: UInt64) {
            if count == 0 { return }
            let hits = Double(count) - Double(min(misses, count))
            table.rows.append([grouped(count), percent(hits, of: Double(count)), name])
        }
        let lookups = counter("lookups")
        let returnMisses = counter("return-misses")
        add("direct jumps through chaining slots", counter("direct-jumps"), misses: counter("unlinked"))
        add("returns on the shadow return stack", counter("returns"), misses: returnMisses)
        add(
            "indirect jumps and calls in their in-line cache", counter("cached-jumps"),
            misses: lookups > returnMisses ? lookups - returnMisses : 0)
        add("of these, those that missed, in the jump cache", lookups, misses: counter("lookup-misses"))
        return table
    }

    private var translationTable: ReportTable {
        var table = ReportTable(
            title: "Translation",
            note:
                "\(grouped(counter("host-bytes"))) bytes of host code for \(grouped(counter("translated-bytes"))) of the guest's; "
                + "\(grouped(counter("stored"))) translations from the disk, \(grouped(counter("links"))) links, \(grouped(counter("invalidated"))) translations invalidated, \(grouped(counter("revived"))) of them revived, "
                + "\(grouped(counter("flushes"))) flushes of the code cache; \(grouped(counter("signals"))) signals delivered",
            columns: [
                .number("translations"), .number("instructions"), .number("seconds"), .number("ns/instruction"),
                .text("tier"),
            ])
        func add(_ tier: String, _ count: UInt64, _ instructions: UInt64, _ time: UInt64) {
            let each = instructions == 0 ? 0 : Double(time) / Double(instructions)
            table.rows.append([grouped(count), grouped(instructions), seconds(Double(time)), fixed(each, 0), tier])
        }
        func rest(_ all: String, _ part: String) -> UInt64 {
            counter(all) >= counter(part) ? counter(all) - counter(part) : 0
        }
        add(
            "baseline", rest("translations", "regions"), rest("translated-instructions", "region-instructions"),
            rest("translation-nanoseconds", "region-nanoseconds"))
        add("optimizing", counter("regions"), counter("region-instructions"), counter("region-nanoseconds"))
        return table
    }
}

extension Activity {
    /// The guest's own work, as opposed to what is done for it.
    var isGuestCode: Bool {
        switch self {
        case .baselineCode, .optimizedCode, .helper, .interpreter: true
        default: false
        }
    }

    var title: String {
        switch self {
        case .engine: "cpu loop"
        case .generatedCode: "generated code"
        case .translating: "translation, baseline"
        case .optimizing: "translation, optimizing"
        case .systemCall: "system calls"
        case .signal: "signal delivery"
        case .baselineCode: "baseline code"
        case .optimizedCode: "optimized code"
        case .helper: "helpers"
        case .interpreter: "interpreter"
        }
    }
}
