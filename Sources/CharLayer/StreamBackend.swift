// A back end on file descriptors: standard input and output, a file, a pipe.

import EventLoop
import HostOS

public final class StreamBackend: CharBackend, @unchecked Sendable {
    /// Bytes that one turn of the loop reads or writes at most.
    private static let share = 1 << 16

    private let loop: EventLoop
    private let input: HostStream?
    private let output: HostStream?
    private var queue: OutputQueue!
    private var reader: Source?
    private var writer: Source?
    private var drain: BottomHalf!
    private var refill: BottomHalf!
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 16)

    /// Nil: there is no input, or all output is lost.
    public init(
        _ loop: EventLoop, input: HostStream?, output: HostStream?, capacity: Int? = nil, patience: UInt64? = nil
    ) {
        self.loop = loop
        self.input = input
        self.output = output
        super.init()
        queue = OutputQueue(
            loop, capacity: capacity ?? OutputQueue.capacity, patience: patience ?? OutputQueue.patience
        ) { [unowned self] in tellOutputHasRoom() }
        drain = BottomHalf(loop) { [unowned self] in write() }
        refill = BottomHalf(loop) { [unowned self] in setInterest() }
        if let input {
            reader = loop.watch(input.descriptor, []) { [unowned self] _ in read() }
        }
        if let output { writer = loop.watch(output.descriptor, []) { [unowned self] _ in write() } }
    }

    deinit {
        reader?.cancel()
        writer?.cancel()
        input?.close()
        output?.close()
        buffer.deallocate()
    }

    /// Standard input and output. A terminal gives all its keys to the machine; `keepsSignals`: but for Ctrl-C and its kin.
    public static func standard(_ loop: EventLoop, keepsSignals: Bool) -> StreamBackend {
        HostTerminal.makeRaw(0, keepsSignals: keepsSignals)
        ignoreVanishedReaders()
        return StreamBackend(
            loop, input: HostStream(sharing: 0, forReading: true), output: HostStream(sharing: 1, forReading: false))
    }

    /// Output to a file, which is emptied first.
    public static func file(_ loop: EventLoop, _ path: String) throws(Errno) -> StreamBackend {
        StreamBackend(loop, input: nil, output: HostStream(owning: try HostFile.openLog(path)))
    }

    // MARK: output

    public override func send(_ byte: UInt8) -> Bool {
        if output == nil { return true }
        switch queue.append(byte) {
        case .taken: return true
        case .takenIntoEmpty:
            drain.schedule()
            return true
        case .refused: return false
        }
    }

    private func write() {
        guard let output, let writer else { return }
        var isFull = false, hasVanished = false, done = 0
        while !isFull, !hasVanished, done < Self.share {
            let isSome = queue.drain { bytes in
                do throws(Errno) {
                    let count = try output.write(UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.share)))
                    done += count
                    isFull = count < bytes.count
                    return count
                } catch {
                    isFull = error == .again
                    hasVanished = !isFull
                    return 0
                }
            }
            if !isSome {
                writer.interest = []
                return
            }
        }
        // The reader has gone: what follows is lost, and the machine does not notice.
        if hasVanished { queue.discard() }
        writer.interest = hasVanished ? [] : .writable
    }

    /// Time that a machine's end may wait for its readers.
    private static let longestFlush: UInt64 = 5_000_000_000

    /// Writes what waits, when the loop turns no more: until a reader takes nothing for the time of the queue's patience.
    func flush() {
        guard let output else { return }
        let end = loop.clocks.now(.realtime) + Self.longestFlush
        var entries = [PollEntry(output.descriptor, .writable)]
        while !queue.isEmpty {
            let time = loop.clocks.now(.realtime)
            guard time < end, HostPoll.wait(&entries, nanoseconds: min(OutputQueue.patience, end - time)) else {
                return
            }
            write()
        }
    }

    // MARK: input

    public override func inputHasRoom() { refill.schedule() }

    private func setInterest() {
        guard let reader else { return }
        reader.interest = inputRoom > 0 ? .readable : []
    }

    private func read() {
        guard let input, let reader else { return }
        let room = min(inputRoom, buffer.count)
        if room > 0 {
            do throws(Errno) {
                let count = try input.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<room]))
                if count == 0 { return end() }
                deliver(Array(buffer[..<count])[...])
            } catch {
                if error != .again { return end() }
            }
        }
        reader.interest = inputRoom > 0 ? .readable : []
    }

    private func end() {
        reader?.cancel()
        reader = nil
        deliver(.ended)
    }
}
