// Machine code that Swift cannot express, placed in one read-and-execute page at start-up: copies and atomics on guest
// memory that report a host fault instead of dying, a system call that cannot lose a signal, and the signal return.
//
// Signal handlers recognise these stubs by program counter, so every faulting or restartable instruction has a known
// address. Invariant: `install` runs once, before any guest code, and the variables below never change afterwards.

import CLinux
import Glibc

enum HostStubs {
    #if arch(x86_64)
        // copy(destination, source, count) -> bytes not copied. `rep movsb` faults with the remaining count in rcx.
        private static let copy: [UInt8] = [
            0x48, 0x89, 0xd1,  // mov rcx, rdx
            0xf3, 0xa4,  // rep movsb
            0x48, 0x89, 0xc8,  // mov rax, rcx       <- a fault lands here
            0xc3,
        ]
        // load32/load64(address, result) -> 0, or 1 after a fault. Likewise store32 and cas32(address, expected,
        // desired, seen).
        private static let load32: [UInt8] = [0x8b, 0x07, 0x89, 0x06, 0x31, 0xc0, 0xc3]
        private static let load64: [UInt8] = [0x48, 0x8b, 0x07, 0x48, 0x89, 0x06, 0x31, 0xc0, 0xc3]
        private static let store32: [UInt8] = [0x89, 0x37, 0x31, 0xc0, 0xc3]
        private static let cas32: [UInt8] = [
            0x89, 0xf0,  // mov eax, esi
            0xf0, 0x0f, 0xb1, 0x17,  // lock cmpxchg [rdi], edx
            0x89, 0x01,  // mov [rcx], eax
            0x31, 0xc0, 0xc3,
        ]
        private static let fail: [UInt8] = [0xb8, 1, 0, 0, 0, 0xc3]  // mov eax, 1; ret
        // safeSystemCall(flag, arguments[7]) -> the kernel's result; -512 when *flag was set before the kernel acted;
        // -513 when a signal ended the kernel's waiting. The kernel restarts a call at its `syscall`, where rcx, which the
        // instruction sets to its successor's address, tells whether it has been executed.
        private static let safeCall: [UInt8] = [
            0x53,  // push rbx
            0x48, 0x89, 0xfb,  // mov rbx, rdi
            0x48, 0x8b, 0x06,  // mov rax, [rsi]
            0x48, 0x8b, 0x7e, 0x08,  // mov rdi, [rsi+8]
            0x48, 0x8b, 0x56, 0x18,  // mov rdx, [rsi+24]
            0x4c, 0x8b, 0x56, 0x20,  // mov r10, [rsi+32]
            0x4c, 0x8b, 0x46, 0x28,  // mov r8, [rsi+40]
            0x4c, 0x8b, 0x4e, 0x30,  // mov r9, [rsi+48]
            0x48, 0x8b, 0x76, 0x10,  // mov rsi, [rsi+16]
            0x31, 0xc9,  // xor ecx, ecx
            0x83, 0x3b, 0x00,  // cmp dword [rbx], 0      <- window starts
            0x75, 0x04,  // jne interrupted
            0x0f, 0x05,  // syscall
            0x5b, 0xc3,  // pop rbx; ret             <- window ended
            0x48, 0xc7, 0xc0, 0x00, 0xfe, 0xff, 0xff,  // interrupted: mov rax, -512
            0x5b, 0xc3,
            0x48, 0xc7, 0xc0, 0xff, 0xfd, 0xff, 0xff,  // interrupted in the kernel: mov rax, -513
            0x5b, 0xc3,
        ]
        private static let safeWindow = (start: 33, end: 40, interrupted: 42, inKernel: 51)
        // Sized accesses for an interpreter; log2 of the size is the second argument. 0, or the signal number of a
        // fault. load(address, log2, result)
        private static let sizedLoad: [UInt8] = [
            0x83, 0xfe, 0x01,  // cmp esi, 1
            0x72, 0x10, 0x74, 0x17,  // jb byte; je half
            0x83, 0xfe, 0x02, 0x74, 0x1b,  // cmp esi, 2; je word
            0x48, 0x8b, 0x07, 0x48, 0x89, 0x02, 0x31, 0xc0, 0xc3,  // mov rax, [rdi]; mov [rdx], rax; xor eax, eax; ret
            0x0f, 0xb6, 0x07, 0x48, 0x89, 0x02, 0x31, 0xc0, 0xc3,  // byte: movzx eax, byte [rdi]; ...
            0x0f, 0xb7, 0x07, 0x48, 0x89, 0x02, 0x31, 0xc0, 0xc3,  // half: movzx eax, word [rdi]; ...
            0x8b, 0x07, 0x48, 0x89, 0x02, 0x31, 0xc0, 0xc3,  // word: mov eax, [rdi]; ...
        ]
        // store(address, log2, value)
        private static let sizedStore: [UInt8] = [
            0x83, 0xfe, 0x01,  // cmp esi, 1
            0x72, 0x0d, 0x74, 0x10,  // jb byte; je half
            0x83, 0xfe, 0x02, 0x74, 0x11,  // cmp esi, 2; je word
            0x48, 0x89, 0x17, 0x31, 0xc0, 0xc3,  // mov [rdi], rdx; xor eax, eax; ret
            0x88, 0x17, 0x31, 0xc0, 0xc3,  // byte: mov [rdi], dl; ...
            0x66, 0x89, 0x17, 0x31, 0xc0, 0xc3,  // half: mov [rdi], dx; ...
            0x89, 0x17, 0x31, 0xc0, 0xc3,  // word: mov [rdi], edx; ...
        ]
        // compareExchange(address, log2, expected, desired, seen)
        private static let sizedExchange: [UInt8] = [
            0x48, 0x89, 0xd0,  // mov rax, rdx
            0x83, 0xfe, 0x01,  // cmp esi, 1
            0x72, 0x12, 0x74, 0x1d,  // jb byte; je half
            0x83, 0xfe, 0x02, 0x74, 0x26,  // cmp esi, 2; je word
            0xf0, 0x48, 0x0f, 0xb1, 0x0f,  // lock cmpxchg [rdi], rcx
            0x49, 0x89, 0x00, 0x31, 0xc0, 0xc3,  // mov [r8], rax; xor eax, eax; ret
            0xf0, 0x0f, 0xb0, 0x0f, 0x0f, 0xb6, 0xc0,  // byte: lock cmpxchg [rdi], cl; movzx eax, al
            0x49, 0x89, 0x00, 0x31, 0xc0, 0xc3,
            0xf0, 0x66, 0x0f, 0xb1, 0x0f, 0x0f, 0xb7, 0xc0,  // half: lock cmpxchg [rdi], cx; movzx eax, ax
            0x49, 0x89, 0x00, 0x31, 0xc0, 0xc3,
            0xf0, 0x0f, 0xb1, 0x0f, 0x89, 0xc0,  // word: lock cmpxchg [rdi], ecx; mov eax, eax
            0x49, 0x89, 0x00, 0x31, 0xc0, 0xc3,
        ]
        // compareExchangePair(address, operands): operands are the expected pair, then the desired one.
        private static let pairExchange: [UInt8] = [
            0x53,  // push rbx
            0x48, 0x8b, 0x06,  // mov rax, [rsi]
            0x48, 0x8b, 0x56, 0x08,  // mov rdx, [rsi+8]
            0x48, 0x8b, 0x5e, 0x10,  // mov rbx, [rsi+16]
            0x48, 0x8b, 0x4e, 0x18,  // mov rcx, [rsi+24]
            0xf0, 0x48, 0x0f, 0xc7, 0x0f,  // lock cmpxchg16b [rdi]
            0x48, 0x89, 0x06,  // mov [rsi], rax
            0x48, 0x89, 0x56, 0x08,  // mov [rsi+8], rdx
            0x31, 0xc0,  // xor eax, eax
            0x5b, 0xc3,  // pop rbx; ret             <- a fault lands here, with the signal in eax
        ]
        private static let pairFault = (at: UInt(16), landing: UInt(30))
        private static let signalReturn: [UInt8] = [0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05]  // mov eax, 15; syscall
    #else
        #error("this host architecture has no machine-code stubs yet")
    #endif

