// The interpreter's control: helper calls, chaining, look-up, exits and faults; and `Bench`, which runs IR texts for
// all interpreter tests.

import CodeGen
import CodeGenInterpreter
import IR
import SoftFloat
import Testing

/// A vCPU's memory, a code buffer and an interpreter.
final class Bench {
    /// Offsets of the globals: a0...a3, w0...w2, f0...f3, s0...s3, pc; then 128 bytes that no global names.
    static let globals: [GlobalDescriptor] =
        (0..<4).map { GlobalDescriptor(name: "a\($0)", type: .i64, offset: 8 * $0) }
        + (0..<3).map { GlobalDescriptor(name: "w\($0)", type: .i32, offset: 32 + 4 * $0) }
        + (0..<4).map { GlobalDescriptor(name: "f\($0)", type: .f64, offset: 48 + 8 * $0) }
        + (0..<4).map { GlobalDescriptor(name: "s\($0)", type: .f32, offset: 80 + 4 * $0) }
        + [GlobalDescriptor(name: "pc", type: .i64, offset: pcOffset)]
    static let pcOffset = 96
    static let scratch = 128
    static let stateSize = 256

    static let helpers = [
        HelperDescriptor("mix", { _, a, b, c, d in a &+ b &* 10 &+ c &* 100 &+ d &* 1000 }, arguments: 4),
        HelperDescriptor(
            "set_a3",
            { state, a, _, _, _ in
                state.storeBytes(of: a, toByteOffset: 24, as: UInt64.self)
                return 99
            }, arguments: 1, result: false, writes: .all),
        // Leaves with reason `a` if it is not zero; returns the pc that it found.
        HelperDescriptor(
            "may_exit",
            { state, a, b, _, _ in
                VCPUHeader.of(state).pointee.exitReason = a
                let pc = state.load(fromByteOffset: pcOffset, as: UInt64.self)
                if b != 0 { state.storeBytes(of: b, toByteOffset: pcOffset, as: UInt64.self) }
                return pc
            }, arguments: 2, mayExit: true),
    ]

    let memory: UnsafeMutableRawPointer
    let state: UnsafeMutableRawPointer
    let header: UnsafeMutablePointer<VCPUHeader>
    let jumpCache: UnsafeMutablePointer<JumpCacheEntry>
    let code: CodeBuffer
    let host: InterpreterHost

    init(access: GuestAccess = .direct, codeSize: Int = 1 << 20, floatRules: FloatRules = .canonical) {
        let below = ExecutionCounters.bytes + VCPUHeader.stride
        memory = .allocate(byteCount: below + Self.stateSize, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: below + Self.stateSize)
        state = memory + below
        jumpCache = .allocate(capacity: JumpCache.bothCount)
        jumpCache.initialize(repeating: JumpCacheEntry(pc: JumpCache.noPC, code: 0), count: JumpCache.bothCount)
        header = VCPUHeader.of(state)
        header.initialize(to: VCPUHeader(jumpCache: jumpCache, returnStack: jumpCache))
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: codeSize, alignment: 64)
        code = CodeBuffer(writable: bytes, executable: UnsafeRawPointer(bytes), size: codeSize)
        host = InterpreterHost(access: access)
        host.configure(
            HostConfiguration(
                helpers: Self.helpers, globals: Self.globals, pcOffset: Self.pcOffset, stateSize: Self.stateSize,
                floatRules: floatRules),
            code: code)
    }

    deinit {
        memory.deallocate()
        jumpCache.deallocate()
        code.writable.deallocate()
    }

    /// The value of a global, zero-extended.
    subscript(name: String) -> UInt64 {
        get {
            let global = Self.globals.first { $0.name == name }!
            return global.type.size == 4
                ? UInt64(state.load(fromByteOffset: global.offset, as: UInt32.self))
                : state.load(fromByteOffset: global.offset, as: UInt64.self)
        }
        set {
            let global = Self.globals.first { $0.name == name }!
            if global.type.size == 4 {
                state.storeBytes(of: UInt32(truncatingIfNeeded: newValue), toByteOffset: global.offset, as: UInt32.self)
            } else {
                state.storeBytes(of: newValue, toByteOffset: global.offset, as: UInt64.self)
            }
        }
    }

    /// Compiles a text without its `region` line.
    func compile(_ body: String, translation: Int = 1, sourceLocation: SourceLocation = #_sourceLocation) throws
        -> CompiledRegion
    {
        let region = try Region.parse("region 0x1000 flags 0\n" + body, globals: Self.globals, helpers: Self.helpers)
        defer { region.deallocate() }
        let messages = region.verify(globals: Self.globals, helpers: Self.helpers)
        #expect(messages == [], sourceLocation: sourceLocation)
        return try #require(host.compile(region, translation: translation))
    }

    func enter(_ compiled: CompiledRegion) -> ExitValue { host.enter(state, compiled.entry) }

    /// Runs ops that leave nothing but their results.
    func run(_ ops: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let exit = enter(try compile("block0:\n\(ops)\n  exit_tb 16\n", sourceLocation: sourceLocation))
        #expect(exit.reason == 16, sourceLocation: sourceLocation)
    }
}

