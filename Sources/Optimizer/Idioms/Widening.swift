// The pass `widen`: compilers for processors that have no fast misaligned accesses read a word byte by byte and put it together
// by shifts. Such bytes are loaded at once; rules then find that what is put together is what was loaded.
//
//     a1 = gld.u8 [a0 + 1]         %1 = and a0, 4095
//     a2 = gld.u8 [a0]             brcond.gtu %1, 4092, block2, block1
//     a3 = gld.u8 [a0 + 2]       block1:
//     a4 = gld.u8 [a0 + 3]   ->    %2 = gld.u8 [a0 + 1]
//     a1 = shl a1, 8               %3 = gld.u32 [a0]
//     ...                          a1 = extract %3, 8, 8
//                                  ...
//                                  br block3
//                                block2 cold:
//                                  (as it was)
//                                  br block3
//
// What a fault and other harts must find as it was:
//
// - A word that crosses a page may fault in its second half only, when some bytes have been read: its bytes are loaded one by
//   one. In one page, the first byte faults or none; if it is not the lowest, it is read for its own sake, so that the fault's
//   address is right.
// - Between the bytes only computation and other loads may stand. A load of other bytes off the same base is no obstacle. One
//   through another base may be of the same bytes, and loads of one address keep their order (RVWMO, preserved program
//   order, rule 2): two words may be read side by side when a check finds that they do not overlap.
// - Where loads stay in order (`MemoryModel.tso`), no other load may stand between the bytes, and the word must be read in one
//   piece, which is certain where it is aligned: a check finds whether it is.
//
// An idiom: it knows a shape that compilers emit (IR.md, "Idioms", has the rule for removing it).
// Earns: with `no-pass=widen` SHA-512 takes 1.09 of the time, zstd 1.06, xz 1.04.

import IR

func widenLoads(_ region: Region, _ storage: OptimizerStorage) {
    guard storage.sharesGuestLoads else { return }
    var pass = Widening(region, storage)
    pass.run()
}

private struct Widening: ~Copyable {
    /// A load of a window: a stretch of ops without anything but computation and loads.
    struct Load {
        var index: Int
        var base: Temp
        /// How often the base had been assigned.
        var version: UInt32
        var displacement: Int64
        var size: Int64
        /// Its word, if it is a byte of one.
        var word = -1
    }

    /// Bytes that are loaded at once.
    struct Word {
        var base: Temp
        var version: UInt32
        var displacement: Int64
        var size: Int64
        /// Ops of the first and last of its bytes.
        var first: Int
        var last: Int
        /// The word, read through another base, whose bytes are loaded between those of this one.
        var partner = -1
        var isGood = true
        var isDecided = false
        /// What is loaded, and the displacement of the byte that was loaded first.
        var value = Temp.none
        var probe: Int64 = 0
    }

    /// Bytes of one word, or of two side by side, and what puts them together: ops `start` up to `end`.
    struct Span {
        var start: Int
        var end: Int
        var word: Int
        /// Where the ops as they were are in `slowOps`.
        var slow: Range<Int>
    }

    let region: Region
    let storage: OptimizerStorage
    let graph: Graph
    /// By global: how often it has been assigned.
    let versions: UnsafeMutablePointer<UInt32>
    var loads: [Load] = []
    /// Words of the window come from `firstWord` on.
    var words: [Word] = []
    var firstWord = 0
    /// In the order of ops, and not overlapping.
    var spans: [Span] = []
    var slowOps: [Op] = []
    /// `MemoryModel.tso`
    let ordersLoads: Bool
    private static let spanLimit = 24
    private static let lengthLimit = 96
    private static let loadLimit = 48
    /// No guest has smaller pages: what stays within such a block stays within a page.
    private static let pageSize: Int64 = 4096

    init(_ region: Region, _ storage: OptimizerStorage) {
        self.region = region
        self.storage = storage
        graph = storage.graph
        ordersLoads = storage.memoryModel == .tso
        versions = storage.stamps
    }

