// Lowering and allocation as text: each file in Goldens holds cases of the form
//
//     == what it shows
//     (ops of the region)
//     --- allocation
//     (the allocator's steps)
//     --- code
//     (host instructions)
//
// With MARTLET_BLESS=1 all but the regions is written anew. Addresses count from the region's entry; what lies outside of it is
// called by where it is meant to be: `stub`, `table`.

import CCapstone
import CodeGen
import CodeGenX64
import Foundation
import HostOS
import IR
import Testing

private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Goldens")

private func goldenFiles() -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter { $0.hasSuffix(".golden") }
        .sorted()
}

private struct Golden {
    var title: String
    var region = ""
    var allocation = ""
    var code = ""

    /// The cases of a file.
    static func read(_ text: String) -> [Golden] {
        var cases: [Golden] = []
        var part = \Golden.region
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("== ") {
                cases.append(Golden(title: String(line.dropFirst(3))))
                part = \.region
            } else if line == "--- allocation" {
                part = \.allocation
            } else if line == "--- code" {
                part = \.code
            } else if !cases.isEmpty, !line.isEmpty {
                cases[cases.count - 1][keyPath: part] += line + "\n"
            }
        }
        return cases
    }

    var text: String { "== \(title)\n\(region)--- allocation\n\(allocation)--- code\n\(code)\n" }
}

/// Allocates and lowers one region after the other, always to the same place.
private final class GoldenHost {
    let host = X64Host()
    let memory: ExecutableMemory
    let code: CodeBuffer
    let start: Int

    init() throws {
        memory = try ExecutableMemory(size: 1 << 20)
        code = CodeBuffer(writable: memory.writable, executable: memory.executable, size: memory.size)
        host.configure(
            HostConfiguration(
                helpers: TestMachine.helpers, globals: TestMachine.globals, pcOffset: TestMachine.pcOffset,
                stateSize: TestMachine.stateWords * 8),
            code: code)
        start = code.used
    }

    /// The case with what comes out today.
    func make(_ golden: Golden) throws -> Golden {
        let region = try Region.parse(
            "region 0x1000 flags 0 slots 4\n" + golden.region, globals: TestMachine.globals,
            helpers: TestMachine.helpers)
        let allocation = Allocation.allocate(stepCapacity: 1 << 12, tempCapacity: 8192)
        defer {
            region.deallocate()
            allocation.deallocate()
        }
        #expect(region.verify(globals: TestMachine.globals, helpers: TestMachine.helpers) == [], "\(golden.title)")
        let description = try #require(host.description)
        var allocator = Allocator(description, region: region, allocation: allocation)
        let helpers = TestMachine.helpers.map(\.effects)
        #expect(helpers.withUnsafeBufferPointer { allocator.run($0.baseAddress!) }, "\(golden.title)")
        #expect(AllocationChecker.check(region, allocation, description, helpers: TestMachine.helpers) == [])
        code.used = start
        let compiled = try #require(host.compile(region, allocation, translation: 1))
        var result = golden
        result.allocation = (0..<allocation.stepCount).map { line(allocation.steps[$0], region, description) + "\n" }
            .joined()
        result.code = disassembled(
            UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(compiled.entry)), count: compiled.codeSize))
        return result
    }

    private func line(_ step: Step, _ region: Region, _ description: HostDescription) -> String {
        func place(_ p: UInt8) -> String? {
            switch p {
            case Place.none: nil
            case Place.constant: "constant"
            case Place.memory: "memory"
            default: description.registerName(p)
            }
        }
        func temp(_ index: UInt32) -> String {
            let t = Int(index)
            if t < region.globalCount { return TestMachine.globals[t].name }
            return region.temps[t].kind == .const ? "\(region.temps[t].value)" : "%\(t)"
        }
        let a = place(step.a) ?? ""
        let dst = place(step.dst) ?? ""
        switch step.kind {
        case .op:
            let sources = [step.a, step.b, step.c, step.d].compactMap(place).joined(separator: ", ")
            let name = "\(region.ops[Int(step.index)].opcode.row.name)"
            return "  " + (dst.isEmpty ? "" : dst + " = ") + name + (sources.isEmpty ? "" : " " + sources)
        case .label: return "label \(step.label)"
        case .move: return "  \(dst) = move \(a)"
        case .load: return "  \(dst) = load \(temp(step.index))"
        case .store: return "  store \(temp(step.index)), \(a == "constant" ? temp(step.index2) : a)"
        case .constant: return "  \(dst) = constant \(temp(step.index))"
        case .jump: return "  jump \(step.label)"
        case .dirty where step.a == Place.constant || step.a == Place.memory:
            return "  dirty \(temp(step.index)) is \(temp(step.index2))"
        case .dirty: return "  dirty \(temp(step.index)) in \(a)"
        case .clean: return "  clean \(temp(step.index))"
        case .resetState: return "  reset"
        }
    }
}

