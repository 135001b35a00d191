// The value of `-drive`: an image, and by what device the guest sees it.

import BlockLayer
import EngineSetup
import Options

struct DriveOption: Sendable {
    /// What the guest sees it as.
    enum Interface: String, CaseIterable, Sendable { case none, virtio, scsi, pflash }

    private(set) var interface = Interface.virtio
    /// By which devices name it; of a drive without one, its interface and number.
    private(set) var id: String?
    /// Of its interface; nil: the next that is free.
    private(set) var index: Int?
    /// Nil: there is no medium yet.
    private(set) var spec: BlockSpec?
    /// Media are only read.
    private(set) var readsOnly = false
    /// What is written is gone when the machine ends.
    private(set) var isTemporary = false
    private(set) var copiesOnRead = false
    /// It is a disc, which is read alone.
    private(set) var isDisc = false
    private(set) var limits = ThrottleLimits()
    /// The limits are shared with the drives of the same group.
    private(set) var group: String?
    private(set) var onWriteError: ErrorAction?
    private(set) var onReadError: ErrorAction?
    /// Whose errors are about `-drive`, `-hda` and so on.
    let origin: String

    private static let wanted =
        "file=FILE[,if=none|virtio|scsi|pflash][,id=ID][,format=raw|qcow2][,readonly=on|off][,snapshot=on|off][,cache=MODE]..."

    /// `-hda FILE` and its kin.
    init(file: String, index: Int, isDisc: Bool = false, origin: String) throws(OptionError) {
        self.origin = origin
        self.index = index
        self.isDisc = isDisc
        var list = OptionList()
        list.add("file", file)
        if isDisc { list.add("readonly", "on") }
        spec = try Self.spec(&list)
    }

    init(parsing text: String) throws(OptionError) {
        origin = "-drive file="
        var list = try OptionList(parsing: text)
        interface = try list.takeChoice("if", Interface.self) ?? .virtio
        id = list.take("id")
        index = try list.takeNumber("index", 0...999)
        if let unit = try list.takeNumber("unit", 0...(interface == .scsi ? 255 : 1)) {
            guard [.pflash, .scsi].contains(interface) else {
                throw OptionError("unit= goes with if=pflash and if=scsi; wanted index=")
            }
            index = unit
        }
        isDisc = try list.take("media", ["disk": false, "cdrom": true], "disk or cdrom") ?? false
        isTemporary = try list.takeFlag("snapshot") ?? false
        copiesOnRead = try list.takeFlag("copy-on-read") ?? false
        limits = try ThrottleLimits(&list, prefix: "throttling.")
        group = list.take("throttling.group")
        if group != nil, limits.isEmpty {
            throw OptionError("throttling.group wants a limit beside it, as throttling.bps-total")
        }
        onWriteError = try list.takeChoice("werror", ErrorAction.self)
        onReadError = try list.takeChoice("rerror", ErrorAction.self)
        if onReadError == .enospc { throw OptionError("rerror=enospc: wanted report, ignore, stop") }
        if list.has("serial") {
            throw OptionError("serial is the device's: -device virtio-blk-device,drive=ID,serial=TEXT")
        }
        if isDisc { list.add("readonly", "on") }
        readsOnly = isDisc
        spec = try Self.spec(&list)
        if let spec {
            readsOnly = spec.isReadOnly ?? false
            if copiesOnRead, readsOnly { throw OptionError("copy-on-read=on wants readonly=off") }
        } else if copiesOnRead || !(interface == .none || interface == .scsi && isDisc) {
            throw OptionError("no file; wanted \(Self.wanted)")
        }
    }

    /// Nil: nothing says where bytes are.
    private static func spec(_ list: inout OptionList) throws(OptionError) -> BlockSpec? {
        var isReadOnly = try list.takeFlag("readonly")
        // A disc's comes last.
        if let given = try list.takeFlag("read-only") { isReadOnly = isReadOnly ?? given }
        let cache = try list.take(
            "cache", Dictionary(uniqueKeysWithValues: CacheMode.named.map { ($0.name, $0.mode) }),
            CacheMode.named.map(\.name).joined(separator: ", "))
        let keepsWrites = try list.takeFlag("cache.writeback")
        let name = list.take("file"), format = list.take("format") ?? list.take("driver")
        var spec: BlockSpec
        if let format, !imageFormats.contains(format), format != "null-co", format != "null-aio" {
            throw OptionError("format=\(format): wanted \(imageFormats.joined(separator: " or "))")
        }
        if format == "null-co" || format == "null-aio" {
            spec = try BlockSpec(&list, driver: format)
        } else {
            guard var below = try file(name, &list) else {
                if format != nil { throw OptionError("no file; wanted \(wanted)") }
                try list.end("-drive without a file")
                return nil
            }
            if let aio = list.value("aio") {
                guard case .file(let path) = below.kind else {
                    throw OptionError("aio=\(aio): wanted a file of the host")
                }
                let isDirect = cache?.isDirect ?? false || list.value("cache.direct") == "on"
                try below.takeAIO(&list, path: path, isDirect: isDirect)
            }
            if below.isStorage {
                list.add("file", "#")
                spec = try BlockSpec(&list, driver: format ?? "raw")
                spec.put(on: below, isProbed: format == nil)
            } else if format == nil {
                spec = below
            } else {
                list.add("file", "#")
                spec = try BlockSpec(&list, driver: format)
                spec.put(on: below, isProbed: false)
            }
        }
        try list.end("-drive")
        if let isReadOnly { spec.isReadOnly = isReadOnly }
        if let cache { spec.cache = cache }
        if let keepsWrites { spec.cache.keepsWrites = keepsWrites }
        return spec
    }

    /// What the image lies on: `file=NAME`, `file.filename=NAME` or `file.driver=DRIVER,...`.
    private static func file(_ name: String?, _ list: inout OptionList) throws(OptionError) -> BlockSpec? {
        var nested = list.takeNested("file")
        if nested.isEmpty {
            return try name.flatMap { (name) throws(OptionError) in name.isEmpty ? nil : try BlockSpec(name: name) }
        }
        if name != nil { throw OptionError("file=FILE goes without file.NAME=VALUE") }
        let spec = try BlockSpec(&nested, driver: "file")
        try nested.end("driver \(spec.driver)")
        return spec
    }
}
