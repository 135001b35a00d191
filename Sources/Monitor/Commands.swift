// The monitor's commands, as a table.

import Diagnostics
import EventLoop
import SystemKit

extension Monitor {
    struct Command {
        let names: [String]
        let arguments: String
        let help: String
        /// Gets what stands behind the name. The answer ends with a line's end, unless there is none.
        let run: (Monitor, [Substring]) -> String
    }

    static var commands: [Command] {
        var rows: [Command] = []
        func row(
            _ names: String, _ arguments: String, _ help: String, _ run: @escaping (Monitor, [Substring]) -> String
        ) {
            rows.append(
                Command(names: names.split(separator: "|").map(String.init), arguments: arguments, help: help, run: run)
            )
        }
        row("help|?", "[COMMAND]", "list the commands") { _, words in help(words.first.map(String.init)) }
        row("info", "NAME", "show what the machine is doing; without NAME, list what can be shown") { $0.info($1) }
        row("stop|s", "", "stop the machine") { monitor, _ in
            monitor.control.stop()
            return ""
        }
        row("cont|c", "", "let the machine run") { monitor, _ in
            monitor.control.start()
                ? "" : "the machine cannot go on: it is in state '\(monitor.control.state.rawValue)'\n"
        }
        row("system_reset", "", "begin anew, as by the reset button") { monitor, _ in
            monitor.control.requestReset(.monitor)
            return ""
        }
        row("system_powerdown", "", "press the power button") { monitor, _ in
            monitor.control.requestPowerdown()
            return monitor.control.actions.powerdown == nil
                ? "the machine has no power button: its software is not told\n" : ""
        }
        row("quit|q", "", "end Martlet") { monitor, _ in
            monitor.control.requestShutdown(.monitor)
            return ""
        }
        row("x", "/FMT ADDRESS", "show memory at a virtual address") { $0.examine($1, $0.sources.readVirtual) }
        row("xp", "/FMT ADDRESS", "show memory at a physical address") { $0.examine($1, $0.sources.readPhysical) }
        return rows + blockCommands + networkCommands + ringCommands + [balloonCommand]
    }

    /// The text that a line is answered with.
    public func answer(to line: String) -> String {
        var words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard !words.isEmpty else { return "" }
        var name = String(words.removeFirst())
        // `x/4i` is `x /4i`.
        if let slash = name.firstIndex(of: "/"), slash != name.startIndex {
            words.insert(name[slash...], at: 0)
            name = String(name[..<slash])
        }
        guard let command = Self.commands.first(where: { $0.names.contains(name) }) else {
            return "'\(name)' is no command: 'help' lists them\n"
        }
        return command.run(self, words)
    }

    private static func help(_ name: String?) -> String {
        let rows = commands.filter { name == nil || $0.names.contains(name ?? "") }
        if rows.isEmpty { return "'\(name ?? "")' is no command\n" }
        return rows.map {
            "\($0.names.joined(separator: "|"))\($0.arguments.isEmpty ? "" : " ")\($0.arguments) -- \($0.help)\n"
        }.joined()
    }

    private var shown: [(name: String, help: String, text: ([Substring]) -> String)] {
        let rows: [(name: String, help: String, text: () -> String)] =
            [
                ("mtree", "physical addresses, and who answers there", { [board] in board.tree() }),
                ("qtree", "registers of all devices", { [board] in board.tree(registers: true) }),
                ("balloon", "memory that the guest has", { self.balloonInfo }),
                ("status", "whether the machine runs", { [control] in "VM status: \(control.state.rawValue)\n" }),
            ] + sources.info + (sources.network.map(Self.networkInfo) ?? [])
        return rows.map { row in (row.name, row.help, { _ in row.text() }) }
            + (sources.block.map { BlockInfo(commands: $0).rows } ?? [])
    }

    private func info(_ words: [Substring]) -> String {
        guard let name = words.first else { return shown.map { "info \($0.name) -- \($0.help)\n" }.joined() }
        guard let row = shown.first(where: { $0.name == name }) else {
            return "'\(name)' is nothing to show: 'info' lists what is\n"
        }
        let text = row.text(Array(words.dropFirst()))
        return text.hasSuffix("\n") || text.isEmpty ? text : text + "\n"
    }
}
