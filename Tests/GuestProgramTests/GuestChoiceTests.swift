// Which guest runs a program: the file says it; a name or a CPU model that belongs to one guest leaves the others out.

import Glibc
import TestSupport
import Testing

@Suite struct GuestChoiceTests {
    private static let guests = Dictionary(
        uniqueKeysWithValues: ElfGuest.all.map { ($0.testDescription, ElfImage($0)) })

    /// Runs the smallest program of a guest, which exits with 7, by a link to Martlet of this name.
    private func run(_ guest: String, as name: String, _ options: [String]) throws -> ProcessRun {
        let folder = try makeTemporaryFolder("choice")
        let program = folder + "/program", link = folder + "/" + name
        defer {
            unlink(program)
            unlink(link)
            rmdir(folder)
        }
        try writeFile(program, try #require(Self.guests[guest]).bytes)
        #expect(symlink(try Workspace.requireMartlet(), link) == 0)
        return try runProcess(link, options + [program], seconds: 20)
    }

    @Test(arguments: ElfGuest.all.map(\.testDescription)) func theFileSaysWhoRunsIt(_ guest: String) throws {
        for name in ["martlet", "martlet-\(guest)", "qemu-\(guest)-static"] {
            let run = try run(guest, as: name, [])
            #expect(run.ending == "[exit 7]", "\(name): \(run.errorText)")
        }
    }

    @Test(arguments: [("riscv64", "riscv32"), ("riscv32", "riscv64")])
    func aNameIsForItsOwnGuest(_ guest: String, _ other: String) throws {
        let refused = try run(guest, as: "martlet-\(other)", [])
        #expect(refused.ending == "[exit 126]")
        #expect(refused.errorText.contains("Martlet runs \(other)\n"), "\(refused.errorText)")
        let help = try run(guest, as: "martlet-\(other)", ["-cpu", "help"])
        #expect(help.text.contains("  rv\(other.suffix(2))gc "), "\(help.text)")
    }

    /// A model that only one guest has is right for its programs, and wrong for others'.
    @Test(arguments: [("riscv64", "riscv32"), ("riscv32", "riscv64")])
    func aCPUModelIsForItsOwnGuest(_ guest: String, _ other: String) throws {
        let model = "rv\(guest.suffix(2))gc"
        #expect(try run(guest, as: "martlet", ["-cpu", model]).ending == "[exit 7]")
        #expect(try run(guest, as: "martlet", ["-cpu", "max"]).ending == "[exit 7]")
        let refused = try run(other, as: "martlet", ["-cpu", model])
        #expect(refused.ending == "[exit 126]")
        #expect(refused.errorText.contains("Martlet runs \(guest)\n"), "\(refused.errorText)")
    }
}
