// Calls that the host kernel does itself. Integers go through unchanged; a pointer goes through after its range is
// known to be the guest's own, so that the kernel's EFAULT is honest and the kernel never writes to Martlet's memory; a
// range the kernel writes is a copy where translated code may come (`CopiedOutput`); a path is replaced by the host's
// path.

import HostOS
import LinuxABI

/// Hands a call to the host kernel after the checks that its row asks for.
func passThrough(
    _ thread: GuestThread, _ id: SystemCallID, _ row: SystemCallRow, _ arguments: SystemCallArguments, blocking: Bool
) throws(Errno) -> Int {
    let number = id.hostNumber
    if number < 0 { throw .nosys }
    var words: InlineArray<6, Int> = .init(repeating: 0)
    var path: HostPath? = nil
    var secondPath: HostPath? = nil
    defer {
        path?.release()
        secondPath?.release()
    }
    arguments: for index in 0..<6 {
        let argument = row.arguments[index]
        let value = arguments[index]
        switch argument.form {
        case .none: break arguments
        case .signed, .wide, .unsigned, .hexadecimal, .octal, .descriptor, .directory, .signal, .bits, .value:
            words[index] = Int(truncatingIfNeeded: value)
        case .address: throw .nosys  // such a row needs a handler
        case .path:
            if value == 0 { continue }
            let follow: Bool
            switch argument.linkRule {
            case 0: follow = true
            case 0xff: follow = false
            default: follow = arguments[Int(argument.linkRule &- 1)] & AT.symlinkNoFollow == 0
            }
            let isRelative = index > 0 && row.arguments[index &- 1].form == .directory
            let directory = isRelative ? arguments.int32(index &- 1) : Int32(AT.currentDirectory)
            let translated = try GuestPaths.hostPath(thread, value, from: directory, followLink: follow)
            words[index] = translated.address
            if path == nil { path = translated } else { secondPath = translated }
        case .string:
            words[index] = value == 0 ? 0 : thread.input(value, 1)
        case .input, .output, .both:
            if value == 0 { continue }
            if thread.process.contents.areNeeded, argument.content.mayDiffer {
                let count = elementCount(thread, argument, arguments)
                words[index] = thread.converted(
                    value, argument.content, count, reads: argument.form != .output, writes: argument.form != .input)
                continue
            }
            let length = byteCount(thread, argument, arguments)
            words[index] =
                argument.form == .input ? thread.input(value, length) : thread.output(value, length)
        }
    }
    let result =
        blocking
        ? thread.blocking(number, words[0], words[1], words[2], words[3], words[4], words[5])
        : kernel(number, words[0], words[1], words[2], words[3], words[4], words[5])
    return result
}

/// How many elements a pointer argument covers.
private func elementCount(_ thread: GuestThread, _ argument: Argument, _ arguments: SystemCallArguments) -> Int {
    switch argument.length {
    case .fixed: return 1
    case .argument: return Int(arguments.uint32(Int(argument.lengthArgument)))
    case .pointedTo, .bitset:
        return Int(clamping: byteCount(thread, argument, arguments))
    }
}

/// How many bytes a pointer argument covers.
private func byteCount(
    _ thread: GuestThread, _ argument: Argument, _ arguments: SystemCallArguments
) -> UInt64 {
    let other = arguments[Int(argument.lengthArgument)]
    switch argument.length {
    case .fixed: return UInt64(argument.unit)
    case .argument:
        // Element counts are ints to the kernel; byte counts may use all 64 bits.
        let count = argument.unit > 1 ? UInt64(UInt32(truncatingIfNeeded: other)) : other
        return count &* UInt64(argument.unit)
    case .pointedTo:
        // Where the kernel cannot read the length, or finds it negative, it writes nothing.
        let length = (try? thread.load(other, as: Int32.self)) ?? 0
        return UInt64(max(length, 0))
    case .bitset: return (min(other, 1 << 20) &+ 63) / 64 &* 8
    }
}
