// A SCSI host adapter. (Virtio 1.2, 5.6)
//
//     queues: control, events, requests, requests, ...
//     request:  address (8), tag (8), attributes (3), command (`cdb_size`), data for the unit
//               | bytes of sense (4), bytes not moved (4), qualifier (2), status (1), response (1), sense (`sense_size`), data of the unit's
//     task management: type (4), function (4), address (8), tag (8) | response (1)
//     events that are asked for: type (4), address (8), events (4) | events (4), response (1)
//     event: kind (4), address (8), reason (4)

import EventLoop
import SCSI
import SystemKit

public final class VirtioSCSI: VirtioDevice, @unchecked Sendable {
    public override class var kind: UInt32 { 8 }
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "virtio-scsi-device", "a SCSI adapter, whose disks are scsi-hd and scsi-cd",
            [
                Property("num_queues", .number(1...64), "1", "queues of requests"),
                Property("virtqueue_size", .number(4...1024), "256", "places of each queue, a power of two"),
                Property("max_sectors", .number(1...UInt64(UInt32.max)), "65535", "sectors of a request, at most"),
                Property("cmd_per_lun", .number(1...UInt64(UInt32.max)), "128", "requests for a unit at the same time"),
                Property("param_change", .flag, "on", "the guest is told when a disk gets another size"),
                Property("iothread", .thread, "", "the thread that serves it: an identifier of -object iothread"),
            ] + commonProperties)
    }
    public override class func queueLimits(_ properties: Properties) -> [UInt16] {
        Array(repeating: UInt16(properties.number("virtqueue_size")), count: 2 + Int(properties.number("num_queues")))
    }
    public override class var bus: VirtioBus? { .scsi }

    private enum Bit { static let change: UInt64 = 1 << 2 }
    private enum Response: UInt8 {
        case ok = 0, overrun = 1, aborted = 2, badTarget = 3, reset = 4, failure = 9
        case succeeded = 10, rejected = 11, noSuchUnit = 12
    }
    private enum Control { static let taskManagement: UInt32 = 0, query: UInt32 = 1, subscribe: UInt32 = 2 }
    /// Functions of task management.
    private enum Function: UInt32 {
        case abortTask = 0, abortTaskSet = 1, clearACA = 2, clearTaskSet = 3, resetNexus = 4, resetUnit = 5
        case queryTask = 6, queryTaskSet = 7
    }
    private enum Status { static let good: UInt8 = 0, checkCondition: UInt8 = 2 }
    /// Where the sizes are in the configuration that a driver may change, and what they are until it does.
    private enum Sizes {
        static let sense = 20..<24, command = 24..<28, usualSense: UInt32 = 96, usualCommand: UInt32 = 32
    }
    private static let requestHead = 19, responseHead = 12, longestCommand: UInt32 = 260, longestSense: UInt32 = 252
    private static let mostTargets: UInt16 = 255
    private enum Event { static let size = 16, parameters: UInt32 = 3, capacityChanged: UInt32 = 0x092a }

    private let units = SCSIBus()
    private var senseSize = Sizes.usualSense, commandSize = Sizes.usualCommand
    /// Units whose new size the driver does not know yet.
    private var resized: Set<SCSIAddress> = []
    private var running: [ObjectIdentifier: Request] = [:]

    /// One that has not been answered.
    private final class Request {
        let chain: Chain
        let queue: VirtQueue
        let place: SCSIAddress
        let tag: UInt64
        var task: SCSITask!
        /// What it ends with, whatever becomes of it.
        var forced: Response?
        /// Told of its end.
        var waiting: [() -> Void] = []

        init(_ chain: Chain, _ queue: VirtQueue, _ place: SCSIAddress, tag: UInt64) {
            (self.chain, self.queue, self.place, self.tag) = (chain, queue, place, tag)
        }
    }

    /// What is wrong with a combination of properties.
    public static func check(_ properties: Properties) -> String? { properties.firstNoPowerOfTwo(["virtqueue_size"]) }

    public override func plug(_ device: Device) throws(PlugError) {
        guard let unit = device as? SCSIUnit else { preconditionFailure("no unit") }
        do throws(SCSIError) { try units.add(unit) } catch { throw PlugError("\(error)") }
        unit.sizeChanged = { [unowned self, unowned unit] in
            resized.insert(unit.address)
            do throws(RingFault) { try tellEvents() } catch { fail(error) }
        }
    }

    public override var kindFeatures: UInt64 { properties.flag("param_change") ? Bit.change : 0 }

    public override var configuration: [UInt8] {
        var bytes = ByteWriter()
        bytes.add(UInt32(queues.count - 2))
        bytes.add(UInt32(queues[2].limit) - 2)
        bytes.add(UInt32(properties.number("max_sectors")))
        bytes.add(UInt32(properties.number("cmd_per_lun")))
        bytes.add(UInt32(Event.size))
        bytes.add(senseSize)
        bytes.add(commandSize)
        bytes.add(UInt16(0))
        bytes.add(Self.mostTargets)
        bytes.add(UInt32(SCSIBus.mostUnits - 1))
        return bytes.bytes
    }

    public override func configure(_ offset: Int, _ value: UInt8) {
        func put(_ field: inout UInt32, _ range: Range<Int>) {
            guard range.contains(offset) else { return }
            let shift = UInt32(8 * (offset - range.lowerBound))
            field = field & ~(0xff &<< shift) | UInt32(value) &<< shift
        }
        put(&senseSize, Sizes.sense)
        put(&commandSize, Sizes.command)
    }

    public override func stopped() {
        for unit in units.units.values {
            unit.cancelAll()
            unit.wasReset(.powerOn)
        }
        running = [:]
        resized = []
        (senseSize, commandSize) = (Sizes.usualSense, Sizes.usualCommand)
    }

    public override func notified(_ queue: VirtQueue) throws(RingFault) {
        switch queue.index {
        case 0: try takeAll(queue) { chain throws(RingFault) in try control(chain, queue) }
        case 1: try tellEvents()
        default: try takeAll(queue) { chain throws(RingFault) in try begin(chain, queue) }
        }
        tell(queue)
    }

    /// Single-level addresses alone. (5.6.6.1)
    private func place(_ bytes: ArraySlice<UInt8>) -> SCSIAddress? {
        let bytes = Array(bytes), singleLevel: UInt8 = 1
        guard bytes[0] == singleLevel, bytes[2] & 0xc0 == 0x40 || bytes[2] == 0, bytes[4...].allSatisfy({ $0 == 0 })
        else { return nil }
        return SCSIAddress(target: bytes[1], unit: UInt16(bytes[2] & 0x3f) << 8 | UInt16(bytes[3]))
    }

    // MARK: requests

    private func begin(_ chain: Chain, _ queue: VirtQueue) throws(RingFault) {
        guard 6...Self.longestCommand ~= commandSize, senseSize <= Self.longestSense else {
            throw .badRequest("commands of \(commandSize) bytes, with \(senseSize) bytes of sense")
        }
        let head = Self.requestHead + Int(commandSize), answer = Self.responseHead + Int(senseSize)
        let output = chain.readableCount - head, input = chain.writableCount - answer
        guard output >= 0, input >= 0, let bytes = chain.read(count: head) else {
            throw .badRequest("a request of \(chain.readableCount) bytes, with room for \(chain.writableCount)")
        }
        guard let place = place(bytes[0..<8]) else { return end(chain, queue, .badTarget) }
        // Both ways at once have not been agreed on.
        if output > 0, input > 0 { return end(chain, queue, .failure) }
        let request = Request(chain, queue, place, tag: ByteReader(bytes).value(8, as: UInt64.self))
        running[ObjectIdentifier(request)] = request
        request.task = SCSITask(
            Array(bytes[Self.requestHead...]), output: chain.readable.part(head..<head + output),
            input: chain.writable.part(answer..<answer + input)
        ) { [unowned self, unowned request] outcome in end(request, outcome) }
        units.begin(request.task, at: place)
    }

    private func end(_ request: Request, _ outcome: SCSITask.Outcome) {
        running[ObjectIdentifier(request)] = nil
        let task = request.task!, (response, sense): (Response, Sense?)
        switch outcome {
        case .good: (response, sense) = (.ok, nil)
        case .failed(let why): (response, sense) = (.ok, why)
        case .overrun: (response, sense) = (.overrun, nil)
        case .noTarget: (response, sense) = (.badTarget, nil)
        }
        end(request.chain, request.queue, request.forced ?? response, sense, task)
        for told in request.waiting { told() }
    }

    private func end(
        _ chain: Chain, _ queue: VirtQueue, _ response: Response, _ sense: Sense? = nil, _ task: SCSITask? = nil
    ) {
        let room = Int(senseSize), senseBytes = sense.map { Array($0.bytes.prefix(room)) } ?? []
        var answer = ByteWriter()
        answer.add(UInt32(senseBytes.count))
        answer.add(UInt32(clamping: task.map { $0.dataCount - $0.moved } ?? 0))
        answer.add(UInt16(0))
        answer.add(sense == nil ? Status.good : Status.checkCondition)
        answer.add(response.rawValue)
        let bytes = answer.bytes + senseBytes + Array(repeating: 0, count: room - senseBytes.count)
        chain.write(bytes)
        giveBack(chain, to: queue, written: bytes.count + (task?.movedIn ?? 0))
    }

    // MARK: control

    private func control(_ chain: Chain, _ queue: VirtQueue) throws(RingFault) {
        guard let head = chain.read(count: 4) else { throw .badRequest("a control request without its type") }
        let type = ByteReader(head).value(0, as: UInt32.self)
        if type == Control.query || type == Control.subscribe {
            // No unit has events of its own.
            guard chain.readableCount >= 16, chain.writableCount >= 5 else { throw .badRequest("a request of events") }
            return queue.giveBack(chain, written: chain.write([0, 0, 0, 0, Response.ok.rawValue]))
        }
        guard type == Control.taskManagement else { throw .badRequest("a control request of type \(type)") }
        guard let bytes = chain.read(count: 24), chain.writableCount >= 1 else {
            throw .badRequest("task management of \(chain.readableCount) bytes")
        }
        let fields = ByteReader(bytes)
        guard let place = place(bytes[8..<16]), units.hasTarget(place.target) else {
            return answer(chain, queue, .badTarget)
        }
        guard let function = Function(rawValue: fields.value(4, as: UInt32.self)) else {
            return answer(chain, queue, .rejected)
        }
        manage(function, place, tag: fields.value(16, as: UInt64.self), chain, queue)
    }

    private func answer(_ chain: Chain, _ queue: VirtQueue, _ response: Response) {
        giveBack(chain, to: queue, written: chain.write([response.rawValue]))
    }

    private func manage(_ function: Function, _ place: SCSIAddress, tag: UInt64, _ chain: Chain, _ queue: VirtQueue) {
        let ofUnit = running.values.filter { $0.place == place }
        let ofTask = ofUnit.filter { $0.tag == tag }
        let isOfTarget = function == .resetNexus
        guard isOfTarget || units.units[place] != nil else { return answer(chain, queue, .noSuchUnit) }
        switch function {
        case .clearACA: answer(chain, queue, .rejected)
        case .queryTask: answer(chain, queue, ofTask.isEmpty ? .ok : .succeeded)
        case .queryTaskSet: answer(chain, queue, ofUnit.isEmpty ? .ok : .succeeded)
        case .abortTask: finish(ofTask, .aborted, chain, queue)
        case .abortTaskSet, .clearTaskSet: finish(ofUnit, .aborted, chain, queue)
        case .resetUnit:
            units.units[place]?.wasReset(.unitReset)
            finish(ofUnit, .reset, chain, queue)
        case .resetNexus:
            for (other, unit) in units.units where other.target == place.target { unit.wasReset(.nexusReset) }
            finish(running.values.filter { $0.place.target == place.target }, .reset, chain, queue)
        }
    }

    /// Has requests end with a response, and then answers: a request that a thread works at cannot be taken from it.
    private func finish(_ requests: [Request], _ response: Response, _ chain: Chain, _ queue: VirtQueue) {
        if requests.isEmpty { return answer(chain, queue, .ok) }
        var left = requests.count
        for request in requests {
            request.forced = response
            request.waiting.append { [unowned self] in
                left -= 1
                if left == 0 { answer(chain, queue, .ok) }
            }
        }
    }

    // MARK: events

    private func tellEvents() throws(RingFault) {
        guard has(Bit.change) else { return }
        let queue = queue(1)
        for place in resized.sorted() {
            guard let chain = try queue.next() else { break }
            guard chain.writableCount >= Event.size else { throw .badRequest("no place for an event") }
            resized.remove(place)
            var event = ByteWriter()
            event.add(Event.parameters)
            for byte in [1, place.target, UInt8(place.unit >> 8) | 0x40, UInt8(place.unit & 0xff), 0, 0, 0, 0] {
                event.add(byte)
            }
            event.add(Event.capacityChanged)
            queue.giveBack(chain, written: chain.write(event.bytes))
        }
        tell(queue)
    }

    public override func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        try super.snapshot(&coder)
        try coder.field(&senseSize)
        try coder.field(&commandSize)
    }
}