@Test func valuesKeepTheirTypesInGlobalsTempsAndConstants() throws {
    let bench = Bench()
    bench["w0"] = 0xffff_ffff
    bench["w1"] = 0x1234_5678
    bench["w2"] = 0x5555_5555
    try bench.run(
        """
          %20 = mov.i32 w0
          a0 = sext %20
          a1 = zext %20
          $21 = mov.i32 -2
          $21 = add.i32 $21, 1
          a2 = setcond.ltu.i32 $21, w0
          a3 = setcond.eq.i32 $21, w0
          w1 = mov.i32 $21
        """)
    #expect(bench["a0"] == .max)
    #expect(bench["a1"] == 0xffff_ffff)
    #expect(bench["a2"] == 0 && bench["a3"] == 1)
    // The neighbours of a 32-bit home stay.
    #expect(bench["w0"] == 0xffff_ffff && bench["w1"] == 0xffff_ffff && bench["w2"] == 0x5555_5555)
}

@Test func bitcastsKeepTheBits() throws {
    let bench = Bench()
    bench["f0"] = 0x8000_0000_0000_0001
    bench["s0"] = 0xff80_0001
    try bench.run(
        "  a0 = bitcast.i64 f0\n  f1 = bitcast.f64 0x123456789abcdef0\n  w0 = bitcast.i32 s0\n  a1 = zext w0\n"
            + "  s1 = bitcast.f32 0xff800001\n  %30 = bitcast.f32 w0\n  s2 = mov.f32 %30")
    #expect(bench["a0"] == 0x8000_0000_0000_0001 && bench["f1"] == 0x1234_5678_9abc_def0)
    #expect(bench["w0"] == 0xff80_0001 && bench["a1"] == 0xff80_0001 && bench["s1"] == 0xff80_0001)
    #expect(bench["s2"] == 0xff80_0001)
}

@Test func aLoopRunsToItsEnd() throws {
    let bench = Bench()
    bench["a0"] = 10
    let exit = bench.enter(
        try bench.compile(
            """
            block0:
              $20 = mov.i64 0
              br block1
            block1 loop:
              $20 = add.i64 $20, a0
              a0 = sub.i64 a0, 1
              brcond.ne.i64 a0, 0, block1, block2
            block2:
              a1 = mov.i64 $20
              exit_tb 17
            """))
    #expect(exit.reason == 17 && bench["a1"] == 55 && bench["a0"] == 0)
}

@Test func helpersReceiveArgumentsAndReturnResults() throws {
    let bench = Bench()
    bench["a0"] = 1
    bench["a3"] = 4
    try bench.run("  a1 = call mix(a0, 2, 3, a3)\n  call set_a3(77)\n  a2 = add.i64 a3, 1")
    #expect(bench["a1"] == 4321)
    #expect(bench["a3"] == 77 && bench["a2"] == 78)
}

