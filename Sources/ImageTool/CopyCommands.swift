// `convert`, `compare`, `commit` and `rebase`: what one image shows to another.

import BlockLayer
import HostOS
import Options

/// Memory that bytes go through from one image to another.
private struct Buffer: ~Copyable {
    /// Of what is read at once; there is room for the rest of a sector behind it.
    static let size: UInt64 = 2 << 20
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(size) + 4096, alignment: 4096)
    deinit { memory.deallocate() }

    func part(_ start: UInt64, _ count: UInt64) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory[Int(start)..<Int(start + count)])
    }

    /// Reads; behind the image's end there are zeros.
    func fill(_ image: any BlockImage, _ offset: UInt64, _ count: UInt64) throws(BlockError) {
        let there = offset < image.size ? min(count, image.size - offset) : 0
        try image.read(at: offset, into: [part(0, there)])
        if count > there { memset(part(there, count - there)) }
    }

    private func memset(_ memory: UnsafeMutableRawBufferPointer) {
        memory.initializeMemory(as: UInt8.self, repeating: 0)
    }

    func isZero(_ start: UInt64, _ count: UInt64) -> Bool { firstNonzero(part(start, count)) == nil }
}

private func firstNonzero(_ bytes: UnsafeMutableRawBufferPointer) -> Int? {
    var at = 0
    let words = bytes.count & ~7
    while at < words, bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self) == 0 { at += 8 }
    while at < bytes.count, bytes[at] == 0 { at += 1 }
    return at < bytes.count ? at : nil
}

private func firstDifference(_ a: UnsafeMutableRawBufferPointer, _ b: UnsafeMutableRawBufferPointer) -> Int? {
    var at = 0
    let words = min(a.count, b.count) & ~7
    while at < words,
        a.loadUnaligned(fromByteOffset: at, as: UInt64.self) == b.loadUnaligned(fromByteOffset: at, as: UInt64.self)
    { at += 8 }
    while at < min(a.count, b.count), a[at] == b[at] { at += 1 }
    return at < min(a.count, b.count) ? at : nil
}

/// How far it is, for `-p`.
private struct Progress {
    let isShown: Bool
    let all: UInt64
    private var last: UInt64 = .max

    init(_ line: ImageLine, _ all: UInt64) {
        isShown = line.showsProgress && !line.isQuiet
        self.all = all
        show(0)
    }

    mutating func show(_ done: UInt64) {
        guard isShown else { return }
        let percent = all == 0 ? 10_000 : UInt64(Double(done) * 10_000 / Double(all))
        // In steps of a hundredth of the work.
        if last != .max, percent < last + 100, done < all { return }
        last = percent
        writeStandardOutput("    (\(fixed(Double(percent) / 100, 2))/100%)\r")
    }

    mutating func end() { if isShown { writeStandardOutput("    (100.00/100%)\r\n") } }
}

// MARK: Convert

func convertImage(_ line: ImageLine) throws(ImageFailure) -> Int32 {
    guard let target = line.operands.last, line.operands.count > 1 else {
        throw ImageFailure("Must specify image file name")
    }
    guard line.operands.count == 2 else { throw ImageFailure("several source images are not supported; give one") }
    if line.backing != nil { throw ImageFailure("-B is not supported; use create -b and rebase") }
    let source = try line.open(line.operands[0], format: line.format)
    var new = try NewImage(line.outputFormat ?? "raw", line.creation)
    if new.creation.backingFile != nil { throw ImageFailure("backing_file is not supported; use create -b and rebase") }
    if line.compresses, new.format == "raw" { throw ImageFailure("Compression not supported for this file format") }
    new.creation.size = (source.size + 511) & ~511
    if !line.createsNothing { try new.make(target) }
    let options = ImageOptions(format: new.format, cache: line.cache)
    let output = try openNamed(target, options)
    guard output.size >= source.size else {
        throw ImageFailure("output file is smaller than input file")
    }
    do throws(BlockError) {
        try copy(source, output, line)
        try output.flush()
        try output.close()
    } catch { throw ImageFailure("error while converting: \(error)") }
    return 0
}

