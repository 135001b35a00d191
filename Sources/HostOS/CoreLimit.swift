// Core files of the host process (core(5)): whether the user wants any, and how the kernel is kept from writing one. Its own would show
// the translator, not the guest.

import CLinux
import Glibc

extension HostProcess {
    /// RLIMIT_CORE, in bytes.
    public static var coreLimit: UInt64 { coreLimits.soft }

    /// PR_GET_DUMPABLE: 1 unless the process has changed its rights, or has said no.
    public static var isDumpable: Bool { kernel(SYS_prctl, 3) == 1 }

    private static let resource = 4  // RLIMIT_CORE

    private static var coreLimits: (soft: UInt64, hard: UInt64) {
        var limits: InlineArray<2, UInt64> = [0, 0]
        _ = withUnsafeMutablePointer(to: &limits) { kernel(SYS_prlimit64, 0, resource, 0, Int(bitPattern: $0)) }
        return (limits[0], limits[1])
    }

    /// The process is about to die, and the kernel is to dump nothing. Async-signal-safe. With `sharesMemory` other processes run in this
    /// memory, which they want to stay dumpable; a limit of one byte then also keeps the system's own handler of core files from being
    /// started, where the hard limit allows as much.
    static func refuseCore(sharesMemory: Bool) {
        if !sharesMemory { _ = kernel(SYS_prctl, 4, 0) }  // PR_SET_DUMPABLE
        let hard = coreLimits.hard
        let limits: InlineArray<2, UInt64> = [min(1, hard), hard]
        _ = withUnsafePointer(to: limits) { kernel(SYS_prlimit64, 0, resource, Int(bitPattern: $0), 0) }
    }
}
