// The made-up machine as the engine sees it: total store order, pages of 8 KiB (its memory's), delay slots.

import GuestKit
import IR

public final class ToyGuest: GuestArchitecture {
    public let globals = ToyRegister.globals
    public let helpers: [HelperDescriptor] = []
    public let registers = ToyRegister.descriptors
    /// Bytes of its pages.
    public static let pageSize: UInt64 = 8192

    public init() {}

    public var name: String { "toy" }
    public var wordSize: WordSize { .bits32 }
    public var dataIsBig: Bool { true }
    public var codeLayout: CodeLayout { ToyTable.encodings.layout }
    public var stateSize: Int { MemoryLayout<ToyState>.size }
    public var pcOffset: Int { ToyState.offset(\.pc) }
    public var instructionWord: Int? { ToyState.offset(\.inSlot) }
    public var instructionAlignment: Int { 1 }
    public var memoryModel: MemoryModel { .tso }

    public func reset(_ state: UnsafeMutableRawPointer) { state.initializeMemory(as: ToyState.self, to: ToyState()) }
    public func mode(_ state: UnsafeMutableRawPointer) -> UInt64 { 0 }

    public func translateBlock(_ unit: inout TranslationUnit) {
        withUnsafeMutablePointer(to: &unit) {
            var translator = ToyTranslator(unit: $0)
            translator.translateBlock()
        }
    }

    public func disassemble(_ bytes: UnsafeRawBufferPointer, at pc: UInt64) -> (text: String, length: Int) {
        var code = InstructionBytes(bytes)
        var disassembler = ToyDisassembler(pc: pc)
        return decode(&code, into: &disassembler) ? (disassembler.text, code.taken) : ("bad", 1)
    }
}

struct ToyDisassembler: InstructionText {
    let pc: UInt64
    let extensions: ToyExtensions = []
    var text = ""

    init(pc: UInt64) { self.pc = pc }

    func operand(_ kind: Substring, _ value: Int64, after previous: Int64) -> String {
        switch kind {
        case "r": "r\(value & 7)"
        case "near": "0x" + String((pc &+ UInt64(bitPattern: value)) & 0xffff_ffff, radix: 16)
        default: String(value)
        }
    }
}
