// The report as one HTML page: the tables and the flame graph. Nothing is loaded from elsewhere.

extension Report {
    /// The flame graph alone.
    public var svg: String { FlameGraph(tree, period: period).svg }

    public var html: String {
        var page = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>\(escapedMarkup(profiles.first?.command ?? ""))</title>
            <style>
            body { font: 14px sans-serif; margin: 1.5em; color: #222 }
            pre, td, th { font-family: monospace; font-size: 12px }
            table { border-collapse: collapse }
            td, th { padding: 1px 10px 1px 0; text-align: left; white-space: pre }
            .n { text-align: right }
            tr:hover td { background: #eef }
            .note { color: #666; font-size: 12px }
            </style></head><body>
            <pre>\(escapedMarkup(headline))</pre>
            <h2>Flame graph</h2>
            <p class="note">Width is processor time. Callers stand above what they call; blue frames are what Martlet does for them.
            Click a frame to enlarge it, the topmost to go back.</p>
            \(svg)
            """
        for table in tables where !table.rows.isEmpty { page += table.html }
        return page + "</body></html>\n"
    }
}

extension ReportTable {
    var html: String {
        func row(_ cells: [String], _ tag: String) -> String {
            var text = "<tr>"
            for (column, cell) in zip(columns, cells) {
                text += "<\(tag)\(column.isNumber ? " class=\"n\"" : "")>\(escapedMarkup(cell))</\(tag)>"
            }
            return text + "</tr>\n"
        }
        var text = "<h2>\(escapedMarkup(title))</h2>\n<table>\n" + row(columns.map(\.name), "th")
        for cells in rows { text += row(cells, "td") }
        text += "</table>\n"
        return note.isEmpty ? text : text + "<p class=\"note\">\(escapedMarkup(note))</p>\n"
    }
}
