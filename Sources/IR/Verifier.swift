// Proves what Region.swift promises, before any pass or host relies on it: the shape of the control-flow graph, the
// form of every op (Forms.swift), and that values are assigned before their uses on every path.
//
// A shift count may be any value, also a constant one: shifts take it modulo the width.

extension Region {
    /// What is wrong with the region, each message with its place; empty when nothing is. At most
    /// `Verifier.messageLimit`.
    public func verify(globals: [GlobalDescriptor], helpers: [HelperDescriptor]) -> [String] {
        var verifier = Verifier(region: self, globals: globals, helpers: helpers)
        verifier.run()
        return verifier.messages
    }
}

struct Verifier {
    static let messageLimit = 20
    static let slotLimit = 256

    let region: Region
    let globals: [GlobalDescriptor]
    let helpers: [HelperDescriptor]
    private(set) var messages: [String] = []
    /// Where the check is. Its text is made for messages only.
    private enum Place {
        case region
        case temp(Int)
        case block(Int)
        case op(block: Int, op: Int)
    }
    private var place = Place.region

    init(region: Region, globals: [GlobalDescriptor], helpers: [HelperDescriptor]) {
        self.region = region
        self.globals = globals
        self.helpers = helpers
    }

    private mutating func fail(_ message: String) {
        if messages.count < Self.messageLimit { messages.append("\(describe(place)): \(message)") }
    }

    mutating func run() {
        if region.s.pointee.overflowed { return fail("a capacity ran out while it was built") }
        checkTemps()
        checkBlocks()
        if !messages.isEmpty { return }
        for block in 0..<region.blockCount {
            for i in range(block) {
                place = .op(block: block, op: i)
                checkOp(region.ops[i], isLast: i + 1 == Int(region.blocks[block].end))
            }
        }
        checkSlots()
        if !messages.isEmpty { return }
        checkAssignments()
    }

    private func range(_ block: Int) -> Range<Int> { Int(region.blocks[block].start)..<Int(region.blocks[block].end) }

    private func describe(_ place: Place) -> String {
        switch place {
        case .region: "region"
        case .temp(let i): "temp \(i)"
        case .block(let id): "block\(id)"
        case .op(let block, let op):
            "block\(block), `\(region.print(region.ops[op], globals: globals, helpers: helpers))`"
        }
    }

    // MARK: Tables

    private mutating func checkTemps() {
        guard globals.count == region.globalCount, region.globalCount <= region.tempCount else {
            return fail("\(region.globalCount) globals, not \(globals.count)")
        }
        for i in 0..<region.tempCount {
            let info = region.temps[i]
            place = .temp(i)
            if (info.kind == .global) != (i < globals.count) { fail("globals come first, and only they") }
            if i < globals.count && (info.type != globals[i].type || info.value != Int64(globals[i].offset)) {
                fail("differs from the description of global \(globals[i].name)")
            }
            if info.kind == .const {
                if !info.type.isInteger { fail("a constant is an integer, not \(info.type.name)") }
                if info.type == .i32 && info.value != Int64(Int32(truncatingIfNeeded: info.value)) {
                    fail("an i32 constant is kept sign-extended")
                }
            }
        }
        place = .region
    }

    private mutating func checkBlocks() {
        if region.blockCount == 0 { return fail("no block") }
        var end = 0
        for id in (0..<region.blockCount).sorted(by: { region.blocks[$0].start < region.blocks[$1].start }) {
            let block = region.blocks[id]
            place = .block(id)
            guard block.start < block.end, block.end <= region.opCount else {
                fail("bad range \(block.start)..<\(block.end) of \(region.opCount) ops")
                continue
            }
            if block.start < end { fail("overlaps another block") }
            end = max(end, Int(block.end))
        }
        place = .region
    }

    // MARK: Ops

    private mutating func checkOp(_ op: Op, isLast: Bool) {
        let form = op.opcode.form
        if op.opcode.row.effects.contains(.terminator) != isLast {
            fail(isLast ? "the last op is not a terminator" : "a terminator in the middle of a block")
        }
        if op.type.isVector { return fail("\(op.type.name) is not lowered by any host yet") }
        if !form.types.allows(op) { return fail("type \(op.type.name) is not possible") }
        let resultType = checkResult(op, form)
        checkQualifiers(op, form)
        var used = 0
        for operand in form.operands { used |= checkOperand(operand, op, resultType ?? op.type) }
        for field in 0..<4 where used & (1 << field) == 0 && !op[field].isNone {
            fail("operand \(field) has no meaning")
        }
        checkImmediate(op, form)
    }

    /// The result's type if there is one.
    private mutating func checkResult(_ op: Op, _ form: OpForm) -> ValueType? {
        if op.dst.isNone {
            if op.opcode.row.hasResult && op.opcode != .call { fail("no result") }
            return nil
        }
        guard op.opcode.row.hasResult else {
            fail("a result that has no meaning")
            return nil
        }
        guard op.dst.i < region.tempCount else {
            fail("the result does not exist")
            return nil
        }
        let info = region.temps[op.dst.i]
        if info.kind == .const { fail("assigns a constant") }
        if info.type.isVector {
            fail("\(info.type.name) is not lowered by any host yet")
        } else if !form.result.allows(info.type, op) {
            fail("the result's type is \(info.type.name)")
        }
        return info.type
    }

