// What the engine asks of the memory behind address spaces: code bytes to translate, and notice when translated code may have changed.
//
// A byte has a location, wherever vCPUs see it: in a process, where each address has a byte of its own, its address; in a machine,
// say, its physical address. What is seen at an address lies at the location address + place (`AddressSpace.place`).

/// Guest memory by location. Lock order: the engine's translation lock before the memory's own lock.
public protocol CodeMemory: AnyObject, Sendable {
    /// Bytes of a guest page, a power of two: in pages code is protected and noted.
    var pageSize: UInt64 { get }

    /// May bytes be seen elsewhere than at their location? Then places are asked for, and neither regions nor links go beyond a page.
    var hasPlaces: Bool { get }

    /// Some addresses are devices: each load there counts, whatever was loaded before.
    var hasDevices: Bool { get }

    /// Host bytes readable as guest code from `location` to the end of its run of executable pages (the run may be cut
    /// short at a later page boundary), or nil when there is no code.
    func codeBytes(at location: GuestLocation) -> UnsafeRawBufferPointer?

    // MARK: Watching

    /// The engine caches code made from these bytes: later writes to their pages must fault until `allowWrites` lifts that, however the
    /// pages are reached. To be called before the bytes are read for translation. False when the host cannot protect the pages: nothing
    /// made from them may be kept then.
    func protectCode(start: GuestLocation, length: UInt64) -> Bool

    /// Lifts the write protection of pages with code. The caller holds the translation lock, and drops the translations in the range that
    /// is returned, [start, start + length) or more, before it gives that up.
    func allowWrites(start: GuestLocation, length: UInt64) -> Range<GuestLocation>

    /// False while no page passed to `protectCode` could be changed without a fault: then an instruction fence has nothing to look at.
    var hasWatchedCode: Bool { get }

    /// Pages passed to `protectCode` whose bytes may have changed since without a fault, through another mapping of the same object or
    /// a file: the engine compares them at instruction fences. Holds the translation lock.
    func pagesChangedUnseen() -> [GuestLocation]

    // MARK: Files

    /// Where code comes from files that a later run finds again: who knows which. Nil: translations are not kept on disk.
    var codeSource: (any CodeSource)? { get }
}

extension CodeMemory {
    public var hasPlaces: Bool { false }
    public var hasDevices: Bool { false }
    public var hasWatchedCode: Bool { false }
    public func pagesChangedUnseen() -> [GuestLocation] { [] }
    public var codeSource: (any CodeSource)? { nil }
}

/// The files that guest code comes from: a later run may see the same bytes of them at the same address.
public protocol CodeSource: AnyObject, Sendable {
    /// The number of the file that the byte comes from as code, from 1; 0 for other memory.
    func codeFile(at location: GuestLocation) -> Int

    /// The name of a file by its number.
    func codeFileName(_ number: Int) -> String
}

/// Who keeps code made from guest bytes. Memory tells it before a change of mappings becomes visible to the guest: nobody may find the
/// old code at a location that has been given away.
public protocol CodeHolder: AnyObject, Sendable {
    /// Between these no code is made, and none is found that is not found already. They nest no further.
    func lockCode()
    func unlockCode()

    /// Drops the code made from [start, start + length). With `settles` it returns once no thread executes what was dropped. Between
    /// `lockCode` and `unlockCode`.
    func dropCode(start: GuestLocation, length: UInt64, settles: Bool)
}
