// Signals of Martlet's own that a process has sent and the guest does not take yet.
//
// SIGSEGV and SIGBUS bring the guest's memory faults, and one real-time signal brings a profile's samples: the host keeps them
// unblocked while guest code runs. What a process sends of them is told apart by its si_code. The guest's mask of these signals is
// kept in the thread's mailbox; a blocked one waits here, in place of the kernel's pending set: one record for each thread, one for
// each process. While a guest's system call waits in the kernel, they are handed to the kernel, really blocked (`lend`): waiting for
// signals, signalfd and polling then need no code of their own.
//
// What is not exact:
// - What was sent to a thread and what was sent to the process look the same when they come from sigqueue(3) and pthread_sigqueue(3):
//   both count as sent to the process.
// - A wait that a blocked one comes into starts over, with its whole timeout.
// - While every thread blocks one that was sent to the process, only a signalfd read by the thread that the kernel had chosen tells.
// - Of the real-time signal one waits at a time, as of the others; it is Martlet's only while a profile is taken.

import CLinux
import Glibc
import Synchronization

/// The kernel's siginfo_t: 128 bytes. Same layout on every 64-bit Linux.
public typealias SignalWords = InlineArray<16, UInt64>

/// One place for each of Martlet's own signals: none of them queues. Lives in raw memory.
public struct PendingSignals {
    private struct Place {
        var state: UInt32 = 0
        var words: SignalWords = .init(repeating: 0)
    }
    private var places: InlineArray<3, Place> = .init(repeating: Place())

    private static let empty: UInt32 = 0, busy: UInt32 = 1, full: UInt32 = 2

    public init() {}

    private static func signal(_ index: Int) -> UInt64 {
        switch index {
        case 0: HostSignals.bit(SIGSEGV)
        case 1: HostSignals.bit(SIGBUS)
        default: HostSignals.ownSignals & ~HostSignals.faultSignals
        }
    }

    /// Those that are here.
    public var signals: UInt64 {
        var set: UInt64 = 0
        for index in 0..<3 where places[index].state == Self.full { set |= Self.signal(index) }
        return set
    }

    private mutating func change(_ index: Int, from old: UInt32, to new: UInt32) -> Bool {
        withUnsafeMutablePointer(to: &places[index].state) {
            UnsafePointer<Atomic<UInt32>>(OpaquePointer($0)).pointee
                .compareExchange(expected: old, desired: new, ordering: .sequentiallyConsistent).exchanged
        }
    }

    /// Adds one; nothing happens when there is one like it. With all signals blocked.
    mutating func put(_ words: SignalWords) {
        let bit = HostSignals.bit(Int32(truncatingIfNeeded: words[0]))
        for index in 0..<3 where Self.signal(index) == bit {
            while true {
                if change(index, from: Self.empty, to: Self.busy) {
                    places[index].words = words
                    _ = change(index, from: Self.busy, to: Self.full)
                    return
                }
                // Another thread is taking one: it does not wait for anything meanwhile.
                if change(index, from: Self.full, to: Self.full) { return }
                clx_pause()
            }
        }
    }

    /// Takes out one of `set`. With all signals blocked.
    mutating func take(_ set: UInt64) -> SignalWords? {
        for index in 0..<3 where Self.signal(index) & set != 0 && change(index, from: Self.full, to: Self.busy) {
            let words = places[index].words
            _ = change(index, from: Self.busy, to: Self.empty)
            return words
        }
        return nil
    }

    /// Forgets those of `set`.
    public mutating func discard(_ set: UInt64) {
        for index in 0..<3 where Self.signal(index) & set != 0 { _ = change(index, from: Self.full, to: Self.empty) }
    }
}

extension HostSignals {
    /// A signal of our own that a process sent. In a signal handler, which blocks all signals from here on.
    static func recordSent(_ fault: FaultContext) {
        guard let mailbox = ThreadSlot.mailbox else { return }
        blockAll()
        var words = SignalWords(repeating: 0)
        for index in 0..<16 { words[index] = fault.info.load(fromByteOffset: 8 &* index, as: UInt64.self) }
        words[1] = shownCode(words[1])
        let code = Int32(truncatingIfNeeded: words[1])
        let isForProcess = code <= 0 && code > codeOfThread
        if mailbox.pointee.signal == 0, mailbox.pointee.blocked & bit(fault.signal) == 0 { return record(fault, words) }
        if isForProcess, let shared = mailbox.pointee.shared {
            shared.pointee.put(words)
            mailbox.pointee.mustPassOn = true
        } else {
            mailbox.pointee.pending.put(words)
        }
        // The call that waits is made again, and finds it.
        mailbox.pointee.requestFlag?.pointee = 1
        HostStubs.cancelSystemCall(fault)
        HostStubs.restartInterruptedCall(fault)
    }

