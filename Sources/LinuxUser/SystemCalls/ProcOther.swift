// Files of /proc/PID of other processes whose programs Martlet runs. Arguments, environment and the places of code and
// stack are the guest's there already, since each process tells the kernel (`GuestProcess.showToKernel`). The rest is made
// of what the kernel shows of the host's process: nothing is known of another process but by these files, opened with
// the guest's own rights, and none of it is trusted.

import HostOS

struct OtherProcess: Equatable {
    /// "/proc/PID"
    let folder: String

    /// Nil for the host's processes, for those that have ended, and for those that the kernel does not let this one
    /// look into.
    init?(_ id: ProcPath.Text) {
        guard ProcPath.isNumber(id), id.count <= 10 else { return nil }
        folder = "/proc/" + String(decoding: id, as: UTF8.self)
        guard let status = try? HostFile.status(path: folder + "/exe"),
            ProcPath.isOwnProgram(status.device, status.inode)
        else { return nil }
    }

    /// No guest has addresses of so many bits, and all that is Martlet's own lies above.
    static let guestEnd: UInt64 = 1 << 46

    private static func isGuests(_ address: UInt64) -> Bool { address > 0 && address < guestEnd }

    private var statistics: ProcStatLine? { (try? HostFile.text(folder + "/stat")).flatMap { ProcStatLine($0) } }

    // MARK: Program and arguments

    /// Host path of the program: that of the file which its code is mapped from.
    func program() -> String? {
        // The process may be about to tell the kernel: then the second look sees it.
        for _ in 0..<2 {
            if let code = statistics?[ProcStatLine.codeStart], Self.isGuests(code) { return mappedFile(at: code) }
            if let path = Self.launched(ProcPath.contents(folder + "/cmdline"))?.path {
                return HostFile.realPath(path) ?? path
            }
        }
        return nil
    }

    private func mappedFile(at address: UInt64) -> String? {
        let text = ProcPath.contents(folder + "/maps")
        let mappings = text.withUnsafeBufferPointer { HostMapping.list($0) }
        guard let mapping = mappings.first(where: { $0.end > address }), mapping.start <= address,
            !mapping.isAnonymous, text[mapping.name].first == UInt8(ascii: "/")
        else { return nil }
        return String(decoding: text[mapping.name], as: UTF8.self)
    }

    /// The arguments of a process that has not told the kernel where they are; nil of every other.
    func earlyArguments() -> [UInt8]? {
        guard let stack = statistics?[ProcStatLine.stackStart], !Self.isGuests(stack) else { return nil }
        let text = ProcPath.contents(folder + "/cmdline")
        // There are none yet: the next moment they would be Martlet's.
        if text.isEmpty { return [] }
        return Self.launched(text)?.arguments
    }

    /// What a Martlet is to run that another one has executed (`relaunchArguments`): it begins only now, or the kernel
    /// does not take what it tells. The arguments end with zeros.
    static func launched(_ commandLine: [UInt8]) -> (path: String, arguments: [UInt8])? {
        let words = commandLine.split(separator: 0, omittingEmptySubsequences: false)
        func isWord(_ index: Int, _ text: String) -> Bool { words[index].elementsEqual(text.utf8) }
        guard isWord(0, "martlet"), let zero = words.indices.first(where: { isWord($0, "-0") }),
            words.count > zero + 4, isWord(zero + 2, "--")
        else { return nil }
        let arguments = ([words[zero + 1]] + words[(zero + 4)...].dropLast()).flatMap { $0 + [0] }
        return (String(decoding: words[zero + 3], as: UTF8.self), arguments)
    }

    // MARK: Memory

    /// Nil before the program begins.
    var sizes: ProcSizes? {
        guard let line = statistics, Self.isGuests(line[ProcStatLine.stackStart]) else { return nil }
        return ProcSizes(OtherProcMaps(ProcPath.contents(folder + "/maps")), line)
    }

    // MARK: Threads

    /// How many of the kernel's `count` threads are the guest's.
    func guestThreads(of count: UInt64) -> UInt64 {
        count <= 1 ? count : max(1, count - min(count, UInt64(ownThreads().count)))
    }

    /// Ids of the threads that are Martlet's own, which have its name. (The first one is always the guest's.)
    func ownThreads() -> [String] {
        let name = Array((HostThread.ownName + "\n").utf8), first = folder.split(separator: "/").last
        return HostFile.names(in: folder + "/task").filter { id in
            id[...] != first && ProcPath.contents("\(folder)/task/\(id)/comm") == name
        }
    }

    /// Descriptors that lead to Martlet's own file (`OwnFile`).
    func ownDescriptors() -> [String] {
        HostFile.names(in: folder + "/fd").filter { name in
            guard let fd = Int32(name), fd >= HostFile.lowestHigh,
                let status = try? HostFile.status(path: "\(folder)/fd/\(name)")
            else { return false }
            return ProcPath.isOwnProgram(status.device, status.inode)
        }
    }
}

/// A file of another guest process, or of one of its threads, that differs from what the kernel shows.
struct OtherProcFile: Equatable {
    private enum Kind { case program, maps, mapStatistics, sizes, commandLine, stat, status }
    private let kind: Kind
    private let process: OtherProcess
    private let path: String
    /// Of a link to a program: where it leads, a host path.
    private(set) var program: String?

    /// By what follows "/proc": the process, and a file's name or "task"; `rest` is what follows these two.
    init?(_ id: ProcPath.Text, _ name: ProcPath.Text, _ rest: inout ProcPath) {
        var name = name, thread = ""
        if ProcPath.equal(name, "task") {
            guard let number = rest.next(), let inner = rest.next() else { return nil }
            thread = "/task/" + String(decoding: number, as: UTF8.self)
            name = inner
        }
        guard rest.isAtEnd, let kind = Self.kind(name), let process = OtherProcess(id) else { return nil }
        self.kind = kind
        self.process = process
        path = process.folder + thread + "/" + String(decoding: name, as: UTF8.self)
        program = kind == .program ? process.program() : nil
    }

    private static func kind(_ name: ProcPath.Text) -> Kind? {
        func isName(_ text: StaticString) -> Bool { ProcPath.equal(name, text) }
        if isName("exe") { return .program }
        if isName("maps") { return .maps }
        if isName("smaps") { return .mapStatistics }
        if isName("statm") { return .sizes }
        if isName("cmdline") { return .commandLine }
        if isName("stat") { return .stat }
        return isName("status") ? .status : nil
    }

    /// What the guest must read; nil: what the kernel shows.
    func content(_ reader: GuestProcess) -> [UInt8]? {
        switch kind {
        case .program: return nil
        case .maps, .mapStatistics:
            var maps = OtherProcMaps(ProcPath.contents(path))
            return maps.text(for: reader)
        case .commandLine: return process.earlyArguments()
        case .stat:
            guard var line = text.flatMap({ ProcStatLine($0) }) else { return nil }
            process.sizes?.change(&line)
            line[ProcStatLine.threads] = process.guestThreads(of: line[ProcStatLine.threads])
            return Array(line.text.utf8)
        case .sizes:
            guard let text, let sizes = process.sizes else { return nil }
            return Array(sizes.statistics(text).utf8)
        case .status:
            guard let text else { return nil }
            let changed = ProcStatusText(text).changed(process.sizes) { name, value in
                name == "Threads:" ? UInt64(value).map { "\(process.guestThreads(of: $0))" } : nil
            }
            return Array(changed.utf8)
        }
    }

    private var text: String? { try? HostFile.text(path) }
}
