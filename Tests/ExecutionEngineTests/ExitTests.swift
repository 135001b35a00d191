// Leaving generated code: requests from other threads and from signal handlers, exits that instructions and helpers ask for.

import CodeGen
import Glibc
import GuestKit
import GuestMemory
import GuestRISCV
import HostOS
import IR
import Testing

@testable import ExecutionEngine

/// An endless loop that adds 1 to x5, then 3 to x6, over and over.
struct EndlessLoop: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var code: [(offset: Int, words: [UInt32])]
    /// Program counters after the first addition and not after the second.
    var between: ClosedRange<Int>

    static let all = [
        EndlessLoop(
            testDescription: "one block", code: [(0, [RV.addi(5, 5, 1), RV.addi(6, 6, 3), RV.j(-8)])], between: 4...4),
        EndlessLoop(
            testDescription: "two far blocks",
            code: [(0, [RV.addi(5, 5, 1), RV.j(0x2_0000 - 4)]), (0x2_0000, [RV.addi(6, 6, 3), RV.j(-0x2_0004)])],
            between: 4...0x2_0000),
        EndlessLoop(
            testDescription: "indirect jump", code: [(0, [RV.addi(5, 5, 1), RV.addi(6, 6, 3), RV.jalr(0, 20)])],
            between: 4...4),
        EndlessLoop(
            testDescription: "call and return",
            code: [(0, [RV.jal(1, 0x100), RV.addi(6, 6, 3), RV.j(-8)]), (0x100, [RV.addi(5, 5, 1), RV.ret])],
            between: 4...0x104),
        EndlessLoop(
            testDescription: "a loop in the loop",
            code: [
                (
                    0,
                    [
                        RV.addi(5, 5, 1), RV.addi(8, 0, 9), RV.addi(8, 8, -1), RV.bne(8, 0, -4), RV.addi(6, 6, 3),
                        RV.j(-20),
                    ]
                )
            ],
            between: 4...16),
    ]

    func load(_ m: Machine) {
        for part in code { m.memory.write(part.words, at: part.offset) }
        m[x: 20] = m.memory.base
        m[x: 5] = 0
        m[x: 6] = 0
        m.pc = 0
    }

    /// The state is that of an instruction boundary.
    func isExact(_ m: Machine) -> Bool {
        let isFunctionStart = testDescription == "call and return" && m.pc == 0x100
        return 3 &* m[x: 5] &- m[x: 6] == (between.contains(m.pc) && !isFunctionStart ? 3 : 0)
    }
}

