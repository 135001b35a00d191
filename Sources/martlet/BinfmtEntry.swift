// What the kernel's binfmt_misc is told about the programs of a guest, and the forms in which installers want it.
// Source: Linux Documentation/admin-guide/binfmt-misc.rst; binfmt.d(5); update-binfmts(8).

import EngineSetup

/// The first bytes of a guest's executables, as far as they are the same in all of them.
struct BinfmtPattern: Equatable {
    let magic: [UInt8]
    let mask: [UInt8]

    // e_ident: 0x7f E L F, class, byte order, version, OSABI, ABI version, seven unused bytes; then e_type and e_machine.
    // Any OSABI is taken: programs for Linux have 0 (System V) or 3 (GNU). e_type is 2 (ET_EXEC) or 3 (ET_DYN).
    init(_ guest: GuestRow) {
        let isBig = guest.elf.words.order == .big
        func half(_ value: UInt16) -> [UInt8] {
            let low = UInt8(truncatingIfNeeded: value), high = UInt8(truncatingIfNeeded: value >> 8)
            return isBig ? [high, low] : [low, high]
        }
        let elfClass: UInt8 = guest.elf.words.size == 8 ? 2 : 1
        let identity: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, elfClass, isBig ? 2 : 1, 1, 0, 0]
        magic = identity + [UInt8](repeating: 0, count: 7) + half(2) + half(guest.elf.machine)
        var mask = [UInt8](repeating: 0xff, count: 16) + half(0xfffe) + half(0xffff)
        mask[7] = 0
        self.mask = mask
    }
}

/// One entry of binfmt_misc.
struct BinfmtEntry {
    let name: String
    let pattern: BinfmtPattern
    /// An absolute path.
    let interpreter: String
    let flags: BinfmtFlags

    /// What is written to the kernel's `register`, and a line of a file of binfmt.d.
    var line: String {
        ":\(name):M::\(escaped(pattern.magic)):\(escaped(pattern.mask)):\(interpreter):\(flags.text)"
    }

    /// A file for `update-binfmts --import`. That program knows no O by itself: C has it too.
    var debianFile: String {
        func answer(_ flag: BinfmtFlags) -> String { flags.contains(flag) ? "yes" : "no" }
        return """
            package martlet
            interpreter \(interpreter)
            magic \(escaped(pattern.magic))
            offset 0
            mask \(escaped(pattern.mask))
            credentials \(answer(.credentials))
            fix_binary \(answer(.fixBinary))
            preserve \(answer(.preserveArgument))

            """
    }

    private func escaped(_ bytes: [UInt8]) -> String {
        bytes.map { "\\x" + (($0 < 16 ? "0" : "") + String($0, radix: 16)) }.joined()
    }
}

/// How the kernel starts an interpreter.
struct BinfmtFlags: OptionSet {
    let rawValue: UInt8
    /// The program's argv[0] is handed over as well.
    static let preserveArgument = BinfmtFlags(rawValue: 1)
    /// The program is handed over open, so that it need not be readable.
    static let openBinary = BinfmtFlags(rawValue: 2)
    /// The process has the rights of the program's file, not of the interpreter's: set-user-ID programs get their owner's.
    static let credentials = BinfmtFlags(rawValue: 4)
    /// The interpreter is opened once, when it is registered: it is found in every container and chroot.
    static let fixBinary = BinfmtFlags(rawValue: 8)

    /// In the kernel's order.
    private static let letters: [(Character, BinfmtFlags)] = [
        ("P", .preserveArgument), ("O", .openBinary), ("C", .credentials), ("F", .fixBinary),
    ]

    var text: String { String(Self.letters.filter { contains($0.1) }.map(\.0)) }

    /// The flags of a kernel's answer or of `--flags`; nil for a letter that is none. To the kernel C says O too.
    init?(_ text: some StringProtocol) {
        var flags: BinfmtFlags = []
        for letter in text {
            guard let known = Self.letters.first(where: { $0.0 == letter }) else { return nil }
            flags.insert(known.1)
        }
        if flags.contains(.credentials) { flags.insert(.openBinary) }
        self = flags
    }

    init(rawValue: UInt8) { self.rawValue = rawValue }
}
