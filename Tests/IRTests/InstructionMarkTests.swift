// Marks of guest instructions: set where an op reports its pc, once per instruction and block.

import IR
import Testing

struct InstructionMarkTests {
    private func opcodes(marksAll: Bool, _ body: (inout IRBuilder) -> Void) -> [Opcode] {
        let globals = (0..<4).map { GlobalDescriptor(name: "a\($0)", type: .i64, offset: 8 * $0) }
        let region = Region.allocate(globals: globals)
        defer { region.deallocate() }
        region.s.pointee.marksEachInstruction = marksAll
        region.reset(pc: 0x1000)
        var builder = IRBuilder(region: region)
        body(&builder)
        return (0..<region.opCount).map { region.ops[$0].opcode }
    }

    private func build(_ ir: inout IRBuilder) {
        let first = ir.newBlock(), second = ir.newBlock()
        ir.begin(first)
        ir.region.beginInstruction(0x1000)
        ir.add(Temp(0), Temp(1), into: Temp(0))
        ir.region.beginInstruction(0x1004)
        ir.gld(Temp(0), 0, .u64, into: Temp(1))
        ir.gst(Temp(1), Temp(0), 8, .u64)
        ir.br(second)
        ir.begin(second)
        ir.gst(Temp(1), Temp(0), 16, .u64)
        ir.exitTB(16)
    }

    @Test func onlyInstructionsThatReportTheirPCAreMarked() {
        let expected: [Opcode] = [.add, .insnStart, .gld, .gst, .br, .insnStart, .gst, .exitTB]
        #expect(opcodes(marksAll: false, build) == expected)
    }

    @Test func dumpsSeeEveryInstruction() {
        let expected: [Opcode] = [.insnStart, .add, .insnStart, .gld, .gst, .br, .insnStart, .gst, .exitTB]
        #expect(opcodes(marksAll: true, build) == expected)
    }
}
