// `create`, `resize`, `measure` and `check`.

import BlockLayer
import EngineSetup
import HostOS
import Options

/// What `-o` and the options beside it say of a new image.
struct NewImage {
    let format: String
    var creation: QCOW2Creation
    /// What the user has said, and what is printed: the compatibility level.
    private var compatibility: String?
    var size: UInt64?

    /// `name`: the image's, for messages; nil: none is made.
    init(_ format: String, _ options: [(key: String, value: String)], for name: String? = nil) throws(ImageFailure) {
        guard imageFormats.contains(format) else {
            throw ImageFailure((name.map { $0 + ": " } ?? "") + "Unknown file format '\(format)'")
        }
        self.format = format
        creation = QCOW2Creation(size: 0)
        for (key, value) in options { try set(key, value) }
    }

    private mutating func set(_ key: String, _ value: String) throws(ImageFailure) {
        func size() throws(ImageFailure) -> UInt64 {
            if let size = parseSize(value, unit: 1) { return size }
            throw ImageFailure("Parameter '\(key)' expects a non-negative number below 2^64")
        }
        func isOn() throws(ImageFailure) -> Bool {
            guard value == "on" || value == "off" else {
                throw ImageFailure("Parameter '\(key)' expects 'on' or 'off'")
            }
            return value == "on"
        }
        func onlyOff() throws(ImageFailure) {
            guard value == "off" else { throw ImageFailure("\(key)=\(value) is not supported; only \(key)=off is") }
        }
        if key == "size" {
            self.size = try size()
            return
        }
        if key == "preallocation" { return try onlyOff() }
        guard format == "qcow2" else { throw ImageFailure("Invalid parameter '\(key)'") }
        switch key {
        case "cluster_size": creation.clusterSize = try size()
        case "compat":
            guard let version = ["0.10": 2, "v2": 2, "1.1": 3, "v3": 3][value] else {
                throw ImageFailure("Invalid parameter '\(value)'; compat is 0.10 or 1.1")
            }
            creation.version = UInt32(version)
            compatibility = value
        case "refcount_bits": creation.refcountBits = Int(clamping: try size())
        case "lazy_refcounts": creation.hasLazyRefcounts = try isOn()
        case "compression_type":
            guard value == "zlib" || value == "zstd" else { throw ImageFailure("Invalid parameter '\(value)'") }
            creation.compression = value
        case "backing_file": creation.backingFile = value
        case "backing_fmt": creation.backingFormat = value
        case "extended_l2", "encryption", "data_file_raw": try onlyOff()
        default: throw ImageFailure("Invalid parameter '\(key)'")
        }
    }

    /// The line that tells what is made.
    func announcement(_ name: String) -> String {
        guard format == "qcow2" else { return "Formatting '\(name)', fmt=raw size=\(creation.size)\n" }
        var text = "Formatting '\(name)', fmt=qcow2 cluster_size=\(creation.clusterSize) extended_l2=off "
        text += "compression_type=\(creation.compression) size=\(creation.size)"
        if let compatibility { text += " compat=\(compatibility)" }
        if let backing = creation.backingFile {
            text += " backing_file=\(backing)"
            if let format = creation.backingFormat { text += " backing_fmt=\(format)" }
        }
        return text
            + " lazy_refcounts=\(creation.hasLazyRefcounts ? "on" : "off") refcount_bits=\(creation.refcountBits)\n"
    }

    func make(_ name: String) throws(ImageFailure) {
        do throws(BlockError) {
            let file = try BlockFile.create(try localPath(name))
            if format == "qcow2" { try QCOW2Image.create(file, creation) } else { try file.truncate(to: creation.size) }
        } catch {
            let what = error.description, prefix = "\(name): "
            throw ImageFailure("\(name): " + (what.hasPrefix(prefix) ? String(what.dropFirst(prefix.count)) : what))
        }
    }
}

