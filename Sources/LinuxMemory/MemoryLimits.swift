// The guest's limits of memory (RLIMIT_DATA, RLIMIT_STACK, RLIMIT_AS; getrlimit(2)), kept by Martlet: the host kernel would count
// Martlet's own memory too. What is counted is what the guest has mapped.

import HostOS

/// The limits as values, of one process.
public struct MemoryLimitValues: Equatable, Sendable {
    public var data, stack, addressSpace: ResourceLimit

    /// The kept resources, by number.
    public static let resources = [HostLimits.data, HostLimits.stack, HostLimits.addressSpace]

    public init(data: ResourceLimit, stack: ResourceLimit, addressSpace: ResourceLimit) {
        self.data = data
        self.stack = stack
        self.addressSpace = addressSpace
    }

    /// Those that the host kernel has for this process.
    public static var host: MemoryLimitValues {
        MemoryLimitValues(
            data: HostLimits.get(HostLimits.data), stack: HostLimits.get(HostLimits.stack),
            addressSpace: HostLimits.get(HostLimits.addressSpace))
    }

    /// Makes them the host kernel's for this process: for a program of the host that takes its place.
    public func becomeHost() {
        for resource in Self.resources {
            if let limit = self[resource], limit != HostLimits.get(resource) { try? HostLimits.set(resource, limit) }
        }
    }

    /// Before the guest starts: what is kept here is no limit for Martlet.
    static func raiseHost() {
        HostLimits.raise(HostLimits.data)
        HostLimits.raise(HostLimits.addressSpace)
    }

    /// A limit by its resource's number; nil where it is not kept here.
    public subscript(_ resource: Int32) -> ResourceLimit? {
        get {
            switch resource {
            case HostLimits.data: data
            case HostLimits.stack: stack
            case HostLimits.addressSpace: addressSpace
            default: nil
            }
        }
        set {
            guard let newValue else { return }
            switch resource {
            case HostLimits.data: data = newValue
            case HostLimits.stack: stack = newValue
            case HostLimits.addressSpace: addressSpace = newValue
            default: break
            }
        }
    }

    /// Soft and hard limits in the order of `resources`, for another Martlet process.
    public var text: String {
        Self.resources.compactMap { self[$0] }.map { "\($0.soft):\($0.hard)" }.joined(separator: ",")
    }

    /// Nil when it is not what `text` makes.
    public init?(_ text: String) {
        let numbers = text.split { $0 == ":" || $0 == "," }.compactMap { UInt64($0) }
        guard numbers.count == 6 else { return nil }
        data = ResourceLimit(soft: numbers[0], hard: numbers[1])
        stack = ResourceLimit(soft: numbers[2], hard: numbers[3])
        addressSpace = ResourceLimit(soft: numbers[4], hard: numbers[5])
    }
}

/// The limits of a process in force. Usable from any thread.
public final class MemoryLimits: @unchecked Sendable {
    private let lock = Lock()
    private var current = MemoryLimitValues.host  // guarded by `lock`
    /// The host kernel counts what the guest and Martlet map together.
    private let isHostLimited: Bool
    /// Bytes of address space that the guest cannot have then: for what Martlet allocates while the guest runs.
    private static let hostReserve = 64 << 20

    public init() {
        MemoryLimitValues.raiseHost()
        isHostLimited = HostLimits.get(HostLimits.addressSpace).soft != ResourceLimit.unlimited
    }

    public var values: MemoryLimitValues {
        get { lock.withLock { current } }
        set { lock.withLock { current = newValue } }
    }

    /// May the guest map `growth` more bytes? `replaced`: a range whose mappings go away. ENOMEM when not.
    public func admit(
        _ growth: UInt64, _ rights: PageRights, isShared: Bool, kind: MappingKind = .ordinary,
        replacing replaced: Range<UInt64>? = nil, in table: MappingTable
    ) throws(Errno) {
        // The stack has its own limit.
        if kind == .stack { return }
        let limits = values
        if limits.addressSpace.soft != ResourceLimit.unlimited {
            let used = bytes(of: table.entries, without: replaced) { _ in true }
            if growth > limits.addressSpace.soft || used > limits.addressSpace.soft - growth { throw .nomem }
        }
        if Self.isData(rights, isShared, kind) { try admitData(growth, replacing: replaced, in: table) }
        try admitMapping(count: table.count)
        if !hostHasRoom(growth) { throw .nomem }
    }

    /// May a guest that has so many mappings have more?
    public func admitMapping(count: Int) throws(Errno) {
        if count > Self.manyMappings, !MappingReserve.fill() { throw .nomem }
    }

    /// From here on some are set aside for Martlet: the kernel's limit is 65,530 where nobody has changed it.
    private static let manyMappings = 16384

    /// May the guest have so many more bytes of what RLIMIT_DATA counts? (mprotect(2) makes data of mappings too.)
    public func admitData(
        _ growth: UInt64, replacing replaced: Range<UInt64>? = nil, in table: MappingTable
    ) throws(Errno) {
        let limit = values.data.soft
        if limit == ResourceLimit.unlimited { return }
        let used = bytes(of: table.entries, without: replaced) { Self.isData($0.rights, $0.isShared, $0.kind) }
        if growth > limit || used > limit - growth { throw .nomem }
    }

    private func bytes(
        of mappings: [Mapping], without replaced: Range<UInt64>?, where counts: (Mapping) -> Bool
    ) -> UInt64 {
        var sum: UInt64 = 0
        for mapping in mappings where mapping.kind != .stack && counts(mapping) {
            sum += mapping.end - mapping.start
            guard let replaced else { continue }
            let start = max(mapping.start, replaced.lowerBound), end = min(mapping.end, replaced.upperBound)
            if start < end { sum -= end - start }
        }
        return sum
    }

    /// What RLIMIT_DATA counts: private, writable, no stack.
    private static func isData(_ rights: PageRights, _ isShared: Bool, _ kind: MappingKind) -> Bool {
        rights.contains(.write) && !isShared && kind != .stack
    }

    /// Would the host kernel map `size` more bytes, and what Martlet keeps for itself? Found out by trying.
    public func hostHasRoom(_ size: UInt64) -> Bool {
        guard isHostLimited else { return true }
        guard size < 1 << 62 else { return false }
        let length = Int(size) + Self.hostReserve
        let flags = HostMemory.privateCopy | HostMemory.anonymous | HostMemory.noReserve
        guard let probe = try? HostMemory.map(0, length, HostMemory.none, flags) else { return false }
        try? HostMemory.unmap(UInt(bitPattern: probe), length)
        return true
    }
}
