// A file with the frames that pass a back end, for tcpdump and its kin. (pcap-savefile(5))
//
//     file:  magic (4), version (2, 2), 0 (4), 0 (4), most bytes of a frame (4), kind of link (4), then for each frame
//     frame: seconds (4), microseconds (4), bytes in the file (4), bytes on the cable (4), the bytes

import EventLoop
import HostOS

public final class PacketDump {
    /// As the back end sees them.
    public struct Directions: OptionSet, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// From the card.
        public static let received = Directions(rawValue: 1)
        /// To the card.
        public static let sent = Directions(rawValue: 2)
    }

    private enum Header {
        static let magic: UInt32 = 0xa1b2_c3d4, major: UInt16 = 2, minor: UInt16 = 4, ethernet: UInt32 = 1
    }

    public let directions: Directions
    private let path: String
    private let longest: UInt32
    private let clocks: Clocks
    /// What the machine's clock is behind 1970, in nanoseconds.
    private let epoch: UInt64
    private var file: Int32?

    /// `longest`: bytes of a frame that are kept. `startTime`: nanoseconds since 1970 of the machine's clock as it is now.
    public init(
        _ path: String, longest: UInt32, directions: Directions, clocks: Clocks, startTime: UInt64
    ) throws(NetError) {
        self.path = path
        self.longest = longest
        self.directions = directions
        self.clocks = clocks
        epoch = startTime &- clocks.now(.virtual)
        do throws(Errno) { file = try HostFile.openLog(path) } catch {
            throw NetError("file=\(path): \(error.message)")
        }
        var header: [UInt8] = []
        header.add(Header.magic)
        header.add(Header.major)
        header.add(Header.minor)
        for word in [0, 0, longest, Header.ethernet] { header.add(word) }
        write(header)
    }

    deinit { if let file { HostFile.close(file) } }

    func record(_ frame: UnsafeRawBufferPointer) {
        let time = (epoch &+ clocks.now(.virtual)) / 1000, kept = min(frame.count, Int(longest))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16 + kept)
        for word in [time / 1_000_000, time % 1_000_000, UInt64(kept), UInt64(frame.count)] {
            bytes.add(UInt32(truncatingIfNeeded: word))
        }
        bytes += frame.prefix(kept)
        write(bytes)
    }

    /// Where nothing more fits, the file ends and the machine goes on.
    private func write(_ bytes: [UInt8]) {
        guard let file else { return }
        if bytes.withUnsafeBytes({ writeAll(file, $0) }) { return }
        writeStandardError("martlet: \(path): no frames are written any more: it cannot be written to\n")
        HostFile.close(file)
        self.file = nil
    }
}

extension [UInt8] {
    /// As the host has it in memory: who reads the file knows the order by the magic number.
    fileprivate mutating func add(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value) { append(contentsOf: $0) }
    }
}
