// The translator: guest instructions of one basic block to IR. This file has the instruction loop and the plumbing that the
// chapters in this folder share; each chapter is an extension with one function per instruction, called by the generated
// decoder.

import GuestKit
import IR

struct MoxieTranslator: MoxieInstructionSet, ~Copyable {
    /// The caller's, for as long as the translator exists.
    private let owner: UnsafeMutablePointer<TranslationUnit>
    let extensions: MoxieExtensions = []

    init(unit: UnsafeMutablePointer<TranslationUnit>) { owner = unit }

    private static let longestInstruction = 6

    /// Translates instructions, at least one, until the block has ended or is full.
    mutating func translateBlock() {
        var code = unit.instructionBytes()
        var isFirst = true
        repeat {
            if unit.available < Self.longestInstruction, isCutOff(code) {
                if isFirst { return unit.missCode() }
                break
            }
            isFirst = false
            unit.beginInstruction()
            let start = code.taken
            let isLegal = decode(&code, into: &self)
            if !isLegal { exit(.illegalInstruction, at: unit.pc) }
            unit.pc = next(UInt64(isLegal ? code.taken &- start : 2))
        } while ir.isBlockOpen && !unit.isFull
        if ir.isBlockOpen { unit.jump(to: unit.pc) }
    }

    /// Whether the next instruction goes on where the bytes end.
    private func isCutOff(_ code: InstructionBytes) -> Bool {
        var code = code
        var nobody = MoxieDisassembler(pc: 0)
        _ = decode(&code, into: &nobody)
        return code.isShort
    }

    // MARK: Shared by all chapters

    var unit: TranslationUnit {
        unsafeAddress { UnsafePointer(owner) }
        nonmutating unsafeMutableAddress { owner }
    }

    var ir: IRBuilder {
        @inline(__always) _read { yield unit.ir }
        @inline(__always) nonmutating _modify { yield &unit.ir }
    }

    /// The address behind this instruction, which has so many bytes.
    @inline(__always) func next(_ length: UInt64) -> UInt64 { unit.wrapped(unit.pc &+ length) }

    /// A constant of 32 bits.
    @inline(__always) func word(_ value: UInt32) -> Temp { ir.const(Int64(Int32(bitPattern: value)), .i32) }

    /// The value of a register; as `into:`, the register.
    @inline(__always) func x(_ i: Int32) -> Temp { Global.register(i) }
}