    mutating func run() {
        // A span takes up to 9 ops, 7 temps and 5 blocks for its checks, 2 ops and 2 temps for each word, and its length.
        let most = Self.spanLimit
        guard region.opCount + (16 + Self.lengthLimit) * most <= region.opCapacity,
            region.tempCount + 16 * most <= region.tempCapacity,
            region.blockCount + 5 * most <= region.blockCapacity
        else { return }
        versions.update(repeating: 0, count: region.globalCount)
        graph.lay(region)
        for i in 0..<region.blockCount {
            let b = Int(graph.order[i])
            if hasBytes(b) { survey(b) }
        }
        if !spans.isEmpty { rebuild() }
    }

    // MARK: Finding words

    /// Are there enough loads of bytes to look closer?
    private func hasBytes(_ b: Int) -> Bool {
        var count = 0
        for k in region.ops(of: b) where isByte(region.ops[k]) { count += 1 }
        return count >= 4
    }

    private func isByte(_ op: Op) -> Bool {
        op.opcode == .gld && op.type == .i64 && op.memOp == .u8 && region.type(op.a) == .i64
    }

    private mutating func survey(_ b: Int) {
        loads.removeAll(keepingCapacity: true)
        for k in region.ops(of: b) {
            let op = region.ops[k]
            let row = storage.table[op.opcode]
            if op.opcode == .gld, op.memOp.rawValue &>> 4 == 0, loads.count < Self.loadLimit {
                let version = op.a.i < region.globalCount ? versions[op.a.i] : 0
                loads.append(
                    Load(
                        index: k, base: op.a, version: version, displacement: op.imm,
                        size: isByte(op) ? 1 : -Int64(op.memOp.size)))
            } else if op.opcode != .insnStart, row.hasEffects || row.looksAtState {
                findWords(b)
            }
            if row.hasResult, !op.dst.isNone, op.dst.i < region.globalCount { versions[op.dst.i] &+= 1 }
        }
        findWords(b)
    }

    /// Takes the words out of the window, which ends here.
    private mutating func findWords(_ b: Int) {
        if loads.count >= 4 {
            let end = Int(region.blocks[b].end)
            firstWord = words.count
            for i in loads.indices where loads[i].size == 1 && loads[i].word < 0 {
                if !findWord(around: i, size: 8, end) { _ = findWord(around: i, size: 4, end) }
            }
            for w in firstWord..<words.count { findPartner(w) }
            for w in firstWord..<words.count { settle(w, end) }
        }
        loads.removeAll(keepingCapacity: true)
    }

    private mutating func findWord(around i: Int, size: Int64, _ end: Int) -> Bool {
        let load = loads[i]
        for lowest in (load.displacement - size + 1)...load.displacement {
            var members: [Int] = []
            while members.count < size, let j = byte(lowest, Int64(members.count), of: load, end) { members.append(j) }
            if members.count < size { continue }
            var word = Word(
                base: load.base, version: load.version, displacement: lowest, size: size, first: .max, last: 0)
            for j in members {
                loads[j].word = words.count
                word.first = min(word.first, loads[j].index)
                word.last = max(word.last, loads[j].index)
            }
            words.append(word)
            return true
        }
        return false
    }

    /// The load of the byte at `lowest + n`, if that is shifted to where it is in a word.
    private func byte(_ lowest: Int64, _ n: Int64, of load: Load, _ end: Int) -> Int? {
        loads.indices.first {
            loads[$0].displacement == lowest + n && loads[$0].size == 1 && loads[$0].word < 0
                && loads[$0].base == load.base && loads[$0].version == load.version
                && (n == 0 || isShifted(loads[$0].index, by: 8 * n, end))
        }
    }

    /// Is what op `k` loads shifted left by `count` before anything else reads it?
    private func isShifted(_ k: Int, by count: Int64, _ end: Int) -> Bool {
        let t = region.ops[k].dst
        for i in k + 1..<min(end, k + 64) {
            let op = region.ops[i]
            var reads = false
            op.forEachSource(storage.table.sources(op)) { if $0 == t { reads = true } }
            if reads {
                return op.opcode == .shl && op.a == t && region.isConst(op.b) && region.constValue(op.b) == count
            }
            if storage.table[op.opcode].hasResult, op.dst == t { return false }
        }
        return false
    }

