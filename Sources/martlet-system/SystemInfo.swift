// What the monitor shows of harts and of the engine.

import EventLoop
import ExecutionEngine
import GuestKit
import GuestMemory
import Harts

struct SystemInfo {
    let engine: Engine
    let harts: HartSet
    let control: RunControl

    /// Texts for `info NAME`.
    var rows: [(name: String, help: String, text: () -> String)] {
        [
            ("registers", "registers of all harts", { whileStopped { registers } }),
            ("cpus", "harts, and where they are", { whileStopped { cpus } }),
            ("tlb", "look-up tables of guest addresses, and what they earn", { whileStopped { tables } }),
            ("jit", "translations", { jit }),
        ]
    }

    /// Harts belong to their threads: they are stopped while they are looked at.
    func whileStopped<R>(_ body: () -> R) -> R {
        guard control.state == .running else { return body() }
        harts.stop()
        defer { harts.resume() }
        return body()
    }

    private var registers: String {
        harts.harts.map { "hart \($0.number)\n" + $0.vcpu.dump(withFloat: true) }.joined()
    }

    private var cpus: String {
        harts.harts.map { "hart \($0.number): pc=0x\(String($0.vcpu.programCounter, radix: 16))\n" }.joined()
    }

    func register(_ name: String) -> UInt64? {
        guard let vcpu = harts.harts.first?.vcpu else { return nil }
        if name == "pc" { return vcpu.programCounter }
        return engine.guest.registers.first { $0.name == name }?.read(vcpu.state, vcpu)
    }

    /// Memory as the first hart sees it.
    func read(_ address: UInt64, count: Int, _ map: PhysicalMap) -> [UInt8]? {
        guard let mmu = harts.harts.first?.vcpu.mmu else { return nil }
        var bytes: [UInt8] = []
        for i in 0..<count {
            guard let physical = mmu.physical(address &+ UInt64(i)), let place = map.memory(physical, count: 1) else {
                return nil
            }
            bytes.append(place.host.load(as: UInt8.self))
        }
        return bytes
    }

    private var tables: String {
        var text = ""
        for hart in harts.harts {
            guard let c = hart.vcpu.mmu?.counters else { continue }
            text += """
                hart \(hart.number): \(c.slow) accesses beside the tables, \(c.device) of them to devices, \(c.crossings) over a page's \
                end, \(c.codeWrites) to code; \(c.walks) walks, \(c.fills) entries filled; \(c.flushes) flushes, \(c.addressFlushes) of \
                them of one address; \(c.viewSwitches) changes of a view

                """
        }
        return text
    }

    private var jit: String {
        let c = engine.counters, jumps = engine.jumpCounters
        let stored = engine.storeCounters.map {
            "\($0.rows) translations of earlier runs found, \($0.installed) installed, \($0.stale) stale\n"
        }
        let lookUps = engine.lookUpCounts.map {
            "\($0.accesses) accesses to memory made, \($0.shared) of them in the page of the access before, as a rule\n"
        }
        return """
            \(c.translations) translations of \(c.guestInstructions) instructions, \(c.hostBytes) bytes of host code for \(c.guestBytes)
            \(c.optimized) optimized regions of \(c.optimizedInstructions) instructions, \(c.overPages) of them over several pages, \(c.dropped) dropped
            \(c.links) links, \(c.refusedLinks) left to look-up, \(c.invalidated) invalidated, \(c.revived) of them revived, \(c.flushes) flushes
            \(jumps.lookupMisses) misses of the jump cache, \(jumps.returnMisses) of the return stack, \(jumps.unlinked) jumps not linked

            """ + (lookUps ?? "") + (stored ?? "")
    }
}