private func copy(_ source: any BlockImage, _ output: any BlockImage, _ line: ImageLine) throws(BlockError) {
    let buffer = Buffer()
    var progress = Progress(line, source.size), at: UInt64 = 0
    let size = source.size, qcow2 = output as? QCOW2Image
    let unit = line.compresses ? UInt64(qcow2?.header.clusterSize ?? 65536) : max(512, line.sparseSize & ~511)
    while at < size {
        let extent = try source.status(at: at, count: size - at)
        var count = extent.count
        if line.compresses, count % unit != 0 {
            // Only whole clusters can be compressed.
            count = count > unit && !extent.isZero ? count / unit * unit : min((at / unit + 1) * unit, size) - at
            if extent.isZero, extent.count > unit { count = extent.count / unit * unit }
        }
        if extent.isZero, count <= extent.count {
            if line.createsNothing { try output.writeZeroes(at: at, count: count, mayUnmap: true) }
            at += count
            progress.show(at)
            continue
        }
        count = min(count, Buffer.size)
        // The new disk has whole sectors.
        if line.compresses, at + count == size { count = min((count + 511) & ~511, output.size - at) }
        try buffer.fill(source, at, count)
        try write(buffer, count, to: output, at, unit, line)
        at += count
        progress.show(at)
    }
    progress.end()
}

/// Writes what the buffer holds, but for runs of zeros.
private func write(
    _ buffer: borrowing Buffer, _ count: UInt64, to output: any BlockImage, _ offset: UInt64, _ unit: UInt64,
    _ line: ImageLine
) throws(BlockError) {
    func isHole(_ start: UInt64) -> Bool {
        line.sparseSize != 0 && buffer.isZero(start, min(unit, count - start))
    }
    var start: UInt64 = 0
    while start < count {
        let hole = isHole(start)
        var end = min(start + unit, count)
        if line.compresses {
            if !hole, let qcow2 = output as? QCOW2Image {
                try qcow2.writeCompressed(at: offset + start, UnsafeRawBufferPointer(buffer.part(start, end - start)))
            }
        } else {
            while end < count, isHole(end) == hole { end = min(end + unit, count) }
            if !hole {
                try output.write(at: offset + start, from: [UnsafeRawBufferPointer(buffer.part(start, end - start))])
            }
        }
        if hole, line.createsNothing { try output.writeZeroes(at: offset + start, count: end - start, mayUnmap: true) }
        start = end
    }
}

/// Copies bytes to the start of a new image, but for those that are known to be 0.
func copyData(_ source: any BlockImage, from start: UInt64, to target: any BlockImage, count: UInt64) throws(BlockError)
{
    let buffer = Buffer()
    var at: UInt64 = 0
    while at < count {
        let extent = try source.status(at: start + at, count: count - at)
        let part = min(extent.count, Buffer.size)
        if !extent.isZero {
            try buffer.fill(source, start + at, part)
            try target.write(at: at, from: [UnsafeRawBufferPointer(buffer.part(0, part))])
        }
        at += extent.isZero ? extent.count : part
    }
}

// MARK: Compare

func compareImages(_ line: ImageLine) throws(ImageFailure) -> Int32 {
    guard line.operands.count == 2 else { throw ImageFailure(usage: "Expecting two image file names", "compare") }
    func open(_ name: String, _ format: String?) throws(ImageFailure) -> any BlockImage {
        do throws(ImageFailure) { return try line.open(name, format: format) } catch {
            var failure = error
            failure.status = 2
            throw failure
        }
    }
    let a = try open(line.operands[0], line.format), b = try open(line.operands[1], line.otherFormat)
    if line.isStrict, a.size != b.size {
        line.say("Strict mode: Image size mismatch!\n")
        return 1
    }
    let one = Buffer(), other = Buffer()
    let size = max(a.size, b.size)
    var progress = Progress(line, size), at: UInt64 = 0
    // What only one of them has comes last.
    let common = min(a.size, b.size)
    var isWarned = a.size == b.size
    do throws(BlockError) {
        while at < size {
            if at >= common, !isWarned {
                line.say("Warning: Image size mismatch!\n")
                isWarned = true
            }
            let left = (at < common ? common : size) - at
            let zeroA = try zeroRun(a, at, size), zeroB = try zeroRun(b, at, size)
            if zeroA > 0, zeroB > 0 {
                at += min(zeroA, zeroB, left)
                progress.show(at)
                continue
            }
            let count = min(left, Buffer.size)
            try one.fill(a, at, count)
            try other.fill(b, at, count)
            if let place = firstDifference(one.part(0, count), other.part(0, count)) {
                // Sectors are compared.
                line.say("Content mismatch at offset \((at + UInt64(place)) & ~511)!\n")
                return 1
            }
            at += count
            progress.show(at)
        }
    } catch { throw ImageFailure("Error while reading: \(error)", status: 4) }
    progress.end()
    line.say("Images are identical.\n")
    return 0
}

