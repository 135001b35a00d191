// A board with a loop that the test turns itself.

import CharLayer
import Diagnostics
import EventLoop
import GuestMemory
import HostOS
import SystemKit
import Synchronization

/// Remembers the level of each input, and how often it rose.
final class TestLines: InterruptController, @unchecked Sendable {
    private(set) var levels: [Int: Bool] = [:]
    private(set) var rises: [Int: Int] = [:]
    func setInput(_ input: Int, _ level: Bool) {
        if level, levels[input] != true { rises[input, default: 0] += 1 }
        levels[input] = level
    }
    subscript(_ input: Int) -> Bool { levels[input] ?? false }
    func line(_ input: Int) -> IRQLine { IRQLine(self, input) }
}

/// A back end that takes as much as the test lets it.
final class TestBackend: CharBackend, @unchecked Sendable {
    var sent: [UInt8] = []
    var room = Int.max
    override func send(_ byte: UInt8) -> Bool {
        if room == 0 { return false }
        room -= 1
        sent.append(byte)
        return true
    }
    func type(_ text: String) { deliver(Array(text.utf8)[...]) }
}

/// What drives the virtual clock.
final class TestTime: Sendable {
    let time = Atomic<UInt64>(0)
    func set(_ value: UInt64) { time.store(value, ordering: .relaxed) }
}

struct TestMachine {
    let time = TestTime()
    let lines = TestLines()
    let control: RunControl
    let board: Board

    /// The virtual clock shows `time`.
    init() throws {
        let time = time
        control = RunControl(try EventLoop(clocks: Clocks(counted: { time.time.load(ordering: .relaxed) })))
        board = Board(control)
    }

    func block(_ device: Device) -> RegisterBlock { board.blocks.first { $0.device === device }! }

    /// Sets the virtual clock, and runs what is due.
    func advance(to time: UInt64) {
        self.time.set(time)
        board.loop.runTimers(.virtual)
    }
}

extension RegisterBlock {
    func put(_ offset: UInt64, _ value: UInt64, size: Int = 4) { _ = write(offset, size: size, value) }
    func get(_ offset: UInt64, size: Int = 4) -> UInt64 { read(offset, size: size) ?? 0xbad_bad }
}
