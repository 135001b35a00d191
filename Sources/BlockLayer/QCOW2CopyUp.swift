// What an image shows from below becomes its own, or its own goes below.

import HostOS

extension QCOW2Image {
    private static let copySize: UInt64 = 1 << 20

    /// Where everything below reads as 0, nothing is copied: without what is below it reads as 0 too.
    public func copyUp(at offset: UInt64, count: UInt64) throws(BlockError) {
        try copyUp(at: offset, count: count, from: nil)
    }

    /// `levels`: from so many images below it, so that those below these can show later where nothing was copied. Nil: from all.
    func copyUp(at offset: UInt64, count: UInt64, from levels: Int?) throws(BlockError) {
        try check(offset, count, writes: true)
        if count == 0 { return }
        let all = clusters(offset, count)
        try ranges.with(all, alone: true) { () throws(BlockError) in
            guard let backing else { return }
            var at = all.lowerBound
            let end = min(all.upperBound, size, levels == nil ? backing.size : size)
            while at < end {
                let run = try lock.withLock { () throws(BlockError) in try map(at, end - at) }
                guard run.kind == .unallocated else {
                    at += run.count
                    continue
                }
                var (part, copies) = try source(at: at, count: run.count, within: levels)
                if copies {
                    // Whole clusters, so that none is copied in two parts.
                    part = min((at + min(part, Self.copySize) + clusterSize - 1) & ~(clusterSize - 1), end) - at
                    try copyBacking(at, part)
                }
                at += part
            }
        }
        if !file.cache.keepsWrites { try flush() }
    }

    /// The first bytes of a run that the image does not hold itself, which are alike: whether `copyUp` is to copy them.
    func source(at offset: UInt64, count: UInt64, within levels: Int?) throws(BlockError) -> (
        count: UInt64, copies: Bool
    ) {
        guard let levels else {
            guard let backing, offset < backing.size else { return (count, false) }
            let below = try backing.status(at: offset, count: min(count, backing.size - offset))
            return (below.count, !below.isZero)
        }
        var count = count, above = self
        for _ in 0..<levels {
            guard let image = above.backing, let next = storedImage(image) as? QCOW2Image else { break }
            // Behind its end it hides what is deeper, as a 0 of its own does.
            if offset >= next.size { return (count, true) }
            let own = try next.ownStatus(at: offset, count: min(count, next.size - offset))
            count = own.count
            if own.isAllocated { return (count, true) }
            above = next
        }
        return (count, false)
    }

    /// The caller has the range alone, and none of it has a place yet.
    private func copyBacking(_ offset: UInt64, _ count: UInt64) throws(BlockError) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(count), alignment: 4096)
        defer { memory.deallocate() }
        try readBacking(at: offset, [memory])
        var rest = BufferCursor([memory])
        try writeAllocating(at: offset, &rest)
    }

    /// An image below, and what it is called from anywhere.
    struct Base {
        let image: any BlockImage
        let name: String
        let format: String?
        /// How many images are between it and this one.
        let levels: Int
        /// That which lies on it.
        let above: QCOW2Image
    }

    /// The image below that has a name: that of its file or node, or as it is written in the image that lies on it.
    func base(named wanted: String) -> Base? {
        var above = self, levels = 0
        while let image = above.backing, let (name, format) = above.backingName {
            let names = [name, above.header.backingFile, (image as? BlockNode)?.name, (image as? BlockNode)?.fileName]
            if names.contains(wanted) || HostFile.realPath(wanted) == name {
                return Base(
                    image: image, name: name, format: format ?? storedImage(image).format, levels: levels, above: above)
            }
            guard let next = storedImage(image) as? QCOW2Image else { return nil }
            above = next
            levels += 1
        }
        return nil
    }

    /// What was between this image and another one has been copied, and does not show any more. Nil: nothing shows from below.
    func dropBacking(to base: Base?) throws(BlockError) {
        if base?.levels == 0 { return }
        try setBackingFile(base?.name, format: base?.format)
        let old = try alone { () throws(BlockError) -> (any BlockImage)? in
            defer { backing = base?.image }
            return backing
        }
        if !ownsBacking { return }
        // What goes is closed, without what this image lies on now.
        if let above = base?.above {
            try above.exclusively { () throws(BlockError) in above.backing = nil }
        }
        try old?.close()
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
