// landlock(7): rules about the files that a thread may use. They are about the guest's files, which are the host's, so the host kernel
// enforces them. Martlet's own file must stay executable, since programs that the guest executes are run by a fresh Martlet.

import CLinux
import HostOS

enum LandlockCalls {
    /// LANDLOCK_ACCESS_FS_*.
    private static let execute: UInt64 = 1, readFile: UInt64 = 4

    /// landlock_restrict_self(2).
    static func restrictSelf(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let own = OwnFile.descriptor
        if own >= 0 {
            // A right that the rule set does not handle is refused (EINVAL), and needs no rule.
            for rights in [execute | readFile, execute, readFile]
            where allow(rights, file: own, ruleSet: call.word(0)) == 0 { break }
        }
        return kernel(SYS_landlock_restrict_self, call.word(0), call.word(1))
    }

    private static func allow(_ rights: UInt64, file: Int32, ruleSet: Int) -> Int {
        let pathBeneath = 1
        var rule = (rights, file)  // struct landlock_path_beneath_attr: packed, 12 bytes
        return withUnsafeMutablePointer(to: &rule) {
            kernel(SYS_landlock_add_rule, ruleSet, pathBeneath, Int(bitPattern: $0), 0)
        }
    }
}
