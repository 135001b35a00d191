// Translations on disk: a second engine takes what a first one left, uses it only for the same guest bytes, and survives any file.

import CodeGen
import Glibc
import HostOS
import TestSupport
import Testing

@testable import ExecutionEngine
@testable import TranslationStore

/// A folder for one test, gone with the object.
private final class Folder {
    private let folder: TemporaryFolder
    var path: String { folder.path }
    init() throws { folder = try TemporaryFolder("store-test") }
    func options(_ identity: String = "test", program: String = "program", limit: Int = 256 << 20) -> StoreOptions {
        StoreOptions(
            folder: path, configuration: StoreIdentity(describing: identity.utf8), program: program, limit: limit,
            leastNew: 1)
    }
    var names: [String] { HostFile.names(in: path).filter { $0.first != "." } }
    var size: Int { names.reduce(0) { $0 + Int((try? HostFile.status(path: "\(path)/\($1)").size) ?? 0) } }
    func read(_ options: StoreOptions) -> [UInt8] {
        guard let fd = try? HostFile.openForReading(options.path) else { return [] }
        defer { HostFile.close(fd) }
        var bytes = [UInt8](repeating: 0, count: Int((try? HostFile.status(fd).size) ?? 0))
        _ = bytes.withUnsafeMutableBytes { try? HostFile.read(fd, into: $0, at: 0) }
        return bytes
    }
    func write(_ bytes: [UInt8], _ options: StoreOptions) throws {
        HostFile.remove(options.path)
        let fd = try HostFile.createPrivate(options.path)
        defer { HostFile.close(fd) }
        bytes.withUnsafeBytes { _ = writeAll(fd, $0) }
    }
}

extension StoreOptions {
    /// Of the program's own file.
    fileprivate var identity: StoreIdentity { identity(of: program) }
    fileprivate var path: String { path(identity) }
}

/// What code is in which file: the caller in one, the functions, from the word `bodies` on, in another.
private struct Files {
    var program: String
    var bodies = 200
    func name(of offset: UInt64) -> String { offset < UInt64(4 * bodies) ? program : "library" }
}

/// What one run left.
private struct Run {
    var registers: [UInt64]
    var counters: EngineCounters
    var store: StoreCounters
    var base: UInt64
    var stubBytes: Int
}

extension EngineTests {
    @Suite struct StoreTests {
        /// Forty functions of a few instructions on two pages, called in turn by a loop; a0 = x10 sums up.
        private func program(_ functions: Int = 40, seed: Int = 1, bodies: Int = 200) -> [UInt32] {
            var words: [UInt32] = [RV.addi(10, 0, 0), RV.addi(11, 0, 60), RV.addi(13, 0, 31)]
            let loop = words.count
            for f in 0..<functions { words.append(RV.jal(1, 4 * (bodies + 40 * f - words.count))) }
            words += [RV.addi(11, 11, -1)]
            words.append(RV.bne(11, 0, 4 * (loop - words.count)))
            words.append(RV.ecall)
            for f in 0..<functions {
                while words.count < bodies + 40 * f { words.append(RV.ebreak) }
                words += [RV.addi(12, 0, f + seed), RV.add(10, 10, 12), RV.mul(10, 10, 13), RV.beq(10, 0, 8)]
                words += [RV.addi(10, 10, 3), RV.ret]
            }
            return words
        }

        /// A machine at the same address each time.
        private func run(
            _ options: StoreOptions?, tier: Tier = .automatic, _ words: [UInt32], saves: Bool = true,
            files: Files? = nil,
            _ change: (inout EngineOptions) -> Void = { _ in }
        ) throws -> Run {
            let m = try Machine(Configuration(isX64: true, tier: tier, isLow: true)) {
                $0.store = options
                $0.compilesInBackground = false
                change(&$0)
            }
            m.memory.write(words, at: 0)
            if let files { m.memory.files = { files.name(of: $0) } }
            m.call(0)
            if saves { m.engine.saveTranslations() }
            return Run(
                registers: m.vcpu.registers, counters: m.engine.counters,
                store: m.engine.storeCounters ?? StoreCounters(), base: m.memory.base,
                stubBytes: m.engine.store?.stubBytes ?? 0)
        }

