// `info`, `map` and `snapshot`: what an image is and holds.

import BlockLayer
import HostOS
import Options

/// One image of a chain, for `info`.
private struct ImageFacts {
    let name: String
    let image: any BlockImage
    let fileSize: UInt64
    /// Nil: it is not known.
    let diskSize: UInt64?
    /// What gives the bytes.
    let `protocol`: String
    var qcow2: QCOW2Image? { storedImage(image) as? QCOW2Image }

    init(name: String, image: any BlockImage) throws(BlockError) {
        self.name = name
        self.image = image
        if let path = try? localPath(name), !name.hasPrefix("json:") {
            let file = try BlockFile(path, isReadOnly: true, isLocked: false)
            (fileSize, diskSize, self.protocol) = (try file.size(), try file.allocatedSize(), "file")
        } else {
            (fileSize, diskSize, self.protocol) = (image.size, nil, name.hasPrefix("nbd") ? "nbd" : "file")
        }
    }

    var actualSize: [(String, JSON)] { diskSize.map { [("actual-size", .number($0))] } ?? [] }
    var diskText: String { diskSize.map { sizeText($0) } ?? "unavailable" }
}

func showImage(_ line: ImageLine) throws(ImageFailure) -> Int32 {
    var name = try line.file(), format = line.format, chain: [ImageFacts] = []
    while true {
        if chain.count > longestBackingChain || chain.dropLast().contains(where: { $0.name == name }) {
            throw ImageFailure("Backing file '\(name)' creates an infinite loop.")
        }
        var options = line.options(isReadOnly: true, format: format)
        options.opensBacking = false
        let image = try openNamed(name, options)
        do throws(BlockError) { chain.append(try ImageFacts(name: name, image: image)) } catch {
            throw ImageFailure(opening: name, error)
        }
        guard line.showsChain, let header = chain.last?.qcow2?.header, let below = header.backingFile else { break }
        format = header.backingFormat
        name = backingPath(below, of: name)
    }
    if line.isJSON {
        let all = chain.map(json)
        writeStandardOutput((line.showsChain ? JSON.list(all) : all[0]).text() + "\n")
    } else {
        writeStandardOutput(chain.map(human).joined(separator: "\n"))
    }
    return 0
}

private func human(_ facts: ImageFacts) -> String {
    func sizes(_ value: UInt64) -> String { "\(sizeText(value)) (\(value) bytes)" }
    var text =
        "image: \(facts.name)\nfile format: \(facts.image.format)\nvirtual size: \(sizes(facts.image.size))\n"
        + "disk size: \(facts.diskText)\n"
    if let image = facts.qcow2 {
        let header = image.header
        if header.isDirty { text += "cleanly shut down: no\n" }
        text += "cluster_size: \(header.clusterSize)\n"
        if let backing = header.backingFile {
            let path = backingPath(backing, of: facts.name)
            text += "backing file: \(backing)" + (path == backing ? "" : " (actual path: \(path))") + "\n"
            if let format = header.backingFormat { text += "backing file format: \(format)\n" }
        }
        if !image.snapshots.isEmpty { text += snapshotTable(image.snapshots) }
        text +=
            "Format specific information:\n    compat: \(header.version == 2 ? "0.10" : "1.1")\n"
            + "    compression type: \(header.compression == 1 ? "zstd" : "zlib")\n"
        if header.version > 2 {
            text +=
                "    lazy refcounts: \(header.hasLazyRefcounts)\n    refcount bits: \(header.refcountBits)\n"
                + "    corrupt: \(header.isCorrupt)\n    extended l2: false\n"
        } else {
            text += "    refcount bits: 16\n"
        }
    }
    return text + "Child node '/file':\n    filename: \(facts.name)\n    protocol type: \(facts.protocol)\n"
        + "    file length: \(sizes(facts.fileSize))\n    disk size: \(facts.diskText)\n"
}

