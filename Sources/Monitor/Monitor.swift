// The human monitor: lines typed at a prompt, answered with text. Commands are rows.

import BlockLayer
import CharLayer
import Diagnostics
import EventLoop
import NetLayer
import SystemKit

/// What the monitor asks of the machine; the text of CPUs and their memory comes from who has them. Called by the main loop's thread.
public struct MonitorSources {
    /// Texts for `info NAME`, with what they are.
    public var info: [(name: String, help: String, text: () -> String)] = []
    /// Copies guest memory by virtual address, as the current hart sees it; nil: it cannot be read.
    public var readVirtual: (UInt64, Int) -> [UInt8]? = { _, _ in nil }
    /// By physical address.
    public var readPhysical: (UInt64, Int) -> [UInt8]? = { _, _ in nil }
    /// The instruction at an address as text, and how many bytes it has; nil: there is none to show.
    public var disassemble: (_ bytes: [UInt8], _ address: UInt64) -> (text: String, size: Int)? = { _, _ in nil }
    /// A register's value by its name, for addresses such as `$pc`.
    public var register: (String) -> UInt64? = { _ in nil }

    /// The machine's disks.
    public var block: BlockCommands?
    /// The machine's balloon.
    public var balloon: (any BalloonControl)?
    /// Character devices by their names.
    public var character: (String) -> CharBackend? = { _ in nil }
    /// The machine's networks.
    public var network: (any NetworkControl)?

    public init() {}
}

public final class Monitor: @unchecked Sendable {
    private static let prompt = "(martlet) "
    /// A line that is longer is cut.
    private static let longestLine = 1024

    let board: Board
    var control: RunControl { board.control }
    var sources: MonitorSources
    private let backend: CharBackend
    private var line: [UInt8] = []
    private var hasFocus = false
    private var endsWithReturn = false

    /// `isShared`: a mux says when it is this monitor's turn; else the prompt is there at once.
    public init(_ board: Board, _ backend: CharBackend, sources: MonitorSources, isShared: Bool) {
        self.board = board
        self.backend = backend
        self.sources = sources
        backend.attach(self)
        if !isShared { receive(.focused) }
    }

    private func printPrompt() { backend.send(Self.prompt) }

    private func enter() {
        let text = String(decoding: line, as: UTF8.self)
        line = []
        backend.send("\r\n")
        backend.send(
            answer(to: text).split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n"))
        printPrompt()
    }
}

extension Monitor: CharFrontEnd {
    public var inputRoom: Int { 256 }
    public func outputHasRoom() {}

    public func receive(_ event: CharEvent) {
        switch event {
        case .focused:
            hasFocus = true
            line = []
            backend.send("\r\nMartlet monitor: 'help' lists the commands\r\n")
            printPrompt()
        case .unfocused:
            hasFocus = false
            backend.send("\r\n")
        case .connected: if hasFocus { receive(.focused) }
        case .lineBreak, .ended, .disconnected: break
        }
    }

    public func receive(_ bytes: ArraySlice<UInt8>) {
        for byte in bytes {
            // Of CR LF the second ends no line.
            let followsReturn = endsWithReturn && byte == 10
            endsWithReturn = byte == 13
            switch byte {
            case _ where followsReturn: break
            case 10, 13: enter()
            case 8, 127:
                if line.isEmpty { break }
                while let last = line.popLast(), last & 0xc0 == 0x80 {}
                backend.send("\u{8} \u{8}")
            case 21:  // Ctrl-U
                for _ in String(decoding: line, as: UTF8.self) { backend.send("\u{8} \u{8}") }
                line = []
            case 32...126, 128...:
                guard line.count < Self.longestLine else { break }
                line.append(byte)
                _ = backend.send(byte)
            default: break
            }
        }
    }
}
