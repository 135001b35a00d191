// Frames that a card is to join, and segments that it is to cut.

@testable import NetLayer

extension FuzzTarget {
    /// What is joined (1), where TCP begins (1), bytes of data in a frame (2); then frames behind their lengths (2).
    static let segments = FuzzTarget(
        name: "segments", summary: "frames that are joined, and TCP segments that are cut",
        seeds: { [false, true].map { segmentSeed(isIPv6: $0) } },
        run: { bytes in
            var input = FuzzInput(bytes)
            let flags: UInt8 = input.number(), transport = Int(input.number(UInt8.self))
            let size = max(1, Int(input.number(UInt16.self)))
            var frames: [[UInt8]] = []
            while !input.isAtEnd, frames.count < 100 { frames.append(input.bytes(Int(input.number(UInt16.self)))) }
            guard let first = frames.first else { return }
            for isIPv6 in [false, true] {
                LongSegment(first, transport: transport, isIPv6: isIPv6)?.cut(size: size) { part in
                    precondition(part.count <= first.count)
                }
            }
            var joined = first.withUnsafeBytes {
                IncomingFrame($0, joins4: flags & 1 != 0, joins6: flags & 2 != 0)
            }
            var total = max(first.count, NetBackend.shortestFrame)
            for frame in frames.dropFirst() {
                if !frame.withUnsafeBytes({ joined.append($0) }) { break }
                total += frame.count
            }
            precondition(joined.bytes.count <= total)
            guard let long = joined.finish() else { return }
            // What was joined comes apart into as many frames.
            var count = 0
            LongSegment(joined.bytes, transport: long.transport, isIPv6: long.isIPv6)?.cut(size: long.size) { _ in
                count += 1
            }
            precondition(count == joined.segments, "\(joined.segments) frames were joined, and \(count) come out")
        })

    private static func segmentSeed(isIPv6: Bool) -> [UInt8] {
        var seed = FuzzSeed()
        let headers = isIPv6 ? 54 : 34
        seed.add(3 as UInt8)
        seed.add(UInt8(headers))
        seed.add(100 as UInt16)
        for index in 0..<3 {
            var frame = [UInt8](repeating: 0, count: 12) + (isIPv6 ? [0x86, 0xdd] : [8, 0])
            let length = 20 + 100
            if isIPv6 {
                frame += [0x60, 0, 0, 0, 0, UInt8(length), 6, 64] + [UInt8](repeating: 1, count: 32)
            } else {
                frame += [0x45, 0, 0, UInt8(length + 20), 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 2, 2, 10, 0, 2, 15]
            }
            frame += [0, 80, 0, 90, 0, 0, 0, UInt8(index * 100), 0, 0, 0, 1, 0x50, 0x10, 0, 100, 0, 0, 0, 0]
            frame += [UInt8](repeating: UInt8(index), count: 100)
            seed.add(UInt16(frame.count))
            seed.bytes += frame
        }
        return seed.bytes
    }
}
