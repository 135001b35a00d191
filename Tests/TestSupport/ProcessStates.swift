// The processes of a group, and what they are doing, for the message of a test whose time is up.

import Glibc

/// A line per thread of the processes in `group`: process, thread, state, ticks of processor time, what the kernel waits in, the system
/// call with its arguments, and the command. (proc(5))
func processStates(group: pid_t) -> String {
    func read(_ path: String) -> String { readFile(path).map { String(decoding: $0, as: UTF8.self) } ?? "" }
    var lines: [String] = []
    for process in processIDs(ofGroup: group) {
        let command = read("/proc/\(process)/cmdline").split(separator: "\0").joined(separator: " ")
        for thread in names(in: "/proc/\(process)/task").compactMap({ Int32($0) }).sorted() where lines.count < 40 {
            let folder = "/proc/\(process)/task/\(thread)"
            // Behind the name in brackets: state, and eleven fields later user and system time.
            let fields = (read("\(folder)/stat").split(separator: ")").last ?? "").split(separator: " ")
            guard fields.count > 12 else { continue }
            let call = read("\(folder)/syscall").split(separator: "\n").first ?? ""
            lines.append(
                "\(process) \(thread) \(fields[0]) \(fields[11])+\(fields[12]) \(read("\(folder)/wchan")) [\(call)] \(command.prefix(300))"
            )
        }
    }
    return lines.joined(separator: "\n")
}

/// In ascending order.
public func processIDs(ofGroup group: pid_t) -> [pid_t] {
    names(in: "/proc").compactMap { pid_t($0) }.sorted().filter { getpgid($0) == group }
}

private func names(in folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var result: [String] = []
    while let entry = readdir(stream) {
        result.append(
            withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            })
    }
    return result
}
