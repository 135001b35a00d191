// The assembler's buffer, labels, jumps and patching; and `check`, which the other assembler tests use too.

import CodeGenX64
import Testing

/// Where the code under test pretends to execute.
let testOrigin: UInt = 0x10000

/// Assembles into a buffer of `capacity` bytes and gives what was written. Canaries behind the buffer must survive.
func assembled(
    capacity: Int = 4096, sourceLocation: SourceLocation = #_sourceLocation, _ body: (inout Assembler) -> Void
) -> [UInt8] {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: capacity + 64, alignment: 64)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0xA5, count: capacity + 64)
    var assembler = Assembler(
        start: memory, end: memory + capacity, rxDelta: Int(bitPattern: testOrigin &- UInt(bitPattern: memory)))
    body(&assembler)
    let bytes = UnsafeRawBufferPointer(start: memory, count: capacity + 64)
    #expect(bytes[capacity...].allSatisfy { $0 == 0xA5 }, "wrote past the end", sourceLocation: sourceLocation)
    return Array(bytes[..<assembler.offset])
}

private func hexText(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

/// Expects the bytes (spaces and line ends do not count) from the call.
func check(
    _ text: String, _ hex: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (inout Assembler) -> Void
) {
    let got = hexText(assembled(sourceLocation: sourceLocation, body))
    let expected = hex.filter { !$0.isWhitespace }
    #expect(got == expected, "\(text)", sourceLocation: sourceLocation)
}

/// Expects the bytes from the call with each general-purpose register in turn.
func checkEachGPR(
    _ text: String, _ hex: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (inout Assembler, GPR) -> Void
) {
    check(text, hex, sourceLocation: sourceLocation) { for r in GPR.allCases { body(&$0, r) } }
}

/// Expects the bytes from the call with each vector register in turn.
func checkEachXMM(
    _ text: String, _ hex: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (inout Assembler, XMM) -> Void
) {
    check(text, hex, sourceLocation: sourceLocation) { for r in XMM.allCases { body(&$0, r) } }
}

@Test func labelsResolveForwardAndBackward() {
    check(
        "every kind of reference",
        """
        90 e933000000 0f852d000000 488d0526000000 833d1f00000001 813d1500000078563412
        ebda 72d8 e80c000000 e8ceffffff 488d0dc7ffffff c3
        """
    ) {
        let back = $0.here()
        let forward = $0.newLabel()
        $0.nop()
        $0.jmp(forward)
        $0.jcc(.ne, forward)
        $0.lea(.qword, .rax, .rip(forward))
        $0.alu(.cmp, .dword, .rip(forward), imm: 1)
        $0.alu(.cmp, .dword, .rip(forward), imm: 0x12345678)
        $0.jmp(back)
        $0.jcc(.b, back)
        $0.call(forward)
        $0.call(back)
        $0.lea(.qword, .rcx, .rip(back))
        #expect($0.allReferencesResolved == false)
        #expect($0.offset(of: forward) == nil)
        $0.bind(forward)
        #expect($0.allReferencesResolved == true)
        #expect($0.offset(of: forward) == 0x39)
        $0.ret()
    }
}

@Test func backwardJumpsAreShortUpTo128BytesAndLongBeyond() {
    for (distance, code) in [(126, "eb80"), (127, "e97cffffff")] {
        check("jmp", String(repeating: "cc", count: distance) + code) {
            let label = $0.here()
            for _ in 0..<distance { $0.int3() }
            $0.jmp(label)
        }
    }
    for (distance, code) in [(126, "7480"), (127, "0f847bffffff")] {
        check("je", String(repeating: "cc", count: distance) + code) {
            let label = $0.here()
            for _ in 0..<distance { $0.int3() }
            $0.jcc(.e, label)
        }
    }
}

@Test func shortForwardJumpsLandWhereTold() {
    check("jne over; jmp over", "7503 cccccc eb01 cc c3") {
        let skip = $0.jccShort(.ne)
        for _ in 0..<3 { $0.int3() }
        $0.land(skip)
        let over = $0.jmpShort()
        $0.int3()
        $0.land(over)
        $0.ret()
    }
    let longest = assembled {
        let skip = $0.jmpShort()
        for _ in 0..<127 { $0.int3() }
        $0.land(skip)
    }
    #expect(longest[..<2] == [0xEB, 0x7F])
}

@Test func manyLabelsAndReferencesResolve() {
    let count = 1000
    let bytes = assembled(capacity: 64 * 1024) {
        var labels: [Label] = []
        for _ in 0..<count { labels.append($0.newLabel()) }
        for i in 0..<2 * count { $0.jmp(labels[i % count]) }
        for label in labels {
            $0.bind(label)
            $0.int3()
        }
        #expect($0.allReferencesResolved == true)
    }
    #expect(bytes.count == 11 * count)
    for i in 0..<2 * count {
        let field = 5 * i + 1
        let distance = (0..<4).reduce(0) { $0 | Int(bytes[field + $1]) << (8 * $1) }
        #expect(field + 4 + distance == 10 * count + i % count)
    }
}

@Test func labelsOfFormerCodeAreForgotten() {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 16)
    defer { memory.deallocate() }
    var assembler = Assembler(start: memory, end: memory + 30, rxDelta: 0)
    assembler.jmp(assembler.newLabel())
    for _ in 0..<30 { assembler.int3() }
    #expect(assembler.overflowed == true)
    assembler.begin(start: memory + 128, end: memory + 256, rxDelta: 0)
    #expect(assembler.overflowed == false)
    #expect(assembler.allReferencesResolved == true)
    #expect(assembler.offset == 0)
    let label = assembler.newLabel()
    assembler.jmp(label)
    assembler.bind(label)
    #expect(memory.loadUnaligned(fromByteOffset: 128, as: UInt32.self) == 0x0000_00E9)
}

