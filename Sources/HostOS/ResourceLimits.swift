// The process's resource limits (getrlimit(2)), and how Martlet does its own work under them: they are the guest's, so what Martlet
// does for itself neither ends the process by a signal nor fails because the guest has used up what it may use.

import CLinux
import Glibc

/// A soft and a hard limit, as struct rlimit has them.
public struct ResourceLimit: Equatable, Sendable {
    public var soft: UInt64
    public var hard: UInt64
    public static let unlimited = UInt64.max

    public init(soft: UInt64, hard: UInt64) {
        self.soft = soft
        self.hard = hard
    }

    public static let infinite = ResourceLimit(soft: unlimited, hard: unlimited)
}

/// Resources by their numbers, which are those of the asm-generic ABI too.
public enum HostLimits {
    public static let fileSize: Int32 = 1, data: Int32 = 2, stack: Int32 = 3, descriptors: Int32 = 7
    public static let addressSpace: Int32 = 9

    /// A limit of this process.
    public static func get(_ resource: Int32) -> ResourceLimit {
        var limit = ResourceLimit.infinite
        _ = withUnsafeMutablePointer(to: &limit) { kernel(SYS_prlimit64, 0, Int(resource), 0, Int(bitPattern: $0)) }
        return limit
    }

    public static func set(_ resource: Int32, _ limit: ResourceLimit) throws(Errno) {
        _ = try Errno.check(
            withUnsafePointer(to: limit) { kernel(SYS_prlimit64, 0, Int(resource), Int(bitPattern: $0), 0) })
    }

    /// CAP_SYS_RESOURCE: this process may raise hard limits.
    public static var mayRaise: Bool {
        let version: UInt64 = 0x2008_0522, resource: UInt32 = 1 << 24
        var effective: InlineArray<6, UInt32> = .init(repeating: 0)
        let result = withUnsafePointer(to: version) { header in
            withUnsafeMutablePointer(to: &effective) {
                kernel(SYS_capget, Int(bitPattern: header), Int(bitPattern: $0))
            }
        }
        return result == 0 && effective[0] & resource != 0
    }

    /// Lets this process have as much as it may of a resource.
    public static func raise(_ resource: Int32) {
        let limit = get(resource)
        if limit.soft == ResourceLimit.unlimited { return }
        if mayRaise, (try? set(resource, .infinite)) != nil { return }
        try? set(resource, ResourceLimit(soft: limit.hard, hard: limit.hard))
    }

    // MARK: Sizes of files

    private static var sizeSignal: UInt64 { HostSignals.bit(SIGXFSZ) }

    /// Files may not grow beyond some size (RLIMIT_FSIZE).
    public static var limitsFiles: Bool { Self.get(fileSize).soft != ResourceLimit.unlimited }

    /// Runs `body`, which writes to a file of Martlet's own. Beyond RLIMIT_FSIZE the write fails like any other, without the signal:
    /// that is for writes of the guest. Async-signal-safe.
    public static func withoutSizeSignal<R>(_ body: () -> R) -> R {
        if !limitsFiles { return body() }
        var old: UInt64 = 0, pending: UInt64 = 0
        let blocked = sizeSignal
        _ = withUnsafePointer(to: blocked) { blocked in
            withUnsafeMutablePointer(to: &old) {
                kernel(SYS_rt_sigprocmask, Int(SIG_BLOCK), Int(bitPattern: blocked), Int(bitPattern: $0), 8)
            }
        }
        defer {
            _ = withUnsafePointer(to: old) {
                kernel(SYS_rt_sigprocmask, Int(SIG_SETMASK), Int(bitPattern: $0), 0, 8)
            }
        }
        _ = withUnsafeMutablePointer(to: &pending) { kernel(SYS_rt_sigpending, Int(bitPattern: $0), 8) }
        let result = body()
        // One that was waiting before stays.
        if pending & sizeSignal == 0 {
            let atOnce = timespec()
            _ = withUnsafePointer(to: blocked) { signals in
                withUnsafePointer(to: atOnce) {
                    kernel(SYS_rt_sigtimedwait, Int(bitPattern: signals), 0, Int(bitPattern: $0), 8)
                }
            }
        }
        return result
    }

    // MARK: Descriptors

    /// Held while the limit is another than the guest's, and while the guest changes it.
    private static let descriptorLock = Lock()

    /// How many descriptors of a hard limit Martlet keeps for itself. The guest's hard limit is so much lower than the process's: then
    /// the soft limit can be raised for a moment, whatever the guest has made of it.
    static func descriptorReserve(ofHard hard: UInt64) -> UInt64 { min(8, hard / 4) }

    /// The guest's limit of descriptors for the process's.
    public static func guestDescriptors(_ host: ResourceLimit) -> ResourceLimit {
        if host.hard == ResourceLimit.unlimited { return host }
        let hard = host.hard - descriptorReserve(ofHard: host.hard)
        return ResourceLimit(soft: min(host.soft, hard), hard: hard)
    }

    /// The process's limit of descriptors for the guest's: `guestDescriptors` leads back.
    public static func hostDescriptors(_ guest: ResourceLimit) -> ResourceLimit {
        let reserve = min(8, guest.hard / 3)
        return ResourceLimit(
            soft: guest.soft, hard: guest.hard > .max - reserve ? guest.hard : guest.hard + reserve)
    }

    /// At the start: the soft limit leaves room for what Martlet keeps.
    public static func reserveDescriptors() {
        let host = get(descriptors), guest = guestDescriptors(host)
        if guest.soft < host.soft {
            try? set(descriptors, ResourceLimit(soft: guest.soft, hard: host.hard))
        }
    }

    /// Runs `body`, which changes the limit of descriptors for the guest.
    public static func withDescriptorLimit<R>(_ body: () -> R) -> R { descriptorLock.withLock(body) }

    /// Opens descriptors for Martlet's own use, also when the guest has used up those that it may have. `open` returns the kernel's
    /// result. What is opened is closed soon: the guest can see it meanwhile.
    public static func opening(_ open: () -> Int) -> Int {
        let result = open()
        return result == Errno.mfile.negated ? openingBeyondLimit(open) : result
    }

    @inline(never) private static func openingBeyondLimit(_ open: () -> Int) -> Int {
        descriptorLock.withLock {
            let limit = get(descriptors)
            try? set(descriptors, ResourceLimit(soft: limit.hard, hard: limit.hard))
            defer { try? set(descriptors, limit) }
            return open()
        }
    }
}
