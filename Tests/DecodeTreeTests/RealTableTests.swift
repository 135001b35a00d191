// The project's own tables: no complaints, no row that cannot be reached, and a decision tree which says the same as
// trying all rows in order.

import Foundation
import Testing

@testable import DecodeTree

@Suite struct RealTableTests {
    private func tables() throws -> ResolvedTable {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = root.appending(path: "Sources/GuestRISCV/Decode")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasSuffix(".decode") }.sorted()
        #expect(!names.isEmpty)
        return try resolve(
            names.map { ($0, try String(contentsOf: folder.appending(path: $0), encoding: .utf8)) })
    }

    private func tree(_ table: ResolvedTable, _ width: Int) -> DecisionTree {
        DecisionTree.build(table.patterns.filter { $0.width == width })
    }

    /// xorshift: the same numbers on each run.
    private struct Words {
        var state: UInt64 = 88_172_645_463_325_252
        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
    }

    @Test func eachRowIsReachedWithItsOwnExtensions() throws {
        let table = try tables()
        var source = Words()
        for width in [16, 32] {
            let tree = tree(table, width)
            for pattern in table.patterns where pattern.width == width {
                let any = pattern.gate.anyOf[0]
                let extensions = ExtensionBits(words: [pattern.gate.allOf[0] | (any & (0 &- any))])
                let reached = (0..<100).contains { _ in
                    let word = (source.next() & ~pattern.mask & lowBits(width)) | pattern.match
                    return tree.find(word, extensions: extensions)?.name == pattern.name
                }
                #expect(reached, "\(pattern.location): \(pattern.name)")
            }
        }
    }

    @Test func rowsThatNothingCutsIntoAreFoundByTheirMatchWord() throws {
        let table = try tables()
        for pattern in table.patterns {
            let cut = table.patterns.contains { $0.name != pattern.name && $0.overlaps(pattern) }
            if cut { continue }
            let extensions = ExtensionBits(words: [pattern.gate.allOf[0] | pattern.gate.anyOf[0]])
            #expect(tree(table, pattern.width).find(pattern.match, extensions: extensions)?.name == pattern.name)
        }
    }

    @Test func theTreeSaysWhatTryingAllRowsSays() throws {
        let table = try tables()
        var source = Words()
        for width in [16, 32] {
            let tree = tree(table, width)
            let patterns = table.patterns.filter { $0.width == width }
            for round in 0..<4000 {
                var word = source.next() >> 20 & lowBits(width)
                if round % 4 != 0 {  // near a row: one bit off, or none
                    let pattern = patterns[Int(source.next() % UInt64(patterns.count))]
                    word = (word & ~pattern.mask) | pattern.match
                    if round % 4 == 1 { word ^= 1 << (source.next() % UInt64(width)) }
                }
                let extensions = ExtensionBits(words: [round % 2 == 0 ? .max : source.next()])
                let expected = patterns.first { word & $0.mask == $0.match && $0.gate.isOpen(for: extensions) }
                #expect(tree.find(word, extensions: extensions)?.name == expected?.name)
            }
        }
    }
}
