// The Moxie front end as the engine sees it.

import GuestKit
import IR

/// A big-endian Moxie core.
public final class MoxieGuest: GuestArchitecture {
    public let globals = Global.descriptors
    public let helpers: [HelperDescriptor] = []
    public let registers = registerDescriptors

    public init() {}

    public var name: String { "moxie" }
    public var wordSize: WordSize { .bits32 }
    public var dataIsBig: Bool { true }
    public var codeLayout: CodeLayout { InstructionTable.encodings.layout }
    public var stateSize: Int { MemoryLayout<MoxieState>.size }
    public var pcOffset: Int { StateOffset.pc }
    /// One core has no order of accesses to rely on, and no instruction makes one.
    public var memoryModel: MemoryModel { .weak }
    public var instructionAlignment: Int { 2 }

    public func reset(_ state: UnsafeMutableRawPointer) {
        state.initializeMemory(as: MoxieState.self, to: MoxieState())
    }

    /// Code depends on its address alone.
    public func mode(_ state: UnsafeMutableRawPointer) -> UInt64 { 0 }

    public func translateBlock(_ unit: inout TranslationUnit) {
        withUnsafeMutablePointer(to: &unit) {
            var translator = MoxieTranslator(unit: $0)
            translator.translateBlock()
        }
    }

    public func disassemble(_ bytes: UnsafeRawBufferPointer, at pc: UInt64) -> (text: String, length: Int) {
        var code = InstructionBytes(bytes)
        var disassembler = MoxieDisassembler(pc: pc)
        if decode(&code, into: &disassembler) { return (disassembler.text, code.taken) }
        return code.isShort ? (".byte", bytes.count) : ("bad", 2)
    }
}
