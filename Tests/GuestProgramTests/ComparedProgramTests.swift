// Programs about the kernel's behaviour, run by the host itself and by the emulator: they must print the same. What they
// print depends on the kernel and on the user, and need not be written down.

import TestSupport
import Testing

@Suite struct ComparedProgramTests {
    @Test func theProgramsAreBuilt() { #expect(GuestProgram.compared.count >= 3) }

    @Test(arguments: GuestProgram.compared)
    func behavesAsOnTheHost(_ program: GuestProgram) throws {
        let host = try runProcess(program.hostBinary, program.arguments)
        let guest = try program.run([])
        #expect(host.ending == "[exit 0]")
        #expect(guest.ending == host.ending, "stderr: \(guest.errorText.suffix(600))")
        let wanted = host.text.split(separator: "\n"), got = guest.text.split(separator: "\n")
        var differences = zip(wanted, got).filter { $0 != $1 }.map { "host:  \($0)\nguest: \($1)" }
        if wanted.count != got.count { differences.append("\(got.count) lines in place of \(wanted.count)") }
        if !differences.isEmpty {
            let shown = differences.prefix(20).joined(separator: "\n")
            Issue.record("\(program.name): \(differences.count) differences:\n\(shown)")
        }
    }
}