        @Test(arguments: [Tier.automatic, .baseline, .optimizing]) func aSecondRunTranslatesNothing(_ tier: Tier) throws
        {
            let folder = try Folder(), words = program()
            let plain = try run(nil, tier: tier, words)
            let first = try run(folder.options(), tier: tier, words)
            #expect(first.registers == plain.registers)
            #expect(first.store.written > 0 && first.store.error == nil)
            let second = try run(folder.options(), tier: tier, words)
            #expect(second.base == first.base)
            #expect(second.registers == plain.registers)
            #expect(second.counters.translations == 0)
            #expect(second.store.installed == first.store.written && second.store.stale == 0)
            #expect(second.store.written == 0, "nothing new, nothing written")
            #expect(folder.names.count == 1)
        }

        @Test(arguments: [Tier.automatic, .baseline, .optimizing])
        func verifyingChangesNothingOfWhatIsStored(_ tier: Tier) throws {
            let plain = try Folder(), verified = try Folder()
            _ = try run(plain.options(), tier: tier, program()) { $0.verification = .none }
            let run = try run(verified.options(), tier: tier, program()) { $0.verification = .all }
            #expect(run.counters.baseline.verified + run.counters.optimizing.verified == run.counters.translations)
            let bytes = verified.read(verified.options())
            #expect(!bytes.isEmpty && plain.read(plain.options()) == bytes)
        }

        /// Same size, same place, one other constant: only what contains it is translated again, and nothing wrong is run.
        @Test func changedCodeIsTranslatedAgain() throws {
            let folder = try Folder()
            let first = try run(folder.options(), tier: .baseline, program())
            var words = program()
            words[200 + 40 * 7] = RV.addi(12, 0, 99)
            let plain = try run(nil, tier: .baseline, words)
            let second = try run(folder.options(), tier: .baseline, words)
            #expect(second.registers == plain.registers && second.registers != first.registers)
            #expect(second.store.stale == 1 && second.store.installed == first.store.written - 1)
            #expect(second.counters.translations == 1)
        }

        /// What was not there is added, what was there stays; a row that never fits again goes after some writes.
        @Test func filesGrowAndForget() throws {
            let folder = try Folder()
            let first = try run(folder.options(), tier: .baseline, program(20))
            let second = try run(folder.options(), tier: .baseline, program(40))
            #expect(second.store.installed > 0 && second.store.written > first.store.written)
            #expect(try run(folder.options(), tier: .baseline, program(40)).counters.translations == 0)
            // Both versions live in the file until one has not been seen for some writes.
            let other = try run(folder.options(), tier: .baseline, program(40, seed: 2))
            #expect(other.store.stale > 0 && other.counters.translations > 0)
            #expect(try run(folder.options(), tier: .baseline, program(40)).counters.translations == 0)
            var rows = 0
            for seed in 3..<10 { rows = try run(folder.options(), tier: .baseline, program(40, seed: seed)).store.rows }
            #expect(rows < 6 * other.store.written)
        }

        /// Somebody cuts the file short while a process uses it: what has not been read yet is translated.
        @Test(arguments: [100, 4096, 50_001, 200_000])
        func aFileThatIsCutShortWhileInUseIsHarmless(_ length: Int) throws {
            let folder = try Folder(), options = folder.options(), words = program(1000, bodies: 1100)
            let first = try run(options, tier: .baseline, words)
            #expect(folder.size > 256 << 10)
            let m = try Machine(Configuration(isX64: true, tier: .baseline, isLow: true)) { $0.store = options }
            #expect(m.memory.base == first.base)
            m.memory.write(words, at: 0)
            #expect(truncate(options.path, length) == 0)
            m.call(0)
            #expect(m.vcpu.registers == first.registers)
            #expect(m.engine.counters.translations > 100)
            // What was installed stays.
            m.call(0)
            #expect(m.vcpu.registers == first.registers)
        }

