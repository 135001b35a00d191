// Reads the text form of the IR (see Printer.swift) back into a region. It takes any text: what is wrong is an error
// with its line. It checks form only; whether the region means anything is the verifier's question.

/// What is wrong with an IR text, and in which line (from 1).
public struct IRParseError: Error, Equatable, CustomStringConvertible {
    public let line: Int
    public let message: String

    public var description: String { "line \(line): \(message)" }
}

extension Region {
    /// The region that `text` describes, in storage of its own that the caller deallocates.
    public static func parse(
        _ text: String, globals: [GlobalDescriptor], helpers: [HelperDescriptor]
    ) throws(IRParseError) -> Region {
        var parser = IRParser(globals: globals, helpers: helpers)
        try parser.read(text)
        return try parser.makeRegion()
    }
}

/// Two passes: `read` takes the lines apart and collects the type of every temp; `makeRegion` builds the ops.
private struct IRParser {
    /// Indices of temps and blocks must be below this, so that bad text cannot ask for endless memory.
    static let limit = 1 << 20

    struct OpLine {
        var line: Int
        var op: Op
        /// The result and its written type.
        var result: Substring?
        var operands: [Substring]
    }
    struct BlockLine {
        var line: Int
        var id: Int
        var block: Block
        var ops: [OpLine] = []
    }

    let globals: [GlobalDescriptor]
    let helpers: [HelperDescriptor]
    let opcodes = Dictionary(uniqueKeysWithValues: Opcode.allCases.map { ($0.text, $0) })
    var globalIndex: [String: Int] = [:]
    var line = 0
    var header: (pc: UInt64, flags: UInt64, instructions: Int, length: Int, slots: Int)?
    var blocks: [BlockLine] = []
    /// Kind and type by index of every temp and local in the text.
    var temps: [Int: (kind: TempKind, type: ValueType)] = [:]
    var constants: [ConstantKey: Int] = [:]
    var nextConstant = 0

    struct ConstantKey: Hashable {
        var value: Int64
        var type: ValueType
    }

    init(globals: [GlobalDescriptor], helpers: [HelperDescriptor]) {
        self.globals = globals
        self.helpers = helpers
        for (i, global) in globals.enumerated() { globalIndex[global.name] = i }
    }

    func fail(_ message: String) -> IRParseError { IRParseError(line: line, message: message) }

    // MARK: First pass

