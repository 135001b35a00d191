// The code cache's memory as a back end sees it: written through one mapping, executed through another, filled from the
// bottom, reset as a whole.

/// Executable memory with two views. The engine owns the memory; `used` grows under the translation lock.
public final class CodeBuffer: @unchecked Sendable {
    /// Writable view.
    public let writable: UnsafeMutableRawPointer
    /// Executable view of the same bytes.
    public let executable: UnsafeRawPointer
    public let size: Int
    /// Bytes in use. Guarded by the engine's translation lock.
    public var used = 0

    public init(writable: UnsafeMutableRawPointer, executable: UnsafeRawPointer, size: Int) {
        self.writable = writable
        self.executable = executable
        self.size = size
    }

    /// Add to a writable address to get the executable one.
    public var executableDelta: Int { Int(bitPattern: executable) - Int(bitPattern: UnsafeRawPointer(writable)) }

    public func contains(_ address: UInt64) -> Bool {
        address &- UInt64(UInt(bitPattern: executable)) < UInt64(size)
    }
}
