// The options of character devices.

import CharLayer
import EngineSetup
import Options

/// What they say.
struct CharLine: Sendable {
    var devices: [(id: String, device: CharDevice)] = []
    private(set) var givenSerial: [CharSpec] = []
    private(set) var givenMonitors: [CharSpec] = []
    var wantsHelp = false
    /// Ports that no option says anything of lead nowhere.
    var hasNoTerminal = false

    mutating func addSerial(_ value: String) throws(OptionError) { givenSerial.append(try CharSpec(parsing: value)) }
    mutating func addMonitor(_ value: String) throws(OptionError) { givenMonitors.append(try CharSpec(parsing: value)) }
    mutating func addDevice(_ value: String) throws(OptionError) { devices.append(try CharDevice.parse(value)) }

    /// `-mon chardev=ID,mode=readline`.
    mutating func addMonitor(pairs value: String) throws(OptionError) {
        var id: String?
        for (key, value) in try keyedValues(value, implied: "chardev", wanted: "chardev=ID[,mode=readline]") {
            switch key {
            case "chardev": id = value
            case "mode" where value == "readline": break
            case "mode": throw OptionError("mode=\(value): wanted readline")
            default: throw OptionError("'\(key)' is not known; wanted chardev=ID[,mode=readline]")
            }
        }
        guard let id, !id.isEmpty else { throw OptionError("no chardev; wanted chardev=ID[,mode=readline]") }
        givenMonitors.append(.named(id))
    }

    /// Where serial ports lead: the first shares the terminal with the monitor unless something else has it.
    var serial: [CharSpec] {
        if !givenSerial.isEmpty { return givenSerial }
        let devices = devices.map { CharSpec.device($0.device) } + givenMonitors.filter { !$0.isShared }
        return [hasNoTerminal || devices.contains(where: Self.isStandard) ? .null : .sharedStdio]
    }

    private static func isStandard(_ spec: CharSpec) -> Bool {
        if case .device(let device) = spec, case .stdio = device.kind { true } else { false }
    }

    /// The first option that leads to standard input and output, as it is given.
    var usesStandard: String? {
        if let row = devices.first(where: { Self.isStandard(.device($0.device)) }) {
            return "-chardev stdio,id=\(row.id)"
        }
        if givenSerial.contains(where: Self.isStandard) { return "-serial stdio" }
        return givenMonitors.contains(where: Self.isStandard) ? "-monitor stdio" : nil
    }

    /// Where monitors are: where the command line says, and where a serial port is shared with one (`mon:`).
    var monitors: [CharSpec] {
        var list = givenMonitors
        if list.contains(.none) { return list.filter { $0 != .none } }
        for spec in givenMonitors.isEmpty ? serial : givenSerial where spec.isShared && !list.contains(spec) {
            list.append(spec)
        }
        return list
    }
}

let charOptions: [CommandOption<SystemCommandLine>] = [
    CommandOption(
        "chardev", argument: "BACKEND,id=ID[,PROP=VALUE...]", help: "a character device; -chardev help lists back ends"
    ) { (line, value) throws(OptionError) in
        if value == "help" || value == "?" { return line.character.wantsHelp = true }
        try line.character.addDevice(value)
    },
    CommandOption(
        "serial", argument: "FORM",
        help:
            "where the serial port leads: [mon:]stdio, pty, file:PATH, pipe:PATH, unix:PATH, tcp:HOST:PORT, udp:..., /dev/NAME, "
            + "chardev:ID, null, none"
    ) { (line, value) throws(OptionError) in try line.character.addSerial(value) },
    CommandOption("monitor", argument: "FORM", help: "where the monitor is; the forms are those of -serial") {
        (line, value) throws(OptionError) in try line.character.addMonitor(value)
    },
    CommandOption("mon", argument: "chardev=ID[,mode=readline]", help: "a monitor on a character device") {
        (line, value) throws(OptionError) in try line.character.addMonitor(pairs: value)
    },
]