func createImage(_ line: ImageLine) throws(ImageFailure) -> Int32 {
    guard let name = line.operands.first else { throw ImageFailure(usage: "Expecting image file name", "create") }
    var new = try NewImage(line.outputFormat ?? line.format ?? "raw", line.creation, for: name)
    if let backing = line.backing { new.creation.backingFile = backing }
    if let format = line.otherFormat { new.creation.backingFormat = format }
    if new.format == "raw", new.creation.backingFile != nil {
        throw ImageFailure("\(name): Backing file not supported for file format 'raw'")
    }
    if line.operands.count > 2 { throw ImageFailure("Unexpected argument: \(line.operands[2])") }
    if line.operands.count == 2 {
        guard let size = parseSize(line.operands[1], unit: 1) else {
            throw ImageFailure("Invalid image size specified: '\(line.operands[1])'.")
        }
        new.size = size
    }
    if let backing = new.creation.backingFile, !line.isUnsafe {
        let path = backingPath(backing, of: name)
        guard new.creation.backingFormat != nil else {
            var lines = ImageFailure("\(name): Backing file specified without backing format")
            if let file = try? BlockFile(path, isReadOnly: true, isLocked: false), let format = try? probedFormat(file)
            {
                lines.lines.append("Detected format of \(format).")
            }
            throw lines
        }
        var options = ImageOptions(format: new.creation.backingFormat, isReadOnly: true)
        options.isLocked = false
        let below: any BlockImage
        do throws(BlockError) { below = try openImage(path, options) } catch {
            throw ImageFailure("\(name): \(ImageFailure(opening: path, error).lines[0])\nCould not open backing image.")
        }
        new.size = new.size ?? below.size
    }
    guard let size = new.size else { throw ImageFailure("\(name): Image creation needs a size parameter") }
    new.creation.size = size
    line.say(new.announcement(name))
    try new.make(name)
    return 0
}

func resizeImage(_ line: ImageLine) throws(ImageFailure) -> Int32 {
    guard line.operands.count == 2 else {
        throw ImageFailure(usage: "Expecting image file name and size", "resize")
    }
    let name = line.operands[0], text = line.operands[1]
    let sign = text.first == "+" || text.first == "-" ? text.first : nil
    guard let amount = parseSize(sign == nil ? text : String(text.dropFirst()), unit: 1) else {
        throw ImageFailure("Invalid image size specified: '\(text)'")
    }
    let image = try line.open(name, format: line.format, isReadOnly: false)
    if line.format == nil, image.format == "raw" {
        writeStandardError(
            "WARNING: Image format was not specified for '\(name)' and probing guessed raw.\n"
                + "         Automatically detecting the format is dangerous for raw images, write operations on block 0 will be restricted.\n"
                + "         Specify the 'raw' format explicitly to remove the restrictions.\n")
    }
    var size = amount
    if sign == "+" { size = image.size.addingReportingOverflow(amount).partialValue }
    if sign == "-" { size = image.size > amount ? image.size - amount : 0 }
    if size == 0 { throw ImageFailure("New image size must be positive") }
    size = (size + 511) & ~511
    if size < image.size, !line.shrinks {
        throw ImageFailure(lines: [
            "Use the --shrink option to perform a shrink operation.",
            "qemu-img: warning: Shrinking an image will delete all data beyond the shrunken image's end. Before performing such an operation, make sure there is no important data there.",
        ])
    }
    do throws(BlockError) {
        try image.resize(to: size)
        try image.close()
    } catch { throw ImageFailure("\(error)") }
    line.say("Image resized.\n")
    return 0
}

extension ImageFailure {
    init(lines: [String]) {
        self.lines = lines
        status = 1
    }
}

func measureImage(_ line: ImageLine) throws(ImageFailure) -> Int32 {
    let new = try NewImage(line.outputFormat ?? "raw", line.creation)
    let clusterSize = new.creation.clusterSize
    var size: UInt64 = 0, data: UInt64 = 0
    if let given = line.size ?? new.size {
        guard line.operands.isEmpty else { throw ImageFailure("--size N cannot be used together with a filename.") }
        size = given
    } else {
        guard line.operands.count == 1 else {
            throw ImageFailure("Either --size N or one filename must be specified.")
        }
        let image = try line.open(line.operands[0], format: line.format)
        size = image.size
        var at: UInt64 = 0, last: UInt64?
        while at < size {
            let extent: BlockExtent
            do throws(BlockError) { extent = try image.status(at: at, count: size - at) } catch {
                throw ImageFailure("\(error)")
            }
            if !extent.isZero {
                // A cluster that two runs share counts once.
                let end = (at + extent.count - 1) / clusterSize
                var first = at / clusterSize
                if let last, first <= last { first = last + 1 }
                if first <= end { data += end - first + 1 }
                last = end
            }
            at += extent.count
        }
    }
    var required = size, full = size
    if new.format == "qcow2" {
        let clusters = (size + clusterSize - 1) / clusterSize
        let tables = metadataClusters(clusters, new.creation)
        (required, full) = ((tables + data) * clusterSize, (tables + clusters) * clusterSize)
    }
    if line.isJSON {
        writeStandardOutput(
            JSON.object([("required", .number(required)), ("fully-allocated", .number(full))]).text() + "\n")
    } else {
        writeStandardOutput("required size: \(required)\nfully allocated size: \(full)\n")
    }
    return 0
}

