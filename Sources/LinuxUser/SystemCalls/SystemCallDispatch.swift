// One system call from the guest's registers to its result: find the row, show it, do it, show the result.

import Diagnostics
import HostOS
import LinuxABI

/// Performs the system call that the guest asked for. Returns its value, -errno, or one of `SystemCallResult`'s special
/// values.
public func performSystemCall(_ thread: GuestThread, _ arguments: SystemCallArguments) -> Int {
    if thread.filters.load(ordering: .relaxed) != 0, let refused = thread.filtered(arguments) { return refused }
    guard let id = thread.process.guest.systemCall(arguments.number) else {
        reportUnimplemented(thread, "system call \(Int64(bitPattern: arguments.number)): no such number")
        return Errno.nosys.negated
    }
    return performSystemCall(thread, id, arguments)
}

/// The same for a call that is known by its name.
@inline(__always)
func performSystemCall(_ thread: GuestThread, _ id: SystemCallID, _ given: SystemCallArguments) -> Int {
    let row = SystemCallTable.row(id)
    if thread.process.adaptsArguments { return performAdapted(thread, id, row, given) }
    return performShown(thread, id, row, given)
}

/// The same for a guest whose arguments are not yet what the host has.
@inline(never)
private func performAdapted(
    _ thread: GuestThread, _ id: SystemCallID, _ row: SystemCallRow, _ given: SystemCallArguments
) -> Int {
    let process = thread.process, arguments = process.guest.adapted(given, row)
    if process.convertsData, id == .read || id == .write, let data = DescriptorData(arguments.int32(0)) {
        var converting = row
        converting.action = id == .read ? .handler(data.read) : .handler(data.write)
        return performShown(thread, id, converting, arguments)
    }
    return performShown(thread, id, row, arguments)
}

@inline(__always)
private func performShown(
    _ thread: GuestThread, _ id: SystemCallID, _ row: SystemCallRow, _ arguments: SystemCallArguments
) -> Int {
    let shown = thread.process.diagnostics.isEnabled(.systemCalls)
    if shown { SystemCallTrace.showEntry(thread, id, row, arguments) }
    let result = thread.finishArguments(perform(thread, id, row, arguments))
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
        case .call(let other): return performRewritten(thread, other, arguments)
        case .notImplemented(let error):
            reportUnimplemented(thread, "system call \(id.name) (\(arguments.number))")
            return error.negated
        }
    } catch {
        return error.negated
    }
}

@inline(never)
private func performRewritten(_ thread: GuestThread, _ other: RewrittenCall, _ arguments: SystemCallArguments) -> Int {
    perform(thread, other.call, SystemCallTable.row(other.call), other.arguments(arguments))
}

/// Logs something the guest asked for and Martlet does not have.
@inline(never)
func reportUnimplemented(_ thread: GuestThread, _ text: @autoclosure () -> String) {
    let diagnostics = thread.process.diagnostics
    if diagnostics.isEnabled(.unimplemented) { diagnostics.write("unimplemented: \(text())\n") }
}
