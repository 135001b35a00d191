// The options of the image tool's commands, as one table. A command says which of them it takes.

import BlockLayer
import EngineSetup
import HostOS
import Options

/// What the command line says.
struct ImageLine: Sendable {
    var command = ""
    var operands: [String] = []
    var format: String?
    var otherFormat: String?
    var outputFormat: String?
    var backing: String?
    var creation: [(key: String, value: String)] = []
    var isJSON = false
    var showsChain = false
    var repair = QCOW2Repair.nothing
    var isQuiet = false
    var showsProgress = false
    var isUnlocked = false
    var isUnsafe = false
    var compresses = false
    var createsNothing = false
    var shrinks = false
    var isStrict = false
    var sparseSize: UInt64 = 4096
    var size: UInt64?
    var cache = CacheMode(ignoresFlushes: true)
    var sourceCache = CacheMode()
    /// Of a snapshot command: its letter, and its argument.
    var action: (letter: String, name: String)?
    var keepsContents = false
    var bench = BenchLine()
    var wantsHelp = false
}

private typealias Option = CommandOption<ImageLine>

private func cacheMode(_ value: String) throws(OptionError) -> CacheMode {
    guard let row = CacheMode.named.first(where: { $0.name == value }) else {
        throw OptionError("Invalid cache option: \(value)")
    }
    return row.mode
}

let imageOptions: [CommandOption<ImageLine>] = [
    Option("h", "help", help: "print this help and exit") { (line, _) throws(OptionError) in line.wantsHelp = true },
    Option("f", argument: "FMT", help: "the format: raw or qcow2; without it the first bytes tell") {
        (line, value) throws(OptionError) in line.format = value
    },
    Option("F", argument: "FMT", help: "the format of the backing file, or of the second image") {
        (line, value) throws(OptionError) in line.otherFormat = value
    },
    Option("O", argument: "FMT", help: "the format of the output; default: raw") {
        (line, value) throws(OptionError) in line.outputFormat = value
    },
    Option("b", "B", argument: "FILE", help: "the backing file") { (line, value) throws(OptionError) in
        line.backing = value
    },
    Option(
        "o", argument: "NAME=VALUE,...",
        help:
            "of a new image: size, cluster_size, compat, refcount_bits, lazy_refcounts, compression_type, backing_file, backing_fmt"
    ) { (line, value) throws(OptionError) in
        for part in value.split(separator: ",") {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard halves.count == 2 else { throw OptionError("Invalid parameter '\(part)'") }
            line.creation.append((halves[0], halves[1]))
        }
    },
    Option("output", argument: "human|json", help: "the form of what is printed") { (line, value) throws(OptionError) in
        guard value == "human" || value == "json" else {
            throw OptionError("--output must be used with human or json as argument.")
        }
        line.isJSON = value == "json"
    },
    Option("backing-chain", help: "tell of the backing files too") { (line, _) throws(OptionError) in
        line.showsChain = true
    },
    Option("r", argument: "leaks|all", help: "repair: clusters that nobody uses, or all that is wrong") {
        (line, value) throws(OptionError) in
        guard value == "leaks" || value == "all" else {
            throw OptionError("-r expects 'leaks' or 'all' as argument, not '\(value)'")
        }
        line.repair = value == "all" ? .all : .leaks
    },
    Option("q", help: "print nothing but errors") { (line, _) throws(OptionError) in line.isQuiet = true },
    Option("p", help: "print how far it is") { (line, _) throws(OptionError) in line.showsProgress = true },
    Option("U", "force-share", help: "read an image that others write") { (line, _) throws(OptionError) in
        line.isUnlocked = true
    },
    Option("u", help: "do not look at the backing file") { (line, _) throws(OptionError) in line.isUnsafe = true },
    Option("n", help: "write to an image that is there") { (line, _) throws(OptionError) in line.createsNothing = true
    },
    Option("shrink", help: "allow that the disk gets smaller") { (line, _) throws(OptionError) in line.shrinks = true },
    Option("S", argument: "SIZE", help: "leave out runs of zeros of so many bytes; default: 4k") {
        (line, value) throws(OptionError) in
        guard let size = parseSize(value, unit: 1) else { throw OptionError("Invalid sparse size specified") }
        line.sparseSize = size
    },
    Option("size", argument: "SIZE", help: "the size of the disk") { (line, value) throws(OptionError) in
        guard let size = parseSize(value, unit: 1) else {
            throw OptionError("Invalid image size specified: '\(value)'")
        }
        line.size = size
    },
    Option("t", argument: "CACHE", help: "how the output is written: writeback, none, writethrough, directsync, unsafe")
    {
        (line, value) throws(OptionError) in line.cache = try cacheMode(value)
    },
    Option("T", argument: "CACHE", help: "how the source is read") { (line, value) throws(OptionError) in
        line.sourceCache = try cacheMode(value)
    },
    Option("m", argument: "N", help: "taken, and makes no difference") { (_, _) throws(OptionError) in },
    Option("W", help: "taken, and makes no difference") { (_, _) throws(OptionError) in },
]

