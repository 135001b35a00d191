// A program that runs floating-point instructions over tables of operands: for each instruction and rounding mode, a
// loop that leaves either a hash of all results and flags, or the results and flags themselves.

import GuestKit
import GuestRISCV
import SoftFloat

/// Operand triples, three words each, for one format.
struct FloatOperands: Sendable {
    var words: [UInt64]
    var count: Int { words.count / 3 }

    /// - Parameter format: nil for integers.
    init(_ format: RandomFloatFormat?, count: Int, seed: UInt64) {
        var random = RandomSource(seed: seed)
        words = []
        words.reserveCapacity(count * 3)
        for _ in 0..<count {
            guard let format else {
                words += [random.integer(), random.integer(), 0]
                continue
            }
            var triple = (0..<3).map { _ in
                random.chance(60) ? random.pick(format.edges) : format.value(&random)
            }
            switch random.below(8) {
            case 0:  // cancellation: b is nearly -a
                triple[1] = (triple[0] ^ format.sign) &+ UInt64(random.below(5)) &- 2
            case 1:  // a fused sum that nearly cancels
                triple[2] = Self.product(triple[0], triple[1], format) ^ format.sign
                triple[2] = triple[2] &+ UInt64(random.below(3)) &- 1
            case 2:  // quotients and roots near a tie: few significant bits
                triple[0] &= ~(format.fractionMask >> 9)
            default: break
            }
            let mask = format.width == 64 ? UInt64.max : (1 << format.width) - 1
            let boxes = format.width == 64 ? 0 : ~mask
            words += triple.map { $0 & mask | (random.chance(98) ? boxes : boxes & random.next()) }
        }
    }

    private static func product(_ a: UInt64, _ b: UInt64, _ format: RandomFloatFormat) -> UInt64 {
        if format.width == 64 { return (Double(bitPattern: a) * Double(bitPattern: b)).bitPattern }
        if format.width == 32 {
            let (x, y) = (UInt32(truncatingIfNeeded: a), UInt32(truncatingIfNeeded: b))
            return UInt64((Float(bitPattern: x) * Float(bitPattern: y)).bitPattern)
        }
        return a
    }
}

/// One instruction with one rounding mode.
struct FloatVariant: Sendable, CustomStringConvertible {
    var instruction: Int
    /// The word's rm field, or nil when it has none; 7 is dynamic.
    var mode: UInt32?
    /// fcsr's rounding mode.
    var dynamicMode: UInt8
    /// Registers: rd, rs1, rs2, rs3.
    var registers: [Int]
    var word: UInt32
    var extensions: RISCVExtensions

    var rounding: RoundingMode {
        RoundingMode(rawValue: mode.map { $0 == 7 ? dynamicMode : UInt8($0) } ?? 0) ?? .nearestEven
    }
    var description: String { "\(disassemble(word, extensions: extensions) ?? "?") with frm \(dynamicMode)" }

    /// All rounding modes, static and dynamic, of all instructions that are allowed.
    static func all(_ extensions: RISCVExtensions, seed: UInt64) -> [FloatVariant] {
        var random = RandomSource(seed: seed)
        let rows = InstructionTable.encodings
        var variants: [FloatVariant] = []
        for (number, instruction) in FloatInstruction.all.enumerated() {
            guard let row = instruction.row, InstructionTable.isAllowed(row, by: extensions) else { continue }
            let modes: [(UInt32?, UInt8)] =
                instruction.hasRounding
                ? (0..<5).map { ($0, UInt8(random.below(5))) } + (0..<5).map { (7, $0) } : [(nil, 0), (nil, 4)]
            for (mode, dynamicMode) in modes {
                var variant = FloatVariant(
                    instruction: number, mode: mode, dynamicMode: dynamicMode, registers: [], word: 0,
                    extensions: extensions)
                // a0...a7 are taken by the loop; x and f numbers above are free, and the result may be an operand.
                let operands = Array((18..<32).shuffled(using: &random).prefix(4))
                let result =
                    random.chance(40) && instruction.source == instruction.result
                    ? operands[random.below(3)] : operands[3]
                variant.registers = [result] + operands.prefix(3)
                var made = rows.instruction(row, word: rows.match(row))
                var registers = variant.registers[...]
                for operand in rows.operands(row) {
                    let value = operand.kind == "rounding" ? Int(mode ?? 0) : registers.popFirst() ?? 0
                    precondition(rows.set(operand, to: Int64(value), in: &made), "\(rows.name(row)) \(operand.name)")
                }
                variant.word = UInt32(truncatingIfNeeded: made.word)
                variants.append(variant)
            }
        }
        return variants
    }
}

struct FloatProgram {
    private static let tables = 0x100_0000
    private static let results = 0x200_0000

