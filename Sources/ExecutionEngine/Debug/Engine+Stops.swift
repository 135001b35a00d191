// Instructions that vCPUs stop at, as translation sees them.
//
// Code of vCPUs that have such stops is translated for keys of its own (`CodeKey.stops`), and leaves before each instruction at which one of
// them has to stop: which one, and in which mode, the vCPU that comes there finds out. All other code is what it would be without.

import CodeGen
import GuestMemory

/// How many vCPUs stop at each address.
struct StopCounts {
    private var counts: [UInt64: Int] = [:]

    var addresses: Set<UInt64> { Set(counts.keys) }

    /// Counts a vCPU at other addresses than before. Returns those where code is another now.
    mutating func change(from old: Set<UInt64>, to new: Set<UInt64>) -> Set<UInt64> {
        var changed: Set<UInt64> = []
        for address in new.subtracting(old) {
            if counts[address] == nil { changed.insert(address) }
            counts[address, default: 0] += 1
        }
        for address in old.subtracting(new) {
            guard let count = counts[address] else { continue }
            counts[address] = count > 1 ? count - 1 : nil
            if count == 1 { changed.insert(address) }
        }
        return changed
    }
}

extension Engine {
    /// A vCPU stops at other addresses than before: translations that have one of them in their bytes are dropped. Holds the lock; the
    /// calling vCPU is outside generated code.
    func changeStops(from old: Set<UInt64>, to new: Set<UInt64>) {
        let changed = stopCounts.change(from: old, to: new)
        if changed.isEmpty { return }
        pipeline.stops = stopCounts.addresses
        background?.stopsChanged()
        for i in 0..<cache.count {
            let row = cache.rows + i
            guard row.pointee.isValid, row.pointee.key.hasStops else { continue }
            let pages = cache.pages(of: TranslationID(i)), bytes = row.pointee.lowest..<row.pointee.highest
            if changed.contains(where: { pages.known($0).map(bytes.contains) ?? false }) { kill(TranslationID(i)) }
        }
        requestForget()
    }
}
