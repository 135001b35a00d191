// Texts before and after: each file in Cases holds cases of the form
//
//     == what happens [full] [tso] [-pass ...]
//     (ops of the region)
//     ---
//     (the region as optimized)
//
// The guest's memory model is `.weak` unless the title says `[tso]`.
//
// With MARTLET_BLESS=1 the second parts are written anew.

import Foundation
import IR
import Testing

@testable import Optimizer

let caseGlobals: [GlobalDescriptor] =
    (0..<6).map { GlobalDescriptor(name: "a\($0)", type: .i64, offset: 8 * $0) }
    + (0..<2).map { GlobalDescriptor(name: "w\($0)", type: .i32, offset: 48 + 4 * $0) }
    + (0..<4).map { GlobalDescriptor(name: "f\($0)", type: .f64, offset: 56 + 8 * $0) }

let caseHelpers = [
    HelperDescriptor("pure", { _, a, b, _, _ in a &+ b &* 3 }, arguments: 2, isPure: true),
    HelperDescriptor(
        "touch",
        { state, a, _, _, _ in
            let old = state.load(fromByteOffset: 0, as: UInt64.self)
            state.storeBytes(of: old &+ a, toByteOffset: 8, as: UInt64.self)
            return old ^ a
        }, arguments: 1, reads: .all, writes: .all),
    HelperDescriptor("note", { _, a, _, _, _ in a &* 5 }, arguments: 1),
]

private struct Case {
    var title: String
    var input: String
    var expected: String

    var level: OptimizationLevel { title.contains("[full]") ? .full : .baseline }
    var memoryModel: MemoryModel { title.contains("[tso]") ? .tso : .weak }
    var disabled: Set<String> {
        Set(title.split(separator: " ").filter { $0.hasPrefix("[-") }.map { String($0.dropFirst(2).dropLast()) })
    }

    func optimized() throws -> String {
        let region = try Region.parse("region 0x1000 flags 0\n" + input, globals: caseGlobals, helpers: caseHelpers)
        defer { region.deallocate() }
        #expect(region.verify(globals: caseGlobals, helpers: caseHelpers) == [], "\(title)")
        let storage = OptimizerStorage(
            region: region, globals: caseGlobals, helpers: caseHelpers, disabled: disabled, sharesGuestLoads: true,
            memoryModel: memoryModel, verifies: true)
        #expect(Optimizer.run(region, storage, level: level) == nil, "\(title)")
        let text = region.print(globals: caseGlobals, helpers: caseHelpers)
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropFirst().joined(separator: "\n")
    }
}

private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Cases")

private func caseFiles() -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter { $0.hasSuffix(".ir") }.sorted()
}

@Test func thereAreCases() { #expect(caseFiles().count >= 5) }

@Test(arguments: caseFiles()) func regionsBecomeWhatTheCasesSay(_ file: String) throws {
    let url = folder.appendingPathComponent(file)
    var cases: [Case] = []
    var isInput = true
    for line in try String(contentsOf: url, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false) {
        if line.hasPrefix("== ") {
            cases.append(Case(title: String(line.dropFirst(3)), input: "", expected: ""))
            isInput = true
        } else if line == "---" {
            isInput = false
        } else if !cases.isEmpty {
            if isInput {
                cases[cases.count - 1].input += line + "\n"
            } else {
                cases[cases.count - 1].expected += line + "\n"
            }
        }
    }
    #expect(!cases.isEmpty)
    let isBlessing = ProcessInfo.processInfo.environment["MARTLET_BLESS"] == "1"
    var blessed = ""
    for one in cases {
        let result = try one.optimized()
        if !isBlessing { #expect(result.trimmed == one.expected.trimmed, "\(file): \(one.title)") }
        blessed += "== \(one.title)\n\(one.input.trimmed)\n---\n\(result.trimmed)\n\n"
    }
    if isBlessing { try blessed.write(to: url, atomically: true, encoding: .utf8) }
}

extension String {
    fileprivate var trimmed: String { trimmingCharacters(in: .newlines) }
}