    typealias Copy = @convention(c) (UInt, UInt, UInt) -> UInt
    typealias Load = @convention(c) (UInt, UnsafeMutableRawPointer) -> Int32
    typealias Store32 = @convention(c) (UInt, UInt32) -> Int32
    typealias CompareExchange32 = @convention(c) (UInt, UInt32, UInt32, UnsafeMutablePointer<UInt32>) -> Int32
    typealias SafeCall = @convention(c) (UnsafeMutablePointer<UInt32>, UnsafePointer<Int>) -> Int

    // Addresses inside the page; zero until installed. Literal-initialised, so that signal handlers may read them.
    nonisolated(unsafe) static var copyAddress: UInt = 0
    nonisolated(unsafe) static var load32Address: UInt = 0
    nonisolated(unsafe) static var load64Address: UInt = 0
    nonisolated(unsafe) static var store32Address: UInt = 0
    nonisolated(unsafe) static var cas32Address: UInt = 0
    nonisolated(unsafe) static var failAddress: UInt = 0
    nonisolated(unsafe) static var sizedLoadAddress: UInt = 0
    nonisolated(unsafe) static var sizedStoreAddress: UInt = 0
    nonisolated(unsafe) static var sizedExchangeAddress: UInt = 0
    nonisolated(unsafe) static var sizedEnd: UInt = 0
    nonisolated(unsafe) static var pairExchangeAddress: UInt = 0
    nonisolated(unsafe) static var safeCallAddress: UInt = 0
    nonisolated(unsafe) static var safeWindowStart: UInt = 0
    nonisolated(unsafe) static var safeWindowEnd: UInt = 0
    nonisolated(unsafe) static var safeInterrupted: UInt = 0
    nonisolated(unsafe) static var safeInterruptedInKernel: UInt = 0
    nonisolated(unsafe) static var restorerAddress: UInt = 0

