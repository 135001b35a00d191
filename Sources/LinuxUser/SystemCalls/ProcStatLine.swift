// The line of /proc/PID/stat: the id, the name in parentheses, and fields, which are known by their numbers in proc(5).

struct ProcStatLine {
    static let threads = 20, size = 23, resident = 24, codeStart = 26, codeEnd = 27, stackStart = 28, heapStart = 47
    static let pending = 31, blocked = 32, ignored = 33, caught = 34

    private let beginning: Substring
    /// From field 3 on.
    private var fields: [Substring]

    /// Nil for a line with fewer fields than the first kernels of this millennium had.
    init?(_ text: String) {
        guard let close = text.lastIndex(of: ")") else { return nil }
        beginning = text[...close]
        fields = text[close...].dropFirst().split(whereSeparator: { $0 == " " || $0 == "\n" })
        if fields.count < 50 { return nil }
    }

    subscript(number: Int) -> UInt64 {
        get { UInt64(fields[number - 3]) ?? 0 }
        set { fields[number - 3] = "\(newValue)" }
    }

    var text: String { "\(beginning) \(fields.joined(separator: " "))\n" }
}
