import CharLayer
import EventLoop
import SystemKit
import Testing

@testable import Monitor

@Suite struct MonitorTests {
    private final class Terminal: CharBackend, @unchecked Sendable {
        var bytes: [UInt8] = []
        override func send(_ byte: UInt8) -> Bool {
            bytes.append(byte)
            return true
        }
        var text: String { String(decoding: bytes, as: UTF8.self) }
        func type(_ text: String) { deliver(Array(text.utf8)[...]) }
    }

    private let terminal = Terminal()
    private let control: RunControl
    private let monitor: Monitor

    init() throws {
        control = RunControl(try EventLoop(clocks: Clocks()))
        var sources = MonitorSources()
        sources.info.append(("registers", "of the hart", { "x1 5" }))
        sources.readVirtual = { address, count in
            address >= 0x1000 ? nil : (0..<count).map { UInt8(truncatingIfNeeded: Int(address) + $0) }
        }
        sources.readPhysical = { _, count in Array(repeating: 0xff, count: count) }
        sources.disassemble = { bytes, _ in ("op \(bytes[0])", bytes[0] % 4 == 0 ? 4 : 2) }
        sources.register = { $0 == "pc" ? 0x20 : nil }
        monitor = Monitor(Board(control), terminal, sources: sources, isShared: false)
        terminal.bytes = []
    }

    @Test func linesAreEditedAndAnswered() {
        terminal.type("inxx\u{8}\u{7f}fo registers\r\n")
        #expect(terminal.text == "inxx\u{8} \u{8}\u{8} \u{8}fo registers\r\nx1 5\r\n(martlet) ")
        terminal.bytes = []
        terminal.type("\u{8}\n")
        #expect(terminal.text == "\r\n(martlet) ", "there is nothing to delete, and nothing to answer")
        terminal.bytes = []
        terminal.type("bad\u{15}stop\n")
        #expect(terminal.text.hasSuffix("stop\r\n(martlet) "))
        terminal.type(String(repeating: "a", count: 5000) + "\n")
        #expect(terminal.text.contains("' is no command"))
    }

    @Test func theMachineObeys() {
        #expect(monitor.answer(to: "info status") == "VM status: prelaunch\n")
        #expect(monitor.answer(to: "cont") == "" && control.state == .running)
        #expect(monitor.answer(to: " stop ") == "" && control.state == .paused)
        #expect(monitor.answer(to: "c") == "" && control.state == .running)
        #expect(monitor.answer(to: "q") == "" && control.run() == .monitor && control.state == .shutdown)
    }

    @Test func everyCommandHasHelp() {
        let help = monitor.answer(to: "help")
        for command in Monitor.commands {
            #expect(help.contains(command.help))
            for name in command.names { #expect(monitor.answer(to: "help \(name)").contains(command.help)) }
        }
        #expect(monitor.answer(to: "help nothing") == "'nothing' is no command\n")
        #expect(monitor.answer(to: "nothing at all") == "'nothing' is no command: 'help' lists them\n")
        #expect(monitor.answer(to: "info").contains("info mtree") && monitor.answer(to: "info").contains("of the hart"))
        #expect(monitor.answer(to: "info nothing").contains("'info' lists"))
    }

    @Test(arguments: [
        ("x 0", "0000000000000000: 0x03020100\n"), ("x/2xb 0x10", "0000000000000010: 0x10 0x11\n"),
        ("x /1dh 0xfe", "00000000000000fe: -2\n"), ("x/1ub 255", "00000000000000ff: 255\n"),
        ("x/2c 0x7e", "000000000000007e: '~' '\\x7f'\n"), ("x/1gx 0x10", "0000000000000010: 0x1716151413121110\n"),
        ("xp/3w 0", "0000000000000000: 0xffffffff 0xffffffff 0xffffffff\n"), ("x/1ob 8", "0000000000000008: 010\n"),
        ("xp/5w 0", "0000000000000000: 0xffffffff 0xffffffff 0xffffffff 0xffffffff\n0000000000000010: 0xffffffff\n"),
        ("x/2i $pc", "0000000000000020: op 32\n0000000000000024: op 36\n"),
        ("x 0x1000", "0000000000001000: cannot be read\n"),
        ("x/2b 0xfff", "0000000000000fff: 0xff cannot be read\n"),
        ("x/1dg 0xf8", "00000000000000f8: -283686952306184\n"),
        ("x", "an address is wanted\n"), ("x $sp", "an address is wanted\n"), ("x 1 2", "an address is wanted\n"),
        ("x/0x 0", "'/0x' is no format: /COUNT, one of x d u o c i, and one of b h w g\n"),
        ("x/99999999999x 0", "'/99999999999x' is no format: /COUNT, one of x d u o c i, and one of b h w g\n"),
        ("x/4q 0", "'/4q' is no format: /COUNT, one of x d u o c i, and one of b h w g\n"),
        ("xp/2x 0xfffffffffffffffc", "fffffffffffffffc: 0xffffffff 0xffffffff\n"),
    ])
    func memoryIsShown(_ line: String, _ wanted: String) { #expect(monitor.answer(to: line) == wanted) }
}
