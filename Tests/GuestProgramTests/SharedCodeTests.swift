// No process may write what another executes: looked at from outside, while a guest program and its forked children run.

import Glibc
import TestSupport
import Testing

@Suite struct SharedCodeTests {
    /// Who the emulator runs as: root may be any user.
    private static var users: [Int] { getuid() == 0 ? [0, 1000, 65533] : [Int(getuid())] }

    @Test(arguments: users) func noProcessMayWriteWhatAnotherExecutes(_ user: Int) throws {
        let martlet = try Workspace.requireMartlet()
        // It forks twice, and all three stay for so many milliseconds.
        var words = [martlet, "-accel", "tcg,cache=off", Workspace.guestFolder + "/c/forkcode", "wait", "2000"]
        if user != Int(getuid()) {
            words = ["/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups"] + words
        }
        var processes: [Int] = []
        var views: [ViewsOfCode] = []
        let run = try runProcess(words[0], Array(words[1...])) { leader in
            for _ in 0..<1000 where processes.count < 3 {
                usleep(10_000)
                processes = processIDs(ofGroup: leader).map(Int.init)
            }
            usleep(300_000)
            views = processes.map { ViewsOfCode(process: $0) }
        }
        #expect(run.ending == "[exit 0]" && run.text.hasSuffix(" 1 5\n"), "\(run.text)\(run.errorText)")
        #expect(processes.count == 3)
        for (i, one) in views.enumerated() {
            #expect(!one.executable.isEmpty && !one.writable.isEmpty, "no generated code in process \(processes[i])")
            for (k, other) in views.enumerated() where i != k {
                for written in one.writable {
                    #expect(
                        !other.executable.contains { $0.overlaps(written) },
                        "process \(processes[i]) may write what \(processes[k]) executes")
                }
            }
        }
    }
}

/// The pieces of memory files with generated code that a process has in view.
private struct ViewsOfCode {
    /// Bytes of one file.
    struct Piece {
        var file: String
        var bytes: Range<Int>
        func overlaps(_ other: Piece) -> Bool { file == other.file && bytes.overlaps(other.bytes) }
    }
    var writable: [Piece] = []
    var executable: [Piece] = []

    init(process: Int) {
        for line in String(decoding: readFile("/proc/\(process)/maps") ?? [], as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: " ", maxSplits: 5)
            guard fields.count == 6, fields[5].contains("martlet-code") else { continue }
            let ends = fields[0].split(separator: "-").compactMap { Int($0, radix: 16) }
            guard ends.count == 2, let offset = Int(fields[2], radix: 16) else { continue }
            let piece = Piece(file: String(fields[4]), bytes: offset..<(offset + ends[1] - ends[0]))
            if fields[1].contains("w") { writable.append(piece) }
            if fields[1].contains("x") { executable.append(piece) }
        }
    }
}
