// execve(2): what kind of file a path names, and the step into the new program.
//
// A guest program is run by a fresh Martlet (`OwnFile`) with the same options, which then opens the program by
// its host path; a program of the host is executed by the host kernel; `#!` lines are followed here, so that their
// interpreter may be either. All errors are found before the point of no return.
//
// Where Martlet does not know its own file, binfmt_misc has started it from outside of the root, and does so again: guest programs are
// executed by the host kernel as well.

import CLinux
import HostOS
import LinuxABI
import LinuxMemory

/// A program as the kernel will start it.
struct ResolvedProgram {
    var hostPath: String
    var arguments: [[UInt8]]
    var isGuest: Bool
    /// The program is open here, and has perhaps no name.
    var descriptor: Int32? = nil
    /// What the process is called when that is not the last component of `hostPath`: a script, or a link.
    var commandName: String? = nil
}

extension ResolvedProgram {
    /// `path`: what has been executed.
    mutating func setCommandName(_ path: String) {
        func last(_ path: String) -> Substring { path.split(separator: "/").last ?? "" }
        if last(path) != last(hostPath) { commandName = String(last(path)) }
    }
}

struct ProgramResolver {
    let prefix: String?
    /// The ABIs of what Martlet runs; and its names for messages.
    let abi: (ELFTarget) -> LinuxGuestABI?
    let runs: String
    /// Files that are open for writing are refused, as by execve(2).
    var refusesWritten = false

    /// Host path for a guest path.
    func hostPath(_ path: String) throws(Errno) -> String { try GuestPaths.hostPath(path, prefix: prefix) }

    /// Follows `#!` lines from `path` (a host path; `shown` is the guest's name for it) to a program. `opened`: the file, if it is open.
    func resolve(
        _ path: String, shown: String, arguments: [[UInt8]], opened: Int32? = nil
    ) throws(UserModeError) -> ResolvedProgram {
        var path = path, shown = shown, arguments = arguments, opened = opened
        var told = shown  // how messages name the file
        for _ in 0...5 {
            let start = try readStart(path, told, opened)
            if start.count >= 2, start[0] == UInt8(ascii: "#"), start[1] == UInt8(ascii: "!") {
                let (interpreter, option) = try parse(start, told)
                var next: [[UInt8]] = [interpreter]
                if let option { next.append(option) }
                next.append(Array(shown.utf8))
                next.append(contentsOf: arguments.dropFirst())
                arguments = next
                let name = String(decoding: interpreter, as: UTF8.self)
                told = "\(shown): interpreter \(name)"
                do throws(Errno) { path = try hostPath(name) } catch {
                    throw UserModeError("\(told): \(error.message)", errno: error)
                }
                shown = name
                opened = nil
                continue
            }
            let target = start.withUnsafeBytes { ELFTarget($0) }
            let isGuest = target.map { abi($0) != nil } ?? false
            return ResolvedProgram(hostPath: path, arguments: arguments, isGuest: isGuest, descriptor: opened)
        }
        throw UserModeError("\(told): too many levels of script interpreters", errno: .loop)
    }

    /// The kernel reads this much of a file (BINPRM_BUF_SIZE).
    private static let startSize = 256

    private func readStart(_ path: String, _ shown: String, _ opened: Int32?) throws(UserModeError) -> [UInt8] {
        var fd: Int32 = -1
        defer { if fd >= 0, opened == nil { HostFile.close(fd) } }
        do throws(Errno) {
            if let opened { fd = opened } else { fd = try HostFile.openProgram(path) }
            let status = try HostFile.status(fd)
            if !status.isRegular || opened == nil && !HostFile.isExecutable(path) { throw .acces }
            if refusesWritten, HostFile.isBeingWritten(path, fd) { throw .txtbsy }
            var bytes = [UInt8](repeating: 0, count: Self.startSize)
            let count = readAll(fd, &bytes)
            return Array(bytes[..<count])
        } catch {
            let isDirectory = fd >= 0 && ((try? HostFile.status(fd).isDirectory) ?? false)
            let reason = isDirectory ? "is a directory, not a program" : error.message
            throw UserModeError("\(shown): \(reason)", status: error == .noent ? 127 : 126, errno: error)
        }
    }

    private func readAll(_ fd: Int32, _ bytes: inout [UInt8]) -> Int {
        bytes.withUnsafeMutableBytes { (try? HostFile.read(fd, into: $0, at: 0)) ?? 0 }
    }

