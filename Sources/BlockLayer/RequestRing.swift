// Requests of a disk that go to the kernel's ring, and no thread waits for.

import DiskRing
import HostOS

/// Where an image's bytes are, for calls on the file itself.
struct RingFile {
    let descriptor: Int32
    /// Where in the file the disk begins.
    var start: UInt64 = 0
    /// What offsets, counts and buffers are multiples of.
    let alignment: UInt64
    /// The page cache is left out: nothing is done at once.
    let isDirect: Bool

    func takes(_ offset: UInt64, _ buffers: [UnsafeRawBufferPointer]) -> Bool {
        alignment == 1
            || offset % alignment == 0
                && buffers.allSatisfy {
                    UInt64(UInt(bitPattern: $0.baseAddress)) % alignment == 0 && UInt64($0.count) % alignment == 0
                }
    }
}

/// Tokens stand for requests, which somebody else keeps. Not for several threads at a time.
final class RequestRing<Request> {
    private struct Entry {
        let request: Request
        let vectors: UnsafeMutableBufferPointer<IOVector>
        let bytes: Int
    }

    private let ring: DiskRing
    private var entries: [Entry?] = Array(repeating: nil, count: DiskRing.capacity)
    private var free = Array(0..<DiskRing.capacity)
    /// Requests that are on their way.
    var count: Int { DiskRing.capacity - free.count }
    var descriptor: Int32 { ring.descriptor }
    /// As many bytes would keep the caller while they are copied from the page cache.
    private static var long: Int { 32 << 10 }
    private static var mostVectors: Int { 1024 }  // UIO_MAXIOV

    init() throws(Errno) { ring = try DiskRing() }

    /// False: it is none for the ring, or there is no room.
    func begin(_ operation: BlockOperation, _ file: RingFile, _ request: Request) -> Bool {
        let call: DiskRing.Call, at: UInt64, buffers: [UnsafeRawBufferPointer]
        switch operation {
        case .read(let offset, let list): (call, at, buffers) = (.read, offset, list.map { UnsafeRawBufferPointer($0) })
        case .write(let offset, let list): (call, at, buffers) = (.write, offset, list)
        case .flush: (call, at, buffers) = (.flush, 0, [])
        case .writeZeroes, .discard: return false
        }
        guard let number = free.popLast() else { return false }
        let bytes = buffers.reduce(0) { $0 + $1.count }
        guard call == .flush || bytes > 0 && buffers.count <= Self.mostVectors && file.takes(file.start + at, buffers)
        else {
            free.append(number)
            return false
        }
        let vectors = UnsafeMutableBufferPointer<IOVector>.allocate(capacity: buffers.count)
        for (index, buffer) in buffers.enumerated() {
            vectors.initializeElement(
                at: index,
                to: IOVector(iov_base: UnsafeMutableRawPointer(mutating: buffer.baseAddress), iov_len: buffer.count))
        }
        let isBegun =
            (try? ring.submit(
                call, file.descriptor, UnsafeBufferPointer(vectors), at: file.start + at, token: UInt64(number),
                takesLong: !file.isDirect && (bytes >= Self.long || call == .flush))) == .begun
        guard isBegun else {
            vectors.deallocate()
            free.append(number)
            return false
        }
        entries[number] = Entry(request: request, vectors: vectors, bytes: bytes)
        return true
    }

    /// Requests that have ended; `isDone`: all of their bytes.
    func take() -> [(request: Request, isDone: Bool)] {
        var ends: [(Request, Bool)] = []
        while let (token, result) = ring.take() {
            guard let entry = entries[Int(token)] else { continue }
            entries[Int(token)] = nil
            free.append(Int(token))
            entry.vectors.deallocate()
            ends.append((entry.request, result == entry.bytes))
        }
        return ends
    }
}
