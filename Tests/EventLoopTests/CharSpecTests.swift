import EventLoop
import HostOS
import Options
import TestSupport
import Testing

@testable import CharLayer

/// A value that is refused, and words of the line that says so.
struct BadValue: Sendable, CustomTestStringConvertible {
    var text: String
    var mentions: [String]
    init(_ text: String, _ mentions: String...) {
        self.text = text
        self.mentions = mentions
    }
    var testDescription: String { text }

    func check<E: Error>(_ body: () throws(E) -> Void) {
        do {
            try body()
            Issue.record("taken: \(text)")
        } catch {
            for word in mentions { #expect("\(error)".contains(word), "no '\(word)' in: \(error)") }
        }
    }
}

@Suite struct CharSpecTests {
    private static func socket(_ address: SocketAddress, _ change: (inout SocketOptions) -> Void = { _ in })
        -> CharDevice
    {
        var options = SocketOptions(address)
        change(&options)
        return CharDevice(.socket(options))
    }

    @Test func shortFormsAreParsed() throws {
        #expect(try CharSpec(parsing: "none") == .none)
        #expect(try CharSpec(parsing: "null") == .null)
        #expect(try CharSpec(parsing: "stdio") == .stdio)
        #expect(try CharSpec(parsing: "mon:stdio") == .sharedStdio)
        #expect(try CharSpec(parsing: "chardev:a") == .named("a"))
        #expect(try CharSpec(parsing: "pty") == .device(CharDevice(.pty)))
        #expect(try CharSpec(parsing: "mon:pty") == .device(CharDevice(.pty, isShared: true)))
        #expect(try CharSpec(parsing: "file:/a:b") == .device(CharDevice(.file(path: "/a:b", appends: false))))
        #expect(try CharSpec(parsing: "pipe:/a") == .device(CharDevice(.pipe(path: "/a"))))
        #expect(try CharSpec(parsing: "/dev/ttyS0") == .device(CharDevice(.serial(path: "/dev/ttyS0"))))
        #expect(
            try CharSpec(parsing: "unix:/a,server,nowait") == .device(Self.socket(.unix("/a")) { $0.isServer = true }))
        #expect(
            try CharSpec(parsing: "unix:/a,,b,server=on")
                == .device(
                    Self.socket(.unix("/a,b")) {
                        $0.isServer = true
                        $0.waits = true
                    }))
        #expect(
            try CharSpec(parsing: "tcp::4444,reconnect=2,nodelay")
                == .device(
                    Self.socket(.inet(host: "", port: "4444")) {
                        $0.reconnects = 2000
                        $0.sendsAtOnce = true
                    }))
        #expect(try CharSpec(parsing: "tcp:[::1]:99") == .device(Self.socket(.inet(host: "::1", port: "99"))))
        #expect(
            try CharSpec(parsing: "udp:h:1@:2")
                == .device(
                    CharDevice(.udp(remote: .inet(host: "h", port: "1"), local: .inet(host: "", port: "2")))))
    }

    static let badForms = [
        BadValue("", "chardev:ID"), BadValue("stdin", "stdin", "mon:FORM"), BadValue("file:", "file:PATH"),
        BadValue("File:x", "file:PATH"), BadValue("mon:", "mon:FORM"), BadValue("mon:none", "mon:stdio"),
        BadValue("chardev:", "chardev:ID"), BadValue("tcp:", "HOST:PORT"), BadValue("tcp:host", "HOST:PORT"),
        BadValue("tcp:host:", "HOST:PORT"), BadValue("telnet::1", "tcp:"), BadValue("vc", "not supported"),
        BadValue("udp:@", "HOST:PORT"),
        BadValue("tcp::1,nonsense=1", "nonsense", "reconnect"), BadValue("tcp::1,server=maybe", "on or off"),
        BadValue("tcp::1,wait=off", "server=on"), BadValue("tcp::1,server,reconnect=1", "server=on"),
        BadValue("tcp::1,reconnect=1,reconnect-ms=1", "exclude"), BadValue("tcp::1,reconnect=x", "a number"),
        BadValue("unix:/a,telnet=on", "telnet"),
    ]

    @Test(arguments: badForms) func badFormsAreRefused(_ bad: BadValue) {
        bad.check { () throws(OptionError) in _ = try CharSpec(parsing: bad.text) }
    }

    @Test func devicesAreParsed() throws {
        let (id, file) = try CharDevice.parse("file,id=a,path=/x,append=on,logfile=/y,logappend=on")
        #expect(id == "a" && file.kind == .file(path: "/x", appends: true))
        #expect(file.logFile == "/y" && file.logAppends && !file.isShared)
        let shared = try CharDevice.parse("stdio,mux=on,signal=off,id=b").device
        #expect(shared == CharDevice(.stdio(keepsSignals: false), isShared: true))
        #expect(
            try CharDevice.parse("socket,id=c,host=h,port=1,server=on,wait=off").device
                == Self.socket(.inet(host: "h", port: "1")) { $0.isServer = true })
        #expect(
            try CharDevice.parse("udp,id=d,port=1,localport=2").device.kind
                == .udp(remote: .inet(host: "", port: "1"), local: .inet(host: "", port: "2")))
        #expect(
            try CharDevice.parse("udp,id=d,port=1").device.kind
                == .udp(remote: .inet(host: "", port: "1"), local: nil))
        #expect(try CharDevice.parse("ringbuf,id=f").device.kind == .ring(size: 65536))
        #expect(try CharDevice.parse("memory,id=f,size=1K").device.kind == .ring(size: 1024))
        // Of two values the last counts, as with QEMU.
        #expect(try CharDevice.parse("stdio,id=f,signal=on,signal=off").device.kind == .stdio(keepsSignals: false))
        #expect(try CharDevice.parse("serial,id=e,path=/dev/x").device.kind == .serial(path: "/dev/x"))
    }

    static let badDevices = [
        BadValue("", "stdio"), BadValue("nonsense,id=a", "nonsense", "socket"), BadValue("vc,id=a", "not supported"),
        BadValue("null", "id=ID"), BadValue("null,id=", "id=ID"), BadValue("file,id=a", "path=PATH"),
        BadValue("file,id=a,path=x,pth=y", "pth", "append"), BadValue("pty,id=a,mux=1", "on or off"),
        BadValue("socket,id=a", "path=PATH", "port=PORT"), BadValue("socket,id=a,path=x,port=1", "without host"),
        BadValue("udp,id=a", "port=PORT"), BadValue("null,id=a,logappend=on", "logfile"),
        BadValue("ringbuf,id=a,size=15", "size=15", "power of two"), BadValue("ringbuf,id=a,size=2G", "1G"),
        BadValue("memory,id=a,size=x", "size=x"), BadValue("mux,id=a", "not supported", "ringbuf"),
    ]

    @Test(arguments: badDevices) func badDevicesAreRefused(_ bad: BadValue) {
        bad.check { () throws(OptionError) in _ = try CharDevice.parse(bad.text) }
    }

    @Test func usesAreCheckedBeforeAnythingIsOpened() throws {
        let alone = (id: "a", device: CharDevice(.null)), shared = (id: "b", device: CharDevice(.null, isShared: true))
        try CharBackends.check([alone, shared], uses: [.named("a"), .named("b"), .named("b")])
        try CharBackends.check([], uses: [.sharedStdio, .sharedStdio])
        BadValue("", "no -chardev", "'c'").check { () throws(CharSpecError) in
            try CharBackends.check([alone], uses: [.named("c")])
        }
        BadValue("", "mux=on").check { () throws(CharSpecError) in
            try CharBackends.check([alone], uses: [.named("a"), .named("a")])
        }
        BadValue("", "once only").check { () throws(CharSpecError) in
            try CharBackends.check([], uses: [.stdio, .sharedStdio])
        }
    }
}
