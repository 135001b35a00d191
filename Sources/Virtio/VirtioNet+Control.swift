// The queue of commands by which a driver says what its card is to take. (Virtio 1.2, 5.1.6.5)
//
//     request: class (1), command (1), data; the device writes one byte behind it: 0, or 1 where it does not know the command

import SystemKit

extension VirtioNet {
    private enum Class { static let receive: UInt8 = 0, address: UInt8 = 1, vlan: UInt8 = 2, pairs: UInt8 = 4 }
    private enum Answer { static let done: UInt8 = 0, refused: UInt8 = 1 }
    /// Commands of a class.
    private enum Address { static let setTables: UInt8 = 0, set: UInt8 = 1 }
    private enum VLAN { static let add: UInt8 = 0, remove: UInt8 = 1 }
    private enum Pairs { static let use: UInt8 = 0 }
    /// Bytes of the longest request that says anything: two tables that are full, and their counts.
    private static let longestRequest = 2 + 2 * (4 + 6 * 4096)

    func obey(_ queue: VirtQueue) throws(RingFault) {
        try takeAll(queue) { chain throws(RingFault) in
            guard chain.readableCount >= 2, chain.writableCount >= 1 else {
                throw .badRequest("a command without its class, or without a place for the answer")
            }
            let count = min(chain.readableCount, Self.longestRequest)
            let isDone = chain.read(count: count).map { perform($0[0], $0[1], $0[2...]) } ?? false
            chain.write([isDone ? Answer.done : Answer.refused])
            queue.giveBack(chain, written: 1)
        }
        tell(queue)
    }

    private func perform(_ group: UInt8, _ command: UInt8, _ data: ArraySlice<UInt8>) -> Bool {
        switch group {
        case Class.receive: return has(Bit.controlReceive) && setMode(command, data)
        case Class.address where command == Address.set: return has(Bit.controlAddress) && setAddress(data)
        case Class.address where command == Address.setTables: return has(Bit.controlReceive) && setTables(data)
        case Class.vlan where command <= VLAN.remove: return has(Bit.controlVLAN) && setVLAN(command, data)
        case Class.pairs where command == Pairs.use: return has(Bit.pairs) && setPairs(data)
        default: return false
        }
    }

    private func setPairs(_ data: ArraySlice<UInt8>) -> Bool {
        guard data.count == 2, let low = data.first, let high = data.last else { return false }
        let count = Int(high) << 8 | Int(low)
        guard 1...pairCount ~= count else { return false }
        usedPairs = count
        return true
    }

    /// Commands are the numbers of the modes' bits: the first two without, the others with the feature for more of them.
    private func setMode(_ command: UInt8, _ data: ArraySlice<UInt8>) -> Bool {
        guard command <= 5, data.count == 1, let value = data.first else { return false }
        if command > 1, !has(Bit.controlReceiveMore) { return false }
        let mode = ReceiveFilter.Modes(rawValue: 1 << command)
        if value != 0 { filter.modes.insert(mode) } else { filter.modes.remove(mode) }
        return true
    }

    private func setAddress(_ data: ArraySlice<UInt8>) -> Bool {
        guard data.count == 6 else { return false }
        address = Array(data)
        return true
    }

    private func setTables(_ data: ArraySlice<UInt8>) -> Bool {
        var rest = data
        /// Nil: it is cut off. An empty answer inside: it is too long to be kept.
        func table() -> [UInt64]?? {
            guard rest.count >= 4 else { return nil }
            let count = Int(rest.prefix(4).reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) })
            rest = rest.dropFirst(4)
            guard count <= rest.count / 6 else { return nil }
            defer { rest = rest.dropFirst(6 * count) }
            if count > ReceiveFilter.longestTable { return .some(nil) }
            return (0..<count).map { UInt64(ethernet: rest.dropFirst(6 * $0).prefix(6)) }
        }
        guard let unicast = table(), let multicast = table(), rest.isEmpty else { return false }
        filter.setTables(unicast: unicast, multicast: multicast)
        return true
    }

    private func setVLAN(_ command: UInt8, _ data: ArraySlice<UInt8>) -> Bool {
        guard data.count == 2, let low = data.first, let high = data.last else { return false }
        let number = UInt16(high) << 8 | UInt16(low)
        guard number < 4096 else { return false }
        filter.setVLAN(number, command == VLAN.add)
        return true
    }
}
