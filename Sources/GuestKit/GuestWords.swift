// How wide a guest's words are.

/// Width of a guest's general registers, and of its addresses up to 64 bits.
public enum WordSize: Int, Sendable {
    case bits32 = 32
    case bits64 = 64
    case bits128 = 128

    public var bytes: Int { rawValue / 8 }

    /// The bits that addresses have. The engine's addresses are of 64 bits; those of a narrower guest are zero-extended.
    public var addressMask: UInt64 { self == .bits32 ? 0xffff_ffff : .max }
}

/// The modes of a guest whose bits under a mask are `value`.
public struct ModeSet: Sendable {
    @usableFromInline let mask: UInt64
    @usableFromInline let value: UInt64
    /// All modes, unless bits are named.
    public init(mask: UInt64 = 0, value: UInt64 = 0) {
        self.mask = mask
        self.value = value
    }
    @inlinable public func contains(_ mode: UInt64) -> Bool { mode & mask == value }
}

/// What of the contract a translation unit needs: asked for once.
public struct GuestLayout: Sendable {
    let pcOffset: Int
    let wordSize: WordSize
    let dataIsBig: Bool
    public init(_ guest: any GuestArchitecture) {
        pcOffset = guest.pcOffset
        wordSize = guest.wordSize
        dataIsBig = guest.dataIsBig
    }
}
