// The lines of /proc/PID/status: a name with its colon, a tab, and a value.

struct ProcStatusText {
    /// No value: a line of another form.
    private let lines: [(name: Substring, value: Substring?)]

    init(_ text: String) {
        lines = text.split(separator: "\n").map { line in
            guard let tab = line.firstIndex(of: "\t") else { return (line, nil) }
            return (line[..<tab], line[tab...].dropFirst())
        }
    }

    /// The text with the guest's sizes, if they are known, and other values where `change` gives one.
    func changed(_ sizes: ProcSizes?, _ change: (_ name: Substring, _ value: Substring) -> String?) -> String {
        var result = ""
        for (name, value) in lines {
            result += name
            if let value {
                let size = sizes?.status(name, kilobytes).map(Self.kilobytes)
                result += "\t" + (size ?? change(name, value) ?? String(value))
            }
            result += "\n"
        }
        return result
    }

    /// "     123 kB"
    private static func kilobytes(_ size: UInt64) -> String {
        let digits = "\(size)"
        return String(repeating: " ", count: max(0, 8 - digits.utf8.count)) + digits + " kB"
    }

    private func kilobytes(_ name: Substring) -> UInt64 {
        let value = lines.first { $0.name == name }?.value
        return value?.split(separator: " ").first.flatMap { UInt64($0) } ?? 0
    }
}
