// A file mapped for reading that others may cut short at any time. What is gone reads as zeros: where the kernel raises SIGBUS the rest
// of the view becomes memory of our own. Who reads checks what was read, as if anything could be there.

import CLinux
import Glibc
import Synchronization

/// The bytes of a file as they are while they are read. They may change: copy first, then check.
public final class FileView {
    public let bytes: UnsafeRawBufferPointer
    private let place: UnsafeMutablePointer<ViewPlace>
    private var pieces: MappedPieces

    /// Maps `size` bytes, more than none, of an open file, which may be closed afterwards.
    public init(_ fd: Int32, size: Int) throws(Errno) {
        let start = try HostMemory.map(0, size, HostMemory.read, HostMemory.privateCopy, fd: fd)
        bytes = UnsafeRawBufferPointer(start: start, count: size)
        pieces = MappedPieces(start, size: size, pieceSize: 1 << 20, limit: 2)
        place = ViewPlace.take()
        let page = UInt(HostProcess.pageSize)
        let first = UInt(bitPattern: start)
        place.pointee.end.store((first + UInt(size) + page - 1) & ~(page - 1), ordering: .relaxed)
        place.pointee.start.store(first, ordering: .releasing)
    }

    deinit {
        place.pointee.start.store(0, ordering: .releasing)
        try? HostMemory.unmap(UInt(bitPattern: bytes.baseAddress), bytes.count)
    }

    /// Call before what lies at an offset is read: only what was read last stays mapped.
    public func willRead(at offset: Int) { pieces.use(at: offset) }

    /// Of the fault handler: whether an address lies in a view, where zeros are now. Async-signal-safe.
    static func fill(_ address: UInt) -> Bool {
        var next = ViewPlace.first.load(ordering: .acquiring)
        while let place = UnsafeMutablePointer<ViewPlace>(bitPattern: next) {
            let start = place.pointee.start.load(ordering: .acquiring)
            let end = place.pointee.end.load(ordering: .relaxed)
            if start != 0, address >= start, address < end {
                let page = address & ~(UInt(HostProcess.pageSize) - 1)
                let flags = HostMemory.privateCopy | HostMemory.anonymous | HostMemory.fixed
                return (try? HostMemory.map(page, Int(end - page), HostMemory.read, flags)) != nil
            }
            next = place.pointee.next.load(ordering: .acquiring)
        }
        return false
    }
}

/// Where a view lies. A place is never freed: the fault handler of another thread may look at it. Start 0: it is free.
private struct ViewPlace: ~Copyable {
    let start = Atomic<UInt>(ViewPlace.taken), end = Atomic<UInt>(0)
    let next = Atomic<UInt>(0)

    static let first = Atomic<UInt>(0)
    /// An address that nothing has.
    private static let taken = UInt.max

    /// A free place, or a new one.
    static func take() -> UnsafeMutablePointer<ViewPlace> {
        var next = first.load(ordering: .acquiring)
        while let place = UnsafeMutablePointer<ViewPlace>(bitPattern: next) {
            if place.pointee.start.compareExchange(expected: 0, desired: taken, ordering: .acquiringAndReleasing)
                .exchanged
            {
                return place
            }
            next = place.pointee.next.load(ordering: .acquiring)
        }
        let place = UnsafeMutablePointer<ViewPlace>.allocate(capacity: 1)
        place.initialize(to: ViewPlace())
        var head = first.load(ordering: .relaxed)
        while true {
            place.pointee.next.store(head, ordering: .relaxed)
            let (exchanged, original) = first.compareExchange(
                expected: head, desired: UInt(bitPattern: place), ordering: .acquiringAndReleasing)
            if exchanged { return place }
            head = original
        }
    }
}
