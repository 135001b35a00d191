// The value of `-fw_cfg`: a file that firmware can ask for.

import Devices
import EngineSetup
import HostOS
import Options

struct FirmwareFileOption: Sendable {
    enum Content: Sendable, Equatable { case text(String), file(String) }
    let name: String
    let content: Content

    private static let wanted = "[name=]NAME,file=FILE or [name=]NAME,string=TEXT"

    init(parsing text: String) throws(OptionError) {
        var name: String?
        var contents: [Content] = []
        for (key, value) in try keyedValues(text, implied: "name", wanted: Self.wanted) {
            switch key {
            case "name": name = value
            case "file": contents.append(.file(value))
            case "string": contents.append(.text(value))
            default: throw OptionError("'\(key)' is not known; wanted \(Self.wanted)")
            }
        }
        guard let name, let content = contents.first, contents.count == 1 else {
            throw OptionError("\(text): wanted \(Self.wanted)")
        }
        self.name = name
        self.content = content
    }

    func add(to device: FirmwareConfig) throws(CommandError) {
        var bytes: [UInt8]
        switch content {
        case .text(let text): bytes = Array(text.utf8)
        case .file(let path):
            do throws(Errno) { bytes = try HostFile.contents(path) } catch {
                throw CommandError("-fw_cfg file=\(path): \(error.message)")
            }
        }
        guard device.set(file: name, bytes) else {
            throw CommandError("-fw_cfg \(name): wanted a name of 1 to 55 bytes")
        }
    }
}
