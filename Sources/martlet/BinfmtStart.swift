// A start of this program by the kernel's binfmt_misc: the words are the program's path, its argv[0] where that is preserved, and its
// arguments. None of them is an option or a command of Martlet's.

import HostOS

struct BinfmtStart {
    /// Where the program is open; -1: it is to be opened by its path.
    private(set) var descriptor: Int32 = -1
    private(set) var argumentZero: [UInt8]?
    /// The path and the arguments.
    private(set) var words: [[UInt8]]

    /// Nil when somebody else started this process. The kernel tells flag P by a bit of AT_FLAGS and flag O by AT_EXECFD. Without both, only
    /// the name by which Martlet is registered says that a program follows.
    init?(_ arguments: [[UInt8]]) {
        let flags: UInt = 8, openFile: UInt = 2, preservesArgument: UInt = 1
        let isPreserved = (HostProcess.auxiliaryValue(flags) ?? 0) & preservesArgument != 0
        let opened = HostProcess.auxiliaryValue(openFile)
        guard isPreserved || opened != nil, arguments.count > (isPreserved ? 2 : 1) else { return nil }
        if let opened { descriptor = Int32(truncatingIfNeeded: opened) }
        words = Array(arguments.dropFirst())
        if isPreserved { argumentZero = words.remove(at: 1) }
    }
}