    /// `#!interpreter[ option]`: everything after the first word is one argument (execve(2), interpreter scripts). Of a line that does not
    /// fit what the kernel reads, the argument may be cut off, but not the interpreter.
    private func parse(_ start: [UInt8], _ shown: String) throws(UserModeError) -> ([UInt8], [UInt8]?) {
        func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 }
        func isEnd(_ byte: UInt8) -> Bool { isBlank(byte) || byte == 0 }
        let whole = start.dropFirst(2)
        let beforeNUL = whole.prefix { $0 != 0 }
        var line = beforeNUL.prefix { $0 != 10 }
        if line.count == beforeNUL.count, start.count == Self.startSize {
            line = whole.dropLast()
            guard whole.drop(while: isBlank).contains(where: isEnd) else {
                throw UserModeError("\(shown): the line after #! is too long")
            }
        }
        while let last = line.last, isBlank(last) { line.removeLast() }
        line = line.drop(while: isBlank)
        let interpreter = line.prefix { !isEnd($0) }
        if interpreter.isEmpty { throw UserModeError("\(shown): names no interpreter after #!") }
        let rest = line.dropFirst(interpreter.count)
        let option = rest.first == 0 ? [] : rest.drop(while: isBlank).prefix { $0 != 0 }
        return (Array(interpreter), option.isEmpty ? nil : Array(option))
    }

    /// Checks everything about a guest program that can be known before it is started.
    func check(_ program: ResolvedProgram, shown: String) throws(UserModeError) {
        let file = try ProgramLoader.open(
            program.hostPath, shown: shown, abi: abi, runs: runs,
            descriptor: program.descriptor.map(HostFile.duplicate))
        _ = try ProgramLoader.openInterpreter(of: file, shown: shown, prefix: prefix, abi: abi, runs: runs)
    }
}

/// The arguments of a fresh Martlet that runs `program`.
func relaunchArguments(
    _ program: ResolvedProgram, _ options: UserModeOptions, _ limits: MemoryLimitValues, filters: SeccompFilter?,
    storeFolder: KeptFolder?
) -> [[UInt8]] {
    var result: [[UInt8]] = [Array("martlet".utf8)]
    result.append(contentsOf: options.relaunchArguments)
    if limits != .host { result += ["-limits", limits.text].map { Array($0.utf8) } }
    for text in filters?.texts ?? [] { result += ["-seccomp", text].map { Array($0.utf8) } }
    if let storeFolder { result += storeFolder.relaunchArguments.map { Array($0.utf8) } }
    if let descriptor = program.descriptor { result += ["-execfd", "\(descriptor)"].map { Array($0.utf8) } }
    if let name = program.commandName { result += ["-comm", name].map { Array($0.utf8) } }
    result.append(Array("-0".utf8))
    result.append(program.arguments.first ?? [])
    result.append(Array("--".utf8))
    result.append(Array(program.hostPath.utf8))
    result.append(contentsOf: program.arguments.dropFirst())
    return result
}

extension ProcessCalls {
    static func execve(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let path = try thread.memory.readString(call.a0)
        return try execute(thread, path: path, arguments: call.a1, environment: call.a2)
    }

    /// execveat(2).
    static func execveat(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let emptyPath: Int32 = 0x1000, noFollow: Int32 = 0x100
        let name = try thread.memory.readString(call.a1)
        let directory = call.int32(0), flags = call.int32(4)
        if name.isEmpty && flags & emptyPath == 0 { throw .noent }
        guard flags & ~(emptyPath | noFollow) == 0 else { throw .inval }
        if FileCalls.isReserved(thread, directory) { throw .badf }
        if name.isEmpty, directory != -100 {
            return try executeOpen(thread, directory, arguments: call.a2, environment: call.a3)
        }
        let isRelative = name.utf8.first != UInt8(ascii: "/") && directory != -100
        // F_GETFD: is there such a descriptor?
        if isRelative { _ = try Errno.check(kernel(SYS_fcntl, Int(directory), 1, 0)) }
        let path = isRelative ? "/proc/self/fd/\(directory)/\(name)" : name.isEmpty ? "." : name
        if flags & noFollow != 0, isLink(path, thread.process.prefix) {
            throw .loop
        }
        return try execute(
            thread, path: path, shown: isRelative ? "/dev/fd/\(directory)/\(name)" : nil,
            isHidden: isRelative && closesOnExec(directory), arguments: call.a2, environment: call.a3)
    }

    private static func isLink(_ path: String, _ prefix: String?) -> Bool {
        (try? HostFile.readLink(try GuestPaths.hostPath(path, prefix: prefix, followLink: false))) != nil
    }

