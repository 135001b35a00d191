// Makes back ends of what the options say.

import CLinux
import EventLoop
import HostOS

public final class CharBackends {
    private let loop: EventLoop
    private let end: () -> Void
    private let say: (String) -> Void
    private var usesStandard = false
    private var opened: [CharBackend] = []
    private var named: [String: (backend: CharBackend, mux: Mux?)] = [:]
    /// What `mon:` forms have made, one for each device.
    private var shared: [(device: CharDevice, mux: Mux)] = []

    /// `end`: what Ctrl-A x does. `say`: tells the user the name of a new terminal.
    public init(_ loop: EventLoop, say: @escaping (String) -> Void = { _ in }, end: @escaping () -> Void) {
        self.loop = loop
        self.say = say
        self.end = end
        // Writing to a pipe without a reader is an error like others, and no signal.
        ignoreVanishedReaders()
    }

    /// What can be said without opening anything: ids are there, and used once unless they are shared.
    public static func check(
        _ devices: [(id: String, device: CharDevice)], uses: [CharSpec]
    ) throws(CharSpecError) {
        var used: Set<String> = []
        for case .named(let id) in uses {
            guard let row = devices.first(where: { $0.id == id }) else {
                throw .wrong("there is no -chardev with id '\(id)'")
            }
            if !used.insert(id).inserted, !row.device.isShared {
                throw .wrong("chardev '\(id)' is used twice: mux=on shares it")
            }
        }
        let standard = devices.map(\.device) + shares(uses)
        if standard.count(where: { if case .stdio = $0.kind { true } else { false } }) > 1 {
            throw .wrong("standard input and output can be used once only ('mon:stdio' shares them)")
        }
    }

    /// The devices that short forms open: those of `mon:` once.
    private static func shares(_ uses: [CharSpec]) -> [CharDevice] {
        var list: [CharDevice] = []
        for case .device(let device) in uses where !device.isShared || !list.contains(device) { list.append(device) }
        return list
    }

    /// What `-chardev` says.
    public func add(_ id: String, _ device: CharDevice) throws(CharSpecError) {
        let backend = try open(device, label: id)
        named[id] = (backend, device.isShared ? mux(device, backend) : nil)
    }

    /// What `-chardev` has made.
    public func named(_ id: String) -> CharBackend? {
        named[id].map { ($0.backend as? LogBackend)?.backend ?? $0.backend }
    }

    /// Nil: nothing there at all. Each use of a shared one is one more port of its mux.
    public func make(_ spec: CharSpec, label: String) throws(CharSpecError) -> CharBackend? {
        switch spec {
        case .none: return nil
        case .named(let id):
            guard let row = named[id] else { throw .wrong("there is no -chardev with id '\(id)'") }
            return row.mux?.port() ?? row.backend
        case .device(let device):
            guard device.isShared else { return try open(device, label: label) }
            if let row = shared.first(where: { $0.device == device }) { return row.mux.port() }
            let mux = mux(device, try open(device, label: label))
            shared.append((device, mux))
            return mux.port()
        }
    }

    /// A person types, but where standard input is no terminal.
    private func mux(_ device: CharDevice, _ backend: CharBackend) -> Mux {
        var isInteractive = true
        if case .stdio = device.kind { isInteractive = HostTerminal.isTerminal(0) }
        return Mux(loop, backend, isInteractive: isInteractive, end: end)
    }

    private func open(_ device: CharDevice, label: String) throws(CharSpecError) -> CharBackend {
        let backend = try open(device.kind, label)
        opened.append(backend)
        guard let path = device.logFile else { return backend }
        let log = try opening(path) { () throws(Errno) in
            try StreamBackend.file(loop, path, appends: device.logAppends)
        }
        opened.append(log)
        return LogBackend(backend, log: log)
    }

    private func open(_ kind: CharDevice.Kind, _ label: String) throws(CharSpecError) -> CharBackend {
        switch kind {
        case .null: return CharBackend()
        case .stdio(let keepsSignals):
            if usesStandard {
                throw .wrong("standard input and output can be used once only ('mon:stdio' shares them)")
            }
            usesStandard = true
            return StreamBackend.standard(loop, keepsSignals: keepsSignals)
        case .pty:
            let (backend, name) = try opening("/dev/ptmx") { () throws(Errno) in
                try StreamBackend.pseudoTerminal(loop)
            }
            say("char device redirected to \(name) (label \(label))")
            return backend
        case .file(let path, let appends):
            return try opening(path) { () throws(Errno) in try StreamBackend.file(loop, path, appends: appends) }
        case .pipe(let path):
            return try opening(path) { () throws(Errno) in try StreamBackend.pipe(loop, path) }
        case .serial(let path):
            return try opening(path) { () throws(Errno) in try StreamBackend.terminal(loop, path) }
        case .socket(let options):
            return try SocketBackend(loop, options)
        case .ring(let size): return RingBackend(size: size)
        case .udp(let remote, let local): return try DatagramBackend(loop, remote: remote, local: local)
        }
    }

    private func opening<R>(_ path: String, _ body: () throws(Errno) -> R) throws(CharSpecError) -> R {
        do throws(Errno) { return try body() } catch { throw .cannotOpen(path, reason: error.message) }
    }

    /// Where the machine is to wait for connections before it starts.
    public var awaited: [String] { opened.compactMap(\.awaited) }

    /// Writes what machines have said last, when the loop turns no more. It takes some seconds at most, whatever readers do.
    public func flush() { for backend in opened { backend.flush() } }
}

/// Has writing to what nobody reads be an error like others, and no signal.
func ignoreVanishedReaders() { HostSignals.set(SIGPIPE, .ignore) }