/// How many bytes from an offset on are known to be 0.
private func zeroRun(_ image: any BlockImage, _ offset: UInt64, _ end: UInt64) throws(BlockError) -> UInt64 {
    if offset >= image.size { return end - offset }
    let extent = try image.status(at: offset, count: image.size - offset)
    return extent.isZero ? extent.count : 0
}

// MARK: Commit and rebase

func commitImage(_ line: ImageLine) throws(ImageFailure) -> Int32 {
    let name = try line.file()
    var options = ImageOptions(format: line.format)
    options.opensBacking = false
    guard let image = try openNamed(name, options) as? QCOW2Image, let below = image.header.backingFile else {
        throw ImageFailure("Image does not have a backing file")
    }
    let base = try openNamed(
        backingPath(below, of: name), ImageOptions(format: image.header.backingFormat, cache: CacheMode()))
    let buffer = Buffer()
    var progress = Progress(line, image.size), at: UInt64 = 0
    do throws(BlockError) {
        if base.size < image.size { try base.resize(to: image.size) }
        while at < image.size {
            let extent = try image.ownStatus(at: at, count: image.size - at)
            var count = extent.count
            if extent.isAllocated {
                if extent.isZero {
                    try base.writeZeroes(at: at, count: count, mayUnmap: true)
                } else {
                    count = min(count, Buffer.size)
                    try buffer.fill(image, at, count)
                    try base.write(at: at, from: [UnsafeRawBufferPointer(buffer.part(0, count))])
                }
            }
            at += count
            progress.show(at)
        }
        try base.flush()
        try base.close()
        if !line.keepsContents { try image.empty() }
        try image.close()
    } catch { throw ImageFailure("Error during commit: \(error)") }
    progress.end()
    line.say("Image committed.\n")
    return 0
}

func rebaseImage(_ line: ImageLine) throws(ImageFailure) -> Int32 {
    let name = try line.file()
    guard let newName = line.backing else { throw ImageFailure("Use backing file option -b") }
    var options = ImageOptions(format: line.format)
    options.opensBacking = !line.isUnsafe
    guard let image = try openNamed(name, options) as? QCOW2Image else {
        throw ImageFailure("Could not rebase '\(name)': the format raw has no backing files")
    }
    var base: (any BlockImage)?
    if !newName.isEmpty, !line.isUnsafe {
        base = try openNamed(
            backingPath(newName, of: name), ImageOptions(format: line.otherFormat, isReadOnly: true))
    }
    do throws(BlockError) {
        if !line.isUnsafe { try keepContents(image, base, line) }
        try image.setBackingFile(newName.isEmpty ? nil : newName, format: line.otherFormat ?? base?.format)
        try image.close()
    } catch { throw ImageFailure("Could not rebase '\(name)': \(error)") }
    return 0
}

/// What shows through the image from below becomes its own where the new image below has something else.
private func keepContents(_ image: QCOW2Image, _ base: (any BlockImage)?, _ line: ImageLine) throws(BlockError) {
    let old = Buffer(), new = Buffer()
    var progress = Progress(line, image.size), at: UInt64 = 0
    let unit = UInt64(image.header.clusterSize)
    while at < image.size {
        let own = try image.ownStatus(at: at, count: image.size - at)
        var count = own.count
        if !own.isAllocated {
            count = min(count, unit - at % unit)
            try old.fill(image, at, count)
            if let base { try new.fill(base, at, count) }
            let differs =
                base == nil ? !old.isZero(0, count) : firstDifference(old.part(0, count), new.part(0, count)) != nil
            if differs { try image.write(at: at, from: [UnsafeRawBufferPointer(old.part(0, count))]) }
        }
        at += count
        progress.show(at)
    }
    progress.end()
}
