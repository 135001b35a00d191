// Translations that wait to be of use again.
//
// A write to a page with code drops all translations on the page, because faults tell no more than the page. Most of them are still
// right: just-in-time compilers keep adding to pages that run, and patch single instructions. So code that was dropped stays
// where it is, and its guest bytes are kept. When its pc is wanted again and memory holds the same bytes, write-protected
// before they are compared, it is taken into use as if it had just been made.

/// What a translation is found by.
struct TranslationKey: Hashable {
    var pc: UInt64
    var flags: UInt64
}

extension Engine {
    /// Remembers a translation that was just invalidated.
    func putAside(_ index: Int) {
        let row = cache.rows[index]
        if row.source != 0 {
            cache.dormant[TranslationKey(pc: row.pc, flags: row.flags)] = UInt32(truncatingIfNeeded: index)
        }
    }

    /// The dropped translation of `pc`, in use again; nil when there is none or its bytes have changed. Nothing must be found for the
    /// pc. Holds the lock.
    func revive(_ pc: UInt64, _ flags: UInt64) -> Int? {
        let key = TranslationKey(pc: pc, flags: flags)
        guard let found = cache.dormant[key] else { return nil }
        let index = Int(found)
        let source = cache.sources[cache.rows[index].source]
        guard cache.nextIndex != nil, translator.holds(self, source.ranges, source.code) else { return nil }
        cache.dormant[key] = nil
        cache.restore(index, on: source.ranges)
        cache.deadCount -= 1
        counters.revived += 1
        return index
    }
}
