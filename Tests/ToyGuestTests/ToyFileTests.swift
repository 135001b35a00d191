// Files of the made-up machine that user mode refuses, in one line.

import EngineModes
import TestSupport
import Testing

/// What is wrong with a file, and what makes it so.
struct BadToyFile: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var change: @Sendable (inout [UInt8]) -> Void

    static let all = [
        BadToyFile(testDescription: "the other class") { $0[4] = 2 },
        BadToyFile(testDescription: "the other byte order") { $0[5] = 1 },
        BadToyFile(testDescription: "another machine") { $0[19] ^= 1 },
        BadToyFile(testDescription: "other flags") { $0[39] = 0x10 },
        BadToyFile(testDescription: "cut in the ELF header") { $0.removeLast($0.count - 40) },
        BadToyFile(testDescription: "cut in the program headers") { $0.removeLast($0.count - 100) },
        BadToyFile(testDescription: "cut in the segment's data") { $0.removeLast($0.count - 0x1_0000) },
        // The second segment's offset: whole pages of the host's, but not of the guest's.
        BadToyFile(testDescription: "offset and address disagree") { $0[90] ^= 0x10 },
    ]
}

@Suite struct ToyFileTests {
    @Test(arguments: BadToyFile.all) func aFileThatCannotRunIsRefusedInOneLine(_ bad: BadToyFile) throws {
        let folder = try ToyFolder()
        var program = ToyProgram()
        program.word("data", 0, 0)
        program.exit(0)
        try folder.run(program, .others[0])
        var file = program.file()
        bad.change(&file)
        let run = try folder.start(.others[0], file)
        #expect(run.ending == "[exit 126]" && run.output.isEmpty)
        #expect(run.errorText.split(separator: "\n").count == 1, "\(run.errorText)")
        #expect(run.errorText.contains(folder.path + "/program"), "\(run.errorText)")
    }
}
