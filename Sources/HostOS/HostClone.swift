// New processes of the host with more to say than fork(2): clone(2) and clone3(2).

import CLinux
import Glibc
import Synchronization

/// What the host kernel is asked for: struct clone_args without the stack. Addresses are the host's.
public struct HostClone {
    public var flags: UInt64
    public var exitSignal: UInt64
    public var processFD: UInt64 = 0, childID: UInt64 = 0, parentID: UInt64 = 0
    public var setIDs: UInt64 = 0, setIDCount: UInt64 = 0, cgroup: UInt64 = 0

    public static let sharesMemory: UInt64 = 0x100, waits: UInt64 = 0x4000  // CLONE_VM, CLONE_VFORK
    public static let processFDFlag: UInt64 = 0x1000  // CLONE_PIDFD
    public static let setsParentID: UInt64 = 0x10_0000  // CLONE_PARENT_SETTID
    /// CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID.
    static let childIDFlags: UInt64 = 0x120_0000

    public init(flags: UInt64, exitSignal: UInt64) {
        self.flags = flags
        self.exitSignal = exitSignal
    }

    /// clone(2) cannot express it: flags that are its exit signal's place, or lie above its word; or what has no argument there.
    private var needsStructure: Bool {
        flags & ~0xffff_ff00 != 0 || setIDCount != 0
            || flags & Self.processFDFlag != 0 && flags & Self.setsParentID != 0
    }

    /// Gives `body` a system call: its number and five arguments.
    fileprivate func withCall<R>(stack: UInt64, stackSize: UInt64, _ body: (Int32, InlineArray<5, Int>) -> R) -> R {
        func word(_ value: UInt64) -> Int { Int(truncatingIfNeeded: value) }
        if !needsStructure {
            let parent = flags & Self.processFDFlag != 0 ? processFD : parentID
            return body(
                SYS_clone, [word(flags | exitSignal), word(stack &+ stackSize), word(parent), word(childID), 0])
        }
        let structure: InlineArray<11, UInt64> = [
            flags, processFD, childID, parentID, exitSignal, stack, stackSize, 0, setIDs, setIDCount, cgroup,
        ]
        return withUnsafePointer(to: structure) { body(Int32(SYS_clone3), [Int(bitPattern: $0), 88, 0, 0, 0]) }
    }
}

extension HostProcess {
    /// A child that runs `body` in this very memory, on a host stack of its own and with the calling thread's thread-local variables:
    /// so the calling thread waits in the kernel until the child has executed a program or ended. Returns the child's id, in the parent.
    /// What `body` returns is done where no function of Swift is active: what such a function holds the parent would hold for ever.
    /// When the kernel refuses to execute a program `body` is called again, with the error.
    public static func forkSharing(
        _ clone: HostClone, stackSize: Int = 1 << 20, _ body: @escaping (_ refusal: Int) -> SharedChildStep
    ) throws(Errno) -> Int32 {
        let stack = try HostMemory.reserve(stackSize)
        defer { try? HostMemory.unmap(UInt(bitPattern: stack), stackSize) }
        let argument = Unmanaged.passRetained(SharedChildBody(body))
        defer { argument.release() }
        var clone = clone
        clone.flags |= HostClone.sharesMemory | HostClone.waits
        let result = clone.withCall(stack: UInt64(UInt(bitPattern: stack)), stackSize: UInt64(stackSize)) { number, a in
            clx_clone_sharing(Int(number), a[0], a[1], a[2], a[3], a[4], sharedChildMain, argument.toOpaque())
        }
        return Int32(truncatingIfNeeded: try Errno.check(result))
    }

    /// A copy of this process with flags. The C library's fork(3) makes its locks and its own thread's record consistent in the child,
    /// and knows no flags: so its clone(2) is caught on its way to the kernel (prctl(2), PR_SET_SYSCALL_USER_DISPATCH) and made with
    /// `clone`'s. All signals are blocked. 0 in the child.
    public static func fork(_ clone: HostClone) throws(Errno) -> Int32 {
        redirectionLock.lock()
        defer { redirectionLock.unlock() }
        let disposition = KeptDisposition(of: SIGSYS)
        redirectedClone = clone
        HostSignals.catchRaw(SIGSYS, redirectedCall)
        let mask = HostSignals.setHostMask(~HostSignals.bit(SIGSYS))
        let stubs = HostStubs.range
        let isOn = withUnsafeMutablePointer(to: &redirects) {
            kernel(SYS_prctl, 59, 1, Int(bitPattern: stubs.start), stubs.length, Int(bitPattern: $0))
        }
        var result: Int32 = -1
        if isOn == 0 {
            redirects = 1
            result = Glibc.fork()
            redirects = 0
            if result != 0 { _ = kernel(SYS_prctl, 59, 0) }
        }
        let error = errno
        HostSignals.setHostMask(mask)
        disposition.putBack()
        // Kernels before 5.11 have no such dispatch.
        if isOn != 0 { throw .inval }
        if result < 0 { throw Errno(error) }
        return result
    }
}

/// How a child in its parent's memory goes on.
public enum SharedChildStep: BitwiseCopyable {
    case end(status: Int32)
    case execute(HostExecution)
}

private final class SharedChildBody {
    let run: (Int) -> SharedChildStep
    init(_ run: @escaping (Int) -> SharedChildStep) { self.run = run }
}

@c private func sharedChildMain(_ argument: UnsafeMutableRawPointer?) {
    guard let argument else { return }
    var refusal = 0
    while true {
        switch nextStep(argument, refusal) {
        case .end(let status): HostProcess.exitGroup(status)
        case .execute(let execution): refusal = execution.perform()
        }
    }
}

@inline(never) private func nextStep(_ argument: UnsafeMutableRawPointer, _ refusal: Int) -> SharedChildStep {
    Unmanaged<SharedChildBody>.fromOpaque(argument).takeUnretainedValue().run(refusal)
}

/// Held while a fork is on its way; the forking thread holds it in the child too.
private let redirectionLock = Lock()
nonisolated(unsafe) private var redirectedClone = HostClone(flags: 0, exitSignal: 0)
/// SYSCALL_DISPATCH_FILTER_BLOCK while system calls are to be caught, else SYSCALL_DISPATCH_FILTER_ALLOW.
nonisolated(unsafe) private var redirects: UInt8 = 0

/// A caught system call: the clone is replaced, others are made as they are.
@c private func redirectedCall(_ signal: Int32, _ info: UnsafeMutableRawPointer?, _ context: UnsafeMutableRawPointer?) {
    guard let info, let context else { return }
    let fault = FaultContext(info: info, context: context)
    let userDispatch: Int32 = 2  // SYS_USER_DISPATCH
    if fault.code != userDispatch { return HostSignals.record(fault) }
    redirects = 0
    func register(_ number: Int) -> Int { Int(truncatingIfNeeded: fault[register: number]) }
    let number = Int32(truncatingIfNeeded: info.load(fromByteOffset: 24, as: Int32.self))  // si_syscall
    let result: Int
    if number == SYS_clone {
        var clone = redirectedClone
        // The C library's own: its thread's record in the child.
        clone.flags |= UInt64(truncatingIfNeeded: register(7)) & HostClone.childIDFlags
        clone.childID = fault[register: 10]
        result = clone.withCall(stack: 0, stackSize: 0) { number, a in kernel(number, a[0], a[1], a[2], a[3], a[4]) }
    } else {
        result = kernel(
            number, register(7), register(6), register(2), register(10), register(8), register(9))
        redirects = 1
    }
    fault[register: 0] = UInt64(bitPattern: Int64(result))
}