        /// The folder is not the user's alone: others may have put files there.
        @Test func filesInAFolderOfOthersAreNotUsed() throws {
            let folder = try Folder(), options = folder.options(), words = program(20)
            let first = try run(options, tier: .baseline, words)
            #expect(try run(options, tier: .baseline, words).store.installed == first.store.written)
            for mode: mode_t in [0o777, 0o770] {
                chmod(folder.path, mode)
                let again = try run(options, tier: .baseline, words)
                #expect(again.registers == first.registers)
                #expect(again.store.rows == 0 && again.store.written == 0 && again.store.error != nil)
            }
            chmod(folder.path, 0o700)
            if geteuid() == 0 {
                chown(folder.path, 54321, 54321)
                #expect(try run(options, tier: .baseline, words).store.rows == 0)
            }
        }

        @Test func aTruncatedFileIsRefused() throws {
            let folder = try Folder(), options = folder.options()
            let run = try run(options, tier: .baseline, program(20))
            let bytes = folder.read(options)
            for length in 0..<bytes.count {
                try folder.write(Array(bytes[..<length]), options)
                #expect(
                    StoreFile(options, identity: options.identity, stubBytes: run.stubBytes) == nil,
                    "\(length) of \(bytes.count) bytes")
            }
        }

        /// The bytes that mean something: bodies end with padding.
        private func covered(_ bytes: [UInt8]) -> Set<Int> {
            bytes.withUnsafeBytes { all in
                let head = all.load(as: StoreHead.self)
                var result = Set(0..<head.tableEnd)
                forEachRow(all, head) { at, row, page in
                    result.formUnion(at..<(at + StoreRow.stride))
                    let start = Int(page.offset) + Int(row.offset)
                    result.formUnion(start..<(start + Int(row.byteCount)))
                }
                return result
            }
        }

        /// Calls `body` with the place of each row, the row, and its page.
        private func forEachRow(
            _ all: UnsafeRawBufferPointer, _ head: StoreHead, _ body: (Int, StoreRow, StorePage) -> Void
        ) {
            for i in 0..<Int(head.pageCount) {
                let page = all.loadUnaligned(
                    fromByteOffset: StoreHead.stride + i * StorePage.stride, as: StorePage.self)
                for r in 0..<Int(page.rowCount) {
                    let at = Int(page.offset) + r * StoreRow.stride
                    body(at, all.loadUnaligned(fromByteOffset: at, as: StoreRow.self), page)
                }
            }
        }

        /// Each byte is covered: by the head's hash, its page's, or its row's.
        @Test func aDamagedFileIsRefusedOrHarmless() throws {
            let folder = try Folder(), options = folder.options(), words = program(20)
            let good = try run(options, tier: .baseline, words)
            let bytes = folder.read(options)
            func rows() -> Int? {
                guard let file = StoreFile(options, identity: options.identity, stubBytes: good.stubBytes)
                else { return nil }
                return (0..<file.pageCount).reduce(0) { sum, p in
                    guard let page = file.contents(p) else { return sum }
                    return sum + (0..<page.rowCount).count { page.translation($0) != nil }
                }
            }
            let all = try #require(rows())
            let covered = covered(bytes)
            for at in bytes.indices {
                var damaged = bytes
                damaged[at] ^= UInt8(1 << (at % 8))
                try folder.write(damaged, options)
                let left = rows()
                #expect(left == nil || left! < all || !covered.contains(at), "byte \(at) of \(bytes.count)")
                if at % 101 == 0 {
                    let again = try run(options, tier: .baseline, words, saves: false)
                    #expect(again.registers == good.registers)
                }
            }
        }

