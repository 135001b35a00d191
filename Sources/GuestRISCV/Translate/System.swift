// Environment calls, fences and hints (Unprivileged ISA, chapter 2, "Memory Ordering Instructions" and
// "Environment Call and Breakpoints"; chapters "Zifencei", "Zihintpause").

import GuestKit
import IR

extension RISCVTranslator {
    mutating func ecall() -> Bool {
        if let system {
            exit(.exception(Cause.environmentCall + UInt32(system.mode.privilege.rawValue)), at: unit.pc)
        } else {
            exit(.systemCall, at: next)
        }
        return true
    }
    mutating func ebreak() -> Bool {
        exit(.breakpoint, at: unit.pc)
        return true
    }

    /// Device input and output (i, o) order like memory reads and writes.
    mutating func fence(_ a: Args.FENCE) -> Bool {
        let (read, write) = (Int32(0b1010), Int32(0b0101))
        var order: FenceOrder = []
        if a.pred & read != 0 && a.succ & read != 0 { order.insert(.loadLoad) }
        if a.pred & read != 0 && a.succ & write != 0 { order.insert(.loadStore) }
        if a.pred & write != 0 && a.succ & read != 0 { order.insert(.storeLoad) }
        if a.pred & write != 0 && a.succ & write != 0 { order.insert(.storeStore) }
        if a.fm == 8 { order.remove(.storeLoad) }  // fence.tso
        if !order.isEmpty { ir.fence(order) }
        return true
    }
    mutating func fence_i() -> Bool {
        exit(.instructionFence, at: next)
        return true
    }
    mutating func pause() -> Bool {
        exit(.yield, at: next)
        return true
    }
}