private func json(_ facts: ImageFacts) -> JSON {
    let file = JSON.object(
        [
            ("children", .list([])), ("virtual-size", .number(facts.fileSize)), ("filename", .string(facts.name)),
            ("format", .string(facts.protocol)),
        ] + facts.actualSize + [
            ("format-specific", .object([("type", .string(facts.protocol)), ("data", .object([]))])),
            ("dirty-flag", .bool(false)),
        ])
    var pairs: [(String, JSON)] = [("children", .list([.object([("name", .string("file")), ("info", file)])]))]
    let header = facts.qcow2?.header
    if let format = header?.backingFormat, header?.backingFile != nil {
        pairs.append(("backing-filename-format", .string(format)))
    }
    pairs.append(("virtual-size", .number(facts.image.size)))
    pairs.append(("filename", .string(facts.name)))
    if let header { pairs.append(("cluster-size", .number(UInt64(header.clusterSize)))) }
    pairs.append(("format", .string(facts.image.format)))
    pairs += facts.actualSize
    if let snapshots = facts.qcow2?.snapshots, !snapshots.isEmpty {
        pairs.append(("snapshots", .list(snapshots.map(json))))
    }
    if let header {
        var data: [(String, JSON)] = [
            ("compat", .string(header.version == 2 ? "0.10" : "1.1")),
            ("compression-type", .string(header.compression == 1 ? "zstd" : "zlib")),
        ]
        if header.version > 2 { data.append(("lazy-refcounts", .bool(header.hasLazyRefcounts))) }
        data.append(("refcount-bits", .number(UInt64(header.refcountBits))))
        if header.version > 2 {
            data.append(("corrupt", .bool(header.isCorrupt)))
            data.append(("extended-l2", .bool(false)))
        }
        pairs.append(("format-specific", .object([("type", .string("qcow2")), ("data", .object(data))])))
        if let backing = header.backingFile {
            pairs.append(("full-backing-filename", .string(backingPath(backing, of: facts.name))))
            pairs.append(("backing-filename", .string(backing)))
        }
    }
    pairs.append(("dirty-flag", .bool(header?.isDirty ?? false)))
    return .object(pairs)
}

// MARK: Snapshots

private func snapshotTable(_ snapshots: [QCOW2Snapshot]) -> String {
    func row(_ cells: [String]) -> String {
        let widths = [7, 16, 8, 19, 15, 10]
        return zip(cells, widths).enumerated().map { padded($1.0, $1.1, left: $0 < 2) }.joined(separator: " ") + "\n"
    }
    return "Snapshot list:\n" + row(["ID", "TAG", "VM_SIZE", "DATE", "VM_CLOCK", "ICOUNT"])
        + snapshots.map { snapshot in
            let seconds = snapshot.clock / 1_000_000_000
            let clock =
                zeros(seconds / 3600, 4) + ":" + zeros(seconds / 60 % 60, 2) + ":" + zeros(seconds % 60, 2) + "."
                + zeros(snapshot.clock / 1_000_000 % 1000, 3)
            return row([
                snapshot.id, snapshot.name, sizeText(snapshot.stateSize), HostClock.localText(UInt64(snapshot.seconds)),
                clock,
                snapshot.instructionCount.map { "\($0)" } ?? "--",
            ])
        }.joined()
}

private func json(_ snapshot: QCOW2Snapshot) -> JSON {
    var pairs: [(String, JSON)] = []
    if let count = snapshot.instructionCount { pairs.append(("icount", .number(count))) }
    pairs += [
        ("vm-clock-nsec", .number(snapshot.clock % 1_000_000_000)), ("name", .string(snapshot.name)),
        ("date-sec", .number(UInt64(snapshot.seconds))), ("date-nsec", .number(UInt64(snapshot.nanoseconds))),
        ("vm-clock-sec", .number(snapshot.clock / 1_000_000_000)), ("id", .string(snapshot.id)),
        ("vm-state-size", .number(snapshot.stateSize)),
    ]
    return .object(pairs)
}

func snapshotImage(_ line: ImageLine) throws(ImageFailure) -> Int32 {
    let name = try line.file(), action = line.action ?? ("l", "")
    let image = try line.open(name, format: line.format, isReadOnly: action.letter == "l")
    guard let image = image as? QCOW2Image else {
        if action.letter == "l" { return 0 }
        throw ImageFailure(
            "Could not \(["c": "create", "a": "apply", "d": "delete"][action.letter]!) snapshot '\(action.name)': the format raw has no snapshots"
        )
    }
    let chosen = image.snapshots.first { $0.id == action.name } ?? image.snapshots.first { $0.name == action.name }
    var verb = ""
    do throws(BlockError) {
        switch action.letter {
        case "c":
            verb = "create"
            let now = HostClock.realtime()
            try image.createSnapshot(
                action.name, seconds: UInt32(now / 1_000_000_000), nanoseconds: UInt32(now % 1_000_000_000))
        case "a":
            verb = "apply"
            guard let chosen else {
                throw BlockError(.noent, "Failed to load snapshot: \(Errno.noent.message)")
            }
            try image.applySnapshot(chosen)
        case "d":
            verb = "delete"
            guard let chosen else { throw BlockError(.noent, "snapshot not found") }
            try image.deleteSnapshot(chosen)
        default: if !image.snapshots.isEmpty { writeStandardOutput(snapshotTable(image.snapshots)) }
        }
        try image.close()
    } catch { throw ImageFailure("Could not \(verb) snapshot '\(action.name)': \(error)") }
    return 0
}

