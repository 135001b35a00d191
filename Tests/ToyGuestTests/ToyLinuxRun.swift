// Programs of the made-up machine under user mode, as processes of their own.

import EngineModes
import Glibc
import HostOS
import LinuxABI
import TestSupport
import Testing
import ToyABI

/// Signals in the made-up ABI's numbers.
func toySignal(_ signal: Int32) -> UInt32 { UInt32(bitPattern: LinuxTable.bigEndian.signal(signal)) }

/// The emulator of the made-up machine, built beside the tests.
private let toyUser: String = {
    let tests = (try? HostFile.readLink("/proc/self/exe")) ?? ""
    return "/" + tests.split(separator: "/").dropLast().joined(separator: "/") + "/toyuser"
}()

struct ToyFolder: ~Copyable {
    let folder: TemporaryFolder
    var path: String { folder.path }

    init() throws { folder = try TemporaryFolder("toy") }

    /// Writes a program; returns its path.
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let path = path + "/" + name
        try writeFile(path, bytes)
        return path
    }

    func start(
        _ mode: EngineMode, _ file: [UInt8], _ arguments: [String] = [], _ environment: [String] = []
    ) throws -> ProcessRun {
        let path = try write("program", file)
        return try runProcess(
            toyUser, [mode.name, "-0", "program", "--", path] + arguments, adding: environment, seconds: 30)
    }

    /// Runs a program, and expects that all of its checks hold.
    @discardableResult
    func run(
        _ program: ToyProgram, _ mode: EngineMode, arguments: [String] = [], environment: [String] = [],
        file: [UInt8]? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> [UInt8] {
        let run = try start(mode, file ?? program.file(), arguments, environment)
        if run.exit != 0 {
            Issue.record("\(mode): \(what(run, program)) \(run.errorText)", sourceLocation: sourceLocation)
        }
        return run.output
    }

    /// How a program ends.
    func end(_ program: ToyProgram, _ mode: EngineMode) throws -> String {
        what(try start(mode, program.file()), program)
    }

    private func what(_ run: ProcessRun, _ program: ToyProgram) -> String {
        guard let status = run.exit, status > 0, Int(status) <= program.checks.count else { return run.ending }
        return run.ending + ": " + program.checks[Int(status) - 1]
    }
}

/// Numbers as the made-up machine has them in memory.
struct BigEndianBytes {
    let bytes: [UInt8]
    func number(_ at: Int, _ size: Int) -> UInt64 {
        guard at >= 0, at + size <= bytes.count else { return .max }
        return bytes[at..<at + size].reduce(0) { $0 << 8 | UInt64($1) }
    }
    func word(_ at: Int) -> UInt32 { UInt32(truncatingIfNeeded: number(at, 4)) }
    func long(_ at: Int) -> UInt64 { number(at, 8) }
    func string(_ at: Int) -> String {
        guard at >= 0, at < bytes.count else { return "<outside>" }
        return String(decoding: bytes[at...].prefix { $0 != 0 }, as: UTF8.self)
    }
}
