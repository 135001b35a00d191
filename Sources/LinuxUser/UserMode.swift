// The entry of user mode: from a program's path to a running guest. One readable function names the steps.

import CLinux
import ExecutionEngine
import HostOS
import LinuxABI
import LinuxMemory
import Profiling

/// Runs a guest program in this process. `guestFor` gives the guest for what an ELF file says of itself, or nil for what
/// Martlet does not run; `runs` names what it does, for messages. Does not return when the guest runs to its end (the
/// process ends with the guest's status, or by its signal); returns the exit status after having told the user why the
/// program could not be started.
public func runUserProgram(
    _ options: UserModeOptions, runs: String, guestFor: @escaping (ELFTarget) -> UserModeGuest?
) -> Int32 {
    do throws(UserModeError) {
        try start(options, runs: runs, guestFor: guestFor)
    } catch {
        writeStandardError("martlet: \(error)\n")
        return error.status
    }
}

private func start(
    _ options: UserModeOptions, runs: String, guestFor: @escaping (ELFTarget) -> UserModeGuest?
) throws(UserModeError) -> Never {
    HostLimits.reserveDescriptors()
    guard options.guestBase == 0 else {
        throw UserModeError("-B: only guest base 0 is supported", status: 1, errno: .inval)
    }
    let resolver = ProgramResolver(prefix: options.prefix, abi: { guestFor($0)?.abi }, runs: runs)
    let argumentZero = options.argumentZero ?? Array(options.program.utf8)
    let opened = options.programDescriptor < 0 ? nil : options.programDescriptor
    let asked = try resolver.resolve(
        options.program, shown: options.program, arguments: [argumentZero] + options.arguments, opened: opened)

    // A script whose interpreter is a program of the host.
    if !asked.isGuest && asked.hostPath != options.program { try executeNatively(asked, options) }

    let shown = asked.hostPath
    let file = try ProgramLoader.open(
        asked.hostPath, shown: shown, abi: resolver.abi, runs: runs, descriptor: asked.descriptor)
    let interpreter = try ProgramLoader.openInterpreter(
        of: file, shown: shown, prefix: options.prefix, abi: resolver.abi, runs: runs)
    guard let guest = guestFor(file.target) else { throw UserModeError("\(shown): Martlet runs \(runs)") }

    let memory = try makeMemory(guest, options)
    try memory.limits.checkRoom()
    HostSignals.start()
    OwnFile.keep()
    MappingReserve.shareHeap()
    let profile = try startProfile(options, memory, command: asked.arguments)
    let (top, stackSize) = try GuestStack.make(
        memory, fixed: options.stackSize, isExecutable: file.hasExecutableStack)
    let image = try ProgramLoader(memory: memory).load(file, interpreter: interpreter, shown: shown)

    let engine: Engine
    let name = UserAddressSpace.codeFileName(of: file.fd), isPath = name?.hasPrefix("/") ?? false
    let path =
        (isPath ? name : try? HostFile.readLink("/proc/self/fd/\(file.fd)")) ?? HostFile.realPath(asked.hostPath)
        ?? asked.hostPath
    do { engine = try guest.makeEngine(memory, name ?? path) } catch {
        throw UserModeError("\(error)", status: 1, errno: .nomem)
    }
    try memory.limits.checkRoom()
    guard let registers = GuestRegisters(guest: guest.architecture, abi: guest.abi) else {
        throw UserModeError("\(shown): this guest has no system-call registers", status: 1)
    }
    let process = GuestProcess(
        options: options, memory: memory, engine: engine, architecture: guest.architecture, guest: guest.abi,
        registers: registers, executablePath: path, image: image, resolver: resolver, profile: profile,
        willExit: guest.willExit)
    process.catchDefaults()
    process.noteStoreFolder()
    process.breakStart = image.dataEnd
    process.breakEnd = image.dataEnd

    let stack = InitialStack(
        words: guest.abi.words, arguments: asked.arguments, environment: options.environment,
        fileName: Array(process.guestPath(asked.hostPath).utf8),
        image: image,
        hardwareCapabilities: guest.hardwareCapabilities, seed: options.seed)
    let thread: GuestThread
    do throws(Errno) {
        thread = GuestThread(process: process, vcpu: try engine.makeVCPU(in: memory))
    } catch {
        throw UserModeError("cannot reserve memory: \(error.message)", status: 1, errno: .nomem)
    }
    do throws(Errno) {
        guard stack.neededBytes < stackSize / 4 * 3 else { throw .tooBig }
        let written = try stack.write(to: memory, top: top)
        process.auxiliaryVector = written.auxiliaryVector
        process.argumentStrings = written.argumentStrings
        process.environmentStrings = written.environmentStrings
        process.showToKernel(stackPointer: written.stackPointer)
        process.signalTrampoline = try makeTrampoline(memory, guest.abi.signalFrame.trampoline)
        guest.architecture.reset(thread.state)
        thread.stackPointer = written.stackPointer
        thread.pc = image.start
    } catch {
        throw UserModeError("\(shown): arguments and environment do not fit: \(error.message)", errno: error)
    }
    setCommandName(options.commandName ?? options.program)
    logLayout(process, stackTop: top)
    thread.tid = HostProcess.threadID
    thread.isLeader = true
    thread.signalMask = HostSignals.inheritedMask
    process.threads = [thread]
    SeccompCalls.inherit(options.seccompFilters, thread)
    _ = consume file
    thread.main()
    HostProcess.exitGroup(0)  // not reached: the leader's loop ends the thread or the process
}

