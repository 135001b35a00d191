// Instructions of the made-up machine by name, encoded by its decode table, and programs of them with labels.

import GuestKit
import LinuxABI
import ToyABI

@testable import ToyGuest

/// An operand that is known when the program is laid out.
enum Value: ExpressibleByIntegerLiteral {
    case number(UInt32)
    case label(String, Int = 0)
    init(integerLiteral value: UInt32) { self = .number(value) }
}

enum Toy {
    static let rows = ToyTable.encodings
    private static let byName = Dictionary(uniqueKeysWithValues: (0..<rows.count).map { (rows.name($0), $0) })

    /// An instruction with operands in the order of its argument structure.
    static func code(_ name: String, _ operands: Int64...) -> [UInt8] { code(name, operands) }
    static func code(_ name: String, _ operands: [Int64]) -> [UInt8] {
        guard let row = byName[name] else { fatalError("no instruction \(name)") }
        var made = rows.instruction(row, word: rows.match(row))
        for (operand, value) in zip(rows.operands(row), operands) {
            guard rows.set(operand, to: value, in: &made) else { fatalError("\(name) has no \(operand.name) \(value)") }
        }
        return rows.bytes(made)
    }

    static let nop = code("nop"), sys = code("sys"), ret = code("ret")
    enum Branch: String { case beq, bne, blt, bge, bltu, bgeu, bra, call }
    static func branch(_ kind: Branch, _ distance: Int) -> [UInt8] { code(kind.rawValue, Int64(distance)) }
    enum Pair: String { case mov, add, sub, and, or, xor, shl, mul, cmp, xchg }
    static func pair(_ kind: Pair, _ d: Int64, _ s: Int64) -> [UInt8] { code(kind.rawValue, d, s) }
    static func ldi(_ d: Int64, _ value: UInt32) -> [UInt8] { code("ldi", d, Int64(Int32(bitPattern: value))) }
    static func addi(_ d: Int64, _ value: Int64) -> [UInt8] { code("addi", d, value) }
    static func rdf(_ d: Int64) -> [UInt8] { code("rdf", d) }
    static func jr(_ s: Int64) -> [UInt8] { code("jr", s) }
    enum Memory: String { case ld32, st32, ld8, st8, ld16, st16 }
    static func memory(_ kind: Memory, _ d: Int64, _ s: Int64, _ offset: Int) -> [UInt8] {
        code(kind.rawValue, d, s, Int64(offset))
    }
}

/// A program for the made-up ABI. Its text and data are apart by whole pages; labels may be used before they are there. What it
/// checks has a number, which is its exit status when the check fails.
///
/// Registers: r0 and r1 to r4 are a call's, r2 to r4 a check's, r5 the thread's.
struct ToyProgram {
    static let text = 0x1_2000, data = 0x2_0000
    private var code: [UInt8] = [], bytes: [UInt8] = []
    private var labels: [String: Int] = [:]
    private var words: [(at: Int, value: Value)] = [], branches: [(at: Int, label: String)] = []
    private var dataWords: [(at: Int, value: Value)] = []
    private(set) var checks: [String] = []
    private var unique = 0

    // MARK: Text

    mutating func label(_ name: String) { labels[name] = Self.text + code.count }
    mutating func add(_ instructions: [UInt8]...) { for bytes in instructions { code += bytes } }
    mutating func load(_ register: Int64, _ value: Value) {
        words.append((code.count + 2, value))
        add(Toy.ldi(register, 0))
    }
    /// A jump, with nothing in its slot unless it is given.
    mutating func branch(_ kind: Toy.Branch, _ label: String, slot: [UInt8] = Toy.nop) {
        branches.append((code.count, label))
        add(Toy.branch(kind, 0), slot)
    }
    mutating func newLabel() -> String {
        unique += 1
        return "\(unique)"
    }

    /// A system call. Arguments from the fifth on lie on the stack.
    mutating func call(_ id: SystemCallID, _ arguments: Value...) {
        for (index, value) in arguments.enumerated().reversed() {
            load(index < 4 ? Int64(index + 1) : 4, value)
            if index >= 4 { add(Toy.memory(.st32, 4, 7, 4 * index)) }
        }
        load(0, .number(UInt32(LinuxTable.bigEndian.number(of: id) ?? 0)))
        add(Toy.sys)
    }
    /// Closes what other tests have left open for this process: the next descriptor is 3.
    mutating func closeOthers() { call(.close_range, 3, .number(.max), 0) }
    mutating func exit(_ status: UInt32) { call(.exit_group, .number(status)) }

    // MARK: Checks

