// What lies directly below the guest's CPU state in memory: the fields that generated code, its hosts and the cpu loop share.
//
//        +------------------+  <- allocation
//        |  counters        |     `ExecutionCounters`
//        +------------------+
//        |  VCPUHeader      |     fixed size `VCPUHeader.stride`, reached with negative offsets
//        +------------------+  <- CPU-state pointer (what helpers receive)
//        |  guest CPU state |     laid out by the guest
//        +------------------+

/// A guest pc with the mode of the CPU as one word: the key of jump cache and return stack. In mode 0 it is the pc, so that code made for
/// it compares pcs as they are. Two pcs of different modes have one word only where they lie as far apart as two hashes: then the wrong
/// one of two translations would run, which no program comes to but one that is made for it, and that harms nobody else.
public enum KeyedPC {
    @inlinable @inline(__always) public static func word(_ pc: UInt64, mode: UInt64) -> UInt64 { pc &+ salt(mode) }
    /// How much the word is more than the pc. It is even, so that no pc has the word of an unused entry (`JumpCache.noPC`).
    @inlinable @inline(__always) public static func salt(_ mode: UInt64) -> UInt64 {
        (mode & ~CodeMode.relative) &* 0x9E37_79B9_7F4A_7C16
    }
}

/// What the mode of code says besides what the guest's own does.
public enum CodeMode {
    /// A bit above those of the guest's modes: the code is relative. The addresses that it was made for are `VCPUHeader.delta` below those
    /// at which the vCPU sees it, so that address spaces which see it elsewhere have it in common. Whoever enters it by the address of its
    /// first instruction, which is the pc, enters at `CompiledRegion.movingEntry`; links keep `delta`.
    public static let relative: UInt64 = 1 << 17
}

/// One entry of a vCPU's jump cache: guest pc and mode -> host code. Unused entries hold `JumpCache.noPC`.
public struct JumpCacheEntry {
    /// A `KeyedPC`.
    public var pc: UInt64
    /// Host address of the translation's entry.
    public var code: UInt64
    @inlinable public init(pc: UInt64, code: UInt64) {
        self.pc = pc
        self.code = code
    }
}

/// A direct-mapped cache, and behind it a second level of what did not fit into it: an entry of the first level that another one takes
/// the place of is found in the second, by code that all jumps have in common, once it has been missed.
public enum JumpCache {
    /// log2 of the number of entries of the first level.
    public static let bits = 12
    public static let count = 1 << bits
    /// Entries of the second level, which lies behind the first, and of both.
    public static let secondCount = 1 << 14
    public static let bothCount = count + secondCount
    public static let bytes = bothCount * MemoryLayout<JumpCacheEntry>.stride
    /// How far the pc is shifted to be mixed with itself: pcs with one place in the first level have several in the second.
    public static let secondShift = bits - 1
    /// Zeroed memory is an empty cache but for this: address 0 has its place in the first entry of each level, and in no other.
    public static func finishEmptying(_ cache: UnsafeMutablePointer<JumpCacheEntry>) {
        cache[index(0)].pc = noPC
        cache[secondIndex(0)].pc = noPC
    }
    /// An odd address that no guest instruction has.
    public static let noPC = UInt64.max
    /// Entry index for a `KeyedPC`: `(pc >> 1) & (count - 1)`. Generated code computes the same.
    @inlinable @inline(__always) public static func index(_ pc: UInt64) -> Int {
        Int(truncatingIfNeeded: (pc &>> 1) & UInt64(count &- 1))
    }
    /// Index, counted from the first entry of the first level, of the place in the second.
    @inlinable @inline(__always) public static func secondIndex(_ pc: UInt64) -> Int {
        count &+ Int(truncatingIfNeeded: ((pc ^ pc &>> UInt64(secondShift)) &>> 1) & UInt64(secondCount &- 1))
    }
}

/// Execution counters: rows of 32-bit counters per vCPU, below the header. A translation uses the counters of its index, or
/// of its pc; those that share one only get hot sooner.
///
///     targets    where an indirect jump went when its in-line cache missed: the latest targets, eight bytes each, in `targetCount` rows;
///                by the jump's pc. (Most jumps of a short process miss once: with the targets of each jump side by side, every one of
///                them would commit a page.)
///     entries    of optimized regions that are to be made again, larger: entries left until then; by pc
///     misses     of the in-line cache of an indirect jump; by its pc
///     executions of baseline translations: left until the translation is hot
public enum ExecutionCounters {
    public static let count = 16384
    /// Bytes of one row, and of all.
    public static let rowBytes = count * 4
    public static let countersBytes = 3 * rowBytes
    /// Targets kept of each jump.
    public static let targetCount = 16
    static let targetsBytes = targetCount * count * 8
    public static let bytes = targetsBytes + countersBytes
    /// Byte offsets of the counters of translation `index` from the CPU-state pointer.
    @inlinable public static func offset(_ index: Int) -> Int {
        -VCPUHeader.stride - rowBytes + (index & (count - 1)) * 4
    }
    /// The number under which misses and targets of the indirect jump at `pc` are kept, and where.
    @inlinable public static func number(jumpAt pc: UInt64) -> Int { number(Int(truncatingIfNeeded: pc &>> 1)) }
    @inlinable public static func offset(missesOfJump number: Int) -> Int { offset(number) - rowBytes }
    /// The target of miss number n, the first one being 0, is in row n modulo `targetCount`.
    public static func offset(targetOfJump number: Int, miss: Int) -> Int {
        -VCPUHeader.stride - bytes + ((miss & (targetCount - 1)) * count + number) * 8
    }
    @inlinable public static func offset(entriesOf pc: UInt64) -> Int { offset(ofNumber: number(entriesOf: pc)) }

