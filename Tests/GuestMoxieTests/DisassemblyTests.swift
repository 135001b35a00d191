// Every encoding's text is that of GNU objdump, where it is in the cache (`./devtool toolchain moxie`). Its texts of a sample are kept
// in Tests/Guest/moxie/disassembly.

import Glibc
import GuestMoxie
import TestSupport
import Testing

@Suite struct DisassemblyTests {
    /// An instruction's bytes and its text, which may depend on where it stands: the first is at `base`, the others follow.
    private struct Line: Equatable, CustomStringConvertible {
        var bytes: [UInt8]
        var text: String
        var description: String { "\(hex(bytes))\t\(text)" }
    }

    private static let base: UInt32 = 0x10000
    private static let objdump = MoxieToolchain.tool("objdump")

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Instructions with these first halfwords, and random values behind them, one after the other.
    private func lines(_ halfwords: some Sequence<UInt16>, _ random: inout SeededRandom) -> [Line] {
        let guest = MoxieGuest()
        var pc = UInt64(Self.base)
        return halfwords.map { halfword in
            let values = (0..<4).map { _ in UInt8.random(in: 0...255, using: &random) }
            let code = [UInt8(halfword >> 8), UInt8(truncatingIfNeeded: halfword)] + values
            let shown = code.withUnsafeBytes { guest.disassemble($0, at: pc) }
            pc += UInt64(shown.length)
            return Line(bytes: Array(code.prefix(shown.length)), text: shown.text)
        }
    }

    /// What objdump makes of the same bytes.
    private func reference(_ lines: [Line]) throws -> [Line] {
        let objdump = try #require(Self.objdump)
        let code = lines.flatMap(\.bytes)
        let file = MoxieFile(
            entry: Self.base,
            segments: [MoxieFile.Segment(address: Self.base, flags: 5, bytes: code, memorySize: code.count)])
        let listing = String(decoding: try file.run { "timeout 60 '\(objdump)' -z -D -j .data '\($0)'" }, as: UTF8.self)
        var found: [Line] = []
        // "   10000:<TAB>01 20 00 00 <TAB>ldi.l<TAB>$r0, 0x1234", and a line for bytes that are left.
        for line in listing.split(separator: "\n") {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard fields.count >= 2, fields[0].hasSuffix(":") else { continue }
            let bytes = fields[1].split(separator: " ").compactMap { UInt8($0, radix: 16) }
            if fields.count == 2 {
                found[found.count - 1].bytes += bytes
            } else {
                let text = fields[2...].joined(separator: " ")
                found.append(Line(bytes: bytes, text: String(text.prefix { $0 != "<" }.trimmed)))
            }
        }
        return found
    }

    @Test(.seeded(1), .enabled(if: objdump != nil, "no objdump: ./devtool toolchain moxie"))
    func everyEncodingReadsAsInObjdump() throws {
        var random = SeededRandom(seed: Seed.current)
        let ours = lines(0...UInt16.max, &random)
        let theirs = try reference(ours)
        #expect(theirs.count == ours.count)
        let wrong = zip(ours, theirs).filter { $0 != $1 }
        #expect(wrong.isEmpty, "\(wrong.count) differ, the first: \(wrong.prefix(5))")
    }

    /// Two instructions of each first byte. `MARTLET_BLESS=1` makes the sample anew, with objdump's texts.
    @Test(.seeded(2)) func theKeptSampleReadsAsInObjdump() throws {
        var random = SeededRandom(seed: 2)  // the sample is one
        let halfwords = (0..<512).map { UInt16($0 / 2) << 8 | UInt16(random.below(256)) }
        let ours = lines(halfwords, &random)
        let path = MoxieToolchain.kept + "/disassembly"
        if getenv("MARTLET_BLESS") != nil, Self.objdump != nil {
            let text = try reference(ours).map { "\($0)\n" }.joined()
            try writeFile(path, Array(text.utf8))
        }
        let kept = String(decoding: try #require(readFile(path)), as: UTF8.self).split(separator: "\n")
        #expect(kept.count == 512)
        for (line, wanted) in zip(ours, kept) { #expect(line.description == wanted) }
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}
