// Programs for a bare machine, made word by word: they print a text, and end.
//
//   base            code
//   base + 0x1000   the words of the host-target interface (spike)
//   base + 0x2000   the text, up to a NUL

/// Instructions. Source: Unprivileged ISA, chapter 35, RV32/64G Instruction Set Listings.
private enum Word {
    static let a0: UInt32 = 10, a1: UInt32 = 11, a2: UInt32 = 12, a3: UInt32 = 13, a4: UInt32 = 14, a5: UInt32 = 15

    private static func immediate(_ opcode: UInt32, _ f3: UInt32, _ rd: UInt32, _ rs1: UInt32, _ imm: Int32) -> UInt32 {
        UInt32(bitPattern: imm) << 20 | rs1 << 15 | f3 << 12 | rd << 7 | opcode
    }
    static func addi(_ rd: UInt32, _ rs1: UInt32, _ imm: Int32) -> UInt32 { immediate(0x13, 0, rd, rs1, imm) }
    static func slli(_ rd: UInt32, _ rs1: UInt32, _ imm: Int32) -> UInt32 { immediate(0x13, 1, rd, rs1, imm) }
    static func srli(_ rd: UInt32, _ rs1: UInt32, _ imm: Int32) -> UInt32 { immediate(0x13, 5, rd, rs1, imm) }
    static func andi(_ rd: UInt32, _ rs1: UInt32, _ imm: Int32) -> UInt32 { immediate(0x13, 7, rd, rs1, imm) }
    static func lbu(_ rd: UInt32, _ rs1: UInt32, _ imm: Int32) -> UInt32 { immediate(0x03, 4, rd, rs1, imm) }
    static func lw(_ rd: UInt32, _ rs1: UInt32) -> UInt32 { immediate(0x03, 2, rd, rs1, 0) }
    static func ld(_ rd: UInt32, _ rs1: UInt32) -> UInt32 { immediate(0x03, 3, rd, rs1, 0) }
    private static func store(_ f3: UInt32, _ rs2: UInt32, _ rs1: UInt32) -> UInt32 {
        rs2 << 20 | rs1 << 15 | f3 << 12 | 0x23
    }
    static func sb(_ rs2: UInt32, _ rs1: UInt32) -> UInt32 { store(0, rs2, rs1) }
    static func sh(_ rs2: UInt32, _ rs1: UInt32) -> UInt32 { store(1, rs2, rs1) }
    static func sw(_ rs2: UInt32, _ rs1: UInt32) -> UInt32 { store(2, rs2, rs1) }
    static func sd(_ rs2: UInt32, _ rs1: UInt32) -> UInt32 { store(3, rs2, rs1) }
    static func or(_ rd: UInt32, _ rs1: UInt32, _ rs2: UInt32) -> UInt32 {
        rs2 << 20 | rs1 << 15 | 6 << 12 | rd << 7 | 0x33
    }
    static func lui(_ rd: UInt32, _ imm: UInt32) -> UInt32 { imm << 12 | rd << 7 | 0x37 }
    static func auipc(_ rd: UInt32, _ imm: UInt32) -> UInt32 { imm << 12 | rd << 7 | 0x17 }
    static func csrr(_ rd: UInt32, _ number: UInt32) -> UInt32 { number << 20 | 2 << 12 | rd << 7 | 0x73 }
    /// Branches by a number of words.
    private static func branch(_ f3: UInt32, _ rs1: UInt32, _ rs2: UInt32, _ words: Int32) -> UInt32 {
        let by = UInt32(bitPattern: words * 4)
        return (by >> 12) << 31 | (by >> 5 & 0x3f) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (by >> 1 & 0xf) << 8
            | (by >> 11 & 1) << 7 | 0x63
    }
    static func beqz(_ rs1: UInt32, _ words: Int32) -> UInt32 { branch(0, rs1, 0, words) }
    static func bnez(_ rs1: UInt32, _ words: Int32) -> UInt32 { branch(1, rs1, 0, words) }
    /// Branches within 4 KiB as well.
    static func jump(_ words: Int32) -> UInt32 { branch(0, 0, 0, words) }
    static let wfi: UInt32 = 0x1050_0073
    static func li(_ rd: UInt32, _ value: UInt32) -> [UInt32] {
        [lui(rd, (value &+ 0x800) >> 12), addi(rd, rd, Int32(bitPattern: value << 20) >> 20)]
    }
}

struct MachineProgram {
    private var code: [UInt32]
    private var text: String

    /// Nothing but sleep.
    static let idle = MachineProgram(code: sleep, text: "")
    private static let sleep = [Word.wfi, Word.jump(-1)]

