// Where a core file goes: /proc/sys/kernel/core_pattern (core(5)).

import CLinux
import HostOS
import LinuxMemory

enum CoreName {
    /// The file's path, as the kernel makes it from the pattern. `value` gives what a letter after "%" stands for, nil for unknown
    /// letters, which are left out. A pattern that names a program or socket of the system's ("|", "@") is nothing that a program can
    /// serve: then the file is core.PID in the current directory.
    static func expand(_ pattern: String, usesPID: Bool, value: (Character) -> String?) -> String {
        if pattern.hasPrefix("|") || pattern.hasPrefix("@") { return expand("core.%p", usesPID: false, value: value) }
        var name = ""
        var namesPID = false
        var rest = pattern[...]
        while let letter = rest.popFirst() {
            guard letter == "%" else {
                name.append(letter)
                continue
            }
            guard let kind = rest.popFirst() else { break }
            if kind == "p" { namesPID = true }
            name += kind == "%" ? "%" : value(kind) ?? ""
        }
        return usesPID && !namesPID ? "\(name).\(value("p") ?? "")" : name
    }

    /// The path for a process that dies by `signal`.
    static func path(_ process: GuestProcess, signal: Int32, limit: UInt64) -> String {
        func setting(_ name: String) -> Substring {
            ((try? HostFile.text("/proc/sys/kernel/" + name)) ?? "").prefix { $0 != "\n" }
        }
        let pattern = HostFile.exists("/proc/sys/kernel/core_pattern") ? setting("core_pattern") : "core"
        return expand(String(pattern), usesPID: setting("core_uses_pid") == "1") { letter in
            switch letter {
            case "p", "P": "\(HostProcess.processID)"
            case "i", "I": "\(HostProcess.threadID)"
            case "u": "\(kernel(SYS_getuid))"
            case "g": "\(kernel(SYS_getgid))"
            case "d": "1"
            case "s": "\(signal)"
            case "t": "\(HostClock.realtime() / 1_000_000_000)"
            case "h": withoutSlashes(hostName)
            case "e": withoutSlashes(threadName)
            case "f":
                withoutSlashes(
                    process.guestPath(process.executablePath).split(separator: "/").last.map(String.init) ?? "")
            case "E": withoutSlashes(process.guestPath(process.executablePath))
            case "c": "\(limit)"
            default: nil
            }
        }
    }

    /// A name within the path: neither a folder nor a way out of one.
    static func withoutSlashes(_ text: String) -> String {
        if text == "." || text == ".." { return "!" + text.dropFirst() }
        return String(text.map { $0 == "/" ? "!" : $0 })
    }

    private static var hostName: String {
        // struct utsname: six strings of 65 bytes; the node's name is the second.
        withUnsafeTemporaryAllocation(byteCount: 390, alignment: 8) { buffer in
            guard kernel(SYS_uname, Int(bitPattern: buffer.baseAddress)) == 0 else { return "" }
            return String(decoding: buffer[65..<130].prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    private static var threadName: String {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { buffer in
            guard kernel(SYS_prctl, 16, Int(bitPattern: buffer.baseAddress)) == 0 else { return "" }  // PR_GET_NAME
            return String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
