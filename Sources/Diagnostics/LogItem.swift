// What `-d` can show, as one table.

/// A set of log items chosen by `-d name,name`.
public struct LogItem: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let guestCode = LogItem(rawValue: 1 << 0)
    public static let ops = LogItem(rawValue: 1 << 1)
    public static let optimizedOps = LogItem(rawValue: 1 << 2)
    public static let hostCode = LogItem(rawValue: 1 << 3)
    public static let interrupts = LogItem(rawValue: 1 << 4)
    public static let execution = LogItem(rawValue: 1 << 5)
    public static let cpuState = LogItem(rawValue: 1 << 6)
    public static let fpuState = LogItem(rawValue: 1 << 7)
    public static let mmu = LogItem(rawValue: 1 << 8)
    public static let unimplemented = LogItem(rawValue: 1 << 9)
    public static let guestErrors = LogItem(rawValue: 1 << 10)
    public static let pages = LogItem(rawValue: 1 << 11)
    public static let noChaining = LogItem(rawValue: 1 << 12)
    public static let systemCalls = LogItem(rawValue: 1 << 13)
    public static let regions = LogItem(rawValue: 1 << 14)

    public struct Row: Sendable {
        public let name: StaticString
        public let item: LogItem
        public let help: StaticString
    }

    private static func row(_ name: StaticString, _ item: LogItem, _ help: StaticString) -> Row {
        Row(name: name, item: item, help: help)
    }

    /// Every name that `-d` accepts, in the order of its help.
    public static var rows: [Row] {
        var rows: [Row] = []
        rows.append(row("in_asm", .guestCode, "guest instructions of each translated block"))
        rows.append(row("op", .ops, "intermediate code as the guest front end made it"))
        rows.append(row("op_opt", .optimizedOps, "intermediate code after optimization"))
        rows.append(row("out_op", .optimizedOps, "the same as op_opt"))
        rows.append(row("out_asm", .hostCode, "generated host instructions of each translated block"))
        rows.append(row("regions", .regions, "one line for each optimized region"))
        rows.append(row("int", .interrupts, "interrupts, exceptions and signals"))
        rows.append(row("exec", .execution, "each block before it runs"))
        rows.append(row("cpu", .cpuState, "CPU registers before each block (implies nothing else)"))
        rows.append(row("fpu", .fpuState, "include floating-point registers in 'cpu'"))
        rows.append(row("mmu", .mmu, "address translation"))
        rows.append(row("unimp", .unimplemented, "requests that are not implemented"))
        rows.append(row("guest_errors", .guestErrors, "invalid things the guest does"))
        rows.append(row("page", .pages, "memory layout at the start of user mode"))
        rows.append(row("nochain", .noChaining, "do not chain blocks, so that 'exec' and 'cpu' show all of them"))
        rows.append(row("strace", .systemCalls, "each system call with its arguments and result"))
        return rows
    }

    /// Parses `name,name,...`.
    public static func parse(_ list: String) throws(DiagnosticsError) -> LogItem {
        var result: LogItem = []
        for name in list.split(separator: ",") {
            if name == "all" {
                for row in rows { result.formUnion(row.item) }
                continue
            }
            guard let row = rows.first(where: { String(describing: $0.name) == name }) else {
                throw .unknownItem(String(name))
            }
            result.formUnion(row.item)
        }
        return result
    }

    /// The text of `-d help`.
    public static var help: String {
        var text = "Log items (comma separated):\n"
        for row in rows {
            let name = String(describing: row.name)
            text += "  " + name + String(repeating: " ", count: max(1, 16 - name.utf8.count)) + "\(row.help)\n"
        }
        return text + "  all             every item\n"
    }
}

/// What can be wrong with the logging options.
public enum DiagnosticsError: Error, Equatable, CustomStringConvertible {
    case unknownItem(String)
    case badFilter(String)
    case cannotOpen(path: String, reason: String)

    public var description: String {
        switch self {
        case .unknownItem(let name): "-d \(name): unknown log item; '-d help' lists them"
        case .badFilter(let text):
            "-dfilter \(text): not an address range; wanted START..END, START+LENGTH or START-LENGTH"
        case .cannotOpen(let path, let reason): "-D \(path): cannot open the log file: \(reason)"
        }
    }
}
