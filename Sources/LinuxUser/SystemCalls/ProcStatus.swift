// Files of /proc that tell of a process's threads and signals: the guest's, not those that Martlet has besides. (proc(5): status, stat
// and task, of this process or one of its threads.)

import CLinux
import HostOS
import LinuxABI
import LinuxMemory

enum ProcStatus {
    private enum Kind { case status, stat, threads }

    /// Opens such a file: a descriptor, or -errno; nil for every other path.
    static func open(_ thread: GuestThread, _ path: HostPath, flags: UInt64) -> Int? {
        guard GuestPaths.begins(path, "/proc"), let (kind, tid) = recognize(String(cString: path.bytes)) else {
            return nil
        }
        if kind == .threads { thread.process.listsThreads = true }
        // Of the process itself: `ProcFile`.
        guard kind != .threads, let tid, flags & 3 == 0, flags & UInt64(HostFile.pathOnly) == 0,
            let content = content(isStat: kind == .stat, thread, tid)
        else { return nil }
        return content.withUnsafeBytes {
            HostFile.inMemory($0, closesOnExec: flags & UInt64(HostFile.closeOnExec) != 0)
        }
    }

    /// Of the process itself, by other names.
    static func content(isStat: Bool, _ process: GuestProcess) -> [UInt8] {
        let leader = process.lock.withLock { process.threads.first }
        return leader.flatMap { content(isStat: isStat, $0, HostProcess.processID) } ?? []
    }

    private static func content(isStat: Bool, _ thread: GuestThread, _ tid: Int32) -> [UInt8]? {
        guard let text = try? HostFile.text("/proc/self/task/\(tid)/\(isStat ? "stat" : "status")") else { return nil }
        let view = View(thread, tid)
        return Array((isStat ? stat(text, view, thread.process) : status(text, view)).utf8)
    }

    /// getdents64(2). Before the kernel lists threads, the translator's own one goes until there is work for it again.
    static func list(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let process = thread.process
        if process.listsThreads, !thread.isSharedChild, !thread.runsBeside { process.engine.endOwnThreads() }
        let result = kernel(SYS_getdents64, call.word(0), thread.output(call.a1, call.a2), call.word(2))
        if result > 0, thread.words.order != LinuxTable.host.order { try swapEntries(thread, call.a1, result) }
        return result
    }

    /// struct linux_dirent64 has the same layout everywhere, but for the order of bytes: two numbers of 64 bits, and the
    /// entry's length.
    private static func swapEntries(_ thread: GuestThread, _ address: UInt64, _ count: Int) throws(Errno) {
        thread.finishArguments()
        let order = thread.words.order
        try withScratch(count) { (buffer) throws(Errno) in
            try thread.memory.readBytes(address, into: buffer)
            var at = 0
            while at + 19 <= count {
                let length = Int(buffer.loadUnaligned(fromByteOffset: at + 16, as: UInt16.self))
                for field in [at, at + 8] {
                    let value = buffer.loadUnaligned(fromByteOffset: field, as: UInt64.self)
                    buffer.storeBytes(of: order.swapping(value), toByteOffset: field, as: UInt64.self)
                }
                buffer.storeBytes(of: order.swapping(UInt16(length)), toByteOffset: at + 16, as: UInt16.self)
                at += max(length, 19)
            }
            try thread.memory.writeBytes(address, UnsafeRawBufferPointer(buffer))
        }
    }

    /// What is asked for, and the thread when it is one thread's.
    private static func recognize(_ path: String) -> (Kind, Int32?)? {
        var parts = path.split(separator: "/").dropFirst()
        guard let first = parts.popFirst() else { return nil }
        var tid: Int32?
        switch first {
        case "self", "\(HostProcess.processID)": break
        case "thread-self": tid = HostProcess.threadID
        default: return nil
        }
        if parts.count == 3, parts.first == "task" {
            parts.removeFirst()
            guard let name = parts.popFirst(), let number = Int32(name) else { return nil }
            tid = number
        }
        guard parts.count == 1 else { return nil }
        switch parts.first {
        case "status": return (.status, tid)
        case "stat": return (.stat, tid)
        case "task": return (.threads, tid)
        default: return nil
        }
    }

    /// What the guest has asked for and the host does not show. Of another thread it is a moment's.
    private struct View {
        var threadCount = 1
        var blocked: UInt64 = 0, pending: UInt64 = 0, sharedPending: UInt64 = 0
        var ignored: UInt64 = 0, caught: UInt64 = 0

        init(_ thread: GuestThread, _ tid: Int32) {
            let process = thread.process
            let isAlone = thread.isSharedChild || thread.runsBeside
            let shown = process.lock.withLock { () -> GuestThread in
                if !isAlone { threadCount = process.threads.count }
                return process.threads.first { $0.tid == tid } ?? thread
            }
            let counted = isAlone ? thread : shown
            blocked = counted.signalMask
            pending = counted.mailbox.pointee.pending.signals
            sharedPending = counted.mailbox.pointee.shared?.pointee.signals ?? 0
            let actions = thread.withActions { $0 }
            for signal in 1...SignalNumber.count {
                let bit = HostSignals.bit(signal), action = actions[Int(signal)]
                if action.handler > SignalAction.ignore { caught |= bit }
                let isIgnored = action.isSet ? action.handler == SignalAction.ignore : HostSignals.isIgnored(signal)
                if isIgnored { ignored |= bit }
            }
        }
    }

    private static func status(_ text: String, _ view: View) -> String {
        var result = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let parts = line.split(separator: "\t", maxSplits: 1)
            guard parts.count == 2 else {
                result += line.isEmpty ? "" : line + "\n"
                continue
            }
            let host = UInt64(parts[1], radix: 16) ?? 0
            let value: Substring
            switch parts[0] {
            case "Threads:": value = "\(view.threadCount)"
            case "SigPnd:": value = set(host | view.pending)
            case "ShdPnd:": value = set(host | view.sharedPending)
            case "SigBlk:": value = set(view.blocked)
            case "SigIgn:": value = set(view.ignored)
            case "SigCgt:": value = set(view.caught)
            default: value = parts[1]
            }
            result += "\(parts[0])\t\(value)\n"
        }
        return result
    }

    private static func set(_ signals: UInt64) -> Substring {
        let digits = String(signals, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count)[...] + digits
    }

    /// The host's line with the guest's name, threads (field 20), start of the stack (28) and, of the first 31, signals (31 to 34).
    private static func stat(_ line: String, _ view: View, _ process: GuestProcess) -> String {
        guard let open = line.firstIndex(of: "("), let close = line.lastIndex(of: ")") else { return line }
        var fields = line[close...].split(separator: " ").map(String.init)
        // The first of these is the name's end, and field 2.
        guard fields.count > 33 else { return line }
        let low: UInt64 = 0x7fff_ffff
        fields[18] = "\(view.threadCount)"
        fields[26] = "\(process.memory.mappings.last { $0.kind == .stack }?.end ?? 0)"
        fields[29] = "\(((UInt64(fields[29]) ?? 0) | view.pending) & low)"
        fields[30] = "\(view.blocked & low)"
        fields[31] = "\(view.ignored & low)"
        fields[32] = "\(view.caught & low)"
        let program = process.executablePath.split(separator: "/").last ?? ""
        return "\(line[..<open])(\(program.prefix(15))\(fields.joined(separator: " "))"
    }
}
