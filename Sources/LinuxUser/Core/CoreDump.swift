// The guest's death by a signal, with the core file that core(5) promises. The host's kernel would dump the translator: it is kept from
// that (HostSignals.dieBy), and the guest's own file is written here, by the thread that dies, while all others stand still.

import CLinux
import ExecutionEngine
import HostOS
import LinuxABI
import LinuxMemory

extension GuestThread {
    /// Ends the process by a signal that its default action ends it with.
    func die(by information: SignalInfo) -> Never {
        let signal = information.signal
        HostSignals.setMask(.max)
        if SignalNumber.dumpsCore & HostSignals.bit(signal) != 0 { dumpCore(information) }
        process.willDie(by: signal, thread: self)
        HostSignals.dieBy(signal, sharesMemory: isSharedChild)
    }

    /// Writes the core file, where the limit and the process's own wish allow one.
    private func dumpCore(_ information: SignalInfo) {
        let limit = HostProcess.coreLimit
        guard limit >= CoreFile.pageSize, HostProcess.isDumpable else { return }
        let others = process.stopOtherThreads(of: self)
        let path = CoreName.path(process, signal: information.signal, limit: limit)
        let host = (try? HostFile.text("/proc/self/smaps")) ?? ""
        let areas = CoreArea.all(process.memory.mappings, host: host) { process.guestPath($0) }
        let filter = UInt64(((try? HostFile.text("/proc/self/coredump_filter")) ?? "").prefix { $0 != "\n" }, radix: 16)
        let chosen = filter.map { CoreFilter(rawValue: $0) } ?? .usual
        let file = CoreFile(
            machine: process.guest.elf,
            notes: CoreNotes(process, information, threads: [self] + others, areas: areas).bytes,
            segments: areas.map { area in
                (area, chosen.size(of: area) { (try? memory.read($0, as: UInt32.self)) == ELFFormat.magic })
            })
        // As the kernel does: what has the name goes, whatever it is, and nothing is written through a link.
        HostFile.remove(path)
        guard let fd = try? HostFile.createPrivate(path) else { return }
        defer { HostFile.close(fd) }
        file.write(to: fd, limit: limit)
    }
}

extension SignalNumber {
    /// The default action is to end the process with a core file (signal(7)): SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE,
    /// SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS.
    static let dumpsCore: UInt64 = [3, 4, 5, 6, 7, 8, 11, 24, 25, 31].reduce(0) { $0 | HostSignals.bit($1) }
}
