// The Linux ABIs of RISC-V, which differ in the width of a register: their tables, and from Linux's arch/riscv the signal
// frame, the hardware probe, /proc/cpuinfo.

extension LinuxGuestABI {
    /// The ABI for a processor with the instruction set `isa`, an ISA string such as "rv64imafdc_zicsr_zba".
    public static func riscv64(isa: String) -> LinuxGuestABI {
        // sv39: the layout every Linux program on this architecture works with
        riscv("riscv64", isa, translation: "sv39", addressLimit: 0x40_0000_0000, .riscv64, .riscv64)
    }

    /// The same with registers of 32 bits. Programs get all addresses but the last page, which every layout leaves free:
    /// more than a kernel of 32 bits has for them, and as much as one of 64 bits.
    public static func riscv32(isa: String) -> LinuxGuestABI {
        riscv("riscv32", isa, translation: "sv32", addressLimit: 0xffff_f000, .riscv32, .riscv32)
    }

    private static func riscv(
        _ machine: String, _ isa: String, translation: String, addressLimit: UInt64, _ table: LinuxTable,
        _ convention: Convention
    ) -> LinuxGuestABI {
        var abi = LinuxGuestABI(
            machine: machine, elfMachine: 243, addressLimit: addressLimit, table: table, convention: convention,
            signalFrame: .riscv(table.word), core: .riscv(table.word))
        // Privileged ISA, "Machine Cause (mcause) Register"; Linux arch/riscv/kernel/traps.c.
        abi.exceptions = [.misalignedFetch(0), .illegalInstruction(2), .breakpoint(3)]
        abi.processorDescription = """
            isa\t\t: \(isa)
            mmu\t\t: \(translation)
            uarch\t\t: martlet
            mvendorid\t: 0x0
            marchid\t\t: 0x0
            mimpid\t\t: 0x0
            hart isa\t: \(isa)

            """
        let probe = RISCVHardwareProbe(isa: isa, highestAddress: abi.addressLimit - 1)
        abi.hardwareProbe = { probe.value($0) }
        return abi
    }

    /// With the instruction set that every distribution expects.
    public static let riscv64 = riscv64(isa: "rv64imafdc_zicntr_zicsr_zifencei")
    public static let riscv32 = riscv32(isa: "rv32imafdc_zicntr_zicsr_zifencei")
}

extension SignalFrameLayout {
    ///     64     32
    ///      0      0   siginfo_t                     128 bytes
    ///    128    128   ucontext: flags, link         2 words
    ///    144    136     stack: sp, flags, size      3 words
    ///    168    148     signal mask, padding        8 + 120
    ///    304    288     pc, x1 ... x31              32 words (sigcontext is 16-byte aligned)
    ///    560    416     f0 ... f31, fcsr            264 of 528; the rest, with the end marker of extensions, is zero
    ///
    /// Source: Linux arch/riscv/include/uapi/asm/{ucontext,sigcontext,ptrace}.h, arch/riscv/kernel/signal.c.
    static func riscv(_ word: Int) -> SignalFrameLayout {
        let context = 128, stack = context + 2 * word, mask = stack + 3 * word
        let pc = (mask + 128 + 15) & ~15, floats = pc + 32 * word
        return SignalFrameLayout(
            size: floats + 528, info: 0, context: context, stack: stack, mask: mask, programCounter: pc,
            registers: (1..<32).map { Slot("x\($0)", at: pc + word * $0, size: word) }
                + (0..<32).map { Slot("f\($0)", at: floats + 8 * $0, size: 8) } + [
                    Slot("fcsr", at: floats + 256, size: 4)
                ],
            returnAddress: "x1",
            trampoline: [0x93, 0x08, 0xb0, 0x08, 0x73, 0x00, 0x00, 0x00])  // li a7, 139; ecall
    }
}

