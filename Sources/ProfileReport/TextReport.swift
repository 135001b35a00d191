// The report for a terminal.

extension Report {
    public var text: String {
        var result = headline + "\n"
        for table in tables where !table.rows.isEmpty { result += "\n" + table.text }
        return result
    }
}

extension ReportTable {
    /// Columns as wide as their widest cell, numbers to the right.
    var text: String {
        let cells = [columns.map(\.name)] + rows
        let widths = columns.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        var result = title + "\n"
        for row in cells {
            var line = " "
            for (column, cell) in row.enumerated() {
                let pad = String(repeating: " ", count: widths[column] - cell.count)
                line += " " + (columns[column].isNumber ? pad + cell : cell + pad)
            }
            while line.last == " " { line.removeLast() }
            result += line + "\n"
        }
        return note.isEmpty ? result : result + "  (\(note))\n"
    }
}
