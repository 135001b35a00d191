// Resource limits (getrlimit(2), prlimit(2)). Most are the host's. Those of memory are kept by Martlet (`MemoryLimits`), and of the
// descriptors that the host allows Martlet keeps a few (`HostLimits.guestDescriptors`).

import CLinux
import HostOS
import LinuxMemory

enum LimitCalls {
    static func getLimit(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try perform(thread, process: 0, call.int32(0), new: nil) { (old) throws(Errno) in
            let words = thread.words
            // What does not fit into a long is no limit (kernel/sys.c, getrlimit of 32-bit programs).
            try thread.storeWords(call.a1, [min(old.soft, words.mask), min(old.hard, words.mask)])
        }
    }

    static func setLimit(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let given: InlineArray<2, UInt64> = try thread.loadWords(call.a1)
        func limit(_ value: UInt64) -> UInt64 { value == thread.words.mask ? ResourceLimit.unlimited : value }
        let new = ResourceLimit(soft: limit(given[0]), hard: limit(given[1]))
        return try perform(thread, process: 0, call.int32(0), new: new) { _ throws(Errno) in }
    }

    static func processLimit(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let new = call.a2 == 0 ? nil : try load(thread, call.a2)
        return try perform(thread, process: call.int32(0), call.int32(1), new: new) { (old) throws(Errno) in
            if call.a3 != 0 { try store(thread, call.a3, old) }
        }
    }

    /// /proc/self/limits: the host's with the guest's values. Columns of 26, 21, 21 and 10 characters (proc_pid_limits(5)).
    static func text(_ process: GuestProcess, host: String) -> String {
        let values = process.memory.limits.values
        let guest = [
            "Max data size": values.data, "Max stack size": values.stack, "Max address space": values.addressSpace,
            "Max open files": HostLimits.guestDescriptors(HostLimits.get(HostLimits.descriptors)),
        ]
        func column(_ limit: UInt64) -> String {
            let text = limit == ResourceLimit.unlimited ? "unlimited" : "\(limit)"
            return text + String(repeating: " ", count: max(1, 21 - text.utf8.count))
        }
        let lines = host.split(separator: "\n").map { line -> String in
            guard let row = guest.first(where: { line.hasPrefix($0.key + " ") }), line.utf8.count >= 68 else {
                return String(line)
            }
            return line.prefix(26) + column(row.value.soft) + column(row.value.hard) + line.dropFirst(68)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func perform(
        _ thread: GuestThread, process: Int32, _ resource: Int32, new: ResourceLimit?,
        old: (ResourceLimit) throws(Errno) -> Void
    ) throws(Errno) -> Int {
        let isOwn = process == 0 || HostProcess.hasThread(process)
        let values = thread.memory.limits.values
        if isOwn, let kept = values[resource] {
            if let new {
                try check(new, against: kept)
                thread.memory.limits.values[resource] = new
                if resource == HostLimits.stack, thread.process.options.stackSize == nil {
                    GuestStack.grow(thread.memory, to: new.soft)
                }
            }
            try old(kept)
            return 0
        }
        // Another process's limits of memory would hit the Martlet that runs it.
        let passed = values[resource] == nil ? new : nil
        let isCounted = isOwn && resource == HostLimits.descriptors
        var found = ResourceLimit.infinite
        let result = HostLimits.withDescriptorLimit { () -> Int in
            let wanted = isCounted ? passed.map(HostLimits.hostDescriptors) : passed
            return withUnsafeMutablePointer(to: &found) { found in
                guard let wanted else {
                    return kernel(SYS_prlimit64, Int(process), Int(resource), 0, Int(bitPattern: found))
                }
                return withUnsafePointer(to: wanted) {
                    kernel(
                        SYS_prlimit64, Int(process), Int(resource), Int(bitPattern: $0), Int(bitPattern: found))
                }
            }
        }
        if result != 0 { return result }
        try old(isCounted ? HostLimits.guestDescriptors(found) : found)
        return 0
    }

    /// What the kernel checks before it takes a limit.
    private static func check(_ new: ResourceLimit, against old: ResourceLimit) throws(Errno) {
        if new.soft > new.hard { throw .inval }
        if new.hard > old.hard, !HostLimits.mayRaise { throw .perm }
    }

    private static func load(_ thread: GuestThread, _ address: UInt64) throws(Errno) -> ResourceLimit {
        ResourceLimit(
            soft: try thread.load(address, as: UInt64.self), hard: try thread.load(address &+ 8, as: UInt64.self))
    }

    private static func store(_ thread: GuestThread, _ address: UInt64, _ limit: ResourceLimit) throws(Errno) {
        try thread.store(address, limit.soft)
        try thread.store(address &+ 8, limit.hard)
    }
}
