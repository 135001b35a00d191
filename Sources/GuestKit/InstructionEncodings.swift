// The rows of a decode table as data: what each instruction is made of, what it does with its operands, and how to
// write them into its word. Generators of random instructions, encoders and checks of disassemblers need no more to
// know of a guest.

/// What an instruction does, as far as those need to know who make or look at code.
public struct InstructionClasses: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    // In the order of DecodeTree's `classNames`.
    public static let load = InstructionClasses(rawValue: 1 << 0)
    public static let store = InstructionClasses(rawValue: 1 << 1)
    /// Reads, computes and writes memory in one step.
    public static let atomic = InstructionClasses(rawValue: 1 << 2)
    /// With `load`: begins a reservation. With `store`: depends on one.
    public static let exclusive = InstructionClasses(rawValue: 1 << 3)
    /// Goes elsewhere under a condition.
    public static let branch = InstructionClasses(rawValue: 1 << 4)
    /// Always goes elsewhere.
    public static let jump = InstructionClasses(rawValue: 1 << 5)
    public static let call = InstructionClasses(rawValue: 1 << 6)
    public static let `return` = InstructionClasses(rawValue: 1 << 7)
    /// Always leaves to the operating system.
    public static let trap = InstructionClasses(rawValue: 1 << 8)
    /// Computes with floating-point values.
    public static let fp = InstructionClasses(rawValue: 1 << 9)
    public static let vector = InstructionClasses(rawValue: 1 << 10)
    /// Reads or writes a register of the system's.
    public static let system = InstructionClasses(rawValue: 1 << 11)
    /// Not for programs.
    public static let privileged = InstructionClasses(rawValue: 1 << 12)
    /// Orders accesses.
    public static let fence = InstructionClasses(rawValue: 1 << 13)
    /// Waits for something.
    public static let wait = InstructionClasses(rawValue: 1 << 14)
    /// Manages caches.
    public static let cache = InstructionClasses(rawValue: 1 << 15)

    /// What may continue elsewhere in the program.
    public static let control: InstructionClasses = [.branch, .jump, .call, .return]
}

/// One operand of a row, in the order of its argument structure.
public struct InstructionOperand: Hashable, Sendable {
    public struct Access: OptionSet, Hashable, Sendable {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }
        public static let read = Access(rawValue: 1)
        public static let write = Access(rawValue: 2)
        /// Part of the address of a memory access; read, too.
        public static let address = Access(rawValue: 4)
    }

    public struct Piece: Hashable, Sendable {
        public let position: Int
        public let length: Int
    }

    public enum Source: Hashable, Sendable {
        case constant
        /// Bits of the word.
        case word
        /// The value number `index` behind the word.
        case trailing(index: Int)
    }

    /// The argument's name.
    public let name: String
    /// A register file, or what an immediate is, as the table calls it; empty where the table does not say.
    public let kind: String
    /// Empty for immediates.
    public let access: Access
    public let source: Source
    public let constant: Int64
    /// The most significant one first; bit 0 is the least significant one. Of a value behind the word: all its bits.
    public let pieces: [Piece]
    public let isSigned: Bool
    public let shift: Int
    public let offset: Int64
    /// A function of the guest's own makes the value: it can be neither read nor written here.
    public let isOpaque: Bool

    var bits: Int { pieces.reduce(0) { $0 + $1.length } }
}

/// An instruction before it is bytes.
public struct EncodedInstruction: Hashable, Sendable {
    public let row: Int
    public var word: UInt64
    /// The values behind the word, in order.
    public var trailing: [UInt64]
}

public struct InstructionEncodings: Sendable {
    public let layout: CodeLayout
    private let names: [StaticString]
    private let widths: [UInt8]
    private let masks: [UInt64]
    private let matches: [UInt64]
    private let classBits: [UInt32]
    private let operandLists: [[InstructionOperand]]

    /// - Parameters:
    ///   - operands: numbers of records, all rows' in one list; `operandEnds[i]` is where row `i`'s end.
    ///   - records: per record the numbers of two strings (the second is -1 for none), the access, the source (0 a
    ///     constant, 1 the word, 2 behind the word), the constant or index, whether it is signed, the shift, the
    ///     offset, whether it is opaque, how many pieces there are, and of each its position and length.
    public init(
        layout: CodeLayout, names: [StaticString], widths: [UInt8], masks: [some UnsignedInteger],
        matches: [some UnsignedInteger], classes: [UInt32], operandEnds: [Int], operands: [Int], records: [Int],
        strings: [StaticString]
    ) {
        var all: [InstructionOperand] = []
        var at = 0
        while at < records.count {
            let r = records[at...].prefix(10).map { $0 }
            let pieces = (0..<r[9]).map { piece in
                InstructionOperand.Piece(position: records[at + 10 + 2 * piece], length: records[at + 11 + 2 * piece])
            }
            let source: InstructionOperand.Source = r[3] == 0 ? .constant : r[3] == 1 ? .word : .trailing(index: r[4])
            all.append(
                InstructionOperand(
                    name: strings[r[0]].description, kind: r[1] < 0 ? "" : strings[r[1]].description,
                    access: InstructionOperand.Access(rawValue: r[2]), source: source, constant: Int64(r[4]),
                    pieces: pieces, isSigned: r[5] != 0, shift: r[6], offset: Int64(r[7]), isOpaque: r[8] != 0))
            at += 10 + 2 * r[9]
        }
        self.layout = layout
        self.names = names
        self.widths = widths
        self.masks = masks.map { UInt64($0) }
        self.matches = matches.map { UInt64($0) }
        classBits = classes
        operandLists = operandEnds.indices.map { row in
            operands[(row == 0 ? 0 : operandEnds[row - 1])..<operandEnds[row]].map { all[$0] }
        }
    }