@Test func aHelperThatMayExitSeesThePCAndMayChangeIt() throws {
    let bench = Bench()
    let compiled = try bench.compile(
        """
        block0:
          insn_start 0x1000
          insn_start 0x1004
          a2 = call may_exit(a0, a1)
          a3 = mov.i64 1
          exit_tb 16
        """)
    // No request: goes on with the result, which is the pc it found.
    #expect(bench.enter(compiled).reason == 16)
    #expect(bench["a2"] == 0x1004 && bench["a3"] == 1)
    // A request: leaves before anything else.
    bench["a0"] = 18
    bench["a3"] = 0
    bench["a2"] = 5
    #expect(bench.enter(compiled).raw == 18)
    #expect(bench["pc"] == 0x1004 && bench["a3"] == 0 && bench["a2"] == 5 && bench.header.pointee.exitPC == 0x1004)
    bench["a1"] = 0x2000
    #expect(bench.enter(compiled).raw == 18)
    #expect(bench["pc"] == 0x2000)
    // An old request is forgotten at entry.
    bench["a0"] = 0
    bench["a1"] = 0
    #expect(bench.enter(compiled).reason == 16)
}

@Test func unlinkedSlotsReturnTheirTranslationAndSlot() throws {
    let bench = Bench()
    let compiled = try bench.compile(
        "block0:\n  brcond.eq.i64 a0, 0, block1, block2\nblock1:\n  goto_tb 0, 0x1111\nblock2:\n  goto_tb 1, 0x2222\n",
        translation: 0x12345)
    let first = bench.enter(compiled)
    #expect(
        first.reason == ExitReason.chain && first.translation == 0x12345 && first.slot == 0 && bench["pc"] == 0x1111)
    bench["a0"] = 1
    let second = bench.enter(compiled)
    #expect(second.reason == ExitReason.chain && second.slot == 1 && bench["pc"] == 0x2222)
}

@Test func linkedSlotsGoOnWithoutReturningUntilUnlinked() throws {
    let bench = Bench()
    let a = try bench.compile("block0:\n  a0 = add.i64 a0, 1\n  goto_tb 0, 0x2000\n", translation: 1)
    // This one needs a larger frame than any `enter` starts with.
    let many = (100..<400).map { "  %\($0) = add.i64 a1, \($0)\n" }.joined()
    let b = try bench.compile("block0:\n\(many)  a1 = mov.i64 %399\n  goto_tb 0, 0x3000\n", translation: 2)
    #expect(bench.host.link(a, slot: 0, to: b.entry, pc: 0x5004))
    let exit = bench.enter(a)
    #expect(exit.reason == ExitReason.chain && exit.translation == 2 && exit.slot == 0)
    #expect(bench["a0"] == 1 && bench["a1"] == 399 && bench["pc"] == 0x3000)
    bench.host.unlink(a, slot: 0)
    #expect(bench.enter(a).translation == 1)
    #expect(bench["a0"] == 2 && bench["a1"] == 399 && bench["pc"] == 0x2000)
}

@Test func aLinkedLoopLeavesAtCheckExit() throws {
    let bench = Bench()
    let loop = try bench.compile(
        """
        block0:
          check_exit 0x4000
          a0 = add.i64 a0, 1
          brcond.eq.i64 a0, 1000, block1, block2
        block1:
          call set_a3(a0)
          goto_tb 0, 0x4000
        block2:
          goto_tb 1, 0x4000
        """)
    #expect(bench.host.link(loop, slot: 1, to: loop.entry, pc: 0x5004))
    #expect(bench.enter(loop).slot == 0)
    #expect(bench["a0"] == 1000 && bench["a3"] == 1000)
    bench.header.pointee.exitRequest = 4
    bench.header.pointee.sideExitAddress = 7
    let exit = bench.enter(loop)
    #expect(exit.reason == ExitReason.sideExit && bench["a0"] == 1000 && bench["pc"] == 0x4000)
    #expect(bench.header.pointee.exitPC == 0x4000 && bench.header.pointee.sideExitAddress == 0)
}

@Test(arguments: [ExecutionCounters.number(1), ExecutionCounters.number(entriesOf: 1)])
func aCounterThatRunsOutLeavesAsHot(number: Int) throws {
    let bench = Bench()
    let compiled = try bench.compile(
        "block0:\n  count_execution \(number), 0x6000\n  a0 = add.i64 a0, 1\n  exit_tb 16\n")
    bench.state.storeBytes(of: 3 as UInt32, toByteOffset: ExecutionCounters.offset(ofNumber: number), as: UInt32.self)
    #expect(bench.enter(compiled).reason == 16)
    #expect(bench.enter(compiled).reason == 16)
    #expect(bench.enter(compiled).reason == ExitReason.hot)
    #expect(bench["a0"] == 2 && bench["pc"] == 0x6000 && bench.header.pointee.exitPC == 0x6000)
    #expect(bench.enter(compiled).reason == 16)
}

