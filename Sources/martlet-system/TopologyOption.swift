// The value of `-smp`. How harts are arranged makes no difference here; that it fits together is checked.

import EngineSetup
import Machines
import Options

struct TopologyOption: Sendable {
    private(set) var harts = 1
    /// Those that might be added while the machine runs, included. No board lets them be added.
    private var mostHarts = 1

    /// What RISC-V boards have one of.
    private static let single = ["drawers", "books", "dies", "clusters", "modules"]

    init() {}

    init(parsing text: String) throws(OptionError) {
        let wanted = "N[,sockets=N,cores=N,threads=N,maxcpus=N]"
        var counts: [String: Int] = [:]
        for (key, value) in try keyedValues(text, implied: "cpus", wanted: wanted) {
            guard ["cpus", "maxcpus", "sockets", "cores", "threads"].contains(key) || Self.single.contains(key) else {
                throw OptionError("'\(key)' is not known; wanted \(wanted)")
            }
            guard let count = Int(value), count > 0 else {
                throw OptionError("\(key == "cpus" ? "wanted a number of harts" : "\(key) wants a number"), 1 or more")
            }
            if count > 1, Self.single.contains(key) {
                throw OptionError("\(key)=\(count): these machines have none; wanted \(key)=1")
            }
            counts[key] = count
        }
        let levels = ["sockets", "cores", "threads"]
        let total = counts["maxcpus"] ?? counts["cpus"]
        if let total {
            // The first that is not given, of cores, sockets and threads, takes what the others leave.
            let open = ["cores", "sockets", "threads"].first { counts[$0] == nil }
            let given = Self.product(levels.map { counts[$0] ?? 1 })
            if let open { counts[open] = given.map { total / $0 } ?? 0 }
        }
        let arranged = levels.map { counts[$0] ?? 1 }
        mostHarts = total ?? Self.product(arranged) ?? .max
        harts = counts["cpus"] ?? mostHarts
        guard Self.product(arranged) == mostHarts else {
            let product = zip(levels, arranged).map { "\($0)=\($1)" }.joined(separator: ", ")
            throw OptionError(
                "\(mostHarts) harts cannot be arranged as \(product): wanted sockets * cores * threads = \(counts["maxcpus"] == nil ? "N" : "maxcpus")"
            )
        }
        guard harts <= mostHarts else {
            throw OptionError("\(harts) harts are more than maxcpus=\(mostHarts); wanted at most so many")
        }
    }

    private static func product(_ counts: [Int]) -> Int? {
        var product = 1
        for count in counts {
            let (next, overflow) = product.multipliedReportingOverflow(by: count)
            if overflow { return nil }
            product = next
        }
        return product
    }

    func check(_ machine: MachineDescription) throws(MachineError) {
        if mostHarts > machine.hartLimit {
            throw MachineError(
                "-smp maxcpus=\(mostHarts): machine \(machine.name) has at most \(machine.hartLimit) harts")
        }
    }
}
