// Instruction bytes as decoders take them: unit by unit, in the guest's order. The decoders that the tables make
// (`decode(_:into:)`) read words with it, and the immediates behind them.

/// How the words of one decode table lie in memory (`.unit`, `.order` and `.join` of the tables).
@frozen public struct CodeLayout: Hashable, Sendable {
    @frozen public enum Order: Hashable, Sendable {
        case little, big
        /// As the guest's loads and stores: only those who have the bytes know.
        case data
    }

    /// Bytes that are fetched at a time: 1, 2 or 4.
    public let unit: Int
    /// Byte order within a unit.
    public let order: Order
    /// Whether the first of several units is the high part of a word.
    public let joinsHigh: Bool

    @inlinable public init(unit: Int, order: Order, joinsHigh: Bool) {
        self.unit = unit
        self.order = order
        self.joinsHigh = joinsHigh
    }

    /// The `count` low bytes of `word`, as they lie in memory; `count` is a multiple of the unit.
    public func bytes(_ word: UInt64, count: Int, dataIsBig: Bool = false) -> [UInt8] {
        let isBig = order == .big || (order == .data && dataIsBig)
        return (0..<count).map { index in
            let part = joinsHigh ? count / unit - 1 - index / unit : index / unit
            let byte = isBig ? unit - 1 - index % unit : index % unit
            return UInt8(truncatingIfNeeded: word >> UInt64(8 * (part * unit + byte)))
        }
    }
}

/// Bytes of guest code, and how many of them have been taken. The memory must stay readable as long as this is used.
@frozen public struct InstructionBytes {
    @usableFromInline let start: UnsafeRawPointer
    @usableFromInline let count: Int
    @usableFromInline let dataIsBig: Bool
    @usableFromInline var position = 0
    @usableFromInline var hasEnded = false

    /// Bytes taken so far: the length of the instruction, when it has been decoded.
    @inlinable public var taken: Int { position }
    /// The instruction goes on where the bytes end.
    @inlinable public var isShort: Bool { hasEnded }

    /// - Parameter dataIsBig: what the order `data` means.
    @inlinable public init(_ bytes: UnsafeRawBufferPointer, dataIsBig: Bool = false) {
        // Nothing is read from the placeholder: the count is 0.
        start = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!
        count = bytes.count
        self.dataIsBig = dataIsBig
    }

    /// Whether there are `bytes` more; if not, `isShort` is true from now on.
    @inlinable @inline(__always) public mutating func reaches(_ bytes: Int) -> Bool {
        if count &- position >= bytes { return true }
        hasEnded = true
        return false
    }

    /// The next `bytes` (1...8, a multiple of the unit) as a number. The caller has asked `reaches`.
    @inlinable @inline(__always) public func peek(_ bytes: Int, _ layout: CodeLayout) -> UInt64 {
        let isBig = layout.order == .big || (layout.order == .data && dataIsBig)
        var word: UInt64 = 0
        var offset = 0
        while offset < bytes {
            let place = start + (position &+ offset)
            let unit: UInt64
            switch layout.unit {
            case 1: unit = UInt64(place.load(as: UInt8.self))
            case 2:
                let half = place.loadUnaligned(as: UInt16.self)
                unit = UInt64(isBig ? half.byteSwapped : half)
            default:
                let full = place.loadUnaligned(as: UInt32.self)
                unit = UInt64(isBig ? full.byteSwapped : full)
            }
            if layout.joinsHigh {
                word = word &<< UInt64(8 &* layout.unit) | unit
            } else {
                word |= unit &<< UInt64(8 &* offset)
            }
            offset &+= layout.unit
        }
        return word
    }

    /// The same, and goes on behind them.
    @inlinable @inline(__always) public mutating func take(_ bytes: Int, _ layout: CodeLayout) -> UInt64 {
        let word = peek(bytes, layout)
        position &+= bytes
        return word
    }

    /// The same, sign-extended.
    @inlinable @inline(__always) public mutating func takeSigned(_ bytes: Int, _ layout: CodeLayout) -> Int64 {
        let unused = Int64(64 &- 8 &* bytes)
        return (Int64(bitPattern: take(bytes, layout)) &<< unused) &>> unused
    }

    /// The same, zero-extended; of 8 bytes the bits.
    @inlinable @inline(__always) public mutating func takeUnsigned(_ bytes: Int, _ layout: CodeLayout) -> Int64 {
        Int64(bitPattern: take(bytes, layout))
    }
}

extension TranslationUnit {
    /// The code from `pc` on.
    @inlinable public func instructionBytes() -> InstructionBytes {
        let available = available
        let start = available == 0 ? code : code + Int(pc &- codeStart)
        return InstructionBytes(
            UnsafeRawBufferPointer(start: start, count: available), dataIsBig: dataIsBig)
    }
}
