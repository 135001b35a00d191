// What an image shows from below becomes its own, or its own goes below.

import HostOS

extension QCOW2Image {
    private static let copySize: UInt64 = 1 << 20

    /// Where everything below reads as 0, nothing is copied: without what is below it reads as 0 too.
    public func copyUp(at offset: UInt64, count: UInt64) throws(BlockError) {
        try check(offset, count, writes: true)
        if count == 0 { return }
        let all = clusters(offset, count)
        try ranges.with(all, alone: true) { () throws(BlockError) in
            guard let backing else { return }
            var at = all.lowerBound
            let end = min(all.upperBound, size, backing.size)
            while at < end {
                let run = try lock.withLock { () throws(BlockError) in try map(at, end - at) }
                guard run.kind == .unallocated else {
                    at += run.count
                    continue
                }
                let below = try backing.status(at: at, count: run.count)
                var part = below.count
                if !below.isZero {
                    // Whole clusters, so that none is copied in two parts.
                    part = min((at + min(part, Self.copySize) + clusterSize - 1) & ~(clusterSize - 1), end) - at
                    try copyBacking(backing, at, part)
                }
                at += part
            }
        }
        if !file.cache.keepsWrites { try flush() }
    }

    /// The caller has the range alone, and none of it has a place yet.
    private func copyBacking(_ backing: any BlockImage, _ offset: UInt64, _ count: UInt64) throws(BlockError) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(count), alignment: 4096)
        defer { memory.deallocate() }
        try backing.read(at: offset, into: [memory])
        var rest = BufferCursor([memory])
        try writeAllocating(at: offset, &rest)
    }

    /// Nothing shows from below any more: all of it has been copied.
    public func dropBacking() throws(BlockError) {
        try setBackingFile(nil, format: nil)
        let old = try alone { () throws(BlockError) -> (any BlockImage)? in
            defer { backing = nil }
            return backing
        }
        if ownsBacking { try old?.close() }
    }

    /// The name of what lies below, as it is found from anywhere.
    var backingName: (name: String, format: String?)? {
        guard let name = header.backingFile else { return nil }
        let path = backingPath(name, of: file.path)
        return (name.contains(":") ? name : HostFile.realPath(path) ?? path, header.backingFormat)
    }

    /// Writes what the image holds into the one below, and holds nothing then. No request is under way.
    public func commitToBacking() throws(BlockError) {
        guard let backing else { throw failure(.inval, "there is nothing below it") }
        if let node = backing as? BlockNode, node.users.count > 1 {
            throw failure(.busy, "other disks lie on what is below it")
        }
        // A node's users have been told that it is read; this is done behind their back.
        let base = (backing as? BlockNode)?.image ?? backing
        try base.reopen(isReadOnly: false)
        do throws(BlockError) { try copyDown(base) } catch {
            try? base.reopen(isReadOnly: true)
            throw error
        }
        try base.reopen(isReadOnly: true)
        try empty()
    }

    private func copyDown(_ base: any BlockImage) throws(BlockError) {
        if base.size < size { try base.resize(to: size) }
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(Self.copySize), alignment: 4096)
        defer { memory.deallocate() }
        var at: UInt64 = 0
        while at < size {
            let extent = try ownStatus(at: at, count: size - at)
            var count = extent.count
            if extent.isAllocated, extent.isZero {
                try base.writeZeroes(at: at, count: count, mayUnmap: true)
            } else if extent.isAllocated {
                count = min(count, Self.copySize)
                let part = UnsafeMutableRawBufferPointer(rebasing: memory.prefix(Int(count)))
                try read(at: at, into: [part])
                try base.write(at: at, from: [UnsafeRawBufferPointer(part)])
            }
            at += count
        }
        try base.flush()
    }

    public func reopen(isReadOnly: Bool) throws(BlockError) {
        if isReadOnly == self.isReadOnly { return }
        if isReadOnly {
            try lock.withLock { () throws(BlockError) in
                try commit()
                try commit(withRefcounts: true)
                if isMarkedDirty { try clearDirtyMark() }
            }
            self.isReadOnly = true
            try file.reopen(isReadOnly: true)
        } else {
            if header.isCorrupt || isBroken {
                throw failure(.rofs, "it is marked corrupt, and can only be read; 'check -r all' repairs it")
            }
            try file.reopen(isReadOnly: false)
            self.isReadOnly = false
            try prepareToWrite()
        }
    }
}
