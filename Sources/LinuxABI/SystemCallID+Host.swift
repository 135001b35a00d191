// System calls by the kernel's own names: the one key under which a call is described, whatever number a guest gives it.
// The enumeration itself is generated from the names of all tables (Tables/*.abi).

extension SystemCallID {
    /// The kernel's name for the call.
    public var name: String { String(describing: self) }

    /// The host kernel's number of this call, or -1 where the host has no such call. A wrong number would call something
    /// else: the list is generated from the host's own table, and a test compares it with the C library's constants.
    @inlinable public var hostNumber: Int32 { Int32(hostNumbers[Int(rawValue)]) }
}