    /// SI_TKILL: sent to a thread. Codes from here to 0 are those of signals for processes.
    private static let codeOfThread: Int32 = -6

    // A thread may send itself a fault signal that says it is a fault (rt_tgsigqueueinfo(2), as crash reporters do), and to other threads
    // the kernel carries no code from 0 on. On its way such a code has its top bit set.

    private static let sentBit: UInt64 = 1 << 31, codeBits: UInt64 = 3 << 30

    private static func shownCode(_ word: UInt64) -> UInt64 { word & codeBits == sentBit ? word ^ sentBit : word }

    /// What the kernel is to carry within this process, so that it is known to be sent.
    public static func sentWords(_ words: SignalWords) -> SignalWords {
        var words = words
        if bit(Int32(truncatingIfNeeded: words[0])) & ownSignals != 0, Int32(truncatingIfNeeded: words[1]) >= 0 {
            words[1] ^= sentBit
        }
        return words
    }

    /// Sets which signals of our own the calling thread blocks, and lets those come that it no longer does.
    public static func setOwnMask(_ mask: UInt64) {
        guard let mailbox = ThreadSlot.mailbox else { return }
        mailbox.pointee.blocked = mask & ownSignals
        // Orders the new mask before the look: a thread that adds one to the process's looks at the masks afterwards.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        let open = ownSignals & ~mailbox.pointee.blocked
        guard mailbox.pointee.signal == 0, mailbox.pointee.waiting & open != 0 else { return }
        let old = blockAll()
        if mailbox.pointee.signal == 0, let words = mailbox.pointee.take(open) {
            mailbox.pointee.fill(words)
            setHostMask(~ownSignals)
        } else {
            setHostMask(old)
        }
    }

    /// Makes `body`'s system call with the waiting signals of our own pending in the kernel. What it leaves there comes back.
    public static func lend(alsoBlocked: UInt64 = 0, _ body: () -> Int) -> Int {
        guard let mailbox = ThreadSlot.mailbox else { return body() }
        let old = blockAll()
        let blocked = mailbox.pointee.blocked | (alsoBlocked & ownSignals)
        while let words = mailbox.pointee.take(blocked) { send(words, to: HostProcess.threadID) }
        // A sampler reads memory that may fault, which ends the process while these signals are blocked.
        setHostMask(old | blocked | (blocked & faultSignals == 0 ? 0 : ownSignals & ~faultSignals))
        let result = body()
        setHostMask(mailbox.pointee.signal == 0 ? old & ~ownSignals : ~ownSignals)
        return result
    }

    /// Sends a signal to a thread of this process.
    private static func send(_ words: SignalWords, to thread: Int32) {
        let words = sentWords(words)
        _ = withUnsafePointer(to: words) {
            kernel(
                SYS_rt_tgsigqueueinfo, Int(HostProcess.processID), Int(thread),
                Int(Int32(truncatingIfNeeded: words[0])), Int(bitPattern: $0))
        }
    }

    /// Takes one of the process's waiting signals to a thread of this process.
    public static func passOn(_ set: UInt64, from shared: UnsafeMutablePointer<PendingSignals>, to thread: Int32) {
        let old = blockAll()
        if let words = shared.pointee.take(set) { send(words, to: thread) }
        setHostMask(old)
    }

    /// The calling thread is a guest's from now on. It still blocks all signals.
    public static func attach(_ mailbox: UnsafeMutablePointer<SignalMailbox>) {
        blockAll()
        mailbox.pointee.blocked = ownSignals
        if let earlier = ThreadSlot.mailbox, earlier != mailbox {
            while let words = earlier.pointee.take(ownSignals) { mailbox.pointee.pending.put(words) }
        }
        ThreadSlot.mailbox = mailbox
        setHostMask(~ownSignals)
    }

    /// Replaces the process by another program, which inherits `mask`, the ignored ones of our own signals, and what waits of them. Returns
    /// only on failure, with what `body` returned: the system call, in which a signal may come.
    public static func execute(mask: UInt64, ignored: UInt64, _ body: () -> Int) -> Int {
        blockAll()
        if let mailbox = ThreadSlot.mailbox {
            while let words = mailbox.pointee.take(ownSignals) { send(words, to: HostProcess.threadID) }
        }
        func kept(_ signal: Int32) -> KeptDisposition? {
            ignored & bit(signal) == 0 ? nil : KeptDisposition(of: signal)
        }
        let segv = kept(SIGSEGV), bus = kept(SIGBUS)
        segv?.ignore()
        bus?.ignore()
        setHostMask(mask)
        let result = body()
        blockAll()
        segv?.putBack()
        bus?.putBack()
        setHostMask(ThreadSlot.mailbox?.pointee.signal ?? 0 == 0 ? mask & ~ownSignals : ~ownSignals)
        return result
    }
}