/// Options whose meaning is the command's own.
private let ownOptions: [String: [CommandOption<ImageLine>]] = [
    "bench": BenchLine.options,
    "compare": [
        Option("s", help: "images of different sizes differ") { (line, _) throws(OptionError) in line.isStrict = true }
    ],
    "convert": [Option("c", help: "compress") { (line, _) throws(OptionError) in line.compresses = true }],
    "commit": [
        Option("d", help: "leave the image as it is") { (line, _) throws(OptionError) in line.keepsContents = true }
    ],
    "snapshot": [
        Option("l", help: "list") { (line, _) throws(OptionError) in line.action = ("l", "") },
        Option("a", argument: "NAME", help: "make the disk what it was") { (line, value) throws(OptionError) in
            line.action = ("a", value)
        },
        Option("c", argument: "NAME", help: "take one") { (line, value) throws(OptionError) in
            line.action = ("c", value)
        },
        Option("d", argument: "NAME", help: "delete it") { (line, value) throws(OptionError) in
            line.action = ("d", value)
        },
    ],
]

extension ImageLine {
    /// Options may stand before, between and behind the names of files.
    init(parsing arguments: [String], _ command: ImageCommand) throws(ImageFailure) {
        self.init()
        self.command = command.name
        let own = ownOptions[command.name] ?? []
        let common = imageOptions.filter { option in
            option.names[0] == "h" || option.names.contains { command.options.contains($0) }
        }
        let options = own + common
        var at = 0
        while at < arguments.count {
            let word = arguments[at]
            at += 1
            if word == "--" {
                operands += arguments[at...]
                return
            }
            guard word.hasPrefix("-"), word != "-" else {
                // A smaller size looks like an option otherwise.
                operands.append(word)
                continue
            }
            if command.name == "resize", operands.count == 1, word.dropFirst().first?.isNumber == true {
                operands.append(word)
                continue
            }
            let halves = word.drop { $0 == "-" }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let option = options.first(where: { $0.names.contains(String(halves[0])) }) else {
                let isLong = word.hasPrefix("--")
                throw ImageFailure(
                    badOption: isLong ? "unrecognized option '\(word)'" : "invalid option -- '\(word.dropFirst())'",
                    command.name)
            }
            var value = ""
            if option.argument != nil {
                if halves.count == 2 {
                    value = String(halves[1])
                } else if at < arguments.count {
                    value = arguments[at]
                    at += 1
                } else {
                    throw ImageFailure(usage: "option '\(word)' requires an argument", command.name)
                }
            }
            do { try option.apply(&self, value) } catch { throw ImageFailure(error.message) }
        }
    }

    /// The one file that a command is about.
    func file() throws(ImageFailure) -> String {
        guard operands.count == 1 else { throw ImageFailure(usage: "Expecting one image file name", command) }
        return operands[0]
    }

    func options(isReadOnly: Bool, format: String?) -> ImageOptions {
        var options = ImageOptions(format: format, isReadOnly: isReadOnly, cache: isReadOnly ? sourceCache : cache)
        options.isLocked = !isUnlocked
        return options
    }

    func open(_ name: String, format: String?, isReadOnly: Bool = true) throws(ImageFailure) -> any BlockImage {
        try openNamed(name, options(isReadOnly: isReadOnly, format: format))
    }

    func say(_ text: String) { if !isQuiet { writeStandardOutput(text) } }
}

func openNamed(_ name: String, _ options: ImageOptions) throws(ImageFailure) -> any BlockImage {
    do throws(BlockError) { return try openImage(name, options) } catch { throw ImageFailure(opening: name, error) }
}
