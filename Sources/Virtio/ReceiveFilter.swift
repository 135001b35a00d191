// Which frames a card takes that come in. (Virtio 1.2, 5.1.6.5.1 to 5.1.6.5.3)

import SystemKit

struct ReceiveFilter {
    /// Longest table; of a longer one all addresses of its kind are taken.
    static let longestTable = 64
    private static let broadcast: UInt64 = 0xffff_ffff_ffff
    private static let vlanTag: UInt16 = 0x8100

    /// What is taken or left whatever the tables say: bits by the numbers of commands.
    struct Modes: OptionSet {
        let rawValue: UInt8
        static let all = Modes(rawValue: 1 << 0)
        static let allMulticast = Modes(rawValue: 1 << 1), allUnicast = Modes(rawValue: 1 << 2)
        static let noMulticast = Modes(rawValue: 1 << 3), noUnicast = Modes(rawValue: 1 << 4)
        static let noBroadcast = Modes(rawValue: 1 << 5)
        /// A table was too long.
        static let moreMulticast = Modes(rawValue: 1 << 6), moreUnicast = Modes(rawValue: 1 << 7)
    }

    /// All frames are taken until a driver says something else.
    var modes: Modes = .all
    private var unicast: [UInt64] = [], multicast: [UInt64] = []
    private var vlans: [UInt16] = []
    /// Of virtual LANs only those that the driver has named are taken.
    var choosesVLANs = false

    mutating func setTables(unicast: [UInt64]?, multicast: [UInt64]?) {
        modes.subtract([.moreUnicast, .moreMulticast])
        if unicast == nil { modes.insert(.moreUnicast) }
        if multicast == nil { modes.insert(.moreMulticast) }
        self.unicast = unicast ?? []
        self.multicast = multicast ?? []
    }

    mutating func setVLAN(_ number: UInt16, _ isTaken: Bool) {
        vlans.removeAll { $0 == number }
        if isTaken { vlans.append(number) }
    }

    /// `own`: the card's address.
    func takes(_ frame: UnsafeRawBufferPointer, own: UInt64) -> Bool {
        guard frame.count >= 14, !modes.contains(.all) else { return true }
        func word(_ at: Int) -> UInt16 { UInt16(frame[at]) << 8 | UInt16(frame[at + 1]) }
        if choosesVLANs, word(12) == Self.vlanTag, frame.count >= 16, !vlans.contains(word(14) & 0xfff) { return false }
        let address = UInt64(ethernet: frame[0..<6])
        if address == Self.broadcast { return !modes.contains(.noBroadcast) }
        if frame[0] & 1 != 0 {
            if modes.contains(.noMulticast) { return false }
            return !modes.isDisjoint(with: [.allMulticast, .moreMulticast]) || multicast.contains(address)
        }
        if modes.contains(.noUnicast) { return false }
        return address == own || !modes.isDisjoint(with: [.allUnicast, .moreUnicast]) || unicast.contains(address)
    }

    mutating func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        var bits = modes.rawValue
        try coder.field(&bits)
        modes = Modes(rawValue: bits)
        try coder.list(&unicast, atMost: Self.longestTable)
        try coder.list(&multicast, atMost: Self.longestTable)
        try coder.list(&vlans, atMost: 4096)
        try coder.field(&choosesVLANs)
    }
}

extension UInt64 {
    /// An address of Ethernet, its first byte the most significant.
    init(ethernet bytes: some Sequence<UInt8>) { self = bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
