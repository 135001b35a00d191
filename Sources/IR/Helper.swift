// Helpers: host functions that generated code calls. One row describes each; only what the row says forces state to be
// written back around the call.

/// Every helper has this one C signature: the CPU state, then up to four 64-bit arguments; floating-point values travel
/// as bit patterns. Unused arguments are unspecified.
public typealias HelperFunction = @convention(c) (UnsafeMutableRawPointer, UInt64, UInt64, UInt64, UInt64) -> UInt64

/// Which globals a helper touches.
public enum GlobalSet: UInt8, Sendable {
    case none, all
}

/// One helper.
public struct HelperDescriptor: Sendable {
    public let name: StaticString
    public let function: HelperFunction
    /// Number of arguments after the CPU state (0...4).
    public let arguments: UInt8
    /// False: the call's result is ignored. True: `Op.dst` receives it.
    public let hasResult: Bool
    /// Globals the helper reads from / writes to the CPU state.
    public let reads: GlobalSet
    public let writes: GlobalSet
    /// The helper may ask to leave generated code: it sets `VCPUHeader.exitReason` non-zero. All globals are in their homes
    /// at the call; generated code tests the reason after it and leaves with the guest pc of the current instruction.
    public let mayExit: Bool
    /// Same arguments give the same result, and nothing else happens: the call may be removed or shared.
    public let isPure: Bool

    public init(
        _ name: StaticString, _ function: @escaping HelperFunction, arguments: UInt8, result: Bool = true,
        reads: GlobalSet = .none, writes: GlobalSet = .none, mayExit: Bool = false, isPure: Bool = false
    ) {
        self.name = name
        self.function = function
        self.arguments = arguments
        self.hasResult = result
        self.reads = mayExit ? .all : reads
        self.writes = writes
        self.mayExit = mayExit
        self.isPure = isPure
    }
}

/// What a helper does, as passes and hosts ask it: the descriptor in a byte.
public struct HelperEffects: OptionSet, Sendable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// All globals must be at home before the call.
    @inlinable public static var readsGlobals: HelperEffects { HelperEffects(rawValue: 1 << 0) }
    /// No other copy of a global is valid after the call.
    @inlinable public static var writesGlobals: HelperEffects { HelperEffects(rawValue: 1 << 1) }
    /// May ask to leave.
    @inlinable public static var mayExit: HelperEffects { HelperEffects(rawValue: 1 << 2) }
    /// The call may be removed or shared, and looks at nothing but its arguments.
    @inlinable public static var isPure: HelperEffects { HelperEffects(rawValue: 1 << 3) }

    /// Guest state must be exact at calls of helpers with one of these.
    @inlinable public static var looksAtState: HelperEffects {
        HelperEffects(rawValue: readsGlobals.rawValue | writesGlobals.rawValue | mayExit.rawValue)
    }
    /// Has any of these effects.
    @inlinable @inline(__always) public func has(_ effects: HelperEffects) -> Bool { rawValue & effects.rawValue != 0 }
}

extension HelperDescriptor {
    public var effects: HelperEffects {
        var effects: HelperEffects = []
        if reads == .all { effects.insert(.readsGlobals) }
        if writes == .all { effects.insert(.writesGlobals) }
        if mayExit { effects.insert(.mayExit) }
        if isPure && !effects.has(.looksAtState) { effects.insert(.isPure) }
        return effects
    }
}

/// Index of a helper in the table that the guest hands to the engine; also usable in `Op.imm`.
public struct HelperID: Hashable, Sendable {
    public let index: UInt16
    public init(_ index: Int) { self.index = UInt16(index) }
}
