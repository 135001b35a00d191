// The frame of a generated program: where its memory is, how it starts, what it leaves behind, and the ELF file.
//
//     0x011000  text, read and execute: prologue, body, functions, epilogue, signal handler
//     0x400000  results, 4 KiB: x0...x31, f0...f31, fcsr, handler's hash, count and log (`ResultOffset`)
//     0x401000  sandbox, 16 KiB: what random loads and stores reach; the page above is not mapped
//     0x500000  pool, read-only: values for refreshing registers; initial registers
//     0x2b6d5000  signal stack, where no arithmetic on sp is likely to lead: sp in it would mean a nested signal
//
// The handler of SIGILL, SIGSEGV and SIGBUS folds all registers of the interrupted instruction into a hash and
// continues after it: state must be exact wherever a fault can be.

import GuestKit

enum ProgramMap {
    static let text = 0x11000
    static let results = 0x40_0000
    static let sandbox = 0x40_1000
    static let sandboxSize = 0x4000
    static let sandboxEnd = sandbox + sandboxSize
    static let pool = 0x50_0000
    static let poolSize = 0x2000
    static let stack = 0x2b6d_5000
    static let stackSize = 0x4000
    /// What the program writes to standard output at its end: results and sandbox.
    static let outputSize = sandboxEnd - results
}

/// Offsets in the results.
enum ResultOffset {
    static let integers = 0
    static let floats = 256
    static let fcsr = 512
    static let hash = 520
    static let faults = 528
    /// Addresses of the last 32 interrupted instructions; number i is at i modulo 32.
    static let log = 536
}

/// Offsets in the pool page's second half, which refreshing never reads.
private enum PoolOffset {
    static let registers = 0x1000
    static let fcsr = 0x1200
    static let signalStack = 0x1210
    static let action = 0x1230
}

/// Where things are in what a signal handler and system calls get (Linux, arch/riscv/include/uapi/asm/{ucontext,sigcontext,ptrace}.h).
private struct SignalLayout {
    /// In the ucontext: pc and x1...x31; right behind them f0...f31 and fcsr.
    var registers: Int
    var wordSize: WordSize

    init(_ wordSize: WordSize) {
        self.wordSize = wordSize
        registers = wordSize == .bits32 ? 160 : 176
    }

    /// Words from pc to f31.
    var count: Int { 32 + 256 / wordSize.bytes }
    var fcsr: Int { registers + 32 * wordSize.bytes + 256 }
    /// In struct sigaction and stack_t.
    var actionFlags: Int { wordSize.bytes }
    var stackBytes: Int { wordSize == .bits32 ? 8 : 16 }
}

struct ProgramFrame {
    var wordSize = WordSize.bits64
    /// The register that no body writes, except to count loops: it is the base of results at the end.
    var counter: Int
    var random: RandomSource

    // MARK: Code

    func prologue(handler: Int) -> [UInt32] {
        var code = Encode.call(132, [ProgramMap.pool + PoolOffset.signalStack, 0])  // sigaltstack
        for signal in [4, 7, 11] {  // rt_sigaction
            code += Encode.call(134, [signal, ProgramMap.pool + PoolOffset.action, 0, 8])
        }
        code += Encode.li(counter, ProgramMap.pool + PoolOffset.registers)
        for i in 0..<32 { code.append(Encode.fld(i, counter, 256 + 8 * i)) }
        code += [Encode.lw(1, counter, PoolOffset.fcsr - PoolOffset.registers), Encode.csrrw(0, 3, 1)]
        for i in 1..<32 where i != counter { code.append(Encode.load(wordSize, i, counter, 8 * i)) }
        return code
    }

    func epilogue() -> [UInt32] {
        var code = Encode.li(counter, ProgramMap.results)
        for i in 0..<32 where i != counter { code.append(Encode.store(wordSize, i, counter, 8 * i)) }
        for i in 0..<32 { code.append(Encode.fsd(i, counter, ResultOffset.floats + 8 * i)) }
        code += [Encode.csrrs(1, 3, 0), Encode.sw(1, counter, ResultOffset.fcsr)]
        return code + Self.finish(output: ProgramMap.results, size: ProgramMap.outputSize)
    }

    /// Writes memory to standard output and exits.
    static func finish(output: Int, size: Int) -> [UInt32] {
        Encode.call(64, [1, output, size]) + Encode.call(94, [0])
    }

