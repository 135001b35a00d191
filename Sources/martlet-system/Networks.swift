// What cables lead to, by the identifiers that cards and filters name them by.

import CharLayer
import EngineSetup
import NetLayer
import Options
import SystemKit

final class Networks: NetworkControl {
    let options: [NetworkOption]
    private let board: Board
    private let characters: CharBackends
    private(set) var backends: [NetBackend] = []
    private var hubs: [NetHub] = []

    init(_ options: [NetworkOption], _ board: Board, _ characters: CharBackends) throws(CommandError) {
        self.options = options
        self.board = board
        self.characters = characters
        // Ports of hubs lead to others.
        for option in options where !option.isHubPort { try add(option) }
        for option in options where option.isHubPort { try add(option) }
    }

    private func add(_ option: NetworkOption) throws(CommandError) {
        do throws(NetError) { try start(option) } catch { throw CommandError("-netdev id=\(option.id): \(error)") }
    }

    private func start(_ option: NetworkOption) throws(NetError) {
        guard let kind = option.kind else { return }
        let backend = try make(option.id, kind)
        try backend.start(board.loop, under: board.domain.lock)
        backends.append(backend)
    }

    private func make(_ id: String, _ kind: NetworkOption.Kind) throws(NetError) -> NetBackend {
        switch kind {
        case .user(let spec):
            return try UserNetwork(name: id, spec) { [characters] (device, label) throws(CharSpecError) in
                try characters.make(device, label: label)
            }
        case .stream(let place): return StreamNetwork(name: id, place)
        case .packets(let place): return PacketNetwork(name: id, place)
        case .hubPort(let number, let name):
            let peer = name.flatMap(named)
            if let name, peer == nil { throw NetError("netdev=\(name): there is no -netdev with id=\(name)") }
            if let name, peer?.card != nil { throw NetError("netdev=\(name): something else is connected to it") }
            return HubPort(name: id, hub(number), to: peer)
        }
    }

    private func hub(_ number: Int) -> NetHub {
        if let hub = hubs.first(where: { $0.number == number }) { return hub }
        let hub = NetHub(number)
        hubs.append(hub)
        return hub
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

    // MARK: For the monitor

    private func known(_ name: String) throws(NetError) -> NetBackend {
        guard let backend = named(name) else { throw NetError("there is no network '\(name)'") }
        return backend
    }

    func setLink(_ name: String, _ isUp: Bool) throws(NetError) {
        let ofCard = backends.first { $0.card?.name == name }
        let backend = if let ofCard { ofCard } else { try known(name) }
        board.domain.lock.withLock { backend.setLink(isUp) }
    }

    func add(netdev text: String) throws(NetError) {
        let option: NetworkOption
        do throws(OptionError) { option = try NetworkOption(netdev: text) } catch { throw NetError(error.message) }
        if named(option.id) != nil { throw NetError("there are two of them") }
        try start(option)
    }

    func remove(netdev name: String) throws(NetError) {
        let backend = try known(name)
        board.domain.lock.withLock {
            backend.setLink(false)
            backend.stop()
        }
        backends.removeAll { $0 === backend }
    }

    func withUserNetwork<R>(_ name: String?, _ body: (UserNetwork) throws(NetError) -> R) throws(NetError) -> R {
        let backend = if let name { try known(name) } else { backends.first { $0 is UserNetwork } }
        guard let user = backend as? UserNetwork else {
            throw NetError(name.map { "'\($0)' is no user network" } ?? "there is no user network")
        }
        board.domain.lock.lock()
        defer { board.domain.lock.unlock() }
        return try body(user)
    }
}
