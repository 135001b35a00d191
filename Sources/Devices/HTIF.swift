// The host-target interface of RISC-V's simulators: two words, in which a program asks for the console, or ends.
//
//     tohost:  device (8 bits) | command (8) | payload (48)

import CharLayer
import EventLoop
import SystemKit

public final class HTIF: Device, RegisterDevice, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "htif", "console and power off by two words",
            [
                Property("tohost", .number(0...0xfff8), "0", "where the first word is"),
                Property("fromhost", .number(0...0xfff8), "8", "where the second word is"),
                Property(
                    "size", .number(16...0x10000), "0x1000", "bytes of addresses; those beside the words are memory"),
            ])
    }

    private enum Target { static let system: UInt64 = 0, console: UInt64 = 1 }
    private enum ConsoleCommand { static let read: UInt64 = 0, write: UInt64 = 1 }

    public let span: UInt64
    private let toHostOffset: UInt64, fromHostOffset: UInt64
    private let control: RunControl?
    private let backend: CharBackend
    private var toHost: UInt64 = 0
    fileprivate var fromHost: UInt64 = 0
    /// What lies beside the words.
    fileprivate var memory: [UInt8]
    /// The program waits for a byte.
    private var wantsByte = false
    /// A byte that the back end has no room for yet.
    private var unsent: UInt8?

    public required init(_ context: DeviceContext) {
        span = context.properties.number("size") & ~7
        toHostOffset = context.properties.number("tohost") & ~7
        fromHostOffset = context.properties.number("fromhost") & ~7
        control = context.control
        backend = context.backend ?? CharBackend()
        memory = Array(repeating: 0, count: Int(span))
        super.init(context)
        backend.attach(self, under: domain.lock)
    }

    public func registers(_ map: inout RegisterMap<HTIF>) {
        map.sizes = .any
        map.computed(
            toHostOffset, "TOHOST_LOW", read: { d, _ in d.toHost & 0xffff_ffff },
            write: { d, _, v in d.toHost = d.toHost & ~0xffff_ffff | v })
        // A word of 64 bits is complete when its high half has been written: programs of 32 bits write the low half before.
        map.computed(
            toHostOffset + 4, "TOHOST_HIGH", read: { d, _ in d.toHost &>> 32 },
            write: { d, _, v in
                d.toHost = d.toHost & 0xffff_ffff | v &<< 32
                d.serve()
            })
        map.stored(fromHostOffset, "FROMHOST", \.fromHost)
        map.stored(0, "MEMORY", \.memory, count: Int(span))
    }

    public override func reset(_ kind: ResetKind) {
        toHost = 0
        wantsByte = false
        unsent = nil
    }

    public override func snapshot(_ s: inout SnapshotCoder) throws(SnapshotError) {
        try s.field(&toHost)
        try s.field(&wantsByte)
        var isUnsent = unsent != nil, byte = unsent ?? 0
        try s.field(&isUnsent)
        try s.field(&byte)
        unsent = isUnsent ? byte : nil
    }

    public override func hasLoaded() { outputHasRoom() }

    private func serve() {
        if toHost == 0 { return }
        let target = toHost &>> 56, command = toHost &>> 48 & 0xff, payload = toHost & 0xffff_ffff_ffff
        switch (target, command) {
        case (Target.system, 0) where payload & 1 != 0:
            control?.requestShutdown(.guest(status: Int32(truncatingIfNeeded: payload &>> 1)))
        case (Target.console, ConsoleCommand.write):
            let byte = UInt8(truncatingIfNeeded: payload)
            // Until there is room the word keeps its value, which the program waits for.
            if unsent != nil || !backend.send(byte) {
                unsent = unsent ?? byte
                return
            }
            reply(payload & 0xff)
        case (Target.console, ConsoleCommand.read):
            wantsByte = true
            toHost = 0
            backend.inputHasRoom()
        default:
            guestError("request 0x\(String(toHost, radix: 16)) is not known")
            toHost = 0
        }
    }

    private func reply(_ payload: UInt64) {
        fromHost = toHost & ~0xffff_ffff_ffff | payload
        toHost = 0
    }
}

extension HTIF: CharFrontEnd {
    public var inputRoom: Int { wantsByte ? 1 : 0 }

    public func receive(_ bytes: ArraySlice<UInt8>) {
        guard let byte = bytes.first else { return }
        wantsByte = false
        fromHost = Target.console &<< 56 | ConsoleCommand.read &<< 48 | UInt64(byte)
    }

    public func receive(_ event: CharEvent) {}

    public func outputHasRoom() {
        guard let byte = unsent, backend.send(byte) else { return }
        unsent = nil
        reply(UInt64(byte))
    }
}
