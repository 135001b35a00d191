// Names of core files, and which memory goes into them.

import LinuxMemory
import Testing

@testable import LinuxUser

@Suite struct CoreFileTests {
    private func name(_ pattern: String, usesPID: Bool = false) -> String {
        CoreName.expand(pattern, usesPID: usesPID) { ["p": "42", "e": "guest", "s": "11"][$0] }
    }

    @Test func patternsBecomeNames() {
        #expect(name("core") == "core")
        #expect(name("core", usesPID: true) == "core.42")
        #expect(name("core.%p", usesPID: true) == "core.42")
        #expect(name("/var/%e-%s%%.%z%p%") == "/var/guest-11%.42")
        #expect(name("") == "")
        // A handler of the system's.
        #expect(name("|/usr/lib/handler %p %s") == "core.42")
        #expect(name("@/run/socket") == "core.42")
    }

    @Test func namesWithinAPathHaveNoSlashes() {
        #expect(CoreName.withoutSlashes("a/b") == "a!b")
        #expect(CoreName.withoutSlashes("..") == "!.")
    }

    private static let host = """
        10000-14000 r--p 00000000 08:01 12 /bin/a b
        Anonymous:             0 kB
        Swap:                  0 kB
        VmFlags: rd mr mw me
        14000-15000 rw-p 00004000 08:01 12 /bin/a b
        Anonymous:             4 kB
        Swap:                  0 kB
        VmFlags: rd wr
        15000-18000 rw-p 00000000 00:00 0
        Anonymous:             0 kB
        Swap:                  4 kB
        VmFlags: rd wr dd
        20000-21000 r--p 00000000 00:00 0
        Anonymous:             4 kB
        VmFlags: rd
        21000-22000 rw-p 00000000 00:00 0
        Anonymous:             0 kB
        VmFlags: rd wr
        30000-32000 rw-s 00000000 00:01 7 /dev/zero (deleted)
        Anonymous:             0 kB
        VmFlags: rd wr sh
        7f0000000000-7f0000001000 rw-p 00000000 00:00 0 [heap]
        """

    private func areas(_ host: String) -> [CoreArea] {
        let mappings = [
            Mapping(start: 0x10000, end: 0x12000, rights: [.read, .execute], kind: .file),
            Mapping(start: 0x12000, end: 0x14000, rights: .read, kind: .file),
            Mapping(start: 0x14000, end: 0x15000, rights: [.read, .write], kind: .file),
            Mapping(start: 0x15000, end: 0x17000, rights: [.read, .write]),
            Mapping(start: 0x20000, end: 0x22000, rights: [.read, .write, .execute]),
            Mapping(start: 0x30000, end: 0x32000, rights: [.read, .write], isShared: true),
        ]
        return CoreArea.all(mappings, host: host) { $0 }
    }

    /// The guest's rights and extents, the host's files and facts.
    @Test func areasJoinTheTwoLists() {
        let areas = areas(Self.host)
        #expect(areas.map(\.start) == [0x10000, 0x12000, 0x14000, 0x15000, 0x20000, 0x30000])
        #expect(areas.map(\.end) == [0x12000, 0x14000, 0x15000, 0x17000, 0x22000, 0x32000])
        #expect(areas.map(\.offset) == [0, 0x2000, 0x4000, 0, 0, 0])
        #expect(areas[0].file == "/bin/a b" && areas[0].rights == [.read, .execute])
        #expect(areas.map(\.hasOwnPages) == [false, false, true, true, true, false])
        #expect(areas.map(\.isExcluded) == [false, false, false, true, false, false])
        #expect(areas[5].isDeleted && !areas[5].isAnonymous && areas[4].isAnonymous)
    }

    @Test func theFilterChooses() {
        func sizes(_ filter: CoreFilter) -> [UInt64] { areas(Self.host).map { filter.size(of: $0) { _ in true } } }
        #expect(sizes(.usual) == [0x1000, 0, 0x1000, 0, 0x2000, 0x2000])
        #expect(sizes([]) == [0, 0, 0, 0, 0, 0])
        #expect(sizes(.filePrivate) == [0x2000, 0x2000, 0x1000, 0, 0, 0])
        #expect(sizes(.anonymousShared) == [0, 0, 0, 0, 0, 0x2000])
        #expect(sizes(.fileShared) == [0, 0, 0, 0, 0, 0])
    }

    @Test func withoutTheHostsListWhatIsWritableIsWritten() {
        let areas = areas("")
        #expect(areas.map(\.end) == [0x12000, 0x14000, 0x15000, 0x17000, 0x22000, 0x32000])
        #expect(areas.map(\.hasOwnPages) == [false, false, true, true, true, true])
    }
}
