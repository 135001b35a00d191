// The engine and the store of translations: what earlier runs made goes through `admit` like everything else, and what this run has made
// is written when it ends.

import CodeGen
import GuestMemory
import HostOS
import TranslationStore

extension Engine {
    /// Takes into use what earlier runs made of the code of a key and around it. Holds the lock.
    func installStored(at key: CodeKey, in view: CodeView) {
        guard let store else { return }
        let first = cache.count, place = key.place
        let client = StoreClient(
            wants: {
                // Where the rest of an instruction lies that goes on in the next page is not known here.
                ($1 ^ key.mode) & CodeMode.relative == 0
                    && (!self.hasPlaces || !self.tiering.mayCross($0))
                    && self.find(CodeKey(place: place, pc: $0, mode: $1), in: view) == nil
            }, install: { self.install($0, at: place, in: view) })
        store.offer(at: key.pc, key.mode, place, file: source?.codeFile(at: key.location) ?? 0, to: client)
        if options.chaining { for row in first..<cache.count { linkAll(TranslationID(row), in: view) } }
    }

    /// Takes a stored translation into use, if guest memory holds its bytes.
    private func install(
        _ stored: StoredTranslation, at place: GuestPlace, in view: CodeView
    ) -> StoreClient.Outcome {
        let key = CodeKey(place: place, pc: stored.pc, mode: stored.mode), size = tiering.placeSize
        var pages = SeenPages(key, size: size)
        let addresses = key.isRelative ? cache.pageAddresses : nil
        var isSeen = true
        let found = stored.ranges { address, count in
            // What is seen elsewhere is known to lie there together as far as a page goes.
            if size > 0, address ^ (address &+ count &- 1) >= size || !pages.take(address, in: view, addresses) {
                isSeen = false
            }
            return pages.location(of: address)
        }
        if !isSeen { return .refused }
        guard let ranges = found, reader.holds(ranges, stored.code) else { return .stale }
        let made = MadeRegion(
            key: key, pages: pages, body: .exported(stored.region),
            ranges: ranges,
            isOptimized: stored.isOptimized, canGrow: stored.canGrow, storedCounter: stored.counter)
        return admit(made) == nil ? .refused : .installed
    }

    /// Links the slots of a translation whose targets are there.
    private func linkAll(_ source: TranslationID, in view: CodeView) {
        let compiled = cache.code(of: source), pages = hasPlaces ? cache.pages(of: source) : nil
        for slot in 0..<compiled.slotCount {
            var key = cache[source].key
            guard let pc = host.target(compiled, slot: slot), !tiering.mayCross(pc) else { continue }
            key.pc = pc
            key.place = pages?.place(of: pc) ?? key.place
            if let target = find(key, in: view) { _ = link(source, slot: slot, to: target, pc: pc) }
        }
    }

    /// What the store did, when there is one.
    public var storeCounters: StoreCounters? { lock.withLock { store?.counters } }

    /// How the folder of the store is found; nil without a store. A process in the memory of another one puts it back.
    public var storeFolder: KeptFolder? {
        get { lock.withLock { store?.keptFolder } }
        set { lock.withLock { if let newValue { store?.keptFolder = newValue } } }
    }

    /// Before paths lead elsewhere, as after chroot(2): what leads to the store's folder then is a descriptor.
    public func keepStoreFolder() { lock.withLock { store?.keepFolder() } }

    /// Writes what this process has translated, when that is worth it: before the process ends or executes another program.
    public func saveTranslations() {
        guard let store else { return }
        lock.withLock {
            guard store.isWorthSaving(count: cache.count) else { return }
            let new = (store.firstNew..<cache.count).compactMap { newRow(TranslationID($0)) }
            store.save(new, count: cache.count, from: CachedTranslations(cache: cache, host: host))
        }
    }

    /// Made by this process, and found by look-up; a machine's next run needs also what has been dropped since, such as the start of its
    /// kernel, of which nothing is left at the end.
    private func isNewForStore(_ index: TranslationID) -> Bool {
        let row = cache[index]
        guard row.source != 0 else { return false }
        return row.isValid ? cache.find(row.key, in: nil) == index : source == nil && cache.dormant[row.key] == index
    }

    /// A translation as the store takes it; nil where its first byte comes from no file, if memory has files, and where it goes on in a page
    /// that may lie elsewhere.
    private func newRow(_ index: TranslationID) -> NewRow? {
        let row = cache[index]
        guard isNewForStore(index), row.key.rest == CodeKey.noRest, !row.key.hasStops,
            let body = CachedTranslations(cache: cache, host: host).body(index.row)
        else { return nil }
        var file = 0
        if let files = source {
            file = files.codeFile(at: row.key.location)
            if file == 0 { return nil }
            let isOfOne = body.ranges.allSatisfy {
                files.codeFile(at: $0.start) == file && files.codeFile(at: GuestLocation($0.end.rawValue &- 1)) == file
            }
            if !isOfOne { file = 0 }
        }
        return NewRow(id: index.row, file: file, pc: row.key.pc, body)
    }
}

/// Translations of the cache for the store. Under the translation lock.
private struct CachedTranslations: NewTranslations {
    let cache: TranslationCache
    let host: any HostBackEnd

    func body(_ id: Int) -> NewBody? {
        let index = TranslationID(id), row = cache[index], source = cache.sources[row.source]
        return host.exportedSize(cache.code(of: index)).map {
            NewBody(
                mode: row.key.mode, isOptimized: row.isOptimized, canGrow: row.canGrow, counter: row.counter,
                ranges: source.ranges, code: source.code, regionSize: $0)
        }
    }

    func address(_ id: Int, of location: GuestLocation) -> UInt64 {
        cache.pages(of: TranslationID(id)).address(of: location)
    }
    func export(_ id: Int, to bytes: UnsafeMutableRawBufferPointer) {
        host.export(cache.code(of: TranslationID(id)), to: bytes)
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
