// seccomp(2): filters decide which system calls a thread may make. They are written for the guest's calls, so they are run here, not by
// the host kernel: it gets a filter that allows everything in place of each, and so knows who may install one, what exec, fork and
// threads inherit, and what prctl(2) and /proc say.

import CLinux
import HostOS
import LinuxABI
import Synchronization

/// A filter and those that were installed before it. A process's filters are never freed: its threads read them at any time.
final class SeccompFilter: Sendable {
    let program: SeccompProgram
    let previous: SeccompFilter?
    /// It stands for SECCOMP_MODE_STRICT, whose end is SIGKILL.
    let isStrict: Bool

    init(_ program: SeccompProgram, previous: SeccompFilter?, isStrict: Bool = false) {
        self.program = program
        self.previous = previous
        self.isStrict = isStrict
    }

    /// The strictest answer of all filters, of the newest where they agree.
    func decide(_ data: SeccompData) -> UInt32 {
        var result = SeccompAction.allow, filter: SeccompFilter? = self
        while let current = filter {
            let answer = current.program.run(data)
            if Self.order(answer) < Self.order(result) { result = answer }
            filter = current.previous
        }
        return result
    }

    /// Actions are ordered as signed numbers (SECCOMP_RET_ACTION_FULL).
    private static func order(_ answer: UInt32) -> Int32 { Int32(bitPattern: answer & SeccompAction.mask) }
}

/// SECCOMP_RET_*.
enum SeccompAction {
    static let mask: UInt32 = 0xffff_0000
    static let killProcess: UInt32 = 0x8000_0000, killThread: UInt32 = 0, trap: UInt32 = 0x0003_0000
    static let errno: UInt32 = 0x0005_0000, trace: UInt32 = 0x7ff0_0000, log: UInt32 = 0x7ffc_0000
    static let allow: UInt32 = 0x7fff_0000
    /// All but SECCOMP_RET_USER_NOTIF, which needs a listener.
    static let available = [killProcess, killThread, trap, errno, trace, log, allow]
}

extension GuestThread {
    /// What the thread's filters make of a call: nil where it is made.
    @inline(never)
    func filtered(_ call: SystemCallArguments) -> Int? {
        guard let filter = seccompFilter else { return nil }
        let guest = process.guest
        let answer = filter.decide(
            SeccompData(
                number: UInt32(truncatingIfNeeded: call.number), architecture: guest.auditArchitecture, pc: pc,
                arguments: [call.a0, call.a1, call.a2, call.a3, call.a4, call.a5],
                isBigEndian: guest.table.order == .big))
        let data = answer & ~SeccompAction.mask
        switch answer & SeccompAction.mask {
        case SeccompAction.allow, SeccompAction.log: return nil
        case SeccompAction.errno: return -min(Int(data), Errno.largest)
        case SeccompAction.trap:
            raise(SignalInfo(refused: call.number, at: pc, architecture: guest.auditArchitecture, data: data))
            return SystemCallResult.unchanged
        case SeccompAction.trace: return Errno.nosys.negated  // nobody traces
        case SeccompAction.killThread where process.lock.withLock({ process.threads.count }) > 1:
            isFinished = true
            return SystemCallResult.unchanged
        default:
            if filter.isStrict { HostSignals.dieBy(SignalNumber.kill, sharesMemory: isSharedChild) }
            die(by: SignalInfo(refused: call.number, at: pc, architecture: guest.auditArchitecture, data: data))
        }
    }

    var seccompFilter: SeccompFilter? {
        UnsafeRawPointer(bitPattern: filters.load(ordering: .acquiring)).map {
            Unmanaged<SeccompFilter>.fromOpaque($0).takeUnretainedValue()
        }
    }
}

extension SignalInfo {
    /// SIGSYS of a filter (sigaction(2), SYS_SECCOMP): address, number and architecture of the call.
    init(refused number: UInt64, at pc: UInt64, architecture: UInt32, data: UInt32) {
        self.init(signal: SignalNumber.sys, code: 1, address: pc)
        words[0] |= UInt64(data) << 32
        words[3] = UInt64(UInt32(truncatingIfNeeded: number)) | UInt64(architecture) << 32
    }
}

extension LinuxGuestABI {
    /// AUDIT_ARCH_* (include/uapi/linux/audit.h): e_machine, with bits for 64-bit words and little-endian order.
    var auditArchitecture: UInt32 {
        UInt32(elf.machine) | (table.word == 8 ? 0x8000_0000 : 0) | (table.order == .little ? 0x4000_0000 : 0)
    }
}

enum SeccompCalls {
    private static let synchronize: UInt32 = 1, log: UInt32 = 2, allowSpeculation: UInt32 = 4, newListener: UInt32 = 8
    private static let returnsESRCH: UInt32 = 16

    static func seccomp(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let flags = call.uint32(1)
        switch call.uint32(0) {
        case 0:  // SECCOMP_SET_MODE_STRICT
            guard flags == 0, call.a2 == 0 else { throw .inval }
            return try beStrict(thread)
        case 1: return try setFilter(thread, flags: flags, call.a2)  // SECCOMP_SET_MODE_FILTER
        case 2:  // SECCOMP_GET_ACTION_AVAIL
            guard flags == 0 else { throw .inval }
            guard SeccompAction.available.contains(try thread.load(call.a2, as: UInt32.self)) else { throw .opnotsupp }
            return 0
        default: throw .inval
        }
    }

    /// PR_SET_SECCOMP.
    static func setMode(_ thread: GuestThread, _ mode: UInt64, _ program: UInt64) throws(Errno) -> Int {
        switch mode {
        case 1: try beStrict(thread)
        case 2: try setFilter(thread, flags: 0, program)
        default: throw .inval
        }
    }

