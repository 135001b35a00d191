// The slots of all compiled regions, in few bytes: there are very many.

/// A list of `SlotPatch`. What a slot's stub has in the code, as its pc, is read there.
struct SlotTable {
    private struct Slot {
        /// `SlotPatch.field`, a multiple of 4, and a `SlotKind`, or `cache`.
        var fieldAndKind: UInt32
        /// `SlotPatch.stub`, or the number of an in-line cache.
        var stub: UInt32
    }
    private static let cache: UInt32 = 3

    private var slots: [Slot] = []
    private var caches: [SlotPatch] = []
    /// Executable view of the code buffer.
    private let code: UnsafeRawPointer

    init(code: UnsafeRawPointer) {
        self.code = code
        // Room for those of most programs: growing copies all of them.
        slots.reserveCapacity(1 << 16)
    }

    var count: Int { slots.count }

    subscript(_ index: Int) -> SlotPatch {
        let slot = slots[index], kind = slot.fieldAndKind & 3
        if kind == Self.cache { return caches[Int(slot.stub)] }
        let field = slot.fieldAndKind & ~3
        let pc = field != 0 ? SlotStub.pc(code + Int(slot.stub)) : 0
        return SlotPatch(pc: pc, field: field, stub: slot.stub, kind: kind)
    }

    /// `patch.field` is a multiple of 4.
    mutating func append(_ patch: SlotPatch) {
        if patch.isCache {
            slots.append(Slot(fieldAndKind: patch.field | Self.cache, stub: UInt32(caches.count)))
            caches.append(patch)
        } else {
            slots.append(Slot(fieldAndKind: patch.field | patch.kind, stub: patch.stub))
        }
    }

    mutating func removeLast(_ count: Int) {
        for _ in 0..<count where slots.removeLast().fieldAndKind & 3 == Self.cache { caches.removeLast() }
    }

    mutating func removeAll() {
        slots.removeAll(keepingCapacity: true)
        caches.removeAll(keepingCapacity: true)
    }
}