/// Clusters for all tables of a disk that is written everywhere.
private func metadataClusters(_ clusters: UInt64, _ creation: QCOW2Creation) -> UInt64 {
    func divided(_ count: UInt64, _ part: UInt64) -> UInt64 { (count + part - 1) / part }
    let perTable = creation.clusterSize / 8, perBlock = 8 * creation.clusterSize / UInt64(max(1, creation.refcountBits))
    let l2 = divided(clusters, perTable), l1 = divided(l2, perTable)
    let others = 1 + clusters + l2 + l1
    var blocks: UInt64 = 1, table: UInt64 = 1
    while blocks * perBlock < others + blocks + table {
        blocks = divided(others + blocks + table, perBlock)
        table = divided(blocks, perTable)
    }
    return 1 + l2 + l1 + blocks + table
}

// MARK: Check

func checkImage(_ line: ImageLine) throws(ImageFailure) -> Int32 {
    let name = try line.file()
    var options = line.options(isReadOnly: line.repair == .nothing, format: line.format)
    options.opensBacking = false
    options.repairs = false
    options.cache = line.repair == .nothing ? line.sourceCache : CacheMode()
    guard let image = try openNamed(name, options) as? QCOW2Image else {
        throw ImageFailure("This image format does not support checks", status: 63)
    }
    var result: QCOW2CheckResult
    do throws(BlockError) {
        let report: (String) -> Void = { if !line.isJSON && !line.isQuiet { writeStandardError($0 + "\n") } }
        let first = try image.check(line.repair, report)
        result = first
        if first.fixedLeaks + first.fixedCorruptions > 0 {
            if !line.isJSON {
                line.say(
                    "The following inconsistencies were found and repaired:\n\n    \(first.fixedLeaks) leaked clusters\n"
                        + "    \(first.fixedCorruptions) corruptions\n\nDouble checking the fixed image now...\n")
            }
            result = try image.check(.nothing, report)
            (result.fixedLeaks, result.fixedCorruptions) = (first.fixedLeaks, first.fixedCorruptions)
        }
        try image.close()
    } catch { throw ImageFailure("Check failed: \(error)") }
    if line.isJSON { writeStandardOutput(json(result, name).text() + "\n") } else { line.say(human(result)) }
    return result.corruptions > 0 ? 2 : result.leaks > 0 ? 3 : 0
}

private func human(_ result: QCOW2CheckResult) -> String {
    var text = ""
    if result.corruptions == 0, result.leaks == 0 { text += "No errors were found on the image.\n" }
    if result.corruptions > 0 {
        text +=
            "\n\(result.corruptions) errors were found on the image.\n"
            + "Data may be corrupted, or further writes to the image may corrupt it.\n"
    }
    if result.leaks > 0 {
        text +=
            "\n\(result.leaks) leaked clusters were found on the image.\n"
            + "This means waste of disk space, but no harm to data.\n"
    }
    if result.totalClusters > 0, result.allocatedClusters > 0 {
        func percent(_ part: UInt64, _ all: UInt64) -> Double { Double(part) * 100 / Double(all) }
        let compressed = percent(result.compressedClusters, result.allocatedClusters)
        text +=
            "\(result.allocatedClusters)/\(result.totalClusters) = "
            + "\(fixed(percent(result.allocatedClusters, result.totalClusters), 2))% allocated, "
            + "\(fixed(percent(result.fragmentedClusters, result.allocatedClusters), 2))% fragmented, "
            + "\(fixed(compressed, 2))% compressed clusters\n"
    }
    return text + "Image end offset: \(result.endOffset)\n"
}

private func json(_ result: QCOW2CheckResult, _ name: String) -> JSON {
    var pairs: [(String, JSON)] = [
        ("image-end-offset", .number(result.endOffset)), ("total-clusters", .number(result.totalClusters)),
        ("check-errors", .number(0)),
    ]
    let rest: [(String, UInt64)] = [
        ("corruptions", UInt64(result.corruptions)), ("leaks", UInt64(result.leaks)),
        ("corruptions-fixed", UInt64(result.fixedCorruptions)), ("leaks-fixed", UInt64(result.fixedLeaks)),
        ("allocated-clusters", result.allocatedClusters), ("fragmented-clusters", result.fragmentedClusters),
        ("compressed-clusters", result.compressedClusters),
    ]
    for (key, value) in rest where value > 0 { pairs.append((key, .number(value))) }
    return .object(pairs + [("filename", .string(name)), ("format", .string("qcow2"))])
}
