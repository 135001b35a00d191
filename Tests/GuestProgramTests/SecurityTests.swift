// What Documentation/Security.md says is not protected: a test that fails once it is.

import Glibc
import TestSupport
import Testing

@Suite struct SecurityTests {
    /// The guest loads a word from the translator's own heap, which is outside of its address space.
    @Test func aGuestsLoadsReachTheTranslator() throws {
        let file = "/tmp/martlet-reach-\(getpid())"
        defer { unlink(file) }
        var expected: UInt64?
        let run = try runProcess(
            try Workspace.requireMartlet(),
            ["-accel", "tcg,cache=off", Workspace.guestFolder + "/c/reachhost", file]
        ) { process in
            usleep(300_000)
            let maps = String(decoding: readFile("/proc/\(process)/maps") ?? [], as: UTF8.self)
            guard let heap = maps.split(separator: "\n").last(where: { $0.hasSuffix("[heap]") }),
                let address = UInt64(heap.prefix { $0 != "-" }, radix: 16)
            else { return }
            // The second word of the heap is the first block's size.
            let memory = open("/proc/\(process)/mem", O_RDONLY)
            var word: UInt64 = 0
            if pread(memory, &word, 8, Int(address) + 8) == 8 { expected = word }
            close(memory)
            try? writeFile(file, Array("\(String(address + 8, radix: 16))\n".utf8))
        }
        let word = try #require(expected, "no heap was found")
        #expect(run.text == String(word, radix: 16) + "\n")
    }
}
