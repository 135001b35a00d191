// A guest for tests: globals, a CPU state and some memory, on which a region runs through the x86-64 host and through the
// interpreter from equal states; whatever differs afterwards is reported.

import CodeGen
import CodeGenInterpreter
import CodeGenX64
import Glibc
import IR
import SoftFloat
import Testing

/// Numbers that repeat from run to run (SplitMix64).
struct TestRandom: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z &>> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z &>> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z &>> 31
    }
    mutating func below(_ n: Int) -> Int { Int(next() % UInt64(n)) }
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
    mutating func pick<C: RandomAccessCollection>(_ c: C) -> C.Element {
        c[c.index(c.startIndex, offsetBy: below(c.count))]
    }

    /// An integer that is likely to be special.
    mutating func integer() -> UInt64 {
        switch below(8) {
        case 0: UInt64(below(4))
        case 1: UInt64.max &- UInt64(below(4))
        case 2:
            pick(
                [
                    1 << 31, 1 << 63, 0x7fff_ffff, 0x7fff_ffff_ffff_ffff, 0xffff_ffff, 0x8000, 0x80,
                    0xffff_ffff_8000_0000,
                ] as [UInt64])
        case 3: UInt64(1) &<< UInt64(below(64))
        case 4: UInt64(bitPattern: Int64(Int8(truncatingIfNeeded: next())))
        case 5: next() & 0xffff_ffff
        default: next()
        }
    }
    /// Bits of a double, or two singles, likely to be special.
    mutating func double() -> UInt64 {
        switch below(6) {
        case 0:
            pick(
                [
                    0, 1 << 63, 0x7ff0 << 48, 0xfff0 << 48, 0x7ff8 << 48, 0x7ff0_0000_0000_0001, 0xfff8_0000_0000_1234,
                    0x3ff0 << 48, 0xbff0 << 48, 1, 0x000f_ffff_ffff_ffff, 0x0010 << 48, 0x7fef_ffff_ffff_ffff,
                    0x43e0 << 48, 0xc3e0 << 48,
                    0x41e0 << 48, 0xc1e0 << 48, 0x41df_ffff_ffc0_0000, 0x41ef_ffff_ffe0_0000, 0x43f0 << 48,
                    0x3fe0 << 48, 0xbfe0 << 48,
                    0x41df_ffff_ffe0_0000, 0x41ef_ffff_fff0_0000, 0xc1e0_0000_0010_0000, 0xbfef_ffff_ffff_ffff,
                ] as [UInt64])
        case 1: boxed(single())
        case 2: next() & 0x800f_ffff_ffff_ffff | UInt64(0x3ff - 70 + below(140)) << 52
        case 3: Double(Int64(bitPattern: integer())).bitPattern
        default: next()
        }
    }
    mutating func single() -> UInt32 {
        switch below(5) {
        case 0:
            pick(
                [
                    0, 1 << 31, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0x7f80_0001, 0xffc1_2345, 0x3f80_0000,
                    0xbf80_0000, 1,
                    0x007f_ffff, 0x0080_0000, 0x7f7f_ffff, 0x4f00_0000, 0xcf00_0000, 0x5f00_0000, 0xdf00_0000,
                    0x4f80_0000, 0x3f00_0000,
                    0x5f80_0000, 0x477f_e000, 0x4780_0000, 0x3380_0000, 0x3300_0000, 0x3880_0000, 0x387f_e000,
                    0xbf7f_ffff,
                ] as [UInt32])
        case 1: UInt32(truncatingIfNeeded: next()) & 0x807f_ffff | UInt32(127 - 40 + below(80)) << 23
        case 2: Float(Int64(bitPattern: integer())).bitPattern
        default: UInt32(truncatingIfNeeded: next())
        }
    }
    func boxed(_ s: UInt32) -> UInt64 { 0xffff_ffff_0000_0000 | UInt64(s) }
}

