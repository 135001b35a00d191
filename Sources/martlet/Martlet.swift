// The program: reads the command line, puts a guest, a host and user mode together, runs. Nothing else lives in this target.

import HostOS

@main
struct Martlet {
    // A global function does the work: closures made in an isolated `main` would be bound to the main thread.
    static func main() { martletMain() }
}

func martletMain() -> Never {
    do {
        HostProcess.exitGroup(try Invocation(HostProcess.arguments).run())
    } catch {
        writeStandardError("\(error.message)\n")
        HostProcess.exitGroup(error.status)
    }
}

/// What is wrong with the command line, or kept a program from starting: one line for the user.
struct CommandError: Error {
    var message: String
    var status: Int32 = 1
    init(_ message: String, status: Int32 = 1) {
        self.message = "martlet: " + message
        self.status = status
    }
}

func writeStandardOutput(_ text: String) { _ = writeAll(1, text) }