    var wordSize: WordSize
    var operands: [FloatOperands]
    /// Which of `operands` each instruction uses.
    var table: @Sendable (FloatInstruction) -> Int

    /// The program's output: per variant 8 bytes of hash, or for a raw program 16 bytes per operand triple.
    func image(_ variants: [FloatVariant], isRaw: Bool) -> [UInt8] {
        let (pointer, count, flags, value, hash, output) = (10, 11, 12, 13, 8, 9)
        var code = Encode.li(output, Self.results)
        var addresses: [Int] = []
        var data: [UInt8] = []
        for list in operands {
            addresses.append(Self.tables + data.count)
            for word in list.words {
                data.append(word: UInt32(truncatingIfNeeded: word));
                data.append(word: UInt32(truncatingIfNeeded: word >> 32))
            }
        }
        var size = 0
        for variant in variants {
            let instruction = FloatInstruction.all[variant.instruction]
            let list = table(instruction)
            code += [Encode.csrrwi(0, 2, Int(variant.dynamicMode)), Encode.addi(hash, 0, 0)]
            code += Encode.li(pointer, addresses[list]) + Encode.li(count, operands[list].count)
            let head = code.count
            for index in 0..<instruction.operands {
                let register = variant.registers[1 + index]
                code.append(
                    instruction.source == .float
                        ? Encode.fld(register, pointer, 8 * index)
                        : Encode.load(wordSize, register, pointer, 8 * index))
            }
            code += [Encode.csrrwi(0, 1, 0), variant.word, Encode.csrrs(flags, 1, 0)]
            // The result goes through memory: its words are what the hash takes.
            let result = variant.registers[0]
            code.append(
                instruction.result == .float
                    ? Encode.fsd(result, output, 0) : Encode.store(wordSize, result, output, 0))
            if isRaw {
                code += [Encode.sw(flags, output, 8), Encode.addi(output, output, 16)]
                size += 16 * operands[list].count
            } else {
                for word in 0..<words(instruction) {
                    code += [
                        Encode.load(wordSize, value, output, wordSize.bytes * word), Encode.rori(hash, hash, 7),
                        Encode.add(hash, hash, value),
                    ]
                }
                code += [Encode.rori(hash, hash, 7), Encode.add(hash, hash, flags)]
            }
            code += [Encode.addi(pointer, pointer, 24), Encode.addi(count, count, -1)]
            code.append(Encode.bnez(count, (head - code.count) * 4))
            if !isRaw {
                if wordSize == .bits32 { code.append(Encode.sw(0, output, 4)) }
                code += [Encode.store(wordSize, hash, output, 0), Encode.addi(output, output, 8)]
                size += 8
            }
        }
        code += ProgramFrame.finish(output: Self.results, size: size)
        var text: [UInt8] = []
        for word in code { text.append(word: word) }
        return elf(
            [
                Section(address: ProgramMap.text, flags: 5, bytes: text),
                Section(address: Self.tables, flags: 4, bytes: data),
                Section(address: Self.results, flags: 6, bytes: [UInt8](repeating: 0, count: size)),
            ], wordSize)
    }

    /// How many registers hold a result.
    private func words(_ instruction: FloatInstruction) -> Int {
        instruction.result == .float ? 8 / wordSize.bytes : 1
    }

    /// What the program must write for a variant, by SoftFloat: result and flags of each triple.
    func expected(_ variant: FloatVariant, _ body: (_ index: Int, _ result: UInt64, _ flags: UInt8) -> Void) {
        let instruction = FloatInstruction.all[variant.instruction]
        let list = operands[table(instruction)]
        let mask = wordSize == .bits32 && instruction.result == .integer ? UInt64(UInt32.max) : .max
        list.words.withUnsafeBufferPointer { words in
            var index = 0
            while index < words.count / 3 {
                var status = Status(rounding: variant.rounding)
                let result = instruction.evaluate(
                    words[index * 3], words[index * 3 + 1], words[index * 3 + 2], &status)
                body(index, result & mask, status.flags.rawValue)
                index += 1
            }
        }
    }

    func expectedHash(_ variant: FloatVariant) -> UInt64 {
        wordSize == .bits32 ? UInt64(hash(variant, of: UInt32.self)) : hash(variant, of: UInt64.self)
    }

    /// The hash in registers of type `Word`.
    private func hash<Word: FixedWidthInteger & UnsignedInteger>(_ variant: FloatVariant, of _: Word.Type) -> Word {
        let count = words(FloatInstruction.all[variant.instruction])
        var hash: Word = 0
        func fold(_ value: Word) { hash = (hash &>> 7 | hash &<< Word(Word.bitWidth - 7)) &+ value }
        expected(variant) { _, result, flags in
            for word in 0..<count { fold(Word(truncatingIfNeeded: result &>> UInt64(word * Word.bitWidth))) }
            fold(Word(flags))
        }
        return hash
    }
}