private typealias Helper = @convention(c) (UnsafeMutableRawPointer, UInt64, UInt64, UInt64, UInt64) -> UInt64
private let mixHelper: Helper = { _, a, b, c, d in a &* 3 &+ (b ^ c &<< 7) &- d }
/// Reads and writes two globals.
private let stateHelper: Helper = { state, a, b, _, _ in
    let x = state.load(fromByteOffset: 8, as: UInt64.self), y = state.load(fromByteOffset: 16, as: UInt64.self)
    state.storeBytes(of: x &+ a, toByteOffset: 16, as: UInt64.self)
    state.storeBytes(of: y ^ b, toByteOffset: 8, as: UInt64.self)
    return x &- y
}
/// Leaves generated code when its argument's low bits are zero.
private let exitHelper: Helper = { state, a, _, _, _ in
    if a & 7 == 0 { VCPUHeader.of(state).pointee.exitReason = 40 }
    return a &+ 1
}

/// Generated code that does not come back is asked to after a second or two.
enum Watchdog {
    nonisolated(unsafe) static var header: UnsafeMutablePointer<VCPUHeader>?
    nonisolated(unsafe) static var ticks = 0

    static func start() {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in
            Watchdog.ticks += 1
            if Watchdog.ticks > 1, let header = Watchdog.header { header.pointee.exitRequest = 1 }
        }
        action.sa_flags = SA_RESTART
        sigaction(SIGALRM, &action, nil)
        var timer = itimerval(it_interval: timeval(tv_sec: 1, tv_usec: 0), it_value: timeval(tv_sec: 1, tv_usec: 0))
        setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
    }
    static func stop() {
        var timer = itimerval()
        setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
        header = nil
    }
}

/// What a run left behind.
struct Outcome: Equatable {
    var exit: UInt64
    var state: [UInt64]
    var memory: [UInt64]
    var floatFlags: UInt32
}

final class TestMachine {
    static let integerGlobals = 20
    static let floatGlobals = 20
    static let wordGlobals = 8
    /// x0... at 0, f0... after them, pc, 16 words that are no globals, then w0..., each in the low half of eight bytes.
    static let pcOffset = (integerGlobals + floatGlobals) * 8
    static let freeOffset = pcOffset + 8
    static let wordOffset = freeOffset + 16 * 8
    static let stateWords = wordOffset / 8 + wordGlobals
    static let memoryWords = 1024

    static let globals: [GlobalDescriptor] =
        (0..<integerGlobals).map { GlobalDescriptor(name: "x\($0)", type: .i64, offset: 8 * $0) }
        + (0..<floatGlobals).map { GlobalDescriptor(name: "f\($0)", type: .f64, offset: 8 * (integerGlobals + $0)) }
        + [GlobalDescriptor(name: "pc", type: .i64, offset: pcOffset)]
        + (0..<wordGlobals).map { GlobalDescriptor(name: "w\($0)", type: .i32, offset: wordOffset + 8 * $0) }
    static let pcGlobal = Temp(integerGlobals + floatGlobals)
    static func x(_ n: Int) -> Temp { Temp(n) }
    static func f(_ n: Int) -> Temp { Temp(integerGlobals + n) }
    static func w(_ n: Int) -> Temp { Temp(integerGlobals + floatGlobals + 1 + n) }

    static let helpers: [HelperDescriptor] = [
        HelperDescriptor("mix", mixHelper, arguments: 4, isPure: true),
        HelperDescriptor("state", stateHelper, arguments: 2, reads: .all, writes: .all),
        HelperDescriptor("leave", exitHelper, arguments: 1, mayExit: true),
    ]

    let x64 = X64Host()
    let interpreter = InterpreterHost()
    let code: CodeBuffer
    let interpreterCode: CodeBuffer
    let region: Region
    let allocation: Allocation
    private var allocator: Allocator
    private let traits: UnsafeMutablePointer<HelperEffects>
    let block: UnsafeMutableRawPointer
    private let counters: UnsafeMutablePointer<UInt32>
    let state: UnsafeMutableRawPointer
    let memory: UnsafeMutableRawPointer
    let mapping: UnsafeMutableRawPointer
    private let x64Base: Int
    private let interpreterBase: Int
    private let jumpCache: UnsafeMutablePointer<JumpCacheEntry>
    private let returnStack: UnsafeMutablePointer<JumpCacheEntry>
    var initialState: [UInt64]
    var initialMemory: [UInt64]
    var rounding: UInt32 = 0
    /// False: guest memory is neither set nor compared, which is most of a short run's time.
    var usesMemory = true
    /// Every compiled region is exported and installed elsewhere.
    var movesRegions = false
    /// The last of them, whose records the compiled region refers to.
    private var exported: [UInt8] = []
    /// The next run finds the exit flag set; the execution counters hold this.
    var requestsExit = false
    var executionCounter: UInt32 = 0