    private mutating func checkQualifiers(_ op: Op, _ form: OpForm) {
        var mask: UInt16 = 0
        for qualifier in form.qualifiers {
            mask |= qualifier.mask
            if qualifier.print(op.aux) == nil { fail("bad \(qualifier)") }
        }
        switch op.opcode {
        case .gotoTB, .pushReturn, .gotoCached, .countExecution, .countInstructions, .call: break
        default: if op.aux & ~mask != 0 { fail("`aux` has bits without meaning") }
        }
        if op.opcode == .gcas128 {
            if op.memOp != MemOp(log2Size: 4, aligned: true) {
                fail("the access is of 16 little-endian bytes, aligned")
            }
        } else if form.qualifiers.contains(.memory) {
            let size = op.memOp.size
            if op.type.isFloat ? size != op.type.size : size > op.type.size {
                fail("an access of \(size) bytes does not go with \(op.type.name)")
            }
        }
    }

    /// The fields that the operand uses, as bits.
    private mutating func checkOperand(_ form: OperandForm, _ op: Op, _ resultType: ValueType) -> Int {
        switch form {
        case .value(let field, let rule):
            checkSource(op, field, rule, resultType)
            return 1 << field
        case .block(let field):
            if op[field].i >= region.blockCount { fail("no such block") }
            return 1 << field
        case .address, .plainAddress:
            checkSource(op, 0, .integer, resultType)
            return 1
        case .helperCall:
            guard op.imm >= 0, op.imm < helpers.count else {
                fail("no such helper")
                return 15
            }
            let helper = helpers[Int(op.imm)]
            if op.aux != UInt16(helper.arguments) { fail("the helper takes \(helper.arguments) arguments") }
            if helper.hasResult == op.dst.isNone { fail("the helper has \(helper.hasResult ? "a" : "no") result") }
            let count = min(op.callArguments, 4)
            for field in 0..<count { checkSource(op, field, .i64, resultType) }
            return (1 << count) - 1
        case .stateOffset, .field, .slot, .guestPC, .number: return 0
        }
    }

    private mutating func checkSource(_ op: Op, _ field: Int, _ rule: SourceRule, _ resultType: ValueType) {
        let t = op[field]
        if t.isNone { return fail("operand \(field) is missing") }
        guard t.i < region.tempCount else { return fail("operand \(field) does not exist") }
        let type = region.type(t)
        if type.isVector { return fail("\(type.name) is not lowered by any host yet") }
        if !rule.allows(type, op, result: resultType) { fail("operand \(field) is \(type.name)") }
    }

    private mutating func checkImmediate(_ op: Op, _ form: OpForm) {
        switch op.opcode {
        case .extract, .sextract, .deposit:
            if op.imm >> 16 != 0 || op.fieldLength == 0 || op.fieldPosition + op.fieldLength > 8 * op.type.size {
                fail("the field is not within \(op.type.name)")
            }
        case .exitTB, .ld, .st, .gld, .gst, .gcas128, .call, .insnStart, .checkExit, .countExecution,
            .countInstructions, .pushReturn, .gotoTB, .gotoCached:
            break
        default: if op.imm != 0 { fail("`imm` has no meaning") }
        }
    }

    private mutating func checkSlots() {
        place = .region
        if region.slotCount > Self.slotLimit { return fail("more than \(Self.slotLimit) slots") }
        var taken = Array(repeating: false, count: region.slotCount)
        for block in 0..<region.blockCount {
            for i in range(block) where region.ops[i].usesSlot {
                place = .op(block: block, op: i)
                let slot = region.ops[i].slot
                guard slot < region.slotCount else {
                    fail("slot \(slot) of \(region.slotCount)")
                    continue
                }
                if taken[slot] { fail("slot \(slot) is used twice") }
                taken[slot] = true
            }
        }
    }

    // MARK: Assignments

    /// Each temp once, and every temp and local before its uses: a forward data-flow problem on sets of assigned
    /// values, whose meet is the intersection over the predecessors.
    private mutating func checkAssignments() {
        let words = (region.tempCount + 63) / 64
        let blockCount = region.blockCount
        var entry = Array(repeating: UInt64.max, count: words * blockCount)
        for i in 0..<words { entry[i] = 0 }
        var assigns = Array(repeating: UInt64(0), count: words * blockCount)
        var isAssigned = Array(repeating: false, count: region.tempCount)
        for block in 0..<blockCount {
            for i in range(block) where !region.ops[i].dst.isNone {
                let t = region.ops[i].dst.i
                assigns[block * words + t / 64] |= 1 << UInt64(t % 64)
                if region.temps[t].kind == .temp && isAssigned[t] {
                    place = .op(block: block, op: i)
                    fail("a second assignment of a temp")
                }
                isAssigned[t] = true
            }
        }
        var hasChanged = true
        while hasChanged {
            hasChanged = false
            for block in 0..<blockCount {
                for target in region.successors(of: block) {
                    for w in 0..<words {
                        let met = entry[target * words + w] & (entry[block * words + w] | assigns[block * words + w])
                        if met != entry[target * words + w] {
                            entry[target * words + w] = met
                            hasChanged = true
                        }
                    }
                }
            }
        }
        for block in 0..<blockCount {
            var now = Array(entry[block * words..<(block + 1) * words])
            for i in range(block) {
                let op = region.ops[i]
                for field in sourceFields(op) {
                    let t = op[field].i
                    let kind = region.temps[t].kind
                    if (kind == .temp || kind == .local) && now[t / 64] & (1 << UInt64(t % 64)) == 0 {
                        place = .op(block: block, op: i)
                        fail("operand \(field) is not assigned on every path to here")
                    }
                }
                if !op.dst.isNone { now[op.dst.i / 64] |= 1 << UInt64(op.dst.i % 64) }
            }
        }
    }

    private func sourceFields(_ op: Op) -> Range<Int> {
        0..<OpcodeTable.shared.sources(op)
    }
}
