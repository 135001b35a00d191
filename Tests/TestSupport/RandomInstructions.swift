// What generators of random programs ask of any guest's decode tables.

import GuestKit

/// What a row is to a generator.
public enum RowKind: CaseIterable, Sendable {
    case plain, float, load, store, atomic, loadReserved, storeConditional, jump, system, none

    public init(_ classes: InstructionClasses) {
        if !classes.isDisjoint(with: [.trap, .privileged, .wait]) {
            self = .none
        } else if !classes.isDisjoint(with: .control) {
            self = .jump
        } else if classes.contains(.exclusive) {
            self = classes.contains(.load) ? .loadReserved : .storeConditional
        } else if classes.contains(.atomic) {
            self = .atomic
        } else if classes.contains(.load) {
            self = .load
        } else if classes.contains(.store) {
            self = .store
        } else if classes.contains(.system) {
            self = .system
        } else {
            self = classes.contains(.fp) ? .float : .plain
        }
    }
}

extension InstructionEncodings {
    /// Whether it writes register `number` of `file`.
    public func writes(_ made: EncodedInstruction, _ number: Int, of file: String) -> Bool {
        operands(made.row).contains {
            $0.kind == file && $0.access.contains(.write) && value($0, of: made) == Int64(number)
        }
    }

    /// Makes it access memory at register `base`; false when the encoding has another base.
    public func setBase(_ base: Int, in made: inout EncodedInstruction) -> Bool {
        for operand in operands(made.row) where operand.access.contains(.address) {
            return set(operand, to: Int64(base), in: &made)
        }
        return false
    }
}

extension SeededRandom {
    public mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
    public mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }
}