    /// a2 is the ucontext.
    var handler: [UInt32] {
        let (t0, t1, t2, t3, t4, t5, a2) = (5, 6, 7, 28, 29, 30, 12)
        let layout = SignalLayout(wordSize)
        func load(_ rd: Int, _ base: Int, _ offset: Int) -> UInt32 { Encode.load(wordSize, rd, base, offset) }
        func store(_ rs2: Int, _ base: Int, _ offset: Int) -> UInt32 { Encode.store(wordSize, rs2, base, offset) }
        var code = Encode.li(t2, ProgramMap.results)
        code += [
            load(t3, t2, ResultOffset.hash), Encode.addi(t4, a2, layout.registers), Encode.addi(t5, 0, layout.count),
        ]
        code += [  // hash = rotate(hash, 7) + value, for pc and all registers
            load(t0, t4, 0), Encode.rori(t3, t3, 7), Encode.add(t3, t3, t0),
            Encode.addi(t4, t4, wordSize.bytes), Encode.addi(t5, t5, -1), Encode.bnez(t5, -20),
        ]
        code += [
            Encode.lw(t0, a2, layout.fcsr), Encode.rori(t3, t3, 7), Encode.add(t3, t3, t0),
            store(t3, t2, ResultOffset.hash),
        ]
        code += [  // log and count
            load(t3, t2, ResultOffset.faults), Encode.andi(t4, t3, 31), Encode.slli(t4, t4, 3),
            Encode.add(t4, t4, t2), load(t0, a2, layout.registers), store(t0, t4, ResultOffset.log),
            Encode.addi(t3, t3, 1), store(t3, t2, ResultOffset.faults),
        ]
        code += [  // pc += length of the instruction there
            Encode.lhu(t1, t0, 0), Encode.andi(t1, t1, 3), Encode.xori(t1, t1, 3), Encode.sltiu(t1, t1, 1),
            Encode.slli(t1, t1, 1), Encode.addi(t1, t1, 2), Encode.add(t0, t0, t1), store(t0, a2, layout.registers),
        ]
        return code + [Encode.jalr(0, 1, 0)]
    }

    // MARK: Data

    private mutating func pool(handler: Int) -> [UInt8] {
        var page = [UInt8](repeating: 0, count: ProgramMap.poolSize)
        for offset in stride(from: 0, to: PoolOffset.registers, by: 8) { page.put(random.registerValue(), at: offset) }
        for i in 0..<64 { page.put(random.registerValue(), at: PoolOffset.registers + 8 * i) }
        page.put(UInt64(random.below(5) << 5 | random.below(32)), at: PoolOffset.fcsr)
        page.put(UInt64(ProgramMap.stack), at: PoolOffset.signalStack)
        let layout = SignalLayout(wordSize)
        page.put(UInt32(ProgramMap.stackSize), at: PoolOffset.signalStack + layout.stackBytes)
        page.put(UInt64(handler), at: PoolOffset.action)
        page.put(UInt32(0x0800_0004), at: PoolOffset.action + layout.actionFlags)  // SA_ONSTACK, SA_SIGINFO
        return page
    }

    /// The ELF file of a program with this text, which begins with the prologue.
    mutating func image(text: [UInt8], handler: Int) -> [UInt8] {
        let pool = pool(handler: handler)
        var sandbox = [UInt8](repeating: 0, count: ProgramMap.outputSize)
        for offset in stride(from: ProgramMap.sandbox - ProgramMap.results, to: sandbox.count, by: 8) {
            sandbox.put(random.registerValue(), at: offset)
        }
        let sections = [
            Section(address: ProgramMap.text, flags: 5, bytes: text),
            Section(address: ProgramMap.results, flags: 6, bytes: sandbox),
            Section(address: ProgramMap.pool, flags: 4, bytes: pool),
            Section(address: ProgramMap.stack, flags: 6, bytes: [UInt8](repeating: 0, count: ProgramMap.stackSize)),
        ]
        return elf(sections, wordSize)
    }
}

/// Bytes of a program's memory, from a page's beginning.
struct Section {
    var address: Int
    /// execute 1, write 2, read 4
    var flags: UInt32
    var bytes: [UInt8]
}

/// An executable that begins at the first section's first byte.
func elf(_ sections: [Section], _ wordSize: WordSize = .bits64) -> [UInt8] {
    var image = ElfImage()
    if wordSize == .bits32 { image.makeNarrow() }
    var offset = 0x1000
    image.code = []
    image.segments = []
    image.entry = UInt64(sections[0].address)
    var contents: [UInt8] = []
    for section in sections {
        image.segments.append(
            ElfImage.Segment(
                flags: section.flags, offset: UInt64(offset), address: UInt64(section.address),
                fileSize: UInt64(section.bytes.count), memorySize: UInt64(section.bytes.count)))
        contents += section.bytes
        contents += [UInt8](repeating: 0, count: -section.bytes.count & 0xfff)
        offset = 0x1000 + contents.count
    }
    image.length = 0x1000
    return image.bytes + contents
}

extension [UInt8] {
    /// Little-endian.
    mutating func put<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        for index in 0..<(T.bitWidth / 8) {
            self[offset + index] = UInt8(truncatingIfNeeded: value >> T(truncatingIfNeeded: index * 8))
        }
    }
    mutating func append(word: UInt32) {
        for shift in [0, 8, 16, 24] { append(UInt8(truncatingIfNeeded: word >> UInt32(shift))) }
    }
    mutating func append(half: UInt16) {
        append(UInt8(truncatingIfNeeded: half))
        append(UInt8(truncatingIfNeeded: half >> 8))
    }
    /// Eight bytes, little-endian; 0 beyond the end.
    func word64(_ offset: Int) -> UInt64 {
        guard offset + 8 <= count else { return 0 }
        return (0..<8).reduce(0) { $0 | UInt64(self[offset + $1]) << UInt64($1 * 8) }
    }
}
