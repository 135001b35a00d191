// `martlet nbd`, or a link named qemu-nbd: an image for others, by the NBD protocol. Options are qemu-nbd's, as far as they exist.

import BlockLayer
import EngineSetup
import HostOS
import Options

private struct NBDLine: Sendable {
    /// Who may connect: this machine, unless the user says otherwise.
    var address = "127.0.0.1"
    var port = "10809"
    var path: String?
    var mostClients = 1
    var isReadOnly = false
    var isTemporary = false
    var persists = false
    var format: String?
    var export = ""
    var description = ""
    var cache = CacheMode()
    var unmaps = true
    var zeroDetection = BlockSpec.ZeroDetection.off
    var pidFile: String?
    var isDaemon = false
    var wantsHelp = false
    var wantsVersion = false
}

private typealias Option = CommandOption<NBDLine>

private let nbdOptions: [CommandOption<NBDLine>] = [
    Option("h", "help", help: "print this help and exit") { (line, _) throws(OptionError) in line.wantsHelp = true },
    Option("V", "version", help: "print the version and exit") { (line, _) throws(OptionError) in
        line.wantsVersion = true
    },
    Option("p", "port", argument: "PORT", help: "the port of TCP; default: 10809") {
        (line, value) throws(OptionError) in
        guard let port = UInt16(value) else { throw OptionError("wanted a number below 65536") }
        line.port = "\(port)"
    },
    Option("b", "bind", argument: "ADDRESS", help: "who may connect; default: 127.0.0.1, this machine alone") {
        (line, value) throws(OptionError) in line.address = value
    },
    Option("k", "socket", argument: "PATH", help: "a Unix socket in place of TCP") {
        (line, value) throws(OptionError) in
        line.path = value
    },
    Option("e", "shared", argument: "N", help: "clients at a time; 0: any number; default: 1") {
        (line, value) throws(OptionError) in
        guard let count = Int(value), count >= 0 else { throw OptionError("wanted a number, 0 or more") }
        line.mostClients = count
    },
    Option("t", "persistent", help: "go on when the last client has gone") { (line, _) throws(OptionError) in
        line.persists = true
    },
    Option("x", "export-name", argument: "NAME", help: "the export's name; default: none") {
        (line, value) throws(OptionError) in line.export = value
    },
    Option("D", "description", argument: "TEXT", help: "what the export is") { (line, value) throws(OptionError) in
        line.description = value
    },
    Option("r", "read-only", help: "nobody writes") { (line, _) throws(OptionError) in line.isReadOnly = true },
    Option("s", "snapshot", help: "what is written is gone at the end") { (line, _) throws(OptionError) in
        line.isTemporary = true
    },
    Option("f", "format", argument: "FMT", help: "the format: raw or qcow2; without it the first bytes tell") {
        (line, value) throws(OptionError) in
        guard imageFormats.contains(value) else {
            throw OptionError("wanted \(imageFormats.joined(separator: " or "))")
        }
        line.format = value
    },
    Option("n", "nocache", help: "--cache=none") { (line, _) throws(OptionError) in
        line.cache = CacheMode(isDirect: true)
    },
    Option("cache", argument: "MODE", help: CacheMode.named.map(\.name).joined(separator: ", ")) {
        (line, value) throws(OptionError) in
        guard let row = CacheMode.named.first(where: { $0.name == value }) else {
            throw OptionError("wanted \(CacheMode.named.map(\.name).joined(separator: ", "))")
        }
        line.cache = row.mode
    },
    Option("discard", argument: "ignore|unmap", help: "what is not needed goes back to the file; default: unmap") {
        (line, value) throws(OptionError) in
        guard let unmaps = ["ignore": false, "off": false, "unmap": true, "on": true][value] else {
            throw OptionError("wanted ignore or unmap")
        }
        line.unmaps = unmaps
    },
    Option("detect-zeroes", argument: "off|on|unmap", help: "zeros are found in what is written") {
        (line, value) throws(OptionError) in
        guard let detection = BlockSpec.ZeroDetection(rawValue: value) else {
            throw OptionError("wanted off, on or unmap")
        }
        line.zeroDetection = detection
    },
    Option("fork", help: "go on in the background when clients can connect") { (line, _) throws(OptionError) in
        line.isDaemon = true
    },
    Option("pid-file", argument: "FILE", help: "a file that has the process's number while it runs") {
        (line, value) throws(OptionError) in line.pidFile = value
    },
    Option("aio", argument: "MODE", help: "taken: threads do the requests") { (_, _) throws(OptionError) in },
    Option("v", "verbose", help: "taken, and makes no difference") { (_, _) throws(OptionError) in },
]

