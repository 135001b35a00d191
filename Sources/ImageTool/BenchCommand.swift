// `bench`: how fast an image is read or written, by requests that are under way together.

import BlockLayer
import EngineSetup
import EventLoop
import HostOS
import Options

/// What `bench` is asked for.
struct BenchLine: Sendable {
    var count = 75000
    var depth = 64
    var offset: UInt64 = 0
    var size: UInt64 = 4096
    /// From one request to the next; 0: they lie behind each other.
    var step: UInt64 = 0
    var pattern: UInt8 = 0
    var writes = false
    var flushInterval = 0
    /// All that is under way ends before a flush begins, and what follows waits for it.
    var drains = true
    var cache = CacheMode()
    var isNative = false

    private typealias Option = CommandOption<ImageLine>

    private static func number(_ text: String, _ what: String, _ range: ClosedRange<UInt64>) throws(OptionError)
        -> UInt64
    {
        guard let number = parseSize(text, unit: 1) else { throw OptionError("Invalid \(what) specified: '\(text)'.") }
        if range.contains(number) { return number }
        throw OptionError("Invalid \(what) specified. Must be between \(range.lowerBound) and \(range.upperBound).")
    }

    private static let positive = 1...UInt64(Int32.max), any = 0...UInt64(Int32.max)

    static let options: [CommandOption<ImageLine>] = [
        Option("c", "count", argument: "COUNT", help: "how many requests; default: 75000") {
            (line, value) throws(OptionError) in
            line.bench.count = Int(try number(value, "request count", positive))
        },
        Option("d", "depth", argument: "DEPTH", help: "how many are under way together; default: 64") {
            (line, value) throws(OptionError) in line.bench.depth = Int(try number(value, "queue depth", positive))
        },
        Option("o", "offset", argument: "OFFSET", help: "where the first one is; default: 0") {
            (line, value) throws(OptionError) in
            line.bench.offset = try number(value, "offset", 0...UInt64(Int64.max))
        },
        Option("s", "buffer-size", argument: "SIZE", help: "bytes of each; default: 4096") {
            (line, value) throws(OptionError) in
            line.bench.size = try number(value, "buffer size", positive)
        },
        Option("S", "step-size", argument: "STEP", help: "bytes from one to the next; default: those of each") {
            (line, value) throws(OptionError) in line.bench.step = try number(value, "step size", any)
        },
        Option("w", "write", help: "write") { (line, _) throws(OptionError) in line.bench.writes = true },
        Option("pattern", argument: "BYTE", help: "what is written; default: 0") { (line, value) throws(OptionError) in
            line.bench.pattern = UInt8(try number(value, "pattern byte", 0...255))
        },
        Option("flush-interval", argument: "N", help: "flush after each N writes") {
            (line, value) throws(OptionError) in
            line.bench.flushInterval = Int(try number(value, "flush interval", any))
        },
        Option("no-drain", help: "do not wait for a flush, nor let it wait") { (line, _) throws(OptionError) in
            line.bench.drains = false
        },
        Option(
            "t", "cache", argument: "CACHE", help: "how it is opened: writeback, none, writethrough, directsync, unsafe"
        ) {
            (line, value) throws(OptionError) in
            guard let row = CacheMode.named.first(where: { $0.name == value }) else {
                throw OptionError("Invalid cache mode")
            }
            line.bench.cache = row.mode
        },
        Option("n", "native", help: "taken: threads do the requests") { (line, _) throws(OptionError) in
            line.bench.isNative = true
        },
        Option("i", "aio", argument: "AIO", help: "taken: threads, native, io_uring") {
            (line, value) throws(OptionError) in
            guard ["threads", "native", "io_uring"].contains(value) else {
                throw OptionError("Invalid aio option: \(value)")
            }
            line.bench.isNative = value == "native"
        },
    ]
}

