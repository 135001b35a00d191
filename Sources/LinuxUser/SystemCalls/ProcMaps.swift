// The guest's mappings as /proc/PID/maps, smaps and smaps_rollup show them (proc(5)): ranges, rights and kinds come from
// the guest's own table; files, offsets and statistics from the host's list of the same memory. That list is read once
// and walked beside the table.
//
// The table joins what lies side by side with equal rights. Where the kernel keeps such neighbours apart, because their
// files or offsets do not go on or because they are of different origin, they are apart here too. Neighbours that differ
// on the host only in being writable are one: Martlet protects pages with translated code.

import LinuxMemory

struct ProcMaps {
    private let text: [UInt8]
    private let host: [HostMapping]
    private let pieces: [Piece]
    private let prefix: [UInt8]

    /// `details`: with what `statistics` and `totals` need.
    init(_ process: GuestProcess, details: Bool) {
        text = ProcPath.contents(details ? "/proc/self/smaps" : "/proc/self/maps")
        host = text.withUnsafeBufferPointer { HostMapping.list($0) }
        pieces = Self.pieces(process.memory.mappings, host, text)
        prefix = process.hiddenPrefix
    }

    /// A line of the guest's list, and the host's mappings that it consists of.
    private struct Piece {
        var mapping: Mapping
        var host: Range<Int>
        /// The last of its mapping in the guest's table.
        var isLast = true
    }

    private static func pieces(_ table: [Mapping], _ host: [HostMapping], _ text: [UInt8]) -> [Piece] {
        var result: [Piece] = []
        result.reserveCapacity(table.count)
        var index = 0
        for mapping in table {
            while index < host.count && host[index].end <= mapping.start { index += 1 }
            var piece = Piece(mapping: mapping, host: index..<index)
            // (The next mapping may lie in the same one of the host.)
            var at = index
            while at < host.count && host[at].start < mapping.end {
                if at > piece.host.lowerBound, !host[at].continues(host[at - 1], text) {
                    piece.mapping.end = host[at].start
                    piece.isLast = false
                    result.append(piece)
                    piece = Piece(mapping: mapping, host: at..<at)
                    piece.mapping.start = host[at].start
                }
                at += 1
                piece.host = piece.host.lowerBound..<at
            }
            result.append(piece)
        }
        return result
    }

    // MARK: Files

    func lines() -> [UInt8] {
        var output = ProcText(capacity: pieces.count * 100)
        for piece in pieces { writeLine(piece, &output) }
        return output.bytes
    }

    /// What a line says.
    struct Line {
        var mapping: Mapping
        var offset: UInt64 = 0
        /// "device inode"; empty for memory of no file.
        var object: ArraySlice<UInt8> = []
        var name: ArraySlice<UInt8> = []
    }

    /// The line of the mapping at or, when there is none, after an address.
    func lines(from address: UInt64) -> some Sequence<Line> {
        pieces.lazy.drop { $0.mapping.end <= address }.map { line($0) }
    }

    private func line(_ piece: Piece) -> Line {
        var line = Line(mapping: piece.mapping)
        if let first = piece.host.first {
            let file = host[first]
            line.name = text[file.name]
            if !file.isAnonymous {
                line.object = text[file.object]
                line.offset = file.offset &+ (piece.mapping.start &- file.start)
                if line.name.count > prefix.count, line.name.starts(with: prefix) {
                    line.name = line.name.dropFirst(prefix.count)
                }
            } else if !line.name.starts(with: "[anon:".utf8) {
                line.name = []
            }
        }
        switch piece.mapping.kind {
        case .ordinary, .file: break
        case .heap: line.name = Array("[heap]".utf8)[...]
        case .stack: if piece.isLast { line.name = Array("[stack]".utf8)[...] }
        case .trampoline: line.name = Array("[vdso]".utf8)[...]
        }
        return line
    }

    private func writeLine(_ piece: Piece, _ output: inout ProcText) {
        let line = line(piece), mapping = line.mapping, start = output.bytes.count
        output.hexadecimal(mapping.start)
        output.text("-")
        output.hexadecimal(mapping.end)
        output.text(mapping.rights.contains(.read) ? " r" : " -")
        output.text(mapping.rights.contains(.write) ? "w" : "-")
        output.text(mapping.rights.contains(.execute) ? "x" : "-")
        output.text(mapping.isShared ? "s " : "p ")
        output.hexadecimal(line.offset)
        output.text(" ")
        if line.object.isEmpty { output.text("00:00 0") } else { output.bytes += line.object }
        output.text(" ")
        if !line.name.isEmpty {
            output.pad(to: start + 73)
            output.bytes += line.name
        }
        output.text("\n")
    }

    func statistics() -> [UInt8] {
        var output = ProcText(capacity: pieces.count * 800)
        for piece in pieces {
            writeLine(piece, &output)
            for field in fields(of: piece) {
                switch field.unit {
                case .flags: writeFlags(field, piece.mapping, &output)
                case .kilobytes: output.field(text[field.name], field.value)
                case .number:
                    output.bytes += text[field.name]
                    output.text(":")
                    output.bytes += text[field.rest]
                    output.text("\n")
                }
            }
        }
        return output.bytes
    }

