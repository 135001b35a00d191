// Translations that outlive the process: a file of earlier runs is opened with the engine, its translations are installed page by
// page when the guest first runs there, and what is new at the end is written back together with the old.

import CodeGen
import HostOS

/// What the store did; guarded by the translation lock.
public struct StoreCounters: Sendable {
    /// Rows in the file, and bytes.
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

/// One engine's part of the store. Everything is guarded by the translation lock.
final class Store {
    let options: StoreOptions
    let stubBytes: Int
    private(set) var file: StoreFile?
    var counters = StoreCounters()
    /// Translations from this index on count as new. (A forked child's are those that it made itself.)
    var firstNew = 0

    init(_ options: StoreOptions, stubBytes: Int) {
        self.options = options
        self.stubBytes = stubBytes
        file = StoreFile(path: options.path, identity: options.identity, stubBytes: stubBytes)
        guard let file else { return }
        counters.rows = Int(file.head.rowCount)
        counters.bytes = file.bytes.count
        file.refresh(options.path)
    }

    /// The code cache is empty now.
    func flush() {
        firstNew = 0
        guard let file else { return }
        file.forgetVisits()
        for i in 0..<Int(file.head.rowCount) where file.states[i] == .installed { file.states[i] = .untouched }
    }
}

extension Engine {
    /// Installs what earlier runs translated of the page of `pc`, when it is asked for the first time. Holds the lock.
    func installStored(at pc: UInt64) {
        guard let store, let file = store.file, let page = file.visit(page: pc >> TranslationCache.pageBits) else {
            return
        }
        let first = cache.count
        for i in 0..<page.rowCount {
            guard let stored = page.translation(i), cache.find(stored.row.pc, stored.row.flags) == nil else { continue }
            let ordinal = Int(page.page.firstRow) + i
            guard translator.matches(self, stored) else {
                file.states[ordinal] = .stale
                store.counters.stale += 1
                continue
            }
            prepareCounter(Int(stored.row.counter), isOptimized: stored.row.isOptimized)
            // Records stay in the file: with a free row there is room for the rest.
            guard let index = cache.nextIndex, let compiled = host.install(stored.region, translation: index),
                cache.add(
                    pc: stored.row.pc, flags: stored.row.flags, compiled,
                    ranges: translator.workspace.blocks,
                    counter: Int(stored.row.counter), isOptimized: stored.row.isOptimized,
                    canGrow: stored.row.canGrow, copiesRecords: false) != nil
            else { break }
            file.states[ordinal] = .installed
            store.counters.installed += 1
            options.codeListener?(compiled.entry, compiled.codeSize, stored.row.pc)
        }
        if options.chaining { for index in first..<cache.count { linkAll(index) } }
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
