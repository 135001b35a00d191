// What a guest makes and lets go of leaves nothing behind: mappings, address space and memory of the process stay as they are.
// MARTLET_LONG=1 makes a hundred thousand of each.

import Glibc
import TestSupport
import Testing

@Suite struct LeakTests {
    /// How large a process is.
    struct Size {
        var mappings: Int
        /// KiB. `resident` is without pages of files, of which the kernel maps as many as it likes.
        var virtual: Int, resident: Int

        init(of process: pid_t) {
            mappings = Self.text("/proc/\(process)/maps").split(separator: "\n").count
            let status = Self.text("/proc/\(process)/status").split(separator: "\n")
            func field(_ name: String) -> Int {
                let line = status.first { $0.hasPrefix(name + ":") } ?? ""
                return Int(line.split(separator: "\t").last?.split(separator: " ").first ?? "") ?? 0
            }
            virtual = field("VmSize")
            resident = field("RssAnon") + field("RssShmem")
        }

        private static func text(_ path: String) -> String { String(decoding: readFile(path) ?? [], as: UTF8.self) }
    }

    /// Runs `churn` and looks at it before and after its rounds, while it has stopped itself.
    private func sizes(_ kind: String, rounds: Int, options: [String] = []) throws -> (before: Size, after: Size) {
        let martlet = try Workspace.requireMartlet()
        let program = Workspace.guestFolder + "/c/churn"
        var arguments = ([martlet] + options + [program, kind, "\(rounds)"]).map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = [nil]
        defer { for pointer in arguments { free(pointer) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        var child: pid_t = 0
        try #require(posix_spawn(&child, martlet, &actions, nil, &arguments, &environment) == 0)
        defer {
            kill(child, SIGKILL)
            waitpid(child, nil, 0)
        }
        func size(within seconds: Int) throws -> Size {
            for _ in 0..<seconds * 100 {
                var status: Int32 = 0
                if waitpid(child, &status, WNOHANG | WUNTRACED) == child {
                    try #require(status & 0xff == 0x7f, "churn ended with status \(status)")
                    return Size(of: child)
                }
                usleep(10_000)
            }
            throw SpawnError(description: "churn \(kind) took more than \(seconds) seconds")
        }
        let before = try size(within: 120)
        kill(child, SIGCONT)
        return (before, try size(within: 1200))
    }

    static let isLong = environmentValue("MARTLET_LONG") == "1"

    @Test(arguments: ["threads", "forks", "vforks", "parents", "files", "functions"])
    func nothingGrows(_ kind: String) throws {
        // So many functions that what is left of them shows.
        let rounds = Self.isLong ? 100_000 : kind == "functions" ? 30_000 : 2_000
        let (before, after) = try sizes(kind, rounds: rounds, options: ["-accel", "tcg,cache=off,background=off"])
        #expect(after.mappings <= before.mappings + 16)
        // Threads that are ending when the process stops hold their stacks still, and the C library reserves a heap of 64 MiB for some.
        // A leak of 2 MiB a thread, as there was, is eight times as large.
        #expect(after.virtual <= before.virtual + ((kind == "threads" || kind == "parents" ? 512 : 16) << 10))
        #expect(after.resident <= before.resident + (10 << 10))
    }
}
