// What cables lead to, by the identifiers that cards and filters name them by.

import EngineSetup
import NetLayer
import SystemKit

final class Networks {
    let options: [NetworkOption]
    private var backends: [NetBackend] = []

    init(_ options: [NetworkOption], _ board: Board) throws(CommandError) {
        self.options = options
        for option in options {
            if backends.contains(where: { $0.name == option.id }) {
                throw CommandError("-netdev id=\(option.id): there are two of them")
            }
            do throws(NetError) {
                let network = try UserNetwork(name: option.id, option.user)
                try network.start(board.loop, under: board.domain.lock)
                backends.append(network)
            } catch { throw CommandError("-netdev \(error)") }
        }
    }

    func named(_ name: String) -> NetBackend? { backends.first { $0.name == name } }

    /// The end of the cable for one card, and no other. Nil: the card has no cable.
    func take(_ name: String) throws(CommandError) -> NetBackend? {
        if name.isEmpty { return nil }
        guard let backend = named(name) else {
            throw CommandError("netdev=\(name): there is no -netdev with id=\(name)")
        }
        if backend.card != nil { throw CommandError("netdev=\(name): another card has it") }
        return backend
    }
}