    mutating func read(_ text: String) throws(IRParseError) {
        for content in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            line += 1
            let tokens = try tokenize(Substring(content))
            guard let first = tokens.first else { continue }
            if first == "region" {
                try readHeader(tokens)
            } else if tokens.last == ":" {
                try readBlock(tokens)
            } else {
                try readOp(tokens)
            }
        }
        if header == nil { throw fail("no `region` line") }
        if blocks.isEmpty { throw fail("no block") }
    }

    /// Words of letters, digits and `_ . % $ @ ?`, and single punctuation marks.
    private func tokenize(_ content: Substring) throws(IRParseError) -> [Substring] {
        var tokens: [Substring] = []
        var start: Substring.Index?
        let bytes = content.utf8
        var i = bytes.startIndex
        while i < bytes.endIndex {
            let byte = bytes[i]
            let isWord =
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "%"),
                    UInt8(ascii: "$"), UInt8(ascii: "@"):
                    true
                default: false
                }
            if isWord {
                if start == nil { start = i }
                i = bytes.index(after: i)
                continue
            }
            if let begin = start {
                tokens.append(content[begin..<i])
                start = nil
            }
            let next = bytes.index(after: i)
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): break
            case UInt8(ascii: "#"): return tokens
            case UInt8(ascii: "="), UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "("),
                UInt8(ascii: ")"), UInt8(ascii: ":"), UInt8(ascii: "+"), UInt8(ascii: "-"):
                tokens.append(content[i..<next])
            default: throw fail("unexpected character")
            }
            i = next
        }
        if let begin = start { tokens.append(content[begin...]) }
        return tokens
    }

    private mutating func readHeader(_ tokens: [Substring]) throws(IRParseError) {
        if header != nil { throw fail("second `region` line") }
        var cursor = Cursor(tokens: tokens, line: line)
        _ = cursor.next()
        var new = (pc: UInt64(bitPattern: try cursor.number()), flags: UInt64(0), instructions: 0, length: 0, slots: -1)
        while let word = cursor.next() {
            let value = try cursor.number()
            switch word {
            case "flags": new.flags = UInt64(bitPattern: value)
            case "insns", "bytes", "slots":
                guard let count = Int(exactly: value), count >= 0, count < Self.limit else { throw fail("bad count") }
                if word == "insns" {
                    new.instructions = count
                } else if word == "bytes" {
                    new.length = count
                } else {
                    new.slots = count
                }
            default: throw fail("unknown word `\(word)`")
            }
        }
        header = new
    }

    private mutating func readBlock(_ tokens: [Substring]) throws(IRParseError) {
        var block = Block(start: 0, end: 0, guestPC: 0)
        guard let id = blockNumber(tokens[0]) else { throw fail("expected a block") }
        if blocks.contains(where: { $0.id == id }) { throw fail("second block\(id)") }
        var isWeight = false
        for word in tokens.dropFirst().dropLast() {
            if isWeight, let weight = UInt32(word) {
                block.weight = weight
                isWeight = false
            } else if word == "weight" {
                isWeight = true
            } else if word == "cold" {
                block.isCold = true
            } else if word == "loop" {
                block.isLoopHeader = true
            } else if word.first == "@", let pc = magnitude(word.dropFirst()) {
                block.guestPC = pc
            } else {
                throw fail("unknown word `\(word)`")
            }
        }
        blocks.append(BlockLine(line: line, id: id, block: block))
    }

    private mutating func readOp(_ tokens: [Substring]) throws(IRParseError) {
        if blocks.isEmpty { throw fail("an op outside a block") }
        var rest = tokens[...]
        var result: Substring?
        var resultType: ValueType?
        if let equals = tokens.firstIndex(of: "=") {
            result = tokens[0]
            if equals == 3, tokens[1] == ":", let type = ValueType(text: tokens[2]) {
                resultType = type
            } else if equals != 1 {
                throw fail("bad result")
            }
            rest = tokens[(equals + 1)...]
        }
        guard let mnemonic = rest.popFirst() else { throw fail("no op") }
        let op = try readMnemonic(mnemonic)
        // A helper that has no result is found out in the second pass.
        if let result {
            if case .none = op.opcode.form.result { throw fail("`\(op.opcode.text)` has no result") }
            if globalIndex[String(result)] == nil {
                try note(result, resultType ?? op.opcode.form.result.unwritten(op), isWritten: resultType != nil)
            } else if resultType != nil {
                throw fail("a global has its own type")
            }
        } else if op.opcode.row.hasResult && op.opcode != .call {
            throw fail("`\(op.opcode.text)` has a result")
        }
        for i in rest.indices.dropLast(2) where rest[i + 1] == ":" {
            guard let first = rest[i].first, first == "%" || first == "$" else { continue }
            guard let type = ValueType(text: rest[i + 2]) else { throw fail("unknown type `\(rest[i + 2])`") }
            try note(rest[i], type, isWritten: true)
        }
        blocks[blocks.count - 1].ops.append(OpLine(line: line, op: op, result: result, operands: Array(rest)))
    }

    /// The op with its type and qualifiers.
    private func readMnemonic(_ mnemonic: Substring) throws(IRParseError) -> Op {
        let words = mnemonic.split(separator: ".", omittingEmptySubsequences: false)
        guard let opcode = opcodes[String(words[0])] else { throw fail("unknown op `\(words[0])`") }
        let form = opcode.form
        var op = Op(opcode, .i64)
        var seen: Set<Qualifier> = []
        var isTyped = false
        words: for word in words.dropFirst() {
            if form.types.isPrinted, !isTyped, let type = ValueType(text: word) {
                op.type = type
                isTyped = true
                continue
            }
            for qualifier in form.qualifiers where qualifier.isList || !seen.contains(qualifier) {
                if qualifier.accept(word, &op.aux) {
                    seen.insert(qualifier)
                    continue words
                }
            }
            throw fail("`\(opcode.text)` takes no `.\(word)` here")
        }
        for qualifier in form.qualifiers where !seen.contains(qualifier) {
            if qualifier.isRequired { throw fail("`\(opcode.text)` needs a \(qualifier)") }
            op.aux |= qualifier.unwritten
        }
        switch form.types {
        case .only(let type): op.type = type
        case .targetFormat: op.type = op.targetFormat.carrier
        case .integer, .float, .any: if !isTyped { throw fail("`\(opcode.text)` needs a type") }
        }
        return op
    }

    /// Records the type of a temp or local. A type that follows from the op gives way to one that is written.
    private mutating func note(_ name: Substring, _ type: ValueType, isWritten: Bool) throws(IRParseError) {
        guard let (kind, index) = temp(name) else { throw fail("`\(name)` is not a temp, a local or a global") }
        guard index >= globals.count else { throw fail("`\(name)`: this index belongs to a global") }
        guard let known = temps[index] else {
            temps[index] = (kind, type)
            return
        }
        guard known.kind == kind else { throw fail("index \(index) is both a temp and a local") }
        if known.type != type { throw fail("`\(name)` is both \(known.type.name) and \(type.name)") }
    }

    private func temp(_ name: Substring) -> (TempKind, Int)? {
        guard let sigil = name.first, sigil == "%" || sigil == "$" else { return nil }
        guard let index = magnitude(name.dropFirst()), index < UInt64(Self.limit) else { return nil }
        return (sigil == "%" ? .temp : .local, Int(index))
    }

    private func blockNumber(_ word: Substring) -> Int? {
        guard word.hasPrefix("block"), let id = magnitude(word.dropFirst(5)), id < UInt64(Self.limit) else {
            return nil
        }
        return Int(id)
    }

    // MARK: Second pass

    mutating func makeRegion() throws(IRParseError) -> Region {
        guard let header else { throw fail("no `region` line") }
        for block in blocks where block.id >= blocks.count {
            line = block.line
            throw fail("block\(block.id) of \(blocks.count) blocks")
        }
        nextConstant = globals.count
        var built: [Op] = []
        var placed = Array(repeating: Block(start: 0, end: 0, guestPC: 0), count: blocks.count)
        for block in blocks {
            var done = block.block
            done.start = UInt32(built.count)
            for op in block.ops { built.append(try makeOp(op)) }
            done.end = UInt32(built.count)
            placed[block.id] = done
        }
        let tempCount = max(nextConstant, (temps.keys.max() ?? 0) + 1)
        let region = Region.allocate(
            globals: globals, opCapacity: max(8192, built.count), tempCapacity: max(8192, tempCount),
            blockCapacity: max(512, blocks.count))
        region.reset(pc: header.pc, flags: header.flags)
        region.s.pointee.guestInstructions = header.instructions
        region.s.pointee.guestLength = header.length
        for i in globals.count..<tempCount {
            let known = temps[i] ?? (.temp, .i64)
            region.temps[i] = TempInfo(kind: known.kind, type: known.type, value: 0)
        }
        for (key, index) in constants { region.temps[index] = TempInfo(kind: .const, type: key.type, value: key.value) }
        region.s.pointee.tempCount = tempCount
        for op in built { region.append(op) }
        for (i, block) in placed.enumerated() { region.blocks[i] = block }
        region.s.pointee.blockCount = placed.count
        region.s.pointee.slotCount = header.slots >= 0 ? header.slots : region.slotsInUse
        return region
    }

    private mutating func makeOp(_ source: OpLine) throws(IRParseError) -> Op {
        line = source.line
        var op = source.op
        var resultType = op.opcode.form.result.unwritten(op)
        if let result = source.result {
            let (index, type) = try variable(result)
            op.dst = Temp(index)
            resultType = type
        }
        var cursor = Cursor(tokens: source.operands, line: line)
        for (i, operand) in op.opcode.form.operands.enumerated() {
            if i > 0 { try cursor.expect(",") }
            try readOperand(operand, &op, resultType, &cursor)
        }
        if let extra = cursor.next() { throw fail("`\(extra)` is too much") }
        return op
    }

    private mutating func readOperand(
        _ form: OperandForm, _ op: inout Op, _ resultType: ValueType, _ cursor: inout Cursor
    ) throws(IRParseError) {
        switch form {
        case .value(let field, let rule): op[field] = try value(rule.unwritten(op, result: resultType), &cursor)
        case .block(let field):
            guard let word = cursor.next(), let id = blockNumber(word) else { throw fail("expected a block") }
            guard id < blocks.count else { throw fail("no block\(id)") }
            op[field] = Temp(id)
        case .address, .plainAddress:
            try cursor.expect("[")
            op.a = try value(.i64, &cursor)
            if case .address = form, cursor.peek == "+" || cursor.peek == "-" { op.imm = try cursor.number() }
            try cursor.expect("]")
        case .stateOffset:
            try cursor.expect("[")
            op.imm = try cursor.number()
            try cursor.expect("]")
        case .field:
            let position = try cursor.number(in: 0...255)
            try cursor.expect(",")
            op.imm = position | (try cursor.number(in: 0...255)) << 8
        case .slot: op.aux = UInt16(try cursor.number(in: 0...0xffff))
        case .guestPC, .number: op.imm = try cursor.number()
        case .helperCall: try readCall(&op, &cursor)
        }
    }

    private mutating func readCall(_ op: inout Op, _ cursor: inout Cursor) throws(IRParseError) {
        guard let name = cursor.next(), let index = helpers.firstIndex(where: { "\($0.name)" == name }) else {
            throw fail("unknown helper")
        }
        op.imm = Int64(index)
        if helpers[index].hasResult == op.dst.isNone {
            throw fail("helper `\(name)` has \(helpers[index].hasResult ? "a" : "no") result")
        }
        try cursor.expect("(")
        var count = 0
        if cursor.peek != ")" {
            repeat {
                if count == 4 { throw fail("a helper has at most four arguments") }
                op[count] = try value(.i64, &cursor)
                count += 1
            } while cursor.take(",")
        }
        try cursor.expect(")")
        op.aux = UInt16(count)
    }

    /// A global, temp or local by name: its index and type.
    private func variable(_ word: Substring) throws(IRParseError) -> (Int, ValueType) {
        if let index = globalIndex[String(word)] { return (index, globals[index].type) }
        guard let (kind, index) = temp(word) else { throw fail("unknown value `\(word)`") }
        guard let known = temps[index] else { throw fail("`\(word)` is never assigned") }
        guard known.kind == kind else { throw fail("index \(index) is both a temp and a local") }
        return (index, known.type)
    }

    private mutating func value(_ unwritten: ValueType, _ cursor: inout Cursor) throws(IRParseError) -> Temp {
        guard let first = cursor.peek else { throw fail("an operand is missing") }
        if first != "-", let character = first.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character)
        {
            _ = cursor.next()
            if cursor.take(":") { _ = cursor.next() }  // the first pass has read the type
            return Temp(try variable(first).0)
        }
        let literal = try cursor.number()
        var type = unwritten
        if cursor.take(":") {
            guard let word = cursor.next(), let written = ValueType(text: word) else { throw fail("unknown type") }
            type = written
        }
        guard type.isInteger else { throw fail("a constant is an integer, not \(type.name)") }
        guard type == .i64 || (literal >= Int64(Int32.min) && literal <= Int64(UInt32.max)) else {
            throw fail("\(literal) does not fit \(type.name)")
        }
        let key = ConstantKey(value: type == .i32 ? Int64(Int32(truncatingIfNeeded: literal)) : literal, type: type)
        if let index = constants[key] { return Temp(index) }
        while temps[nextConstant] != nil { nextConstant += 1 }
        constants[key] = nextConstant
        nextConstant += 1
        return Temp(nextConstant - 1)
    }
}

