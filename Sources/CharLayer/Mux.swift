// One terminal for several front ends: what is typed goes to one of them, what they say goes all to it. Ctrl-A begins a command.

import EventLoop
import HostOS

public final class Mux: @unchecked Sendable {
    /// The commands, as the help says them.
    private static let commands: [(key: Character, help: String)] = [
        ("h", "print this help"), ("x", "end the machine"), ("b", "send a break"),
        ("c", "switch between the serial port and the monitor"), ("a", "send Ctrl-A (Ctrl-A once more does it too)"),
    ]
    private static let escape: UInt8 = 1

    private let backend: CharBackend
    private var ports: [Port] = []
    private var focus = 0
    private var isEscaped = false
    /// How much of what is typed may wait for its front end. On a terminal commands are seen behind that, so that a guest that reads nothing
    /// can still be ended.
    private let lookahead: Int
    private let refill: BottomHalf
    private let end: () -> Void

    /// `isInteractive`: a person types. Else a command takes effect only after what comes before it has been taken.
    /// `end`: what Ctrl-A x does.
    public init(_ loop: EventLoop, _ backend: CharBackend, isInteractive: Bool, end: @escaping () -> Void) {
        self.backend = backend
        self.end = end
        lookahead = isInteractive ? 256 : 1
        weak var me: Mux?
        refill = BottomHalf(loop) { me?.passOn() }
        me = self
        backend.attach(self)
    }

    /// A back end for one more front end. The first has the focus.
    public func port() -> CharBackend {
        let port = Port(self)
        ports.append(port)
        return port
    }

    /// What the front end of one port sees of the mux.
    private final class Port: CharBackend, @unchecked Sendable {
        private unowned let mux: Mux
        /// Typed, and not taken yet. The loop's thread's.
        var waiting: [UInt8] = []

        init(_ mux: Mux) { self.mux = mux }

        func passOn() {
            let count = min(inputRoom, waiting.count)
            if count == 0 { return }
            let bytes = waiting[..<count]
            waiting.removeSubrange(..<count)
            deliver(bytes)
        }

        override func send(_ byte: UInt8) -> Bool { mux.backend.send(byte) }
        override func inputHasRoom() { mux.refill.schedule() }
        override var isOpen: Bool { mux.backend.isOpen }
        override var hasFocus: Bool { mux.focused === self }
    }

    private var focused: Port? { ports.indices.contains(focus) ? ports[focus] : nil }

    /// Hands out what waits.
    private func passOn() {
        for port in ports { port.passOn() }
        backend.inputHasRoom()
    }

    private func command(_ byte: UInt8) {
        switch byte {
        case Self.escape, UInt8(ascii: "a"): focused?.waiting.append(Self.escape)
        case UInt8(ascii: "h"), UInt8(ascii: "?"):
            for row in Self.commands { backend.send("\r\nCtrl-A \(row.key)  \(row.help)") }
            backend.send("\r\n")
        case UInt8(ascii: "x"):
            backend.send("\r\n")
            end()
        case UInt8(ascii: "b"): focused?.deliver(.lineBreak)
        case UInt8(ascii: "c"):
            guard ports.count > 1 else { return }
            focused?.deliver(.unfocused)
            focus = (focus + 1) % ports.count
            focused?.deliver(.focused)
        default: break
        }
    }
}

extension Mux: CharFrontEnd {
    public var inputRoom: Int {
        // Without a lookahead, one byte at a time: it may be a command that sends the next elsewhere.
        guard let focused else { return 0 }
        if lookahead == 1 { return focused.waiting.isEmpty && focused.inputRoom > 0 ? 1 : 0 }
        return max(0, lookahead - focused.waiting.count)
    }

    public func receive(_ bytes: ArraySlice<UInt8>) {
        for byte in bytes {
            if isEscaped {
                isEscaped = false
                command(byte)
            } else if byte == Self.escape {
                isEscaped = true
            } else {
                focused?.waiting.append(byte)
            }
        }
        passOn()
    }

    public func receive(_ event: CharEvent) { for port in ports { port.deliver(event) } }
    public func outputHasRoom() { for port in ports { port.tellOutputHasRoom() } }
}