func benchImage(_ line: ImageLine) throws(ImageFailure) -> Int32 {
    let bench = line.bench, name = try line.file()
    if bench.flushInterval > 0, !bench.writes {
        throw ImageFailure("--flush-interval is only available in write tests")
    }
    if bench.flushInterval > 0, bench.flushInterval < bench.depth {
        throw ImageFailure("Flush interval can't be smaller than depth")
    }
    var options = ImageOptions(format: line.format, isReadOnly: !bench.writes, cache: bench.cache)
    options.isLocked = !line.isUnlocked
    let image = try openNamed(name, options)
    guard bench.offset < image.size, bench.size <= image.size - bench.offset else {
        throw ImageFailure(
            "\(name) has \(image.size) bytes: no request of \(bench.size) bytes fits in at \(bench.offset)")
    }
    let run = try BenchRun(image, bench)
    writeStandardOutput(
        "Sending \(bench.count) \(bench.writes ? "write" : "read") requests, \(bench.size) bytes each, \(bench.depth) in parallel (starting at offset \(bench.offset), step size \(run.step))\n"
    )
    if bench.flushInterval > 0 { writeStandardOutput("Sending flush every \(bench.flushInterval) requests\n") }
    let start = HostClock.monotonic()
    try run.run()
    let seconds = Double(HostClock.monotonic() - start) / 1_000_000_000
    writeStandardOutput("Run completed in \(fixed(seconds, 3)) seconds.\n")
    do throws(BlockError) { try image.close() } catch { throw ImageFailure("\(error)") }
    return 0
}

/// Requests to a back end, as a machine's device makes them.
private final class BenchRun {
    private let bench: BenchLine
    private let image: any BlockImage
    private let backend: BlockBackend
    private let loop: EventLoop
    let step: UInt64
    private var next: UInt64
    private var begun = 0, underWay = 0, sinceFlush = 0
    private var isFlushing = false
    private var failure: BlockError?
    /// Buffers that no request has.
    private var free: [UnsafeMutableRawBufferPointer] = []

    init(_ image: any BlockImage, _ bench: BenchLine) throws(ImageFailure) {
        self.bench = bench
        self.image = image
        do throws(Errno) { loop = try EventLoop(clocks: Clocks()) } catch { throw ImageFailure("\(error.message)") }
        backend = BlockBackend(image, name: "bench")
        backend.onWriteError = .report
        backend.attach(loop, under: nil)
        step = bench.step == 0 ? bench.size : bench.step
        next = bench.offset
    }

    deinit { for buffer in free { buffer.deallocate() } }

    func run() throws(ImageFailure) {
        begin()
        while underWay > 0 {
            loop.turn()
            begin()
        }
        if let failure { throw ImageFailure("Failed request: \(failure)") }
    }

    private func begin() {
        while begun < bench.count, underWay < bench.depth, failure == nil, !isFlushing {
            if bench.flushInterval > 0, sinceFlush == bench.flushInterval {
                if bench.drains, underWay > 0 { return }
                flush()
                continue
            }
            request()
        }
    }

    private func request() {
        let buffer = free.popLast() ?? makeBuffer()
        let operation: BlockOperation =
            bench.writes ? .write(offset: next, [UnsafeRawBufferPointer(buffer)]) : .read(offset: next, [buffer])
        // A request that would end behind the image is at its beginning.
        next = next + step <= image.size - bench.size ? next + step : 0
        begun += 1
        sinceFlush += 1
        submit(operation) { [unowned self] in free.append(buffer) }
    }

    private func flush() {
        sinceFlush = 0
        isFlushing = bench.drains
        submit(.flush) { [unowned self] in isFlushing = false }
    }

    private func submit(_ operation: BlockOperation, _ ended: @escaping () -> Void) {
        underWay += 1
        backend.submit(operation) { [unowned self] error in
            underWay -= 1
            failure = failure ?? error
            ended()
        }
    }

    private func makeBuffer() -> UnsafeMutableRawBufferPointer {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(bench.size), alignment: 4096)
        buffer.initializeMemory(as: UInt8.self, repeating: bench.pattern)
        return buffer
    }
}