    /// The page's start and length.
    static var range: (start: UInt, length: Int) { (load32Address & ~UInt(pageSize - 1), pageSize) }
    private static var pageSize: Int { Int(HostProcess.pageSize) }

    static func install() {
        if copyAddress != 0 { return }
        guard let page = try? HostMemory.reserve(pageSize) else { fatalError("no memory for the start-up code page") }
        var offset = 0
        func place(_ code: [UInt8]) -> UInt {
            offset = (offset + 15) & ~15
            for byte in code {
                page.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
                offset += 1
            }
            return UInt(bitPattern: page) + UInt(offset - code.count)
        }
        load32Address = place(load32)
        load64Address = place(load64)
        store32Address = place(store32)
        cas32Address = place(cas32)
        failAddress = place(fail)
        sizedLoadAddress = place(sizedLoad)
        sizedStoreAddress = place(sizedStore)
        sizedExchangeAddress = place(sizedExchange)
        sizedEnd = place([0xc3])
        pairExchangeAddress = place(pairExchange)
        safeCallAddress = place(safeCall)
        safeWindowStart = safeCallAddress + UInt(safeWindow.start)
        safeWindowEnd = safeCallAddress + UInt(safeWindow.end)
        safeInterrupted = safeCallAddress + UInt(safeWindow.interrupted)
        safeInterruptedInKernel = safeCallAddress + UInt(safeWindow.inKernel)
        restorerAddress = place(signalReturn)
        copyAddress = place(copy)
        guard (try? HostMemory.protect(UInt(bitPattern: page), pageSize, HostMemory.read | HostMemory.execute)) != nil
        else {
            fatalError("the host forbids executable memory")
        }
    }

    /// Makes `safeSystemCall` return when a signal has come before the kernel has done anything, or has ended its waiting.
    /// Async-signal-safe.
    static func cancelSystemCall(_ context: FaultContext) {
        guard context.programCounter >= safeWindowStart, context.programCounter < safeWindowEnd else { return }
        let wasEntered = context[register: 1] == UInt64(safeWindowEnd)  // rcx
        context.programCounter = wasEntered ? safeInterruptedInKernel : safeInterrupted
    }

    /// Makes `safeSystemCall` return `interruptedBeforeKernel` where a signal that is not for the guest has ended its waiting: the call is
    /// made again. Async-signal-safe.
    static func restartInterruptedCall(_ context: FaultContext) {
        let interrupted = UInt64(bitPattern: Int64(Errno.intr.negated))
        guard context.programCounter == safeWindowEnd, context[register: 0] == interrupted,
            ThreadSlot.mailbox?.pointee.signal == 0
        else { return }
        context[register: 0] = UInt64(bitPattern: Int64(interruptedBeforeKernel))
    }

    /// Makes a fault in a stub that may fault return from it; false when `fault` is elsewhere. Async-signal-safe.
    static func resume(_ fault: FaultContext) -> Bool {
        let pc = fault.programCounter
        if pc >= sizedLoadAddress && pc < sizedEnd && sizedEnd != 0 {
            fault[register: 0] = UInt64(UInt32(bitPattern: fault.signal))
            fault.programCounter = sizedEnd
            return true
        }
        if pc == pairExchangeAddress &+ pairFault.at {
            fault[register: 0] = UInt64(UInt32(bitPattern: fault.signal))
            fault.programCounter = pairExchangeAddress &+ pairFault.landing
            return true
        }
        let landing = landing(for: pc)
        if landing != 0 { fault.programCounter = landing }
        return landing != 0
    }

    /// Where a fault at `pc` continues, or 0 when `pc` is not in a stub that may fault.
    private static func landing(for pc: UInt) -> UInt {
        if pc == copyAddress &+ 3 { return pc &+ 2 }
        if pc >= load32Address && pc < failAddress && load32Address != 0 { return failAddress }
        return 0
    }
}

