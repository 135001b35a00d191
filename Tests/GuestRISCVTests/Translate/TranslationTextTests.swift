// Each instruction's IR as text, for a representative set. `MARTLET_BLESS=1` rewrites Translations.swift with what the
// translator makes now; the difference is to be read before it is kept.

import Foundation
import GuestKit
import GuestRISCV
import IR
import TestSupport
import Testing

@Suite struct TranslationTextTests {
    /// A case: `riscv32` where it is not riscv64, lines `WORD  assembly`, then the indented ops.
    struct Case {
        var head: [String] = []
        var ops: [String] = []
        var flags: UInt64 = 0
        var isNarrow = false
    }

    @Test func instructionsTranslateToTheExpectedOps() throws {
        var blessed = ""
        var different = 0
        for one in cases(translations) {
            let words = one.head.compactMap { UInt32($0.prefix { $0 != " " }, radix: 16) }
            try #require(words.count == one.head.count, "not a hexadecimal word: \(one.head)")
            let translated = Translated(
                bytes(words), guest: RISCVGuest(cpu: one.isNarrow ? .standard32 : .standard), flags: one.flags,
                plan: RegionPlan(maxBlocks: 1, maxInstructions: words.count))
            #expect(translated.problems.isEmpty, "\(one.head)")
            let ops = body(translated.text)
            if ops != one.ops {
                different += 1
                if !blesses {
                    Issue.record(
                        "\(one.head)\nexpected:\n\(one.ops.joined(separator: "\n"))\nis:\n\(ops.joined(separator: "\n"))"
                    )
                }
            }
            if one.isNarrow { blessed += "riscv32\n" }
            if one.flags != 0 { blessed += "rounding class \(one.flags)\n" }
            blessed += (one.head + ops).joined(separator: "\n") + "\n\n"
        }
        if blesses && different != 0 {
            let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Translations.swift")
            let text = try String(contentsOf: file, encoding: .utf8)
            let parts = text.components(separatedBy: "\"\"\"")
            try #require(parts.count == 3)
            try (parts[0] + "\"\"\"\n" + blessed + "\"\"\"" + parts[2]).write(
                to: file, atomically: true, encoding: .utf8)
        }
    }

    private var blesses: Bool { ProcessInfo.processInfo.environment["MARTLET_BLESS"] == "1" }

    private func cases(_ text: String) -> [Case] {
        var result: [Case] = []
        for paragraph in text.components(separatedBy: "\n\n") {
            var one = Case()
            for line in paragraph.split(separator: "\n").map(String.init) {
                if line == "riscv32" {
                    one.isNarrow = true
                } else if line.hasPrefix("rounding class ") {
                    one.flags = UInt64(line.suffix(1)) ?? 0
                } else if line.hasPrefix(" ") || line.hasPrefix("block") {
                    one.ops.append(line)
                } else {
                    one.head.append(line)
                }
            }
            if !one.head.isEmpty { result.append(one) }
        }
        return result
    }

    /// The ops, without what every case has: the headers, the instruction marks, the jump to the next instruction.
    private func body(_ text: String) -> [String] {
        var lines = text.split(separator: "\n").map(String.init)
        lines.removeAll { $0.hasPrefix("region ") || $0.hasPrefix("block0 ") || $0.hasPrefix("  insn_start ") }
        if let last = lines.last, last.hasPrefix("  goto_tb 0, "), lines.count > 1 || last.contains("0x1000") {
            lines.removeLast()
        }
        return lines
    }
}
