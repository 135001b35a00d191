// Where a vCPU stops: for a debugger outside, or for the guest's own debug registers. The two differ in what follows only.

/// An address of an instruction, or some bytes that instructions load or store; virtual, whatever the address space.
public struct StopPoint: Hashable, Sendable {
    public struct Kinds: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// Before the instruction at the address.
        public static let execute = Kinds(rawValue: 1)
        /// At an access that touches one of the bytes. What reads and writes memory in one step is both.
        public static let load = Kinds(rawValue: 2)
        public static let store = Kinds(rawValue: 4)
        public static let accesses: Kinds = [.load, .store]
    }

    public var kinds: Kinds
    public var address: UInt64
    /// Bytes from there on that accesses are compared with; at least 1.
    public var length: UInt64
    /// The guest's own number for it.
    public var number: Int

    public init(_ kinds: Kinds, _ address: UInt64, length: UInt64 = 1, number: Int = 0) {
        self.kinds = kinds
        self.address = address
        self.length = max(length, 1)
        self.number = number
    }

    public static func breakpoint(_ address: UInt64) -> StopPoint { StopPoint(.execute, address) }
    public static func watchpoint(_ address: UInt64, length: UInt64, _ kinds: Kinds = .store) -> StopPoint {
        StopPoint(kinds.intersection(.accesses), address, length: length)
    }

    /// Does an access to `size` bytes at `address` touch one of its bytes?
    public func touches(_ address: UInt64, size: UInt64) -> Bool {
        self.address &- address < size || address &- self.address < length
    }
}