/// Enters the host kernel with a call that may block. Returns `interruptedBeforeKernel` when `*flag` is set, or becomes set
/// by a signal handler, before the kernel has done anything; there is no window in which such a signal is lost. Returns
/// `interruptedInKernel` when a caught signal ended the kernel's waiting in a call that may be restarted.
public func safeSystemCall(
    _ flag: UnsafeMutablePointer<UInt32>, _ number: Int32, _ a0: Int = 0, _ a1: Int = 0, _ a2: Int = 0, _ a3: Int = 0,
    _ a4: Int = 0, _ a5: Int = 0
) -> Int {
    let arguments: InlineArray<7, Int> = [Int(number), a0, a1, a2, a3, a4, a5]
    let call = unsafeBitCast(HostStubs.safeCallAddress, to: HostStubs.SafeCall.self)
    return withUnsafePointer(to: arguments) { pointer in
        pointer.withMemoryRebound(to: Int.self, capacity: 7) { call(flag, $0) }
    }
}

/// `safeSystemCall`'s result for a call that never started: it has to be made again after the signal's handler.
public let interruptedBeforeKernel = -512

/// `safeSystemCall`'s result for a call that waited in vain: it is made again, or fails with EINTR.
public let interruptedInKernel = -513

/// Copies and atomics on memory that may be unmapped or protected: they return failure where a plain access would
/// fault. Requires `HostSignals.start()`.
public enum GuestCopy {
    /// Copies `count` bytes. Returns how many were *not* copied: 0 is success.
    @inline(__always)
    public static func copy(to destination: UInt, from source: UInt, count: Int) -> Int {
        Int(
            bitPattern: unsafeBitCast(HostStubs.copyAddress, to: HostStubs.Copy.self)(
                destination, source, UInt(bitPattern: count)))
    }

    public static func load32(_ address: UInt) -> UInt32? {
        var value: UInt32 = 0
        return unsafeBitCast(HostStubs.load32Address, to: HostStubs.Load.self)(address, &value) == 0 ? value : nil
    }

    public static func load64(_ address: UInt) -> UInt64? {
        var value: UInt64 = 0
        return unsafeBitCast(HostStubs.load64Address, to: HostStubs.Load.self)(address, &value) == 0 ? value : nil
    }

    public static func store32(_ address: UInt, _ value: UInt32) -> Bool {
        unsafeBitCast(HostStubs.store32Address, to: HostStubs.Store32.self)(address, value) == 0
    }

    /// Atomic compare-and-exchange. Returns the value seen, or nil after a fault.
    public static func compareExchange32(_ address: UInt, expected: UInt32, desired: UInt32) -> UInt32? {
        var seen: UInt32 = 0
        let call = unsafeBitCast(HostStubs.cas32Address, to: HostStubs.CompareExchange32.self)
        return call(address, expected, desired, &seen) == 0 ? seen : nil
    }

    // Sized accesses as C functions, for code that cannot call Swift: log2 of the size in the second argument; the
    // result is 0, or the signal number of the host fault, and nothing has changed then. Aligned accesses are
    // single-copy atomic.

    public typealias SizedLoad = @convention(c) (UInt64, UInt64, UnsafeMutablePointer<UInt64>) -> Int32
    public typealias SizedStore = @convention(c) (UInt64, UInt64, UInt64) -> Int32
    public typealias SizedExchange =
        @convention(c) (UInt64, UInt64, UInt64, UInt64, UnsafeMutablePointer<UInt64>) -> Int32

    public typealias PairExchange = @convention(c) (UInt64, UnsafeMutableRawPointer) -> Int32

    /// (address, log2 size, result): the value, zero-extended.
    public static var sizedLoad: SizedLoad { unsafeBitCast(HostStubs.sizedLoadAddress, to: SizedLoad.self) }
    /// (address, log2 size, value).
    public static var sizedStore: SizedStore { unsafeBitCast(HostStubs.sizedStoreAddress, to: SizedStore.self) }
    /// (address, log2 size, expected, desired, seen): sequentially consistent; `seen` is zero-extended.
    public static var sizedCompareExchange: SizedExchange {
        unsafeBitCast(HostStubs.sizedExchangeAddress, to: SizedExchange.self)
    }
    /// (address, operands): sequentially consistent, of 16 aligned bytes. `operands` are four words: the expected pair, low
    /// word first, then the desired one; the old pair is written over the expected one.
    public static var pairCompareExchange: PairExchange {
        unsafeBitCast(HostStubs.pairExchangeAddress, to: PairExchange.self)
    }
}
