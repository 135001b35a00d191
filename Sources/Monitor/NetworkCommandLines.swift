// The monitor's commands for networks: lines become calls of `NetworkControl`, and what it throws becomes text.

import NetLayer

extension Monitor {
    static var networkCommands: [Command] {
        func row(
            _ name: String, _ arguments: String, _ help: String, words count: ClosedRange<Int>,
            _ run: @escaping (any NetworkControl, [String]) throws(NetError) -> Void
        ) -> Command {
            Command(names: [name], arguments: arguments, help: help) { monitor, words in
                guard let network = monitor.sources.network else { return "there are no networks\n" }
                guard count.contains(words.count) else { return "wanted \(name) \(arguments)\n" }
                do throws(NetError) { try run(network, words.map(String.init)) } catch { return "\(name): \(error)\n" }
                return ""
            }
        }
        return [
            row("set_link", "NAME on|off", "connect or disconnect a cable", words: 2...2) {
                (network, words) throws(NetError) in
                guard ["on", "off"].contains(words[1]) else { throw NetError("'\(words[1])': wanted on or off") }
                try network.setLink(words[0], words[1] == "on")
            },
            row("netdev_add", "TYPE,id=ID[,PROP=VALUE...]", "make what -netdev makes", words: 1...1) {
                (network, words) throws(NetError) in try network.add(netdev: words[0])
            },
            row("netdev_del", "ID", "end what -netdev has made", words: 1...1) { (network, words) throws(NetError) in
                try network.remove(netdev: words[0])
            },
            row("hostfwd_add", "[ID] tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT", "forward a port of the host", words: 1...2)
            {
                (network, words) throws(NetError) in
                guard let forward = PortForward(words[words.count - 1]) else {
                    throw NetError("'\(words[words.count - 1])': wanted tcp:[ADDRESS]:PORT-[ADDRESS]:PORT")
                }
                try network.withUserNetwork(words.count == 2 ? words[0] : nil) { (user) throws(NetError) in
                    try user.add(forward)
                }
            },
            row("hostfwd_remove", "[ID] tcp|udp:[ADDRESS]:PORT", "forward a port no more", words: 1...2) {
                (network, words) throws(NetError) in
                guard let port = ForwardedPort(words[words.count - 1]) else {
                    throw NetError("'\(words[words.count - 1])': wanted tcp:[ADDRESS]:PORT")
                }
                try network.withUserNetwork(words.count == 2 ? words[0] : nil) { (user) throws(NetError) in
                    try user.remove(port)
                }
            },
        ]
    }

    /// `info network` and `info usernet`.
    static func networkInfo(_ network: any NetworkControl) -> [(name: String, help: String, text: () -> String)] {
        [
            (
                "network", "network cards, and what their cables lead to",
                {
                    network.backends.map { backend in
                        let line = "\(backend.name): index=0,\(backend.summary)\(backend.isLinkUp ? "" : ",link=off")\n"
                        guard let card = backend.card else { return line }
                        return "\(card.name): index=0,\(card.summary)\n \\ " + line
                    }.joined()
                }
            ),
            (
                "usernet", "connections of user networks",
                {
                    network.backends.filter { $0 is UserNetwork }.map { backend in
                        let text = try? network.withUserNetwork(backend.name) { (user) throws(NetError) in
                            user.connections
                        }
                        return "Network \(backend.name):\n\(text ?? "")"
                    }.joined()
                }
            ),
        ]
    }
}
