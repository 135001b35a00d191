// Files of /proc that tell of a process's threads and signals: the guest's, not those that Martlet has besides. (proc(5): status and
// stat, of this process or one of its threads.)

import CLinux
import HostOS
import LinuxABI
import LinuxMemory

enum ProcStatus {
    /// `tid`: the thread that is meant, or the process's first one.
    static func content(isStat: Bool, _ thread: GuestThread, _ tid: Int32) -> [UInt8]? {
        guard let text = try? HostFile.text("/proc/self/task/\(tid)/\(isStat ? "stat" : "status")") else { return nil }
        let view = View(thread, tid)
        return Array((isStat ? stat(text, view, thread.process) : status(text, view, thread.process)).utf8)
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

    private static func status(_ text: String, _ view: View, _ process: GuestProcess) -> String {
        ProcStatusText(text).changed(ProcSizes(process)) { name, value in
            let host = UInt64(value, radix: 16) ?? 0
            switch name {
            case "Threads:": return "\(view.threadCount)"
            case "SigPnd:": return set(host | view.pending)
            case "ShdPnd:": return set(host | view.sharedPending)
            case "SigBlk:": return set(view.blocked)
            case "SigIgn:": return set(view.ignored)
            case "SigCgt:": return set(view.caught)
            default: return nil
            }
        }
    }

    private static func set(_ signals: UInt64) -> String {
        let digits = String(signals, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// The host's line with the guest's threads, places, and signals of the first 31.
    private static func stat(_ text: String, _ view: View, _ process: GuestProcess) -> String {
        guard var line = ProcStatLine(text) else { return text }
        let low: UInt64 = 0x7fff_ffff
        ProcSizes(process).change(&line)
        line[ProcStatLine.threads] = UInt64(view.threadCount)
        if !process.isShownByKernel {
            line[ProcStatLine.stackStart] = process.memory.mappings.last { $0.kind == .stack }?.end ?? 0
        }
        line[ProcStatLine.heapStart] = process.lock.withLock { process.breakStart }
        line[ProcStatLine.pending] = (line[ProcStatLine.pending] | view.pending) & low
        line[ProcStatLine.blocked] = view.blocked & low
        line[ProcStatLine.ignored] = view.ignored & low
        line[ProcStatLine.caught] = view.caught & low
        return line.text
    }
}
