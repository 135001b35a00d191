// `-strace`: one line per system call, `PID name(arguments) = result`, written from the call's row. The part up to the
// closing parenthesis is written before the call is made, so that a call that waits or never returns can be seen.

import Diagnostics
import HostOS
import LinuxABI
import LinuxMemory

enum SystemCallTrace {
    /// How much of a string or buffer is shown.
    private static let shownBytes = 64

    static func showEntry(
        _ thread: GuestThread, _ id: SystemCallID, _ row: SystemCallRow, _ arguments: SystemCallArguments
    ) {
        var text = "\(thread.tid) \(id.name)("
        for index in 0..<row.argumentCount {
            if index > 0 { text += "," }
            text += describe(thread, row.arguments[index], index, arguments)
        }
        text += neverReturns(id) ? ")\n" : ")"
        thread.process.diagnostics.write(text)
    }

    static func showResult(_ thread: GuestThread, _ row: SystemCallRow, _ result: Int) {
        let text: String
        switch result {
        case SystemCallResult.unchanged: return
        case SystemCallResult.restart, SystemCallResult.interrupted: text = " = ? (restarted after a signal)\n"
        case let failure where Errno.isFailure(failure):
            text = " = -1 errno=\(-result) (\(Errno(Int32(truncatingIfNeeded: 0 &- result)).message))\n"
        default: text = row.result == .hexadecimal ? " = \(hex(UInt64(bitPattern: Int64(result))))\n" : " = \(result)\n"
        }
        thread.process.diagnostics.write(text)
    }

    /// Calls after which, when they succeed, nobody is there to finish the line.
    private static func neverReturns(_ id: SystemCallID) -> Bool {
        switch id {
        case .exit, .exit_group, .rt_sigreturn, .execve, .execveat: true
        default: false
        }
    }

    private static func describe(
        _ thread: GuestThread, _ argument: Argument, _ index: Int, _ arguments: SystemCallArguments
    ) -> String {
        let value = arguments[index]
        let word = Int32(truncatingIfNeeded: value)
        switch argument.form {
        case .none: return ""
        case .signed, .wide: return "\(Int64(bitPattern: value))"
        case .unsigned: return "\(value)"
        case .hexadecimal: return hex(value)
        case .octal: return "0" + String(UInt32(truncatingIfNeeded: value), radix: 8)
        case .descriptor: return "\(word)"
        case .directory: return word == -100 ? "AT_FDCWD" : "\(word)"
        case .signal: return signalName(word)
        case .path, .string: return quotedString(thread, value)
        case .bits: return argument.names.describe(bits: UInt64(UInt32(truncatingIfNeeded: value)))
        case .value: return argument.names.name(of: UInt64(UInt32(truncatingIfNeeded: value))) ?? "\(word)"
        case .input, .both:
            if value == 0 { return "NULL" }
            return describeContent(thread, argument, value, arguments) ?? hex(value)
        case .output, .address: return value == 0 ? "NULL" : hex(value)
        }
    }

