// The last step of execve(2), ready to be made: all that it needs is in memory of its own. A child that shares its parent's memory
// makes it where no function of Swift is active (HostProcess.forkSharing).

import HostOS
import LinuxMemory

/// A path, arguments and environment as execve(2) takes them: addresses.
final class ProgramVectors {
    private let strings: UnsafeMutablePointer<UInt8>
    private let pointers: UnsafeMutablePointer<Int>
    let path: Int, arguments: Int, environment: Int

    /// `variables`: addresses of C strings.
    init(_ path: String, _ words: [[UInt8]], environment variables: [Int]) {
        let all = [Array(path.utf8)] + words
        strings = .allocate(capacity: all.reduce(0) { $0 + $1.count + 1 })
        pointers = .allocate(capacity: all.count + variables.count + 2)
        var end = strings
        for (index, string) in all.enumerated() {
            pointers[index] = Int(bitPattern: end)
            for byte in string + [0] {
                end.pointee = byte
                end += 1
            }
        }
        pointers[all.count] = 0
        let rest = pointers + all.count + 1
        for (index, address) in variables.enumerated() { rest[index] = address }
        rest[variables.count] = 0
        self.path = Int(bitPattern: strings)
        arguments = Int(bitPattern: pointers + 1)
        environment = Int(bitPattern: rest)
    }

    deinit {
        strings.deallocate()
        pointers.deallocate()
    }
}

final class PreparedExecution {
    var call: HostExecution
    /// To be closed when the program is not executed.
    var opened: Int32?
    private let vectors: ProgramVectors
    /// The process's limits of memory, where the program gets others.
    private var limits: MemoryLimitValues?

    init(_ vectors: ProgramVectors, _ thread: GuestThread) {
        self.vectors = vectors
        call = HostExecution(
            path: vectors.path, arguments: vectors.arguments, environment: vectors.environment,
            mask: thread.signalMask, ignored: thread.ignoredFaultSignals, flag: thread.vcpu.requestFlag)
    }

    /// The program gets the guest's limits of memory: the host kernel keeps them from now on.
    func change(_ new: MemoryLimitValues) {
        limits = .host
        new.becomeHost()
    }

    /// The kernel has refused.
    func undo() {
        limits?.becomeHost()
        if let opened { HostFile.close(opened) }
    }
}