/// An unsigned number, decimal or 0x hexadecimal.
private func magnitude(_ word: Substring) -> UInt64? {
    // `UInt64` would take a sign.
    guard let first = word.utf8.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else { return nil }
    return word.hasPrefix("0x") ? UInt64(word.dropFirst(2), radix: 16) : UInt64(word)
}

/// The tokens of one line, left to right.
private struct Cursor {
    let tokens: [Substring]
    let line: Int
    var at = 0

    init(tokens: [Substring], line: Int) {
        self.tokens = tokens
        self.line = line
    }

    var peek: Substring? { at < tokens.count ? tokens[at] : nil }

    mutating func next() -> Substring? {
        guard at < tokens.count else { return nil }
        at += 1
        return tokens[at - 1]
    }

    mutating func take(_ token: Substring) -> Bool {
        if peek == token {
            at += 1
            return true
        }
        return false
    }

    mutating func expect(_ token: Substring) throws(IRParseError) {
        if !take(token) { throw IRParseError(line: line, message: "expected `\(token)`") }
    }

    /// A number with an optional sign; without one, up to 2^64 - 1.
    mutating func number() throws(IRParseError) -> Int64 {
        let isNegative = take("-")
        let hasSign = isNegative || take("+")
        guard let word = next(), let value = magnitude(word) else {
            throw IRParseError(line: line, message: "expected a number")
        }
        if hasSign && value > (isNegative ? 1 << 63 : UInt64(Int64.max)) {
            throw IRParseError(line: line, message: "`\(word)` is too large")
        }
        return Int64(bitPattern: isNegative ? 0 &- value : value)
    }

    mutating func number(in range: ClosedRange<Int64>) throws(IRParseError) -> Int64 {
        let value = try number()
        if !range.contains(value) { throw IRParseError(line: line, message: "\(value) is out of range") }
        return value
    }
}