@Test func lookUpsHitAndMissTheJumpCache() throws {
    let bench = Bench()
    let from = try bench.compile("block0:\n  push_return 0, 0x5004\n  lookup_and_goto.call a0\n")
    let to = try bench.compile("block0:\n  a1 = add.i64 a1, 1\n  exit_tb 21\n")
    bench["a0"] = 0x5678
    #expect(bench.enter(from).reason == ExitReason.lookup)
    #expect(bench["pc"] == 0x5678)
    bench.jumpCache[JumpCache.index(0x5678)] = JumpCacheEntry(pc: 0x5678, code: to.entry)
    #expect(bench.enter(from).reason == 21)
    #expect(bench["a1"] == 1 && bench["pc"] == 0x5678)
    // Same index, another pc.
    bench["a0"] = 0x5678 + UInt64(2 * JumpCache.count)
    #expect(bench.enter(from).reason == ExitReason.lookup)
}

@Test func aFullCodeBufferRefusesAndAFlushMakesRoom() throws {
    let bench = Bench(codeSize: 4096)
    let region = try Region.parse(
        "region 0 flags 0\nblock0:\n  a0 = add.i64 a0, 12345\n  exit_tb 16\n", globals: Bench.globals,
        helpers: Bench.helpers)
    defer { region.deallocate() }
    var count = 0
    while bench.host.compile(region, translation: 0) != nil {
        count += 1
        if count > 1000 { break }
    }
    #expect(count > 5 && count < 100)
    #expect(bench.code.used <= bench.code.size)
    bench.code.used = 0
    bench.host.flush()
    let compiled = try #require(bench.host.compile(region, translation: 0))
    #expect(bench.code.contains(compiled.entry))
    #expect(bench.enter(compiled).reason == 16 && bench["a0"] == 12345)
}

@Test func codeIsWrittenThroughOneViewAndRunFromTheOther() throws {
    // The second "view" is a copy: what runs there must hold no address of the first.
    let size = 1 << 16
    let writable = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    let executable = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    defer {
        writable.deallocate()
        executable.deallocate()
    }
    let bench = Bench()
    let code = CodeBuffer(writable: writable, executable: UnsafeRawPointer(executable), size: size)
    let host = InterpreterHost()
    host.configure(
        HostConfiguration(helpers: [], globals: Bench.globals, pcOffset: Bench.pcOffset, stateSize: Bench.stateSize),
        code: code)
    let region = try Region.parse(
        "region 0 flags 0\nblock0:\n  a0 = add.i64 a0, 7\n  goto_tb 0, 0x77\n", globals: Bench.globals, helpers: [])
    defer { region.deallocate() }
    let compiled = try #require(host.compile(region, translation: 3))
    #expect(code.contains(compiled.entry))
    executable.copyMemory(from: writable, byteCount: code.used)
    writable.initializeMemory(as: UInt8.self, repeating: 0xee, count: size)
    #expect(host.enter(bench.state, compiled.entry).translation == 3)
    #expect(bench["a0"] == 7 && bench["pc"] == 0x77)
    // A link is written through the writable view.
    #expect(host.link(compiled, slot: 0, to: 0x1234_5678, pc: 0x5004))
    let written = (0..<code.used / 8).contains { writable.load(fromByteOffset: 8 * $0, as: UInt64.self) == 0x1234_5678 }
    #expect(written)
}

@Test func theHostTellsAndSetsTheFloatingPointState() throws {
    let bench = Bench()
    bench.host.setFloatFlags(bench.state, 0xff)
    #expect(bench.host.floatFlags(bench.state) == 31)
    bench.host.setRounding(bench.state, 3)
    #expect(bench.header.pointee.fpRounding == 3)
    bench.host.setRounding(bench.state, 7)
    #expect(bench.header.pointee.fpRounding == 0)
}
