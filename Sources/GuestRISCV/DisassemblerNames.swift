// Names that operands have in assembly: registers (RISC-V ABIs specification, "Register convention"), control and
// status registers (Privileged ISA, chapter "CSR listing"), rounding modes and the constants of Zfa.

private let integerNames: [StaticString] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
    "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
]

private let floatingNames: [StaticString] = [
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5",
    "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
]

/// The ABI name of an integer register; the number is taken modulo 32.
func integerRegisterName(_ number: Int64) -> String { integerNames[Int(number & 31)].description }

/// The ABI name of a floating-point register; the number is taken modulo 32.
func floatingRegisterName(_ number: Int64) -> String { floatingNames[Int(number & 31)].description }

func roundingModeName(_ mode: Int64) -> String {
    switch mode {
    case 0: "rne"
    case 1: "rtz"
    case 2: "rdn"
    case 3: "rup"
    case 4: "rmm"
    case 7: "dyn"
    default: "unknown"
    }
}

/// `iorw`, or a part of it.
func fenceSet(_ bits: Int64) -> String {
    let letters: [(bit: Int64, letter: String)] = [(8, "i"), (4, "o"), (2, "r"), (1, "w")]
    let set = letters.filter { bits & $0.bit != 0 }.map(\.letter).joined()
    return set.isEmpty ? "unknown" : set
}

/// A register list of Zcmp: `{ra,s0-s3}`.
func registerListName(_ list: Int64) -> String {
    switch list {
    case ...4: "{ra}"
    case 5: "{ra,s0}"
    case 15...: "{ra,s0-s11}"
    default: "{ra,s0-s\(list - 5)}"
    }
}

private let floatConstants: [StaticString] = [
    "-1.0", "min", "1.52587890625e-05", "3.0517578125e-05", "0.00390625", "0.0078125", "0.0625", "0.125",
    "0.25", "0.3125", "0.375", "0.4375", "0.5", "0.625", "0.75", "0.875",
    "1.0", "1.25", "1.5", "1.75", "2.0", "2.5", "3.0", "4.0",
    "8.0", "16.0", "128.0", "256.0", "32768.0", "65536.0", "inf", "nan",
]

/// A constant of fli (chapter "Zfa", table of immediate values).
func floatConstantName(_ index: Int64) -> String { floatConstants[Int(index & 31)].description }

/// A control and status register, `0x123` when it has no name here.
func csrName(_ number: Int64) -> String {
    switch number {
    case 0xb03...0xb1f: return "mhpmcounter\(number - 0xb00)"
    case 0xb83...0xb9f: return "mhpmcounter\(number - 0xb80)h"
    case 0xc03...0xc1f: return "hpmcounter\(number - 0xc00)"
    case 0xc83...0xc9f: return "hpmcounter\(number - 0xc80)h"
    case 0x323...0x33f: return "mhpmevent\(number - 0x320)"
    case 0x3a0...0x3af: return "pmpcfg\(number - 0x3a0)"
    case 0x3b0...0x3ef: return "pmpaddr\(number - 0x3b0)"
    default: break
    }
    if let index = csrNumbers.firstIndex(of: UInt16(truncatingIfNeeded: number)) { return csrNames[index].description }
    return "0x" + String(number, radix: 16)
}

private let csrNumbers: [UInt16] = [
    0x001, 0x002, 0x003, 0x008, 0x009, 0x00a, 0x00f, 0x015, 0xc00, 0xc01, 0xc02, 0xc80, 0xc81, 0xc82, 0xc20, 0xc21,
    0xc22,
    0x100, 0x104, 0x105, 0x106, 0x10a, 0x140, 0x141, 0x142, 0x143, 0x144, 0x14d, 0x15d, 0x180, 0xda0,
    0xf11, 0xf12, 0xf13, 0xf14, 0xf15, 0x300, 0x301, 0x302, 0x303, 0x304, 0x305, 0x306, 0x310, 0x30a, 0x31a,
    0x340, 0x341, 0x342, 0x343, 0x344, 0x320, 0x747, 0x757, 0xb00, 0xb02, 0xb80, 0xb82,
    0x200, 0x204, 0x205, 0x240, 0x241, 0x242, 0x243, 0x244, 0x24d, 0x280,
    0x600, 0x602, 0x603, 0x604, 0x605, 0x606, 0x607, 0x60a, 0x643, 0x644, 0x645, 0x64a, 0x680, 0xe12,
    0x7a0, 0x7a1, 0x7a2, 0x7a3, 0x7a4, 0x7a5, 0x7a8, 0x5a8, 0x7b0, 0x7b1, 0x7b2, 0x7b3,
]

private let csrNames: [StaticString] = [
    "fflags", "frm", "fcsr", "vstart", "vxsat", "vxrm", "vcsr", "seed", "cycle", "time", "instret", "cycleh", "timeh",
    "instreth", "vl", "vtype", "vlenb",
    "sstatus", "sie", "stvec", "scounteren", "senvcfg", "sscratch", "sepc", "scause", "stval", "sip", "stimecmp",
    "stimecmph", "satp", "scountovf",
    "mvendorid", "marchid", "mimpid", "mhartid", "mconfigptr", "mstatus", "misa", "medeleg", "mideleg", "mie", "mtvec",
    "mcounteren", "mstatush", "menvcfg", "menvcfgh",
    "mscratch", "mepc", "mcause", "mtval", "mip", "mcountinhibit", "mseccfg", "mseccfgh", "mcycle", "minstret",
    "mcycleh", "minstreth",
    "vsstatus", "vsie", "vstvec", "vsscratch", "vsepc", "vscause", "vstval", "vsip", "vstimecmp", "vsatp",
    "hstatus", "hedeleg", "hideleg", "hie", "htimedelta", "hcounteren", "hgeie", "henvcfg", "htval", "hip", "hvip",
    "htinst", "hgatp", "hgeip",
    "tselect", "tdata1", "tdata2", "tdata3", "tinfo", "tcontrol", "mcontext", "scontext", "dcsr", "dpc", "dscratch0",
    "dscratch1",
]