    /// What is at a pointer that the kernel reads; nil to show the pointer only.
    private static func describeContent(
        _ thread: GuestThread, _ argument: Argument, _ address: UInt64, _ arguments: SystemCallArguments
    ) -> String? {
        func pair(_ index: UInt64, _ first: String, _ second: String, size: Int = 8) -> String? {
            let at = address &+ index &* UInt64(2 * size)
            func number(_ address: UInt64) -> Int64? {
                size == 8
                    ? try? thread.load(address, as: Int64.self)
                    : (try? thread.load(address, as: Int32.self)).map { Int64($0) }
            }
            guard let a = number(at), let b = number(at &+ UInt64(size)) else { return nil }
            return "{\(first)=\(a),\(second)=\(b)}"
        }
        let long = thread.words.size
        switch argument.content {
        case .bytes: return quotedBytes(thread, address, count: arguments[Int(argument.lengthArgument)])
        case .int32:
            guard let value = try? thread.load(address, as: Int32.self) else { return nil }
            return "[\(value)]"
        case .int32Pair:
            guard let a = try? thread.load(address, as: Int32.self),
                let b = try? thread.load(address &+ 4, as: Int32.self)
            else { return nil }
            return "[\(a),\(b)]"
        case .uint64: return (try? thread.load(address, as: Int64.self)).map { "[\($0)]" }
        case .timespec: return pair(0, "tv_sec", "tv_nsec")
        case .timeval: return pair(0, "tv_sec", "tv_usec", size: long)
        case .rlimit: return pair(0, "rlim_cur", "rlim_max", size: long)
        case .rlimit64: return pair(0, "rlim_cur", "rlim_max")
        case .timespecPair, .itimerspec:
            guard let a = pair(0, "tv_sec", "tv_nsec"), let b = pair(1, "tv_sec", "tv_nsec") else { return nil }
            return "{\(a),\(b)}"
        case .timevalPair:
            guard let a = pair(0, "tv_sec", "tv_usec", size: long), let b = pair(1, "tv_sec", "tv_usec", size: long)
            else { return nil }
            return "{\(a),\(b)}"
        case .signalSet:
            guard let set = try? thread.loadSignals(address) else { return nil }
            let names = (1...64).filter { set &>> UInt64($0 - 1) & 1 != 0 }.map { signalName(Int32($0)) }
            return "[" + names.joined(separator: " ") + "]"
        case .socketAddress:
            return describeSocketAddress(thread, address, length: arguments[Int(argument.lengthArgument)])
        default: return nil
        }
    }

    private static func describeSocketAddress(_ thread: GuestThread, _ address: UInt64, length: UInt64) -> String? {
        guard length >= 2, length <= 128, let bytes = try? thread.memory.readBytes(address, count: Int(length)) else {
            return nil
        }
        let family = UInt64(thread.words.load(bytes, as: UInt16.self))
        let name = ConstantNames.socketFamily.name(of: family) ?? "\(family)"
        switch family {
        case 1:
            let abstract = bytes.count > 2 && bytes[2] == 0
            let body = abstract ? bytes.dropFirst(3) : bytes.dropFirst(2).prefix { $0 != 0 }
            return "{sa_family=\(name),sun_path=\(abstract ? "@" : "")\(quote(body, isCut: false))}"
        case 2 where bytes.count >= 8:
            return
                "{sa_family=\(name),sin_port=\(port(bytes)),sin_addr=\(bytes[4]).\(bytes[5]).\(bytes[6]).\(bytes[7])}"
        case 10 where bytes.count >= 24:
            let groups = stride(from: 8, to: 24, by: 2).map {
                String(UInt32(bytes[$0]) << 8 | UInt32(bytes[$0 + 1]), radix: 16)
            }
            return "{sa_family=\(name),sin6_port=\(port(bytes)),sin6_addr=\(groups.joined(separator: ":"))}"
        default: return "{sa_family=\(name)}"
        }
    }

    private static func port(_ bytes: [UInt8]) -> Int { Int(bytes[2]) << 8 | Int(bytes[3]) }

    // MARK: Text

    private static func quotedString(_ thread: GuestThread, _ address: UInt64) -> String {
        if address == 0 { return "NULL" }
        guard let bytes = try? thread.memory.readCString(address) else { return hex(address) }
        return quote(bytes.dropLast(), isCut: false)
    }

    private static func quotedBytes(_ thread: GuestThread, _ address: UInt64, count: UInt64) -> String {
        let shown = Int(min(count, UInt64(shownBytes)))
        guard let bytes = try? thread.memory.readBytes(address, count: shown) else { return hex(address) }
        return quote(bytes[...], isCut: count > UInt64(shown))
    }

    /// Bytes as a C string literal.
    private static func quote(_ bytes: ArraySlice<UInt8>, isCut: Bool) -> String {
        var text = "\""
        for byte in bytes {
            switch byte {
            case 0x0a: text += "\\n"
            case 0x0d: text += "\\r"
            case 0x09: text += "\\t"
            case 0x22: text += "\\\""
            case 0x5c: text += "\\\\"
            case 0x20...0x7e: text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 8)
                text += "\\" + String(repeating: "0", count: 3 - digits.utf8.count) + digits
            }
        }
        return text + (isCut ? "\"..." : "\"")
    }

    private static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