        /// A file whose hashes are right but whose rows are nonsense: somebody knows the format.
        @Test func nonsenseWithGoodHashesIsHarmless() throws {
            let folder = try Folder(), options = folder.options(), words = program(20)
            let good = try run(options, tier: .baseline, words)
            let bytes = folder.read(options)
            let head = bytes.withUnsafeBytes { $0.load(as: StoreHead.self) }
            let start = head.tableEnd
            // Rows, ranges and the tables of the exported regions, not the machine code, which is trusted like a program of the user's.
            for at in start..<(start + Int(head.rowCount) * StoreRow.stride) {
                var changed = bytes
                changed[at] ^= 0x81
                rehash(&changed)
                try folder.write(changed, options)
                let m = try Machine(Configuration(isX64: true, tier: .baseline, isLow: true)) { $0.store = options }
                m.memory.write(words, at: 0)
                m.engine.lock.withLock {
                    m.engine.installStored(at: CodeKey(pc: m.memory.base, mode: 0), in: CodeView(space: m.vcpu.space))
                }
                #expect(m.memory.base == good.base)
            }
        }

        /// Makes all hashes of a changed file right again.
        private func rehash(_ bytes: inout [UInt8]) {
            bytes.withUnsafeMutableBytes { all in
                var head = all.load(as: StoreHead.self)
                forEachRow(UnsafeRawBufferPointer(all), head) { at, row, page in
                    let start = Int(page.offset) + Int(row.offset), end = start + Int(row.byteCount)
                    guard end <= all.count else { return }
                    var row = row
                    row.hash = contentHash(UnsafeRawBufferPointer(rebasing: all[start..<end]))
                    all.storeBytes(of: row, toByteOffset: at, as: StoreRow.self)
                }
                for i in 0..<Int(head.pageCount) {
                    let at = StoreHead.stride + i * StorePage.stride
                    var page = all.loadUnaligned(fromByteOffset: at, as: StorePage.self)
                    let end = Int(page.offset) + Int(page.rowCount) * StoreRow.stride
                    page.hash = contentHash(UnsafeRawBufferPointer(rebasing: all[Int(page.offset)..<end]))
                    all.storeBytes(of: page, toByteOffset: at, as: StorePage.self)
                }
                head.hash = StoreFile.hash(
                    head, table: UnsafeRawBufferPointer(rebasing: all[StoreHead.stride..<head.tableEnd]))
                all.storeBytes(of: head, as: StoreHead.self)
            }
        }

        @Test func otherVersionsAndOthersFilesAreRefused() throws {
            let folder = try Folder(), options = folder.options()
            let run = try run(options, tier: .baseline, program(20))
            func opens(_ identity: StoreIdentity, _ stubBytes: Int) -> Bool {
                StoreFile(options, identity: identity, stubBytes: stubBytes) != nil
            }
            #expect(opens(options.identity, run.stubBytes))
            #expect(!opens(StoreIdentity(describing: "other".utf8), run.stubBytes))
            #expect(!opens(options.identity, run.stubBytes + 16))
            for mode: mode_t in [0o666, 0o620] {
                chmod(options.path, mode)
                #expect(!opens(options.identity, run.stubBytes))
            }
            chmod(options.path, 0o600)
            #expect(opens(options.identity, run.stubBytes))
            var bytes = folder.read(options)
            bytes.withUnsafeMutableBytes { all in
                var head = all.load(as: StoreHead.self)
                head.version += 1
                all.storeBytes(of: head, as: StoreHead.self)
            }
            rehash(&bytes)
            try folder.write(bytes, options)
            #expect(!opens(options.identity, run.stubBytes))
            // A link is not followed, whoever owns what it leads to.
            let moved = options.path + ".moved"
            try HostFile.rename(options.path, moved)
            symlink(moved, options.path)
            #expect(!opens(options.identity, run.stubBytes))
        }

