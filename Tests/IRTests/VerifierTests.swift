// The verifier: good regions pass, and each kind of bad region is refused with a message that says what is wrong.

import Testing

@testable import IR

private func messages(_ region: Region) -> [String] { region.verify(globals: testGlobals, helpers: testHelpers) }

/// The messages on a text (without its `region` line).
private func messages(_ body: String) throws -> [String] {
    let region = try parsed("region 0x1000 flags 0\n" + body)
    defer { region.deallocate() }
    return messages(region)
}

/// A region of the given ops as one block, on the test globals; `change` may break it further.
private func messages(_ ops: [Op], change: (Region) -> Void = { _ in }) -> [String] {
    let region = Region.allocate(globals: testGlobals)
    defer { region.deallocate() }
    region.reset(pc: 0x1000)
    // Constant 6: i64 3. Temp 7: an i64 temp.
    _ = region.const(3, .i64)
    _ = region.newTemp(.temp, .i64)
    for op in ops { region.append(op) }
    region.blocks[0] = Block(start: 0, end: UInt32(ops.count), guestPC: 0x1000)
    region.s.pointee.blockCount = 1
    change(region)
    return messages(region)
}

private let end = Op(.exitTB, .i64, imm: 16)

@Test func aLoopWithLocalsVerifies() throws {
    let found = try messages(
        """
        block0:
          $9 = mov.i64 0
          br block1
        block1 loop:
          %10 = add.i64 $9, a0
          $9 = mov.i64 %10
          brcond.ltu.i64 %10, a1, block1, block2
        block2:
          a0 = mov.i64 %10
          goto_tb 0, 0x1004
        """)
    #expect(found == [])
}

