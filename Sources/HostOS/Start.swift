// What happens before the C library's and Swift's own start code.

import CLinux
import Glibc

/// A vector of C strings that ends with a null pointer.
typealias StringVector = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// The arguments as the kernel gave them. (Swift's library looks for them in /proc, which need not be there.)
nonisolated(unsafe) private(set) var startArguments: StringVector?

/// The first variable of the environment from here on, in a static program. Swift's library looks for its crash reporter by way of /proc,
/// and ends the process where it cannot. This makes it do without, which Martlet does anyway (`HostSignals.start`).
let quietStart: StaticString = "SWIFT_BACKTRACE=swift-backtrace=/no,enable=no"

/// The loader calls it before all constructors, with main's arguments (System V ABI, gABI, "Initialization and Termination Functions").
@section(".preinit_array") @used
private let beforeStart: @convention(c) (Int32, StringVector?, StringVector?) -> Void = { _, arguments, environment in
    startArguments = arguments
    guard let environment else { return }
    var count = 0
    while environment[count] != nil { count += 1 }
    guard let memory = malloc((count + 2) * MemoryLayout<Int>.size) else { return }
    let variables = memory.bindMemory(to: UnsafeMutablePointer<CChar>?.self, capacity: count + 2)
    variables[0] = UnsafeMutableRawPointer(mutating: quietStart.utf8Start).assumingMemoryBound(to: CChar.self)
    for i in 0...count { variables[i + 1] = environment[i] }
    clx_set_environment(variables)
}
