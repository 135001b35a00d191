// Translations that outlive the process. There is a file of them for each file of guest code: the program, ld.so, each library, so that
// programs share what they translate of libraries. What earlier runs left is installed when the guest first runs there, and what is
// new at the end is written back together with the old.

import CodeGen
import HostOS

/// What the store did; guarded by the translation lock.
public struct StoreCounters: Sendable {
    /// Rows in the files that were opened, and bytes.
    public var rows = 0
    public var bytes = 0
    /// Rows installed; rows passed over because guest memory holds other bytes.
    public var installed = 0
    public var stale = 0
    /// Rows and bytes written, and the error when it failed.
    public var written = 0
    public var writtenBytes = 0
    public var error: String?
}

/// The translations of one file of guest code.
final class StoreUnit {
    let identity: StoreIdentity
    let path: String
    private(set) var file: StoreFile?
    /// This is a forked child that has not looked whether there is a new file.
    var mayLookAgain = false

    init(_ store: Store, _ name: String) {
        identity = store.options.identity(of: name)
        path = store.options.path(identity)
        open(store)
    }

    private func open(_ store: Store) {
        guard store.readsFiles else { return }
        file = StoreFile(path: path, identity: identity, stubBytes: store.stubBytes)
        guard let file else { return }
        store.counters.rows += Int(file.head.rowCount)
        store.counters.bytes += file.bytes.count
        file.refresh(path)
    }

    /// In a child, once: another child of the same parent may have written what this one is about to translate. True when there is
    /// another file than before.
    func lookAgain(_ store: Store) -> Bool {
        guard mayLookAgain else { return false }
        mayLookAgain = false
        guard let status = try? HostFile.status(path: path),
            status.inode != file?.inode || status.device != file?.device
        else { return false }
        open(store)
        return file != nil
    }
}

/// One engine's part of the store. Everything is guarded by the translation lock.
final class Store {
    let options: StoreOptions
    let stubBytes: Int
    /// There is a folder, and nobody but the user can have put anything there.
    private(set) var readsFiles: Bool
    var counters = StoreCounters()
    /// What is being installed.
    let copy = StoredCopy()
    /// Translations from this index on count as new. (A forked child's are those that it made itself.)
    var firstNew = 0
    /// Rows of other files that this process runs and earlier runs of the program did not.
    var newUses = 0
    /// The program's own translations, those of more than one file, and the list of what it uses of other files.
    private(set) var program: StoreUnit!
    /// By number of the file of code, as far as they were asked for.
    private var units: [StoreUnit?] = []

    init(_ options: StoreOptions, stubBytes: Int) {
        self.options = options
        self.stubBytes = stubBytes
        readsFiles = StoreFolder.isTrusted(options)
        program = StoreUnit(self, options.program)
    }

    /// Translations that earlier runs of the program used.
    var expectedRows: Int { program.file.map { Int($0.head.rowCount) + Int($0.head.offsetCount) } ?? 0 }

    /// The unit of a file of code, by its number.
    func unit(_ number: Int, _ name: (Int) -> String) -> StoreUnit {
        while units.count <= number { units.append(nil) }
        if let known = units[number] { return known }
        let name = name(number)
        let unit = name == options.program ? program! : StoreUnit(self, name)
        units[number] = unit
        return unit
    }

    /// The units that were asked for, besides the program's.
    var libraries: [StoreUnit] { units.compactMap { $0 === program ? nil : $0 } }

    /// The code cache is empty now.
    func flush() {
        firstNew = 0
        program.file?.flush()
        for unit in libraries { unit.file?.flush() }
    }

    /// This is a forked child, which has made nothing yet.
    func beginChild(count: Int) {
        firstNew = count
        newUses = 0
        readsFiles = StoreFolder.isTrusted(options)
        program.mayLookAgain = true
        for unit in libraries { unit.mayLookAgain = true }
    }
}

extension Engine {
    /// Installs what earlier runs translated: of the page of `pc`, when it is asked for the first time, what the program's own file has
    /// and what earlier runs of the program used of a library; else what there is at `pc`, from runs of other programs. Holds the lock.
    func installStored(at pc: UInt64, _ flags: UInt64) {
        guard let store else { return }
        let first = cache.count
        let number = memory.codeFile(at: pc)
        let unit = number == 0 ? nil : store.unit(number, memory.codeFileName)
        repeat {
            install(at: pc, flags, store, unit)
        } while cache.find(pc, flags) == nil && lookAgain(store, unit)
        if options.chaining { for index in first..<cache.count { linkAll(index) } }
    }

