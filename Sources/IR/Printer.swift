// The IR as text: one op per line, globals and helpers by name.
//
//     region 0x10400 flags 0 insns 2 bytes 8
//     block0 loop @0x10400:
//       insn_start 0x10400
//       a0 = add.i64 a1, 16
//       %40 = gld.i64.u32 [a0 + 8]
//       %41:i32 = setcond.ltu.i64 %40, 5
//       brcond.ltu.i64 %40, a2, block0, block1
//     block1 cold @0x10410:
//       goto_tb 0, 0x10410
//
// `%N` is a temp, `$N` a local; N is its index. A constant is a literal. A type after a colon is written where it is
// not the one that follows from the op: at a result, at a constant, and at every use of a temp that no op assigns.
// Blocks stand in the order of their ops. `#` starts a comment. Printing takes any region, also one that does not
// verify.

extension Region {
    /// The region's text; `parse` reads it back.
    public func print(globals: [GlobalDescriptor], helpers: [HelperDescriptor]) -> String {
        var text = "region \(hex(s.pointee.guestPC)) flags \(number(Int64(bitPattern: s.pointee.guestFlags)))"
        if s.pointee.guestInstructions != 0 { text += " insns \(s.pointee.guestInstructions)" }
        if s.pointee.guestLength != 0 { text += " bytes \(s.pointee.guestLength)" }
        if slotCount != slotsInUse { text += " slots \(slotCount)" }
        text += "\n"
        let printer = OpPrinter(region: self, globals: globals, helpers: helpers)
        for id in (0..<blockCount).sorted(by: { (blocks[$0].start, $0) < (blocks[$1].start, $1) }) {
            let block = blocks[id]
            text += "block\(id)\(block.isCold ? " cold" : "")\(block.isLoopHeader ? " loop" : "")"
            if block.weight != 0 { text += " weight \(block.weight)" }
            text += block.guestPC == 0 ? ":\n" : " @\(hex(block.guestPC)):\n"
            let end = min(Int(block.end), opCount)
            for i in min(Int(block.start), end)..<end { text += "  " + printer.print(ops[i]) + "\n" }
        }
        return text
    }

    /// One op as text, for messages and logs.
    public func print(_ op: Op, globals: [GlobalDescriptor], helpers: [HelperDescriptor]) -> String {
        OpPrinter(region: self, globals: globals, helpers: helpers).print(op)
    }

    /// One more than the highest slot that an op uses.
    var slotsInUse: Int {
        var count = 0
        for i in 0..<opCount where ops[i].usesSlot {
            count = max(count, ops[i].slot + 1)
        }
        return count
    }

    /// True when both regions have the same blocks with the same ops on the same temps. The numbers of constants, temps
    /// that nothing uses and the order of the blocks' ops in storage do not matter.
    public func hasSameContents(as other: Region) -> Bool {
        let x = s.pointee, y = other.s.pointee
        guard x.guestPC == y.guestPC, x.guestFlags == y.guestFlags, x.guestInstructions == y.guestInstructions,
            x.guestLength == y.guestLength, x.slotCount == y.slotCount, x.globalCount == y.globalCount,
            x.blockCount == y.blockCount
        else { return false }
        for i in 0..<blockCount {
            let p = blocks[i], q = other.blocks[i]
            guard p.guestPC == q.guestPC, p.isCold == q.isCold, p.isLoopHeader == q.isLoopHeader,
                p.weight == q.weight, p.end &- p.start == q.end &- q.start
            else { return false }
            for k in 0..<Int(p.end &- p.start) {
                let a = ops[Int(p.start) + k], b = other.ops[Int(q.start) + k]
                guard a.opcode == b.opcode, a.type == b.type, a.aux == b.aux, a.imm == b.imm,
                    isSame(a.dst, other, b.dst)
                else { return false }
                for field in 0..<4 {
                    let isBlock = a.opcode.form.operands.contains { if case .block(field) = $0 { true } else { false } }
                    guard isBlock ? a[field] == b[field] : isSame(a[field], other, b[field]) else { return false }
                }
            }
        }
        return true
    }