    /// Executes an open file. It need not have a name any more, and the descriptor may close on exec.
    private static func executeOpen(
        _ thread: GuestThread, _ fd: Int32, arguments: UInt64, environment: UInt64
    ) throws(Errno) -> Int {
        let status: HostFile.Status
        do throws(Errno) { status = try HostFile.status(fd) } catch { throw .badf }
        let link = "/proc/self/fd/\(fd)"
        if let name = try? HostFile.readLink(link), let named = try? HostFile.status(path: name),
            named.device == status.device, named.inode == status.inode
        {
            return try execute(
                thread, path: name, shown: "/dev/fd/\(fd)", isHidden: closesOnExec(fd), arguments: arguments,
                environment: environment)
        }
        guard status.isRegular, status.mode & 0o111 != 0 else { throw .acces }
        let opened = HostFile.moveHigh((try? HostFile.openForReading(link)) ?? HostFile.duplicate(fd))
        defer { if thread.execution == nil { HostFile.close(opened) } }
        let result = try execute(
            thread, path: link, shown: "/dev/fd/\(fd)", opened: opened, isHidden: closesOnExec(fd),
            arguments: arguments, environment: environment)
        thread.execution?.opened = opened
        return result
    }

    private static func closesOnExec(_ fd: Int32) -> Bool {
        let getFlags = 1  // F_GETFD
        return kernel(SYS_fcntl, Int(fd), getFlags) & 1 != 0
    }

    /// `shown` is what a script's interpreter is told; a script that it could not open (`isHidden`) is refused.
    private static func execute(
        _ thread: GuestThread, path: String, shown: String? = nil, opened: Int32? = nil, isHidden: Bool = false,
        arguments: UInt64, environment: UInt64
    ) throws(Errno) -> Int {
        let process = thread.process
        if path.isEmpty { throw .noent }
        let hostPath =
            shown == nil
            ? try GuestPaths.hostPath(path, prefix: process.prefix, process: process) : path
        // The kernel opens the file before it looks at the arguments.
        let status = try HostFile.status(path: hostPath)
        guard status.isRegular, HostFile.isExecutable(hostPath) else { throw .acces }
        let list = try readStrings(thread, arguments)
        let environmentPointers = try readPointers(thread, environment)
        var resolver = process.resolver
        resolver.refusesWritten = opened == nil
        var program: ResolvedProgram
        do throws(UserModeError) {
            program = try resolver.resolve(
                hostPath, shown: shown ?? path, arguments: list.isEmpty ? [[]] : list, opened: opened)
            if isHidden, program.hostPath != hostPath { throw UserModeError("\(path): closes on exec", errno: .noent) }
            if program.isGuest { try resolver.check(program, shown: program.hostPath) }
            program.setCommandName(opened == nil ? path : hostPath)
        } catch {
            if process.diagnostics.isEnabled(.unimplemented) { process.diagnostics.write("execve: \(error)\n") }
            throw error.errno
        }
        // A signal recorded meanwhile is delivered first.
        if thread.mailbox.pointee.signal != 0 { return SystemCallResult.restart }
        process.engine.saveTranslations()
        process.finishProfile()
        let limits = thread.memory.limits.values, filters = thread.seccompFilter
        let isOurs = program.isGuest && OwnFile.descriptor >= 0
        if !isOurs, filters != nil {
            // Its filters would be about another architecture's calls.
            reportUnimplemented(thread, "execve of a program by the host's kernel with seccomp filters")
            throw .acces
        }
        let execution: PreparedExecution
        if isOurs {
            let folder = process.engine.storeFolder
            let vectors = ProgramVectors(
                "", relaunchArguments(program, process.options, limits, filters: filters, storeFolder: folder),
                environment: environmentPointers)
            execution = PreparedExecution(vectors, thread)
            execution.call.file = OwnFile.descriptor
            execution.call.kept[1] = folder?.descriptor ?? -1
        } else {
            let vectors = ProgramVectors(program.hostPath, program.arguments, environment: environmentPointers)
            execution = PreparedExecution(vectors, thread)
            execution.change(limits)
        }
        execution.call.kept[0] = program.descriptor ?? -1
        if thread.sharesMemory {
            thread.execution = execution
            return SystemCallResult.unchanged
        }
        let result = execution.call.perform()
        execution.undo()
        return result
    }

    /// The pointers of a NULL-terminated vector; each lies in the guest's address space.
    private static func readPointers(_ thread: GuestThread, _ address: UInt64) throws(Errno) -> [Int] {
        var result: [Int] = []
        if address == 0 { return result }
        var at = address
        while true {
            let pointer = try thread.loadWord(at)
            if pointer == 0 { return result }
            result.append(try thread.memory.readPointer(pointer, 1))
            if result.count > 1 << 20 { throw .tooBig }
            at &+= UInt64(thread.words.size)
        }
    }

    private static func readStrings(_ thread: GuestThread, _ address: UInt64) throws(Errno) -> [[UInt8]] {
        var result: [[UInt8]] = []
        for pointer in try readPointers(thread, address) {
            let guest = UInt64(pointer) &- UserAddressSpace.guestBase
            do throws(Errno) {
                result.append(try thread.memory.readCString(guest, max: 131_072).dropLast())
            } catch { throw error == .nametoolong ? .tooBig : error }
        }
        return result
    }
}
