import HostOS
import Testing

@testable import LinuxUser

/// What is read of other processes, which may hold anything. (How guest processes see each other: compared/otherprocess.)
@Suite struct OtherProcessTests {
    private func zeros(_ words: String...) -> [UInt8] { words.flatMap { Array($0.utf8) + [0] } }

    @Test func theCommandLineOfAStartSaysProgramAndArguments() {
        let line = zeros("martlet", "run-executed", "-L", "/root", "-0", "name", "--", "/bin/program", "a b", "", "c")
        let found = OtherProcess.launched(line)
        #expect(found?.path == "/bin/program")
        #expect(found?.arguments == zeros("name", "a b", "", "c"))
        #expect(OtherProcess.launched(zeros("martlet", "run", "-0", "", "--", "/p"))?.arguments == [0])
    }

    @Test func otherCommandLinesSayNothing() {
        let lines = [
            [], [0], zeros("martlet"), zeros("martlet", "-0"), zeros("martlet", "-0", "a"),
            zeros("martlet", "-0", "a", "--"), zeros("sh", "-0", "a", "--", "/p"),
            zeros("martlet", "-0", "a", "b", "--", "/p"),
            Array(zeros("martlet", "-0", "a", "--", "/p").dropLast()), Array("martlet".utf8), [0xff, 0, 0x80],
        ]
        for line in lines { #expect(OtherProcess.launched(line) == nil, "\(line)") }
    }

    @Test func fieldsOfStatAreFoundBehindAnyName() throws {
        let fields = (3...52).map { "\($0)" }.joined(separator: " ")
        for name in ["a", "", ") R 1", "a b", "((", "\n"] {
            var line = try #require(ProcStatLine("7 (\(name)) \(fields)\n"))
            #expect(line[ProcStatLine.threads] == 20 && line[ProcStatLine.heapStart] == 47)
            #expect(line.text == "7 (\(name)) \(fields)\n")
            line[ProcStatLine.threads] = 1
            #expect(line.text.contains(" 19 1 21 "))
        }
        #expect(ProcStatLine("") == nil && ProcStatLine("7 (a) R 1") == nil && ProcStatLine(fields) == nil)
    }

    @Test func mapsKeepTheGuestsPart() throws {
        let guest = try SystemCallFixture()
        func text(_ maps: String) -> String {
            var maps = OtherProcMaps(Array(maps.utf8))
            return String(decoding: maps.text(for: guest.process), as: UTF8.self)
        }
        func row(_ start: String, _ name: String) -> String {
            start + String(repeating: " ", count: 73 - start.utf8.count) + name + "\n"
        }
        let program = row("00010000-00011000 rw-p 00001000 fe:00 17", "/a b")
        let details = "Size:                  4 kB\nVmFlags: rd wr \n"
        let stack = row("3fff7ff000-3ffffff000 rw-p 00000000 00:00 0", "[stack]")
        let end = "4000000000-4000001000 ---p 00000000 00:00 0 \n"
        let host = "7fe7bb09f000-7fe7bb400000 rw-p 00000000 00:00 0 \nSize: 4 kB\n"
        #expect(text(program + details + stack + end + host) == program + details + stack)
        #expect(text(host) == "" && text("") == "" && text("-") == "" && text("zz-1 r\nSize") == "")
        #expect(text("00001000-00002000 r\n").hasPrefix("00001000-00002000 "))
        #expect(text("Size: 1 kB\n00001000") == "")
    }

    @Test func processesOfTheHostAreNone() {
        func other(_ id: String) -> OtherProcess? {
            Array(id.utf8).withUnsafeBufferPointer { OtherProcess($0) }
        }
        for id in ["1", "2", "", "x", "self", "99999999999999999999", "4999999"] { #expect(other(id) == nil, "\(id)") }
    }

    @Test func sizesOfStatusAreReplaced() throws {
        let guest = try SystemCallFixture()
        let text =
            "Name:\t\ta b\nVmSize:\t 1147468 kB\nVmRSS:\t       4 kB\nRssAnon:\t 9999999 kB\nThreads:\t3\nGroups:\t \n"
            + "x\n\t\n"
        let sizes = ProcSizes(guest.process)
        let size = guest.process.memory.mappings.reduce(0) { $0 + $1.end - $1.start } / 1024
        let changed = ProcStatusText(text).changed(sizes) { name, _ in name == "Threads:" ? "1" : nil }
        let lines = changed.split(separator: "\n")
        #expect(lines[0] == "Name:\t\ta b" && lines[1].hasSuffix(" \(size) kB") && lines[1].utf8.count == 19)
        #expect(lines[2] == "VmRSS:\t       4 kB" && lines[3].hasSuffix(" \(size) kB"))
        #expect(lines[4] == "Threads:\t1" && lines[5] == "Groups:\t " && changed.hasSuffix("x\n\t\n"))
        #expect(sizes.statistics("9999999 2 1 7 0 5 0\n").hasPrefix("\(size / 4) 2 1 "))
        #expect(sizes.statistics("1 2") == "1 2")
    }
}
