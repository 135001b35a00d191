// The guest's pages, which may be larger than the host's.

import HostOS

extension UserAddressSpace {
    /// A file that ends within a page is zero up to the page's end. The host's smaller pages behind the file's last one would be
    /// faults: they become memory of their own. `start` is where the mapping is, from `offset` of the file on.
    func fillLastPage(
        _ start: UInt64, _ length: UInt64, _ rights: PageRights, isShared: Bool, fd: Int32, offset: UInt64
    ) throws(Errno) {
        let hostPage = HostProcess.pageSize
        guard pageSize > hostPage, let status = try? HostFile.status(fd), status.isRegular else { return }
        let fileSize = UInt64(max(status.size, 0))
        guard fileSize > offset else { return }
        let end = min(pageCeiling(fileSize - offset), length)
        let filled = (fileSize - offset + hostPage - 1) & ~(hostPage - 1)
        guard filled < end else { return }
        let kind = isShared ? HostMemory.shared : HostMemory.privateCopy
        _ = try HostMemory.map(
            host(start + filled), Int(end - filled), hostProtection(rights),
            kind | HostMemory.anonymous | HostMemory.fixed)
    }
}
