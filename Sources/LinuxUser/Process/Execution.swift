// execve(2): what kind of file a path names, and the step into the new program.
//
// A guest program is run by a fresh Martlet (/proc/self/exe) with the same options, which then opens the program by
// its host path; a program of the host is executed by the host kernel; `#!` lines are followed here, so that their
// interpreter may be either. All errors are found before the point of no return.

import CLinux
import GuestMemory
import HostOS

/// A program as the kernel will start it.
struct ResolvedProgram {
    var hostPath: String
    var arguments: [[UInt8]]
    var isGuest: Bool
}

struct ProgramResolver {
    let prefix: String?
    /// e_machine values that Martlet runs, with address limits; and their names for messages.
    let limit: (UInt16) -> UInt64?
    let runs: String

    /// Host path for a guest path.
    func hostPath(_ path: String) throws(Errno) -> String { try GuestPaths.hostPath(path, prefix: prefix) }

    /// Follows `#!` lines from `path` (a host path; `shown` is the guest's name for it) to a program.
    func resolve(_ path: String, shown: String, arguments: [[UInt8]]) throws(UserModeError) -> ResolvedProgram {
        var path = path, shown = shown, arguments = arguments
        var told = shown  // how messages name the file
        for _ in 0..<5 {
            let start = try readStart(path, told)
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
                continue
            }
            let machine = start.withUnsafeBytes { ELFFile.machine(of: $0) }
            let isGuest = machine.map { limit($0) != nil } ?? false
            return ResolvedProgram(hostPath: path, arguments: arguments, isGuest: isGuest)
        }
        throw UserModeError("\(told): too many levels of script interpreters", errno: .loop)
    }

    private func readStart(_ path: String, _ shown: String) throws(UserModeError) -> [UInt8] {
        var fd: Int32 = -1
        defer { if fd >= 0 { HostFile.close(fd) } }
        do throws(Errno) {
            fd = try HostFile.openForReading(path)
            let status = try HostFile.status(fd)
            if !status.isRegular || !HostFile.isExecutable(path) { throw .acces }
            var bytes = [UInt8](repeating: 0, count: 256)
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

    /// `#!interpreter[ option]`: everything after the first word is one argument (execve(2), interpreter scripts).
    private func parse(_ start: [UInt8], _ shown: String) throws(UserModeError) -> ([UInt8], [UInt8]?) {
        func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 }
        var line = start.dropFirst(2)
        if let end = line.firstIndex(of: 10) { line = line[..<end] }
        while let last = line.last, isBlank(last) || last == 0 { line.removeLast() }
        line = line.drop(while: isBlank)
        let interpreter = line.prefix { !isBlank($0) }
        if interpreter.isEmpty { throw UserModeError("\(shown): names no interpreter after #!") }
        let option = line.dropFirst(interpreter.count).drop(while: isBlank)
        return (Array(interpreter), option.isEmpty ? nil : Array(option))
    }

    /// Checks everything about a guest program that can be known before it is started.
    func check(_ program: ResolvedProgram, shown: String) throws(UserModeError) {
        let file = try ProgramLoader.open(program.hostPath, shown: shown, limit: limit, runs: runs)
        _ = try ProgramLoader.openInterpreter(of: file, shown: shown, prefix: prefix, limit: limit, runs: runs)
    }
}

/// Replaces the process by `path`. Returns only on failure, with -errno.
func hostExecute(_ path: String, _ arguments: [[UInt8]], environment: [Int]) -> Int {
    var block: [UInt8] = []
    var offsets: [Int] = []
    for argument in arguments {
        offsets.append(block.count)
        block.append(contentsOf: argument)
        block.append(0)
    }
    return block.withUnsafeBytes { strings in
        let base = Int(bitPattern: strings.baseAddress)
        let pointers = offsets.map { base + $0 } + [0]
        return (environment + [0]).withUnsafeBufferPointer { environment in
            pointers.withUnsafeBufferPointer { list in
                withPath(path) {
                    kernel(SYS_execve, $0, Int(bitPattern: list.baseAddress), Int(bitPattern: environment.baseAddress))
                }
            }
        }
    }
}

/// The arguments of a fresh Martlet that runs `program`.
func relaunchArguments(
    _ program: ResolvedProgram, _ options: UserModeOptions, _ limits: MemoryLimitValues
) -> [[UInt8]] {
    var result: [[UInt8]] = [Array("martlet".utf8)]
    result.append(contentsOf: options.relaunchArguments)
    if limits != .host { result += ["-limits", limits.text].map { Array($0.utf8) } }
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
        guard flags & ~(emptyPath | noFollow) == 0 else { throw .inval }
        var path = name
        if name.isEmpty {
            guard flags & emptyPath != 0 else { throw .noent }
            path = try openFile(directory)
        } else if name.utf8.first != UInt8(ascii: "/") && directory != -100 {
            path = "/proc/self/fd/\(directory)/\(name)"
        }
        if flags & noFollow != 0, isLink(path, thread.process.prefix) {
            throw .loop
        }
        return try execute(thread, path: path, arguments: call.a2, environment: call.a3)
    }

    private static func isLink(_ path: String, _ prefix: String?) -> Bool {
        (try? HostFile.readLink(try GuestPaths.hostPath(path, prefix: prefix, followLink: false))) != nil
    }

    /// The name of an open file when it still has one: the descriptor may close on exec.
    private static func openFile(_ fd: Int32) throws(Errno) -> String {
        let link = "/proc/self/fd/\(fd)"
        let name: String
        do throws(Errno) { name = try HostFile.readLink(link) } catch { throw .badf }
        return HostFile.exists(name) ? name : link
    }

    private static func execute(
        _ thread: GuestThread, path: String, arguments: UInt64, environment: UInt64
    ) throws(Errno) -> Int {
        let process = thread.process
        if path.isEmpty { throw .noent }
        let list = try readStrings(thread, arguments)
        let environmentPointers = try readPointers(thread, environment)
        let resolver = process.resolver
        let hostPath = try GuestPaths.hostPath(path, prefix: process.prefix, executable: process.executablePath)
        let program: ResolvedProgram
        do throws(UserModeError) {
            program = try resolver.resolve(
                hostPath, shown: path, arguments: list.isEmpty ? [[]] : list)
            if program.isGuest { try resolver.check(program, shown: program.hostPath) }
        } catch {
            if process.diagnostics.isEnabled(.unimplemented) { process.diagnostics.write("execve: \(error)\n") }
            throw error.errno
        }
        // The new program inherits the guest's mask; a signal recorded meanwhile is delivered first.
        if thread.mailbox.pointee.signal != 0 { return SystemCallResult.restart }
        process.engine.saveTranslations()
        if thread.isSharedChild { thread.openForSignals() }
        process.finishProfile()
        let limits = thread.memory.limits.values
        if program.isGuest {
            return hostExecute(
                "/proc/self/exe", relaunchArguments(program, process.options, limits),
                environment: environmentPointers)
        }
        let own = MemoryLimitValues.host
        limits.becomeHost()
        defer { own.becomeHost() }
        return hostExecute(program.hostPath, program.arguments, environment: environmentPointers)
    }

    /// The pointers of a NULL-terminated vector; each lies in the guest's address space.
    private static func readPointers(_ thread: GuestThread, _ address: UInt64) throws(Errno) -> [Int] {
        var result: [Int] = []
        if address == 0 { return result }
        var at = address
        while true {
            let pointer = try thread.memory.read(at, as: UInt64.self)
            if pointer == 0 { return result }
            result.append(try thread.memory.readPointer(pointer, 1))
            if result.count > 1 << 20 { throw .tooBig }
            at &+= 8
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