@Test(arguments: [
    // Values and paths
    ("block0:\n  a0 = mov.i64 %9:i64\n  exit_tb 16", "operand 0 is not assigned on every path to here"),
    ("block0:\n  a0 = mov.i64 %9\n  %9 = mov.i64 a1\n  exit_tb 16", "operand 0 is not assigned on every path to here"),
    (
        "block0:\n  brcond.eq.i64 a0, a1, block1, block2\nblock1:\n  %9 = mov.i64 a0\n  br block2\n"
            + "block2:\n  a1 = mov.i64 %9\n  exit_tb 16", "operand 0 is not assigned on every path to here"
    ),
    (
        "block0:\n  br block1\nblock1:\n  a0 = mov.i64 $9\n  $9 = mov.i64 a1\n  br block1",
        "operand 0 is not assigned on every path to here"
    ),
    ("block0:\n  %9 = mov.i64 a0\n  %9 = mov.i64 a1\n  exit_tb 16", "a second assignment of a temp"),
    ("block0:\n  brcond.eq.i64 %9:i64, a1, block0, block0", "operand 0 is not assigned"),
    ("block0:\n  a0 = call sum(a0, %9:i64)\n  exit_tb 16", "operand 1 is not assigned"),
    // Types
    ("block0:\n  a0 = add.i64 a0, w0\n  exit_tb 16", "operand 1 is i32"),
    ("block0:\n  w0 = add.i64 a0, a0\n  exit_tb 16", "the result's type is i32"),
    ("block0:\n  a0 = mov.i64 f0\n  exit_tb 16", "operand 0 is f64"),
    ("block0:\n  f0 = fadd.f64 f0, s0\n  exit_tb 16", "operand 1 is f32"),
    ("block0:\n  f0 = bitcast.f64 s0\n  exit_tb 16", "operand 0 is f32"),
    ("block0:\n  a0 = bitcast.i64 a1\n  exit_tb 16", "operand 0 is i64"),
    ("block0:\n  a0 = trunc a0\n  exit_tb 16", "the result's type is i64"),
    ("block0:\n  w0 = fsetcond.eq.f64 f0, f0\n  exit_tb 16", "the result's type is i32"),
    ("block0:\n  f0 = setcond.eq.i64 a0, a0\n  exit_tb 16", "the result's type is f64"),
    ("block0:\n  f0 = select.eq.i64 a0, a0, f0, s0\n  exit_tb 16", "operand 3 is f32"),
    ("block0:\n  f0 = itof.f64 f0\n  exit_tb 16", "operand 0 is f64"),
    ("block0:\n  s0 = fcvt.from64.to32 s0\n  exit_tb 16", "operand 0 is f32"),
    ("block0:\n  a0 = gld.i64.u8 [f0]\n  exit_tb 16", "operand 0 is f64"),
    ("block0:\n  lookup_and_goto w0", "operand 0 is i32"),
    ("block0:\n  a0 = call sum(a0, w0)\n  exit_tb 16", "operand 1 is i32"),
    ("block0:\n  f0 = add.f64 f0, f0\n  exit_tb 16", "type f64 is not possible"),
    ("block0:\n  a0 = fadd.i64 a0, a0\n  exit_tb 16", "type i64 is not possible"),
    ("block0:\n  %9 = add.v128 %8:v128, %8:v128\n  exit_tb 16", "v128 is not lowered by any host yet"),
    ("block0:\n  %9 = gld.v256.u256 [a0]\n  exit_tb 16", "v256 is not lowered by any host yet"),
    ("block0:\n  %9:v64 = select.eq.i64 a0, a0, a0, a0\n  exit_tb 16", "v64 is not lowered by any host yet"),
    // Memory descriptors, fields, numbers
    ("block0:\n  w0 = ld.i32.u64 [0]\n  exit_tb 16", "an access of 8 bytes does not go with i32"),
    ("block0:\n  st.f64.u32 [0], f0\n  exit_tb 16", "an access of 4 bytes does not go with f64"),
    ("block0:\n  a0 = gld.i64.u128 [a0]\n  exit_tb 16", "an access of 16 bytes does not go with i64"),
    ("block0:\n  s0 = gld.f32.u16 [a0]\n  exit_tb 16", "an access of 2 bytes does not go with f32"),
    ("block0:\n  w0 = grmw.add.i32.u64 [a0], w0\n  exit_tb 16", "an access of 8 bytes does not go with i32"),
    ("block0:\n  a0 = extract.i64 a0, 60, 5\n  exit_tb 16", "the field is not within i64"),
    ("block0:\n  w0 = deposit.i32 w0, w0, 31, 2\n  exit_tb 16", "the field is not within i32"),
    ("block0:\n  a0 = sextract.i64 a0, 0, 0\n  exit_tb 16", "the field is not within i64"),
    // Control
    ("block0:\n  a0 = mov.i64 a1", "the last op is not a terminator"),
    ("block0:\n  exit_tb 16\n  exit_tb 16", "a terminator in the middle of a block"),
    ("block0:\n  br block1\nblock1:", "bad range 1..<1 of 1 ops"),
    // Helpers and slots
    ("block0:\n  a0 = call sum(a0)\n  exit_tb 16", "the helper takes 2 arguments"),
    ("block0:\n  push_return 0, 0x10\n  goto_tb 0, 0x20", "slot 0 is used twice"),
    ("block0:\n  goto_tb 256, 0x20", "more than 256 slots"),
]) func badRegionIsRefused(_ body: String, _ message: String) throws {
    let found = try messages(body)
    #expect(found.contains { $0.contains(message) }, "\(found)")
}

@Test func messagesNameTheBlockAndTheOp() throws {
    #expect(
        try messages("block0:\n  br block1\nblock1:\n  a0 = add.i64 a0, w0\n  exit_tb 16")
            == ["block1, `a0 = add.i64 a0, w0`: operand 1 is i32"])
}

