import NetLayer
import SystemKit
import TestSupport
import Testing

@testable import Virtio

/// The commands of a card's driver, and what the card takes after them.
@Suite struct ReceiveFilterTests {
    private static let own: [UInt8] = [0x52, 0x54, 0, 0x12, 0x34, 0x56], other: [UInt8] = [2, 0, 0, 0, 0, 1]
    private static let group: [UInt8] = [1, 0, 0x5e, 0, 0, 1], everyone = [UInt8](repeating: 0xff, count: 6)
    private static let control: UInt64 = 1 << 17, all: UInt64 = control | 1 << 18 | 1 << 19 | 1 << 20 | 1 << 23

    private let driver: TestDriver
    private let card: VirtioNet
    private let cable = NetBackend(name: "n")

    init() throws {
        var made: VirtioNet?
        let cable = cable
        driver = try TestDriver(
            RingLayout(),
            {
                let card = VirtioNet($0)
                made = card
                return card
            }, VirtioNet.descriptor
        ) { $0.network = cable }
        card = try #require(made)
        driver.queue = 2
        driver.start(Self.all)
    }

    /// The card's answer: 0 is yes.
    private func ask(_ group: UInt8, _ command: UInt8, _ data: [UInt8]) throws -> UInt8? {
        let request = [group, command] + data, place = TestDriver.buffers
        #expect(driver.memory.store(place, bytes: request + [0xee]))
        driver.offer([
            Piece(address: place, count: UInt32(request.count)),
            Piece(address: place + UInt64(request.count), count: 1, isWritten: true),
        ])
        #expect(driver.used()?.written == 1)
        return driver.memory.load(place + UInt64(request.count), as: UInt8.self)
    }

    private func takes(_ address: [UInt8], vlan: UInt16? = nil) -> Bool {
        let tag: [UInt8] = vlan.map { [0x81, 0, UInt8($0 >> 8), UInt8($0 & 255)] } ?? []
        var frame: [UInt8] = address + Self.other + tag
        frame += [8, 0] + [UInt8](repeating: 0, count: 50)
        return frame.withUnsafeBytes { card.filter.takes($0, own: UInt64(ethernet: card.address)) }
    }

    private func table(_ addresses: [[UInt8]]) -> [UInt8] {
        let count: [UInt8] = [UInt8(addresses.count), 0, 0, 0]
        return count + addresses.joined()
    }

    @Test func allComesInUntilTheDriverChooses() throws {
        for address in [Self.own, Self.other, Self.group, Self.everyone] { #expect(takes(address)) }
        #expect(try ask(0, 0, [0]) == 0)
        #expect(takes(Self.own) && !takes(Self.other) && !takes(Self.group) && takes(Self.everyone))
        // Commands 1 to 5: all groups, all others, no groups, nobody, not to everyone.
        let modes: [(command: UInt8, address: [UInt8], isTaken: Bool)] = [
            (1, Self.group, true), (2, Self.other, true), (3, Self.group, false), (4, Self.own, false),
            (5, Self.everyone, false),
        ]
        for (command, address, isTaken) in modes {
            #expect(try ask(0, command, [1]) == 0)
            #expect(takes(address) == isTaken, "command \(command)")
        }
        for command in 1...5 as ClosedRange<UInt8> { #expect(try ask(0, command, [0]) == 0) }
        #expect(takes(Self.own) && !takes(Self.other) && !takes(Self.group) && takes(Self.everyone))
        #expect(try ask(0, 0, [1]) == 0)
        #expect(takes(Self.other))
    }

    @Test func tablesAddAddresses() throws {
        #expect(try ask(0, 0, [0]) == 0)
        #expect(try ask(1, 0, table([Self.other]) + table([Self.group])) == 0)
        #expect(takes(Self.other) && takes(Self.group) && takes(Self.own) && !takes([2, 0, 0, 0, 0, 9]))
        #expect(try ask(1, 0, table([]) + table([])) == 0)
        #expect(!takes(Self.other) && !takes(Self.group))
        let many = (0..<65).map { [3, 0, 0, 0, 0, UInt8($0)] as [UInt8] }
        #expect(try ask(1, 0, table([]) + table(many)) == 0)
        #expect(takes(Self.group) && !takes(Self.other), "a table that is too long stands for all of its kind")
        let refused: [[UInt8]] = [
            [], [1, 0, 0, 0], table([Self.other]), [0, 0, 0, 0, 9, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 1],
            [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        ]
        for bad in refused {
            #expect(try ask(1, 0, bad) == 1)
        }
    }

    @Test func theAddressIsTheDriversUntilAReset() throws {
        #expect(try ask(0, 0, [0]) == 0)
        #expect(try ask(1, 1, Self.other) == 0)
        #expect(takes(Self.other) && !takes(Self.own))
        #expect((0..<6).map { driver.transport.get(0x100 + $0, size: 1) } == Self.other.map(UInt64.init))
        #expect(try ask(1, 1, [1, 2, 3]) == 1)
        driver.start(Self.all)
        #expect(card.address == Self.own && takes(Self.group))
    }

    @Test func virtualNetworksAreThoseThatAreNamed() throws {
        #expect(try ask(0, 0, [0]) == 0)
        #expect(takes(Self.own) && !takes(Self.own, vlan: 7))
        #expect(try ask(2, 0, [7, 0]) == 0)
        #expect(takes(Self.own, vlan: 7) && takes(Self.own, vlan: 0xe007) && !takes(Self.own, vlan: 8))
        #expect(try ask(2, 1, [7, 0]) == 0)
        #expect(!takes(Self.own, vlan: 7))
        #expect(try ask(2, 0, [0, 0x10]) == 1)
        #expect(try ask(2, 0, [1]) == 1)
        driver.start(Self.all & ~(1 << 19))
        #expect(try ask(0, 0, [0]) == 0)
        #expect(takes(Self.own, vlan: 7), "without the feature all are taken")
        #expect(try ask(2, 0, [7, 0]) == 1)
    }

    @Test func whatIsNoCommandIsAnswered() throws {
        for (group, command) in [(0, 6), (1, 2), (2, 2), (3, 0), (4, 0), (255, 255)] as [(UInt8, UInt8)] {
            #expect(try ask(group, command, [1]) == 1)
        }
        #expect(try ask(0, 0, []) == 1)
        #expect(try ask(0, 0, [1, 1]) == 1)
        driver.start(Self.control)
        #expect(try ask(0, 0, [0]) == 1)
        #expect(try ask(1, 1, Self.other) == 1)
        #expect(try ask(1, 0, table([]) + table([])) == 1)
        #expect(!driver.needsReset)
        driver.offer([Piece(address: TestDriver.buffers, count: 1)])
        driver.turn()
        #expect(driver.needsReset, "there is no place for an answer")
    }

    @Test func theCableIsDisconnectedAndConnected() throws {
        #expect(driver.transport.get(0x106, size: 2) == 1)
        driver.machine.board.domain.lock.withLock { cable.setLink(false) }
        #expect(driver.transport.get(0x106, size: 2) == 0 && driver.isInterrupted)
        driver.acknowledge()
        driver.machine.board.domain.lock.withLock { cable.setLink(true) }
        #expect(driver.transport.get(0x106, size: 2) == 1 && driver.isInterrupted)
    }
}
