// How the words of each table lie in memory, and whether its rows agree with that.

extension Resolver {
    mutating func resolveLayouts() {
        for entry in table.tables {
            let (own, common) = (entry.layout, table.layout)
            var layout = ResolvedLayout()
            if let unit = own.unit ?? common.unit {
                layout.unit = unit
            } else {
                complain(entry.location, "table '\(entry.name)' does not say '.unit'")
            }
            let order = own.order ?? common.order
            if order == nil, layout.unit > 8 {
                complain(entry.location, "table '\(entry.name)' has units of \(layout.unit) bits and no '.order'")
            }
            layout.order = order ?? .little
            layout.joinsHigh = (own.join ?? common.join) == .high
            layout.countsFromTop = own.countsFromTop ?? common.countsFromTop ?? false
            layout.rule = own.length ?? common.length
            if let rule = layout.rule { check(rule, layout) }
            layouts.append(layout)
        }
    }

    private mutating func check(_ rule: LengthRule, _ layout: ResolvedLayout) {
        if rule.position + rule.length > layout.unit || rule.length > 16 {
            complain(rule.location, "'.length' looks at up to 16 bits of the first unit, which has \(layout.unit)")
        }
        for (_, bytes) in rule.bytes.sorted(by: { $0.key < $1.key }) where bytes * 8 % layout.unit != 0 {
            complain(rule.location, "\(bytes) bytes are no multiple of the unit of \(layout.unit) bits")
        }
    }

    /// Widths are multiples of the unit, and the length rule finds each row.
    mutating func checkWords(_ patterns: [Pattern]) {
        var widths: [Int: Int] = [:]
        for pattern in patterns where pattern.table < layouts.count {
            let layout = layouts[pattern.table]
            let entry = table.tables[pattern.table]
            if entry.layout.unit == nil, table.layout.unit == nil { continue }
            if pattern.width % layout.unit != 0 {
                complain(
                    pattern.location,
                    "'\(pattern.name)' has \(pattern.width) bits, no multiple of the unit of \(layout.unit) bits")
                continue
            }
            var longest = pattern.width
            for field in pattern.extraction?.trailing ?? [] {
                let bits = field.trailing?.bits ?? 0
                longest = max(longest, bits)
                if bits % layout.unit != 0 {
                    complain(
                        pattern.location,
                        "field '%\(field.name)' has \(bits) bits, no multiple of the unit of \(layout.unit) bits")
                }
            }
            if longest > layout.unit, (entry.layout.join ?? table.layout.join) == nil {
                complain(entry.location, "table '\(entry.name)' has words of several units and no '.join'")
            }
            guard let rule = layout.rule else {
                let first = widths[pattern.table] ?? pattern.width
                widths[pattern.table] = first
                if first != pattern.width {
                    complain(
                        entry.location,
                        "table '\(entry.name)' has words of \(first) and \(pattern.width) bits and no '.length'")
                }
                continue
            }
            check(pattern, rule, layout)
        }
    }

    /// Each first unit of the row has the row's length.
    private mutating func check(_ pattern: Pattern, _ rule: LengthRule, _ layout: ResolvedLayout) {
        guard rule.position + rule.length <= layout.unit, rule.length <= 16 else { return }
        let low = layout.lowBit(rule.position, rule.length, in: layout.unit)
        let shift = UInt64(low + (layout.joinsHigh ? pattern.width - layout.unit : 0))
        let mask = pattern.mask >> shift & lowBits(rule.length)
        let match = pattern.match >> shift & mask
        for value in 0...lowBits(rule.length) where value & mask == match {
            let bytes = rule.bytes[Int(value)] ?? layout.unit / 8
            if bytes * 8 != pattern.width {
                complain(
                    pattern.location,
                    "'\(pattern.name)' has \(pattern.width / 8) bytes, but '.length' says \(bytes) for value \(value)")
                return
            }
        }
    }
}
