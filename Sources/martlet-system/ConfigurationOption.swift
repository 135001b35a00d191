// `-readconfig`: options in a file. Each of its groups is one option, whose value is the group's pairs.

import EngineSetup
import HostOS
import Options

private struct ConfigurationGroup {
    /// As files call it.
    let name: String
    let option: String
    /// The name of what the option's value begins with.
    let first: String?

    init(_ name: String, _ option: String? = nil, first: String? = nil) {
        self.name = name
        self.option = option ?? name
        self.first = first
    }

    static let all = [
        ConfigurationGroup("machine", first: "type"), ConfigurationGroup("memory", "m", first: "size"),
        ConfigurationGroup("smp-opts", "smp", first: "cpus"), ConfigurationGroup("boot-opts", "boot"),
        ConfigurationGroup("name"), ConfigurationGroup("action"), ConfigurationGroup("rtc"),
        ConfigurationGroup("icount"), ConfigurationGroup("accel", first: "accel"), ConfigurationGroup("global"),
        ConfigurationGroup("drive"), ConfigurationGroup("device", first: "driver"),
        ConfigurationGroup("object", first: "qom-type"), ConfigurationGroup("chardev", first: "backend"),
        ConfigurationGroup("mon", first: "chardev"), ConfigurationGroup("netdev", first: "type"),
        ConfigurationGroup("nic", first: "type"), ConfigurationGroup("net", first: "type"),
        ConfigurationGroup("fsdev", first: "fsdriver"), ConfigurationGroup("virtfs", first: "fsdriver"),
        ConfigurationGroup("fw_cfg", first: "name"),
    ]

    /// The value as the option would take it: a value without a name at its front.
    func value(of group: ConfigurationFile.Group) -> String {
        var pairs = group.pairs.map { ($0.name, $0.value ?? "") }
        if let id = group.id { pairs.append(("id", id)) }
        var parts: [String] = []
        if let first, let index = pairs.firstIndex(where: { $0.0 == first }) {
            parts.append(Self.escaped(pairs.remove(at: index).1))
        }
        return (parts + pairs.map { "\($0.0)=\(Self.escaped($0.1))" }).joined(separator: ",")
    }

    private static func escaped(_ text: String) -> String {
        text.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
    }
}

let configurationOptions: [CommandOption<SystemCommandLine>] = [
    CommandOption("readconfig", argument: "FILE", help: "options of a file: groups such as [device \"ID\"]") {
        (line, path) throws(OptionError) in
        let text: String
        do throws(Errno) { text = try HostFile.text(path, most: 1 << 20) } catch { throw OptionError(error.message) }
        for group in try ConfigurationFile(parsing: text).groups {
            guard let row = ConfigurationGroup.all.first(where: { $0.name == group.name }),
                let option = systemOptions.first(where: { $0.names.contains(row.option) })
            else {
                let names = ConfigurationGroup.all.map(\.name).joined(separator: ", ")
                throw OptionError("line \(group.line): there is no group '\(group.name)'; there are \(names)")
            }
            do throws(OptionError) { try option.apply(&line, row.value(of: group)) } catch {
                throw OptionError("line \(group.line): \(group.head): \(error.message)")
            }
        }
    },
    CommandOption(
        "global", argument: "DRIVER.PROP=VALUE",
        help:
            "a property of all devices of a kind that are not told another; also driver=DRIVER,property=PROP,value=VALUE"
    ) { (line, value) throws(OptionError) in line.globals.append(try GlobalProperty(parsing: value)) },
]