    /// r2 and r3 are the same, or the program ends.
    mutating func compare(_ what: String) {
        checks.append(what)
        let go = newLabel()
        add(Toy.pair(.cmp, 2, 3))
        branch(.beq, go)
        load(1, .number(UInt32(checks.count)))
        branch(.bra, "fail")
        label(go)
    }
    mutating func expect(_ register: Int64, _ value: Value, _ what: String) {
        if register != 2 { add(Toy.pair(.mov, 2, register)) }
        load(3, value)
        compare(what)
    }
    /// The last call's result, and that the error flag says it is one.
    mutating func expectResult(_ value: Value, _ what: String) {
        expectFlag(0, what)
        expect(1, value, what)
    }
    mutating func expectError(_ number: Int32, _ what: String) {
        expectFlag(8, what)
        expect(1, .number(UInt32(200 - number)), what)
    }
    private mutating func expectFlag(_ flag: UInt32, _ what: String) {
        add(Toy.rdf(2), Toy.ldi(3, 8), Toy.pair(.and, 2, 3))
        load(3, .number(flag))
        compare(what + ": the error flag")
    }
    /// What memory has: a word, a halfword or a byte.
    mutating func expect(_ kind: Toy.Memory, _ at: Value, _ value: Value, _ what: String) {
        load(4, at)
        add(Toy.memory(kind, 2, 4, 0))
        load(3, value)
        compare(what)
    }
    /// The result becomes a word in memory.
    mutating func keep(_ at: Value) {
        load(4, at)
        add(Toy.memory(.st32, 1, 4, 0))
    }

    // MARK: Data

    mutating func align(_ size: Int = 4) { while bytes.count % size != 0 { bytes.append(0) } }
    mutating func word(_ name: String, _ values: Value...) {
        align(8)
        labels[name] = Self.data + bytes.count
        for value in values {
            dataWords.append((bytes.count, value))
            bytes += [0, 0, 0, 0]
        }
    }
    mutating func room(_ name: String, _ count: Int) {
        align(8)
        labels[name] = Self.data + bytes.count
        bytes += [UInt8](repeating: 0xee, count: count)
    }
    mutating func string(_ name: String, _ text: String) {
        labels[name] = Self.data + bytes.count
        bytes += Array(text.utf8) + [0]
    }

    // MARK: The file

    private func value(_ value: Value) -> UInt32 {
        switch value {
        case .number(let number): return number
        case .label(let name, let offset):
            guard let address = labels[name] else { fatalError("no label \(name)") }
            return UInt32(address + offset)
        }
    }
    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
    }

    /// An executable of 32 bits with a segment of text and one of data, from `_start` on or from its beginning. `zeros`: bytes behind
    /// the data that the file does not have; `isPadded`: the file has whole pages.
    func file(zeros: Int = 0, isPadded: Bool = true, rights: UInt32 = 5) -> [UInt8] {
        var program = self
        program.label("fail")
        program.load(0, .number(UInt32(LinuxTable.bigEndian.number(of: .exit_group) ?? 0)))
        program.add(Toy.sys)
        for (at, value) in program.words {
            program.code.replaceSubrange(at..<at + 4, with: Self.bigEndian(program.value(value)))
        }
        for (at, label) in program.branches {
            let distance = Int(program.value(.label(label))) - Self.text - at
            program.code.replaceSubrange(
                at + 1..<at + 3, with: Self.bigEndian(UInt32(truncatingIfNeeded: distance))[2...])
        }
        for (at, value) in program.dataWords {
            program.bytes.replaceSubrange(at..<at + 4, with: Self.bigEndian(program.value(value)))
        }
        precondition(program.code.count <= Self.data - Self.text)
        var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 1, 2, 1] + [UInt8](repeating: 0, count: 9)
        func half(_ values: Int...) {
            for value in values { file += [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)] }
        }
        func word(_ values: Int...) {
            for value in values { file += Self.bigEndian(UInt32(truncatingIfNeeded: value)) }
        }
        let dataOffset = Self.data - Self.text + 0x2000
        half(2, 0x7079)
        word(1, labels["_start"] ?? Self.text, 52, 0, 0x20)
        half(52, 32, 2, 40, 0, 0)
        word(1, 0x2000, Self.text, Self.text, program.code.count, program.code.count, Int(rights), 0x2000)
        word(1, dataOffset, Self.data, Self.data, program.bytes.count, program.bytes.count + zeros, 6, 0x2000)
        file += [UInt8](repeating: 0, count: 0x2000 - file.count) + program.code
        file += [UInt8](repeating: 0, count: dataOffset - file.count) + program.bytes
        if isPadded { file += [UInt8](repeating: 0, count: -file.count & 0x1fff) }
        return file
    }
}
