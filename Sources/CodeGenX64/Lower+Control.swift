// Helpers, and leaving a region: chaining slots, exits, indirect jumps through the return stack and the jump cache.

import CodeGen
import IR

extension Lowering {
    // MARK: Helpers

    mutating func insnStart(_ op: OpPointer) {
        pc = UInt64(bitPattern: op.pointee.imm)
        word = op.pointee.aux
        if isProfiled { writer.mark(offset: asm.offset, pc: pc) }
        if countsInstructions { asm.mov(.dword, header.started, imm: Int32(word)) }
    }

    /// The allocator has placed the arguments; globals are home as the helper's row says.
    mutating func call(_ op: OpPointer) {
        let helper = helpers[Int(truncatingIfNeeded: op.pointee.imm)]
        if helper.mayExit { storePC(pc) }
        asm.lea(.qword, .rdi, Address(.rbp, -Int32(StateRegister.bias)))
        asm.call(.rip(helper.address))
        if helper.mayExit {
            asm.alu(.cmp, .qword, header.exitReason, imm: 0)
            asm.jcc(.ne, to: stubs.helperExit)
        }
    }

    /// The pc global's home <- a known pc.
    private mutating func storePC(_ pc: UInt64) {
        let value = Int64(bitPattern: pc)
        if !isRelative, fits(value) {
            asm.mov(.qword, pcHome, imm: Int32(truncatingIfNeeded: value))
        } else {
            asm.mov(.r11, imm: value)
            if isRelative { asm.alu(.add, .qword, .r11, header.delta) }
            asm.mov(.qword, pcHome, .r11)
        }
    }

    mutating func delta(_ s: StepPointer) { asm.mov(.qword, gpr(s.pointee.dst), header.delta) }

    // MARK: Exits

    /// Leaves at guest `imm` when another thread or a signal handler has asked for it.
    mutating func checkExit(_ op: OpPointer) {
        let offset = asm.offset
        if isHead(op) {
            asm.headTest(.cmp, header.exitRequest, 0, .ne)
            headEnd = asm.offset
            return
        }
        writer.point(offset: offset, pc: UInt64(bitPattern: op.pointee.imm))
        asm.alu(.cmp, .dword, header.exitRequest, imm: 0)
        let stub = addCold(.sideExit, value: offset)
        asm.jcc(.ne, stub.label)
    }

    /// Where the displacement of a counter is in an instruction that changes it: after opcode and ModRM, always of four bytes.
    private static let counterAt = 2

    /// Counts an execution; leaves when the counter has run out.
    mutating func countExecution(_ op: OpPointer) {
        let offset = asm.offset
        isCounted = op.pointee.slot == ExecutionCounters.own
        let number = isCounted ? ExecutionCounters.number(translation) : op.pointee.slot
        let counter = ExecutionCounters.offset(ofNumber: number) &- StateRegister.bias
        if isCounted { asm.note(.counter, at: offset &+ Self.counterAt) }
        if isHead(op) {
            // A counter that ran out when the flag was set too is below zero.
            asm.headTest(.sub, Address(.rbp, Int32(truncatingIfNeeded: counter)), 1, .le)
            headEnd = asm.offset
            return
        }
        writer.point(offset: offset, pc: UInt64(bitPattern: op.pointee.imm))
        asm.alu(.sub, .dword, Address(.rbp, Int32(truncatingIfNeeded: counter)), imm: 1)
        let stub = addCold(.hot, value: offset)
        asm.jcc(.e, stub.label)
    }

    /// Takes the instructions of a block from the budget; leaves at guest `imm` when it has not that many: `started` is 0 then, so that
    /// whoever looks gives them back.
    mutating func countInstructions(_ op: OpPointer) {
        let count = Int32(op.pointee.aux)
        asm.mov(.dword, header.charged, imm: count)
        asm.mov(.dword, header.started, imm: 0)
        if count == 0 { return }
        let offset = asm.offset
        writer.point(offset: offset, pc: UInt64(bitPattern: op.pointee.imm))
        asm.alu(.sub, .dword, header.budget, imm: count)
        let stub = addCold(.sideExit, value: offset)
        asm.jcc(.s, stub.label)
    }

    /// One of the region's first checks: nothing has happened yet, and its pc is the region's.
    private func isHead(_ op: OpPointer) -> Bool {
        asm.offset == headEnd && UInt64(bitPattern: op.pointee.imm) == regionPC
    }

    mutating func exitTB(_ op: OpPointer) {
        asm.mov(.rax, imm: op.pointee.imm)
        asm.jmp(to: stubs.epilogue)
    }

