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
        let pairs = try Self.split(text)
        guard let id = pairs.first(where: { $0.key == "id" })?.value, !id.isEmpty else {
            throw OptionError("no identifier; wanted \(Self.wanted),id=ID")
        }
        self.id = id
        spec = try Self.spec(pairs.filter { $0.key != "id" })
    }

    /// `-virtfs local,path=FOLDER,mount_tag=TAG,...`
    init(virtfs text: String, number: Int) throws(OptionError) {
        let pairs = try Self.split(text)
        guard let tag = pairs.first(where: { $0.key == "mount_tag" })?.value, !tag.isEmpty else {
            throw OptionError("no mount_tag; wanted \(Self.wanted),mount_tag=TAG")
        }
        id = pairs.first { $0.key == "id" }?.value ?? "fsdev\(number)"
        spec = try Self.spec(pairs.filter { !["id", "mount_tag"].contains($0.key) })
        device = "virtio-9p-pci,fsdev=\(id),mount_tag=\(tag)"
    }

    private static func split(_ text: String) throws(OptionError) -> [(key: String, value: String)] {
        var pairs = try keyedValues(text, implied: "driver", wanted: wanted)
        guard let first = pairs.first, first.key == "driver" else { throw OptionError("no driver; wanted \(wanted)") }
        if first.value == "proxy" || first.value == "synth" {
            throw OptionError("the driver \(first.value) does not exist; wanted \(wanted)")
        }
        guard first.value == "local" else { throw OptionError("'\(first.value)' is not known; wanted \(wanted)") }
        pairs.removeFirst()
        return pairs
    }

    private static func spec(_ pairs: [(key: String, value: String)]) throws(OptionError) -> ShareSpec {
        var path: String?, security: SecurityModel?, spec = ShareSpec(path: "", security: .none)
        for (key, value) in pairs {
            switch key {
            case "path": path = value
            case "security_model":
                if value == "mapped-file" {
                    throw OptionError("security_model=mapped-file does not exist; wanted \(models)")
                }
                security = value == "mapped" ? .mapped : SecurityModel(rawValue: value)
                if security == nil { throw OptionError("security_model=\(value): wanted \(models)") }
            case "readonly": spec.isReadOnly = try isOn(value, of: key)
            case "fmode": spec.fileMode = try mode(value, of: key)
            case "dmode": spec.folderMode = try mode(value, of: key)
            // Identities of files of several file systems are always told apart, and what is written is the host's at once.
            case "multidevs" where ["remap", "warn", "forbid"].contains(value): break
            case "writeout" where value == "immediate": break
            default:
                throw OptionError(
                    "\(key)=\(value) is not known; wanted \(wanted),readonly=on|off,fmode=MODE,dmode=MODE")
            }
        }
        guard let path, !path.isEmpty else { throw OptionError("no path; wanted \(wanted)") }
        guard let security else { throw OptionError("no security_model; wanted \(wanted)") }
        if security != .mapped, pairs.contains(where: { $0.key == "fmode" || $0.key == "dmode" }) {
            throw OptionError("fmode= and dmode= go with security_model=\(SecurityModel.mapped.rawValue)")
        }
        spec.path = path
        spec.security = security
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

    init(_ options: [ShareOption]) throws(CommandError) {
        self.options = options
        for option in options where options.filter({ $0.id == option.id }).count > 1 {
            throw CommandError("-fsdev id=\(option.id): there are two of them")
        }
    }

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
