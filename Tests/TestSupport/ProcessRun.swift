// Runs one child process with captured output and a deadline. Nothing of the child outlives the call: it leads a
// process group of its own, and the group is killed by its id when time is up.

import Glibc

/// What a finished process left.
public struct ProcessRun: Sendable {
    public var output: [UInt8]
    /// With what the processes were doing at the end, when time was up.
    public var errors: [UInt8]
    /// The exit code, or nil when a signal ended the process.
    public var exit: Int32?
    public var signal: Int32?
    public var timedOut = false

    public var text: String { String(decoding: output, as: UTF8.self) }
    public var errorText: String { String(decoding: errors, as: UTF8.self) }

    /// The last line of an expectation file: `[exit N]` or `[signal N]`.
    public var ending: String {
        if timedOut { return "[timed out]" }
        if let exit { return "[exit \(exit)]" }
        return "[signal \(signal ?? 0)]"
    }
}

public struct SpawnError: Error, CustomStringConvertible {
    public var description: String
    public init(description: String) { self.description = description }
}

private let outputLimit = 1 << 22

/// Runs `path` with `arguments` (without the program's own name) and waits at most `seconds`. `look` is called with the process's id
/// as soon as it runs; meanwhile nobody reads what it writes.
public func runProcess(
    _ path: String, _ arguments: [String], adding environment: [String] = [], seconds: Int = 60,
    look: ((pid_t) -> Void)? = nil
) throws -> ProcessRun {
    var out: [Int32] = [0, 0]
    var err: [Int32] = [0, 0]
    guard pipe(&out) == 0, pipe(&err) == 0 else { throw SpawnError(description: "pipe: errno \(errno)") }
    for fd in out + err { _ = fcntl(fd, F_SETFD, FD_CLOEXEC) }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, out[1], 1)
    posix_spawn_file_actions_adddup2(&actions, err[1], 2)
    // Each run starts with default signal handling, an empty mask and a process group of its own.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var all = sigset_t()
    var none = sigset_t()
    sigfillset(&all)
    sigemptyset(&none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
        &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

    var argv = ([path] + arguments).map { strdup($0) } + [nil]
    var envp = (inheritedEnvironment() + environment).map { strdup($0) } + [nil]
    defer { for pointer in argv + envp { free(pointer) } }
    var child: pid_t = 0
    let failure = posix_spawn(&child, path, &actions, &attributes, &argv, &envp)
    close(out[1])
    close(err[1])
    defer {
        close(out[0])
        close(err[0])
    }
    guard failure == 0 else {
        throw SpawnError(description: "cannot run \(path): \(String(cString: strerror(failure)))")
    }

    look?(child)
    var run = ProcessRun(output: [], errors: [])
    let deadline = now() + Double(seconds)
    var open = [out[0], err[0]]
    var status: Int32 = 0
    var reaped = false
    // The output may be held open by grandchildren after the child has ended: they get one more second.
    var grace = deadline
    while !open.isEmpty, now() < grace {
        var descriptors = open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = poll(&descriptors, nfds_t(descriptors.count), 50)
        for descriptor in descriptors where descriptor.revents != 0 {
            if !drain(descriptor.fd, into: &run, isOutput: descriptor.fd == out[0]) {
                open.removeAll { $0 == descriptor.fd }
            }
        }
        if !reaped, waitpid(child, &status, WNOHANG) == child {
            reaped = true
            grace = min(deadline, now() + 1)
        }
    }
    while !reaped, now() < deadline {
        if waitpid(child, &status, WNOHANG) == child { reaped = true } else { usleep(1000) }
    }
    if !reaped {
        run.timedOut = true
        run.errors += Array("\n[timed out]\n\(processStates(group: child))\n".utf8)
        kill(-child, SIGKILL)
        waitpid(child, &status, 0)
        return run
    }
    kill(-child, SIGKILL)
    if status & 0x7f == 0 { run.exit = (status >> 8) & 0xff } else { run.signal = status & 0x7f }
    return run
}

/// The environment a test's child gets: the path and nothing that would steer the emulator.
private func inheritedEnvironment() -> [String] {
    ["PATH=\(environmentValue("PATH") ?? "/usr/bin:/bin")", "LC_ALL=C"]
}

public func environmentValue(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}

private func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Reads what is there; false at the end of the stream.
private func drain(_ descriptor: Int32, into run: inout ProcessRun, isOutput: Bool) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = read(descriptor, &buffer, buffer.count)
    if count <= 0 { return count < 0 && errno == EINTR }
    if isOutput, run.output.count < outputLimit { run.output += buffer[..<count] }
    if !isOutput, run.errors.count < outputLimit { run.errors += buffer[..<count] }
    return true
}

public func readFile(_ path: String) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0 { return nil }
        if count == 0 { return bytes }
        bytes += buffer[..<count]
    }
}

public func writeFile(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o755) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode)
    guard descriptor >= 0 else { throw SpawnError(description: "cannot write \(path): errno \(errno)") }
    defer { close(descriptor) }
    guard write(descriptor, bytes, bytes.count) == bytes.count else {
        throw SpawnError(description: "cannot write \(path): errno \(errno)")
    }
}
