// A file of translations of earlier runs, mapped read-only. Everything read from it is checked: it may be truncated, damaged, or
// made by somebody who knows the format. Files that others than the user could have written are not used at all, since code in them
// would run as it is.

import HostOS

/// What became of a stored row in this run.
enum StoredRowState: UInt8 {
    /// Its page was not wanted, or it was not compared yet.
    case untouched
    case installed
    /// Guest memory held other bytes.
    case stale
}

final class StoreFile {
    let bytes: UnsafeRawBufferPointer
    let head: StoreHead
    /// Which file it is: device, inode.
    let device: UInt64, inode: UInt64
    private let modified: Int64
    private let pages: UnsafeRawPointer
    /// By page of the table: it was asked for since the last flush.
    private let visited: UnsafeMutablePointer<Bool>
    /// By row; guarded by the translation lock, as everything here.
    let states: UnsafeMutablePointer<StoredRowState>

    /// Opens and checks a file; nil when there is none, or none that may be used.
    init?(path: String, identity: StoreIdentity, stubBytes: Int) {
        guard let fd = try? HostFile.openForReading(path, flags: HostFile.noFollow) else { return nil }
        defer { HostFile.close(fd) }
        guard let status = try? HostFile.status(fd), status.isRegular, status.isPrivateToUser,
            status.size >= StoreHead.stride, status.size < 1 << 32,
            let mapped = try? HostMemory.map(0, Int(status.size), HostMemory.read, HostMemory.privateCopy, fd: fd)
        else { return nil }
        bytes = UnsafeRawBufferPointer(start: mapped, count: Int(status.size))
        device = status.device
        inode = status.inode
        modified = status.modified
        head = mapped.load(as: StoreHead.self)
        pages = UnsafeRawPointer(mapped + StoreHead.stride)
        let isGood = Self.check(bytes, head, identity, stubBytes)
        visited = .allocate(capacity: isGood ? Int(head.pageCount) : 0)
        states = .allocate(capacity: isGood ? Int(head.rowCount) : 0)
        if !isGood { return nil }
        states.initialize(repeating: .untouched, count: Int(head.rowCount))
        forgetVisits()
    }

    deinit {
        visited.deallocate()
        states.deallocate()
        try? HostMemory.unmap(UInt(bitPattern: bytes.baseAddress), bytes.count)
    }

    private static func check(
        _ bytes: UnsafeRawBufferPointer, _ head: StoreHead, _ identity: StoreIdentity, _ stubBytes: Int
    ) -> Bool {
        let tableEnd = StoreHead.stride + Int(head.pageCount) * StorePage.stride
        guard head.magic == StoreHead.magic, head.version == StoreHead.currentVersion, head.identity == identity,
            head.size == UInt64(bytes.count), head.stubBytes == UInt32(stubBytes), tableEnd <= bytes.count,
            Int(head.rowCount) <= bytes.count / StoreRow.stride
        else { return false }
        return head.hash == Self.hash(head, table: UnsafeRawBufferPointer(rebasing: bytes[StoreHead.stride..<tableEnd]))
    }

    /// The hash of a head and its table.
    static func hash(_ head: StoreHead, table: UnsafeRawBufferPointer) -> UInt64 {
        var plain = head
        plain.hash = 0
        return withUnsafeBytes(of: plain) { contentHash(table, seed: contentHash($0)) }
    }

    /// Notes once a day that the file is used: the files used longest ago are removed first.
    func refresh(_ path: String) {
        let day: Int64 = 86_400_000_000_000
        if modified < Int64(truncatingIfNeeded: HostClock.realtime()) - day { HostFile.touch(path) }
    }

    /// Pages may be asked for again, because what they gave is gone.
    func forgetVisits() { visited.initialize(repeating: false, count: Int(head.pageCount)) }

    var pageCount: Int { Int(head.pageCount) }
    func page(_ index: Int) -> StorePage {
        pages.loadUnaligned(fromByteOffset: index * StorePage.stride, as: StorePage.self)
    }

    /// The stored translations of a guest page, the first time that they are asked for.
    func visit(page wanted: UInt64) -> StoredPage? {
        var low = 0
        var high = pageCount
        while low < high {
            let middle = (low + high) / 2
            if page(middle).page < wanted { low = middle + 1 } else { high = middle }
        }
        guard low < pageCount, page(low).page == wanted, !visited[low] else { return nil }
        visited[low] = true
        return contents(low)
    }

    /// The rows of one page of the table; nil when they are damaged.
    func contents(_ index: Int) -> StoredPage? {
        let page = page(index)
        let (end, overflow) = page.offset.addingReportingOverflow(UInt64(page.byteCount))
        guard !overflow, end <= UInt64(bytes.count), Int(page.rowCount) * StoreRow.stride <= Int(page.byteCount),
            Int(page.firstRow) + Int(page.rowCount) <= Int(head.rowCount)
        else { return nil }
        let own = UnsafeRawBufferPointer(rebasing: bytes[Int(page.offset)..<Int(end)])
        guard contentHash(own) == page.hash else { return nil }
        return StoredPage(page: page, bytes: own)
    }
}

/// The stored translations of one guest page.
struct StoredPage {
    let page: StorePage
    let bytes: UnsafeRawBufferPointer

    var rowCount: Int { Int(page.rowCount) }

    /// A row whose body lies inside of the page's bytes and is as long as its parts say.
    func translation(_ index: Int) -> StoredTranslation? {
        let row = bytes.loadUnaligned(fromByteOffset: index * StoreRow.stride, as: StoreRow.self)
        let start = Int(row.offset), end = start + Int(row.byteCount)
        guard start >= rowCount * StoreRow.stride, end <= bytes.count, row.pc >> 12 == page.page, row.rangeCount > 0
        else { return nil }
        return StoredTranslation(row: row, body: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
    }
}

/// One stored translation.
struct StoredTranslation {
    let row: StoreRow
    let body: UnsafeRawBufferPointer
    private let codeAt: Int
    private let regionAt: Int

    init?(row: StoreRow, body: UnsafeRawBufferPointer) {
        self.row = row
        self.body = body
        codeAt = Int(row.rangeCount) * StoredRange.stride
        guard codeAt <= body.count else { return nil }
        var end = codeAt
        for i in 0..<Int(row.rangeCount) {
            let count = body.loadUnaligned(fromByteOffset: i * StoredRange.stride + 8, as: UInt64.self)
            guard count <= 1 << 20 else { return nil }
            end += Int(count)
        }
        regionAt = aligned8(end)
        guard regionAt <= body.count else { return nil }
    }

    func range(_ index: Int) -> StoredRange {
        body.loadUnaligned(fromByteOffset: index * StoredRange.stride, as: StoredRange.self)
    }

    /// The guest bytes of all ranges, one after the other.
    var code: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: body[codeAt...]) }

    /// What the host exported.
    var region: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: body[regionAt...]) }
}
