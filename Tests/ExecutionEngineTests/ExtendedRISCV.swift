// RISC-V with something more: what a guest of these tests does not say itself is as RISC-V has it.

import GuestKit
import GuestRISCV
import IR

protocol ExtendedRISCV: GuestArchitecture {
    var riscv: RISCVGuest { get }
}

extension ExtendedRISCV {
    var name: String { riscv.name }
    var globals: [GlobalDescriptor] { riscv.globals }
    var helpers: [HelperDescriptor] { riscv.helpers }
    var registers: [RegisterDescriptor] { riscv.registers }
    var stateSize: Int { riscv.stateSize }
    var wordSize: WordSize { riscv.wordSize }
    var dataIsBig: Bool { riscv.dataIsBig }
    var codeLayout: CodeLayout { riscv.codeLayout }
    var pcOffset: Int { riscv.pcOffset }
    var instructionAlignment: Int { riscv.instructionAlignment }
    var longestInstruction: Int { riscv.longestInstruction }
    var memoryModel: MemoryModel { riscv.memoryModel }
    func reset(_ state: UnsafeMutableRawPointer) { riscv.reset(state) }
    func mode(_ state: UnsafeMutableRawPointer) -> UInt64 { riscv.mode(state) }
    func translateBlock(_ unit: inout TranslationUnit) { riscv.translateBlock(&unit) }
    func disassemble(_ bytes: UnsafeRawBufferPointer, at pc: UInt64) -> (text: String, length: Int) {
        riscv.disassemble(bytes, at: pc)
    }
}
