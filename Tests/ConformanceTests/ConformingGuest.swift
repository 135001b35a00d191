// What the conformance tests know of each guest: a row, and what is different about it. A new guest adds its row here.

import GuestKit
import GuestMoxie
import GuestRISCV
import TestSupport
import Testing

@testable import ToyGuest

struct ConformingGuest: Sendable, CustomTestStringConvertible {
    var name: String
    var make: @Sendable () -> any GuestArchitecture
    var rows: InstructionEncodings
    /// Rows that the configured model has.
    var has: @Sendable (Int) -> Bool = { _ in true }
    /// The file and number of a register to its temp; nil for one that is none. Registers are temps in order.
    var temp: @Sendable (_ file: String, _ number: Int64) -> UInt32? = { _, number in UInt32(truncatingIfNeeded: number)
    }
    /// How many temps are registers.
    var registerCount: UInt32
    /// Registers that instructions of some classes write beside their operands.
    var implicit: @Sendable (InstructionClasses) -> Set<UInt32> = { _ in [] }
    /// A row's name as the disassembler has it; nil where it has others (that is for the guest's own tests).
    var shown: @Sendable (String) -> String? = { _ in nil }
    /// What has to follow an instruction of such classes: a delay slot.
    var slot: @Sendable (InstructionClasses) -> [UInt8] = { _ in [] }
    /// Rows that access other registers than their operands say, and may need some in pairs.
    var exceptions: Set<String> = []
    /// All values of the mode.
    var modes: [UInt64] = [0]
    /// The number and name of a register that random code has an address in, and of a second one.
    var base: (number: Int, name: String), otherBase: (number: Int, name: String)
    /// The breakpoint, and an encoding that no row has; the numbers of their exceptions.
    var stop: String
    var stops: UInt32
    var illegal: [UInt8]
    var isIllegal: UInt32
    /// A division by the second base, where zero is an exception.
    var division: (name: String, operands: [Int64], exception: UInt32)?
    var pageSize: UInt64 = 4096

    var testDescription: String { name }

    /// Other models of them, for what needs no machine.
    static let models =
        all + [
            riscv("riscv64 with Zcmp", try? RISCVCPU("max,zcd=off,zcmp=on")),
            riscv("riscv32 with Zcmp", try? RISCVCPU("max,zcd=off,zcmp=on", .bits32)),
        ]
    static let all = [
        riscv("riscv64", .standard), riscv("riscv32", .standard32), moxie, toy,
    ]

    private static func riscv(_ name: String, _ cpu: RISCVCPU?) -> ConformingGuest {
        guard let cpu else { fatalError("no CPU for \(name)") }
        return ConformingGuest(
            name: name, make: { RISCVGuest(cpu: cpu) }, rows: GuestRISCV.InstructionTable.encodings,
            has: { GuestRISCV.InstructionTable.isAllowed($0, by: cpu.extensions) },
            temp: { file, number in
                if file == "f" { return UInt32(truncatingIfNeeded: number + 31) }
                return number == 0 ? nil : UInt32(truncatingIfNeeded: number - 1)
            },
            registerCount: 63,
            // The upper registers of pairs, and lists of registers, are no operands.
            exceptions: [
                "amocas_q", "amocas_d_32", "cm_reserved", "cm_push", "cm_pop", "cm_popret", "cm_popretz", "cm_mva01s",
                "cm_mvsa01",
            ],
            modes: [0, 1, 2],
            base: (9, "x9"), otherBase: (8, "x8"), stop: "ebreak", stops: Cause.breakpoint, illegal: [0, 0],
            isIllegal: Cause.illegalInstruction)
    }

    private static let moxie = ConformingGuest(
        name: "moxie", make: { MoxieGuest() }, rows: GuestMoxie.InstructionTable.encodings, registerCount: 16,
        // The frame and stack pointers are no operands of calls and returns.
        implicit: { $0.isDisjoint(with: [.call, .return]) ? [] : [0, 1] },
        shown: { $0.replacing("_", with: ".") },
        base: (7, "r5"), otherBase: (8, "r6"), stop: "brk", stops: Exception.breakpoint, illegal: [0, 0],
        isIllegal: Exception.illegalInstruction, division: ("div", [2, 8], Exception.divisionByZero))

    private static let toy = ConformingGuest(
        name: "toy", make: { ToyGuest() }, rows: ToyTable.encodings,
        temp: { _, number in UInt32(truncatingIfNeeded: number & 7) }, registerCount: 8,
        implicit: { $0.contains(.call) ? [6] : [] },
        shown: { $0 }, slot: { $0.isDisjoint(with: .control) ? [] : [0] },
        base: (5, "r5"), otherBase: (4, "r4"), stop: "brk", stops: ToyException.breakpoint, illegal: [0x3f],
        isIllegal: ToyException.illegalInstruction, pageSize: ToyGuest.pageSize)

    // MARK: Instructions

    func row(_ name: String) -> Int {
        guard let row = (0..<rows.count).first(where: { rows.name($0) == name }) else { fatalError("no row \(name)") }
        return row
    }
    func bytes(_ name: String, _ operands: [Int64] = []) -> [UInt8] {
        var made = rows.instruction(row(name), word: rows.match(row(name)))
        for (operand, value) in zip(rows.operands(made.row), operands) {
            guard rows.set(operand, to: value, in: &made) else { fatalError("\(name) has no \(operand.name) \(value)") }
        }
        return rows.bytes(made)
    }

    /// Temps that it writes, by its operands.
    func written(_ made: EncodedInstruction) -> Set<UInt32> {
        Set(
            rows.operands(made.row).filter { $0.access.contains(.write) && !$0.kind.isEmpty }.compactMap { operand in
                rows.value(operand, of: made).flatMap { temp(operand.kind, $0) }
            })
    }
}
