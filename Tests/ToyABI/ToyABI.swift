// An ABI that does not exist: everything in which a guest may differ from the host, it does. Big-endian words of 32 bits,
// numbers of calls, errors, signals and flags of its own, aligned register pairs, arguments on the stack, a register that
// tells errors. The made-up machine's programs use it (`LinuxGuestABI.toy`), and tests of single calls.

import HostOS
import LinuxABI

extension LinuxTable {
    public static let bigEndian: LinuxTable = {
        // riscv32's layouts with the bytes of each number the other way round.
        let calls = SystemCallID.allCases.reversed().map { $0.rawValue + 1 }
        let errors = (0..<134).map { UInt16($0 == 0 ? 0 : 200 - $0) }
        let signals = (0..<32).map { UInt16($0 == 0 ? 0 : 32 - $0) }
        var maps = [UInt32](repeating: 0, count: MaskSet.allCases.count + ValueSet.allCases.count)
        func add(_ set: Int, _ rows: [[UInt32]]) {
            maps[set] = UInt32(maps.count)
            maps.append(UInt32(rows.count))
            for row in rows { maps += row }
        }
        // O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, O_NONBLOCK, O_CLOEXEC
        add(
            MaskSet.open.rawValue,
            [
                [3, 1, 3, 1], [3, 2, 3, 2], [0x100, 0x100, 0x40, 0x40], [0x2000, 0x2000, 0x200, 0x200],
                [8, 8, 0x400, 0x400], [0x80, 0x80, 0x800, 0x800], [0x8_0000, 0x8_0000, 0x8_0000, 0x8_0000],
            ])
        // SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK
        add(ValueSet.sigmask.rawValue, [[1, 0], [2, 1], [3, 2]])
        // F_GETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK
        add(ValueSet.fcntl.rawValue, [[1, 1], [3, 3], [4, 4], [14, 5], [16, 6]])
        return LinuxTable(
            name: "big", word: 4, isBigEndian: true, firstCall: 4000, calls: calls, errors: errors, signals: signals,
            maps: maps, structures: LinuxTable.riscv32.structures)
    }()
}

extension LinuxGuestABI {
    /// The made-up machine's: the number in r0, arguments in r1 to r4 and on the stack, the result in r1.
    public static let toy: LinuxGuestABI = {
        var abi = LinuxGuestABI(
            machine: "toy", elfMachine: 0x7079, elfFlags: (value: 0x20, mask: 0x30), addressLimit: 0xffff_e000,
            table: .bigEndian,
            convention: Convention(
                number: "r0",
                arguments: (1...4).map { .register("r\($0)") } + [.stack(16), .stack(20), .stack(24)], result: "r1",
                errors: .flag(register: "failed", clear: .max, set: 1), pairs: .aligned, instructionLength: 1,
                stackPointer: "r7", threadPointer: "r5", pageSize: 8192),
            signalFrame: .toy, core: CoreLayout(general: .toy, others: []))
        abi.exceptions = [.illegalInstruction(70), .breakpoint(71)]
        return abi
    }()
}

extension SignalFrameLayout {
    ///      0   siginfo_t                     128 bytes
    ///    128   ucontext: flags, link         2 words
    ///    136     stack: sp, flags, size      3 words
    ///    148     signal mask, padding        8 + 4
    ///    160     pc, r0 ... r7
    ///    196     what was compared           2 words
    ///    204     the error flag
    static let toy = SignalFrameLayout(
        size: 208, info: 0, context: 128, stack: 136, mask: 148, programCounter: 160,
        registers: toyRegisters(at: 160), returnAddress: "r6",
        // ldi r0, rt_sigreturn; sys
        trampoline: [0x41, 0] + LinuxTable.bigEndian.words.bytes([LinuxTable.bigEndian.number(of: .rt_sigreturn) ?? 0])
            + [1])

    /// Behind a pc.
    fileprivate static func toyRegisters(at pc: Int) -> [Slot] {
        ((0..<8).map { "r\($0)" } + ["cmp0", "cmp1", "failed"]).enumerated().map {
            Slot($1, at: pc + 4 + 4 * $0, size: 4)
        }
    }
}

extension RegisterSetLayout {
    static let toy = RegisterSetLayout(
        size: 48, programCounter: 0, registers: SignalFrameLayout.toyRegisters(at: 0))
}