    private func isSame(_ t: Temp, _ other: Region, _ u: Temp) -> Bool {
        if t.isNone || u.isNone || t.i >= tempCount || u.i >= other.tempCount { return t == u }
        let x = temps[t.i], y = other.temps[u.i]
        return x.kind == y.kind && x.type == y.type && (x.kind == .const ? x.value == y.value : t == u)
    }
}

/// A number that is an address.
func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

/// Small numbers in decimal, others in hexadecimal.
func number(_ value: Int64) -> String {
    if value.magnitude < 4096 { return String(value) }
    return (value < 0 ? "-0x" : "0x") + String(value.magnitude, radix: 16)
}

private struct OpPrinter {
    let region: Region
    let globals: [GlobalDescriptor]
    let helpers: [HelperDescriptor]
    /// Temps that some op assigns.
    var isAssigned: [Bool]

    init(region: Region, globals: [GlobalDescriptor], helpers: [HelperDescriptor]) {
        self.region = region
        self.globals = globals
        self.helpers = helpers
        isAssigned = Array(repeating: false, count: region.tempCount)
        for i in 0..<region.opCount where region.ops[i].dst.i < isAssigned.count {
            isAssigned[region.ops[i].dst.i] = true
        }
    }

    func print(_ op: Op) -> String {
        let form = op.opcode.form
        var text = ""
        var resultType = op.type
        if !op.dst.isNone {
            text = name(op.dst)
            if op.dst.i < region.tempCount {
                resultType = region.type(op.dst)
                if !region.isGlobal(op.dst) && resultType != form.result.unwritten(op) { text += ":\(resultType.name)" }
            }
            text += " = "
        }
        text += op.opcode.text
        let words = { (isKind: Bool) in
            form.qualifiers.filter { $0.isKind == isKind }.flatMap { $0.print(op.aux) ?? ["?"] }
        }
        for word in words(true) { text += "." + word }
        if form.types.isPrinted { text += ".\(op.type.name)" }
        for word in words(false) { text += "." + word }
        let operands = form.operands.map { operand($0, op, resultType) }
        return operands.isEmpty ? text : text + " " + operands.joined(separator: ", ")
    }

    private func operand(_ form: OperandForm, _ op: Op, _ resultType: ValueType) -> String {
        switch form {
        case .value(let field, let rule): return source(op[field], rule.unwritten(op, result: resultType))
        case .block(let field): return "block\(op[field].index)"
        case .plainAddress: return "[\(source(op.a, .i64))]"
        case .address:
            if op.imm == 0 { return "[\(source(op.a, .i64))]" }
            let magnitude = op.imm.magnitude
            let text = magnitude < 4096 ? String(magnitude) : hex(magnitude)
            return "[\(source(op.a, .i64)) \(op.imm < 0 ? "-" : "+") \(text)]"
        case .stateOffset: return "[\(number(op.imm))]"
        case .field: return "\(op.fieldPosition), \(op.fieldLength)"
        case .slot: return String(op.slot)
        case .guestPC: return hex(UInt64(bitPattern: op.imm))
        case .number: return number(op.imm)
        case .helperCall:
            let index = op.imm
            let helper = index >= 0 && index < helpers.count ? "\(helpers[Int(index)].name)" : "?helper\(index)"
            return helper + "(" + (0..<min(op.callArguments, 4)).map { source(op[$0], .i64) }.joined(separator: ", ")
                + ")"
        }
    }

    private func source(_ t: Temp, _ unwritten: ValueType) -> String {
        guard t.i < region.tempCount, !region.isGlobal(t) else { return name(t) }
        let info = region.temps[t.i]
        let showsType = info.kind == .const ? info.type != unwritten : !isAssigned[t.i]
        return showsType ? "\(name(t)):\(info.type.name)" : name(t)
    }

    private func name(_ t: Temp) -> String {
        if t.isNone { return "?" }
        guard t.i < region.tempCount else { return "?\(t.index)" }
        let info = region.temps[t.i]
        return switch info.kind {
        case .global: t.i < globals.count ? globals[t.i].name : "?global\(t.index)"
        case .temp: "%\(t.index)"
        case .local: "$\(t.index)"
        case .const: number(info.value)
        }
    }
}