    /// One more jump of a kind, in code for a profile. Keeps the flags, which a branch may take from the op before.
    @inline(__always) mutating func countJump(_ field: Address) {
        guard isProfiled else { return }
        asm.mov(.qword, .r11, field)
        asm.lea(.qword, .r11, Address(.r11, 1))
        asm.mov(.qword, field, .r11)
    }

    mutating func gotoTB(_ op: OpPointer) {
        countJump(header.directJumps)
        openSlot(op, asm.patchableJump())
    }

    /// The slot of a `goto_tb` has its patchable displacement at `field`.
    func openSlot(_ op: OpPointer, _ field: Int) {
        slots[op.pointee.slot] = SlotUse(
            kind: isRelative ? .moving : .fixed, field: field, pc: UInt64(bitPattern: op.pointee.imm))
    }

    /// Pushes (pc, code of the slot) on the return stack.
    mutating func pushReturn(_ op: OpPointer) {
        let target = UInt64(bitPattern: op.pointee.imm), key = Int64(bitPattern: target &+ salt)
        asm.mov(.dword, .rax, header.returnStackTop)
        asm.alu(.add, .dword, .rax, imm: 16)
        asm.alu(.and, .dword, .rax, imm: Int32(ReturnStack.byteMask & ~15))
        asm.mov(.dword, header.returnStackTop, .rax)
        asm.alu(.add, .qword, .rax, header.returnStack)
        if !isRelative, fits(key) {
            asm.mov(.qword, Address(.rax), imm: Int32(truncatingIfNeeded: key))
        } else {
            asm.mov(.r11, imm: key)
            if isRelative { asm.alu(.add, .qword, .r11, header.delta) }
            asm.mov(.qword, Address(.rax), .r11)
        }
        let field = patchableLea(.r11)
        asm.mov(.qword, Address(.rax, 8), .r11)
        slots[op.pointee.slot] = SlotUse(kind: isRelative ? .movingReturn : .fixed, field: field, pc: target)
    }

    /// Takes the newest entry off the return stack if it is for the target.
    mutating func popReturn(_ s: StepPointer) {
        let target = gpr(s.pointee.a)
        makeKey(target, salt)
        asm.land(popReturn(of: target))
        makeKey(target, 0 &- salt)
    }

    /// Takes the newest entry off, which r11 points at then, or jumps if it is not for the key. Changes rax.
    private mutating func popReturn(of key: GPR) -> ShortJump {
        asm.mov(.dword, .rax, header.returnStackTop)
        asm.mov(.qword, .r11, header.returnStack)
        asm.alu(.add, .qword, .r11, .rax)
        asm.alu(.cmp, .qword, key, Address(.r11))
        let missed = asm.jccShort(.ne)
        asm.alu(.sub, .dword, .rax, imm: 16)
        asm.alu(.and, .dword, .rax, imm: Int32(ReturnStack.byteMask & ~15))
        asm.mov(.dword, header.returnStackTop, .rax)
        return missed
    }

    /// `lea d, [rip + field]` with an aligned field that `Assembler.patchJump` retargets: a jump's field means the same.
    private mutating func patchableLea(_ d: GPR) -> Int {
        asm.nop(bytes: Int((1 &- asm.address) & 3))
        asm.lea(.qword, d, .rip(asm.here()))
        return asm.offset &- 4
    }

    /// Stores the target to the pc global's home and goes to its translation if one of the caches knows it.
    mutating func lookupAndGoto(_ s: StepPointer, _ op: OpPointer) {
        let target = gpr(s.pointee.a)
        asm.mov(.qword, pcHome, target)
        makeKey(target, salt)
        if op.pointee.jumpHint == .return {
            countJump(header.returns)
            let missed = popReturn(of: target)
            asm.jmp(Address(.r11, 8))
            asm.land(missed)
            asm.unary(.inc, .qword, header.returnMisses)
        }
        goThroughJumpCache(target)
    }

    /// A target, whose home is written, becomes its key.
    private mutating func makeKey(_ target: GPR, _ salt: UInt64, by scratch: GPR = .rax) {
        if salt == 0 { return }
        asm.mov(scratch, imm: Int64(bitPattern: salt))
        asm.alu(.add, .qword, target, scratch)
    }

    /// Goes to the translation of a key if the jump cache knows it; a miss finds the target in the pc global's home. In code that is
    /// not hot yet by way of the common code.
    private mutating func goThroughJumpCache(_ target: GPR) {
        countJump(header.lookups)
        if isCounted {
            asm.jmp(to: stubs.jumpCache[Int(target.rawValue)])
        } else {
            asm.goThroughJumpCache(target, header, miss: stubs.lookupMiss[Int(target.rawValue)])
        }
    }

