import EventLoop
import HostOS
import TestSupport
import Testing

@testable import CharLayer

/// Takes what the test gives it room for.
final class FrontEnd: CharFrontEnd {
    var room: Int
    var received: [UInt8] = []
    var events: [CharEvent] = []
    var rooms = 0
    init(room: Int = .max) { self.room = room }
    var inputRoom: Int { room }
    func receive(_ bytes: ArraySlice<UInt8>) {
        #expect(bytes.count <= room, "no more than there is room for")
        room -= bytes.count
        received += bytes
    }
    func receive(_ event: CharEvent) { events.append(event) }
    func outputHasRoom() { rooms += 1 }
    var text: String { String(decoding: received, as: UTF8.self) }
}

/// A back end on two pipes, of which the test has the other ends.
private final class Pipes {
    let loop: EventLoop
    let backend: StreamBackend
    /// Written by the test, and read by it.
    var input: Int32, output: Int32

    init(capacity: Int? = nil, patience: UInt64? = nil) throws {
        loop = try EventLoop(clocks: Clocks())
        ignoreVanishedReaders()
        let incoming = try HostFile.pipe(), outgoing = try HostFile.pipe()
        input = incoming.writing
        output = outgoing.reading
        backend = StreamBackend(
            loop, input: HostStream(owning: incoming.reading), output: HostStream(owning: outgoing.writing),
            capacity: capacity, patience: patience)
    }

    deinit {
        HostFile.close(input)
        HostFile.close(output)
    }

    func turns(_ count: Int = 10) { for _ in 0..<count { loop.turn(waits: false) } }

    func wait(nanoseconds: UInt64) {
        let end = loop.clocks.now(.realtime) + nanoseconds
        let timer = loop.timer(.realtime) {}
        timer.arm(at: end)
        loop.run { loop.clocks.now(.realtime) >= end }
    }

    func read(_ count: Int) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
        defer { buffer.deallocate() }
        guard let done = try? HostStream(owning: output).read(into: buffer) else { return [] }
        return Array(buffer[..<done])
    }
}

@Suite struct FlowControlTests {
    @Test func inputComesAsFastAsItIsTaken() throws {
        let pipes = try Pipes(), front = FrontEnd(room: 0)
        pipes.backend.attach(front)
        let text = String((0..<3000).map { Character(Unicode.Scalar(UInt8(97 + $0 % 26))) })
        writeAll(pipes.input, text)
        pipes.turns()
        #expect(front.received.isEmpty)
        var taken = 0
        while taken < 3000 {
            let room = 1 + taken % 7
            front.room = room
            pipes.backend.inputHasRoom()
            pipes.turns(3)
            #expect(front.received.count == min(3000, taken + room), "all that there is room for")
            taken = front.received.count
        }
        #expect(front.text == text, "no byte is lost")
    }

    @Test func theEndOfInputLeavesOutputAlone() throws {
        let pipes = try Pipes()
        let front = FrontEnd()
        pipes.backend.attach(front)
        writeAll(pipes.input, "last")
        HostFile.close(pipes.input)
        pipes.input = -1
        pipes.turns()
        #expect(front.text == "last" && front.events == [.ended])
        // The end is found once: the loop sleeps.
        let timer = pipes.loop.timer(.realtime) {}
        timer.arm(at: pipes.loop.clocks.now(.realtime) + 2_000_000)
        var turns = 0
        while timer.isArmed {
            pipes.loop.turn()
            turns += 1
        }
        #expect(turns < 10)
        pipes.backend.send("still here")
        pipes.turns()
        #expect(pipes.read(100) == Array("still here".utf8))
    }

    @Test func aReaderThatNeverReadsStopsNobody() throws {
        let pipes = try Pipes(capacity: 1000, patience: 5_000_000), front = FrontEnd()
        pipes.backend.attach(front)
        var sent = 0
        // The pipe itself takes 64 KiB.
        while sent < 200_000, pipes.backend.send(UInt8(truncatingIfNeeded: sent)) {
            sent += 1
            if sent % 500 == 0 { pipes.turns(2) }
        }
        #expect(sent < 70_000, "then it says that there is no room")
        let before = front.rooms
        pipes.wait(nanoseconds: 10_000_000)
        #expect(front.rooms == before + 1, "and after its patience that there is")
        for byte in 0..<100_000 where !pipes.backend.send(UInt8(truncatingIfNeeded: byte)) { Issue.record("refused") }
        pipes.turns()
        // What was kept comes in order; what came while nobody read is missing.
        var read: [UInt8] = []
        while case let part = pipes.read(4096), !part.isEmpty {
            read += part
            pipes.turns(2)
        }
        #expect(read.count == sent)
        #expect(read.enumerated().allSatisfy { $1 == UInt8(truncatingIfNeeded: $0) })
        pipes.backend.send("again")
        pipes.turns()
        #expect(pipes.read(100) == Array("again".utf8), "a reader who wakes up gets what follows")
    }