        /// Many writers at once: whoever comes last, the file is whole.
        @Test func writersDoNotDisturbEachOther() throws {
            let folder = try Folder(), options = folder.options()
            let ends = try (0..<4).map { n in
                try onThread {
                    for seed in 0..<5 {
                        _ = try? self.run(options, tier: .baseline, self.program(20, seed: 10 * n + seed))
                    }
                }
            }
            var opened = 0
            while !ends.allSatisfy(\.isSet) {
                let bytes = folder.read(options)
                if bytes.isEmpty { continue }
                let head = bytes.withUnsafeBytes { $0.load(as: StoreHead.self) }
                #expect(Int(head.size) == bytes.count)
                opened += 1
            }
            #expect(opened > 0)
            #expect(folder.names.count == 1, "temporary files are gone")
        }

        @Test func theFolderStaysWithinItsLimit() throws {
            let folder = try Folder(), words = program(40)
            let size = { (n: Int) in
                try self.run(folder.options("\(n)", limit: 64 << 10), tier: .baseline, words).store.writtenBytes
            }
            var written = 0
            for n in 0..<12 { written += try size(n) }
            #expect(written > 64 << 10)
            #expect(folder.size <= 64 << 10)
            // The newest is still there.
            #expect(try run(folder.options("11", limit: 64 << 10), tier: .baseline, words).counters.translations == 0)
        }

        @Test func aFolderThatCannotBeWrittenIsNoError() throws {
            let words = program(20)
            let plain = try run(nil, words)
            for path in ["/proc/martlet-test", "/dev/null/x"] {
                let options = StoreOptions(
                    folder: path, configuration: StoreIdentity(describing: "x".utf8), program: "program", leastNew: 1)
                let run = try run(options, words)
                #expect(run.registers == plain.registers && run.store.error != nil)
            }
        }

        /// A small code cache flushes again and again; what is flushed comes back from the file.
        @Test func flushesInstallAgain() throws {
            let folder = try Folder(), words = program(40)
            let plain = try run(nil, tier: .baseline, words)
            _ = try run(folder.options(), tier: .baseline, words)
            let small = try run(folder.options(), tier: .baseline, words) { $0.codeCacheSize = 8 << 10 }
            #expect(small.counters.flushes > 10 && small.registers == plain.registers)
        }

        /// The guest overwrites a function that came from the file, and calls it again.
        @Test func installedCodeIsInvalidatedLikeAnyOther() throws {
            let folder = try Folder()
            func once() throws -> (UInt64, UInt64, StoreCounters) {
                let m = try Machine(Configuration(isX64: true, tier: .baseline, isLow: true)) {
                    $0.store = folder.options()
                }
                m.memory.write(program(20), at: 0)
                m.call(0)
                let before = m[x: 10]
                m.engine.saveTranslations()
                // sw x5, 0(x6): a store of the guest's own.
                m.memory.write([RV.sw(5, 6), RV.ecall], at: 0x8000)
                m[x: 5] = UInt64(RV.addi(12, 0, 77))
                m[x: 6] = m.memory.base + 4 * UInt64(200 + 40 * 3)
                m.call(0x8000)
                m.call(0)
                return (before, m[x: 10], m.engine.storeCounters!)
            }
            let first = try once(), second = try once()
            #expect(first.0 == second.0 && first.1 == second.1 && first.0 != first.1)
            #expect(second.2.installed > 0)
        }

        // MARK: Sharing

        @Test func programsShareALibrary() throws {
            let folder = try Folder(), words = program()
            let plain = try self.run(nil, tier: .baseline, words)
            func run(_ program: String) throws -> Run {
                try self.run(folder.options(program: program), tier: .baseline, words, files: Files(program: program))
            }
            let a = try run("a")
            #expect(folder.names.count == 2)
            let library = folder.options(program: "library")
            let written = folder.read(library)
            let b = try run("b")
            #expect(b.registers == plain.registers)
            #expect(b.counters.translations > 0 && b.counters.translations < a.counters.translations / 2)
            #expect(b.store.installed > 0 && b.store.installed + b.counters.translations == a.counters.translations)
            #expect(folder.names.count == 3)
            #expect(folder.read(library) == written, "all of the library was known")
            for program in ["a", "b"] {
                let again = try run(program)
                #expect(again.registers == plain.registers)
                #expect(again.counters.translations == 0 && again.store.written == 0)
            }
        }

