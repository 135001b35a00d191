// What `-object` has made, by its identifiers.

import EngineSetup
import HostOS
import NetLayer
import SystemKit

final class Objects {
    private var entropy: [String: any EntropySource] = [:]
    /// In the order of the options.
    private(set) var threads: [IOThread] = []

    /// `startTime`: what the machine's clock is to begin with in the files of filters, in nanoseconds since 1970.
    init(_ options: [ObjectOption], _ board: Board, _ networks: Networks, startTime: UInt64) throws(CommandError) {
        for option in options {
            switch option.object {
            case .dump(let spec):
                guard let network = networks.named(spec.network) else {
                    throw CommandError(
                        "-object filter-dump,netdev=\(spec.network): there is no -netdev with id=\(spec.network)")
                }
                do throws(NetError) {
                    network.add(
                        try PacketDump(
                            spec.file, longest: spec.longest, directions: spec.directions, clocks: board.loop.clocks,
                            startTime: startTime))
                } catch { throw CommandError("-object filter-dump,\(error)") }
            case .throttle: break
            case .thread:
                do throws(Errno) {
                    threads.append(
                        try IOThread(option.id, clocks: board.loop.clocks, diagnostics: board.domain.diagnostics))
                } catch { throw CommandError("-object iothread,id=\(option.id): \(error.message)") }
            case .entropy(nil): entropy[option.id] = HostEntropy()
            case .entropy(let path?):
                do throws(Errno) { entropy[option.id] = try EntropyFile(path, board.domain) } catch {
                    throw CommandError("-object rng-random,filename=\(path): \(error.message)")
                }
            }
        }
    }

    /// For one device, and no other. Nil: the device has none of its own.
    func takeEntropy(_ name: String) throws(CommandError) -> (any EntropySource)? {
        if name.isEmpty { return nil }
        guard let source = entropy.removeValue(forKey: name) else {
            throw CommandError("rng=\(name): there is no -object rng-... with id=\(name) that no other device has")
        }
        return source
    }

    /// Any number of devices share one. Nil: the main loop serves the device.
    func thread(_ name: String) throws(CommandError) -> IOThread? {
        if name.isEmpty { return nil }
        guard let thread = threads.first(where: { $0.name == name }) else {
            throw CommandError("iothread=\(name): there is no -object iothread with id=\(name)")
        }
        return thread
    }

    /// For `info iothreads`.
    var threadText: String { threads.map { "\($0.name):\n  thread_id=\($0.threadID)\n" }.joined() }

    /// Returns when no thread does anything any more.
    func end() { for thread in threads { thread.end() } }
}
