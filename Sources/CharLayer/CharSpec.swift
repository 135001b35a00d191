// What `-serial` and `-monitor` take.

import CLinux
import EventLoop
import HostOS

public enum CharSpecError: Error, Equatable, CustomStringConvertible {
    case unknown(String)
    case noPath
    case cannotOpen(path: String, reason: String)
    case standardTwice

    public var description: String {
        switch self {
        case .unknown(let text): "'\(text)' is no character device: \(CharSpec.forms) are"
        case .noPath: "'file:' wants a path behind it"
        case .cannotOpen(let path, let reason): "cannot open '\(path)': \(reason)"
        case .standardTwice: "standard input and output can be used once only ('mon:stdio' shares them)"
        }
    }
}

public enum CharSpec: Equatable, Sendable {
    /// Nothing there at all.
    case none
    /// All output is lost.
    case null
    case stdio
    /// Standard input and output, shared with the monitor.
    case sharedStdio
    case file(String)

    static let forms = "none, null, stdio, mon:stdio and file:PATH"

    public init(parsing text: String) throws(CharSpecError) {
        switch text {
        case "none": self = .none
        case "null": self = .null
        case "stdio": self = .stdio
        case "mon:stdio": self = .sharedStdio
        case "file:": throw .noPath
        case _ where text.hasPrefix("file:"): self = .file(String(text.dropFirst(5)))
        default: throw .unknown(text)
        }
    }
}

/// Makes back ends of what the options say.
public final class CharBackends {
    private let loop: EventLoop
    private let end: () -> Void
    private var usesStandard = false
    private var streams: [StreamBackend] = []
    /// The mux on standard input and output, where there is one.
    public private(set) var mux: Mux?

    /// `end`: what Ctrl-A x does.
    public init(_ loop: EventLoop, end: @escaping () -> Void) {
        self.loop = loop
        self.end = end
    }

    /// Nil: nothing there at all. Each `mon:stdio` is one more port of the same mux.
    public func make(_ spec: CharSpec) throws(CharSpecError) -> CharBackend? {
        switch spec {
        case .none: return nil
        case .null: return CharBackend()
        case .file(let path):
            do { return kept(try StreamBackend.file(loop, path)) } catch {
                throw .cannotOpen(path: path, reason: error.message)
            }
        case .stdio:
            if usesStandard { throw .standardTwice }
            usesStandard = true
            return kept(StreamBackend.standard(loop, keepsSignals: true))
        case .sharedStdio:
            if let mux { return mux.port() }
            if usesStandard { throw .standardTwice }
            usesStandard = true
            let standard = kept(StreamBackend.standard(loop, keepsSignals: false))
            let mux = Mux(loop, standard, isInteractive: HostTerminal.isTerminal(0), end: end)
            self.mux = mux
            return mux.port()
        }
    }

    private func kept(_ stream: StreamBackend) -> StreamBackend {
        streams.append(stream)
        return stream
    }

    /// Writes what machines have said last, when the loop turns no more. It takes some seconds at most, whatever readers do.
    public func flush() { for stream in streams { stream.flush() } }
}

/// Writing to a pipe without a reader is an error like others, and no signal.
func ignoreVanishedReaders() { HostSignals.set(SIGPIPE, .ignore) }
