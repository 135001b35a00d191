// What a signal handler may see and change of the interrupted host code.

import Glibc

/// The interrupted machine state, valid inside one signal handler invocation.
public struct FaultContext {
    @usableFromInline let info: UnsafeMutableRawPointer  // siginfo_t
    @usableFromInline let context: UnsafeMutableRawPointer  // ucontext_t

    @inlinable public init(info: UnsafeMutableRawPointer, context: UnsafeMutableRawPointer) {
        self.info = info
        self.context = context
    }

    /// Signal number (siginfo_t.si_signo) and cause (si_code; positive: raised by the kernel for a fault).
    public var signal: Int32 { info.load(as: Int32.self) }
    public var code: Int32 { info.load(fromByteOffset: 8, as: Int32.self) }

    /// The data address of a memory fault (si_addr). Zero for general-protection faults (non-canonical addresses).
    public var faultAddress: UInt64 { info.load(fromByteOffset: 16, as: UInt64.self) }

    #if arch(x86_64)
        // ucontext_t: flags 8, link 8, stack 24, then gregs[23] at 40, the FP state pointer at 224, the signal mask at
        // 296. gregs order: r8...r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags, segments, err, trapno,
        // oldmask, cr2.
        private static let gregs = 40, ripIndex = 16, errIndex = 19, fpPointer = 224, maskOffset = 296

        public var programCounter: UInt {
            get { context.load(fromByteOffset: Self.gregs + 8 * Self.ripIndex, as: UInt.self) }
            nonmutating set {
                context.storeBytes(of: newValue, toByteOffset: Self.gregs + 8 * Self.ripIndex, as: UInt.self)
            }
        }

        /// True when the faulting access was a write (page-fault error code, bit 1).
        public var isWrite: Bool {
            context.load(fromByteOffset: Self.gregs + 8 * Self.errIndex, as: UInt64.self) & 2 != 0
        }

        /// A general register by its hardware number: 0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi, 8...
        /// r8...
        public subscript(register number: Int) -> UInt64 {
            get { context.load(fromByteOffset: Self.offset(number), as: UInt64.self) }
            nonmutating set { context.storeBytes(of: newValue, toByteOffset: Self.offset(number), as: UInt64.self) }
        }

        private static func offset(_ number: Int) -> Int {
            let index: Int
            switch number & 15 {
            case 0: index = 13
            case 1: index = 14
            case 2: index = 12
            case 3: index = 11
            case 4: index = 15
            case 5: index = 10
            case 6: index = 9
            case 7: index = 8
            case let other: index = other - 8
            }
            return gregs + 8 * index
        }

        /// The 16 bytes of vector register `number` (xmm), writable; nil when the frame has no FP state.
        /// FXSAVE layout: MXCSR at 24, xmm0 at 160.
        public func vectorRegister(_ number: Int) -> UnsafeMutableRawPointer? {
            context.load(fromByteOffset: Self.fpPointer, as: UnsafeMutableRawPointer?.self).map {
                $0 + 160 + 16 * (number & 15)
            }
        }

        public var fpStatus: UInt32 {
            get {
                context.load(fromByteOffset: Self.fpPointer, as: UnsafeMutableRawPointer?.self)?
                    .load(fromByteOffset: 24, as: UInt32.self) ?? 0x1f80
            }
            nonmutating set {
                context.load(fromByteOffset: Self.fpPointer, as: UnsafeMutableRawPointer?.self)?
                    .storeBytes(of: newValue, toByteOffset: 24, as: UInt32.self)
            }
        }

        /// The signal mask that returns with the handler.
        var returnMask: UInt64 {
            get { context.load(fromByteOffset: Self.maskOffset, as: UInt64.self) }
            nonmutating set { context.storeBytes(of: newValue, toByteOffset: Self.maskOffset, as: UInt64.self) }
        }
    #endif
}
