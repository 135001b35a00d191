// The execution counters in front of a vCPU's state (`ExecutionCounters`): set when a translation that counts is made.

import CodeGen

extension VCPU {
    /// Sets the counter of a translation that will be there when nothing has used it yet: memory is committed for those in use only.
    /// Holds the translation lock.
    func prepareCounter(_ number: Int, isOptimized: Bool) {
        if isOptimized {
            if !countsEntries { fillCounters(from: ExecutionCounters.count, engine.options.expansionThreshold) }
            countsEntries = true
        } else {
            let counter = state + ExecutionCounters.offset(ofNumber: number)
            if counter.load(as: UInt32.self) == 0 { counter.storeBytes(of: firstCount, as: UInt32.self) }
        }
    }

    /// Sets the counters of all translations there may be: for a vCPU that starts with many.
    func prepareAllCounters() {
        fillCounters(from: 0, firstCount)
        fillCounters(from: ExecutionCounters.count, engine.options.expansionThreshold)
        countsEntries = true
    }

    private var firstCount: UInt32 { max(engine.options.hotThreshold, 1) }

    private func fillCounters(from number: Int, _ value: UInt32) {
        (state + ExecutionCounters.offset(ofNumber: number)).initializeMemory(
            as: UInt32.self, repeating: value, count: ExecutionCounters.count)
    }
}