extension EngineTests {
    @Suite struct ExitTests {
        @Test(arguments: Configuration.all, EndlessLoop.all)
        func requestOfAnotherThreadEndsAHotLoopSoon(_ c: Configuration, _ loop: EndlessLoop) throws {
            let m = try Machine(c)
            loop.load(m)
            let vcpu = Shared(m.vcpu)
            for round in 0..<10 {
                let start = HostClock.monotonic()
                let asked = Flag()
                let done = try onThread {
                    usleep(UInt32(round) * 300 + 500)
                    asked.set()
                    vcpu.value.requestExit()
                }
                // Its first exits may be on behalf of the engine. (Once asked, there is nothing to run for: the one request may have
                // been served.)
                repeat { #expect(m.vcpu.run().text == "interrupted") } while !asked.isSet
                #expect(done.wait())
                #expect(HostClock.monotonic() - start < 5_000_000_000)
                #expect(loop.isExact(m), "pc \(m.pc), x5 \(m[x: 5]), x6 \(m[x: 6])")
            }
            #expect(m[x: 5] > 0)
        }

        @Test(arguments: Configuration.all) func requestBeforeRunIsSeenAtOnce(_ c: Configuration) throws {
            let m = try Machine(c)
            EndlessLoop.all[0].load(m)
            m.vcpu.requestExit()
            #expect(m.vcpu.run().text == "interrupted")
            #expect(m[x: 5] == 0 && m.pc == 0)
        }

        @Test(arguments: Configuration.all, EndlessLoop.all)
        func signalEndsAHotLoopWithExactState(_ c: Configuration, _ loop: EndlessLoop) throws {
            let m = try Machine(c)
            loop.load(m)
            let machine = Shared(m)
            HostSignals.set(SIGUSR2, .record)
            let done = try onThread {
                let m = machine.value
                let mailbox = UnsafeMutablePointer<SignalMailbox>.allocate(capacity: 1)
                mailbox.initialize(to: SignalMailbox(requestFlag: m.vcpu.requestFlag))
                ThreadSlot.mailbox = mailbox
                let mask = HostSignals.mask
                HostSignals.setMask(0)
                let thread = pthread_self()
                for round in 0..<8 {
                    let sent = try? onThread {
                        usleep(UInt32(round) * 400 + 300)
                        pthread_kill(thread, SIGUSR2)
                    }
                    repeat { #expect(m.vcpu.run().text == "interrupted") } while mailbox.pointee.signal == 0
                    #expect(mailbox.pointee.signal == SIGUSR2)
                    #expect(loop.isExact(m), "pc \(m.pc), x5 \(m[x: 5]), x6 \(m[x: 6])")
                    mailbox.pointee.signal = 0
                    HostSignals.setMask(0)
                    #expect(sent?.wait() == true)
                }
                HostSignals.setMask(mask)
                ThreadSlot.mailbox = nil
                mailbox.deallocate()
            }
            #expect(done.wait(seconds: 30))
            HostSignals.set(SIGUSR2, .byDefault)
        }

        @Test(arguments: Configuration.all) func instructionsLeaveWithTheirReasonAndProgramCounter(_ c: Configuration)
            throws
        {
            let m = try Machine(c)
            let rows: [(UInt32, String, Int)] = [
                (RV.ecall, "systemCall", 8), (RV.ebreak, "exception 3", 4), (RV.illegal, "exception 2", 4),
            ]
            for (i, row) in rows.enumerated() {
                m.memory.write([RV.addi(5, 5, 1), row.0], at: 0x1000 * i)
                for _ in 0..<3 {
                    m.pc = 0x1000 * i
                    #expect(m.run().text == row.1)
                    #expect(m.pc == 0x1000 * i + row.2)
                }
            }
            #expect(m[x: 5] == 9)
            // A fence and a pause go through the cpu loop and back.
            m.memory.write(
                [RV.addi(5, 5, 1), RV.fenceI, RV.addi(5, 5, 1), RV.pause, RV.addi(5, 5, 1), RV.ecall], at: 0x8000)
            m.call(0x8000)
            #expect(m[x: 5] == 12 && m.pc == 0x8018)
        }

        @Test(arguments: Configuration.all) func codeThatCannotBeFetchedIsAFaultAtItsAddress(_ c: Configuration) throws
        {
            let m = try Machine(c)
            m.memory.write([RV.addi(5, 5, 1), RV.jalr(0, 20)], at: 0)
            m[x: 20] = m.memory.guardPage + 0x10_0000
            m.pc = 0
            #expect(m.run().text == fault(.execute, .unmapped, m[x: 20]))
            #expect(m.vcpu.programCounter == m[x: 20] && m[x: 5] == 1)
            // The address of an earlier fault has nothing to do with the next one.
            m.memory.write([RV.ld(6, 21)], at: 0x4000)
            m[x: 21] = m.memory.guardPage
            m.pc = 0x4000
            #expect(m.run().text == fault(.read, .permission, m.memory.guardPage))
            // By falling off the end of code.
            let last = Int(TestMemory.codeSize) - 4
            m.memory.write([RV.addi(5, 5, 1)], at: last)
            m.pc = last
            #expect(m.run().text == fault(.execute, .unmapped, m.memory.data))
            #expect(m[x: 5] == 2)
            // An instruction whose second half is not there.
            m.memory.write([0x0293_0001], at: last)  // c.nop, then half of an addi
            m.engine.invalidate(start: GuestLocation(m.memory.base + UInt64(last)), length: 4)
            m.pc = last
            #expect(m.run().text == fault(.execute, .unmapped, m.memory.data))
            #expect(m.pc == last + 2)
        }

        @Test(arguments: Configuration.all) func helperDecidesToLeave(_ c: Configuration) throws {
            let m = try Machine(c, guest: HelperGuest())
            // x10 = what the helper saw in x6; left with a breakpoint when x5 is 3.
            m.memory.write([RV.addi(5, 5, 1), RV.addi(6, 6, 5), RV.j(4), RV.custom(0), RV.j(-16)], at: 0)
            m.pc = 0
            for _ in 0..<3 {
                m[x: 5] = 0
                m[x: 6] = 100
                m.pc = 0
                #expect(m.run().text == "exception 3")
                #expect(m.pc == 12 && m[x: 5] == 3 && m[x: 6] == 115)
                #expect(m[x: 10] == 110)
            }
            // A guest access that failed in a helper.
            m.memory.write([RV.addi(7, 7, 1), RV.j(4), RV.custom(1), RV.ecall], at: 0x1000)
            m[x: 5] = m.memory.guardPage
            m.pc = 0x1000
            #expect(m.run().text == fault(.write, .permission, m.memory.guardPage))
            #expect(m.pc == 0x1008 && m[x: 7] == 1)
            // One that another thread made possible: the instruction is executed again.
            try m.memory.makeLazy(m.memory.data)
            m[x: 5] = m.memory.data
            m.pc = 0x1000
            #expect(m.run().text == fault(.write, .unmapped, m.memory.data))
        }
    }
}

/// Something handed to another thread, which alone uses it from then on.
struct Shared<T>: @unchecked Sendable {
    let value: T
    init(_ value: T) { self.value = value }
}

/// RISC-V with two instructions more, each at the start of a block: they call helpers that may leave.
final class HelperGuest: ExtendedRISCV {
    let riscv = RISCVGuest(cpu: .everything)
    let helpers: [HelperDescriptor]

    init() {
        helpers =
            riscv.helpers + [
                HelperDescriptor("leave_at_three", leaveAtThree, arguments: 2, mayExit: true),
                HelperDescriptor("fail", failingAccess, arguments: 1, result: false, mayExit: true),
            ]
    }

    func translateBlock(_ unit: inout TranslationUnit) {
        var code = unit.instructionBytes()
        guard code.reaches(4), code.peek(4, codeLayout) & 0x7f == 0x0b else { return riscv.translateBlock(&unit) }
        let which = Int(code.peek(4, codeLayout) >> 20) & 1
        unit.beginInstruction()
        let helper = riscv.helpers.count + which
        let x = { (i: Int) in Temp(i - 1) }  // the global of x`i`
        if which == 0 {
            unit.ir.call(HelperID(helper), helpers[helper], x(5), x(6), into: x(10))
        } else {
            unit.ir.call(HelperID(helper), helpers[helper], x(5))
        }
        unit.pc += 4
        unit.jump(to: unit.pc)
    }
}

private let leaveAtThree: HelperFunction = { state, a, b, _, _ in
    if a == 3 { VCPUHeader.of(state).pointee.exitReason = GuestExit.exception(Cause.breakpoint).word }
    return b
}

private let failingAccess: HelperFunction = { state, address, _, _, _ in
    let header = VCPUHeader.of(state)
    header.pointee.exitReason = UInt64(ExitReason.helperFault)
    header.pointee.exitValue = address
    header.pointee.faultIsWrite = 1
    return 0
}
