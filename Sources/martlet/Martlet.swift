// The program: reads the command line, puts a guest, a host and user mode together, runs. Nothing else lives in this target.

import EngineSetup
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