    /// The filters that `-seccomp` of a program executed by a guest has brought, the oldest first.
    static func inherit(_ texts: [String], _ thread: GuestThread) {
        for text in texts {
            guard let program = SeccompProgram(text: text) else { continue }
            add(SeccompFilter(program, previous: thread.seccompFilter), to: [thread])
        }
    }

    /// SECCOMP_SET_MODE_STRICT: read, write, exit and rt_sigreturn; anything else kills. The host kernel is not asked: Martlet makes
    /// other calls than the guest.
    private static func beStrict(_ thread: GuestThread) throws(Errno) -> Int {
        if thread.seccompFilter != nil { throw .inval }
        let table = thread.process.guest.table
        let allowed: [SystemCallID] = [.read, .write, .exit, .rt_sigreturn]
        let numbers = allowed.compactMap { table.number(of: $0) }
        var program = [SeccompInstruction(code: 0x20)]  // the number
        for (index, number) in numbers.enumerated() {
            let toAllow = UInt8(numbers.count - index)
            program.append(
                SeccompInstruction(code: 0x15, ifTrue: toAllow, constant: UInt32(truncatingIfNeeded: number)))
        }
        program.append(SeccompInstruction(code: 0x06, constant: SeccompAction.killThread))
        program.append(SeccompInstruction(code: 0x06, constant: SeccompAction.allow))
        guard let program = SeccompProgram(program) else { throw .inval }
        add(SeccompFilter(program, previous: nil, isStrict: true), to: [thread])
        return 0
    }

    private static func setFilter(_ thread: GuestThread, flags: UInt32, _ address: UInt64) throws(Errno) -> Int {
        let known = synchronize | log | allowSpeculation | returnsESRCH
        if flags & ~known != 0 {
            if flags & newListener != 0 { reportUnimplemented(thread, "seccomp with a listener") }
            throw .inval
        }
        // struct sock_fprog: a length and a pointer, which its size aligns.
        let count = Int(try thread.load(address, as: UInt16.self))
        let pointer = try thread.loadWord(address &+ UInt64(thread.words.size))
        guard (1...SeccompProgram.most).contains(count) else { throw .inval }
        // Whether the thread may have a filter: with an unusable one the kernel fails after that.
        let permission = host(flags, count: 1, instructions: GuestThread.unusablePointer)
        if permission != Errno.fault.negated { return permission }
        var instructions: [SeccompInstruction] = []
        for index in 0..<UInt64(count) {
            let at = pointer &+ index &* UInt64(SeccompInstruction.size)
            instructions.append(
                SeccompInstruction(
                    code: try thread.load(at, as: UInt16.self), ifTrue: try thread.load(at &+ 2, as: UInt8.self),
                    ifFalse: try thread.load(at &+ 3, as: UInt8.self),
                    constant: try thread.load(at &+ 4, as: UInt32.self)))
        }
        guard let program = SeccompProgram(instructions) else { throw .inval }
        return install(program, thread, flags: flags)
    }

    /// Installs a filter here, and in the host kernel one that allows everything.
    private static func install(_ program: SeccompProgram, _ thread: GuestThread, flags: UInt32) -> Int {
        let process = thread.process
        // Between the host's step and ours no other thread may take one.
        return process.lock.withLock {
            var allow = SeccompInstruction(code: 0x06, constant: SeccompAction.allow)
            let result = withUnsafeMutablePointer(to: &allow) {
                host(flags, count: 1, instructions: Int(bitPattern: $0))
            }
            if result == 0 {
                add(
                    SeccompFilter(program, previous: thread.seccompFilter),
                    to: flags & synchronize != 0 ? process.threads + [thread] : [thread])
            }
            return result
        }
    }

    private static func add(_ filter: SeccompFilter, to threads: [GuestThread]) {
        let filter = Unmanaged.passRetained(filter)
        for thread in threads { thread.filters.store(UInt(bitPattern: filter.toOpaque()), ordering: .releasing) }
    }

    private static func host(_ flags: UInt32, count: UInt16, instructions: Int) -> Int {
        let setModeFilter = 1
        var program = (UInt64(count), instructions)  // struct sock_fprog
        return withUnsafeMutablePointer(to: &program) {
            kernel(SYS_seccomp, setModeFilter, Int(flags), Int(bitPattern: $0))
        }
    }
}

extension SeccompFilter {
    /// This filter and those before it, the oldest first, as `-seccomp` takes them.
    var texts: [String] { (previous?.texts ?? []) + [program.text] }
}

extension SeccompProgram {
    /// 16 hexadecimal digits for each instruction.
    var text: String {
        var result: [UInt8] = []
        for instruction in instructions {
            let word =
                UInt64(instruction.code) << 48 | UInt64(instruction.ifTrue) << 40 | UInt64(instruction.ifFalse) << 32
                | UInt64(instruction.constant)
            let digits = Array(String(word, radix: 16).utf8)
            result += [UInt8](repeating: UInt8(ascii: "0"), count: 16 - digits.count) + digits
        }
        return String(decoding: result, as: UTF8.self)
    }

    public init?(text: String) {
        let digits = Array(text.utf8)
        guard digits.count % 16 == 0 else { return nil }
        var instructions: [SeccompInstruction] = []
        for start in stride(from: 0, to: digits.count, by: 16) {
            guard let word = UInt64(String(decoding: digits[start..<start + 16], as: UTF8.self), radix: 16) else {
                return nil
            }
            instructions.append(
                SeccompInstruction(
                    code: UInt16(truncatingIfNeeded: word >> 48), ifTrue: UInt8(truncatingIfNeeded: word >> 40),
                    ifFalse: UInt8(truncatingIfNeeded: word >> 32), constant: UInt32(truncatingIfNeeded: word)))
        }
        self.init(instructions)
    }
}
