// One mapping of the guest, as a value.

/// Guest page rights, numbered as PROT_READ, PROT_WRITE, PROT_EXEC.
public struct PageRights: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let read = PageRights(rawValue: 1), write = PageRights(rawValue: 2), execute = PageRights(rawValue: 4)
}

/// What a mapping is for; shown by /proc/self/maps.
public enum MappingKind: UInt8, Sendable { case ordinary, file, heap, stack, trampoline }

/// One run of guest pages [start, end) with the same attributes.
public struct Mapping: Equatable, Sendable {
    public var start: UInt64
    public var end: UInt64
    public var rights: PageRights
    public var isShared: Bool
    public var kind: MappingKind
    /// The file that code comes from, by its number in the address space; 0: none.
    public var codeFile: UInt32

    public init(
        start: UInt64, end: UInt64, rights: PageRights, isShared: Bool = false, kind: MappingKind = .ordinary,
        codeFile: UInt32 = 0
    ) {
        self.start = start
        self.end = end
        self.rights = rights
        self.isShared = isShared
        self.kind = kind
        self.codeFile = codeFile
    }

    func hasSameAttributes(as other: Mapping) -> Bool {
        rights == other.rights && isShared == other.isShared && kind == other.kind && codeFile == other.codeFile
    }
}
