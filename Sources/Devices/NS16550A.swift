// The 16550A UART (National Semiconductor, PC16550D data sheet, 1995), with a byte per register. Sending takes no time: a byte is out as soon
// as the back end has room for it.

import CharLayer
import SystemKit

public final class NS16550A: Device, RegisterDevice, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor { DeviceDescriptor("ns16550a", "serial port") }

    // Bits of the registers, by the data sheet's names.
    private enum IER { static let erbfi: UInt8 = 1, etbei: UInt8 = 2, elsi: UInt8 = 4, edssi: UInt8 = 8 }
    private enum IIR {
        static let none: UInt8 = 1, modem: UInt8 = 0, empty: UInt8 = 2, data: UInt8 = 4, line: UInt8 = 6,
            timeout: UInt8 = 12
        static let fifos: UInt8 = 0xc0
    }
    private enum FCR { static let enable: UInt8 = 1, clearReceiver: UInt8 = 2, clearTransmitter: UInt8 = 4 }
    private enum LCR { static let dlab: UInt8 = 0x80 }
    private enum MCR { static let dtr: UInt8 = 1, rts: UInt8 = 2, out1: UInt8 = 4, out2: UInt8 = 8, loop: UInt8 = 16 }
    private enum LSR {
        static let dr: UInt8 = 1, oe: UInt8 = 2, bi: UInt8 = 16, thre: UInt8 = 32, temt: UInt8 = 64,
            fifoError: UInt8 = 0x80
        /// What reading the register clears.
        static let errors: UInt8 = 0x1e
    }
    private enum MSR {
        static let cts: UInt8 = 0x10, dsr: UInt8 = 0x20, ri: UInt8 = 0x40, dcd: UInt8 = 0x80
    }
    private static let fifoDepth = 16
    /// Bytes in the receiver's FIFO at which it interrupts, by FCR bits 6 and 7.
    private static let triggers = [1, 4, 8, 14]

    private let backend: CharBackend
    private var ier: UInt8 = 0, fcr: UInt8 = 0, lcr: UInt8 = 0, mcr: UInt8 = 0, msr: UInt8 = 0
    fileprivate var scratch: UInt8 = 0
    private var divisor: UInt16 = 0
    /// LSR bits that say what has gone wrong, until they are read.
    private var errors: UInt8 = 0
    private var received: [UInt8] = []
    /// Which of the bytes received is a break.
    private var breakPlace: Int?
    private var sending: [UInt8] = []
    /// The transmitter has become empty, and nobody has been told yet.
    private var emptyPending = false

    public required init(_ context: DeviceContext) {
        backend = context.backend ?? CharBackend()
        super.init(context)
        backend.attach(self, under: domain.lock)
    }

    public var span: UInt64 { 0x100 }

    public func registers(_ map: inout RegisterMap<NS16550A>) {
        map.sizes = .any
        // The registers are on the lowest eight wires.
        map.splits = false
        map.computed(
            0, "RBR_THR", width: 1, read: { d, _ in UInt64(d.readData()) }, write: { d, _, v in d.writeData(UInt8(v)) })
        map.computed(
            1, "IER", width: 1, read: { d, _ in UInt64(d.readIER()) }, write: { d, _, v in d.writeIER(UInt8(v)) })
        map.computed(
            2, "IIR_FCR", width: 1, read: { d, _ in UInt64(d.readIIR()) }, write: { d, _, v in d.writeFCR(UInt8(v)) })
        map.computed(3, "LCR", width: 1, read: { d, _ in UInt64(d.lcr) }, write: { d, _, v in d.lcr = UInt8(v) })
        map.computed(4, "MCR", width: 1, read: { d, _ in UInt64(d.mcr) }, write: { d, _, v in d.writeMCR(UInt8(v)) })
        map.computed(5, "LSR", width: 1, read: { d, _ in UInt64(d.readLSR()) })
        map.computed(6, "MSR", width: 1, read: { d, _ in UInt64(d.readMSR()) })
        map.stored(7, "SCR", \.scratch)
    }

    public override func reset(_ kind: ResetKind) {
        ier = 0
        fcr = 0
        lcr = 0
        mcr = 0
        divisor = 0
        errors = 0
        received = []
        breakPlace = nil
        sending = []
        emptyPending = false
        // Somebody is there, and ready.
        msr = MSR.dcd | MSR.dsr | MSR.cts
        update()
        backend.inputHasRoom()
    }

    public override func snapshot(_ s: inout SnapshotCoder) throws(SnapshotError) {
        try s.field(&ier, in: 0...15)
        try s.field(&fcr)
        try s.field(&lcr)
        try s.field(&mcr, in: 0...31)
        try s.field(&msr)
        try s.field(&divisor)
        try s.field(&errors)
        errors &= LSR.errors
        try s.list(&received, atMost: Self.fifoDepth)
        var place = breakPlace.map { Int8($0) } ?? -1
        try s.field(&place, in: -1...Int8(Self.fifoDepth - 1))
        breakPlace = place < 0 ? nil : Int(place)
        try s.list(&sending, atMost: Self.fifoDepth)
        try s.field(&emptyPending)
    }

    public override func hasLoaded() {
        transmit()
        update()
        backend.inputHasRoom()
    }

    // MARK: registers

    private var hasFIFOs: Bool { fcr & FCR.enable != 0 }
    private var depth: Int { hasFIFOs ? Self.fifoDepth : 1 }
    private var isLooped: Bool { mcr & MCR.loop != 0 }
    private var selectsDivisor: Bool { lcr & LCR.dlab != 0 }

    private func readData() -> UInt8 {
        if selectsDivisor { return UInt8(truncatingIfNeeded: divisor) }
        if received.isEmpty { return 0 }
        let byte = received.removeFirst()
        breakPlace = breakPlace.flatMap { $0 > 0 ? $0 - 1 : nil }
        noteBreak()
        update()
        if !isLooped { backend.inputHasRoom() }
        return byte
    }

    private func writeData(_ byte: UInt8) {
        if selectsDivisor {
            divisor = divisor & 0xff00 | UInt16(byte)
            return
        }
        // What does not fit is lost, as on the chip.
        if sending.count < depth { sending.append(byte) }
        emptyPending = false
        transmit()
        update()
    }

    private func readIER() -> UInt8 { selectsDivisor ? UInt8(truncatingIfNeeded: divisor &>> 8) : ier }

    private func writeIER(_ value: UInt8) {
        if selectsDivisor {
            divisor = divisor & 0xff | UInt16(value) &<< 8
            return
        }
        // Enabling the interrupt of an empty transmitter raises it; Linux finds out by that whether it works.
        if value & ~ier & IER.etbei != 0, sending.isEmpty { emptyPending = true }
        ier = value & 15
        update()
    }

    private func readIIR() -> UInt8 {
        let cause = cause
        if cause == IIR.empty {
            emptyPending = false
            update()
        }
        return cause | (hasFIFOs ? IIR.fifos : 0)
    }

    private func writeFCR(_ value: UInt8) {
        let switches = (value ^ fcr) & FCR.enable != 0
        if switches || value & FCR.clearReceiver != 0 {
            received = []
            breakPlace = nil
        }
        if switches || value & FCR.clearTransmitter != 0, !sending.isEmpty {
            sending = []
            emptyPending = true
        }
        // The other bits are only written together with that one.
        fcr = value & FCR.enable == 0 ? 0 : value & 0xc9
        update()
        backend.inputHasRoom()
    }

    private func writeMCR(_ value: UInt8) {
        mcr = value & 31
        var inputs: UInt8 = MSR.dcd | MSR.dsr | MSR.cts
        if isLooped {
            inputs = mcr & MCR.dtr != 0 ? MSR.dsr : 0
            if mcr & MCR.rts != 0 { inputs |= MSR.cts }
            if mcr & MCR.out1 != 0 { inputs |= MSR.ri }
            if mcr & MCR.out2 != 0 { inputs |= MSR.dcd }
        }
        // Bits 0 to 3 say which of bits 4 to 7 have changed; that of RI only that it has ended.
        var deltas = (inputs ^ msr) &>> 4
        if inputs & MSR.ri != 0 { deltas &= ~4 }
        msr = inputs | msr & 15 | deltas
        transmit()
        update()
        if !isLooped { backend.inputHasRoom() }
    }

    private func readLSR() -> UInt8 {
        var value = errors
        if !received.isEmpty { value |= LSR.dr }
        if sending.isEmpty { value |= LSR.thre | LSR.temt }
        if hasFIFOs, breakPlace != nil || errors & LSR.bi != 0 { value |= LSR.fifoError }
        errors = 0
        update()
        return value
    }

    private func readMSR() -> UInt8 {
        let value = msr
        msr &= 0xf0
        update()
        return value
    }

    // MARK: interrupts

    /// The most urgent one that is enabled.
    private var cause: UInt8 {
        if ier & IER.elsi != 0, errors != 0 { return IIR.line }
        if ier & IER.erbfi != 0, !received.isEmpty {
            // Bytes below the trigger level are announced as those that nobody has fetched for four characters' time.
            return !hasFIFOs || received.count >= Self.triggers[Int(fcr &>> 6)] ? IIR.data : IIR.timeout
        }
        if ier & IER.etbei != 0, emptyPending { return IIR.empty }
        if ier & IER.edssi != 0, msr & 15 != 0 { return IIR.modem }
        return IIR.none
    }

    private func update() { line(0).set(cause != IIR.none) }

    // MARK: bytes in both directions

    private func transmit() {
        let hadSome = !sending.isEmpty
        while let byte = sending.first {
            if isLooped { take(byte) } else if !backend.send(byte) { break }
            sending.removeFirst()
        }
        if hadSome, sending.isEmpty { emptyPending = true }
    }

    private func take(_ byte: UInt8, isBreak: Bool = false) {
        if received.count >= depth {
            errors |= LSR.oe
            // Without FIFOs the new byte takes the place of the old.
            if hasFIFOs { return }
            received.removeLast()
        }
        received.append(byte)
        if isBreak { breakPlace = received.count - 1 }
        noteBreak()
    }

    /// A break is announced when it is the next byte.
    private func noteBreak() {
        if breakPlace == 0 {
            errors |= LSR.bi
            breakPlace = nil
        }
    }
}

extension NS16550A: CharFrontEnd {
    public var inputRoom: Int { isLooped ? 0 : max(0, depth - received.count) }

    public func receive(_ bytes: ArraySlice<UInt8>) {
        for byte in bytes { take(byte) }
        update()
    }

    public func receive(_ event: CharEvent) {
        guard event == .lineBreak, !isLooped else { return }
        take(0, isBreak: true)
        update()
    }

    public func outputHasRoom() {
        transmit()
        update()
    }
}