    /// Looks at the loads between the bytes of word `w`.
    private mutating func findPartner(_ w: Int) {
        let word = words[w]
        for load in loads where load.index > word.first && load.index < word.last && load.word != w {
            if ordersLoads {
                words[w].isGood = false
            } else if load.base == word.base, load.version == word.version {
                let size = abs(load.size)
                if load.displacement + size > word.displacement, load.displacement < word.displacement + word.size {
                    words[w].isGood = false
                }
            } else if load.word < 0 || words[w].partner >= 0 && words[w].partner != load.word {
                words[w].isGood = false
            } else {
                words[w].partner = load.word
            }
        }
    }

    /// Decides on word `w`, and on its partner with it.
    private mutating func settle(_ w: Int, _ blockEnd: Int) {
        if words[w].isDecided { return }
        words[w].isDecided = true
        let p = words[w].partner
        var first = words[w].first
        if p >= 0 {
            if words[p].isDecided || words[p].partner >= 0 && words[p].partner != w || !words[p].isGood { return }
            words[p].isDecided = true
            first = min(first, words[p].first)
        }
        guard words[w].isGood, spans.count < Self.spanLimit,
            storage.isUnchanged(region, words[w].base, first..<words[w].first),
            p < 0 || storage.isUnchanged(region, words[p].base, first..<words[p].first)
        else { return }
        let last = p < 0 ? words[w].last : max(words[w].last, words[p].last)
        guard let end = copySpan(from: first - 1, to: last, blockEnd) else { return }
        let slow = slowOps.count - (end - first + 1)..<slowOps.count
        spans.append(Span(start: first - 1, end: end, word: w, slow: slow))
        take(w)
        if p >= 0 { take(p) }
    }

    /// Copies the ops from the mark `start` to the load `last`, and the shifts and unions behind it, to `slowOps`; returns where
    /// they end. Nil when that cannot be done.
    private mutating func copySpan(from start: Int, to last: Int, _ blockEnd: Int) -> Int? {
        guard start >= 0, region.ops[start].opcode == .insnStart, start >= spans.last?.end ?? 0 else { return nil }
        var end = last + 1
        while end < blockEnd, isAssembling(region.ops[end]) { end += 1 }
        if end - start > Self.lengthLimit { return nil }
        // A temp has one assignment.
        for k in start + 1..<end where region.ops[k].opcode != .insnStart && region.ops[k].dst.i >= region.globalCount {
            return nil
        }
        for k in start..<end { slowOps.append(region.ops[k]) }
        return end
    }

    private func isAssembling(_ op: Op) -> Bool {
        switch op.opcode {
        case .insnStart: true
        case .shl, .or: op.dst.i < region.globalCount
        default: false
        }
    }

    /// The bytes of word `w` come from it from now on.
    private mutating func take(_ w: Int) {
        let word = words[w]
        words[w].value = region.newTemp(.temp, .i64)
        words[w].probe = region.ops[word.first].imm
        for load in loads where load.word == w {
            let op = region.ops + load.index
            let position = 8 * (load.displacement - word.displacement)
            op.pointee = Op(.extract, .i64, dst: op.pointee.dst, a: words[w].value, imm: position | 8 << 8)
        }
    }

    // MARK: The new ops

    private var count = 0

    private mutating func append(_ op: Op) {
        storage.spare[count] = op
        count += 1
    }

    private mutating func rebuild() {
        for i in 0..<region.blockCount {
            var b = Int(graph.order[i])
            let (start, end) = (Int(region.blocks[b].start), Int(region.blocks[b].end))
            region.blocks[b].start = UInt32(truncatingIfNeeded: count)
            var k = start
            for span in spans where span.start >= start && span.start < end {
                for other in k..<span.start { append(region.ops[other]) }
                widen(span, &b)
                k = span.end
            }
            for other in k..<end { append(region.ops[other]) }
            region.blocks[b].end = UInt32(truncatingIfNeeded: count)
        }
        storage.replaceOps(region, count)
    }

