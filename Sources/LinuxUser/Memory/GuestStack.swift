// The main thread's stack: where it is, how large, and how it grows.
//
// All that RLIMIT_STACK allows is mapped from the start, and more when the limit is raised: a system call may be given a place in the
// stack that the program has not touched yet. Mappings that name no address leave room below it.

import HostOS
import LinuxMemory

enum GuestStack {
    /// Nothing is mapped so near below the stack (stack_guard_gap: 256 pages).
    private static let guardGap: UInt64 = 1 << 20
    /// Left free for the stack to grow, as the kernel leaves it, where the address space is large.
    private static let leastGap: UInt64 = 128 << 20
    /// An unlimited stack has so many bytes.
    private static let largest: UInt64 = 1 << 30

    /// Bytes for a limit, to whole pages.
    private static func size(_ limit: UInt64, _ memory: UserAddressSpace) -> UInt64 {
        memory.pageCeiling(max(min(limit, largest, memory.limit / 8), 1 << 16))
    }

    /// Maps the stack at the top of the address space. `fixed`: its size; nil: as RLIMIT_STACK says. Returns the address after its last
    /// byte, and its size.
    static func make(
        _ memory: UserAddressSpace, fixed: UInt64?, isExecutable: Bool
    ) throws(UserModeError) -> (top: UInt64, size: UInt64) {
        let top = memory.limit - memory.pageSize
        var size = size(memory.limits.values.stack.soft, memory)
        if let fixed {
            guard fixed <= memory.limit / 2 else {
                throw UserModeError("-s: the stack is larger than half the address space", status: 1)
            }
            size = memory.pageCeiling(max(fixed, 1 << 16))
        }
        let rights: PageRights = isExecutable ? [.read, .write, .execute] : [.read, .write]
        while true {
            do throws(Errno) {
                try map(memory, top - size, size, rights)
                break
            } catch {
                // A large one that nobody has asked for by name may be more than the host has.
                guard fixed == nil, size > 1 << 20 else {
                    throw UserModeError(
                        "cannot map a stack of \(size) bytes: \(error.message)", status: 1, errno: .nomem)
                }
                size = memory.pageCeiling(size / 2)
            }
        }
        memory.placementTop = top - max(size, min(leastGap, memory.limit / 8)) - guardGap
        return (top, size)
    }

    /// RLIMIT_STACK has been raised: the stack may have so many bytes now, as far as nothing is in the way.
    static func grow(_ memory: UserAddressSpace, to limit: UInt64) {
        let mappings = memory.mappings
        guard let last = mappings.lastIndex(where: { $0.kind == .stack }) else { return }
        var first = last
        while first > 0, mappings[first - 1].kind == .stack, mappings[first - 1].end == mappings[first].start {
            first -= 1
        }
        let below = first > 0 ? mappings[first - 1].end : memory.placementBottom
        let start = mappings[first].start
        let wanted = max(mappings[last].end - size(limit, memory), below + guardGap)
        if wanted < start { try? map(memory, wanted, start - wanted, mappings[first].rights) }
    }

    private static func map(
        _ memory: UserAddressSpace, _ start: UInt64, _ size: UInt64, _ rights: PageRights
    ) throws(Errno) {
        let flags =
            HostMemory.privateCopy | HostMemory.anonymous | HostMemory.noReserve | HostMemory.fixedNoReplace
        _ = try memory.map(start, length: size, rights: rights, flags: flags, kind: .stack)
    }
}
