// The values of `-fsdev` and `-virtfs`: a folder of the host's for guests.

import EngineSetup
import FileShare
import HostOS
import Options

struct ShareOption: Sendable {
    let id: String
    let spec: ShareSpec
    /// `-virtfs` adds a device: the value of a `-device`.
    private(set) var device: String?

    private static let models = SecurityModel.allCases.map(\.rawValue).joined(separator: "|")
    private static let wanted = "local,path=FOLDER,security_model=\(models)"

    /// `-fsdev local,id=ID,path=FOLDER,...`
    init(fsdev text: String) throws(OptionError) {
        var list = try OptionList(parsing: text, implied: "fsdriver")
        guard let id = list.take("id"), !id.isEmpty else {
            throw OptionError("no identifier; wanted \(Self.wanted),id=ID")
        }
        self.id = id
        spec = try Self.spec(&list)
    }

    /// `-virtfs local,path=FOLDER,mount_tag=TAG,...`
    init(virtfs text: String, number: Int) throws(OptionError) {
        var list = try OptionList(parsing: text, implied: "fsdriver")
        guard let tag = list.take("mount_tag"), !tag.isEmpty else {
            throw OptionError("no mount_tag; wanted \(Self.wanted),mount_tag=TAG")
        }
        id = list.take("id") ?? "fsdev\(number)"
        spec = try Self.spec(&list)
        device = "virtio-9p-pci,fsdev=\(id),mount_tag=\(tag)"
    }

    private static func spec(_ list: inout OptionList) throws(OptionError) -> ShareSpec {
        switch list.take("fsdriver") {
        case "local": break
        case nil: throw OptionError("no driver; wanted \(wanted)")
        case let driver? where driver == "proxy" || driver == "synth":
            throw OptionError("the driver \(driver) does not exist; wanted \(wanted)")
        case let driver?: throw OptionError("'\(driver)' is not known; wanted \(wanted)")
        }
        let path = list.take("path"), name = list.take("security_model")
        let isReadOnly = try list.takeFlag("readonly"), fileMode = list.take("fmode"), folderMode = list.take("dmode")
        // Identities of files of several file systems are always told apart, and what is written is the host's at once.
        _ = try list.take("multidevs", ["remap": true, "warn": true, "forbid": true], "remap, warn or forbid")
        _ = try list.take("writeout", ["immediate": true], "immediate")
        try list.end("local")
        guard let path, !path.isEmpty else { throw OptionError("no path; wanted \(wanted)") }
        guard let name else { throw OptionError("no security_model; wanted \(wanted)") }
        guard let security = name == "mapped" ? .mapped : SecurityModel(rawValue: name) else {
            throw OptionError("security_model=\(name): wanted \(models)")
        }
        if security != .mapped, fileMode ?? folderMode != nil {
            throw OptionError("fmode= and dmode= go with security_model=\(SecurityModel.mapped.rawValue)")
        }
        var spec = ShareSpec(path: path, security: security)
        spec.isReadOnly = isReadOnly ?? false
        if let fileMode { spec.fileMode = try mode(fileMode, of: "fmode") }
        if let folderMode { spec.folderMode = try mode(folderMode, of: "dmode") }
        return spec
    }

    private static func mode(_ text: String, of key: String) throws(OptionError) -> UInt32 {
        guard let mode = UInt32(text, radix: 8), mode <= 0o777 else {
            throw OptionError("\(key)=\(text): wanted a mode, such as 0644")
        }
        return mode
    }
}

/// Folders that devices show, by the identifiers that they name them by.
final class Shares {
    let options: [ShareOption]

    init(_ options: [ShareOption]) { self.options = options }

    func open(_ name: String) throws(CommandError) -> Share {
        guard let option = options.first(where: { $0.id == name }) else {
            throw CommandError(
                name.isEmpty
                    ? "a 9p device wants fsdev=ID, of a -fsdev" : "fsdev=\(name): there is no -fsdev with id=\(name)")
        }
        do throws(Errno) { return try Share(option.spec) } catch {
            throw CommandError("-fsdev path=\(option.spec.path): \(error)")
        }
    }
}
