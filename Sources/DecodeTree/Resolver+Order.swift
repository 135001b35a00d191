// The order of the rows: more specific ones first, as groups and `over` say.

/// A row's name in its table.
private struct Place: Hashable {
    var table: Int
    var name: String
}

extension Resolver {
    /// Sorts the patterns so that more specific ones come first, and complains about overlaps nobody asked for.
    mutating func order(_ patterns: [Pattern]) -> [Pattern] {
        let rows = table.rows
        let byName = Dictionary(
            patterns.indices.map { (Place(table: patterns[$0].table, name: patterns[$0].name), $0) },
            uniquingKeysWith: { first, _ in first })
        var later: [[Int]] = Array(repeating: [], count: patterns.count)  // patterns that must come after
        for (index, row) in rows.enumerated() {
            for name in row.over {
                guard let other = byName[Place(table: patterns[index].table, name: name)] else {
                    complain(row.location, "unknown instruction '\(name)' after 'over'")
                    continue
                }
                if !patterns[index].overlaps(patterns[other]) {
                    complain(row.location, "'\(row.name)' and '\(name)' do not overlap")
                }
                later[index].append(other)
            }
        }
        for first in patterns.indices {
            for second in patterns.indices.dropFirst(first + 1) where patterns[first].overlaps(patterns[second]) {
                if rows[first].over.contains(patterns[second].name) || rows[second].over.contains(patterns[first].name)
                {
                    continue
                }
                if let group = rows[first].group, group == rows[second].group {
                    later[first].append(second)
                } else if !patterns[first].gate.excludes(patterns[second].gate) {
                    complain(
                        patterns[second].location,
                        "'\(patterns[second].name)' overlaps '\(patterns[first].name)' at \(patterns[first].location)")
                }
            }
        }
        // Depth first, last row first, each row put before everything that must follow it.
        var result: [Pattern] = []
        var state = [UInt8](repeating: 0, count: patterns.count)  // 1: being visited, 2: placed
        func place(_ index: Int) -> Bool {
            if state[index] == 2 { return true }
            if state[index] == 1 { return false }
            state[index] = 1
            for next in later[index].sorted().reversed() where !place(next) { return false }
            state[index] = 2
            result.append(patterns[index])
            return true
        }
        for index in patterns.indices.reversed() where state[index] == 0 && !place(index) {
            complain(patterns[index].location, "'\(patterns[index].name)' goes before itself ('over' makes a circle)")
        }
        return result.reversed()
    }

    /// A row behind a row that takes all its words, whenever its own gate is open, would be dead.
    mutating func checkReachable(_ patterns: [Pattern]) {
        for (index, pattern) in patterns.enumerated() {
            for earlier in patterns[..<index]
            where earlier.overlaps(pattern) && earlier.mask & ~pattern.mask == 0
                && earlier.gate.isImplied(by: pattern.gate)
            {
                complain(
                    pattern.location,
                    "'\(pattern.name)' is never reached: '\(earlier.name)' at \(earlier.location) takes all")
            }
        }
    }
}