    /// Appends a span in both forms; goes on in a new block.
    private mutating func widen(_ span: Span, _ b: inout Int) {
        let slow = newBlock(like: b)
        region.blocks[slow].isCold = true
        region.blocks[slow].weight = min(region.blocks[b].weight, 1)
        check(span.word, &b, slow)
        let word = words[span.word]
        for k in span.start..<span.end {
            if k == word.first { load(word) }
            if word.partner >= 0, k == words[word.partner].first { load(words[word.partner]) }
            append(region.ops[k])
        }
        let next = newBlock(like: b)
        append(Op(.br, .i64, c: Temp(next)))
        region.blocks[b].end = UInt32(truncatingIfNeeded: count)
        region.blocks[slow].start = UInt32(truncatingIfNeeded: count)
        for k in span.slow { append(slowOps[k]) }
        append(Op(.br, .i64, c: Temp(next)))
        region.blocks[slow].end = UInt32(truncatingIfNeeded: count)
        region.blocks[next].start = UInt32(truncatingIfNeeded: count)
        b = next
    }

    private func newBlock(like b: Int) -> Int {
        var block = region.blocks[b]
        block.isLoopHeader = false
        return region.addBlock(block)
    }

    private mutating func load(_ word: Word) {
        let byte = region.newTemp(.temp, .i64)
        if word.probe != word.displacement {
            append(Op(.gld, .i64, aux: MemOp.u8.rawValue, dst: byte, a: word.base, imm: word.probe))
        }
        let access = word.size == 8 ? MemOp.u64 : .u32
        append(Op(.gld, .i64, aux: access.rawValue, dst: word.value, a: word.base, imm: word.displacement))
    }

    /// Goes to `exit` when word `w` or its partner cannot be read at once, or when they overlap.
    private mutating func check(_ w: Int, _ b: inout Int, _ exit: Int) {
        let word = words[w]
        let address = checkPlace(word, &b, exit)
        if word.partner < 0 { return }
        let partner = words[word.partner]
        let other = checkPlace(partner, &b, exit)
        let distance = binary(.add, binary(.sub, address, other), constant(word.size - 1))
        branch(.ltu, distance, constant(word.size + partner.size - 1), &b, exit)
    }

    /// Goes to `exit` when the word crosses a page, or where loads stay in order when it is not aligned.
    private mutating func checkPlace(_ word: Word, _ b: inout Int, _ exit: Int) -> Temp {
        let address = word.displacement == 0 ? word.base : binary(.add, word.base, constant(word.displacement))
        if ordersLoads {
            branch(.tstne, address, constant(word.size - 1), &b, exit)
            return address
        }
        let offset = binary(.and, address, constant(Self.pageSize - 1))
        branch(.gtu, offset, constant(Self.pageSize - word.size), &b, exit)
        return address
    }

    private func constant(_ value: Int64) -> Temp { region.const(value, .i64) }

    private mutating func binary(_ opcode: Opcode, _ a: Temp, _ b: Temp) -> Temp {
        let t = region.newTemp(.temp, .i64)
        append(Op(opcode, .i64, dst: t, a: a, b: b))
        return t
    }

    /// Ends block `b` with a way to `exit`, and goes on in a new one.
    private mutating func branch(_ condition: Condition, _ x: Temp, _ y: Temp, _ b: inout Int, _ exit: Int) {
        let new = newBlock(like: b)
        append(
            Op(.brcond, .i64, aux: UInt16(condition.rawValue), a: x, b: y, c: Temp(exit), d: Temp(new)))
        region.blocks[b].end = UInt32(truncatingIfNeeded: count)
        region.blocks[new].start = UInt32(truncatingIfNeeded: count)
        b = new
    }
}
