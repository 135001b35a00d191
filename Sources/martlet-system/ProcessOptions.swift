// The options of a machine's process: what it is called, how it begins, and what becomes of it when the machine ends or begins anew.

import CharLayer
import EngineSetup
import HostOS
import Options

/// What they say.
struct ProcessLine: Sendable {
    var name = NameOption()
    var uuid = MachineUUID.none
    var pidFile: String?
    var isDaemon = false
    /// A reset by the guest ends the machine.
    var endsAtReset = false
    /// A shutdown stops the machine.
    var staysAtShutdown = false

    /// `-action EVENT=ACTION,...`. No device of these machines tells of a panic, or has a watchdog: what they say of these is checked.
    mutating func parse(action text: String) throws(OptionError) {
        var list = try OptionList(parsing: text)
        endsAtReset = try list.take("reboot", ["reset": false, "shutdown": true], "reset or shutdown") ?? endsAtReset
        staysAtShutdown =
            try list.take("shutdown", ["poweroff": false, "pause": true], "poweroff or pause") ?? staysAtShutdown
        for (event, actions) in [
            ("panic", ["pause", "shutdown", "exit-failure", "none"]),
            ("watchdog", ["reset", "shutdown", "poweroff", "inject-nmi", "pause", "debug", "none"]),
        ] {
            _ = try list.take(
                event, Dictionary(uniqueKeysWithValues: actions.map { ($0, true) }), actions.joined(separator: ", "))
        }
        if let pair = list.pairs.first {
            throw OptionError(
                "'\(pair.name)' is not known; wanted reboot=reset|shutdown, shutdown=poweroff|pause, panic=, watchdog=")
        }
    }
}

extension SystemCommandLine {
    /// A daemon has neither a terminal nor anything else that it began with.
    func checkDaemon() throws(CommandError) {
        if !process.isDaemon { return }
        if !isGraphic {
            throw CommandError("-nographic: a daemon has no terminal; wanted -display none with -daemonize")
        }
        if let option = character.usesStandard {
            throw CommandError(
                "\(option): a daemon has no standard input and output; wanted file:, unix:, pty or null with -daemonize"
            )
        }
        if logItems != nil, logFile == nil {
            throw CommandError("-d: a daemon has no standard error; wanted -D FILE with -daemonize")
        }
    }
}

private typealias Option = CommandOption<SystemCommandLine>

let processOptions: [CommandOption<SystemCommandLine>] = [
    Option(
        "name", argument: "[guest=]NAME[,process=NAME][,debug-threads=on|off]",
        help: "the machine's name, that of its process, and whether threads have names of their own"
    ) { (line, value) throws(OptionError) in try line.process.name.parse(value) },
    Option("uuid", argument: "UUID", help: "the machine's UUID: 01234567-89ab-cdef-0123-456789abcdef") {
        (line, value) throws(OptionError) in line.process.uuid = try MachineUUID(parsing: value)
    },
    Option("pidfile", argument: "FILE", help: "a file that has the process's number while it runs") {
        (line, value) throws(OptionError) in line.process.pidFile = value
    },
    Option("daemonize", help: "go on in the background when the machine stands") { (line, _) throws(OptionError) in
        line.process.isDaemon = true
    },
    Option("no-reboot", help: "end where the machine would begin anew") { (line, _) throws(OptionError) in
        line.process.endsAtReset = true
    },
    Option("no-shutdown", help: "stop where the machine would end") { (line, _) throws(OptionError) in
        line.process.staysAtShutdown = true
    },
    Option(
        "action", argument: "EVENT=ACTION,...",
        help:
            "reboot=reset|shutdown, shutdown=poweroff|pause; panic= and watchdog= are checked, and nothing causes them"
    ) { (line, value) throws(OptionError) in try line.process.parse(action: value) },
    Option(
        "boot", argument: "[order=]LETTERS[,menu=on|off][,strict=on|off]...",
        help:
            "what firmware is told: menu, splash=FILE, splash-time=MS, reboot-timeout=MS, strict=on: nothing but devices with bootindex; letters make no difference"
    ) { (line, value) throws(OptionError) in try line.boot.parse(value) },
]
