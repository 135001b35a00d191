// The value of `-drive`: an image, and by what device the guest sees it.

import BlockLayer
import EngineSetup
import Options

struct DriveOption: Sendable {
    /// What the guest sees it as.
    enum Interface: String, Sendable { case none, virtio, pflash }

    private(set) var file = ""
    private(set) var interface = Interface.virtio
    /// Of flash memory, which bank; nil: the next one.
    private(set) var unit: Int?
    /// By which devices name it; of a drive without one, `driveN`.
    private(set) var id: String?
    /// Nil: what the file says.
    private(set) var format: String?
    private(set) var isReadOnly = false
    private(set) var cache = CacheMode()

    private static let wanted =
        "file=FILE[,if=none|virtio|pflash][,unit=N][,id=ID][,format=raw|qcow2][,readonly=on|off][,cache=writeback|none|writethrough|directsync|unsafe][,media=disk]"

    /// `-hda FILE`.
    init(file: String) { self.file = file }

    init(parsing text: String) throws(OptionError) {
        for (key, value) in try keyedValues(text, wanted: Self.wanted) {
            switch key {
            case "file": file = value
            case "if":
                guard let known = Interface(rawValue: value) else {
                    throw OptionError("if=\(value): wanted none, virtio or pflash")
                }
                interface = known
            case "unit":
                guard let number = Int(value), 0...1 ~= number else {
                    throw OptionError("unit=\(value): wanted 0 or 1")
                }
                unit = number
            case "id": id = value
            case "format":
                guard imageFormats.contains(value) else {
                    throw OptionError("format=\(value): wanted \(imageFormats.joined(separator: " or "))")
                }
                format = value
            case "readonly", "read-only": isReadOnly = try isOn(value, of: key)
            case "cache":
                guard let row = CacheMode.named.first(where: { $0.name == value }) else {
                    throw OptionError(
                        "cache=\(value): wanted \(CacheMode.named.map(\.name).joined(separator: ", "))")
                }
                cache = row.mode
            case "media":
                guard value == "disk" else { throw OptionError("media=\(value): wanted disk") }
            default: throw OptionError("'\(key)' is not known; wanted \(Self.wanted)")
            }
        }
        if unit != nil, interface != .pflash { throw OptionError("unit= goes with if=pflash") }
        if file.isEmpty { throw OptionError("no file; wanted \(Self.wanted)") }
    }
}
