// A profile being taken: the file, the threads' samplers and timers, and the totals that are written when the process ends.
//
// A process that a fork makes has a file of its own, FILE.PID, as has a program that the guest executes (the application hands out
// that name).

import CLinux
import ExecutionEngine
import HostOS
import Synchronization

public final class Profile: @unchecked Sendable {
    /// Absolute: children append their process id.
    public let path: String
    private let command: [[UInt8]]
    private var file: Int32
    private let calls = SystemCallTimes()
    private let signals = Atomic<UInt64>(0)
    private var started = HostClock.monotonic()
    /// M lines, for the files of children. Guarded by the guest memory's lock, under which mappings are made and processes forked.
    private var mappings: [String] = []

    /// Creates the file FILE, or FILE.PID where `isChild`. `command`: program and arguments.
    public init(path: String, isChild: Bool, command: [[UInt8]]) throws(Errno) {
        self.path = path
        self.command = command
        file = try HostFile.openLog(isChild ? Self.childPath(path) : path)
        writeHead()
        SampleSignal.start(takeSample)
    }

    private static func childPath(_ path: String) -> String { "\(path).\(HostProcess.processID)" }

    private func writeHead() {
        let words = ProfileFormat.escaped(command.joined(separator: [UInt8(ascii: " ")]))
        write("\(ProfileFormat.firstLine)\nP \(HostProcess.processID) \(ProfileFormat.period) \(words)\n")
    }

    private func write(_ text: String) { writeAll(file, text) }

    /// The descriptor in use, to be kept from guests that close descriptors.
    public var descriptor: Int32 { file }

    // MARK: Mappings

    /// Guest [start, start + length) is now executable memory of an open file. Called under the guest memory's lock.
    public func addMapping(_ start: UInt64, _ length: UInt64, fd: Int32, offset: UInt64) {
        guard let name = try? HostFile.readLink("/proc/self/fd/\(fd)") else { return }
        func hex(_ value: UInt64) -> String { String(value, radix: 16) }
        let line = "M \(hex(start)) \(hex(start &+ length)) \(hex(offset)) \(ProfileFormat.escaped(name.utf8))\n"
        mappings.append(line)
        write(line)
    }

    // MARK: Threads

    /// Samples the calling thread from now on.
    public func start(_ vcpu: VCPU, _ stackPointer: StackPointerPlace) -> ProfiledThread? {
        let sampler = UnsafeMutablePointer<Sampler>.allocate(capacity: 1)
        sampler.initialize(
            to: Sampler(file: file, thread: HostProcess.threadID, vcpu: vcpu, stackPointer: stackPointer))
        ThreadSlot.sampler = UnsafeMutableRawPointer(sampler)
        guard let timer = try? SampleTimer(period: ProfileFormat.period) else {
            ThreadSlot.sampler = nil
            sampler.pointee.deallocate()
            sampler.deallocate()
            return nil
        }
        return ProfiledThread(sampler: sampler, timer: timer)
    }

    /// In a forked child, on its only thread: a file and a timer of its own.
    public func becomeChild(_ thread: inout ProfiledThread?) {
        HostFile.close(file)
        file = (try? HostFile.openLog(Self.childPath(path))) ?? -1
        writeHead()
        for line in mappings { write(line) }
        calls.reset()
        signals.store(0, ordering: .relaxed)
        started = HostClock.monotonic()
        guard let old = thread, let timer = try? SampleTimer(period: ProfileFormat.period) else { return }
        old.sampler.pointee.file = file
        old.sampler.pointee.thread = HostProcess.threadID
        thread = ProfiledThread(sampler: old.sampler, timer: timer)
    }

    // MARK: Totals

    /// A system call begins; returns when, for `endSystemCall`.
    public func beginSystemCall(_ number: UInt64) -> UInt64 {
        calls.addCall(number)
        return HostClock.monotonic()
    }

    public func endSystemCall(_ number: UInt64, since start: UInt64, failed: Bool) {
        calls.addTime(number, nanoseconds: HostClock.monotonic() &- start, failed: failed)
    }

    public func countSignal() { signals.wrappingAdd(1, ordering: .relaxed) }

    /// Writes the totals: before the process ends, or becomes another program. `name`: of a system call.
    public func finish(_ counters: [(name: String, value: UInt64)], name: (UInt64) -> String?) {
        var text = "C wall-nanoseconds \(HostClock.monotonic() &- started)\n"
        text += "C cpu-nanoseconds \(HostClock.processorTime())\nC signals \(signals.load(ordering: .relaxed))\n"
        for counter in counters { text += "C \(counter.name) \(counter.value)\n" }
        for number in 0..<SystemCallTimes.count {
            let row = calls.totals(number)
            if row.calls == 0 { continue }
            text += "Y \(number) \(name(UInt64(number)) ?? "?") \(row.calls) \(row.nanoseconds) \(row.errors)\n"
        }
        write(text)
    }
}

/// A thread whose samples are taken.
public struct ProfiledThread {
    let sampler: UnsafeMutablePointer<Sampler>
    let timer: SampleTimer

    /// Ends the sampling of the calling thread.
    public func stop() {
        timer.cancel()
        ThreadSlot.sampler = nil
        sampler.pointee.deallocate()
        sampler.deallocate()
    }
}
