// The options of system mode, as one table. Names and meanings are those of qemu-system, so that scripts written for it work.

import EngineSetup
import Machines
import Options

/// What the command line says, before anything is opened.
struct SystemCommandLine: Sendable {
    var machine: String?
    /// Properties of `-M`: NAME=VALUE.
    var machineProperties: [(name: String, value: String)] = []
    var cpu: String?
    var memory = MemoryOption()
    var topology = TopologyOption()
    var firmware: String?
    var kernel: String?
    var initrd: String?
    var arguments: String?
    var tree: String?
    var loaders: [LoaderDevice] = []
    var devices: [DeviceOption] = []
    var deviceHelp: String?
    var block = BlockLine()
    var networks: [NetworkOption] = []
    var shares: [ShareOption] = []
    var netdevHelp: String?
    var objects: [ObjectOption] = []
    var objectHelp: String?
    var firmwareFiles: [FirmwareFileOption] = []
    var character = CharLine()
    var isGraphic = true
    var process = ProcessLine()
    var boot = BootOption()
    var globals: [GlobalProperty] = []
    var startsStopped = false
    var seed: UInt64?
    /// Instructions drive the machine's clock.
    var counting: CountingOption?
    var clock = ClockOption()
    var logItems: String?
    var logFile: String?
    var logFilter: String?
    var accelerator = AcceleratorOptions()
    var wantsHelp = false
    var wantsVersion = false
}

extension SystemCommandLine {
    /// An identifier names one thing of its kind.
    func checkIdentifiers() throws(CommandError) {
        let kinds: [(option: String, ids: [String])] = [
            ("-chardev", character.devices.map(\.id)), ("-drive", block.drives.compactMap(\.id)),
            ("-netdev", networks.filter { $0.kind != nil }.map(\.id)), ("-fsdev", shares.map(\.id)),
            ("-object", objects.map(\.id) + block.groups.map(\.id)), ("-device", devices.compactMap(\.id)),
        ]
        for (option, ids) in kinds {
            var seen: Set<String> = []
            for id in ids where !seen.insert(id).inserted {
                throw CommandError("\(option) id=\(id): there are two of them; wanted another one")
            }
        }
    }
}

private typealias Option = CommandOption<SystemCommandLine>

let systemOptions: [CommandOption<SystemCommandLine>] =
    generalOptions + blockOptions + objectOptions + charOptions + processOptions + configurationOptions

