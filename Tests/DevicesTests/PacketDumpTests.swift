import Glibc
import HostOS
import NetLayer
import SystemKit
import TestSupport
import Testing
import Virtio

/// Reads what pcap-savefile(5) describes.
private struct SavedPackets {
    struct Packet: Equatable {
        var microseconds: UInt64
        var length: UInt32
        var bytes: [UInt8]
    }
    let header: [UInt32]
    private(set) var packets: [Packet] = []

    init(_ path: String) throws {
        let bytes = try HostFile.contents(path)
        func word(_ at: Int) -> UInt32 {
            bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: UInt32.self) }
        }
        header = stride(from: 0, to: 24, by: 4).map(word)
        var at = 24
        while at < bytes.count {
            let kept = Int(word(at + 8))
            packets.append(
                Packet(
                    microseconds: UInt64(word(at)) * 1_000_000 + UInt64(word(at + 4)), length: word(at + 12),
                    bytes: Array(bytes[(at + 16)..<(at + 16 + kept)])))
            at += 16 + kept
        }
    }
}

@Suite struct PacketDumpTests {
    private final class Card: NetCard {
        let name = "card", summary = "type=nic"
        func linkHasChanged() {}
        func receive(_ frame: UnsafeRawBufferPointer, queue: Int) {}
    }

    @Test(arguments: [PacketDump.Directions.received, .sent, [.received, .sent]])
    func framesOfChosenDirectionsAreInTheFile(_ directions: PacketDump.Directions) throws {
        let folder = try TemporaryFolder("dump"), path = folder.path + "/file"
        let machine = try TestMachine()
        machine.advance(to: 5_000_000_000)
        let network = NetBackend(name: "n"), card = Card()
        network.attach(card)
        network.add(
            try PacketDump(
                path, longest: 100, directions: directions, clocks: machine.board.loop.clocks,
                startTime: 1_700_000_000_000_000_000))
        let out = (0..<60).map { UInt8($0) }, back = (0..<150).map { UInt8($0) }
        machine.advance(to: 6_000_001_999)
        out.withUnsafeBytes { network.transmit($0) }
        machine.advance(to: 8_999_999_000)
        back.withUnsafeBytes { network.deliver($0) }
        let saved = try SavedPackets(path)
        // Version 2.4, no zone, 100 bytes, Ethernet.
        #expect(saved.header == [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 100, 1])
        var wanted: [SavedPackets.Packet] = []
        if directions.contains(.received) {
            wanted.append(SavedPackets.Packet(microseconds: 1_700_000_001_000_001, length: 60, bytes: out))
        }
        if directions.contains(.sent) {
            wanted.append(
                SavedPackets.Packet(microseconds: 1_700_000_003_999_999, length: 150, bytes: Array(back[..<100])))
        }
        #expect(saved.packets == wanted)
    }

    @Test func aFileThatCannotBeMadeIsNamed() throws {
        let machine = try TestMachine()
        #expect {
            try PacketDump(
                "/no/such/file", longest: 1, directions: .sent, clocks: machine.board.loop.clocks, startTime: 0)
        } throws: {
            "\($0)".contains("/no/such/file")
        }
    }
}

@Suite struct EntropyTests {
    /// A buffer waits for bytes that come later, and gets no others.
    @Test func randomBytesOfAPipeComeWhenTheyAreThere() throws {
        let folder = try TemporaryFolder("entropy"), path = folder.path + "/pipe"
        #expect(mkfifo(path, 0o600) == 0)
        let driver = try TestDriver(RingLayout(), VirtioRNG.init, VirtioRNG.descriptor) {
            $0.entropy = try? EntropyFile(path, $0.domain)
        }
        let end = try HostStream.open(path)
        defer { HostFile.close(end) }
        driver.start()
        let id = driver.offer([Piece(address: TestDriver.buffers, count: 64, isWritten: true)])
        #expect(driver.used(waits: false) == nil)
        let bytes: [UInt8] = [1, 2, 3, 4, 5]
        #expect(bytes.withUnsafeBytes { writeAll(end, $0) })
        let used = try #require(driver.used())
        #expect(used == (id, 5) && driver.memory.bytes(TestDriver.buffers, count: 6) == bytes + [0])
        driver.offer([Piece(address: TestDriver.buffers, count: 64, isWritten: true)])
        driver.turn()
        driver.start()
        #expect(bytes.withUnsafeBytes { writeAll(end, $0) })
        #expect(driver.used(waits: false) == nil, "what waited before a reset is forgotten")
    }
}
