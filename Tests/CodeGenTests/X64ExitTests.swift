// Leaving generated code: faults and side exits give back every global exactly; chaining, returns and indirect jumps go where they
// should; a full buffer is noticed.

import CodeGen
import CodeGenX64
import Glibc
import HostOS
import IR
import TestSupport
import Testing

/// The fault handler of these tests: does what an engine's does. Engines' tests run in the same process, at the same time, and have
/// a handler of their own: what is not a fault of the code here is for them.
private enum FaultCatcher {
    nonisolated(unsafe) static var code: (low: UInt64, high: UInt64) = (0, 0)
    nonisolated(unsafe) static var exit: UInt64 = 0
    nonisolated(unsafe) static var previous = sigaction()

    /// gregs indices (sys/ucontext.h) of rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8...r15.
    static let order: StaticString =
        "\u{0d}\u{0e}\u{0c}\u{0b}\u{0f}\u{0a}\u{09}\u{08}\u{00}\u{01}\u{02}\u{03}\u{04}\u{05}\u{06}\u{07}"

    static func install(_ machine: TestMachine) {
        code = (
            UInt64(UInt(bitPattern: machine.code.executable)),
            UInt64(UInt(bitPattern: machine.code.executable)) + UInt64(machine.code.size)
        )
        exit = machine.x64.faultExitAddress
        // No engine's test does that any more while the handler is needed.
        HostSignals.start()
        var action = sigaction()
        action.__sigaction_handler.sa_sigaction = handler
        action.sa_flags = SA_SIGINFO | SA_ONSTACK
        sigaction(SIGSEGV, &action, &previous)
    }

    static func remove() { sigaction(SIGSEGV, &previous, nil) }

    private static let handler:
        @convention(c) (Int32, UnsafeMutablePointer<siginfo_t>?, UnsafeMutableRawPointer?) ->
            Void = { signal, info, context in
                let gregs = (context! + MemoryLayout<ucontext_t>.offset(of: \.uc_mcontext)!).assumingMemoryBound(
                    to: UInt64.self)
                let rip = gregs[16]
                guard rip >= FaultCatcher.code.low, rip < FaultCatcher.code.high else {
                    return FaultCatcher.previous.__sigaction_handler.sa_sigaction(signal, info, context)
                }
                let state = UnsafeMutableRawPointer(bitPattern: UInt(gregs[10]))! - 128
                let header = VCPUHeader.of(state)
                let order = FaultCatcher.order.utf8Start
                for r in 0..<16 { header.pointee.savedRegisters[r] = gregs[Int(order[r])] }
                let fpregs = UnsafeRawPointer(bitPattern: UInt(gregs[23]))!
                for x in 0..<16 {
                    header.pointee.savedRegisters[Int(floatRegisterBase) + x] = fpregs.load(
                        fromByteOffset: 160 + 16 * x, as: UInt64.self)
                }
                header.pointee.sideExitAddress = rip
                gregs[16] = FaultCatcher.exit
            }
}

@Suite(.serialized) struct X64ExitTests {
    enum Stop: CaseIterable {
        case load, store, swap, loop, compareAndSwap, sideExit, budget, hot, misaligned, floatLoad
    }

