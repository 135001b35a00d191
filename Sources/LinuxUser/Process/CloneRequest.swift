// What clone(2) and clone3(2) ask for, and which part of it is the host kernel's.

import HostOS
import LinuxABI
import LinuxMemory

struct CloneRequest {
    var flags: UInt64
    /// Initial stack pointer of the child; 0: the parent's.
    var stack: UInt64
    var parentTID: UInt64
    var childTID: UInt64
    var tls: UInt64
    var pidfd: UInt64
    var exitSignal: UInt64
    /// clone3(2): the ids that the child is to have, and its cgroup.
    var setTID: UInt64 = 0, setTIDCount: UInt64 = 0, cgroup: UInt64 = 0

    static let newTime: UInt64 = 0x80, vm: UInt64 = 0x100, fs: UInt64 = 0x200, files: UInt64 = 0x400
    static let sighand: UInt64 = 0x800, pidfdFlag: UInt64 = 0x1000, vfork: UInt64 = 0x4000, parent: UInt64 = 0x8000
    static let thread: UInt64 = 0x1_0000, newMounts: UInt64 = 0x2_0000, systemVSemaphores: UInt64 = 0x4_0000
    static let setTLS: UInt64 = 0x8_0000, parentSetTID: UInt64 = 0x10_0000, childClearTID: UInt64 = 0x20_0000
    static let detached: UInt64 = 0x40_0000, childSetTID: UInt64 = 0x100_0000
    static let newIPC: UInt64 = 0x800_0000, newUser: UInt64 = 0x1000_0000, newPID: UInt64 = 0x2000_0000
    static let clearSighand: UInt64 = 0x1_0000_0000, intoCgroup: UInt64 = 0x2_0000_0000
    /// CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWTIME.
    static let namespaces: UInt64 = 0x7e02_0080

    func has(_ flag: UInt64) -> Bool { flags & flag != 0 }
    func hasAll(_ set: UInt64) -> Bool { flags & set == set }

    /// clone(2), whose arguments have an order of the ABI's.
    init(_ call: SystemCallArguments, _ thread: GuestThread) {
        let order = thread.process.guest.convention.clone
        let given = order.arguments(call.a0, call.a1, call.a2, call.a3, call.a4, call.a5)
        flags = given.flags & 0xffff_ff00
        stack = given.stack
        parentTID = given.parentTID
        childTID = given.childTID
        tls = given.tls
        pidfd = given.parentTID
        exitSignal = Self.hostSignal(given.flags & 0xff, thread)
    }

    /// A number that the host does not have stays: it is refused.
    private static func hostSignal(_ signal: UInt64, _ thread: GuestThread) -> UInt64 {
        let number = Int32(clamping: signal)
        return number == 0 ? signal : thread.process.guest.table.hostSignal(number).map { UInt64($0) } ?? signal
    }

    /// clone3(2): struct clone_args, with the errors of the kernel's copy_clone_args_from_user and clone3_args_valid.
    init(structure address: UInt64, size: UInt64, _ thread: GuestThread) throws(Errno) {
        guard size <= thread.memory.pageSize else { throw .tooBig }
        guard size >= 64 else { throw .inval }
        let bytes = try thread.memory.readBytes(address, count: Int(size)), words = thread.words
        if bytes.dropFirst(88).contains(where: { $0 != 0 }) { throw .tooBig }
        func word(_ index: Int) -> UInt64 {
            8 * index + 8 <= bytes.count ? words.load(bytes, at: 8 * index, as: UInt64.self) : 0
        }
        flags = word(0)
        pidfd = word(1)
        childTID = word(2)
        parentTID = word(3)
        exitSignal = word(4)
        stack = word(5) == 0 ? 0 : word(5) &+ word(6)
        tls = word(7)
        setTID = word(8)
        setTIDCount = word(9)
        cgroup = word(10)
        exitSignal = Self.hostSignal(exitSignal, thread)
        let known = 0xffff_ff00 | Self.newTime | Self.clearSighand | Self.intoCgroup
        guard setTIDCount <= 32, (setTID == 0) == (setTIDCount == 0), exitSignal <= 64,
            (word(5) == 0) == (word(6) == 0), flags & ~known == 0, !has(Self.detached),
            !hasAll(Self.sighand | Self.clearSighand), !has(Self.thread | Self.parent) || exitSignal == 0,
            !has(Self.intoCgroup) || size >= 88 && cgroup <= UInt64(Int32.max)
        else { throw .inval }
    }

    /// The combinations that clone(2) refuses whoever asks.
    func check() throws(Errno) {
        guard !hasAll(Self.newMounts | Self.fs), !hasAll(Self.newUser | Self.fs),
            !has(Self.thread) || has(Self.sighand), !has(Self.sighand) || has(Self.vm),
            !has(Self.thread) || !has(Self.newUser | Self.newPID), !hasAll(Self.newIPC | Self.systemVSemaphores),
            !hasAll(Self.pidfdFlag | Self.detached),
            !hasAll(Self.pidfdFlag | Self.parentSetTID) || pidfd != parentTID
        else { throw .inval }
    }

    /// What a new thread leaves with unshare(2): what it does not have in common with the others, and namespaces.
    var apartFromThreads: UInt64 {
        ~flags & (Self.fs | Self.files | Self.systemVSemaphores) | flags & Self.namespaces
    }

    /// The host kernel writes thread ids to memory that parent and child share: where it is shared, and the guest has the
    /// host's order of bytes.
    func isToldByHost(_ thread: GuestThread) -> Bool {
        has(Self.vm) && thread.words.order == LinuxTable.host.order
    }

    /// Flags that Martlet serves itself: registers, dispositions of signals, and words in memory that it writes. A zero when
    /// the child ends has no order.
    private func servedHere(_ thread: GuestThread) -> UInt64 {
        let words = Self.parentSetTID | Self.childSetTID
        return Self.setTLS | Self.sighand | Self.clearSighand | Self.detached
            | (isToldByHost(thread) ? 0 : words) | (has(Self.vm) ? 0 : Self.childClearTID)
    }

    /// A fork(2) and nothing else, for the host.
    func isPlainFork(_ thread: GuestThread) -> Bool {
        flags & ~servedHere(thread) == 0 && exitSignal == UInt64(SignalNumber.chld) && setTIDCount == 0
    }

    /// What the host kernel is asked for.
    func forHost(_ thread: GuestThread) -> HostClone {
        func pointer(_ flag: UInt64, _ address: UInt64) -> UInt64 {
            has(flag) ? UInt64(bitPattern: Int64(thread.output(address, 4))) : 0
        }
        var clone = HostClone(flags: flags & ~servedHere(thread), exitSignal: exitSignal)
        if has(Self.pidfdFlag) { clone.processFD = UInt64(bitPattern: Int64(thread.output(pidfd, .int32))) }
        if has(Self.vm) {
            clone.parentID = pointer(Self.parentSetTID, parentTID)
            clone.childID = pointer(Self.childSetTID | Self.childClearTID, childTID)
        }
        if setTIDCount != 0 {
            clone.setIDs = UInt64(bitPattern: Int64(thread.input(setTID, .int32, count: Int(setTIDCount))))
        }
        clone.setIDCount = setTIDCount
        clone.cgroup = cgroup
        return clone
    }
}