    /// For `virt`: prints by the serial port, then writes to the finisher: 0x5555 passes, 0x3333 and a status fails, 0x7777 resets.
    static func virt(_ text: String, finish: UInt32) -> MachineProgram {
        MachineProgram(code: printing + [Word.lui(Word.a0, 0x100)] + finishing(finish) + sleep, text: text)
    }

    /// For `virt`: prints by the serial port, then sleeps.
    static func talking(_ text: String) -> MachineProgram { MachineProgram(code: printing + sleep, text: text) }

    /// For `virt`: prints the time of the real-time clock, in nanoseconds since 1970, as 16 hexadecimal digits, and ends.
    static let clock = MachineProgram(
        code: [
            Word.auipc(Word.a0, 2), Word.lui(Word.a4, 0x101), Word.lw(Word.a1, Word.a4), Word.addi(Word.a4, Word.a4, 4),
            Word.lw(Word.a4, Word.a4), Word.slli(Word.a1, Word.a1, 32), Word.srli(Word.a1, Word.a1, 32),
            Word.slli(Word.a4, Word.a4, 32), Word.or(Word.a1, Word.a1, Word.a4),
        ] + digits + [Word.lui(Word.a0, 0x100)] + finishing(0x5555) + sleep, text: "0123456789abcdef")

    /// For `virt`: sets mtime far ahead, waits a while, and resets; then prints the CSR `time` as 16 hexadecimal digits, and ends.
    static let timeAfterReset = MachineProgram(
        code: [
            Word.auipc(Word.a0, 2), Word.auipc(Word.a4, 0x100), Word.lw(Word.a5, Word.a4), Word.bnez(Word.a5, 14),
            Word.addi(Word.a5, 0, 1), Word.sw(Word.a5, Word.a4),
            // The high half of mtime.
            Word.lui(Word.a4, 0x200c), Word.addi(Word.a4, Word.a4, -4), Word.sw(Word.a5, Word.a4),
            Word.lui(Word.a5, 0x100), Word.addi(Word.a5, Word.a5, -1), Word.bnez(Word.a5, -1),
            Word.lui(Word.a0, 0x100),
        ] + finishing(0x7777) + [Word.jump(0), Word.csrr(Word.a1, 0xc01)]
            + digits + [Word.lui(Word.a0, 0x100)] + finishing(0x5555) + sleep, text: "0123456789abcdef")

    /// For `virt`: executes 128 million instructions, prints the CSR `time` as 16 hexadecimal digits, and ends.
    static let timeOfALoop = MachineProgram(
        code: [
            Word.auipc(Word.a0, 2), Word.lui(Word.a5, 0x4000), Word.addi(Word.a5, Word.a5, -1), Word.bnez(Word.a5, -1),
            Word.csrr(Word.a1, 0xc01),
        ] + digits + [Word.lui(Word.a0, 0x100)] + finishing(0x5555) + sleep, text: "0123456789abcdef")

    /// For `virt`: prints bytes of an item of fw_cfg as they are, and ends.
    static func firmwareItem(_ key: UInt16, count: Int) -> MachineProgram {
        let selecting =
            [Word.lui(Word.a0, 0x10100), Word.addi(Word.a4, Word.a0, 8)]
            + Word.li(Word.a1, UInt32(key.byteSwapped)) + [Word.sh(Word.a1, Word.a4)]
        let copying = [
            Word.lbu(Word.a3, Word.a2, 5), Word.andi(Word.a3, Word.a3, 0x20), Word.beqz(Word.a3, -2),
            Word.lbu(Word.a1, Word.a0, 0), Word.sb(Word.a1, Word.a2), Word.addi(Word.a5, Word.a5, -1),
            Word.bnez(Word.a5, -6),
        ]
        return MachineProgram(
            code: [Word.lui(Word.a2, 0x10000)] + selecting + Word.li(Word.a5, UInt32(count)) + copying
                + [Word.lui(Word.a0, 0x100)] + finishing(0x5555) + sleep, text: "")
    }

    /// Prints a1 as 16 digits, which lie at a0.
    private static let digits = [
        Word.lui(Word.a2, 0x10000), Word.addi(Word.a5, 0, 16),
        Word.lbu(Word.a3, Word.a2, 5), Word.andi(Word.a3, Word.a3, 0x20), Word.beqz(Word.a3, -2),
        Word.srli(Word.a3, Word.a1, 60), Word.slli(Word.a1, Word.a1, 4), Word.or(Word.a3, Word.a3, Word.a0),
        Word.lbu(Word.a3, Word.a3, 0), Word.sb(Word.a3, Word.a2), Word.addi(Word.a5, Word.a5, -1),
        Word.bnez(Word.a5, -9),
    ]

