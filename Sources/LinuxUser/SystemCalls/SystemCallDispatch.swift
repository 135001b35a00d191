// One system call from the guest's registers to its result: find the row, show it, do it, show the result.

import Diagnostics
import HostOS
import LinuxABI

/// Performs the system call that the guest asked for. Returns its value, -errno, or one of `SystemCallResult`'s special
/// values.
public func performSystemCall(_ thread: GuestThread, _ arguments: SystemCallArguments) -> Int {
    guard let id = thread.process.guest.systemCall(arguments.number) else {
        reportUnimplemented(thread, "system call \(Int64(bitPattern: arguments.number)): no such number")
        return Errno.nosys.negated
    }
    let row = SystemCallTable.row(id)
    let shown = thread.process.diagnostics.isEnabled(.systemCalls)
    if shown { SystemCallTrace.showEntry(thread, id, row, arguments) }
    let result = perform(thread, id, row, arguments)
    thread.storeCopiedOutputs()
    if shown { SystemCallTrace.showResult(thread, row, result) }
    return result
}

@inline(__always)
private func perform(
    _ thread: GuestThread, _ id: SystemCallID, _ row: SystemCallRow, _ arguments: SystemCallArguments
) -> Int {
    do throws(Errno) {
        if thread.process.procDescriptors.hasMemoryFiles, let result = try ProcMemory.perform(thread, id, arguments) {
            return result
        }
        switch row.action {
        case .handler(let handler): return try handler(thread, arguments)
        case .passThrough: return try passThrough(thread, id, row, arguments, blocking: false)
        case .passThroughBlocking: return try passThrough(thread, id, row, arguments, blocking: true)
        case .notImplemented(let error):
            reportUnimplemented(thread, "system call \(id.name) (\(arguments.number))")
            return error.negated
        }
    } catch {
        return error.negated
    }
}

/// Logs something the guest asked for and Martlet does not have.
@inline(never)
func reportUnimplemented(_ thread: GuestThread, _ text: @autoclosure () -> String) {
    let diagnostics = thread.process.diagnostics
    if diagnostics.isEnabled(.unimplemented) { diagnostics.write("unimplemented: \(text())\n") }
}
