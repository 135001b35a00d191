// What `info block` and its kin show, in QEMU's words.

import BlockLayer
import Options

struct BlockInfo {
    let commands: BlockCommands

    var rows: [(name: String, help: String, text: ([Substring]) -> String)] {
        [
            ("block", "disks; -n: nodes by their names, -v: their images too, NAME: one of them", block),
            ("blockstats", "what disks have done", { _ in statistics }),
            ("block-jobs", "jobs, and how far they are", { _ in jobs }),
        ]
    }

    private func block(_ given: [Substring]) -> String {
        var words = CommandWords(given, usage: "info block [-n] [-v] [NAME]")
        let byNode = words.flag("n"), isVerbose = words.flag("v"), name = words.optional()
        var texts: [String] = []
        if byNode {
            for node in commands.graph.nodes where name == nil || node.name == name {
                texts.append(head(node.name, node) + lines(node) + (isVerbose ? images(node) : ""))
            }
        } else {
            for backend in commands.backends where name == nil || backend.name == name || backend.node.name == name {
                texts.append(text(backend) + (isVerbose && !backend.isEmpty ? images(backend.node) : ""))
            }
        }
        if let name, texts.isEmpty { return "Error: Cannot find device '\(name)'; 'info block' lists them\n" }
        return texts.joined(separator: "\n")
    }

    private func head(_ name: String, _ node: BlockNode) -> String {
        "\(name): \(node.fileName) (\(node.driver)\(node.isReadOnly ? ", read-only" : ""))\n"
    }

    private func text(_ backend: BlockBackend) -> String {
        let node = backend.node
        let name = backend.name == node.name ? backend.name : "\(backend.name) (\(node.name))"
        var text = backend.isEmpty ? "\(backend.name): [not inserted]\n" : head(name, node)
        if let device = backend.device { text += row("Attached to:", device) }
        if backend.isRemovable {
            let isLocked = backend.door?.isLocked() ?? false
            text += row(
                "Removable device:", "\(isLocked ? "" : "not ")locked, tray \(backend.isTrayOpen ? "open" : "closed")")
        }
        if !backend.isEmpty { text += lines(node) }
        if let group = backend.throttleGroup { text += throttling(group) }
        return text
    }

    private func row(_ title: String, _ text: String) -> String {
        "    \(title)\(String(repeating: " ", count: 18 - title.utf8.count))\(text)\n"
    }

    private func lines(_ node: BlockNode) -> String {
        var cache = node.cache.keepsWrites ? "writeback" : "writethrough"
        if node.cache.isDirect { cache += ", direct" }
        if node.cache.ignoresFlushes { cache += ", ignore flushes" }
        var text = row("Cache mode:", cache)
        let chain = chain(node)
        if chain.count > 1 { text += row("Backing file:", "\(chain[1].name) (chain depth: \(chain.count - 1))") }
        if node.zeroDetection != .off { text += row("Detect zeroes:", node.zeroDetection.rawValue) }
        return text
    }

    private func throttling(_ group: ThrottleGroup) -> String {
        let limits = group.limits
        func values(_ prefix: String, _ suffix: String, _ value: (ThrottleLimit) -> UInt64) -> [String] {
            [("-total", ""), ("-read", "_rd"), ("-write", "_wr")].map { bucket, short in
                "\(prefix)\(short)\(suffix)=\(value(limits[ThrottleLimits.Bucket(rawValue: prefix + bucket)!]))"
            }
        }
        let all = ["bps", "iops"].flatMap { values($0, "", \.average) + values($0, "_max", \.most) }
        return row(
            "I/O throttling:", all.joined(separator: " ") + " iops_size=\(limits.requestSize) group=\(group.name)")
    }

    /// An image and those below it.
    private func chain(_ node: BlockNode) -> [(name: String, image: any BlockImage)] {
        var all: [(name: String, image: any BlockImage)] = [(node.fileName, node)], image = storedImage(node)
        while let qcow2 = image as? QCOW2Image, let below = qcow2.backing {
            let name = (below as? BlockNode)?.fileName ?? qcow2.header.backingFile ?? "?"
            all.append((name, below))
            image = storedImage(below)
        }
        return all
    }

    private func images(_ node: BlockNode) -> String {
        var text = "\nImages:\n"
        for (name, image) in chain(node) {
            let stored = storedImage(image)
            text += "image: \(name)\nfile format: \(stored.format)\n"
            text += "virtual size: \(sizeText(image.size)) (\(image.size) bytes)\n"
            guard let qcow2 = stored as? QCOW2Image else { continue }
            text += "cluster_size: \(qcow2.header.clusterSize)\n"
            if let backing = qcow2.header.backingFile { text += "backing file: \(backing)\n" }
        }
        return text
    }

    private var statistics: String {
        commands.backends.map { backend in
            let counts = backend.statistics
            let pairs = [
                ("rd_bytes", counts.read.bytes), ("wr_bytes", counts.written.bytes),
                ("rd_operations", counts.read.operations), ("wr_operations", counts.written.operations),
                ("flush_operations", counts.flushed.operations), ("wr_total_time_ns", counts.written.nanoseconds),
                ("rd_total_time_ns", counts.read.nanoseconds), ("flush_total_time_ns", counts.flushed.nanoseconds),
            ]
            return "\(backend.name): " + pairs.map { "\($0)=\($1)" }.joined(separator: " ") + "\n"
        }.joined()
    }

    private var jobs: String {
        if commands.jobs.isEmpty { return "No active jobs\n" }
        return commands.jobs.map { job in
            let progress = job.progress
            let what =
                job.kind == .stream ? "Streaming device \(job.id)" : "Type \(job.kind.rawValue), device \(job.id)"
            let state = job.isPaused ? ", paused" : job.isReady ? ", ready" : ""
            return
                "\(what): Completed \(progress.done) of \(progress.all) bytes, speed limit \(job.speed) bytes/s\(state)\n"
        }.joined()
    }
}
