// A guest's registers as debuggers, dumps, core files, signal frames and the glue of system calls see them: by name.

/// What of the floating-point state the host keeps while a guest runs, in the numbering of the IR.
public protocol FloatEnvironment: AnyObject {
    /// Exceptions raised since they were cleared.
    var floatFlags: UInt32 { get set }
    /// The dynamic rounding mode.
    var floatRounding: UInt32 { get set }
}

/// How a register is read and written that is no part of the CPU state as it is.
public struct ComputedRegister: Sendable {
    let read: @Sendable (_ state: UnsafeRawPointer, _ float: any FloatEnvironment) -> UInt64
    let write: @Sendable (_ state: UnsafeMutableRawPointer, _ float: any FloatEnvironment, _ value: UInt64) -> Void

    public init(
        read: @escaping @Sendable (_ state: UnsafeRawPointer, _ float: any FloatEnvironment) -> UInt64,
        write:
            @escaping @Sendable (
                _ state: UnsafeMutableRawPointer, _ float: any FloatEnvironment, _ value: UInt64
            ) -> Void
    ) {
        self.read = read
        self.write = write
    }
}

/// Where a register's value comes from.
public enum RegisterSource: Sendable {
    /// Byte offset in the CPU state.
    case state(Int)
    case computed(ComputedRegister)
}

public enum RegisterGroup: Sendable { case general, float, vector, system }

public struct RegisterDescriptor: Sendable {
    public let name: String
    public let source: RegisterSource
    /// Size in bytes: 1, 2, 4 or 8.
    public let size: Int
    public let group: RegisterGroup

    public init(name: String, source: RegisterSource, size: Int, group: RegisterGroup) {
        self.name = name
        self.source = source
        self.size = size
        self.group = group
    }
    public init(name: String, offset: Int, size: Int, group: RegisterGroup) {
        self.init(name: name, source: .state(offset), size: size, group: group)
    }

    /// Byte offset in the CPU state; nil for a computed register.
    public var offset: Int? {
        if case .state(let offset) = source { offset } else { nil }
    }

    /// The value, extended with zeros.
    public func read(_ state: UnsafeRawPointer, _ float: any FloatEnvironment) -> UInt64 {
        switch source {
        case .computed(let register): register.read(state, float)
        case .state(let offset):
            switch size {
            case 8: state.load(fromByteOffset: offset, as: UInt64.self)
            case 4: UInt64(state.load(fromByteOffset: offset, as: UInt32.self))
            case 2: UInt64(state.load(fromByteOffset: offset, as: UInt16.self))
            default: UInt64(state.load(fromByteOffset: offset, as: UInt8.self))
            }
        }
    }

    /// Sets it to the low `size` bytes of `value`.
    public func write(_ state: UnsafeMutableRawPointer, _ float: any FloatEnvironment, _ value: UInt64) {
        switch source {
        case .computed(let register): register.write(state, float, value)
        case .state(let offset):
            switch size {
            case 8: state.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
            case 4: state.storeBytes(of: UInt32(truncatingIfNeeded: value), toByteOffset: offset, as: UInt32.self)
            case 2: state.storeBytes(of: UInt16(truncatingIfNeeded: value), toByteOffset: offset, as: UInt16.self)
            default: state.storeBytes(of: UInt8(truncatingIfNeeded: value), toByteOffset: offset, as: UInt8.self)
            }
        }
    }
}