/// Runs the server. `arguments`: without the program's name. Returns the exit code.
public func runNBDServer(_ arguments: [String]) throws(CommandError) -> Int32 {
    var line = NBDLine()
    // --name=value is --name value.
    let words = arguments.flatMap { word -> [String] in
        guard word.hasPrefix("--"), let equals = word.firstIndex(of: "=") else { return [word] }
        return [String(word[..<equals]), String(word[word.index(after: equals)...])]
    }
    var rest = words[...], files: [String] = []
    // Options may stand behind the file.
    while !rest.isEmpty {
        let end = try CommandOption.read(Array(rest), nbdOptions, into: &line, usage: "martlet nbd --help")
        rest = rest.dropFirst(end)
        if let file = rest.popFirst() { files.append(file) }
    }
    if line.wantsVersion || line.wantsHelp {
        writeStandardOutput(
            line.wantsVersion
                ? "martlet nbd, with the options of qemu-nbd 10\n"
                : "usage: martlet nbd [OPTIONS] FILE\n\nOptions:\n"
                    + nbdOptions.map { $0.helpLine(dash: "--") }.joined())
        return 0
    }
    guard files.count == 1 else { throw CommandError("nbd: wanted one image; 'martlet nbd --help' lists the options") }
    if line.isDaemon {
        do throws(Errno) {
            if let status = try HostDaemon.detach() { return status }
        } catch { throw CommandError("nbd: --fork: no process for it: \(error.message)") }
    }
    let pidFile = try PIDFile.make(line.pidFile, "nbd: --pid-file")
    defer { pidFile?.remove() }
    do throws(BlockError) { return try serve(files[0], line) } catch { throw CommandError("nbd: \(error)") }
}

private func serve(_ name: String, _ line: NBDLine) throws(BlockError) -> Int32 {
    let graph = BlockGraph()
    var spec: BlockSpec
    do throws(OptionError) { spec = try BlockSpec(name: name) } catch {
        throw BlockError(.inval, "\(name): \(error.message)")
    }
    if spec.isStorage {
        let child = BlockSpec.Child.made(spec)
        spec = BlockSpec(
            line.format == "qcow2" ? .qcow2(child, .named) : line.format == nil ? .probed(child) : .raw(child))
    }
    spec.isReadOnly = line.isReadOnly || line.isTemporary
    spec.cache = line.cache
    spec.unmaps = line.unmaps
    spec.zeroDetection = line.zeroDetection
    var node = try graph.open(spec)
    if line.isTemporary, !line.isReadOnly { node = try graph.openOverlay(on: node, named: nil) }
    let place: NBDAddress.Place = line.path.map { .unix($0) } ?? .inet(host: line.address, port: line.port)
    // Before there are threads that would take the signals.
    let signals: SignalFile
    do throws(Errno) { signals = try SignalFile([2, 15, 1]) } catch {
        throw BlockError(error, "signals: \(error.message)")
    }
    let export = NBDExport(name: line.export, image: node, isReadOnly: line.isReadOnly, description: line.description)
    let server = try NBDServer([export], at: NBDAddress(place), mostClients: line.mostClients)
    HostDaemon.stand()
    server.run(persists: line.persists, until: signals.descriptor)
    var failure: BlockError?
    graph.close { failure = failure ?? $0 }
    if let failure { throw failure }
    return 0
}
