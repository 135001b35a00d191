// The RISC-V front end as the engine sees it: a CPU configuration behind the guest contract.

import GuestKit
import IR
import SoftFloat

/// A RISC-V hart's architecture, configured.
public final class RISCVGuest: GuestArchitecture {
    public let cpu: RISCVCPU
    /// The type of an integer register: its width is XLEN.
    let xlen: ValueType
    public let globals: [GlobalDescriptor]
    public let helpers: [HelperDescriptor]
    public let registers: [RegisterDescriptor]

    public init(cpu: RISCVCPU, inputs: GuestInputs = .none) {
        self.cpu = cpu
        xlen = cpu.wordSize == .bits32 ? .i32 : .i64
        globals = Global.descriptors(xlen: xlen)
        helpers = Helper.allCases.map { $0.descriptor(inputs) }
        registers = registerDescriptors(xlen: xlen)
    }

    public var name: String { xlen == .i32 ? "riscv32" : "riscv64" }
    public var wordSize: WordSize { cpu.wordSize }
    public var dataIsBig: Bool { false }
    public var codeLayout: CodeLayout { InstructionTable.layout }
    public var stateSize: Int { MemoryLayout<RISCVState>.size }
    public var pcOffset: Int { StateOffset.pc }
    /// RVWMO. The extension Ztso is not offered.
    public var memoryModel: MemoryModel { .weak }
    /// Unprivileged ISA, "NaN Generation and Propagation" and "Subnormal Arithmetic".
    public var floatRules: FloatRules { .canonical }
    public var movingModes: ModeSet? { xlen == .i64 ? ModeSet() : nil }
    public var longestInstruction: Int { 4 }
    public var instructionAlignment: Int { cpu.extensions.contains(.zca) ? 2 : 4 }

    /// All registers 0, no reservation, round to nearest even. The accrued flags and the host's rounding mode are the
    /// engine's to reset.
    public func reset(_ state: UnsafeMutableRawPointer) {
        state.initializeMemory(as: RISCVState.self, to: RISCVState())
    }

    /// The rounding class (`RoundingClass`).
    public func mode(_ state: UnsafeMutableRawPointer) -> UInt64 {
        RoundingClass(frm: state.load(fromByteOffset: StateOffset.frm, as: UInt32.self)).rawValue
    }

    public func translateBlock(_ unit: inout TranslationUnit) {
        let roundingClass = RoundingClass(rawValue: unit.flags) ?? .host
        withUnsafeMutablePointer(to: &unit) {
            var translator = RISCVTranslator(
                unit: $0, extensions: cpu.extensions, xlen: xlen, roundingClass: roundingClass)
            translator.translateBlock()
        }
    }

    public func disassemble(_ bytes: UnsafeRawBufferPointer, at pc: UInt64) -> (text: String, length: Int) {
        guard bytes.count >= 2 else { return (".byte", bytes.count) }
        let low = UInt32(bytes.loadUnaligned(fromByteOffset: 0, as: UInt16.self))
        let isLong = low & 3 == 3
        guard isLong else {
            return (GuestRISCV.disassemble(low, pc: pc, extensions: cpu.extensions) ?? data("half", low), 2)
        }
        guard bytes.count >= 4 else { return (data("half", low), 2) }
        let word = bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self)
        return (GuestRISCV.disassemble(word, pc: pc, extensions: cpu.extensions) ?? data("word", word), 4)
    }

    private func data(_ directive: String, _ value: UInt32) -> String {
        ".\(directive) 0x" + String(value, radix: 16)
    }
}