    /// Instead of a number: the counter of the executions of the translation that the op is in, whatever its index will be.
    public static let own = 0xffff
    /// The number by which `count_execution` names a translation's counter: of its executions, or of its entries.
    @inlinable public static func number(_ index: Int) -> Int { index & (count - 1) }
    @inlinable public static func number(entriesOf pc: UInt64) -> Int {
        count + number(Int(truncatingIfNeeded: pc &>> 1))
    }
    @inlinable public static func offset(ofNumber number: Int) -> Int {
        number < count ? offset(number) : offset(number) - 2 * rowBytes
    }
}

/// The shadow return stack: a ring of (guest return address as a `KeyedPC`, host code) pairs. `returnStackTop` is the byte offset of the
/// newest entry in the ring; it wraps by masking.
public enum ReturnStack {
    public static let count = 512
    /// Ring size in bytes; the top offset is masked with `byteMask` after each push and pop.
    public static let byteMask = count * 16 - 1
}

/// How jumps between translations found their targets. Those on the paths to the cpu loop are always counted, the others only by code
/// that is made for a profile.
public struct JumpCounters: Sendable {
    /// Look-ups that missed the jump cache, returns that were not on top of the return stack.
    public var lookupMisses: UInt64 = 0
    public var returnMisses: UInt64 = 0
    /// Slots that were not linked: the cpu loop found the target, and linked it.
    public var unlinked: UInt64 = 0
    /// In code for a profile: direct jumps through slots, returns, jumps with an in-line cache, look-ups in the jump cache (of the last
    /// two, those that missed).
    public var direct: UInt64 = 0
    public var returns: UInt64 = 0
    public var cached: UInt64 = 0
    public var lookups: UInt64 = 0

    public init() {}

    public mutating func add(_ other: JumpCounters) {
        lookupMisses &+= other.lookupMisses
        returnMisses &+= other.returnMisses
        unlinked &+= other.unlinked
        direct &+= other.direct
        returns &+= other.returns
        cached &+= other.cached
        lookups &+= other.lookups
    }
}

/// Shared fields of one vCPU. Everything here belongs to the vCPU's thread, except `exitRequest`, which any thread or
/// signal handler may set.
public struct VCPUHeader {
    /// Non-zero: leave generated code at the next `check_exit`. Only ever set to 1 (by plain stores: signal handlers may), and
    /// cleared by the cpu loop.
    public var exitRequest: UInt32 = 0
    /// What the engine wants of this vCPU: `EngineRequest` bits, set atomically before `exitRequest`.
    public var engineRequests: UInt32 = 0
    /// `fault`, `misaligned` and `helperFault` exits: 1 when the access was a write; of a `fault`, the host signal.
    public var faultIsWrite: UInt32 = 0
    public var faultSignal: UInt32 = 0
    /// Set by a helper that wants to leave generated code, to what `ExitValue.raw` is to be; 0 = go on.
    public var exitReason: UInt64 = 0
    /// The word of the instruction at `exitPC`, where the host keeps all globals at home.
    public var exitWord: UInt32 = 0
    /// More about the exit (faulting address, ...).
    public var exitValue: UInt64 = 0
    /// Guest pc of the instruction that left, where the host knows it (side exits, faults).
    public var exitPC: UInt64 = 0
    public var jumpCache: UnsafeMutablePointer<JumpCacheEntry>
    public var returnStack: UnsafeMutablePointer<JumpCacheEntry>
    public var returnStackTop: UInt64 = 0
    /// Accrued floating-point flags that are not in the host's own flag register: see `Op.fpGetFlags`.
    public var fpFlags: UInt32 = 0
    /// Dynamic rounding mode, 0...4.
    public var fpRounding: UInt32 = 0
    /// Words of the host's own: `HostBackEnd.prepare` gives them their first values.
    public var hostWords: InlineArray<4, UInt64> = .init(repeating: 0)
    /// Host registers at a side exit or fault, the low 64 bits of each, by the allocator's numbers.
    public var savedRegisters: InlineArray<64, UInt64> = .init(repeating: 0)
    /// Operands a, b, c of a floating-point op that is evaluated in software, and its result.
    public var softOperands: InlineArray<4, UInt64> = .init(repeating: 0)
    /// Host code address of the side exit.
    public var sideExitAddress: UInt64 = 0
    public var jumps = JumpCounters()
    /// What the vCPU's thread is doing, for samples taken by a signal handler: an `Activity` of the engine's.
    public var activity: UInt32 = 0
    /// By MMU index, the table that its accesses go through (`GuestAddressing.tables`).
    public var views: InlineArray<16, TLBView> = .init(repeating: TLBView(table: 0, mask: 0))
    /// Makes the accesses that the tables have no entry for.
    public var slowAccess: SlowAccessFunction = { _, _ in .leave }
    /// The vCPU, for helpers, which get the CPU state: an unretained object of the engine's.
    public var owner: UnsafeMutableRawPointer?
    /// Where instructions are counted: how many may still be executed; those of the block that `count_insns` has taken from it last, and
    /// how many of these were executed before the one that runs.
    public var budget: Int32 = 0
    public var charged: UInt32 = 0
    public var started: UInt32 = 0
    /// A word for each translation that look-up has found since the vCPU last forgot what it remembers: the `delta` that it was found at,
    /// and 1; 0 for the others. Nil where code lies at its address for good.
    public var knownTranslations: UnsafeMutablePointer<UInt64>?
    /// While relative code runs (`CodeMode.relative`): how far behind the addresses that it was made for it is seen; a multiple of a page.
    public var delta: UInt64 = 0