/// Host code with addresses from 0.
private func disassembled(_ code: UnsafeRawBufferPointer) -> String {
    var handle: csh = 0
    guard cs_open(CS_ARCH_X86, CS_MODE_64, &handle) == CS_ERR_OK else { return "" }
    defer { cs_close(&handle) }
    guard let base = code.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return "" }
    var text = ""
    var offset = 0
    // Far from zero, so that what lies before the entry has an address.
    let origin: UInt64 = 0x1000_0000
    while offset < code.count {
        var list: UnsafeMutablePointer<cs_insn>?
        let count = cs_disasm(handle, base + offset, code.count - offset, origin + UInt64(offset), 1, &list)
        guard count == 1, let list else {
            text += "  \(offset): .byte \(code[offset])\n"
            offset += 1
            continue
        }
        let end = Int(list[0].address - origin) + Int(list[0].size)
        let name = withUnsafeBytes(of: list[0].mnemonic) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let operands = withUnsafeBytes(of: list[0].op_str) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        cs_free(list, count)
        text += "  \(offset): \(name)" + (operands.isEmpty ? "" : " " + named(operands, end, code.count, origin)) + "\n"
        offset = end
    }
    return text
}

/// An instruction's operands, without addresses outside of the region's `size` bytes; the next instruction is at `end`.
private func named(_ operands: String, _ end: Int, _ size: Int, _ origin: UInt64) -> String {
    if operands.hasPrefix("0x"), let target = UInt64(operands.dropFirst(2), radix: 16) {
        return target >= origin && target < origin + UInt64(size) ? "\(target - origin)" : "stub"
    }
    guard let range = operands.range(of: #"\[rip [+-] (0x)?[0-9a-f]+\]"#, options: .regularExpression) else {
        return operands
    }
    let inside = operands[range].dropFirst(5).dropLast()
    let digits = inside.dropFirst(2)
    let value = digits.hasPrefix("0x") ? Int(digits.dropFirst(2), radix: 16) : Int(digits)
    guard let value else { return operands }
    let target = end + (inside.hasPrefix("-") ? -value : value)
    return operands.replacingCharacters(in: range, with: target >= 0 && target < size ? "[\(target)]" : "[table]")
}

@Test func thereAreGoldens() throws {
    let cases = try goldenFiles().flatMap {
        Golden.read(try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8))
    }
    #expect(cases.count >= 30)
}

@Test(arguments: goldenFiles()) func regionsBecomeTheHostCodeOfTheGoldens(_ file: String) throws {
    let url = folder.appendingPathComponent(file)
    let cases = Golden.read(try String(contentsOf: url, encoding: .utf8))
    #expect(!cases.isEmpty)
    let isBlessing = ProcessInfo.processInfo.environment["MARTLET_BLESS"] == "1"
    let host = try GoldenHost()
    var blessed = ""
    for one in cases {
        let made = try host.make(one)
        if !isBlessing {
            #expect(made.allocation == one.allocation, "\(file): \(one.title)")
            #expect(made.code == one.code, "\(file): \(one.title)")
        }
        blessed += made.text
    }
    if isBlessing { try blessed.write(to: url, atomically: true, encoding: .utf8) }
}
