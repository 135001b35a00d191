// From the command line to a machine that runs.

import CharLayer
import Diagnostics
import EngineSetup
import HostOS
import Machines

struct SystemCommand {
    let target: TargetRow

    init(_ target: TargetRow) { self.target = target }

    func run(_ arguments: [String]) throws(CommandError) -> Int32 {
        var line = SystemCommandLine()
        let usage = "martlet system \(target.name) -h"
        let end = try CommandOption.read(arguments, systemOptions, into: &line, usage: usage)
        if end < arguments.count { throw CommandError("'\(arguments[end])' is no option; '\(usage)' lists them") }
        if let text = try answer(line) {
            writeStandardOutput(text)
            return 0
        }
        line.globals.warn()
        try line.checkDaemon()
        if line.process.isDaemon {
            line.character.hasNoTerminal = true
            do throws(Errno) {
                if let status = try HostDaemon.detach() { return status }
            } catch { throw CommandError("-daemonize: no process for it: \(error.message)") }
        }
        let diagnostics: Diagnostics
        do {
            diagnostics = try Diagnostics(
                items: line.logItems, filter: line.logFilter, file: line.logFile, appending: false)
        } catch {
            throw CommandError("\(error)")
        }
        return try SystemRun(target: target, line: line, diagnostics: diagnostics).run()
    }

    /// What is asked for instead of a run.
    private func answer(_ line: SystemCommandLine) throws(CommandError) -> String? {
        if line.wantsHelp {
            return "usage: martlet system \(target.name) [OPTIONS]\n\nOptions:\n"
                + systemOptions.map { $0.helpLine() }.joined()
        }
        if line.wantsVersion { return systemVersion }
        if line.logItems == "help" || line.logItems == "?" { return LogItem.help }
        if line.character.wantsHelp { return CharDevice.help }
        if line.machine == "help" || line.machine == "?" { return machineHelp }
        if let help = line.deviceHelp { return help }
        if let help = line.objectHelp ?? line.netdevHelp { return help }
        if line.cpu == "help" || line.cpu == "?" { return target.cpuHelp() }
        return nil
    }

    private var machineHelp: String {
        var text = "Supported machines are:\n"
        for machine in target.machines() {
            let mark = machine.name == target.usualMachine ? " (default)" : ""
            text += machine.name + String(repeating: " ", count: max(1, 21 - machine.name.utf8.count))
            text += machine.summary + mark + "\n"
        }
        return text
    }
}
