// The value of `-boot`: what firmware is told of how to boot.

import Devices
import EngineSetup
import HostOS
import Options

struct BootOption: Sendable {
    private var hasMenu: Bool?
    private var splash: String?
    /// Milliseconds that a menu waits.
    private var splashTime: Int?
    /// Milliseconds until the machine begins anew where nothing could be booted; -1: it does not.
    private var rebootTimeout = -1
    private var isStrict = false

    private static let wanted =
        "[order=]LETTERS, menu=on|off, splash=FILE, splash-time=MS, reboot-timeout=MS, strict=on|off"

    /// What comes later counts.
    mutating func parse(_ text: String) throws(OptionError) {
        var list = try OptionList(parsing: text, implied: "order")
        // These boards have no place for letters: `bootindex` of a device is its place.
        if let letters = list.take("order") { try Self.check(letters) }
        if let letters = list.take("once") {
            try Self.check(letters)
            throw OptionError(
                "once=\(letters): these machines cannot change the order later; wanted bootindex= of devices")
        }
        hasMenu = try list.takeFlag("menu") ?? hasMenu
        splash = list.take("splash") ?? splash
        splashTime = try list.takeNumber("splash-time", 0...65535) ?? splashTime
        rebootTimeout = try list.takeNumber("reboot-timeout", -1...65535) ?? rebootTimeout
        isStrict = try list.takeFlag("strict") ?? isStrict
        if let pair = list.pairs.first { throw OptionError("'\(pair.name)' is not known; wanted \(Self.wanted)") }
    }

    private static func check(_ letters: String) throws(OptionError) {
        var seen: Set<Character> = []
        for letter in letters {
            guard ("a"..."p").contains(letter) else {
                throw OptionError("'\(letter)' is no boot device; wanted letters from a to p")
            }
            if !seen.insert(letter).inserted { throw OptionError("boot device '\(letter)' is given twice") }
        }
    }

    /// Gives firmware its items and files. `devices`: paths, in the order in which it is to try them.
    func add(to config: FirmwareConfig, devices: [String]) throws(CommandError) {
        var order = devices
        // Firmware is to try nothing else.
        if isStrict, !order.isEmpty { order.append("HALT") }
        if !order.isEmpty { config.set(file: "bootorder", Array(order.joined(separator: "\n").utf8) + [0]) }
        config.set(FirmwareConfig.Key.bootMenu, UInt16(hasMenu ?? false ? 1 : 0))
        config.set(file: "etc/boot-fail-wait", littleEndian(Int32(rebootTimeout)))
        if let splashTime { config.set(file: "etc/boot-menu-wait", littleEndian(UInt16(splashTime))) }
        if let splash { try add(splash, to: config) }
    }

    private func add(_ path: String, to config: FirmwareConfig) throws(CommandError) {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try HostFile.contents(path) } catch {
            throw CommandError("-boot splash=\(path): \(error.message)")
        }
        // A bit map has the bits of a pixel at byte 28.
        if bytes.starts(with: [0xff, 0xd8, 0xff]) {
            config.set(file: "bootsplash.jpg", bytes)
        } else if bytes.starts(with: Array("BM".utf8)), bytes.count >= 54, bytes[28] == 24, bytes[29] == 0 {
            config.set(file: "bootsplash.bmp", bytes)
        } else {
            throw CommandError("-boot splash=\(path): wanted a picture: JPEG, or BMP with 24 bits for each pixel")
        }
    }

    private func littleEndian<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}