    private func lookAgain(_ store: Store, _ unit: StoreUnit?) -> Bool {
        let isNew = store.program.lookAgain(store)
        return unit?.lookAgain(store) ?? false || isNew
    }

    private func install(at pc: UInt64, _ flags: UInt64, _ store: Store, _ unit: StoreUnit?) {
        let page = pc >> TranslationCache.pageBits
        let own = store.program.file
        if let own, let index = own.index(of: page), own.visit(index), let contents = own.contents(index) {
            for i in 0..<contents.rowCount { install(contents, i, from: own) }
        }
        guard let unit, unit !== store.program, let file = unit.file, let index = file.index(of: page),
            let contents = file.contents(index)
        else { return }
        if file.visit(index), let own, let uses = own.uses(of: page) {
            var row = 0
            for i in 0..<Int(uses.count) {
                guard let used = own.address(uses, i) else { break }
                // Both are in ascending order.
                while row < contents.rowCount, contents.row(row).pc < used { row += 1 }
                installAll(contents, at: used, from: row, of: file)
            }
        }
        if cache.find(pc, flags) == nil {
            store.newUses += installAll(contents, at: pc, from: contents.firstRow(from: pc), of: file)
        }
    }

    /// Installs the rows of a page that start at `pc`, one for each flags, from a number on; returns how many.
    @discardableResult
    private func installAll(_ contents: StoredPage, at pc: UInt64, from first: Int, of file: StoreFile) -> Int {
        var at = first, count = 0
        while at < contents.rowCount, contents.row(at).pc == pc {
            if install(contents, at, from: file) { count += 1 }
            at += 1
        }
        return count
    }

    /// Installs one row, once, if guest memory holds its bytes and nothing is there for its pc and flags.
    @discardableResult
    private func install(_ contents: StoredPage, _ row: Int, from file: StoreFile) -> Bool {
        let ordinal = Int(contents.page.firstRow) + row
        guard let store, file.states[ordinal] == .untouched,
            let stored = contents.translation(row, copiedTo: store.copy),
            cache.find(stored.row.pc, stored.row.flags) == nil
        else { return false }
        guard let ranges = store.copy.ranges(of: stored), reader.holds(ranges, stored.code) else {
            file.states[ordinal] = .stale
            store.counters.stale += 1
            return false
        }
        let made = MadeRegion(
            key: CodeKey(pc: stored.row.pc, mode: stored.row.flags), body: .exported(stored.region), ranges: ranges,
            isOptimized: stored.row.isOptimized, canGrow: stored.row.canGrow, storedCounter: Int(stored.row.counter))
        guard admit(made) != nil else { return false }
        file.states[ordinal] = .installed
        store.counters.installed += 1
        return true
    }

    /// Links the slots of a translation whose targets are there.
    private func linkAll(_ source: Int) {
        let compiled = cache.compiled[source]
        let flags = cache.rows[source].flags
        for slot in 0..<compiled.slotCount where cache.hasRoomForLink {
            guard let pc = host.target(compiled, slot: slot), let target = cache.find(pc, flags),
                host.link(compiled, slot: slot, to: cache.rows[target].entry, pc: pc)
            else { continue }
            cache.addLink(source: source, slot: slot, target: target)
        }
    }

    /// What the store did, when there is one.
    public var storeCounters: StoreCounters? { lock.withLock { store?.counters } }

    /// Writes what this process has translated, when that is worth it: before the process ends or executes another program.
    public func saveTranslations() {
        guard store != nil else { return }
        lock.withLock { StoreWriter(self)?.write() }
    }
}

/// Equality of the first `count` bytes.
func areEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, _ count: Int) -> Bool {
    guard count <= a.count, count <= b.count else { return false }
    var at = 0
    while at &+ 8 <= count {
        if a.loadUnaligned(fromByteOffset: at, as: UInt64.self) != b.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        {
            return false
        }
        at &+= 8
    }
    while at < count {
        if a[at] != b[at] { return false }
        at &+= 1
    }
    return true
}
