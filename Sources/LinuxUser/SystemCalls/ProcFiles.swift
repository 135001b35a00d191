// Files of /proc that would tell the guest about Martlet instead of about itself. Opening one of them gives a memory
// file with the guest's own view (proc(5)), which `ProcDescriptors` makes behave as the real one. What is not listed here
// comes from the host unchanged.

import CLinux
import HostOS
import LinuxMemory

/// A file of /proc that is emulated.
enum ProcFile: Equatable {
    case executable, maps, mapStatistics, mapTotals, memory, commandLine, environment, auxiliaryVector, stat, status
    case sizes, limits, processorInfo
    /// Of one thread.
    case threadStat(Int32), threadStatus(Int32)
    /// Of another process whose program Martlet runs.
    case other(OtherProcFile)

    /// Recognises the files of guest processes and their threads, and /proc/cpuinfo, by whatever way a path leads to them.
    /// Paths that end in another name cost a few comparisons; those that spell one of the files plainly cost no system
    /// call; what is left, the kernel resolves.
    init?(_ path: HostPath, from directory: Int32) {
        let text = UnsafeBufferPointer(start: path.bytes, count: GuestPaths.length(path))
        let last = ProcPath.lastComponent(text)
        let isDescriptor = ProcPath.isNumber(last) && ProcPath.endsInDescriptor(text)
        guard isDescriptor || Self(name: last) != nil else { return nil }
        if !isDescriptor, ProcPath.isPlain(text) {
            self.init(plain: text)
            return
        }
        // A link to the executable must not be followed to Martlet's own; a descriptor's link is followed to its file.
        let found = ProcPath.resolve(path, from: directory, followLink: isDescriptor) { Self(plain: $0) }
        guard let found else { return nil }
        self = found
    }

    /// What an open file is.
    init?(open fd: Int) {
        guard ProcPath.isInProc(fd), let file = ProcPath.withName(fd, { Self(plain: $0) }) else { return nil }
        self = file
    }

    /// By a path as the kernel spells it: /proc/PID/NAME, /proc/PID/task/TID/NAME, /proc/NAME.
    private init?(plain path: UnsafeBufferPointer<UInt8>) {
        var parts = ProcPath(path)
        guard parts.next("proc"), let owner = parts.next() else { return nil }
        if parts.isAtEnd {
            guard ProcPath.equal(owner, "cpuinfo") else { return nil }
            self = .processorInfo
            return
        }
        guard var name = parts.next() else { return nil }
        guard ProcPath.equal(owner, "self") || ProcPath.equal(owner, "thread-self") || ProcPath.isOwn(owner) else {
            guard let file = OtherProcFile(owner, name, &parts) else { return nil }
            self = .other(file)
            return
        }
        var thread = ProcPath.equal(owner, "thread-self") ? HostProcess.threadID : nil
        if ProcPath.equal(name, "task") {
            guard let id = parts.next(), ProcPath.isOwn(id), let inner = parts.next() else { return nil }
            name = inner
            thread = Int32(String(decoding: id, as: UTF8.self))
        }
        guard parts.isAtEnd, let file = Self(name: name), file != .processorInfo else { return nil }
        switch (file, thread) {
        case (.stat, let thread?): self = .threadStat(thread)
        case (.status, let thread?): self = .threadStatus(thread)
        default: self = file
        }
    }

    private init?(name: UnsafeBufferPointer<UInt8>) {
        func isName(_ text: StaticString) -> Bool { ProcPath.equal(name, text) }
        switch name.count {
        case 3 where isName("exe"): self = .executable
        case 3 where isName("mem"): self = .memory
        case 4 where isName("maps"): self = .maps
        case 4 where isName("auxv"): self = .auxiliaryVector
        case 4 where isName("stat"): self = .stat
        case 5 where isName("smaps"): self = .mapStatistics
        case 5 where isName("statm"): self = .sizes
        case 6 where isName("status"): self = .status
        case 6 where isName("limits"): self = .limits
        case 7 where isName("cmdline"): self = .commandLine
        case 7 where isName("environ"): self = .environment
        case 7 where isName("cpuinfo"): self = .processorInfo
        case 12 where isName("smaps_rollup"): self = .mapTotals
        default: return nil
        }
    }

    /// Where the link to a program leads: a host path. Nil for files that are no such links.
    func program(_ process: GuestProcess) -> String? {
        switch self {
        case .executable: process.executablePath
        case .other(let file): file.program
        default: nil
        }
    }

    /// What the guest must read; nil: what the kernel shows.
    func content(_ thread: GuestThread) -> [UInt8]? {
        let process = thread.process
        func status(isStat: Bool, _ tid: Int32) -> [UInt8]? { ProcStatus.content(isStat: isStat, thread, tid) }
        switch self {
        case .executable: return nil
        case .memory: return nil
        case .maps: return ProcMaps(process, details: false).lines()
        case .mapStatistics: return ProcMaps(process, details: true).statistics()
        case .mapTotals: return ProcMaps(process, details: true).totals()
        case .commandLine: return process.isShownByKernel ? nil : Self.commandLine(process)
        case .environment: return process.isShownByKernel ? nil : Self.bytes(process, process.environmentStrings)
        case .auxiliaryVector: return process.auxiliaryVectorBytes
        case .stat: return status(isStat: true, HostProcess.processID)
        case .status: return status(isStat: false, HostProcess.processID)
        case .threadStat(let tid): return status(isStat: true, tid)
        case .threadStatus(let tid): return status(isStat: false, tid)
        case .sizes:
            let text = try? HostFile.text("/proc/self/statm")
            return text.map { Array(ProcSizes(process).statistics($0).utf8) }
        case .limits: return Array(LimitCalls.text(process, host: (try? HostFile.text("/proc/self/limits")) ?? "").utf8)
        case .processorInfo: return Array(Self.processorText(process).utf8)
        case .other(let file): return file.content(process)
        }
    }

    /// The argument strings as they are now. A program that has written over their last zero has set a title, which may
    /// go on into the environment (fs/proc/base.c, get_mm_cmdline).
    private static func commandLine(_ process: GuestProcess) -> [UInt8] {
        let range = process.argumentStrings
        let strings = bytes(process, range)
        guard let last = strings.last, last != 0 else { return strings }
        let title = bytes(process, range.lowerBound..<process.environmentStrings.upperBound).prefix(
            Int(process.memory.pageSize))
        return Array(title.prefix { $0 != 0 } + [0])
    }

    private static func bytes(_ process: GuestProcess, _ range: Range<UInt64>) -> [UInt8] {
        (try? process.memory.readBytes(range.lowerBound, count: range.count)) ?? []
    }

    private static func processorText(_ process: GuestProcess) -> String {
        var text = ""
        for processor in 0..<processorCount() {
            text += "processor\t: \(processor)\nhart\t\t: \(processor)\n\(process.guest.processorDescription)\n"
        }
        return text
    }

    private static func processorCount() -> Int {
        var mask: InlineArray<16, UInt64> = .init(repeating: 0)
        let size = withUnsafeMutablePointer(to: &mask) { kernel(SYS_sched_getaffinity, 0, 128, Int(bitPattern: $0)) }
        var count = 0
        for index in 0..<16 where size > 8 * index { count += mask[index].nonzeroBitCount }
        return max(count, 1)
    }
}