    /// For `virt`: prints at each of three boots, the first two of which end with a reset.
    static func threeBoots(_ text: String) -> MachineProgram {
        // The count lies 1 MiB behind the code, in RAM that no reset writes to.
        let count = [
            Word.lui(Word.a0, 0x100), Word.auipc(Word.a4, 0x100),
            Word.lw(Word.a5, Word.a4), Word.addi(Word.a5, Word.a5, 1), Word.sw(Word.a5, Word.a4),
            Word.addi(Word.a5, Word.a5, -3), Word.beqz(Word.a5, 5),
        ]
        return MachineProgram(
            code: printing + count + finishing(0x7777) + [Word.jump(0)] + finishing(0x5555) + sleep, text: text)
    }

    /// For `spike`: prints by the host-target interface, then ends by it.
    static func spike(_ text: String, status: Int32) -> MachineProgram {
        let code = [
            Word.auipc(Word.a0, 2), Word.auipc(Word.a2, 1), Word.addi(Word.a2, Word.a2, -4),
            Word.addi(Word.a4, 0, 0x101), Word.slli(Word.a4, Word.a4, 48),
            Word.lbu(Word.a1, Word.a0, 0), Word.beqz(Word.a1, 7),
            Word.or(Word.a1, Word.a1, Word.a4), Word.sd(Word.a1, Word.a2),
            Word.ld(Word.a3, Word.a2), Word.bnez(Word.a3, -1),
            Word.addi(Word.a0, Word.a0, 1), Word.jump(-7),
            Word.addi(Word.a1, 0, status * 2 + 1), Word.sd(Word.a1, Word.a2),
        ]
        return MachineProgram(code: code + sleep, text: text)
    }

    private static let printing = [
        Word.auipc(Word.a0, 2), Word.lui(Word.a2, 0x10000),
        Word.lbu(Word.a1, Word.a0, 0), Word.beqz(Word.a1, 7),
        // The line status says that there is room.
        Word.lbu(Word.a3, Word.a2, 5), Word.andi(Word.a3, Word.a3, 0x20), Word.beqz(Word.a3, -2),
        Word.sb(Word.a1, Word.a2), Word.addi(Word.a0, Word.a0, 1), Word.jump(-7),
    ]
    private static func finishing(_ word: UInt32) -> [UInt32] { Word.li(Word.a1, word) + [Word.sw(Word.a1, Word.a0)] }

    /// What lies at the base.
    var raw: [UInt8] {
        var bytes = code.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        bytes += [UInt8](repeating: 0, count: 0x2000 - bytes.count)
        return bytes + Array(text.utf8) + [0]
    }

    /// A 64-bit ELF file for RAM at 0x80000000, with the symbols of the host-target interface.
    var elf: [UInt8] {
        let contents = raw, base: UInt64 = 0x8000_0000, start = 0x1000
        let names = Array("\0tohost\0fromhost\0".utf8)
        let symbols = (start + contents.count + 7) & ~7, strings = symbols + 3 * 24
        let sections = (strings + names.count + 7) & ~7
        var file = [UInt8](repeating: 0, count: sections + 3 * 64)
        func put<T: FixedWidthInteger>(_ value: T, _ at: Int) {
            for index in 0..<T.bitWidth / 8 { file[at + index] = UInt8(truncatingIfNeeded: value >> T(8 * index)) }
        }
        file.replaceSubrange(0..<7, with: [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
        put(UInt16(2), 16)  // ET_EXEC
        put(UInt16(243), 18)
        put(base, 24)
        put(UInt64(64), 32)
        put(UInt64(sections), 40)
        for (index, half) in [64, 56, 1, 64, 3, 2].enumerated() { put(UInt16(half), 52 + 2 * index) }
        put(UInt32(1), 64)  // PT_LOAD
        put(UInt32(7), 68)
        for (index, word) in [UInt64(start), base, base, UInt64(contents.count), UInt64(contents.count)].enumerated() {
            put(word, 72 + 8 * index)
        }
        file.replaceSubrange(start..<start + contents.count, with: contents)
        for (index, symbol) in [(1, base + 0x1000), (8, base + 0x1008)].enumerated() {
            put(UInt32(symbol.0), symbols + 24 * (index + 1))
            put(symbol.1, symbols + 24 * (index + 1) + 8)
        }
        file.replaceSubrange(strings..<strings + names.count, with: names)
        for (index, section) in [(2, symbols, 3 * 24, 2), (3, strings, names.count, 0)].enumerated() {
            let at = sections + 64 * (index + 1)
            put(UInt32(section.0), at + 4)
            put(UInt64(section.1), at + 24)
            put(UInt64(section.2), at + 32)
            put(UInt32(section.3), at + 40)
        }
        return file
    }
}