    public var count: Int { names.count }
    public func name(_ row: Int) -> String { names[row].description }
    /// Bits of the word.
    public func width(_ row: Int) -> Int { Int(widths[row]) }
    public func mask(_ row: Int) -> UInt64 { masks[row] }
    public func match(_ row: Int) -> UInt64 { matches[row] }
    public func classes(_ row: Int) -> InstructionClasses { InstructionClasses(rawValue: classBits[row]) }
    public func operands(_ row: Int) -> [InstructionOperand] { operandLists[row] }

    /// Bits of the word that the row does not determine.
    public func free(_ row: Int) -> UInt64 { ~masks[row] & (widths[row] >= 64 ? .max : 1 << UInt64(widths[row]) &- 1) }

    // MARK: Instructions

    /// The row's instruction with the word given, which must match.
    public func instruction(_ row: Int, word: UInt64) -> EncodedInstruction {
        var count = 0
        for operand in operandLists[row] {
            if case .trailing(let index) = operand.source { count = max(count, index + 1) }
        }
        return EncodedInstruction(row: row, word: word, trailing: Array(repeating: 0, count: count))
    }

    /// The row's instruction with random bits wherever it leaves a choice.
    public func random(_ row: Int, using source: inout some RandomNumberGenerator) -> EncodedInstruction {
        var made = instruction(row, word: matches[row] | source.next() & free(row))
        for operand in operandLists[row] {
            guard case .trailing(let index) = operand.source else { continue }
            made.trailing[index] = source.next() >> UInt64(64 - operand.bits)
        }
        return made
    }

    /// Whether no more specific row that `isKnown` has takes the instruction. (Reserved encodings are in no table.)
    public func isItself(_ instruction: EncodedInstruction, where isKnown: (Int) -> Bool) -> Bool {
        !(0..<instruction.row).contains { other in
            widths[other] == widths[instruction.row] && instruction.word & masks[other] == matches[other]
                && isKnown(other)
        }
    }

    /// The instruction as it lies in memory.
    public func bytes(_ instruction: EncodedInstruction, dataIsBig: Bool = false) -> [UInt8] {
        var bytes = layout.bytes(instruction.word, count: width(instruction.row) / 8, dataIsBig: dataIsBig)
        for (index, value) in instruction.trailing.enumerated() {
            let operand = operandLists[instruction.row].first { $0.source == .trailing(index: index) }
            bytes += layout.bytes(value, count: (operand?.bits ?? 0) / 8, dataIsBig: dataIsBig)
        }
        return bytes
    }

    // MARK: Operands

    /// The operand's value; nil when only the guest's own function knows it.
    public func value(_ operand: InstructionOperand, of instruction: EncodedInstruction) -> Int64? {
        if operand.source == .constant { return operand.constant }
        if operand.isOpaque { return nil }
        var raw: UInt64 = 0
        if case .trailing(let index) = operand.source {
            raw = instruction.trailing[index]
        } else {
            for piece in operand.pieces {
                let bits = instruction.word >> UInt64(piece.position) & (.max >> UInt64(64 - piece.length))
                raw = raw << UInt64(piece.length) | bits
            }
        }
        let unused = Int64(64 - operand.bits)
        let value = Int64(bitPattern: raw) << unused
        let extended =
            operand.isSigned ? value >> unused : Int64(bitPattern: UInt64(bitPattern: value) >> UInt64(unused))
        return extended << Int64(operand.shift) &+ operand.offset
    }

    /// Writes the operand's value; false, and nothing changes, when the encoding does not have it.
    public func set(
        _ operand: InstructionOperand, to value: Int64, in instruction: inout EncodedInstruction
    ) -> Bool {
        if operand.source == .constant { return operand.constant == value }
        if operand.isOpaque { return false }
        var changed = instruction
        var raw = UInt64(bitPattern: (value &- operand.offset) >> Int64(operand.shift))
        if case .trailing(let index) = operand.source {
            changed.trailing[index] = raw & (.max >> UInt64(64 - operand.bits))
        } else {
            for piece in operand.pieces.reversed() {
                let bits: UInt64 = .max >> UInt64(64 - piece.length)
                changed.word = changed.word & ~(bits << UInt64(piece.position)) | (raw & bits) << UInt64(piece.position)
                raw = piece.length == 64 ? 0 : raw >> UInt64(piece.length)
            }
        }
        let row = instruction.row
        guard changed.word & masks[row] == matches[row], self.value(operand, of: changed) == value else { return false }
        instruction = changed
        return true
    }
}
