// `dd`: a part of an image as a new one.

import BlockLayer
import EngineSetup
import HostOS
import Options

private struct PartLine {
    var input: String?
    var output: String?
    var blockSize: UInt64 = 512
    var count: UInt64?
    var skipped: UInt64 = 0

    init(_ operands: [String]) throws(ImageFailure) {
        for operand in operands {
            let halves = operand.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let name = halves[0], value = halves.count == 2 ? halves[1] : ""
            func number() throws(ImageFailure) -> UInt64 {
                guard let number = parseSize(value, unit: 1) else {
                    throw ImageFailure("Invalid \(name) specified: '\(value)'.")
                }
                return number
            }
            switch halves.count == 2 ? name : "" {
            case "if": input = value
            case "of": output = value
            case "bs":
                blockSize = try number()
                guard (1...UInt64(Int32.max)).contains(blockSize) else {
                    throw ImageFailure("Invalid bs specified. Must be between 1 and \(Int32.max).")
                }
            case "count": count = try number()
            case "skip": skipped = try number()
            default: throw ImageFailure("unrecognized operand \(name)")
            }
        }
    }
}

func copyPart(_ line: ImageLine) throws(ImageFailure) -> Int32 {
    let part = try PartLine(line.operands)
    guard let input = part.input, let output = part.output else {
        throw ImageFailure("Must specify both input and output files")
    }
    let source = try line.open(input, format: line.format)
    func bytes(_ blocks: UInt64) -> UInt64 {
        let (bytes, overflow) = blocks.multipliedReportingOverflow(by: part.blockSize)
        return overflow ? .max : bytes
    }
    // As with qemu-img, what is skipped counts too.
    let end = min(source.size, part.count.map(bytes) ?? .max), start = bytes(part.skipped)
    if start > source.size { writeStandardError("qemu-img: \(input): cannot skip to specified offset\n") }
    let size = end > start ? end - start : 0
    var new = try NewImage(line.outputFormat ?? "raw", [])
    new.creation.size = (size + 511) & ~511
    try new.make(output)
    let target = try openNamed(output, ImageOptions(format: new.format, cache: line.cache))
    do throws(BlockError) {
        try copyData(source, from: start, to: target, count: size)
        try target.flush()
        try target.close()
    } catch { throw ImageFailure("error while writing to output image file: \(error)") }
    return 0
}
