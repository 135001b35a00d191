// The bare-metal programs of Tests/Machine against what the oracle printed: all in the default mode, some in every mode.

import Glibc
import TestSupport
import Testing

@Suite struct MachineProgramTests {
    @Test func theProgramsAreBuilt() throws {
        _ = try Workspace.requireEmulator()
        try #require(
            MachineProgram.all.count >= 70,
            "the machine programs are not built in \(Workspace.programs): run ./devtool test, which builds them")
        for program in MachineProgram.all {
            #expect(access("\(Workspace.programs)/\(program.name)", R_OK) == 0, "\(program.name) was not built")
            #expect(
                program.expectation?.hasSuffix("[exit 0]\n") == true,
                "\(program.name) has no good expectation: run ./devtool test privileged --bless \(program.name)")
        }
        for name in MachineProgram.knownFailures.keys {
            #expect(MachineProgram.all.contains { $0.name == name }, "failures.txt names \(name), which is no program")
        }
        #expect(MachineProgram.quick.count == MachineProgram.quickNames.count)
    }

    @Test(arguments: MachineProgram.all)
    func behavesAsExpected(_ program: MachineProgram) throws {
        try check(program, .usual)
    }

    @Test(arguments: MachineProgram.quick, MachineMode.others)
    func behavesAsExpectedInEveryMode(_ program: MachineProgram, _ mode: MachineMode) throws {
        try check(program, mode)
    }

    private func check(_ program: MachineProgram, _ mode: MachineMode) throws {
        for _ in 0..<mode.runs { try checkOnce(program, mode) }
    }

    private func checkOnce(_ program: MachineProgram, _ mode: MachineMode) throws {
        let expectation = try #require(program.expectation, "no expectation: run ./devtool test privileged --bless")
        let run = try program.run(mode, seconds: 60)
        let result = run.text + run.ending + "\n"
        if let reason = program.knownFailure {
            #expect(
                result != expectation, "\(program.name) passes: it is in failures.txt no longer by right (\(reason))")
        } else if result != expectation {
            Issue.record(
                """
                \(program.name), \(mode.name): \(firstDifference(result, expectation))
                stderr: \(run.errorText.suffix(4000))
                """)
        }
    }
}
