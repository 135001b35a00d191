// A back end on file descriptors: standard input and output, files, pipes, terminals, and what a socket's peer is.

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
    /// Kept open as long as this is.
    private let companion: Int32?
    private var isClosed = false
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 16)

    /// Nil: there is no input, or all output is lost.
    public init(
        _ loop: EventLoop, input: HostStream?, output: HostStream?, capacity: Int? = nil, patience: UInt64? = nil,
        companion: Int32? = nil
    ) {
        self.companion = companion
        self.loop = loop
        self.input = input
        self.output = output
        super.init()
        queue = OutputQueue(
            loop, capacity: capacity ?? OutputQueue.capacity, patience: patience ?? OutputQueue.patience
        ) { [unowned self] in tellOutputHasRoom() }
        drain = BottomHalf(loop) { [weak self] in self?.write() }
        refill = BottomHalf(loop) { [weak self] in self?.setInterest() }
        if let input {
            reader = loop.watch(input.descriptor, []) { [unowned self] _ in read() }
        }
        if let output { writer = loop.watch(output.descriptor, []) { [unowned self] _ in write() } }
    }

    deinit {
        close()
        buffer.deallocate()
    }

    /// Gives the files back. What comes later is lost. The loop's thread.
    func close() {
        if isClosed { return }
        isClosed = true
        reader?.cancel()
        writer?.cancel()
        reader = nil
        writer = nil
        queue.close()
        input?.close()
        if let output, output.descriptor != input?.descriptor { output.close() }
        if let companion { HostFile.close(companion) }
    }

    /// Standard input and output. A terminal gives all its keys to the machine; `keepsSignals`: but for Ctrl-C and its kin.
    public static func standard(_ loop: EventLoop, keepsSignals: Bool) -> StreamBackend {
        HostTerminal.makeRaw(0, keepsSignals: keepsSignals)
        return StreamBackend(
            loop, input: HostStream(sharing: 0, forReading: true), output: HostStream(sharing: 1, forReading: false))
    }

    /// Output to a file; it is emptied first unless this `appends`.
    public static func file(_ loop: EventLoop, _ path: String, appends: Bool = false) throws(Errno) -> StreamBackend {
        StreamBackend(
            loop, input: nil, output: HostStream(owning: try HostFile.openLog(path, appending: appends)))
    }

    /// Named pipes: PATH.in and PATH.out where they are, else PATH both ways. They are opened both ways, so that neither the last reader
    /// nor the last writer is an end.
    public static func pipe(_ loop: EventLoop, _ path: String) throws(Errno) -> StreamBackend {
        guard HostFile.exists(path + ".in"), HostFile.exists(path + ".out") else {
            return both(loop, try HostStream.open(path))
        }
        let input = HostStream(owning: try HostStream.open(path + ".in"))
        do throws(Errno) {
            return StreamBackend(loop, input: input, output: HostStream(owning: try HostStream.open(path + ".out")))
        } catch {
            input.close()
            throw error
        }
    }

    /// A terminal device, which gives and takes bytes as they are.
    public static func terminal(_ loop: EventLoop, _ path: String) throws(Errno) -> StreamBackend {
        let fd = try HostStream.open(path)
        guard HostTerminal.passBytes(fd) else {
            HostFile.close(fd)
            throw .notty
        }
        return both(loop, fd)
    }

    /// A new pseudo-terminal, and its name. Its other end stays open here: that nobody has opened it is then like a reader who does not
    /// read, and no error that is found again and again.
    public static func pseudoTerminal(_ loop: EventLoop) throws(Errno) -> (StreamBackend, name: String) {
        let (master, terminal, name) = try HostTerminal.openPair()
        HostTerminal.passBytes(terminal)
        let file = HostStream(owning: master)
        return (StreamBackend(loop, input: file, output: file, companion: terminal), name)
    }

    private static func both(_ loop: EventLoop, _ fd: Int32) -> StreamBackend {
        let file = HostStream(owning: fd)
        return StreamBackend(loop, input: file, output: file)
    }

    // MARK: output

    public override func send(_ byte: UInt8) -> Bool {
        if output == nil { return true }
        return queue.append(byte, waking: drain)
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
        if hasVanished, input?.descriptor == output.descriptor { end() }
    }

    /// Time that a machine's end may wait for its readers.
    private static let longestFlush: UInt64 = 5_000_000_000

    /// Writes what waits, when the loop turns no more: until a reader takes nothing for the time of the queue's patience.
    public override func flush() {
        guard let output, !isClosed else { return }
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
        guard let reader else { return }
        reader.cancel()
        self.reader = nil
        deliver(.ended)
    }
}
