// The interpreter's memory ops: size, extension, byte order, alignment, atomics and faults.

import CodeGen
import CodeGenInterpreter
import IR
import Testing

/// 64 bytes of guest memory: byte n holds 0x80 + n.
private final class Guest {
    let base: UnsafeMutableRawPointer
    init() {
        base = .allocate(byteCount: 64, alignment: 64)
        for i in 0..<64 { base.storeBytes(of: UInt8(0x80 + i), toByteOffset: i, as: UInt8.self) }
    }
    deinit { base.deallocate() }
    var address: UInt64 { UInt64(UInt(bitPattern: base)) }
    subscript(offset: Int) -> UInt8 {
        get { base.load(fromByteOffset: offset, as: UInt8.self) }
        set { base.storeBytes(of: newValue, toByteOffset: offset, as: UInt8.self) }
    }
    func bytes(_ range: Range<Int>) -> [UInt8] { range.map { self[$0] } }
    /// The number that the bytes are.
    func number(_ range: Range<Int>, bigEndian: Bool = false) -> UInt64 {
        (bigEndian ? bytes(range) : bytes(range).reversed()).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

private func signExtended(_ value: UInt64, _ bits: Int) -> UInt64 {
    value >> UInt64(bits - 1) & 1 == 0 || bits == 64 ? value : value | UInt64.max << UInt64(bits)
}

@Test(arguments: [8, 16, 32, 64], [false, true]) func loadsExtendAndOrderBytes(_ bits: Int, _ bigEndian: Bool) throws {
    let bench = Bench()
    let guest = Guest()
    bench["a0"] = guest.address
    let be = bigEndian ? ".be" : ""
    // An odd address: alignment is not asked for.
    try bench.run(
        "  a1 = gld.i64.u\(bits)\(be) [a0 + 3]\n  a2 = gld.i64.s\(bits)\(be) [a0 + 3]\n  a0 = add.i64 a0, 16\n"
            + "  a3 = gld.i64.u\(bits)\(be) [a0 - 13]\n"
            + (bits <= 32 ? "  %40 = gld.i32.s\(bits)\(be) [a0 - 13]\n  a0 = sext %40\n" : ""))
    let want = guest.number(3..<3 + bits / 8, bigEndian: bigEndian)
    #expect(bench["a1"] == want && bench["a3"] == want)
    #expect(bench["a2"] == signExtended(want, bits))
    if bits <= 32 { #expect(bench["a0"] == signExtended(want, bits)) }
}

@Test func anUnsignedLoadIntoI32IsAnI32() throws {
    let bench = Bench()
    let guest = Guest()
    bench["a0"] = guest.address
    try bench.run(
        "  %40 = gld.i32.u32 [a0]\n  a1 = sext %40\n  a2 = zext %40\n  %41 = gld.f32.u32 [a0]\n  s0 = mov.f32 %41\n"
            + "  f0 = gld.f64.u64 [a0]")
    #expect(bench["a1"] == 0xffff_ffff_8382_8180 && bench["a2"] == 0x8382_8180)
    #expect(bench["s0"] == 0x8382_8180 && bench["f0"] == 0x8786_8584_8382_8180)
}

@Test(arguments: [8, 16, 32, 64], [false, true]) func storesWriteExactlyTheirBytes(_ bits: Int, _ bigEndian: Bool)
    throws
{
    let bench = Bench()
    let guest = Guest()
    bench["a0"] = guest.address
    bench["a1"] = 0x1122_3344_5566_7788
    try bench.run("  gst.i64.u\(bits)\(bigEndian ? ".be" : "") [a0 + 5], a1")
    let size = bits / 8
    #expect(guest.bytes(0..<5) == [0x80, 0x81, 0x82, 0x83, 0x84])
    let low: [UInt8] = Array([0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11][..<size])
    #expect(guest.bytes(5..<5 + size) == (bigEndian ? low.reversed() : low))
    #expect(guest[5 + size] == UInt8(0x80 + 5 + size))
}

@Test func theStateIsReadAndWrittenInAnySize() throws {
    let bench = Bench()
    let at = Bench.scratch
    for i in 0..<16 { bench.state.storeBytes(of: UInt8(0xf0 + i), toByteOffset: at + i, as: UInt8.self) }
    try bench.run(
        """
          a0 = ld.i64.u8 [\(at + 1)]
          a1 = ld.i64.s16 [\(at + 1)]
          a2 = ld.i64.u32.be [\(at + 1)]
          a3 = ld.i64.u64 [\(at + 1)]
          s0 = ld.f32.u32 [\(at)]
          f0 = ld.f64.u64 [\(at)]
          st.i64.u16 [\(at + 33)], 0x12345
          st.i32.u32.be [\(at + 40)], 0x11223344
          st.f64.u64 [\(at + 48)], f0
          st.f32.u32 [\(at + 57)], s0
        """)
    #expect(bench["a0"] == 0xf1 && bench["a1"] == 0xffff_ffff_ffff_f2f1 && bench["a2"] == 0xf1f2_f3f4)
    #expect(bench["a3"] == 0xf8f7_f6f5_f4f3_f2f1 && bench["s0"] == 0xf3f2_f1f0 && bench["f0"] == 0xf7f6_f5f4_f3f2_f1f0)
    func bytes(_ range: Range<Int>) -> [UInt8] {
        range.map { bench.state.load(fromByteOffset: at + $0, as: UInt8.self) }
    }
    #expect(bytes(32..<36) == [0, 0x45, 0x23, 0])
    #expect(bytes(40..<44) == [0x11, 0x22, 0x33, 0x44])
    #expect(bytes(48..<56) == [0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7])
    #expect(bytes(56..<62) == [0, 0xf0, 0xf1, 0xf2, 0xf3, 0])
}

@Test func theHeaderIsBelowTheState() throws {
    let bench = Bench()
    bench.header.pointee.fpRounding = 3
    try bench.run("  a0 = ld.i64.u32 [\(VCPUHeader.offset(of: \.fpRounding))]")
    #expect(bench["a0"] == 3)
}

// MARK: Atomics

@Test(arguments: AtomicOp.allCases, [8, 16, 32, 64])
func readModifyWritesStoreTheirResultAndReturnTheOldValue(_ kind: AtomicOp, _ bits: Int) throws {
    let mask: UInt64 = bits == 64 ? .max : 1 << UInt64(bits) - 1
    let values: [UInt64] = [0, 1, 5, mask >> 1, mask >> 1 + 1, mask - 1, mask, 0x0123_4567_89ab_cdef & mask]
    func want(_ x: UInt64, _ y: UInt64) -> UInt64 {
        let (s, t) = (Int64(bitPattern: signExtended(x, bits)), Int64(bitPattern: signExtended(y, bits)))
        return switch kind {
        case .swap: y
        case .add: (x &+ y) & mask
        case .and: x & y
        case .or: x | y
        case .xor: x ^ y
        case .smin: s < t ? x : y
        case .smax: s > t ? x : y
        case .umin: min(x, y)
        case .umax: max(x, y)
        }
    }
    let bench = Bench()
    let guest = Guest()
    for flags in ["", ".be", ".al"] {
        let compiled = try bench.compile(
            "block0:\n  a2 = grmw.\(kind).i64.u\(bits)\(flags) [a0], a1\n"
                + "  a3 = grmw.swap.i64.s\(bits)\(flags) [a0], a3\n"
                + (bits <= 32 ? "  w0 = grmw.\(kind).i32.s\(bits)\(flags) [a0], w1\n" : "") + "  exit_tb 16\n")
        bench["a0"] = guest.address + 8
        for x in values {
            for y in values {
                for i in 0..<8 { guest[8 + i] = 0xcc }
                for i in 0..<bits / 8 {
                    guest[8 + (flags == ".be" ? bits / 8 - 1 - i : i)] = UInt8(truncatingIfNeeded: x >> UInt64(8 * i))
                }
                // Bits above the access's size do not count.
                bench["a1"] = bits == 64 ? y : y | 0xaa << 56
                bench["a3"] = x
                bench["w1"] = y
                #expect(bench.enter(compiled).reason == 16)
                #expect(bench["a2"] == x)
                #expect(bench["a3"] == signExtended(want(x, y), bits))
                let last = bits <= 32 ? want(x, y) : x
                #expect(guest.number(8..<8 + bits / 8, bigEndian: flags == ".be") == last)
                #expect(guest[7] == 0x87 && (bits == 64 || guest[8 + bits / 8] == 0xcc))
                if bits <= 32 { #expect(bench["w0"] == signExtended(x, bits) & 0xffff_ffff) }
            }
        }
    }
}

@Test(arguments: [8, 16, 32, 64]) func compareAndSwapStoresOnlyOnEquality(_ bits: Int) throws {
    let bench = Bench()
    let guest = Guest()
    bench["a0"] = guest.address + 8
    let size = bits / 8
    let old = guest.number(8..<8 + size)
    bench["a1"] = 0x7777_7777_7777_7777
    // Expected values with other bits above the access's size.
    bench["a2"] = old ^ 1
    try bench.run("  a3 = gcas.i64.s\(bits) [a0], a2, a1")
    #expect(bench["a3"] == signExtended(old, bits) && guest.number(8..<8 + size) == old)
    bench["a2"] = signExtended(old, bits)
    try bench.run("  a3 = gcas.i64.u\(bits) [a0], a2, a1")
    #expect(bench["a3"] == old)
    #expect(guest.bytes(8..<8 + size).allSatisfy { $0 == 0x77 } && guest[8 + size] == UInt8(0x88 + size))
    bench["a2"] = 0x7777_7777_7777_7777
    try bench.run("  a3 = gcas.i64.u\(bits).be [a0], a2, 1")
    #expect(guest.number(8..<8 + size, bigEndian: true) == 1)
}

@Test func readModifyWritesOfTwoThreadsLoseNothing() async throws {
    let guest = Guest()
    let address = guest.address
    for i in 0..<8 { guest[i] = 0 }
    let work: @Sendable () throws -> UInt64 = {
        let bench = Bench()
        bench["a0"] = address
        let loop = try bench.compile(
            """
            block0:
              $20 = mov.i64 20000
              br block1
            block1 loop:
              a1 = grmw.add.i64.u64.al [a0], 3
              $20 = sub.i64 $20, 1
              brcond.ne.i64 $20, 0, block1, block2
            block2:
              fence.ll.ls.sl.ss
              exit_tb 16
            """)
        return bench.enter(loop).raw
    }
    async let one = Task.detached { try work() }.value
    async let two = Task.detached { try work() }.value
    #expect(try await one == 16)
    #expect(try await two == 16)
    #expect(guest.number(0..<8) == 120_000)
}

// MARK: Faults

/// Fails at and above an address: reads with SIGSEGV, others with SIGBUS.
private let badAddress: UInt64 = 0x7fff_0000_0000_0000
private let failing = GuestAccess(
    load: { $0 >= badAddress ? 11 : GuestAccess.direct.load($0, $1, $2) },
    store: { $0 >= badAddress ? 7 : GuestAccess.direct.store($0, $1, $2) },
    compareExchange: { $0 >= badAddress ? 7 : GuestAccess.direct.compareExchange($0, $1, $2, $3, $4) },
    compareExchangePair: { $0 >= badAddress ? 7 : GuestAccess.direct.compareExchangePair($0, $1) })

@Test(arguments: [
    ("a1 = gld.i64.u32 [a0 + 4]", 4, false, 11), ("gst.i64.u8 [a0 - 0], a1", 0, true, 7),
    ("a1 = grmw.add.i64.u32 [a0], 1", 0, true, 11), ("a1 = gcas.i64.u32 [a0], 1, 2", 0, true, 7),
    ("gcas128.u128.al [a0], [64]", 0, true, 7),
]) func aFailedAccessIsAFaultAtItsInstruction(_ op: String, _ offset: Int, _ isWrite: Bool, _ signal: Int) throws {
    let bench = Bench(access: failing)
    bench["a0"] = badAddress
    bench["a1"] = 1234
    bench["pc"] = 1
    let compiled = try bench.compile(
        "block0:\n  insn_start 0x1000\n  a2 = mov.i64 1\n  insn_start 0x1002\n  a3 = mov.i64 2\n  \(op)\n"
            + "  a2 = mov.i64 3\n  exit_tb 16\n"
    )
    let exit = bench.enter(compiled)
    #expect(exit.reason == ExitReason.fault && exit.raw >> 32 == (isWrite ? 1 : 0))
    let header = bench.header.pointee
    #expect(header.exitReason == UInt64(ExitReason.fault) && header.exitValue == badAddress + UInt64(offset))
    #expect(header.faultIsWrite == (isWrite ? 1 : 0) && header.faultSignal == UInt32(signal))
    #expect(header.exitPC == 0x1002 && bench["pc"] == 0x1002)
    // State is exact: everything before, nothing after.
    #expect(bench["a2"] == 1 && bench["a3"] == 2 && bench["a1"] == 1234)
}

@Test(arguments: [
    ("a1 = gld.i64.u16.al [a0]", false), ("a1 = gld.i64.u64.al [a0 + 3]", false), ("gst.i64.u32.al [a0 + 1], a1", true),
    ("a1 = grmw.or.i64.u32.al [a0], 1", true), ("a1 = gcas.i64.u64.al [a0], 1, 2", true),
]) func aMisalignedAccessExitsWhereAlignmentIsRequired(_ op: String, _ isWrite: Bool) throws {
    let bench = Bench()
    let guest = Guest()
    bench["a0"] = guest.address + 1
    bench["a1"] = 1234
    let exit = bench.enter(try bench.compile("block0:\n  insn_start 0x1000\n  \(op)\n  exit_tb 16\n"))
    #expect(exit.reason == ExitReason.misaligned && bench.header.pointee.exitReason == UInt64(ExitReason.misaligned))
    #expect(bench.header.pointee.faultIsWrite == (isWrite ? 1 : 0))
    #expect(bench.header.pointee.exitValue &- guest.address <= 4 && bench.header.pointee.exitValue != guest.address)
    #expect(bench["pc"] == 0x1000 && bench["a1"] == 1234)
    #expect(guest.bytes(0..<16) == (0..<16).map { 0x80 + $0 })
}

@Test func alignedAccessesPassWhereAlignmentIsRequired() throws {
    let bench = Bench()
    let guest = Guest()
    bench["a0"] = guest.address + 1
    try bench.run(
        "  a1 = gld.i64.u8.al [a0]\n  a2 = gld.i64.u64.al [a0 + 7]\n  gst.i64.u16.al [a0 + 1], a1\n"
            + "  a3 = gcas.i64.u8.al [a0], 0x81, 0x42")
    #expect(bench["a1"] == 0x81 && bench["a2"] == guest.number(8..<16) && guest.bytes(1..<4) == [0x42, 0x81, 0])
}
