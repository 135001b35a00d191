// Networks of machines by options and by the monitor.

import Glibc
import TestSupport
import Testing

@Suite struct NetworkCommandTests {
    private static let stopped = "-bios none -S -serial null -monitor stdio"

    /// The answers to commands, in order, without what is typed.
    private func answers(to commands: [String], _ options: String) throws -> [String] {
        let typed = (commands + ["quit"]).map { "\($0)\\n" }.joined()
        let run = try SystemBinary.run(typing: typed, "\(Self.stopped) \(options)")
        #expect(run.exit == 0, "\(run.errorText)")
        let prompt = "(martlet) "
        var answers: [String] = [], rest = run.text[...]
        while let start = rest.firstRange(of: prompt) {
            rest = rest[start.upperBound...]
            let text = rest.firstRange(of: prompt).map { rest[..<$0.lowerBound] } ?? rest
            answers.append(text.split(separator: "\r\n").dropFirst().joined(separator: "\n"))
        }
        return answers
    }

    @Test func linksAndPortsAreChangedByTheMonitor() throws {
        let port = 20000 + Int(getpid()) % 20000, forward = "tcp:127.0.0.1:\(port)"
        let seen = try answers(
            to: [
                "info network", "set_link card off", "info network", "set_link n on", "info network",
                "set_link x on", "set_link n maybe", "hostfwd_add \(forward)-:22", "info usernet",
                "hostfwd_remove n \(forward)", "hostfwd_remove \(forward)", "hostfwd_add s \(forward)-:22",
                "hostfwd_add 22",
            ],
            "-netdev user,id=n -device virtio-net,netdev=n,id=card,mac=52:54:00:00:00:01 "
                + "-netdev socket,id=s,listen=127.0.0.1:0")
        let card = "card: index=0,type=nic,model=virtio-net-device,macaddr=52:54:00:00:00:01\n"
        let user = " \\ n: index=0,type=user,net=10.0.2.0,restrict=off"
        let socket = "\ns: index=0,type=stream,server=on,tcp:127.0.0.1:0"
        try #require(seen.count >= 13)
        #expect(seen[0] == card + user + socket)
        #expect(seen[1] == "" && seen[2] == card + user + ",link=off" + socket)
        #expect(seen[3] == "" && seen[4] == seen[0])
        #expect(seen[5].contains("'x'") && seen[6].contains("'maybe': wanted on or off"))
        #expect(seen[7] == "" && seen[8].hasPrefix("Network n:") && seen[8].contains("\(port)"))
        #expect(seen[9] == "" && seen[10].contains("port \(port) of the host's is not forwarded"))
        #expect(seen[11].contains("'s' is no user network") && seen[12].contains("'22': wanted tcp:"))
    }

    @Test func backEndsComeAndGoByTheMonitor() throws {
        let seen = try answers(
            to: [
                "netdev_add hubport,id=h,hubid=3", "info network", "netdev_add user,id=h", "netdev_del h",
                "netdev_del h",
                "netdev_del n", "info network", "netdev_add nonsense", "netdev_add",
            ], "-nic user,id=n")
        try #require(seen.count >= 9)
        #expect(seen[0] == "" && seen[1].hasSuffix("\nh: index=0,type=hubport,hubid=3"))
        #expect(seen[2].contains("there are two") && seen[3] == "" && seen[4].contains("'h'"))
        #expect(seen[5] == "" && seen[6] == "" && seen[7].contains("nonsense") || seen[7].contains("no type"))
        #expect(seen[8] == "wanted netdev_add TYPE,id=ID[,PROP=VALUE...]")
    }

    @Test func theOlderFormConnectsAtAHub() throws {
        let seen = try answers(to: ["info network"], "-net user,name=u -net nic,macaddr=52:54:00:00:00:02 -net none")
        let wanted = [
            "u: index=0,type=user,net=10.0.2.0,restrict=off", "#hub0-0: index=0,type=hubport,hubid=0,netdev=u",
            "macaddr=52:54:00:00:00:02", " \\ #hub0-2: index=0,type=hubport,hubid=0",
        ]
        for line in wanted { #expect(seen.first?.contains(line) == true, "\(line) in \(seen)") }
        let alone = try answers(to: ["info network"], "-netdev user,id=n -net nic,netdev=n")
        #expect(alone.first?.split(separator: "\n").count == 2, "a card and its back end: \(alone)")
    }

    /// Whether a process may have network interfaces of its own.
    private static let mayOpenTap: Bool = {
        let run = try? runProcess("/bin/sh", ["-c", "unshare -Urn sh -c 'exec 3<>/dev/net/tun'"], seconds: 10)
        return run?.exit == 0
    }()

    @Test(.enabled(if: mayOpenTap, "a network namespace with /dev/net/tun cannot be had here"))
    func anInterfaceIsThereAsLongAsItsMachine() throws {
        let machine = "\(try SystemBinary.system()) riscv64 \(Self.stopped)"
        let look = "grep -c martlet7 /proc/net/dev >&2"
        let run = try runProcess(
            "/bin/sh",
            [
                "-c",
                "unshare -Urn sh -c '(sleep 1; \(look); echo info network; echo quit) | "
                    + "\(machine) -netdev tap,id=n,ifname=martlet7,script=no,downscript=no -device virtio-net,netdev=n; \(look)'",
            ], seconds: 20)
        #expect(run.errorText == "1\n0\n")
        #expect(run.text.contains(" \\ n: index=0,type=tap,ifname=martlet7"))
    }
}