    /// Through an in-line cache: see `SlotUse`.
    mutating func gotoCached(_ s: StepPointer, _ op: OpPointer) {
        let target = gpr(s.pointee.a)
        let word = asm.newLabel()
        countJump(header.cachedJumps)
        if isRelative {
            asm.mov(.qword, .r11, target)
            asm.alu(.sub, .qword, .r11, header.delta)
            asm.alu(.cmp, .qword, .r11, .rip(word))
        } else {
            asm.alu(.cmp, .qword, target, .rip(word))
        }
        let missField = asm.patchableJump(.ne)
        let field = asm.patchableJump()
        let miss = asm.offset
        let isNoted = op.pointee.imm != -1
        let site = UInt64(bitPattern: op.pointee.imm)
        let number = ExecutionCounters.number(jumpAt: site)
        if isNoted, isCounted, salt == 0, !isRelative {
            countJump(header.lookups)
            asm.mov(Stubs.missNumber(target), imm: Int64(number))
            asm.jmp(to: stubs.missedCache[Int(target.rawValue)])
        } else {
            asm.mov(.qword, pcHome, target)
            if isNoted {
                if isRelative { asm.alu(.sub, .qword, target, header.delta) }
                asm.noteTarget(target, number: number)
                if isRelative { asm.alu(.add, .qword, target, header.delta) }
            }
            makeKey(target, salt)
            goThroughJumpCache(target)
        }
        slots[op.pointee.slot] = SlotUse(
            field: field, pc: site, missField: missField, miss: miss, label: word, register: target)
    }

    // MARK: Slots

    /// Goes on to a translation if the vCPU knows it, else by way of the jump cache: what links between pages lead to. All guest state
    /// is home. Relative code has to be known where it would be seen. `sets`: `HostBackEnd.guardedEntry`.
    mutating func emitGuard(to entry: UInt, translation: Int, pc: UInt64, mode: UInt64, sets: Bool) {
        let known = Int32(truncatingIfNeeded: translation &* 8)
        if mode & CodeMode.relative == 0 {
            asm.mov(.qword, .r11, header.knownTranslations)
            asm.alu(.cmp, .byte, Address(.r11, known), imm: 0)
            asm.jcc(.ne, to: entry)
            return emitLookUp(pc, mode: mode)
        }
        if sets {
            asm.mov(.r11, imm: Int64(bitPattern: 0 &- pc))
            asm.alu(.add, .qword, .r11, pcHome)
            asm.mov(.qword, header.delta, .r11)
        }
        asm.mov(.qword, .rax, header.knownTranslations)
        asm.mov(.qword, .rax, Address(.rax, known))
        asm.alu(.sub, .qword, .rax, imm: 1)
        asm.alu(.cmp, .qword, .rax, header.delta)
        asm.jcc(.e, to: entry)
        emitLookUp(sets ? nil : pc, mode: mode)
    }

    /// Goes to the translation of a pc by way of the jump cache; nil: of that in the pc global. All guest state is home.
    mutating func emitLookUp(_ pc: UInt64?, mode: UInt64) {
        if let pc {
            asm.mov(.rax, imm: Int64(bitPattern: pc))
            if mode & CodeMode.relative != 0 { asm.alu(.add, .qword, .rax, header.delta) }
            asm.mov(.qword, pcHome, .rax)
        } else {
            asm.mov(.qword, .rax, pcHome)
        }
        makeKey(.rax, KeyedPC.salt(mode), by: .r11)
        asm.jmp(to: stubs.jumpCache[Int(GPR.rax.rawValue)])
    }

    /// Where each slot leads while it is not linked: to the cpu loop, which links it.
    mutating func emitSlotStubs(_ count: Int) {
        for i in 0..<count where slots[i].isUsed {
            if slots[i].isCache {
                asm.align(8)
                asm.bind(slots[i].label)
                slots[i].word = asm.offset
                asm.data(JumpCache.noPC)
            }
            slots[i].stub = asm.offset
            let payload = UInt32(truncatingIfNeeded: translation &<< 8 | i)
            if slots[i].isCache {
                asm.mov(.qword, pcHome, slots[i].register)
                asm.movTranslation(payload)
                asm.jmp(to: stubs.chainExit)
            } else {
                asm.slotStub(stubs.exit(of: slots[i].kind), payload: payload, pc: slots[i].pc)
            }
        }
    }
}
