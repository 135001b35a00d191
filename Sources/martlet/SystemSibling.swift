// System mode is a program of its own: `martlet-system`, beside this one. What is asked of it is handed over.

import EngineSetup
import HostOS

enum SystemSibling {
    private static let name = "martlet-system"

    /// Is this binary called by a name of system mode's, such as `qemu-system-riscv64`?
    static func isMeant(by name: String) -> Bool {
        name.hasPrefix("martlet-system") || name.hasPrefix("qemu-system-") || name == "qemu-img"
    }

    /// Runs it in this process's place. `arguments`: its own, with a name first.
    static func run(_ arguments: [[UInt8]]) throws(CommandError) -> Never {
        let own = OwnFile.path ?? ""
        let folder = own.lastIndex(of: "/").map { String(own[...$0]) } ?? ""
        let path = folder + name
        do throws(Errno) { try HostProcess.replace(by: path, arguments) } catch {
            throw CommandError(
                "system: \(path) cannot be run (\(error.message)): system mode is that program, beside martlet")
        }
        throw CommandError("system: \(path) cannot be run")
    }
}
