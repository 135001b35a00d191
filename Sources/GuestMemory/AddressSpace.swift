// What a vCPU sees at guest addresses.

/// How an instruction touches memory.
public enum MemoryAccess: UInt8, Sendable { case read, write, execute }

/// Why a guest access is not possible.
public enum MemoryFaultKind: UInt8, Sendable {
    /// Nothing is mapped there (SEGV_MAPERR).
    case unmapped
    /// Mapped without that right (SEGV_ACCERR).
    case permission
    /// The instruction needs an aligned address (BUS_ADRALN).
    case misaligned
    /// Mapped, but the object behind it has no such page (BUS_ADRERR): past the end of a file.
    case bus
}

/// What a host memory fault in generated code means.
public enum FaultResolution: Equatable, Sendable {
    /// The page is write-protected only because it holds translated code: `CodeMemory.allowWrites`, drop its translations, retry. The
    /// page is named by its location.
    case codeWrite(page: GuestLocation, length: UInt64)
    /// The guest did it: raise the guest's exception.
    case guestFault(MemoryFaultKind)
    /// The access is allowed now (another thread changed the mapping): retry.
    case retry
}

/// Guest addresses as a vCPU sees them. All vCPUs of a process share one; where each has page tables of its own, each has its own.
public protocol AddressSpace: AnyObject, Sendable {
    /// How far behind `address`, modulo 2^64, the bytes lie that are executed there (`CodeMemory`): the same for all of a page, and `same` for
    /// memory that has no places (`CodeMemory.hasPlaces`). Nil: nothing can be executed there. Translations are found by it, so that coming
    /// back to what was seen before finds them again. Whoever changes what is seen says so (`VCPU.placesHaveChanged`). Asked by
    /// the vCPU's thread with every look-up: quick, and without the translation lock.
    func place(of address: UInt64) -> GuestPlace?

    /// The same where all bytes of the page can be executed.
    func wholePlace(of address: UInt64) -> GuestPlace?

    /// Decides a SIGSEGV that generated code raised, or a fetch that found no instruction. (SIGBUS is `.bus` without asking.) Takes a
    /// lock: not for signal handlers.
    func resolveFault(address: UInt64, access: MemoryAccess) -> FaultResolution
}

extension AddressSpace {
    public func wholePlace(of address: UInt64) -> GuestPlace? { place(of: address) }
}
