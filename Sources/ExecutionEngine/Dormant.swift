// Translations that wait to be of use again.
//
// A write to a page with code drops all translations on the page, because faults tell no more than the page. Most of them are still
// right: just-in-time compilers keep adding to pages that run, and patch single instructions. So code that was dropped stays
// where it is, and its guest bytes are kept. When its pc is wanted again and memory holds the same bytes, write-protected
// before they are compared, it is taken into use as if it had just been made.

import GuestMemory

extension Engine {
    /// Remembers a translation that was just invalidated.
    func putAside(_ index: TranslationID) {
        let row = cache[index]
        // Where to stop may be elsewhere by then.
        if row.source != 0, !row.key.hasStops {
            cache.dormant[row.key] = index
        }
    }

    /// The dropped translation of `pc`, in use again; nil when there is none or its bytes have changed. Nothing must be found for the
    /// pc. Holds the lock.
    func revive(_ key: CodeKey, in view: CodeView) -> TranslationID? {
        guard let found = cache.dormant[key], cache.lookup.isSeen(found, in: view) else { return nil }
        let row = cache[found]
        let source = cache.sources[row.source]
        guard reader.holds(source.ranges, source.code),
            let index = admit(
                MadeRegion(
                    key: key, pages: cache.pages(of: found), body: .dormant(found), ranges: source.ranges,
                    isOptimized: row.isOptimized))
        else { return nil }
        cache.dormant[key] = nil
        cache.deadCount -= 1
        counters.revived += 1
        return index
    }
}
