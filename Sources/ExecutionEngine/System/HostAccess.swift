// A guest access as one of the host's, to memory that is there.

import CodeGen
import IR

enum HostAccess {
    /// Makes an access at `host`, within a page. Atomic accesses are sequentially consistent and aligned; loads and stores are single-copy
    /// atomic where they are aligned.
    static func make(_ access: inout SlowAccess, _ host: UnsafeMutableRawPointer) {
        let m = access.memOp
        switch access.kind {
        case .load: access.result = m.extended(m.ordered(HostWord.load(host, m.log2Size)))
        case .store: HostWord.store(host, m.log2Size, m.ordered(access.value))
        case .readModifyWrite:
            var old = HostWord.load(host, m.log2Size)
            while true {
                let new = m.ordered(access.atomicOp.apply(m.ordered(old), access.value, m))
                let seen = HostWord.exchange(host, m.log2Size, old, new)
                if seen == old { break }
                old = seen
            }
            access.result = m.extended(m.ordered(old))
        case .compareAndSwap:
            let seen = HostWord.exchange(host, m.log2Size, m.ordered(access.expected), m.ordered(access.value))
            access.result = m.extended(m.ordered(seen))
        case .compareAndSwapPair:
            guard let pair = access.pair else { return }
            HostWord.exchangePair(host, pair)
        }
    }
}