    /// Random code with an op in the middle that stops: afterwards, what the records say written back, the state is what the
    /// interpreter has when it leaves there.
    @Test(.seeded(31)) func stoppingAnywhereInRandomCodeGivesBackAllGlobals() {
        let machine = TestMachine()
        var random = TestRandom(Seed.current)
        let unmapped = mmap(nil, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        defer { munmap(unmapped, 4096) }
        FaultCatcher.install(machine)
        defer { FaultCatcher.remove() }
        for round in 0..<Rounds.count(6000) {
            var generator = RegionGenerator(machine, seed: random.next())
            generator.blocks = 1 + random.below(3)
            generator.opsPerBlock = 40
            generator.checksExit = false
            generator.generate()
            // Into the first block, not before its locals have been set up.
            let region = machine.region
            let end = Int(region.blocks[0].end)
            let at = random.below(end)
            if region.s.pointee.overflowed
                || (0..<region.opCount).contains(where: { region.ops[$0].opcode == .call && region.ops[$0].imm == 2 })
            {
                continue
            }
            let stop = random.pick(Stop.allCases)
            insert(stop, at, machine, UInt(bitPattern: unmapped), &random)
            let problems = region.verify(globals: TestMachine.globals, helpers: TestMachine.helpers)
            if !problems.isEmpty {
                Issue.record("round \(round): \(problems)")
                return
            }
            machine.randomize(&random)
            guard let native = machine.compile() else { continue }
            machine.requestsExit = stop == .sideExit
            machine.executionCounter = stop == .hot ? 1 : 0
            var got = machine.runX64(native)
            machine.requestsExit = false
            let pc = machine.recover(native, &got)
            let expectedReason: UInt32 =
                switch stop {
                case .sideExit, .budget: ExitReason.sideExit
                case .hot: ExitReason.hot
                case .misaligned: ExitReason.misaligned
                default: ExitReason.fault
                }
            guard got.exit == ExitValue(reason: expectedReason).raw, pc == 0x7770 else {
                Issue.record("round \(round) \(stop): exit \(hex(got.exit)) at \(hex(pc ?? 0))\n\(region.text())")
                return
            }
            // The interpreter leaves instead. (Two ops were inserted.)
            let exitAt = at + 1
            region.ops[exitAt] = Op(.exitTB, .i64, imm: Int64(expectedReason))
            region.blocks[0].end = UInt32(exitAt + 1)
            guard let reference = machine.compileInterpreter() else { continue }
            let expected = machine.runInterpreter(reference)
            let text = machine.differences(got, expected)
            if !text.isEmpty {
                Issue.record("round \(round) \(stop) at op \(at): \(text)\n\(region.text())\n\(machine.bytes(native))")
                return
            }
        }
    }

    /// What a global was only for a time, with nothing but recovery to look at it, costs no instruction: a constant, or a copy of
    /// another global, wherever that one's value is.
    @Test func recoveryNamesConstantsAndOtherGlobals() throws {
        let machine = TestMachine()
        let unmapped = mmap(nil, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        defer { munmap(unmapped, 4096) }
        FaultCatcher.install(machine)
        defer { FaultCatcher.remove() }
        let x = TestMachine.x
        machine.build { ir in
            let block = ir.newBlock()
            ir.begin(block)
            ir.insnStart(0x1000)
            ir.mov(x(3), ir.const(0x1122_3344_5566_7788))
            ir.add(x(1), x(2), into: x(5))
            ir.mov(x(4), x(5))  // its value will be in a register
            ir.mov(x(6), x(7))  // and this one's at home
            ir.gld(ir.const(Int64(Int(bitPattern: unmapped))), 0, .u64, into: x(0))
            for k in [3, 4, 6] { ir.add(x(k), x(1), into: x(k)) }
            ir.exitTB(17)
        }
        // The last use of what was assigned keeps it from being recovery's alone: overwrite it instead.
        for k in 0..<machine.region.opCount
        where machine.region.ops[k].opcode == .add && machine.region.ops[k].dst != x(5) {
            machine.region.ops[k].a = x(1)
        }
        machine.initialState = (0..<TestMachine.stateWords).map { 1000 + UInt64($0) }
        let native = try #require(machine.compile())
        #expect(machine.checkAllocation() == [])
        let steps = (0..<machine.allocation.stepCount).map { machine.allocation.steps[$0] }
        let sources = steps.filter { $0.kind == .dirty && $0.a >= 64 }
        #expect(sources.map(\.index) == [3, 4, 6])
        #expect(sources.map(\.a) == [Place.constant, Place.memory, Place.memory])
        var got = machine.runX64(native)
        #expect(machine.recover(native, &got) == 0x1000)
        #expect(got.exit == ExitValue(reason: ExitReason.fault).raw)
        #expect(got.state[3] == 0x1122_3344_5566_7788)
        #expect(got.state[4] == 2003)
        #expect(got.state[5] == 2003)
        #expect(got.state[6] == 1007)
    }

    /// insn_start and an op that stops, before op `at` of the first block.
    private func insert(_ stop: Stop, _ at: Int, _ machine: TestMachine, _ bad: UInt, _ random: inout TestRandom) {
        let region = machine.region
        let address = region.const(Int64(Int(bad) + 8 * random.below(100)), .i64)
        let x = TestMachine.x(random.below(TestMachine.integerGlobals)),
            y = TestMachine.x(random.below(TestMachine.integerGlobals))
        let z = TestMachine.x(random.below(TestMachine.integerGlobals))
        let f = TestMachine.f(random.below(TestMachine.floatGlobals))
        let size = UInt8(random.below(4))
        let memOp = MemOp(log2Size: size, signed: random.chance(50), bigEndian: random.chance(20))
        let op: Op
        switch stop {
        case .load: op = Op(.gld, .i64, aux: memOp.rawValue, dst: x, a: address, imm: 16)
        case .store: op = Op(.gst, .i64, aux: memOp.rawValue, a: address, b: y)
        case .swap:
            op = Op(.grmw, .i64, aux: memOp.rawValue | UInt16(AtomicOp.swap.rawValue) << 12, dst: x, a: address, b: y)
        case .loop:
            let kind = random.pick([.add, .and, .smax, .umin] as [AtomicOp])
            op = Op(.grmw, .i64, aux: memOp.rawValue | UInt16(kind.rawValue) << 12, dst: x, a: address, b: y)
        case .compareAndSwap:
            op = Op(.gcas, .i64, aux: memOp.rawValue, dst: x, a: address, b: random.chance(30) ? x : y, c: z)
        case .sideExit: op = Op(.checkExit, .i64, imm: 0x7770)
        case .budget: op = Op(.countInstructions, .i64, aux: 3, imm: 0x7770)
        case .hot: op = Op(.countExecution, .i64, aux: 3, imm: 0x7770)
        case .misaligned:
            let aligned = MemOp(log2Size: 1 + UInt8(random.below(3)), bigEndian: random.chance(20), aligned: true)
            let odd = region.const(Int64(Int(bitPattern: machine.memory) + 1), .i64)
            op =
                random.chance(50)
                ? Op(.gld, .i64, aux: aligned.rawValue, dst: x, a: odd, imm: 8)
                : Op(.gst, .i64, aux: aligned.rawValue, a: odd, b: y)
        case .floatLoad:
            op = Op(.gld, .f64, aux: MemOp(log2Size: 3, bigEndian: random.chance(20)).rawValue, dst: f, a: address)
        }
        let count = region.opCount
        for k in stride(from: count - 1, through: at, by: -1) { region.ops[k + 2] = region.ops[k] }
        region.ops[at] = Op(.insnStart, .i64, imm: 0x7770)
        region.ops[at + 1] = op
        region.s.pointee.opCount = count + 2
        for b in 0..<region.blockCount {
            if b != 0 { region.blocks[b].start += 2 }
            region.blocks[b].end += 2
        }
    }

    private func exitRegion(_ machine: TestMachine, _ value: Int) -> CompiledRegion {
        machine.build(pc: 0x9000) { ir in
            let block = ir.newBlock()
            ir.begin(block)
            ir.mov(TestMachine.x(1), ir.const(Int64(value)))
            ir.exitTB(value)
        }
        return machine.compile(after: true)!
    }

    @Test func linkedSlotGoesToItsTargetUntilUnlinked() {
        let machine = TestMachine()
        let target = exitRegion(machine, 33)
        machine.build { ir in
            let block = ir.newBlock()
            ir.begin(block)
            ir.gotoTB(0x9000)
        }
        let region = machine.compile(after: true)!
        let chain = ExitValue.chain(translation: 5, slot: 0).raw
        var outcome = machine.runX64(region)
        #expect(outcome.exit == chain)
        #expect(outcome.state[TestMachine.pcOffset / 8] == 0x9000)
        #expect(machine.x64.link(region, slot: 0, to: target.entry, pc: 0x9000))
        outcome = machine.runX64(region)
        #expect(outcome.exit == 33)
        #expect(outcome.state[1] == 33)
        machine.x64.unlink(region, slot: 0)
        #expect(machine.runX64(region).exit == chain)
    }

    @Test(arguments: [0x9000, 0x7fff_1234_5678] as [UInt64]) func returnGoesToThePushedCode(_ pc: UInt64) {
        let machine = TestMachine()
        let target = exitRegion(machine, 34)
        machine.build { ir in
            let block = ir.newBlock()
            ir.begin(block)
            ir.pushReturn(pc)
            ir.lookupAndGoto(TestMachine.x(2), .return)
        }
        let region = machine.compile(after: true)!
        machine.initialState[2] = pc
        #expect(machine.runX64(region).exit == ExitValue.chain(translation: 5, slot: 0).raw)
        #expect(machine.x64.link(region, slot: 0, to: target.entry, pc: 0x9000))
        let outcome = machine.runX64(region)
        #expect(outcome.exit == 34)
        #expect(outcome.state[TestMachine.pcOffset / 8] == pc)
        #expect(machine.header.pointee.returnStackTop == 0, "popped")
        // Another address than the pushed one is looked up, and not found.
        machine.initialState[2] = pc &+ 16
        #expect(machine.runX64(region).exit == UInt64(ExitReason.lookup))
        #expect(machine.header.pointee.jumps.returnMisses == 1)
    }

    @Test(arguments: [0x9000, 0x7fff_1234_5678] as [UInt64]) func popTakesOffOnlyWhatItIsFor(_ pc: UInt64) {
        let machine = TestMachine()
        machine.build { ir in
            let block = ir.newBlock()
            ir.begin(block)
            ir.pushReturn(pc)
            ir.popReturn(TestMachine.x(2))
            ir.popReturn(TestMachine.x(3))
            ir.exitTB(40)
        }
        let region = machine.compile(after: true)!
        for (first, second, top) in [(pc, pc, 0), (pc &+ 2, pc, 0), (pc, 0, 0), (pc &+ 2, 0, 16)]
            as [(UInt64, UInt64, UInt64)]
        {
            machine.initialState[2] = first
            machine.initialState[3] = second
            let outcome = machine.runX64(region)
            #expect(outcome.exit == 40 && outcome.state[2] == first && outcome.state[3] == second)
            #expect(machine.header.pointee.returnStackTop == top)
        }
    }

    @Test func jumpCacheHitGoesToItsCode() {
        let machine = TestMachine()
        let target = exitRegion(machine, 35)
        machine.build { ir in
            let block = ir.newBlock()
            ir.begin(block)
            ir.lookupAndGoto(TestMachine.x(2), .indirect)
        }
        let region = machine.compile(after: true)!
        for pc in [0x1234, 0xffff_ffff_ffff_fffe, 0x7fff_0000_2468] as [UInt64] {
            machine.initialState[2] = pc
            let entry = machine.header.pointee.jumpCache + JumpCache.index(pc)
            #expect(machine.runX64(region).exit == UInt64(ExitReason.lookup))
            entry.pointee = JumpCacheEntry(pc: pc, code: target.entry)
            #expect(machine.runX64(region).exit == 35)
            entry.pointee = JumpCacheEntry(pc: JumpCache.noPC, code: 0)
        }
    }

    @Test func secondLevelOfTheJumpCacheTeachesTheFirst() {
        let machine = TestMachine()
        let target = exitRegion(machine, 35)
        let cache = machine.header.pointee.jumpCache
        // Each register that the allocator may put the target into.
        for noise in 0..<12 {
            machine.build { ir in
                let block = ir.newBlock()
                ir.begin(block)
                let others = (0..<noise).map { ir.add(TestMachine.x(3), ir.const(Int64($0))) }
                let goal = ir.add(TestMachine.x(2), ir.const(0x10))
                for other in others { ir.add(TestMachine.x(4), other, into: TestMachine.x(4)) }
                ir.lookupAndGoto(goal, .indirect)
            }
            let region = machine.compile(after: true)!
            for pc in [0x1234, 0xffff_ffff_ffff_fffe, 0x7fff_0000_2468] as [UInt64] {
                machine.initialState[2] = pc &- 0x10
                #expect(machine.runX64(region).exit == UInt64(ExitReason.lookup))
                let first = cache + JumpCache.index(pc), second = cache + JumpCache.secondIndex(pc)
                second.pointee = JumpCacheEntry(pc: pc, code: target.entry)
                #expect(machine.runX64(region).exit == 35)
                #expect(first.pointee.pc == pc && first.pointee.code == target.entry)
                #expect(first < cache + JumpCache.count && second >= cache + JumpCache.count)
                #expect(second < cache + JumpCache.bothCount)
                for entry in [first, second] { entry.pointee = JumpCacheEntry(pc: JumpCache.noPC, code: 0) }
            }
        }
    }

    @Test func inlineCacheIsForTheFirstTargetItIsLinkedTo() {
        let machine = TestMachine()
        let first = exitRegion(machine, 36)
        let second = exitRegion(machine, 37)
        machine.build { ir in
            let block = ir.newBlock()
            ir.begin(block)
            // Of an instruction before: a jump that cannot fault has no mark.
            ir.insnStart(0x7ffc)
            ir.gotoCached(TestMachine.x(2), notedAs: 0x8000)
        }
        let region = machine.compile(after: true)!
        let chain = ExitValue.chain(translation: 5, slot: 0).raw
        machine.initialState[2] = 0x9000
        let outcome = machine.runX64(region)
        #expect(outcome.exit == chain)
        #expect(outcome.state[TestMachine.pcOffset / 8] == 0x9000)
        #expect(machine.x64.inlineCache(region)! == (0x8000, nil))

        #expect(machine.x64.link(region, slot: 0, to: first.entry, pc: 0x9000))
        #expect(machine.runX64(region).exit == 36)
        #expect(machine.x64.inlineCache(region)! == (0x8000, 0x9000))
        #expect(!machine.x64.link(region, slot: 0, to: second.entry, pc: 0xa000))

        // Another target goes to the jump cache.
        machine.initialState[2] = 0xa000
        #expect(machine.runX64(region).exit == UInt64(ExitReason.lookup))
        machine.header.pointee.jumpCache[JumpCache.index(0xa000)] = JumpCacheEntry(pc: 0xa000, code: second.entry)
        #expect(machine.runX64(region).exit == 37)
        // Both misses are noted.
        let number = ExecutionCounters.number(jumpAt: 0x8000)
        #expect(
            machine.state.load(fromByteOffset: ExecutionCounters.offset(missesOfJump: number), as: UInt32.self) == 2)
        for i in 0..<2 {
            let offset = ExecutionCounters.offset(targetOfJump: number, miss: i)
            #expect(machine.state.load(fromByteOffset: offset, as: UInt64.self) == 0xa000)
        }

        // Unlinked, the cache's own target returns to the cpu loop, which may link it again.
        machine.initialState[2] = 0x9000
        machine.x64.unlink(region, slot: 0)
        #expect(machine.runX64(region).exit == chain)
        #expect(machine.x64.link(region, slot: 0, to: second.entry, pc: 0x9000))
        #expect(machine.runX64(region).exit == 37)
    }

    @Test func fullBufferIsReportedAndLeftAsItWas() {
        let machine = TestMachine()
        var generator = RegionGenerator(machine, seed: 4)
        generator.blocks = 3
        generator.opsPerBlock = 50
        generator.generate()
        #expect(machine.allocate())
        let used = machine.code.size - 100
        machine.code.used = used
        #expect(machine.x64.compile(machine.region, machine.allocation, translation: 1) == nil)
        #expect(machine.code.used == used)
        machine.code.used = machine.code.size
        #expect(machine.x64.compile(machine.region, machine.allocation, translation: 1) == nil)
    }
}

@Suite struct AllocationCheckerTests {
    /// Each kind of damage to a right allocation is found.
    @Test func checkerFindsDamagedAllocations() {
        let machine = TestMachine()
        machine.build { ir in
            let block = ir.newBlock()
            ir.begin(block)
            let sum = ir.add(TestMachine.x(1), TestMachine.x(2))
            ir.add(sum, TestMachine.x(1), into: TestMachine.x(3))
            ir.gld(TestMachine.x(3), 0, .u64, into: TestMachine.x(4))
            ir.sub(sum, TestMachine.x(4), into: TestMachine.x(2))
            ir.exitTB(17)
        }
        #expect(machine.allocate())
        #expect(machine.checkAllocation() == [])
        let steps = machine.allocation.steps
        var damages = 0
        for k in 0..<machine.allocation.stepCount {
            let right = steps[k]
            switch right.kind {
            case .store: steps[k] = Step(.clean, index: right.index)
            case .load: steps[k].index += 5
            case .dirty: steps[k] = Step(.clean, index: right.index)
            case .op where right.a < 64: steps[k].a = right.a == 1 ? 2 : 1
            default: continue
            }
            // The last definition's event is only for exits, which look at homes.
            let isUnseen = right.kind == .dirty && right.index != 3
            if !isUnseen { #expect(!machine.checkAllocation().isEmpty, "step \(k)\n\(machine.stepsText())") }
            damages += 1
            steps[k] = right
        }
        #expect(damages > 8)
        #expect(machine.checkAllocation() == [])
    }
}
