// The monitor's commands for character devices of the kind `ringbuf`, in QEMU's words.

import CharLayer
import Options

extension Monitor {
    static var ringCommands: [Command] {
        func row(
            _ name: String, _ arguments: String, _ help: String,
            _ body: @escaping (RingBackend, inout CommandWords) throws(OptionError) -> String
        ) -> Command {
            Command(names: [name], arguments: arguments, help: help) { monitor, given in
                var words = CommandWords(given, usage: "\(name) \(arguments)")
                do throws(OptionError) {
                    let ring = try ring(try words.word(), monitor.sources)
                    return try body(ring, &words)
                } catch { return "Error: \(error.message)\n" }
            }
        }
        return [
            row("ringbuf_write", "DEVICE TEXT", "write a word to a ringbuf device") {
                (ring, words) throws(OptionError) in
                let text = try words.word()
                try words.end()
                ring.send(text)
                return ""
            },
            row("ringbuf_read", "DEVICE SIZE", "show the oldest bytes of a ringbuf device, and take them") {
                (ring, words) throws(OptionError) in
                let word = try words.word()
                try words.end()
                guard let size = parseSize(word, unit: 1), size > 0 else {
                    throw OptionError("'\(word)' is no size; wanted a number of bytes, 1 or more")
                }
                return escaped(ring.take(Int(min(size, RingBackend.largestSize)))) + "\n"
            },
        ]
    }

    private static func ring(_ name: String, _ sources: MonitorSources) throws(OptionError) -> RingBackend {
        guard let backend = sources.character(name) else { throw OptionError("Device '\(name)' not found") }
        guard let ring = backend as? RingBackend else { throw OptionError("\(name) is not a ringbuf device") }
        return ring
    }

    private static func escaped(_ bytes: [UInt8]) -> String {
        var text = ""
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar.value {
            case 0x5c: text += "\\\\"
            case 0..<0x0a, 0x0b..<0x20, 0x7f:
                let digits = String(scalar.value, radix: 16, uppercase: true)
                text += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
