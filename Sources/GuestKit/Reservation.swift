// Load-reserved and store-conditional, as most architectures have them (LR/SC, exclusives, load-linked), on hosts that have
// compare-and-swap: a load remembers address and value, and the store is a compare-and-swap from that value.
//
// So a store-conditional also succeeds when memory was changed and changed back in between; any other store to the reserved
// bytes, by whomever, makes it fail. Orders are the front end's: compare-and-swap is sequentially consistent.

import IR

/// Where a CPU state keeps its reservation.
public struct Reservation: Sendable {
    /// Offset of the reserved address, 64 bits of which narrow guests use the low half; `none` when there is no reservation.
    public let address: Int
    /// Offset of what the load read, extended as it extended it.
    public let value: Int
    public init(address: Int, value: Int) {
        self.address = address
        self.value = value
    }

    /// An odd address that no reserving load has.
    public static let none = UInt64.max
}

extension IRBuilder {
    /// Reserves `base`, from where `read` has been loaded.
    @inlinable public func reserve(_ reservation: Reservation, _ base: Temp, _ read: Temp) {
        st(base, reservation.address, access(region.type(base)))
        st(read, reservation.value, access(region.type(read)))
    }

    /// Stores `new` to `base` if that is reserved and still as it was read; gives up the reservation. `failed` becomes 0 when
    /// it was stored, 1 when not; nil: nobody asks. Goes on in a new block. A store that fails still asks for the right to store there.
    public mutating func storeConditional(
        _ reservation: Reservation, _ base: Temp, _ new: Temp, _ memOp: MemOp, failed: Temp?
    ) {
        let type = region.type(new)
        let attempt = newBlock()
        let failure = newBlock(isCold: true)
        let done = newBlock()
        let reserved = ld(reservation.address, access(region.type(base)), region.type(base))
        st(const(Int64(bitPattern: Reservation.none)), reservation.address, .u64)
        brcond(.eq, base, reserved, attempt, failure)

        begin(attempt)
        let expected = ld(reservation.value, access(type), type)
        let old = gcas(base, expected: expected, new: new, memOp)
        if let failed { setcond(.ne, old, expected, result: type, into: failed) }
        br(done)

        begin(failure)
        // Leaves memory as it is.
        grmw(.or, base, const(0, type), memOp)
        if let failed { mov(failed, const(1, type)) }
        br(done)

        begin(done)
    }

    @inlinable func access(_ type: ValueType) -> MemOp { type == .i64 ? .u64 : .u32 }
}