extension CoreLayout {
    /// struct user_regs_struct: pc, x1 ... x31. struct __riscv_d_ext_state: f0 ... f31, fcsr, padding.
    ///
    /// Source: Linux arch/riscv/include/uapi/asm/{elf,ptrace}.h, arch/riscv/kernel/ptrace.c.
    static func riscv(_ word: Int) -> CoreLayout {
        typealias Slot = SignalFrameLayout.Slot
        return CoreLayout(
            general: RegisterSetLayout(
                size: 32 * word, programCounter: 0,
                registers: (1..<32).map { Slot("x\($0)", at: word * $0, size: word) }),
            others: [
                (
                    .floatRegisters,
                    RegisterSetLayout(
                        size: 264,
                        registers: (0..<32).map { Slot("f\($0)", at: 8 * $0, size: 8) }
                            + [Slot("fcsr", at: 256, size: 4)])
                )
            ])
    }
}

/// Answers of riscv_hwprobe(2). Source: Linux Documentation/arch/riscv/hwprobe.rst, arch/riscv uapi asm/hwprobe.h.
struct RISCVHardwareProbe: Sendable {
    private let baseBehaviour: UInt64
    private let extensions: UInt64
    private let highestAddress: UInt64
    private let hasCacheBlockZero: Bool
    private let hasCacheBlockManagement: Bool
    private let hasCacheBlockPrefetch: Bool

    init(isa: String, highestAddress: UInt64) {
        let names = isa.utf8.split(separator: UInt8(ascii: "_"))
        func has(_ letters: String) -> Bool {
            letters.utf8.allSatisfy { names.first?.dropFirst(4).contains($0) ?? false }
        }
        func hasNamed(_ name: String) -> Bool { names.dropFirst().contains { $0.elementsEqual(name.utf8) } }
        var bits: UInt64 = 0
        for (name, bit) in Self.rows where hasNamed(name) { bits |= 1 << UInt64(bit) }
        if has("fd") { bits |= 1 << 0 }
        if has("c") { bits |= 1 << 1 }
        if has("v") { bits |= 1 << 2 }
        baseBehaviour = has("ima") ? 1 : 0
        extensions = has("ima") ? bits : 0
        self.highestAddress = highestAddress
        hasCacheBlockZero = hasNamed("zicboz")
        hasCacheBlockManagement = hasNamed("zicbom")
        hasCacheBlockPrefetch = hasNamed("zicbop")
    }

    func value(_ key: Int64) -> UInt64? {
        let cacheBlock: UInt64 = 64
        return switch key {
        case 0, 1, 2: 0  // MVENDORID, MARCHID, MIMPID
        case 3: baseBehaviour
        case 4: extensions  // IMA_EXT_0
        case 5: 3  // CPUPERF_0: misaligned accesses are fast
        case 6: hasCacheBlockZero ? cacheBlock : 0  // ZICBOZ_BLOCK_SIZE
        case 7: highestAddress  // HIGHEST_VIRT_ADDRESS
        case 8: 1_000_000_000  // TIME_CSR_FREQ: the counters count nanoseconds
        case 9: 3  // MISALIGNED_SCALAR_PERF: fast
        case 10: 4  // MISALIGNED_VECTOR_PERF: unsupported
        case 12: hasCacheBlockManagement ? cacheBlock : 0  // ZICBOM_BLOCK_SIZE
        case 15: hasCacheBlockPrefetch ? cacheBlock : 0  // ZICBOP_BLOCK_SIZE
        default: nil
        }
    }

    /// Bits of IMA_EXT_0 by extension name.
    private static let rows: [(String, Int)] = [
        ("zba", 3), ("zbb", 4), ("zbs", 5), ("zicboz", 6), ("zbc", 7), ("zfh", 27), ("zfhmin", 28), ("zihintntl", 29),
        ("zfa", 32), ("zacas", 34), ("zicond", 35), ("zihintpause", 36), ("zimop", 42), ("zca", 43), ("zcb", 44),
        ("zcd", 45), ("zcf", 46), ("zcmop", 47), ("zawrs", 48), ("zicntr", 50), ("zihpm", 51), ("zicbom", 55),
        ("zaamo", 56), ("zalrsc", 57), ("zicbop", 60),
    ]
}
