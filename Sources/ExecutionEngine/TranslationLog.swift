// What `-d` shows of translations while they are made: guest code, IR before and after the optimizer, host code.

import CodeGen
import Diagnostics
import GuestKit
import GuestMemory
import IR

struct TranslationLog {
    private let guest: any GuestArchitecture
    private let options: EngineOptions
    /// For guest listings; guarded by the translation lock.
    private let reader: CodeReader
    private let isOn: Bool

    init(guest: any GuestArchitecture, options: EngineOptions, reader: CodeReader) {
        self.guest = guest
        self.options = options
        self.reader = reader
        isOn = options.diagnostics.items.rawValue != 0
    }

    /// The region as the front end built it. The listing has the addresses at which the vCPU sees the code; the IR of relative code has
    /// those that it is made for.
    func frontEnd(_ region: Region, pages: SeenPages, delta: UInt64) {
        if !isOn { return }
        let pc = region.s.pointee.guestPC &+ delta
        if options.diagnostics.isEnabled(.guestCode, at: pc) {
            options.diagnostics.write(listing(region, pages, delta))
        }
        ops(region, delta, .ops, "OP")
    }

    /// The region as the optimizer left it.
    func optimized(_ region: Region, delta: UInt64) {
        if isOn { ops(region, delta, .optimizedOps, "OP after optimization") }
    }

    private func ops(_ region: Region, _ delta: UInt64, _ item: LogItem, _ title: String) {
        guard options.diagnostics.isEnabled(item, at: region.s.pointee.guestPC &+ delta) else { return }
        options.diagnostics.write("\(title):\n" + region.print(globals: guest.globals, helpers: guest.helpers) + "\n")
    }

    private func listing(_ region: Region, _ pages: SeenPages, _ delta: UInt64) -> String {
        var text = "----------------\nIN: 0x" + String(region.s.pointee.guestPC &+ delta, radix: 16) + "\n"
        for b in 0..<region.blockCount {
            let block = region.blocks[b]
            for i in Int(block.start)..<Int(block.end) where region.ops[i].opcode == .insnStart {
                let at = UInt64(bitPattern: region.ops[i].imm)
                guard let bytes = reader.instruction(at: pages.location(of: at)) else { continue }
                let (line, length) = guest.disassemble(bytes, at: at &+ delta)
                let hex = digits(bytes.prefix(length))
                let pad = String(repeating: " ", count: max(1, 18 - hex.utf8.count))
                text += "0x" + String(at &+ delta, radix: 16) + ":  " + hex + pad + line + "\n"
            }
        }
        return text + "\n"
    }

    /// An instruction's units as numbers, the high part of a word first.
    private func digits(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
        let layout = guest.codeLayout
        let isBig = layout.order == .big || (layout.order == .data && guest.dataIsBig)
        let units = stride(from: 0, to: bytes.count, by: layout.unit).map { start in
            let unit = bytes.dropFirst(start).prefix(layout.unit).map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
            return (isBig ? unit : unit.reversed()).joined()
        }
        return (layout.joinsHigh ? units : units.reversed()).joined()
    }

    /// An optimized region has been admitted.
    func region(_ made: MadeRegion, _ compiled: CompiledRegion) {
        guard isOn, made.isOptimized, options.diagnostics.isEnabled(.regions, at: made.seenPC) else { return }
        options.diagnostics.write(
            "region 0x\(String(made.seenPC, radix: 16)): \(made.instructions) instructions, "
                + "\(compiled.codeSize) bytes of host code\n")
    }

    func hostCode(_ compiled: CompiledRegion, at pc: UInt64) {
        guard isOn, options.diagnostics.isEnabled(.hostCode, at: pc), compiled.codeSize > 0,
            let start = UnsafeRawPointer(bitPattern: UInt(compiled.entry))
        else { return }
        let bytes = UnsafeRawBufferPointer(start: start, count: compiled.codeSize)
        let body = options.disassembleHost?(bytes, compiled.entry) ?? "(no host disassembler)\n"
        options.diagnostics.write("OUT: [size=\(compiled.codeSize)]\n" + body + "\n")
    }
}
