// Limits of what requests may do in a time. (QEMU, docs/throttle.txt)
//
// Each limit is a bucket that leaks as fast as the limit says. A request is put into the buckets of its kind when it begins; while
// one of them is fuller than it may be, the next request waits. Without a burst a bucket holds what leaks in a tenth of a second.

import HostOS
import Options

public struct ThrottleLimit: Sendable, Equatable {
    /// Bytes or requests in a second; 0: no limit.
    public var average: UInt64 = 0
    /// In a burst; 0: none is allowed.
    public var most: UInt64 = 0
    /// Seconds that a burst may take.
    public var length: UInt64 = 1
}

public struct ThrottleLimits: Sendable, Equatable {
    public enum Bucket: String, CaseIterable, Sendable {
        case bytes = "bps-total", bytesRead = "bps-read", bytesWritten = "bps-write"
        case requests = "iops-total", reads = "iops-read", writes = "iops-write"

        public var isBytes: Bool { rawValue.hasPrefix("bps") }
    }

    private var limits: [Bucket: ThrottleLimit] = [:]
    /// A request of more bytes counts as several; 0: it does not.
    public var requestSize: UInt64 = 0
    private static let largest: UInt64 = 1_000_000_000_000_000

    public init() {}

    /// So many bytes in a second; 0: no limit.
    init(bytes: UInt64) { limits = [.bytes: ThrottleLimit(average: bytes)] }

    public subscript(bucket: Bucket) -> ThrottleLimit { limits[bucket] ?? ThrottleLimit() }
    public var isEmpty: Bool { limits.values.allSatisfy { $0.average == 0 } }

    /// `prefix`: what stands before `bps-total` and its kin.
    public init(_ list: inout OptionList, prefix: String = "") throws(OptionError) {
        for bucket in Bucket.allCases {
            let name = prefix + bucket.rawValue
            var limit = ThrottleLimit()
            limit.average = try list.takeSize(name) ?? 0
            limit.most = try list.takeSize(name + "-max") ?? 0
            limit.length = try list.takeSize(name + "-max-length") ?? 1
            if limit == ThrottleLimit() { continue }
            if limit.most > 0, limit.average == 0 { throw OptionError("\(name)-max wants \(name) beside it") }
            if limit.most > 0, limit.most < limit.average {
                throw OptionError("\(name)-max=\(limit.most): wanted at least \(name)=\(limit.average)")
            }
            if limit.length == 0 { throw OptionError("\(name)-max-length=0: wanted 1 second or more") }
            if limit.length > 1, limit.most == 0 { throw OptionError("\(name)-max-length wants \(name)-max beside it") }
            if max(limit.average, limit.most) > Self.largest || limit.length > Self.largest / max(1, limit.most) {
                throw OptionError("\(name): wanted at most \(Self.largest)")
            }
            limits[bucket] = limit
        }
        requestSize = try list.takeSize(prefix + "iops-size") ?? 0
        for kind in ["bps", "iops"] {
            let total = Bucket(rawValue: kind + "-total")!
            for other in ["-read", "-write"].map({ Bucket(rawValue: kind + $0)! }) {
                if self[total].average > 0, self[other].average > 0 {
                    throw OptionError("\(prefix)\(other.rawValue) goes without \(prefix)\(total.rawValue)")
                }
            }
        }
        if requestSize > 0, Bucket.allCases.allSatisfy({ $0.isBytes || self[$0].average == 0 }) {
            throw OptionError("\(prefix)iops-size wants a limit of requests beside it, such as \(prefix)iops-total")
        }
    }
}

/// Limits that the disks of a group share.
public final class ThrottleGroup: @unchecked Sendable {
    public let name: String
    private struct Level { var level = 0.0, burst = 0.0 }

    /// A leaf. Guards what follows.
    private let lock = Lock()
    private var limitsNow: ThrottleLimits
    private var levels: [ThrottleLimits.Bucket: Level] = [:]
    private var time: UInt64 = 0
    private var isLifted = false
    /// Changes when those who wait are to look again.
    private let word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

    public init(_ name: String, _ limits: ThrottleLimits) {
        self.name = name
        limitsNow = limits
        word.initialize(to: 0)
    }

    deinit { word.deallocate() }

    public var limits: ThrottleLimits { lock.withLock { limitsNow } }

    /// Those who wait and those who come begin at once, or wait again.
    public func lift(_ isLifted: Bool) {
        lock.withLock {
            self.isLifted = isLifted
            publishWord(word, word.pointee &+ 1)
        }
        Futex.wake(UInt64(UInt(bitPattern: word)), count: Int(Int32.max), isPrivate: true)
    }

    public func set(_ limits: ThrottleLimits) {
        lock.withLock { limitsNow = limits }
        lift(false)
    }

    /// Returns when the request may begin.
    func wait(bytes: UInt64, writes: Bool) {
        while true {
            let seen = publishedWord(word)
            let nanoseconds = lock.withLock { isLifted ? 0 : enter(bytes, writes, at: HostClock.monotonic()) }
            if nanoseconds == 0 { return }
            Futex.wait(word, while: seen, nanoseconds: nanoseconds)
        }
    }

    /// Puts the request into its buckets, or says how long it has to wait.
    func enter(_ bytes: UInt64, _ writes: Bool, at now: UInt64) -> UInt64 {
        leak(now)
        let kinds: [ThrottleLimits.Bucket] =
            writes ? [.bytes, .bytesWritten, .requests, .writes] : [.bytes, .bytesRead, .requests, .reads]
        let used = kinds.filter { limitsNow[$0].average > 0 }
        let longest = used.map { delay(limitsNow[$0], levels[$0] ?? Level()) }.max() ?? 0
        if longest > 0 { return max(1, UInt64(longest * 1_000_000_000)) }
        let requests = limitsNow.requestSize > 0 ? max(1, Double(bytes) / Double(limitsNow.requestSize)) : 1
        for kind in used {
            let units = kind.isBytes ? Double(bytes) : requests
            levels[kind, default: Level()].level += units
            levels[kind, default: Level()].burst += units
        }
        return 0
    }

    private func leak(_ now: UInt64) {
        let seconds = Double(now &- time) / 1_000_000_000
        time = now
        for (kind, level) in levels {
            let limit = limitsNow[kind]
            levels[kind] = Level(
                level: max(0, level.level - seconds * Double(limit.average)),
                burst: max(0, level.burst - seconds * Double(limit.most)))
        }
    }

    /// Seconds until there is room.
    private func delay(_ limit: ThrottleLimit, _ level: Level) -> Double {
        let average = Double(limit.average), most = Double(limit.most)
        let room = most == 0 ? average / 10 : most * Double(limit.length)
        var delay = max(0, level.level - room) / average
        if limit.length > 1 { delay = max(delay, max(0, level.burst - most / 10) / most) }
        return delay
    }
}
