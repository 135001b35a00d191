// Handlers of the made-up ABI: what they are told, what they may change, how they return.

import EngineModes
import Glibc
import LinuxABI
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct ToySignalTests {
    /// Sets the handler `label` for a signal: flags SA_SIGINFO, no mask.
    private func handle(_ p: inout ToyProgram, _ signal: Int32, _ label: String) {
        p.word(label + " action", .label(label), 4, 0x0001_0203, 0x0405_0607)
        p.room(label + " old", 16)
        p.call(.rt_sigaction, .number(toySignal(signal)), .label(label + " action"), .label(label + " old"), 8)
        p.expectResult(0, "rt_sigaction")
        p.expect(.ld32, .label(label + " old"), 0, "the old handler")
        p.call(.rt_sigaction, .number(toySignal(signal)), 0, .label(label + " old"), 8)
        for at in [0, 4] {
            p.expect(.ld32, .label(label + " old", at), at == 0 ? .label(label) : 4, "the action, byte \(at)")
        }
        // Signals that cannot be blocked leave the mask: SIGKILL is 23, SIGSTOP 13.
        p.expect(.ld32, .label(label + " old", 8), 0x0001_0203, "the low signals of the mask")
        p.expect(.ld32, .label(label + " old", 12), 0x0405_0607, "the high signals of the mask")
    }

    /// A word at an offset of r4, which stays.
    private func expect(_ p: inout ToyProgram, at offset: Int, _ value: Value, _ what: String) {
        p.add(Toy.memory(.ld32, 2, 4, offset))
        p.load(3, value)
        p.compare(what)
    }

    @Test(arguments: EngineMode.all) func handlersSeeTheSignalAndChangeTheirContext(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        var p = ToyProgram()
        p.word("ran", 0)
        p.word("pid", 0)
        p.word("frame", 0, 0)
        handle(&p, SIGUSR2, "handler")
        p.call(.getpid)
        p.keep(.label("pid"))
        p.load(2, .number(toySignal(SIGUSR2)))
        p.load(0, .number(UInt32(LinuxTable.bigEndian.number(of: .kill) ?? 0)))
        p.load(3, 5)
        p.load(4, 0x8000_0000)
        p.load(5, 77)
        p.add(Toy.pair(.cmp, 3, 4), Toy.sys)
        // The handler has put 1234 into r5; what was compared before is what it was: less without sign.
        p.label("behind")
        p.add(Toy.rdf(2))
        p.load(3, 4)
        p.compare("flags behind the handler")
        p.expect(5, 1234, "a register that the handler has changed")
        p.expect(1, 0, "the call's result")
        p.expect(.ld32, .label("ran"), 1, "the handler has run")
        p.exit(0)

        p.label("handler")
        // r1: signal, r2: siginfo_t, r3: ucontext_t
        p.load(4, .label("frame"))
        p.add(Toy.memory(.st32, 2, 4, 0), Toy.memory(.st32, 3, 4, 4))
        p.expect(1, .number(toySignal(SIGUSR2)), "the handler's signal")
        p.load(4, .label("frame"))
        p.add(Toy.memory(.ld32, 4, 4, 0))
        expect(&p, at: 0, .number(toySignal(SIGUSR2)), "si_signo")
        expect(&p, at: 4, 0, "si_errno")
        expect(&p, at: 8, 0, "si_code")  // SI_USER
        expect(&p, at: 16, .number(getuid()), "si_uid")
        p.add(Toy.memory(.ld32, 2, 4, 12))
        p.load(4, .label("pid"))
        p.add(Toy.memory(.ld32, 3, 4, 0))
        p.compare("si_pid")
        p.load(4, .label("frame"))
        p.add(Toy.memory(.ld32, 4, 4, 4))
        expect(&p, at: 160 - 128, .label("behind"), "the context's pc")
        expect(&p, at: 164 - 128 + 4 * 5, 77, "the context's r5")
        expect(&p, at: 196 - 128, 5, "what was compared")
        expect(&p, at: 8 + 4, 2, "ss_flags: disabled")
        expect(&p, at: 148 - 128, 0, "the context's mask")
        // The context's r7 is the stack pointer: the frame lies right below it.
        p.add(Toy.memory(.ld32, 2, 4, 164 - 128 + 4 * 7), Toy.pair(.mov, 3, 7))
        p.add(Toy.addi(3, 104), Toy.addi(3, 104))
        p.load(0, .number(~15))
        p.add(Toy.pair(.and, 2, 0), Toy.pair(.and, 3, 0))
        p.compare("the frame's place")
        p.load(2, 1234)
        p.load(4, .label("frame"))
        p.add(Toy.memory(.ld32, 4, 4, 4), Toy.memory(.st32, 2, 4, 164 - 128 + 4 * 5))
        p.load(4, .label("ran"))
        p.add(Toy.memory(.ld32, 2, 4, 0), Toy.addi(2, 1), Toy.memory(.st32, 2, 4, 0))
        p.add(Toy.ret, Toy.pair(.cmp, 2, 2))
        try folder.run(p, mode)
    }

    /// A load that faults, alone and in a delay slot: the handler sees the instruction or its jump, mends the address, and the load runs
    /// again.
    @Test(arguments: EngineMode.all) func faultsAreToldAndMended(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        var p = ToyProgram()
        p.word("frame", 0)
        p.word("expected", 0)
        p.word("count", 0)
        p.word("loaded", 0x5566_7788)
        handle(&p, SIGSEGV, "handler")
        func fault(_ at: String, _ instructions: (inout ToyProgram) -> Void) {
            p.load(2, .label(at))
            p.load(4, .label("expected"))
            p.add(Toy.memory(.st32, 2, 4, 0))
            p.load(5, 0x4040)
            instructions(&p)
            p.expect(1, 0x5566_7788, "what was loaded at \(at)")
        }
        fault("load") { p in
            p.label("load")
            p.add(Toy.memory(.ld32, 1, 5, 4))
        }
        fault("jump") { p in
            p.label("jump")
            p.branch(.bra, "target", slot: Toy.memory(.ld32, 1, 5, 4))
            p.exit(100)
            p.label("target")
        }
        fault("call") { p in
            p.label("call")
            p.branch(.call, "function", slot: Toy.memory(.ld32, 1, 5, 4))
        }
        p.expect(.ld32, .label("count"), 3, "faults")
        p.exit(0)

        p.label("function")
        p.add(Toy.ret, Toy.nop)

        p.label("handler")
        p.load(4, .label("frame"))
        p.add(Toy.memory(.st32, 3, 4, 0), Toy.pair(.mov, 4, 2))
        expect(&p, at: 0, .number(toySignal(SIGSEGV)), "si_signo")
        expect(&p, at: 8, 1, "si_code")  // SEGV_MAPERR
        expect(&p, at: 12, 0x4044, "si_addr")
        p.load(4, .label("expected"))
        p.add(Toy.memory(.ld32, 3, 4, 0))
        p.load(4, .label("frame"))
        p.add(Toy.memory(.ld32, 4, 4, 0), Toy.memory(.ld32, 2, 4, 160 - 128))
        p.compare("the context's pc")
        p.load(2, .label("loaded", -4))
        p.add(Toy.memory(.st32, 2, 4, 164 - 128 + 4 * 5))
        p.load(4, .label("count"))
        p.add(Toy.memory(.ld32, 2, 4, 0), Toy.addi(2, 1), Toy.memory(.st32, 2, 4, 0))
        p.add(Toy.ret, Toy.nop)
        try folder.run(p, mode)
    }

    /// A call that a signal interrupts is made again after the handler, or fails, as the action's flags say.
    @Test(arguments: EngineMode.all) func interruptedCallsAreMadeAgain(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        for restarts in [true, false] {
            var p = ToyProgram()
            // itimerval: interval, value; of words
            p.word("timer", 0, 0, 0, 20_000)
            p.word("ran", 0)
            p.word("action", .label("handler"), restarts ? 0x1000_0004 : 4, 0, 0)
            p.word("pipe", 0xbad, 0xbad)
            p.room("read", 8)
            p.string("text", "x")
            p.call(.rt_sigaction, .number(toySignal(SIGALRM)), .label("action"), 0, 8)
            p.closeOthers()
            p.call(.pipe2, .label("pipe"), 0)
            p.expectResult(0, "pipe2")
            p.expect(.ld32, .label("pipe"), 3, "the pipe's end")
            p.expect(.ld32, .label("pipe", 4), 4, "the pipe's beginning")
            p.call(.setitimer, 0, .label("timer"), 0)
            p.expectResult(0, "setitimer")
            p.call(.read, 3, .label("read"), 8)
            if restarts {
                p.expectResult(1, "a call that is made again")
                p.expect(.ld8, .label("read"), 0x78, "what it has read")
            } else {
                p.expectError(EINTR, "a call that is interrupted")
            }
            p.expect(.ld32, .label("ran"), 1, "the handler has run")
            p.exit(0)
            p.label("handler")
            // Its own calls must not be seen in what it interrupts.
            p.call(.write, 4, .label("text"), 1)
            p.call(.close, 99)
            p.load(4, .label("ran"))
            p.add(Toy.memory(.ld32, 2, 4, 0), Toy.addi(2, 1), Toy.memory(.st32, 2, 4, 0))
            p.add(Toy.ret, Toy.nop)
            try folder.run(p, mode)
        }
    }
}