@Test func malformedStorageIsRefused() {
    func check(_ message: String, _ found: [String], sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(found.contains { $0.contains(message) }, "\(found)", sourceLocation: sourceLocation)
    }
    let a0 = Temp(0)
    #expect(messages([end]) == [])
    check("assigns a constant", messages([Op(.mov, .i64, dst: Temp(6), a: a0), end]))
    check("no result", messages([Op(.mov, .i64, a: a0), end]))
    check("a result that has no meaning", messages([Op(.fence, .i64, dst: a0), end]))
    check("the result does not exist", messages([Op(.mov, .i64, dst: Temp(8), a: a0), end]))
    check("operand 1 is missing", messages([Op(.add, .i64, dst: a0, a: a0), end]))
    check("operand 1 does not exist", messages([Op(.add, .i64, dst: a0, a: a0, b: Temp(8)), end]))
    check("operand 2 has no meaning", messages([Op(.add, .i64, dst: a0, a: a0, b: a0, c: a0), end]))
    check("operand 3 has no meaning", messages([Op(.br, .i64, c: Temp(0), d: Temp(0))]))
    check("no such block", messages([Op(.br, .i64, c: Temp(1))]))
    check("no such block", messages([Op(.br, .i64)]))
    check("no such block", messages([Op(.brcond, .i64, a: a0, b: a0, c: Temp(0), d: Temp(1))]))
    check("no such helper", messages([Op(.call, .i64, imm: 3), end]))
    check("no such helper", messages([Op(.call, .i64, imm: -1), end]))
    check("the helper has a result", messages([Op(.call, .i64, aux: 2, a: a0, b: a0, imm: 1), end]))
    check("the helper has no result", messages([Op(.call, .i64, dst: a0, imm: 0), end]))
    check("`aux` has bits without meaning", messages([Op(.add, .i64, aux: 1, dst: a0, a: a0, b: a0), end]))
    check("bad condition", messages([Op(.setcond, .i64, aux: 12, dst: a0, a: a0, b: a0), end]))
    check("bad rounding", messages([Op(.fneg, .f64, aux: 5, dst: Temp(5), a: Temp(5)), end]))
    check("bad sign", messages([Op(.fcopysign, .f64, aux: 3, dst: Temp(5), a: Temp(5), b: Temp(5)), end]))
    check("bad atomic", messages([Op(.grmw, .i64, aux: 0xf003, dst: a0, a: a0, b: a0), end]))
    check("bad boxed", messages([Op(.boxf, .f64, aux: 3 << 10, dst: Temp(5), a: Temp(4)), end]))
    check("bad source", messages([Op(.fcvt, .f64, aux: 3 << 10 | 7, dst: Temp(5), a: Temp(4)), end]))
    check(
        "type f32 is not possible", messages([Op(.fcvt, .f32, aux: 3 << 10 | 2 << 8, dst: Temp(4), a: Temp(4)), end]))
    check("`imm` has no meaning", messages([Op(.grmw, .i64, aux: 3, dst: a0, a: a0, b: a0, imm: 8), end]))
    check("slot 0 of 0", messages([Op(.gotoTB, .i64, imm: 8)]))
    check("no block", messages([end]) { $0.s.pointee.blockCount = 0 })
    check("bad range 0..<2 of 1 ops", messages([end]) { $0.blocks[0].end = 2 })
    check("bad range 0..<0", messages([end]) { $0.blocks[0].end = 0 })
    check(
        "overlaps another block",
        messages([end]) {
            $0.blocks[1] = $0.blocks[0]
            $0.s.pointee.blockCount = 2
        })
    check("a capacity ran out", messages([end]) { $0.s.pointee.overflowed = true })
    check(
        "6 globals, not 5",
        messages([end]) { _ in }
            + {
                let region = Region.allocate(globals: testGlobals)
                defer { region.deallocate() }
                return region.verify(globals: Array(testGlobals.dropLast()), helpers: [])
            }())
    check("differs from the description of global a1", messages([end]) { $0.temps[1].value = 16 })
    check("globals come first", messages([end]) { $0.temps[7].kind = .global })
    check(
        "an i32 constant is kept sign-extended",
        messages([end]) {
            $0.temps[6] = TempInfo(kind: .const, type: .i32, value: 0xffff_ffff)
        })
    check("a constant is an integer", messages([end]) { $0.temps[6].type = .f64 })
}

@Test func constantShiftCountsNeedNotBeBelowTheWidth() throws {
    #expect(try messages("block0:\n  a0 = shl.i64 a0, 70\n  exit_tb 16") == [])
}

@Test func anUnreachableBlockIsCheckedButAssumesItsInputs() throws {
    #expect(try messages("block0:\n  exit_tb 16\nblock1:\n  a0 = mov.i64 %9:i64\n  exit_tb 16") == [])
    #expect(try messages("block0:\n  exit_tb 16\nblock1:\n  a0 = mov.i64 w0\n  exit_tb 16") != [])
}

@Test func aRegionBeyondCapacityIsRefusedNotTrapped() {
    let region = Region.allocate(globals: testGlobals, opCapacity: 4, tempCapacity: 8, blockCapacity: 2)
    defer { region.deallocate() }
    region.reset(pc: 0)
    var ir = IRBuilder(region: region)
    let entry = ir.newBlock()
    ir.begin(entry)
    for i in 0..<20 { _ = ir.add(Temp(0), ir.const(Int64(i))) }
    #expect(messages(region) == ["region: a capacity ran out while it was built"])
}