    public init(jumpCache: UnsafeMutablePointer<JumpCacheEntry>, returnStack: UnsafeMutablePointer<JumpCacheEntry>) {
        self.jumpCache = jumpCache
        self.returnStack = returnStack
    }

    /// Distance from the header's start to the CPU-state pointer: 64 more than a multiple of 512. The exit flag, at the header's
    /// start, is read at the head of each region; processors that guess from the displacement alone which store a load will see
    /// (measured on Zen 4) guess wrong when it equals that of an often-written register modulo 512. At a distance of 512, whose
    /// counterpart is the return address, perl took twice its time.
    public static let stride = (MemoryLayout<VCPUHeader>.size - 64 + 511) / 512 * 512 + 64

    /// The header of the vCPU whose CPU state is at `state`.
    @inlinable @inline(__always)
    public static func of(_ state: UnsafeMutableRawPointer) -> UnsafeMutablePointer<VCPUHeader> {
        (state - stride).assumingMemoryBound(to: VCPUHeader.self)
    }

    /// Offset of a field from the CPU-state pointer (negative).
    public static func offset<T>(of path: KeyPath<VCPUHeader, T>) -> Int {
        guard let offset = MemoryLayout<VCPUHeader>.offset(of: path) else {
            fatalError("VCPUHeader field without offset")
        }
        return offset - stride
    }
}

/// Bits of `VCPUHeader.engineRequests`.
public enum EngineRequest {
    /// Translations died: forget the jump cache and the return stack before the next translation runs.
    public static let forget: UInt32 = 1
    /// Stop at a safe point: another thread needs every vCPU out of generated code.
    public static let pause: UInt32 = 2
    /// Devices have written to memory that code was made from: drop that.
    public static let written: UInt32 = 4
    /// The guest's own debug registers have changed.
    public static let stops: UInt32 = 8
    /// A device in the place of memory shows something else: data accesses look again where they lead.
    public static let covers: UInt32 = 16
}

/// Why generated code returned to the cpu loop.
public enum ExitReason {
    /// `goto_tb` or `push_return` slot not chained yet: the payload names both (`ExitValue.chain`).
    public static let chain: UInt32 = 0
    /// `lookup_and_goto` missed; the pc global holds the target.
    public static let lookup: UInt32 = 1
    /// `check_exit` saw the flag, or `count_insns` found the budget too small. State must be recovered.
    public static let sideExit: UInt32 = 2
    /// A host fault in generated code; the handler has saved the registers, state must be recovered.
    public static let fault: UInt32 = 3
    /// `count_execution` reached zero. State must be recovered.
    public static let hot: UInt32 = 4
    /// A guest access is misaligned that must not be; `exitValue` is its address. State must be recovered.
    public static let misaligned: UInt32 = 5
    /// Of a helper: its guest access was not possible; `exitValue` is the address, `faultIsWrite` says how. The state is at the call.
    public static let helperFault: UInt32 = 6
    /// First value of `exit_tb` reasons and helper exits, chosen by the guest contract (`GuestExit`).
    public static let guest: UInt32 = 16
}

/// The 64-bit value that generated code returns: low 32 bits an `ExitReason`; for `chain` the high 32 bits are the
/// translation's index in the engine's table << 8 | slot; for those of the guest, a payload of its own.
public struct ExitValue: Sendable {
    public let raw: UInt64
    @inlinable public init(raw: UInt64) { self.raw = raw }
    @inlinable public init(reason: UInt32, payload: UInt32 = 0) { raw = UInt64(reason) | UInt64(payload) &<< 32 }
    @inlinable public static func chain(translation: Int, slot: Int) -> ExitValue {
        ExitValue(reason: ExitReason.chain, payload: UInt32(truncatingIfNeeded: translation &<< 8 | slot))
    }
    @inlinable public var reason: UInt32 { UInt32(truncatingIfNeeded: raw) }
    @inlinable public var translation: Int { Int(raw &>> 40) }
    @inlinable public var slot: Int { Int(raw &>> 32) & 0xff }
}
