// The platform-level interrupt controller (RISC-V PLIC Specification 1.0.0; the map is SiFive's).

import SystemKit

/// Outputs: one for each context, which is a hart in a privilege mode.
public final class PLIC: Device, RegisterDevice, InterruptController, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "plic", "platform-level interrupt controller", isLeaf: true,
            [
                Property("sources", .number(1...1023), "95", "how many interrupts, from 1 on"),
                Property("contexts", .number(1...15872), "2", "how many outputs"),
                Property("priorities", .number(1...255), "7", "the highest priority, a power of two less one"),
                Property("size", .number(0x201000...0x4000000), "0x600000", "bytes of addresses"),
            ])
    }

    /// Words of enable bits that a context has room for.
    private static let room = 32

    private let sources: Int
    private let contexts: Int
    /// Words of bits for all sources.
    private let words: Int
    private let highest: UInt64
    public let span: UInt64
    /// Of sources from 1 on.
    private var priority: [UInt32]
    private var threshold: [UInt32]
    // Bits by source, as in the registers.
    private var enable: [UInt32]
    private var level: [UInt32]
    private var pending: [UInt32]
    /// Claimed and not completed.
    private var claimed: [UInt32]

    public required init(_ context: DeviceContext) {
        sources = Int(context.properties.number("sources"))
        contexts = Int(context.properties.number("contexts"))
        highest = context.properties.number("priorities")
        span = context.properties.number("size")
        words = sources / 32 + 1
        priority = Array(repeating: 0, count: sources)
        threshold = Array(repeating: 0, count: contexts)
        enable = Array(repeating: 0, count: contexts * Self.room)
        level = Array(repeating: 0, count: words)
        pending = level
        claimed = level
        super.init(context)
    }

    public func registers(_ map: inout RegisterMap<PLIC>) {
        map.computed(
            0x200004, "CLAIM", count: contexts, stride: 0x1000,
            read: { device, context in UInt64(device.claim(context)) },
            write: { device, context, value in device.complete(context, value) })
        map.reserved(0, "PRIORITY0")
        map.stored(4, "PRIORITY", \.priority, count: sources, mask: highest) { device, _ in device.update() }
        map.computed(0x1000, "PENDING", count: words, read: { device, word in UInt64(device.pending[word]) })
        map.computed(
            0x2000, "ENABLE", count: contexts * Self.room, read: { device, index in UInt64(device.enable[index]) },
            write: { device, index, value in
                device.enable[index] = UInt32(truncatingIfNeeded: value) & device.existing(index % Self.room)
                device.update()
            })
        map.stored(
            0x200000, "THRESHOLD", \.threshold, count: contexts, stride: 0x1000, mask: highest
        ) { device, _ in device.update() }
    }

    public override func reset(_ kind: ResetKind) {
        for index in enable.indices { enable[index] = 0 }
        for word in 0..<words {
            claimed[word] = 0
            pending[word] = level[word]
        }
        update()
    }

    public override func snapshot(_ s: inout SnapshotCoder) throws(SnapshotError) {
        try s.field(&enable)
        try s.field(&level)
        try s.field(&pending)
        try s.field(&claimed)
        for index in enable.indices { enable[index] &= existing(index % Self.room) }
        for word in 0..<words {
            level[word] &= existing(word)
            pending[word] &= existing(word)
            claimed[word] &= existing(word)
        }
    }

    public override func hasLoaded() { update() }

    /// The sources that a word of bits stands for.
    private func existing(_ word: Int) -> UInt32 {
        let last = sources - 32 * word
        let bits: UInt32 = last < 0 ? 0 : last >= 31 ? .max : (2 &<< UInt32(last)) &- 1
        return word == 0 ? bits & ~1 : bits
    }

    // MARK: the gateways

    /// A level-triggered source. What it has asked for stays pending when the level falls, until a hart has claimed it.
    public func setInput(_ input: Int, _ isHigh: Bool) {
        guard input > 0, input <= sources else { return }
        domain.lock.withLock {
            let word = input / 32, bit = UInt32(1) &<< UInt32(input % 32)
            level[word] = isHigh ? level[word] | bit : level[word] & ~bit
            forward(word, bit)
        }
    }

    /// Passes on requests that the gateway does not hold back because the last one is not completed.
    private func forward(_ word: Int, _ bits: UInt32) {
        let asked = level[word] & ~claimed[word] & ~pending[word] & bits
        if asked == 0 { return }
        pending[word] |= asked
        update()
    }

    // MARK: contexts

    /// The most urgent pending and enabled source above a priority; of equals that with the least number. 0: none.
    private func best(_ context: Int, above limit: UInt32) -> UInt32 {
        var found: UInt32 = 0, priorityFound = limit
        for word in 0..<words {
            var bits = pending[word] & enable[context * Self.room + word]
            while bits != 0 {
                let source = 32 * word + bits.trailingZeroBitCount
                bits &= bits &- 1
                if priority[source - 1] > priorityFound {
                    found = UInt32(source)
                    priorityFound = priority[source - 1]
                }
            }
        }
        return found
    }

    private func update() {
        for context in 0..<contexts { line(context).set(best(context, above: threshold[context]) != 0) }
    }

    /// The threshold does not count for claims (chapter 9); priority 0 is never an interrupt (chapter 4).
    private func claim(_ context: Int) -> UInt32 {
        let source = best(context, above: 0)
        if source != 0 {
            let word = Int(source / 32), bit = UInt32(1) &<< (source % 32)
            pending[word] &= ~bit
            claimed[word] |= bit
            update()
        }
        return source
    }

    /// Of a source that is not enabled for the context it is ignored (chapter 10).
    private func complete(_ context: Int, _ value: UInt64) {
        guard value > 0, value <= UInt64(sources) else { return }
        let word = Int(value / 32), bit = UInt32(1) &<< UInt32(value % 32)
        guard enable[context * Self.room + word] & bit != 0, claimed[word] & bit != 0 else { return }
        claimed[word] &= ~bit
        forward(word, bit)
    }
}
