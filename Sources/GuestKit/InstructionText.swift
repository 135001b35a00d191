// What the disassemblers of all guests share: the templates of the decode tables with operands in them.

/// An instruction set whose functions, which the tables make, write their own text by calling `show`.
public protocol InstructionText {
    var text: String { get set }
    /// How the tables' kinds of operand look. `previous` is the operand before this one.
    func operand(_ kind: Substring, _ value: Int64, after previous: Int64) -> String
}

extension InstructionText {
    /// Writes the template with operands in place of `{kind}`, in order. Always true, for the callers' convenience.
    @inline(never)
    public mutating func show(
        _ template: StaticString, _ first: Int64 = 0, _ second: Int64 = 0, _ third: Int64 = 0, _ fourth: Int64 = 0,
        _ fifth: Int64 = 0
    ) -> Bool {
        let operands = [first, second, third, fourth, fifth]
        var index = 0
        var rest = template.description[...]
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            text += rest[..<open]
            let kind = rest[rest.index(after: open)..<close]
            text += operand(kind, operands[index], after: index == 0 ? 0 : operands[index - 1])
            if index < operands.count - 1 { index += 1 }
            rest = rest[rest.index(after: close)...]
        }
        text += rest
        return true
    }
}
