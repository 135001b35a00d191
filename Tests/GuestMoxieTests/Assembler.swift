// Instructions by name, encoded by the decode table.

import GuestKit
import GuestMoxie

enum Moxie {
    static let rows = InstructionTable.encodings
    private static let byName = Dictionary(uniqueKeysWithValues: (0..<rows.count).map { (rows.name($0), $0) })

    static func row(_ name: String) -> Int {
        guard let row = byName[name] else { fatalError("no instruction \(name)") }
        return row
    }

    /// An instruction with operands in the order of its argument structure; those that are left out are 0.
    static func instruction(_ name: String, _ operands: [Int64]) -> EncodedInstruction {
        let row = row(name)
        var made = rows.instruction(row, word: rows.match(row))
        for (operand, value) in zip(rows.operands(row), operands) {
            guard rows.set(operand, to: value, in: &made) else { fatalError("\(name) has no \(operand.name) \(value)") }
        }
        return made
    }
    static func code(_ name: String, _ operands: Int64...) -> [UInt8] { rows.bytes(instruction(name, operands)) }

    /// The assembler's numbers of $r0 and those after it.
    static func r(_ n: Int) -> Int64 { Int64(n + 2) }
    static let fp: Int64 = 0, sp: Int64 = 1
    /// An encoding without a row.
    static let bad: [UInt8] = [0, 0]
}