    /// One byte at a time, slower than the patience of anybody: nothing is lost while something moves.
    @Test func aSlowReaderGetsEverything() throws {
        let loop = try EventLoop(clocks: Clocks())
        var rooms = 0
        let queue = OutputQueue(loop, capacity: 10, patience: 20_000_000) { rooms += 1 }
        var wanted: [UInt8] = [], got: [UInt8] = [], next: UInt8 = 0
        let end = loop.clocks.now(.realtime) + 100_000_000
        while loop.clocks.now(.realtime) < end {
            while queue.append(next) != .refused {
                wanted.append(next)
                next &+= 1
            }
            let tick = loop.timer(.realtime) {
                _ = queue.drain {
                    got.append($0[0])
                    return 1
                }
            }
            tick.arm(at: loop.clocks.now(.realtime) + 4_000_000)
            while tick.isArmed { loop.turn() }
        }
        while queue.drain({ bytes in
            got += bytes
            return bytes.count
        }) {}
        #expect(got == wanted && queue.dropped == 0)
        #expect(rooms > 5, "it says so each time there is room")
    }

    @Test func aReaderThatVanishesStopsNobody() throws {
        let pipes = try Pipes(capacity: 100, patience: 1_000_000_000)
        let front = FrontEnd()
        pipes.backend.attach(front)
        HostFile.close(pipes.output)
        pipes.output = -1
        for _ in 0..<50 {
            for _ in 0..<100 { _ = pipes.backend.send(65) }
            pipes.turns(2)
        }
        #expect(pipes.backend.send(65))
    }

    @Test func filesAreWritten() throws {
        let folder = try TemporaryFolder("char")
        let loop = try EventLoop(clocks: Clocks())
        let backend = try StreamBackend.file(loop, folder.path + "/out")
        backend.send("one\n")
        backend.send("two\n")
        loop.turn(waits: false)
        loop.turn(waits: false)
        #expect(readFile(folder.path + "/out") == Array("one\ntwo\n".utf8))
    }
}

@Suite struct MuxTests {
    /// What a person types into.
    private final class Keyboard: CharBackend, @unchecked Sendable {
        var shown = ""
        override func send(_ byte: UInt8) -> Bool {
            shown += String(decoding: [byte], as: UTF8.self)
            return true
        }
        /// Types as fast as it is let.
        func type(_ text: String) -> Int {
            var bytes = Array(text.utf8)[...]
            while !bytes.isEmpty, case let room = inputRoom, room > 0 {
                deliver(bytes.prefix(room))
                bytes = bytes.dropFirst(room)
            }
            return bytes.count
        }
    }

    private let loop: EventLoop
    private let keyboard = Keyboard()
    private let serial = FrontEnd(), monitor = FrontEnd()

    init() throws { loop = try EventLoop(clocks: Clocks()) }

    private func make(isInteractive: Bool = true, _ end: @escaping () -> Void = {}) -> (Mux, CharBackend, CharBackend) {
        let mux = Mux(loop, keyboard, isInteractive: isInteractive, end: end)
        let ports = (mux.port(), mux.port())
        ports.0.attach(serial)
        ports.1.attach(monitor)
        return (mux, ports.0, ports.1)
    }

    @Test(arguments: [true, false])
    func keysGoToWhoHasTheFocus(_ isInteractive: Bool) {
        let kept = make(isInteractive: isInteractive)
        #expect(keyboard.type("ab\u{1}\u{1}c\u{1}ad") == 0)
        #expect(serial.text == "ab\u{1}c\u{1}d" && monitor.text.isEmpty)
        #expect(keyboard.type("\u{1}cinfo\u{1}cX") == 0)
        #expect(monitor.text == "info" && serial.text.hasSuffix("X"))
        #expect(monitor.events == [.focused, .unfocused] && serial.events == [.unfocused, .focused])
        #expect(keyboard.type("\u{1}b\u{1}zY") == 0)
        #expect(serial.events.last == .lineBreak && serial.text.hasSuffix("XY"))
        withExtendedLifetime(kept) {}
    }

    @Test func helpNamesEveryCommand() {
        let kept = make()
        _ = keyboard.type("\u{1}h")
        for key in "hxbca" { #expect(keyboard.shown.contains("Ctrl-A \(key)"), "\(key)") }
        #expect(serial.text.isEmpty)
        withExtendedLifetime(kept) {}
    }

    @Test func outputOfAllIsShown() {
        let (mux, first, second) = make()
        first.send("one")
        second.send("two")
        #expect(keyboard.shown == "onetwo")
        withExtendedLifetime(mux) {}
    }

    /// A guest that reads nothing can be ended by a person; and from a pipe only after it has read what comes before.
    @Test(arguments: [true, false])
    func theEnd(_ isInteractive: Bool) {
        var ends = 0
        let kept = make(isInteractive: isInteractive) { ends += 1 }
        serial.room = 2
        let left = keyboard.type("abcd\u{1}x")
        #expect(serial.text == "ab")
        #expect(ends == (isInteractive ? 1 : 0))
        #expect(left == (isInteractive ? 0 : 4))
        serial.room = 10
        kept.1.inputHasRoom()
        loop.turn(waits: false)
        #expect(serial.text == (isInteractive ? "abcd" : "ab"))
        if !isInteractive { _ = keyboard.type("cd\u{1}x") }
        #expect(serial.text == "abcd" && ends == 1)
    }

    @Test func whatWaitsStaysWithItsFrontEnd() {
        let kept = make()
        serial.room = 0
        _ = keyboard.type("for serial\u{1}cfor monitor")
        #expect(monitor.text == "for monitor" && serial.text.isEmpty)
        serial.room = 100
        kept.1.inputHasRoom()
        loop.turn(waits: false)
        #expect(serial.text == "for serial")
    }

    @Test func theLookaheadIsBounded() {
        let kept = make()
        serial.room = 0
        #expect(keyboard.type(String(repeating: "x", count: 1000)) == 744)
        withExtendedLifetime(kept) {}
    }
}