private let generalOptions: [CommandOption<SystemCommandLine>] = [
    Option("h", "help", help: "print this help and exit") { (line, _) throws(OptionError) in line.wantsHelp = true },
    Option("version", help: "print the version and exit") { (line, _) throws(OptionError) in
        line.wantsVersion = true
    },
    Option(
        "M", "machine", argument: "NAME[,PROP=VALUE...]",
        help:
            "the machine; -M help lists them; aclint=on|off, acpi=off|auto, pflash0=DRIVE, pflash1=DRIVE (virt), dumpdtb=FILE"
    ) { (line, value) throws(OptionError) in
        for pair in try OptionList(parsing: value, implied: "type").pairs {
            guard let value = pair.value else {
                throw OptionError("'\(pair.name)' wants a value: \(pair.name)=VALUE")
            }
            if pair.name == "type" { line.machine = value } else { line.machineProperties.append((pair.name, value)) }
        }
    },
    Option("cpu", argument: "MODEL[,EXT=on|off...]", help: "CPU model and extensions; -cpu help lists them") {
        (line, value) throws(OptionError) in line.cpu = value
    },
    Option(
        "m", argument: "SIZE[,slots=N,maxmem=SIZE]", help: "RAM in MiB, or with K, M, G; slots and maxmem are taken"
    ) { (line, value) throws(OptionError) in line.memory = try MemoryOption(parsing: value) },
    Option(
        "smp", argument: "N[,sockets=N,cores=N,threads=N,maxcpus=N]",
        help: "how many harts; the rest is checked, and makes no difference"
    ) { (line, value) throws(OptionError) in line.topology = try TopologyOption(parsing: value) },
    Option("bios", argument: "none|default|FILE", help: "firmware; default: OpenSBI where it is found") {
        (line, value) throws(OptionError) in line.firmware = value
    },
    Option("kernel", argument: "FILE", help: "kernel: an Image, an ELF file or raw, also compressed by gzip") {
        (line, value) throws(OptionError) in line.kernel = value
    },
    Option("initrd", argument: "FILE", help: "initial RAM disk") { (line, value) throws(OptionError) in
        line.initrd = value
    },
    Option("append", argument: "TEXT", help: "the kernel's command line") { (line, value) throws(OptionError) in
        line.arguments = value
    },
    Option("dtb", argument: "FILE", help: "a device tree in place of the machine's own") {
        (line, value) throws(OptionError) in line.tree = value
    },
    Option(
        "device", argument: "NAME[,PROP=VALUE...]",
        help:
            "add a device; -device help lists them; loader puts a file or a word into memory: file, addr, data, cpu-num"
    ) { (line, value) throws(OptionError) in
        if let help = DeviceOption.help(value) { return line.deviceHelp = help }
        guard value == "loader" || value.hasPrefix("loader,") else {
            return line.devices.append(try DeviceOption(parsing: value))
        }
        do { line.loaders.append(try LoaderDevice(parsing: String(value.dropFirst(7)))) } catch {
            throw OptionError("\(error)")
        }
    },
    Option(
        "fw_cfg", argument: "[name=]NAME,file=FILE|string=TEXT",
        help: "a file for firmware; names begin with opt/ by custom"
    ) { (line, value) throws(OptionError) in line.firmwareFiles.append(try FirmwareFileOption(parsing: value)) },
    Option(
        "netdev", argument: "TYPE,id=ID[,PROP=VALUE...]",
        help:
            "what a network card's cable leads to: user (connections of the host's), stream, dgram, socket (other machines), hubport"
    ) { (line, value) throws(OptionError) in
        if value == "help" || value == "?" { return line.netdevHelp = NetworkOption.help }
        line.networks.append(try NetworkOption(netdev: value))
    },
    Option("nic", argument: "TYPE|none[,mac=ADDRESS][,PROP=VALUE...]", help: "a network card, and what -netdev takes") {
        (line, value) throws(OptionError) in
        if let network = try NetworkOption(nic: value, number: line.networks.count) { line.networks.append(network) }
    },
    Option(
        "fsdev", argument: "local,id=ID,path=FOLDER,security_model=MODEL",
        help: "a folder for a 9p device: none, passthrough or mapped-xattr; readonly=on|off, fmode, dmode"
    ) { (line, value) throws(OptionError) in line.shares.append(try ShareOption(fsdev: value)) },
    Option(
        "virtfs", argument: "local,path=FOLDER,mount_tag=TAG,security_model=MODEL",
        help: "a folder that the guest mounts by that tag, and what -fsdev takes"
    ) { (line, value) throws(OptionError) in
        line.shares.append(try ShareOption(virtfs: value, number: line.shares.count))
    },
    Option("net", argument: "nic|TYPE|none[,PROP=VALUE...]", help: "a network card, or what -netdev takes, on hub 0") {
        (line, value) throws(OptionError) in
        line.networks += try NetworkOption.old(value, number: line.networks.count)
    },
    Option("nographic", help: "serial port and monitor share the terminal: Ctrl-A h helps (as without this option)") {
        (line, _) throws(OptionError) in line.isGraphic = false
    },
    Option("display", argument: "none", help: "there is no display yet") { (line, value) throws(OptionError) in
        if value != "none" { throw OptionError("wanted none: there is no display yet") }
    },
    Option("S", help: "wait for 'cont' of the monitor before the harts begin") { (line, _) throws(OptionError) in
        line.startsStopped = true
    },
    Option(
        "rtc", argument: "base=utc|localtime|DATE,clock=host|rt|vm",
        help:
            "what the real-time clock shows at the start (DATE: 2026-01-31T12:00:00 or 2026-01-31), and what drives it"
    ) { (line, value) throws(OptionError) in try line.clock.parse(value) },
    Option(
        "icount", argument: "N|auto[,sleep=on|off,align=on|off]",
        help: "instructions drive the clock, 2^N ns each: all runs are the same; sleep=off: time to wait is left out"
    ) { (line, value) throws(OptionError) in line.counting = try CountingOption(parsing: value) },
    Option("seed", argument: "NUMBER", help: "make the kernel's random seed repeatable") {
        (line, value) throws(OptionError) in
        guard let seed = parseSize(value, unit: 1) else { throw OptionError("wanted a number") }
        line.seed = seed
    },
    Option("d", argument: "ITEM,...", help: "log these items; -d help lists them") {
        (line, value) throws(OptionError) in line.logItems = value
    },
    Option("D", argument: "FILE", help: "write the log to FILE") { (line, value) throws(OptionError) in
        line.logFile = value
    },
    Option("dfilter", argument: "RANGE,...", help: "log only these guest addresses") {
        (line, value) throws(OptionError) in line.logFilter = value
    },
    Option(
        "accel", argument: "tcg[,PROP=VALUE...]",
        help:
            "thread=single|multi, tier=auto|interpreter|baseline|optimizing, hot=EXECUTIONS, background=on|off, tb-size=SIZE, "
            + "one-insn-per-tb=on|off, no-pass=NAME, optimize-only=START..END, verify=all|N|none"
    ) { (line, value) throws(OptionError) in try line.accelerator.parse(value) },
]