    static let codeSize = 1 << 20

    init(floatRules: FloatRules = .canonical) {
        mapping = mmap(nil, Self.codeSize, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        code = CodeBuffer(writable: mapping, executable: UnsafeRawPointer(mapping), size: Self.codeSize)
        let other = UnsafeMutableRawPointer.allocate(byteCount: Self.codeSize, alignment: 64)
        interpreterCode = CodeBuffer(writable: other, executable: UnsafeRawPointer(other), size: Self.codeSize)
        let configuration = HostConfiguration(
            helpers: Self.helpers, globals: Self.globals, pcOffset: Self.pcOffset, stateSize: Self.stateWords * 8,
            floatRules: floatRules)
        x64.configure(configuration, code: code)
        interpreter.configure(configuration, code: interpreterCode)
        x64Base = code.used
        interpreterBase = interpreterCode.used
        region = Region.allocate(globals: Self.globals)
        allocation = Allocation.allocate(stepCapacity: 1 << 17, tempCapacity: 8192)
        allocator = Allocator(x64.description!, region: region, allocation: allocation)
        traits = .allocate(capacity: Self.helpers.count)
        for (i, h) in Self.helpers.enumerated() { (traits + i).initialize(to: h.effects) }
        let blockSize = ExecutionCounters.bytes + VCPUHeader.stride + Self.stateWords * 8
        block = .allocate(byteCount: blockSize, alignment: 64)
        block.initializeMemory(as: UInt8.self, repeating: 0, count: blockSize)
        counters = (block + ExecutionCounters.bytes - ExecutionCounters.rowBytes).bindMemory(
            to: UInt32.self, capacity: ExecutionCounters.count)
        state = block + ExecutionCounters.bytes + VCPUHeader.stride
        // Where addresses of 32 bits reach.
        memory = mmap(
            nil, Self.memoryWords * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | Int32(MAP_32BIT), -1, 0)
        jumpCache = .allocate(capacity: JumpCache.bothCount)
        jumpCache.initialize(repeating: JumpCacheEntry(pc: JumpCache.noPC, code: 0), count: JumpCache.bothCount)
        returnStack = .allocate(capacity: ReturnStack.count)
        returnStack.initialize(repeating: JumpCacheEntry(pc: JumpCache.noPC, code: 0), count: ReturnStack.count)
        initialState = Array(repeating: 0, count: Self.stateWords)
        initialMemory = Array(repeating: 0, count: Self.memoryWords)
        (block + ExecutionCounters.bytes).bindMemory(to: VCPUHeader.self, capacity: 1)
            .initialize(to: VCPUHeader(jumpCache: jumpCache, returnStack: returnStack))
        header.pointee.delta = 0x7f_a5c3_0000
        x64.prepare(state)
    }

    deinit {
        munmap(mapping, Self.codeSize)
        interpreterCode.writable.deallocate()
        region.deallocate()
        allocation.deallocate()
        traits.deallocate()
        block.deallocate()
        munmap(memory, Self.memoryWords * 8)
        jumpCache.deallocate()
        returnStack.deallocate()
    }

    var header: UnsafeMutablePointer<VCPUHeader> { VCPUHeader.of(state) }

    func randomize(_ random: inout TestRandom) {
        for i in 0..<Self.stateWords {
            initialState[i] =
                i >= Self.integerGlobals && i < Self.integerGlobals + Self.floatGlobals
                ? random.double() : random.integer()
        }
        if !usesMemory { return }
        for i in 0..<Self.memoryWords { initialMemory[i] = random.chance(30) ? random.double() : random.integer() }
    }

    /// Starts a region.
    func build(pc: UInt64 = 0x1000, _ body: (inout IRBuilder) -> Void) {
        region.reset(pc: pc)
        var builder = IRBuilder(region: region)
        body(&builder)
    }

    private func prepare(_ host: any HostBackEnd) {
        for i in 0..<Self.stateWords { state.storeBytes(of: initialState[i], toByteOffset: 8 * i, as: UInt64.self) }
        if usesMemory {
            for i in 0..<Self.memoryWords {
                memory.storeBytes(of: initialMemory[i], toByteOffset: 8 * i, as: UInt64.self)
            }
        }
        header.pointee.exitReason = 0
        header.pointee.exitRequest = requestsExit ? 1 : 0
        if executionCounter != 0 { counters.update(repeating: executionCounter, count: ExecutionCounters.count) }
        header.pointee.returnStackTop = 0
        for i in 0..<ReturnStack.count { returnStack[i] = JumpCacheEntry(pc: JumpCache.noPC, code: 0) }
        host.setFloatFlags(state, 0)
        host.setRounding(state, rounding)
    }

    private func outcome(_ host: any HostBackEnd, _ exit: ExitValue) -> Outcome {
        Outcome(
            exit: exit.raw,
            state: (0..<Self.stateWords).map { state.load(fromByteOffset: 8 * $0, as: UInt64.self) },
            memory: (0..<(usesMemory ? Self.memoryWords : 0)).map {
                memory.load(fromByteOffset: 8 * $0, as: UInt64.self)
            },
            floatFlags: host.floatFlags(state))
    }

    func allocate() -> Bool { allocator.run(traits) }

    /// Compiles the region for x86-64. The code buffer is emptied first.
    func compile() -> CompiledRegion? {
        guard allocate() else { return nil }
        code.used = x64Base
        guard let compiled = x64.compile(region, allocation, translation: movesRegions ? 77 : 5) else { return nil }
        if !movesRegions { return compiled }
        exported = export(compiled)
        // Nothing of the first place is left to run.
        (code.writable + x64Base).initializeMemory(as: UInt8.self, repeating: 0xCC, count: code.used - x64Base)
        code.used = x64Base + 1000 + exported.count % 777
        return exported.withUnsafeBytes { x64.install($0, translation: 5) }
    }

    func export(_ compiled: CompiledRegion) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: x64.exportedSize(compiled)!)
        bytes.withUnsafeMutableBytes { x64.export(compiled, to: $0) }
        return bytes
    }

    /// Compiles the region behind what is there.
    func compile(after: Bool) -> CompiledRegion? {
        guard allocate() else { return nil }
        return x64.compile(region, allocation, translation: 5)
    }

    /// Does what an engine does after a fault or side exit: writes the globals that recovery finds in registers. Returns the pc.
    func recover(_ compiled: CompiledRegion, _ outcome: inout Outcome) -> UInt64? {
        withUnsafeTemporaryAllocation(of: RecoverySource.self, capacity: Self.globals.count) { sources in
            let offset = Int(header.pointee.sideExitAddress &- compiled.entry)
            guard
                let found = RecoveryReader.find(
                    compiled.records, pc: 0x1000, offset: offset, globalCount: Self.globals.count,
                    sources: sources.baseAddress!)
            else { return nil }
            let homes = outcome.state
            for g in 0..<Self.globals.count {
                let value = RecoveryReader.value(
                    of: g, in: sources.baseAddress!, registers: { header.pointee.savedRegisters[$0] },
                    home: { homes[Self.globals[$0].offset / 8] })
                guard let value else { continue }
                let word = Self.globals[g].offset / 8
                let kept = Self.globals[g].type.size == 4 ? outcome.state[word] & ~0xffff_ffff : 0
                outcome.state[word] = kept | (Self.globals[g].type.size == 4 ? value & 0xffff_ffff : value)
            }
            return found.pc
        }
    }

    func runX64(_ compiled: CompiledRegion) -> Outcome {
        prepare(x64)
        Watchdog.ticks = 0
        Watchdog.header = header
        defer { Watchdog.header = nil }
        return outcome(x64, x64.enter(state, compiled.entry))
    }

    func compileInterpreter() -> CompiledRegion? {
        interpreterCode.used = interpreterBase
        return interpreter.compile(region, translation: 5)
    }

    func runInterpreter(_ compiled: CompiledRegion) -> Outcome {
        prepare(interpreter)
        return outcome(interpreter, interpreter.enter(state, compiled.entry))
    }

    func bytes(_ compiled: CompiledRegion) -> String {
        let p = UnsafeRawPointer(bitPattern: UInt(compiled.entry))!
        return (0..<compiled.codeSize).map { String(p.load(fromByteOffset: $0, as: UInt8.self), radix: 16) }
            .map { $0.count == 1 ? "0" + $0 : $0 }.joined(separator: " ")
    }

    /// The differences between two outcomes, as text; empty if there are none.
    func differences(_ got: Outcome, _ expected: Outcome) -> String {
        if got == expected { return "" }
        var text: [String] = []
        if got.exit != expected.exit { text.append("exit \(hex(got.exit)) not \(hex(expected.exit))") }
        if got.floatFlags != expected.floatFlags { text.append("flags \(got.floatFlags) not \(expected.floatFlags)") }
        for i in 0..<Self.stateWords where got.state[i] != expected.state[i] {
            let name = Self.globals.first { $0.offset == 8 * i }?.name ?? "word \(i)"
            text.append("\(name) \(hex(got.state[i])) not \(hex(expected.state[i])), was \(hex(initialState[i]))")
        }
        for i in 0..<got.memory.count where got.memory[i] != expected.memory[i] {
            text.append("memory[\(i)] \(hex(got.memory[i])) not \(hex(expected.memory[i]))")
        }
        return text.joined(separator: "; ")
    }

    /// Runs the region on both hosts with `runs` random states; returns a description of the first difference.
    func compare(_ random: inout TestRandom, runs: Int, sameRounding: Bool = false) -> String? {
        guard let native = compile() else { return "not compiled" }
        let problems = checkAllocation()
        if !problems.isEmpty { return reducedAllocation() }
        guard let reference = compileInterpreter() else { return "not compiled by the interpreter" }
        for _ in 0..<runs {
            randomize(&random)
            if !sameRounding { rounding = UInt32(random.below(4)) }
            let got = runX64(native)
            let expected = runInterpreter(reference)
            if got != expected { return reduced() }
        }
        return nil
    }

    /// The difference that the initial state shows, after removing every op of the region that it does not need.
    private func reduced() -> String { reduce { self.describeDifference() } }

    private func reduce(_ describe: () -> String?) -> String {
        var text = describe() ?? "gone when done again"
        var i = region.opCount - 1
        while i >= 0 {
            let savedOps = (0..<region.opCount).map { region.ops[$0] }
            let savedBlocks = (0..<region.blockCount).map { region.blocks[$0] }
            removeOp(i)
            if region.verify(globals: Self.globals, helpers: Self.helpers).isEmpty, let still = describe() {
                text = still
            } else {
                for (k, op) in savedOps.enumerated() { region.ops[k] = op }
                for (k, block) in savedBlocks.enumerated() { region.blocks[k] = block }
                region.s.pointee.opCount = savedOps.count
            }
            i -= 1
        }
        return text
    }

    func checkAllocation() -> [String] {
        AllocationChecker.check(region, allocation, x64.description!, helpers: Self.helpers)
    }

    /// The region whose allocation is wrong, reduced likewise.
    private func reducedAllocation() -> String {
        reduce {
            guard self.allocate() else { return nil }
            let problems = self.checkAllocation()
            return problems.isEmpty
                ? nil : "\(problems.joined(separator: "\n"))\n\(self.region.text())\n\(self.stepsText())"
        }
    }

    func stepsText() -> String {
        (0..<allocation.stepCount).map { k in
            let s = allocation.steps[k]
            let places = [s.dst, s.a, s.b, s.c, s.d].map { p in
                p == 255 ? "-" : p == 254 ? "const" : p == 253 ? "mem" : x64.description!.registerName(p)
            }
            let name = s.kind == .op ? "\(region.ops[Int(s.index)].opcode) \(s.index)" : "\(s.kind) \(s.index)"
            return "\(k): \(name) \(places.joined(separator: " ")) label \(s.label) \(s.label2)"
        }.joined(separator: "\n")
    }

    private func removeOp(_ i: Int) {
        let count = region.opCount
        for k in i..<(count - 1) { region.ops[k] = region.ops[k + 1] }
        region.s.pointee.opCount = count - 1
        for b in 0..<region.blockCount {
            if region.blocks[b].start > i { region.blocks[b].start -= 1 }
            if region.blocks[b].end > i { region.blocks[b].end -= 1 }
        }
    }

    private func describeDifference() -> String? {
        guard let native = compile(), let reference = compileInterpreter() else { return nil }
        let got = runX64(native)
        let text = differences(got, runInterpreter(reference))
        return text.isEmpty ? nil : "rounding \(rounding): \(text)\n\(region.text())\n\(bytes(native))"
    }
}

func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

extension Region {
    /// The region as IR text.
    func text() -> String { print(globals: TestMachine.globals, helpers: TestMachine.helpers) }
}
