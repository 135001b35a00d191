// How many accesses of the code made so far are looked up, by a vCPU's thread or the compiler's.

import CodeGen
import Synchronization

final class LookUpTally: Sendable {
    private let accesses = Atomic<Int>(0), shared = Atomic<Int>(0)

    func add(_ counts: LookUpCounts) {
        accesses.add(counts.accesses, ordering: .relaxed)
        shared.add(counts.shared, ordering: .relaxed)
    }

    var counts: LookUpCounts {
        LookUpCounts(accesses: accesses.load(ordering: .relaxed), shared: shared.load(ordering: .relaxed))
    }
}
