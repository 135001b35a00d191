// The log: which items are on, for which addresses, and where the text goes. One object, handed to whoever logs.
//
// Callers test `isEnabled` (one load and one test) before they build any text, so that logging costs nothing when off.

import HostOS

/// The log of one process or machine. Immutable after creation; usable from any thread, each message is one write.
public final class Diagnostics: Sendable {
    public let items: LogItem
    public let filter: AddressFilter
    private let fd: Int32

    /// Everything off.
    public static var silent: Diagnostics { Diagnostics(items: [], filter: AddressFilter(), fd: 2) }

    private init(items: LogItem, filter: AddressFilter, fd: Int32) {
        self.items = items
        self.filter = filter
        self.fd = fd
    }

    /// `items` and `filter` as given to -d and -dfilter; `file` as given to -D: `%d` in it becomes the process id.
    /// Standard error when nil. `appending`: what the file holds stays, as for a process that goes on with a log.
    public convenience init(
        items: String?, filter: String? = nil, file: String? = nil, appending: Bool = false
    ) throws(DiagnosticsError) {
        let chosen = try items.map { text throws(DiagnosticsError) in try LogItem.parse(text) } ?? []
        let ranges =
            try filter.map { text throws(DiagnosticsError) in try AddressFilter(parsing: text) } ?? AddressFilter()
        var fd: Int32 = 2
        if let file { fd = try Self.open(file, appending) }
        self.init(items: chosen, filter: ranges, fd: fd)
    }

    @inlinable @inline(__always)
    public func isEnabled(_ item: LogItem) -> Bool { items.rawValue & item.rawValue != 0 }

    /// True when `item` is on and `address` passes the filter.
    @inlinable @inline(__always)
    public func isEnabled(_ item: LogItem, at address: UInt64) -> Bool {
        items.rawValue & item.rawValue != 0 && filter.contains(address)
    }

    /// Writes `text` as it is. Call only after `isEnabled`.
    public func write(_ text: String) { writeAll(fd, text) }

    /// The descriptor the log uses, so that a guest that closes descriptors can be kept away from it.
    public var descriptor: Int32 { fd }

    private static func open(_ pattern: String, _ appending: Bool) throws(DiagnosticsError) -> Int32 {
        var path = ""
        var rest = Substring(pattern)
        while let at = rest.firstIndex(of: "%") {
            let next = rest.index(after: at)
            if next < rest.endIndex, rest[next] == "d" {
                path += rest[..<at] + "\(HostProcess.processID)"
                rest = rest[rest.index(after: next)...]
            } else {
                path += rest[...at]
                rest = rest[next...]
            }
        }
        path += rest
        do {
            return try HostFile.openLog(path, appending: appending)
        } catch {
            throw .cannotOpen(path: path, reason: error.message)
        }
    }
}