        /// A program runs some functions of a library, another one all: the first installs no more than it did.
        @Test func aProgramInstallsWhatItUses() throws {
            let folder = try Folder()
            func run(_ program: String, _ words: [UInt32]) throws -> Run {
                try self.run(folder.options(program: program), tier: .baseline, words, files: Files(program: program))
            }
            _ = try run("few", program(5))
            let few = try run("few", program(5))
            _ = try run("all", program(40))
            let again = try run("few", program(5))
            #expect(again.counters.translations == 0 && again.store.installed == few.store.installed)
            #expect(again.store.rows > few.store.rows)
        }

        @Test func aChangedLibraryIsTranslatedAgain() throws {
            let folder = try Folder()
            func run(_ program: String, seed: Int) throws -> Run {
                try self.run(
                    folder.options(program: program), tier: .baseline, self.program(seed: seed),
                    files: Files(program: program))
            }
            _ = try run("a", seed: 1)
            let plain = try self.run(nil, tier: .baseline, program(seed: 2))
            let changed = try run("b", seed: 2)
            #expect(changed.registers == plain.registers)
            #expect(changed.store.stale > 0 && changed.counters.translations > 0)
            #expect(try run("a", seed: 2).registers == plain.registers)
            #expect(try run("b", seed: 2).counters.translations == 0)
        }

        /// Where its usual place was taken, a library lies elsewhere: its file holds the translations for both places.
        @Test func aLibraryAtTwoPlaces() throws {
            let folder = try Folder()
            func run(_ program: String, bodies: Int) throws -> Run {
                try self.run(
                    folder.options(program: program), tier: .baseline, self.program(bodies: bodies),
                    files: Files(program: program, bodies: bodies))
            }
            let first = try run("a", bodies: 200)
            let second = try run("b", bodies: 4200)
            #expect(second.registers == first.registers && second.store.installed == 0)
            #expect(try run("a", bodies: 200).counters.translations == 0)
            #expect(try run("b", bodies: 4200).counters.translations == 0)
        }

        /// A child finds what another child of the same parent has written after the parent had opened its files.
        @Test func childrenLearnFromEachOther() throws {
            let folder = try Folder(), words = program(20)
            let m = try Machine(Configuration(isX64: true, tier: .baseline, isLow: true)) {
                $0.store = folder.options()
                $0.compilesInBackground = false
            }
            m.memory.write(words, at: 0)
            // Runs everything; the number of translations made, when the result is right.
            func child() throws -> Int32 {
                try m.engine.prepareFork()
                let pid = try HostProcess.fork()
                m.engine.finishFork(isChild: pid == 0, surviving: m.vcpu)
                if pid == 0 {
                    m.call(0)
                    m.engine.saveTranslations()
                    HostProcess.exitGroup(Int32(min(m.engine.counters.translations, 255)))
                }
                var status: Int32 = 0
                waitpid(pid, &status, 0)
                return status >> 8
            }
            #expect(try child() > 20)
            #expect(try child() == 0)
            #expect(try child() == 0)
        }

        /// A list of uses that names what is not there, or no offset at all.
        @Test func nonsenseInUsesIsHarmless() throws {
            let folder = try Folder(), words = program(20), options = folder.options(program: "a")
            let good = try run(options, tier: .baseline, words, files: Files(program: "a"))
            let bytes = folder.read(options)
            let head = bytes.withUnsafeBytes { $0.load(as: StoreHead.self) }
            #expect(head.usesCount > 0)
            for at in head.usesAt..<head.tableEnd {
                var changed = bytes
                changed[at] ^= 0x81
                rehash(&changed)
                try folder.write(changed, options)
                let again = try run(options, tier: .baseline, words, saves: at % 7 == 0, files: Files(program: "a"))
                #expect(again.registers == good.registers)
            }
        }
    }
}