    func totals() -> [UInt8] {
        var sums: [(name: [UInt8], value: UInt64)] = []
        func add(_ name: [UInt8], _ value: UInt64) {
            if let index = sums.firstIndex(where: { $0.name == name }) {
                sums[index].value &+= value
            } else {
                sums.append((name, value))
            }
        }
        let perMapping = ["Size", "KernelPageSize", "MMUPageSize"], kinds = ["Pss_Anon", "Pss_File", "Pss_Shmem"]
        for piece in pieces {
            var shares: UInt64 = 0, anonymous: UInt64 = 0
            for field in fields(of: piece) where field.unit == .kilobytes {
                let name = text[field.name]
                if perMapping.contains(where: { name.elementsEqual($0.utf8) }) { continue }
                add(Array(name), field.value)
                if name.elementsEqual("Pss".utf8) { shares = field.value }
                if name.elementsEqual("Anonymous".utf8) { anonymous = min(shares, field.value) }
                // Shares of pages by their kind come next in the file; the values follow below.
                if name.elementsEqual("Pss_Dirty".utf8) { for kind in kinds { add(Array(kind.utf8), 0) } }
            }
            let isFile = piece.host.first.map { !host[$0].isAnonymous } ?? false
            add(Array(kinds[0].utf8), anonymous)
            add(Array(kinds[isFile ? 1 : 2].utf8), shares &- anonymous)
        }
        var output = ProcText(capacity: 1024)
        output.hexadecimal(pieces.first?.mapping.start ?? 0)
        output.text("-")
        output.hexadecimal(pieces.last?.mapping.end ?? 0)
        output.text(" ---p 00000000 00:00 0 ")
        output.pad(to: 73)
        output.text("[rollup]\n")
        for sum in sums { output.field(sum.name[...], sum.value) }
        return output.bytes
    }

    // MARK: Statistics

    private struct Field {
        enum Unit { case kilobytes, number, flags }
        var name: Range<Int>
        var value: UInt64 = 0
        var unit: Unit
        /// All of the line after the name's colon.
        var rest: Range<Int>
    }

    /// The statistics of a line: sums over the host's mappings, of which one that only partly belongs to the line counts
    /// in proportion.
    private func fields(of piece: Piece) -> [Field] {
        var result: [Field] = []
        for index in piece.host {
            let mapping = host[index]
            let start = max(mapping.start, piece.mapping.start), end = min(mapping.end, piece.mapping.end)
            let part = (Double(end) - Double(start)) / Double(mapping.end &- mapping.start)
            var place = 0
            for field in parse(mapping.details) {
                var field = field
                let isSize = text[field.name].elementsEqual("Size".utf8)
                let isPageSize = text[field.name].suffix(8).elementsEqual("PageSize".utf8)
                if isSize { field.value = (end - start) / 1024 }
                if !isSize && !isPageSize && part < 1 { field.value = UInt64(Double(field.value) * part) }
                if place < result.count {
                    if field.unit == .kilobytes && !isPageSize { result[place].value &+= field.value }
                } else {
                    result.append(field)
                }
                place += 1
            }
        }
        return result
    }

    /// Lines of the form "Name:    123 kB", "Name: 1" and "VmFlags: rd wr".
    private func parse(_ lines: Range<Int>) -> [Field] {
        text[lines].split(separator: 10).compactMap { line in
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            let rest = line[(colon + 1)...]
            var field = Field(name: line.startIndex..<colon, unit: .number, rest: rest.indices)
            // A key of the host's processor.
            if text[field.name].elementsEqual("ProtectionKey".utf8) { return nil }
            if text[field.name].elementsEqual("VmFlags".utf8) { field.unit = .flags }
            if rest.suffix(3).elementsEqual(" kB".utf8) {
                field.unit = .kilobytes
                for byte in rest where byte &- 48 < 10 { field.value = field.value &* 10 &+ UInt64(byte &- 48) }
            }
            return field
        }
    }

    /// The guest's rights in place of the host's, which come first.
    private func writeFlags(_ field: Field, _ mapping: Mapping, _ output: inout ProcText) {
        output.text("VmFlags:")
        if mapping.rights.contains(.read) { output.text(" rd") }
        if mapping.rights.contains(.write) { output.text(" wr") }
        if mapping.rights.contains(.execute) { output.text(" ex") }
        for flag in text[field.rest].split(separator: 32) {
            if flag.elementsEqual("rd".utf8) || flag.elementsEqual("wr".utf8) || flag.elementsEqual("ex".utf8) {
                continue
            }
            output.text(" ")
            output.bytes += flag
        }
        output.text(" \n")
    }
}

/// Text as the kernel's files have it.
struct ProcText {
    var bytes: [UInt8] = []
    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func text(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// At least eight digits.
    mutating func hexadecimal(_ value: UInt64) {
        var digits = max(8, (67 &- value.leadingZeroBitCount) / 4)
        while digits > 0 {
            digits &-= 1
            let digit = UInt8(truncatingIfNeeded: value &>> UInt64(digits &* 4)) & 15
            bytes.append(digit &+ (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") &- 10))
        }
    }

    mutating func pad(to column: Int) { while bytes.count < column { bytes.append(32) } }

    /// "Name:            123 kB"
    mutating func field(_ name: ArraySlice<UInt8>, _ value: UInt64) {
        let start = bytes.count
        bytes += name
        text(":")
        let digits = String(value).utf8
        pad(to: start + 24 - digits.count)
        bytes += digits
        text(" kB\n")
    }
}
