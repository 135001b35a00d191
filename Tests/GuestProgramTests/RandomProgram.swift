// Random programs made from the decode tables. A program is a list of segments, loops that run once or thousands of
// times; a segment is a list of items: one instruction, or the few that belong together (an address and its accesses,
// a load-reserved and its store-conditional). Control goes forward only, except for a segment's own loop, whose
// counter nothing else writes: every program ends.

import GuestRISCV

/// A part of an item. Targets are filled in when the program is laid out.
enum Piece {
    case word(UInt32)
    case half(UInt16)
    case branch(UInt32, Target)
    case jump(UInt32, Target)
    case shortBranch(UInt16, Target)
    case shortJump(UInt16, Target)
    /// An I-type word that gets the distance from the piece `back` pieces before it to the target, plus `extra`.
    case low(UInt32, Target, back: Int, extra: Int)

    enum Target {
        /// Item of the same segment; its count is the loop's end.
        case item(Int)
        case function(Int)
    }

    var size: Int {
        switch self {
        case .half, .shortBranch, .shortJump: 2
        default: 4
        }
    }
}

struct Item {
    var pieces: [Piece]
    var size: Int { pieces.reduce(0) { $0 + $1.size } }

    init(_ pieces: [Piece]) { self.pieces = pieces }
    init(_ words: [UInt32]) { pieces = words.map { .word($0) } }

    /// As long, and does nothing.
    var erased: Item { Item(pieces.map { $0.size == 2 ? .half(Encode.shortNop) : .word(Encode.nop) }) }
}

struct Segment {
    var iterations: Int
    var items: [Item]
}

/// One line of a program's listing.
struct ListingLine {
    var address: Int
    var word: UInt32
    var item: ItemPath
}

/// Which item: of a segment, or of a function (then `segment` counts on after the segments).
struct ItemPath: Hashable {
    var segment: Int
    var item: Int
}

struct RandomProgram {
    var seed: UInt64
    var extensions: RISCVExtensions
    var frame: ProgramFrame
    /// The register that collects a hash in every iteration.
    var collector: Int
    var segments: [Segment]
    /// Leaf functions; each ends with its own return.
    var functions: [[Item]]

    /// The file, and where the instructions are.
    func build() -> (file: [UInt8], listing: [ListingLine]) {
        var layout = Layout(program: self)
        let (text, handler) = layout.text()
        var frame = frame
        return (frame.image(text: text, handler: handler), layout.listing)
    }

    /// Instructions executed, about: branches skip some.
    var dynamicCount: Int {
        segments.reduce(0) { $0 + $1.iterations * $1.items.reduce(2) { $0 + $1.pieces.count } * 3 / 4 }
    }

    /// Every item that can be erased.
    var paths: [ItemPath] {
        segments.indices.flatMap { s in segments[s].items.indices.map { ItemPath(segment: s, item: $0) } }
            + functions.indices.flatMap { f in
                functions[f].indices.dropLast().map { ItemPath(segment: segments.count + f, item: $0) }
            }
    }

    subscript(path: ItemPath) -> Item {
        get {
            path.segment < segments.count
                ? segments[path.segment].items[path.item] : functions[path.segment - segments.count][path.item]
        }
        set {
            if path.segment < segments.count {
                segments[path.segment].items[path.item] = newValue
            } else {
                functions[path.segment - segments.count][path.item] = newValue
            }
        }
    }
}

// MARK: Layout

private struct Layout {
    let program: RandomProgram
    var listing: [ListingLine] = []
    private var bytes: [UInt8] = []
    private var functionAddresses: [Int] = []

    init(program: RandomProgram) { self.program = program }

    private var here: Int { ProgramMap.text + bytes.count }

    /// The whole text section and the handler's address in it.
    mutating func text() -> (text: [UInt8], handler: Int) {
        let counter = program.frame.counter
        var position = ProgramMap.text + program.frame.prologue(handler: 0).count * 4
        for segment in program.segments { position += Self.size(of: segment, counter) }
        let jumpOver = position
        position += 4
        for function in program.functions {
            functionAddresses.append(position)
            position += function.reduce(0) { $0 + $1.size }
        }
        position += position & 2
        let epilogue = position
        let handler = epilogue + program.frame.epilogue().count * 4

        append(program.frame.prologue(handler: handler))
        for (number, segment) in program.segments.enumerated() { append(segment, number, counter) }
        append([Encode.jal(0, epilogue - jumpOver)])
        for (number, function) in program.functions.enumerated() {
            append(items: function, number: program.segments.count + number)
        }
        if here & 2 != 0 { bytes.append(half: Encode.shortNop) }
        append(program.frame.epilogue())
        append(program.frame.handler)
        return (bytes, handler)
    }

    private mutating func append(_ words: [UInt32]) { for word in words { bytes.append(word: word) } }

    private static let loopTail = 12
    private static func size(of segment: Segment, _ counter: Int) -> Int {
        8 + segment.items.reduce(0) { $0 + $1.size } + loopTail
    }

    private mutating func append(_ segment: Segment, _ number: Int, _ counter: Int) {
        append(Encode.li(counter, segment.iterations))
        let head = here
        append(items: segment.items, number: number)
        append([Encode.addi(counter, counter, -1), Encode.beqz(counter, 8), Encode.jal(0, head - here - 8)])
    }

    private mutating func append(items: [Item], number: Int) {
        var starts: [Int] = []
        var position = here
        for item in items {
            starts.append(position)
            position += item.size
        }
        starts.append(position)
        for (index, item) in items.enumerated() {
            var pieceStarts: [Int] = []
            for piece in item.pieces {
                let start = here
                pieceStarts.append(start)
                func distance(_ target: Piece.Target) -> Int {
                    switch target {
                    case .item(let item): starts[min(item, starts.count - 1)] - start
                    case .function(let function): functionAddresses[function] - start
                    }
                }
                switch piece {
                case .word(let word): bytes.append(word: word)
                case .half(let half): bytes.append(half: half)
                case .branch(let word, let target): bytes.append(word: word | Encode.immediateB(distance(target)))
                case .jump(let word, let target): bytes.append(word: word | Encode.immediateJ(distance(target)))
                case .shortBranch(let half, let target):
                    bytes.append(half: half | Encode.immediateCB(distance(target)))
                case .shortJump(let half, let target): bytes.append(half: half | Encode.immediateCJ(distance(target)))
                case .low(let word, let target, let back, let extra):
                    let base = pieceStarts[pieceStarts.count - 1 - back]
                    bytes.append(word: word | UInt32(truncatingIfNeeded: distance(target) + start - base + extra) << 20)
                }
                let word = UInt32(truncatingIfNeeded: bytes.word64At(start - ProgramMap.text))
                listing.append(
                    ListingLine(
                        address: start, word: piece.size == 2 ? word & 0xffff : word,
                        item: ItemPath(segment: number, item: index)))
            }
        }
    }
}

extension [UInt8] {
    /// Up to four bytes at `offset`, little-endian, zero-extended.
    fileprivate func word64At(_ offset: Int) -> UInt64 {
        (0..<4).reduce(0) { offset + $1 < count ? $0 | UInt64(self[offset + $1]) << UInt64($1 * 8) : $0 }
    }
}