private func executeNatively(_ program: ResolvedProgram, _ options: UserModeOptions) throws(UserModeError) -> Never {
    var block: [[UInt8]] = []
    for string in options.environment { block.append(string + [0]) }
    let joined = Array(block.joined())
    let result = joined.withUnsafeBufferPointer { strings in
        var pointers: [Int] = []
        var offset = 0
        for string in block {
            pointers.append(Int(bitPattern: strings.baseAddress) + offset)
            offset += string.count
        }
        let vectors = ProgramVectors(program.hostPath, program.arguments, environment: pointers)
        return kernel(SYS_execve, vectors.path, vectors.arguments, vectors.environment)
    }
    let error = Errno(Int32(truncatingIfNeeded: -result))
    throw UserModeError("\(program.hostPath): \(error.message)", errno: error)
}

/// Creates the profile that the options ask for; executable files mapped from now on are noted in it.
private func startProfile(
    _ options: UserModeOptions, _ memory: UserAddressSpace, command: [[UInt8]]
) throws(UserModeError) -> Profile? {
    guard let request = options.profile else { return nil }
    let profile: Profile
    do throws(Errno) {
        profile = try Profile(path: request.path, isChild: request.isChild, command: command)
    } catch {
        throw UserModeError("-profile \(request.path): cannot be written: \(error.message)", status: 1)
    }
    memory.onExecutableFile = { start, length, fd, offset in
        profile.addMapping(start, length, fd: fd, offset: offset)
    }
    return profile
}

private func makeMemory(_ guest: UserModeGuest, _ options: UserModeOptions) throws(UserModeError) -> UserAddressSpace {
    var limit = guest.abi.addressLimit
    let pageSize = guest.abi.convention.pageSize
    if let size = options.reservedSize, size > 0 {
        guard size & (pageSize - 1) == 0, size >= 1 << 24, size <= limit else {
            throw UserModeError(
                "-R: the guest's address space has whole pages, at least 16 MiB and at most \(limit) bytes", status: 1)
        }
        limit = size
    }
    do throws(Errno) {
        let memory = try UserAddressSpace(
            limit: limit, pageSize: max(pageSize, HostProcess.pageSize))
        if let limits = options.memoryLimits { memory.limits.values = limits }
        return memory
    } catch {
        throw UserModeError("cannot reserve memory: \(error.message)", status: 1, errno: .nomem)
    }
}

extension MemoryLimits {
    /// Says so at once where the host allows less address space than Martlet needs beside so many bytes more.
    func checkRoom(_ size: UInt64 = 0) throws(UserModeError) {
        guard hostHasRoom(size) else {
            throw UserModeError(
                "the address space is limited to less than Martlet and the program need: raise the limit (ulimit -v)",
                status: 1, errno: .nomem)
        }
    }
}

/// A page with the code that returns from signal handlers, as the kernel's vdso has it.
private func makeTrampoline(_ memory: UserAddressSpace, _ code: [UInt8]) throws(Errno) -> UInt64 {
    let flags = HostMemory.privateCopy | HostMemory.anonymous
    let page = try memory.map(0, length: memory.pageSize, rights: [.read, .write], flags: flags, kind: .trampoline)
    try memory.writeBytes(page, code)
    try memory.protect(page, length: memory.pageSize, rights: [.read, .execute])
    return page
}

/// The thread name that ps shows, as execve sets it.
private func setCommandName(_ path: String) {
    let name = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[path.utf8.index(after: $0)...] } ?? path[...]
    HostThread.setName(String(name))
}

private func logLayout(_ process: GuestProcess, stackTop: UInt64) {
    guard process.diagnostics.isEnabled(.pages) else { return }
    func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
    var text = "guest_base  \(hex(UserAddressSpace.guestBase))\n"
    for mapping in process.memory.mappings {
        let rights =
            (mapping.rights.contains(.read) ? "r" : "-") + (mapping.rights.contains(.write) ? "w" : "-")
            + (mapping.rights.contains(.execute) ? "x" : "-")
        text += "\(hex(mapping.start))-\(hex(mapping.end)) \(rights) \(mapping.kind)\n"
    }
    text += "entry       \(hex(process.image.entry))\nstart       \(hex(process.image.start))\n"
    text += "brk         \(hex(process.breakStart))\nstack_top   \(hex(stackTop))\n"
    process.diagnostics.write(text)
}
