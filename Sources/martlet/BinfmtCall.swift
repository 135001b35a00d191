// How binfmt_misc starts an interpreter: INTERPRETER PROGRAM ARGUMENTS... (Linux, Documentation/admin-guide/binfmt-misc.rst).

import HostOS

/// What the kernel says besides the arguments when a flag of the entry asks for it. Without any of these flags nothing tells a start by
/// binfmt_misc from another one.
struct BinfmtCall {
    /// Flag O (and C, which implies it): the program is open here (AT_EXECFD); -1 without.
    let descriptor: Int32
    /// Flag P: the program's own first argument follows its path (AT_FLAGS, AT_FLAGS_PRESERVE_ARGV0).
    let keepsArgumentZero: Bool

    /// Nil: this was no start by an entry with flag O, C or P.
    init?() {
        let open = HostProcess.auxiliaryValue(2)
        keepsArgumentZero = (HostProcess.auxiliaryValue(8) ?? 0) & 1 != 0
        descriptor = open.map { Int32(truncatingIfNeeded: $0) } ?? -1
        if open == nil, !keepsArgumentZero { return nil }
    }

    /// The words behind the interpreter's name as a command line without options.
    func apply(_ words: ArraySlice<[UInt8]>, to line: inout UserCommandLine) -> ArraySlice<[UInt8]> {
        line.programDescriptor = descriptor
        guard keepsArgumentZero, let program = words.first else { return words }
        let rest = words.dropFirst()
        line.argumentZero = rest.first.map(text)
        return [program] + rest.dropFirst()
    }
}
