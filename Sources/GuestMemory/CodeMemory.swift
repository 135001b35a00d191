// What the engine asks of a guest's memory: code bytes to translate, and notice when translated code may have changed.

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
    /// The page is write-protected only because it holds translated code: `allowWrites`, drop its translations, retry.
    case codeWrite(page: UInt64, length: UInt64)
    /// The guest did it: raise the guest's exception.
    case guestFault(MemoryFaultKind)
    /// The mapping allows the access now (another thread changed it): retry.
    case retry
}

/// Guest memory as the engine sees it. Lock order: the engine's translation lock before the memory's own lock.
public protocol CodeMemory: AnyObject, Sendable {
    /// Bytes of a guest page, a power of two: in pages code is protected and noted.
    var pageSize: UInt64 { get }

    /// Does what the guest sees at an address change with something else than the bytes there, such as banks or another mapping? Then
    /// `place` is asked with every look-up.
    var hasPlaces: Bool { get }

    /// What the guest sees at `address` now: another number where it is something else. Translations are found by it, so that coming
    /// back to what was seen before finds them again. Whoever changes what is seen makes vCPUs forget their jump caches
    /// (`VCPU.forget`).
    func place(of address: UInt64) -> UInt64

    /// Host bytes readable as guest code from `address` to the end of its run of executable pages (the run may be cut
    /// short at a later page boundary), or nil when `address` is not executable.
    func executableBytes(at address: UInt64) -> UnsafeRawBufferPointer?

    /// The engine caches code made from these bytes: later writes to their pages must fault until `allowWrites` lifts that. To be
    /// called before the bytes are read for translation. False when the host cannot protect the pages: nothing made from them may be
    /// kept then.
    func protectCode(start: UInt64, length: UInt64) -> Bool

    /// Lifts the write protection of pages with code. The caller holds the translation lock, and drops the translations in the range that
    /// is returned, [start, start + length) or more, before it gives that up.
    func allowWrites(start: UInt64, length: UInt64) -> Range<UInt64>

    /// Some addresses are devices: each load there counts, whatever was loaded before.
    var hasDevices: Bool { get }

    /// Decides a SIGSEGV that generated code raised. (SIGBUS is `.bus` without asking.) Takes a lock: not for
    /// signal handlers.
    func resolveFault(address: UInt64, access: MemoryAccess) -> FaultResolution

    /// The number of the file that the byte comes from as code, from 1: a later run may see the same bytes at the same address. 0 for
    /// other memory.
    func codeFile(at address: UInt64) -> Int

    /// The name of a file by its number.
    func codeFileName(_ number: Int) -> String

    /// False while no page passed to `protectCode` could be changed without a fault: then an instruction fence has nothing to look at.
    var hasWatchedCode: Bool { get }

    /// Pages passed to `protectCode` whose bytes may have changed since without a fault, through another mapping of the same object or
    /// a file: the engine compares them at instruction fences. Holds the translation lock.
    func pagesChangedUnseen() -> [UInt64]
}

extension CodeMemory {
    public var hasPlaces: Bool { false }
    public func place(of address: UInt64) -> UInt64 { 0 }
}

/// Who keeps code made from guest bytes. Memory tells it before a change of mappings becomes visible to the guest: nobody may find the
/// old code at an address that has been given away.
public protocol CodeHolder: AnyObject, Sendable {
    /// Between these no code is made, and none is found that is not found already. They nest no further.
    func lockCode()
    func unlockCode()

    /// Drops the code made from [start, start + length). With `settles` it returns once no thread executes what was dropped. Between
    /// `lockCode` and `unlockCode`.
    func dropCode(start: UInt64, length: UInt64, settles: Bool)
}