// MARK: Where the data is

/// A run of a disk, and in which image of the chain it is.
private struct MapRow: Equatable {
    var start: UInt64
    var count: UInt64
    var depth: Int
    var isPresent: Bool
    var isZero: Bool
    var isData: Bool
    var isCompressed: Bool
    var offset: UInt64?
    var file: String

    func continues(_ other: MapRow) -> Bool {
        depth == other.depth && isPresent == other.isPresent && isZero == other.isZero && isData == other.isData
            && isCompressed == other.isCompressed && file == other.file
            && (offset == nil ? other.offset == nil : other.offset.map { $0 + other.count } == offset)
    }
}

func mapImage(_ line: ImageLine) throws(ImageFailure) -> Int32 {
    let name = try line.file(), image = try line.open(name, format: line.format)
    var rows: [MapRow] = [], at: UInt64 = 0
    do throws(BlockError) {
        while at < image.size {
            let row = try mapRow(image, name, at)
            if let last = rows.last, row.continues(last) {
                rows[rows.count - 1].count += row.count
            } else {
                rows.append(row)
            }
            at += row.count
        }
    } catch { throw ImageFailure("Failed to read image metadata: \(error)") }
    writeStandardOutput(line.isJSON ? mapJSON(rows) : try mapTable(rows))
    return 0
}

private func mapRow(_ top: any BlockImage, _ name: String, _ at: UInt64) throws(BlockError) -> MapRow {
    var image = top, file = name, depth = 0, most = top.size - at
    while true {
        let qcow2 = image as? QCOW2Image
        let extent: BlockExtent
        if let qcow2 {
            extent = try qcow2.ownStatus(at: at, count: most)
        } else {
            extent = try image.status(at: at, count: most)
        }
        most = extent.count
        if !extent.isAllocated, let below = qcow2?.backing {
            file = backingPath(qcow2?.header.backingFile ?? "", of: file)
            if at < below.size {
                most = min(most, below.size - at)
                image = below
                depth += 1
                continue
            }
            // Behind its end a backing file is 0.
            return MapRow(
                start: at, count: most, depth: depth + 1, isPresent: false, isZero: true, isData: false,
                isCompressed: false, offset: nil, file: file)
        }
        return MapRow(
            start: at, count: most, depth: depth, isPresent: extent.isAllocated, isZero: extent.isZero,
            isData: !extent.isZero, isCompressed: !extent.isZero && extent.fileOffset == nil,
            offset: extent.fileOffset, file: file)
    }
}

private func mapJSON(_ rows: [MapRow]) -> String {
    "["
        + rows.map { row in
            "{ \"start\": \(row.start), \"length\": \(row.count), \"depth\": \(row.depth), \"present\": \(row.isPresent), "
                + "\"zero\": \(row.isZero), \"data\": \(row.isData), \"compressed\": \(row.isCompressed)"
                + (row.offset.map { ", \"offset\": \($0)" } ?? "") + "}"
        }.joined(separator: ",\n") + "]\n"
}

private func mapTable(_ rows: [MapRow]) throws(ImageFailure) -> String {
    func hex(_ value: UInt64) -> String { value == 0 ? "0" : "0x" + String(value, radix: 16) }
    func cell(_ text: String) -> String { padded(text, 16, left: true) }
    var text = cell("Offset") + cell("Length") + cell("Mapped to") + "File\n"
    for row in rows where row.isData {
        guard let offset = row.offset else {
            writeStandardOutput(text)
            throw ImageFailure("File contains external, encrypted or compressed clusters.")
        }
        text += cell(hex(row.start)) + cell(hex(row.count)) + cell(hex(offset)) + row.file + "\n"
    }
    return text
}
