// What programs for Moxie call: the simulator of GDB, by `swi` with the numbers of libgloss (`syscall.h`). No kernel is behind
// them, so that these few rows are the whole ABI. Programs keep no page of the first 64 KiB, which Linux does not give away,
// and take their arguments from the stack, as Linux hands them over (Tests/Guest/moxie/start.S).

import HostOS

extension LinuxTable {
    /// Numbers and flags are newlib's (`libgloss/syscall.h`, `sys/_default_fcntl.h`). A call that fails gives -1, whatever
    /// the error: each is number 1. Nobody passes structures: their layouts are another table's.
    static let moxie: LinuxTable = {
        let rows: [SystemCallID?] = [nil, .exit_group, .open, .close, .read, .write, .lseek, .unlink]
        let open: [[UInt32]] = [  // O_WRONLY, O_RDWR, O_APPEND, O_CREAT, O_TRUNC, O_EXCL, O_SYNC, O_NONBLOCK
            [3, 1, 3, 1], [3, 2, 3, 2], [0x8, 0x8, 0x400, 0x400], [0x200, 0x200, 0x40, 0x40],
            [0x400, 0x400, 0x200, 0x200],
            [0x800, 0x800, 0x80, 0x80], [0x2000, 0x2000, 0x10_1000, 0x10_1000], [0x4000, 0x4000, 0x800, 0x800],
        ]
        var maps = [UInt32](repeating: 0, count: MaskSet.allCases.count + ValueSet.allCases.count)
        maps[MaskSet.open.rawValue] = UInt32(maps.count)
        maps += [UInt32(open.count)] + open.joined()
        return LinuxTable(
            name: "moxie", word: 4, isBigEndian: true, firstCall: 0,
            calls: rows.map { $0.map { $0.rawValue + 1 } ?? 0 },
            errors: [0] + [UInt16](repeating: 1, count: 133), signals: [], maps: maps,
            structures: LinuxTable.riscv32.structures)
    }()
}

extension LinuxGuestABI {
    public static let moxie: LinuxGuestABI = {
        var abi = LinuxGuestABI(
            machine: "moxie", elfMachine: 223, addressLimit: 0xffff_f000, table: .moxie,
            convention: Convention(
                number: "sr3", arguments: (0...5).map { .register("r\($0)") }, result: "r0", pairs: .unaligned,
                instructionLength: 6, stackPointer: "sp", threadPointer: nil),
            signalFrame: .moxie, core: CoreLayout(general: .moxie, others: []))
        // By the numbers of the special register that tells them.
        abi.exceptions = [.divisionByZero(0), .illegalInstruction(1), .breakpoint(5)]
        return abi
    }()
}

extension SignalFrameLayout {
    /// No call asks for a handler, so that nothing fills a frame.
    static let moxie = SignalFrameLayout(
        size: 512, info: 0, context: 128, stack: 136, mask: 148, programCounter: 288, registers: [],
        returnAddress: "r0", trampoline: [0x35, 0x00])  // brk
}

extension RegisterSetLayout {
    /// $fp, $sp, $r0 ... $r13, pc: as GDB numbers them.
    static let moxie = RegisterSetLayout(
        size: 68, programCounter: 64,
        registers: (["fp", "sp"] + (0...13).map { "r\($0)" }).enumerated().map {
            SignalFrameLayout.Slot($1, at: 4 * $0, size: 4)
        })
}
