// Moves that must seem to happen all at once: orders them so that no source is overwritten before it is read; a cycle goes
// through a scratch register.

import IR

struct ParallelMoves {
    struct Move {
        var from: UInt8
        var to: UInt8
        var temp: UInt32
    }
    struct Load {
        var temp: UInt32
        var to: UInt8
    }
    // The allocator's memory, one entry per register.
    let moves: UnsafeMutablePointer<Move>
    var count = 0
    let loads: UnsafeMutablePointer<Load>
    var loadCount = 0

    init(_ moves: UnsafeMutablePointer<Move>, _ loads: UnsafeMutablePointer<Load>) {
        self.moves = moves
        self.loads = loads
    }

    mutating func add(from: UInt8, to: UInt8, temp: UInt32) {
        if from == to { return }
        moves[count] = Move(from: from, to: to, temp: temp)
        count += 1
    }

    mutating func addLoad(_ t: Temp, to: UInt8) {
        loads[loadCount] = Load(temp: t.index, to: to)
        loadCount += 1
    }

    /// Calls `emit(from, to, temp)` in a safe order.
    mutating func resolve(scratchGeneral: UInt8, scratchFloat: UInt8, _ emit: (UInt8, UInt8, UInt32) -> Void) {
        var left = count
        while left > 0 {
            var progressed = false
            var k = 0
            while k < left {
                let m = moves[k]
                var blocked = false
                for j in 0..<left where j != k && moves[j].from == m.to { blocked = true }
                if blocked {
                    k += 1
                    continue
                }
                emit(m.from, m.to, m.temp)
                left -= 1
                moves[k] = moves[left]
                progressed = true
            }
            if !progressed {
                // Every target is somebody's source: break one cycle.
                let m = moves[0]
                let scratch = m.from >= floatRegisterBase ? scratchFloat : scratchGeneral
                emit(m.from, scratch, m.temp)
                for j in 0..<left where moves[j].from == m.from { moves[j].from = scratch }
            }
        }
        count = 0
    }
}
