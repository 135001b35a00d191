// A call's arguments as the host's kernel would have them, from those of an ABI with other registers or other numbers.
// Handlers and rows see 64-bit values, and flags, commands and signals in the host's numbers.

import LinuxABI

extension LinuxGuestABI {
    /// Arguments are not yet what the host has. False for most 64-bit guests: then calls cost nothing here.
    var adaptsArguments: Bool {
        words.size == 4 || words.order != LinuxTable.host.order || convention.pairs != .single
            || !table.hasHostSignals
            || !MaskSet.allCases.allSatisfy { table.isHosts($0) } || !ValueSet.allCases.allSatisfy { table.isHosts($0) }
    }

    @inline(never)
    func adapted(_ given: SystemCallArguments, _ row: SystemCallRow) -> SystemCallArguments {
        var words: [UInt64] = (0..<6).map { given[$0] }
        let wide = row.wideArguments
        if wide != 0, convention.pairs != .single {
            let halves = words.map { UInt32(truncatingIfNeeded: $0) } + [UInt32(truncatingIfNeeded: given.a6)]
            let joined = convention.pairs.join(halves, wide: wide, order: self.words.order)
            words = (0..<6).map { joined[$0] }
        }
        for index in 0..<6 { words[index] = adapted(words[index], row.arguments[index]) }
        return SystemCallArguments(
            number: given.number, words[0], words[1], words[2], words[3], words[4], words[5], given.a6)
    }

    private func adapted(_ value: UInt64, _ argument: Argument) -> UInt64 {
        let low = UInt32(truncatingIfNeeded: value)
        switch argument.form {
        case .wide: return value
        // Numbers with a sign; all others are extended with zeros.
        case .signed, .descriptor, .directory: return UInt64(bitPattern: words.signed(value))
        case .signal:
            // One that the host does not have becomes one that nobody has.
            return UInt64(bitPattern: Int64(table.hostSignal(Int32(bitPattern: low)) ?? -1))
        case .bits:
            guard let set = argument.names.maskSet, !table.isHosts(set) else { return value }
            return UInt64(table.toHost(low, set))
        case .value:
            guard let set = argument.names.valueSet, !table.isHosts(set) else { return value }
            // What the host does not have becomes what nobody has; of levels only one is named.
            return UInt64(table.toHost(low, set) ?? (set == .socklevel ? low : .max))
        default: return value
        }
    }
}
