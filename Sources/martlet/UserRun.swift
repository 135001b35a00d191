// One run in user mode: builds the guest, the host and the engine from the command line's wishes and hands over to LinuxUser.

import Diagnostics
import EngineSetup
import ExecutionEngine
import GuestKit
import HostOS
import LinuxMemory
import LinuxUser
import TranslationStore

struct UserRun {
    let line: UserCommandLine
    let guest: GuestRow?
    let program: String
    let arguments: [[UInt8]]
    let diagnostics: Diagnostics

    func run() throws(CommandError) -> Int32 {
        var options = UserModeOptions(program: program)
        options.arguments = arguments
        options.argumentZero = line.argumentZero
        options.environment = environment()
        options.prefix = line.prefix.map { $0.count > 1 && $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        options.commandName = line.commandName
        options.programDescriptor = line.programDescriptor
        options.stackSize = line.stackSize
        options.memoryLimits = line.memoryLimits
        options.seccompFilters = line.seccompFilters
        options.reservedSize = line.reservedSize
        options.seed = line.seed
        options.diagnostics = diagnostics
        options.relaunchArguments = [Array(relaunchCommand.utf8)] + line.inherited
        let folder = DiskCache.folder(line.accelerator.diskCache)
        // What the guest does to its environment does not move the folder.
        if let folder, line.accelerator.diskCache?.hasPrefix("/") != true, !folder.contains(",") {
            let parent = folder.dropLast("/translations".count)
            options.relaunchArguments += ["-accel", "tcg,cache=\(parent)"].map { Array($0.utf8) }
        } else if folder == nil, line.accelerator.diskCache != "off" {
            options.relaunchArguments += ["-accel", "tcg,cache=off"].map { Array($0.utf8) }
        }
        if let path = line.profile {
            options.profile = ProfileRequest(path: path, isChild: line.isExecuted)
            options.relaunchArguments += [Array("-profile".utf8), Array(path.utf8)]
        }

        let rows = try rowsWithCPU()
        var made: [UserModeGuest] = []
        let names = rows.dropFirst().reduce(rows[0].name) { $0 + ", " + $1.name }
        return runUserProgram(options, runs: names) { file in
            if let known = made.first(where: { $0.abi.runs(file) }) { return known }
            guard let row = rows.first(where: { $0.elf.machine == file.machine && $0.elf.words == file.words }),
                let new = try? userModeGuest(row, folder), new.abi.runs(file)
            else { return nil }
            made.append(new)
            return new
        }
    }

    /// The guests that may be run: those that have the CPU that is asked for. It is looked at before the program is opened, so that a
    /// wrong one is told whatever the program is.
    private func rowsWithCPU() throws(CommandError) -> [GuestRow] {
        let rows = guest.map { [$0] } ?? allGuests
        guard line.cpu != nil else { return rows }
        var refusal: CommandError?
        let able = rows.filter { row in
            do throws(CommandError) {
                _ = try row.make(line.cpu)
                return true
            } catch {
                refusal = refusal ?? error
                return false
            }
        }
        if able.isEmpty, let refusal { throw refusal }
        return able
    }

    private func userModeGuest(_ row: GuestRow, _ folder: String?) throws(CommandError) -> UserModeGuest {
        let made = try row.make(line.cpu)
        let perfMap = line.perfMap ? PerfMap() : nil
        let session = EngineSession(line: line, diagnostics: diagnostics, perfMap: perfMap, folder: folder)
        return UserModeGuest(
            abi: made.abi, architecture: made.architecture, hardwareCapabilities: made.hardwareCapabilities,
            makeEngine: { memory, program in
                try session.makeEngine(made.architecture, memory, name: row.name, program: program)
            },
            willExit: { session.finish() })
    }

    /// The guest's environment: the host's, less -U, plus -E.
    private func environment() -> [[UInt8]] {
        var result = HostProcess.environment
        func remove(_ name: some Sequence<UInt8>) {
            let prefix = Array(name) + [UInt8(ascii: "=")]
            result.removeAll { $0.starts(with: prefix) }
        }
        for name in line.unsetVariables { remove(name.utf8) }
        for setting in line.setVariables {
            remove(setting.utf8.prefix { $0 != UInt8(ascii: "=") })
            result.append(Array(setting.utf8))
        }
        return result
    }
}

/// Makes the engine and tells about it at the end.
private final class EngineSession {
    let line: UserCommandLine
    let diagnostics: Diagnostics
    let perfMap: PerfMap?
    /// Where translations are kept.
    let folder: String?
    private var engine: Engine?

    init(line: UserCommandLine, diagnostics: Diagnostics, perfMap: PerfMap?, folder: String?) {
        self.line = line
        self.diagnostics = diagnostics
        self.perfMap = perfMap
        self.folder = folder
    }

    func makeEngine(
        _ guest: any GuestArchitecture, _ memory: UserAddressSpace, name: String, program: String
    ) throws -> Engine {
        var options = line.accelerator.engineOptions(diagnostics)
        options.measuresTime = line.statistics || line.profile != nil
        options.isProfiled = line.profile != nil
        if let perfMap { options.codeListener = { perfMap.add($0, $1, $2) } }
        options.store = DiskCache.options(
            line.accelerator, options, folder: folder, kept: KeptFolder(descriptor: line.storeDescriptor), guest: name,
            cpu: line.cpu, program: program)
        let host = try AcceleratorOptions.host(options.tier)
        let engine = try Engine(guest: guest, host: host, memory: memory, options: options)
        memory.codeHolder = engine
        self.engine = engine
        return engine
    }

    func finish() {
        guard line.statistics, let engine else { return }
        let c = engine.counters
        func each(_ time: UInt64, _ count: Int) -> UInt64 { count == 0 ? 0 : time / UInt64(count) }
        let baseline = each(c.translationTime - c.optimizedTime, c.guestInstructions - c.optimizedInstructions)
        let optimizing = each(c.optimizedTime, c.optimizedInstructions)
        writeStandardError(
            """
            translation: \(baseline) ns per guest instruction in the baseline tier (\(c.guestInstructions - c.optimizedInstructions) \
            instructions, \(c.translations - c.optimized) translations), \(optimizing) ns in the optimizing tier \
            (\(c.optimizedInstructions) instructions, \(c.optimized) regions); \(c.hostBytes) host bytes for \(c.guestBytes) guest bytes
            chaining: \(c.links) links, \(c.invalidated) invalidated, \(c.revived) of them revived, \(c.dropped) dropped, \(c.flushes) flushes

            """)
        if line.accelerator.verification != .none {
            func share(_ m: EngineCounters.Made) -> String { "\(m.verified) of \(m.count)" }
            writeStandardError(
                """
                verified: \(share(c.baseline)) translations in the baseline tier, \(share(c.optimizing)) regions in the optimizing \
                tier, \(share(c.background)) compiled in the background

                """)
        }
        if let s = engine.storeCounters {
            writeStandardError(
                """
                disk cache: \(s.rows) translations in \(s.bytes) bytes found, \(s.installed) installed, \(s.stale) stale; \
                \(s.written) translations in \(s.writtenBytes) bytes written\(s.error.map { ", failed: \($0)" } ?? "")

                """)
        }
    }
}