@Test func absoluteTargetsAreRelativeToTheExecutableAddress() {
    check("jmp, je, call", "e9fb0f0000 0f84f50f0000 e8f00f0000") {
        $0.jmp(to: testOrigin + 0x1000)
        $0.jcc(.e, to: testOrigin + 0x1000)
        $0.call(to: testOrigin + 0x1000, scratch: .r11)
    }
    check("call and jmp out of reach", "49bbf0debc9a78563412 41ffd3 48b8f0debc9a78563412 ffe0") {
        #expect($0.reaches(0x1234_5678_9ABC_DEF0) == false)
        $0.call(to: 0x1234_5678_9ABC_DEF0, scratch: .r11)
        $0.jmp(to: 0x1234_5678_9ABC_DEF0, scratch: .rax)
    }
    check("call just out of reach", "41bb00000180 41ffd3") {
        $0.call(to: testOrigin + 0x8000_0000, scratch: .r11)
    }
}

@Test func patchableJumpIsAlignedAndRetargets() {
    for lead in 0..<8 {
        let bytes = assembled {
            for _ in 0..<lead { $0.int3() }
            let field = $0.patchableJump()
            #expect((Int(testOrigin) + field) % 4 == 0)
            #expect(field == $0.offset - 4)
            let place = $0.start + field
            #expect(Assembler.jumpTarget(place, rxDelta: $0.rxDelta) == $0.address)
            $0.patchJump(at: field, to: testOrigin &- 0x5000)
            #expect(Assembler.jumpTarget(place, rxDelta: $0.rxDelta) == testOrigin - 0x5000)
            Assembler.patchJump(place, rxDelta: $0.rxDelta, to: testOrigin + 0x100)
        }
        let distance = bytes.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        #expect(bytes[bytes.count - 5] == 0xE9)
        #expect(distance == 0x100 - bytes.count)
    }
}

@Test func noOperationsAreTheRecommendedOnes() {
    let forms = [
        "90", "6690", "0f1f00", "0f1f4000", "0f1f440000", "660f1f440000", "0f1f8000000000", "0f1f840000000000",
        "660f1f840000000000", "660f1f84000000000090",
    ]
    for (i, form) in forms.enumerated() { check("nop", form) { $0.nop(bytes: i + 1) } }
    check("align", "cc 660f1f840000000000 660f1f440000 c3 660f1f840000000000 660f1f440000") {
        $0.int3()
        $0.align(16)
        #expect($0.offset == 16 - 1 + 1)
        $0.align(16)
        $0.ret()
        $0.align(1)
        $0.align(16)
    }
}

@Test func dataIsLittleEndian() {
    check("data", "efcdab8967452301 78563412") {
        $0.data(0x0123_4567_89AB_CDEF)
        $0.data32(0x1234_5678)
    }
}

/// The instruction that is longest when written wide, at every distance from the end.
@Test func overflowWritesNothingAndStays() {
    for capacity in 0..<80 {
        let bytes = assembled(capacity: capacity) {
            let label = $0.newLabel()
            var written = 0
            for _ in 0..<20 {
                $0.mov(.qword, Address(.rbp, index: .r9, .x8, 0x12345678), imm: 0x12345678)
                if !$0.overflowed { written = $0.offset }
                $0.jcc(.e, label)
                if !$0.overflowed { written = $0.offset }
            }
            #expect($0.overflowed == true)
            #expect($0.offset == written)
            $0.data(0)
            $0.nop(bytes: 100)
            $0.align(16)
            $0.mov(.rax, imm: 0x1234_5678_9ABC)
            $0.land($0.jccShort(.e))
            _ = $0.patchableJump()
            $0.bind(label)
            #expect($0.offset == written)
        }
        #expect(bytes.count <= capacity)
    }
}

@Test func conditionsInvert() {
    let pairs: [(ConditionCode, ConditionCode)] = [
        (.o, .no), (.b, .ae), (.e, .ne), (.be, .a), (.s, .ns), (.p, .np), (.l, .ge), (.le, .g),
    ]
    for (a, b) in pairs {
        #expect(a.inverted == b)
        #expect(b.inverted == a)
    }
}
