// What a piece of code depends on besides its own bytes: the distances to what lies at a fixed place of the code buffer, and the
// numbers that the engine gave to the translation. Noted while the code is written, so that it can be moved later.

/// A 32-bit field of a piece of code that moving the code changes.
public struct Relocation: BitwiseCopyable, Equatable, Sendable {
    public enum Kind: UInt32, Sendable {
        /// The distance from the end of the instruction to something outside of the piece.
        case displacement
        /// Bits 8 and up are the translation's index.
        case translation
        /// The distance of the translation's counter, or of one that goes with it, from the state register.
        case counter
    }

    /// Offset of the field << 2 | kind.
    var raw: UInt32

    @inline(__always)
    public init(_ kind: Kind, at offset: Int) { raw = UInt32(truncatingIfNeeded: offset) &<< 2 | kind.rawValue }

    /// Nil in a damaged file.
    public var kind: Kind? { Kind(rawValue: raw & 3) }
    /// Offset of the field from the start of the piece.
    public var offset: Int { Int(raw &>> 2) }
}

extension Assembler {
    /// The four bytes at `offset` are such a field.
    @inline(__always)
    mutating func note(_ kind: Relocation.Kind, at offset: Int) {
        if relocationCount == relocationCapacity {
            relocations = doubled(relocations, relocationCount, &relocationCapacity)
        }
        relocations[relocationCount] = Relocation(kind, at: offset)
        relocationCount &+= 1
    }

    /// `mov eax, value` with four bytes of immediate, whose bits 8 and up are the translation's index.
    mutating func movTranslation(_ value: UInt32) {
        note(.translation, at: offset &+ 1)
        plain(Encoding(.none, .one, 0xB8), 0, Int64(value), 4)
    }
}
