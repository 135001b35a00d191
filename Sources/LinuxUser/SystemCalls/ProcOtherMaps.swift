// The guest's part of another process's maps or smaps: the host's rows below the addresses of Martlet's own. Rights are
// those that the host gives, which are the guest's but for two: what the guest may execute is readable only, so that is
// looked up in the program file that it is mapped from, and pages whose code has been translated are not writable.

import HostOS
import LinuxMemory

struct OtherProcMaps {
    private let text: [UInt8]
    let rows: [Row]
    /// Program files that have been looked at.
    private var files: [ArraySlice<UInt8>: MappedProgram] = [:]

    struct Row {
        var mapping: HostMapping
        var isStack: Bool
        var isWritable: Bool { mapping.permissions >> 16 & 0xff == UInt8(ascii: "w") }
        var isPrivate: Bool { mapping.permissions & 0xff == UInt8(ascii: "p") }
    }

    init(_ text: [UInt8]) {
        self.text = text
        var all = text.withUnsafeBufferPointer { HostMapping.list($0) }.prefix { $0.end <= OtherProcess.guestEnd }
        // The page behind the guest's last address, which nobody may touch.
        let noRights: UInt32 = 0x2d_2d2d  // "---"
        if let last = all.last, last.permissions >> 8 == noRights, last.end - last.start == HostProcess.pageSize {
            all.removeLast()
        }
        rows = all.map { Row(mapping: $0, isStack: text[$0.name].elementsEqual("[stack]".utf8)) }
    }

    /// The rows, each with its lines of statistics, as `reader` knows the files.
    mutating func text(for reader: GuestProcess) -> [UInt8] {
        var output = ProcText(capacity: rows.reduce(0) { $0 + 100 + $1.mapping.details.count })
        let prefix = reader.hiddenPrefix
        for row in rows {
            let mapping = row.mapping, start = output.bytes.count
            output.hexadecimal(mapping.start)
            output.text("-")
            output.hexadecimal(mapping.end)
            output.text(" ")
            var rights = mapping.permissions
            if isCode(mapping, reader.resolver) { rights = rights & ~0xff00 | UInt32(UInt8(ascii: "x")) << 8 }
            for shift: UInt32 in [24, 16, 8, 0] { output.bytes.append(UInt8(truncatingIfNeeded: rights >> shift)) }
            output.text(" ")
            output.hexadecimal(mapping.offset)
            output.text(" ")
            output.bytes += text[mapping.object]
            output.text(" ")
            var name = text[mapping.name]
            if !mapping.isAnonymous, name.count > prefix.count, name.starts(with: prefix) {
                name = name.dropFirst(prefix.count)
            }
            if !name.isEmpty {
                output.pad(to: start + 73)
                output.bytes += name
            }
            output.text("\n")
            output.bytes += text[mapping.details]
        }
        return output.bytes
    }

    private mutating func isCode(_ mapping: HostMapping, _ resolver: ProgramResolver) -> Bool {
        let readOnly: UInt32 = 0x72_2d2d  // "r--"
        let name = text[mapping.name]
        guard mapping.permissions >> 8 == readOnly, !mapping.isAnonymous, name.first == UInt8(ascii: "/") else {
            return false
        }
        var file = files[name] ?? MappedProgram(String(decoding: name, as: UTF8.self), resolver)
        defer { files[name] = file }
        return file.hasCode(at: mapping.start, offset: mapping.offset)
    }
}

/// A file that has been mapped as programs and libraries are; also every other file, which has no segments.
private struct MappedProgram {
    private var segments: [ELFSegment] = []
    /// What has been added to the addresses of the segments.
    private var bias: UInt64?

    init(_ path: String, _ resolver: ProgramResolver) {
        let file = try? ELFFile(
            path: path, shown: path, needsExecutePermission: false, abi: resolver.abi, runs: resolver.runs)
        if let file { segments = file.segments }
    }

    /// Are there pages of a segment that may be executed? Asked of one mapping after the other, from low to high.
    mutating func hasCode(at address: UInt64, offset: UInt64) -> Bool {
        let page = HostProcess.pageSize
        guard let first = segments.first, let last = segments.last else { return false }
        let isWithin = bias.map { address >= (first.address &+ $0) & ~(page - 1) && address < last.end &+ $0 } ?? false
        if !isWithin {
            guard offset == first.fileOffset & ~(page - 1) else { return false }
            bias = address &- first.address & ~(page - 1)
        }
        // A page that two segments share has become the later one's.
        let place = address &- (bias ?? 0)
        return segments.last { $0.address & ~(page - 1) <= place }?.isExecutable ?? false
    }
}
