// What happens before the C library's and Swift's own start code.

import CLinux
import Glibc

/// A vector of C strings that ends with a null pointer.
public typealias StringVector = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// The arguments as the kernel gave them.
nonisolated(unsafe) private(set) var startArguments: StringVector?
nonisolated(unsafe) private var startArgumentCount: Int32 = 0

/// Swift's library asks for the arguments by this name. Its own definition reads /proc/self/maps before each start, to find them on the
/// stack; a static program that has one of its own gets none of that.
@c(_swift_stdlib_getUnsafeArgvArgc)
public func swiftArguments(_ count: UnsafeMutablePointer<Int32>) -> StringVector {
    count.pointee = startArgumentCount
    return startArguments ?? noArguments
}

nonisolated(unsafe) private let noArguments: StringVector = {
    let vector = StringVector.allocate(capacity: 1)
    vector.initialize(to: nil)
    return vector
}()

/// The first variable of the environment from here on, in a static program. Swift's library looks for its crash reporter by way of /proc,
/// and ends the process where it cannot. This makes it do without, which Martlet does anyway (`HostSignals.start`).
let quietStart: StaticString = "SWIFT_BACKTRACE=swift-backtrace=/no,enable=no"

/// The loader calls it before all constructors, with main's arguments (System V ABI, gABI, "Initialization and Termination Functions").
@section(".preinit_array") @used
private let beforeStart: @convention(c) (Int32, StringVector?, StringVector?) -> Void = {
    argumentCount, arguments, environment in
    startArguments = arguments
    startArgumentCount = argumentCount
    guard let environment else { return }
    var count = 0
    while environment[count] != nil { count += 1 }
    guard let memory = malloc((count + 2) * MemoryLayout<Int>.size) else { return }
    let variables = memory.bindMemory(to: UnsafeMutablePointer<CChar>?.self, capacity: count + 2)
    variables[0] = UnsafeMutableRawPointer(mutating: quietStart.utf8Start).assumingMemoryBound(to: CChar.self)
    for i in 0...count { variables[i + 1] = environment[i] }
    clx_set_environment(variables)
}
